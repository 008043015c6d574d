/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail of other spools of ours, as ec_spool_import puts it into pickup/:
 *
 *	pickup/import-KEY-ID/data, meta		placed: whole and durable
 *	pickup/import-KEY-ID/data		taken: the mail is ours
 *
 * Each message gets an id of ours (those of another machine may be in use
 * here).  In a thread, per round: meta is replaced by one with the new id, data
 * is linked to its place in the store, and then the ONE rename of meta into the
 * store takes the message: before it the entry is placed, behind it the message
 * is settled mail like any other, and there is no state between the two.  Both
 * directories are synced before the message enters a queue.  A crash before the
 * rename leaves a link in the store, which import_recover() takes away before
 * replay could call it an orphan.
 *
 * Whoever placed the entry removes what is left of it.
 */
#include "spooler/spooler.h"

#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define ROUND_IMPORTS 256u
#define ENTRY_NAME 96u
#define PREFIX "import-"

struct import_item {
	char name[ENTRY_NAME];	/* in pickup/ */
	struct meta meta;
	struct scratch mem;
	bool ok;
};

struct import_round {
	struct workq_job job;
	struct spooler *s;
	struct import_item *items[ROUND_IMPORTS];
	unsigned n;
	bool taking;		/* else it only looks */
	struct error err;
	unsigned failed;
};

struct import {
	struct workq *thread;
	bool busy;
	uint64_t taken;
};

static void
entry_path(const char *name, const char *file, char out[160])
{
	snprintf(out, 160, "pickup/%s%s%s", name, file[0] != '\0' ? "/" : "",
	    file);
}

static bool
is_entry(const char *name)
{
	return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 &&
	    strlen(name) < ENTRY_NAME;
}

static void
item_free(struct import_item *i)
{
	scratch_fini(&i->mem);
	free(i);
}

/* The text of a .meta below SpoolBase; -1 with errno. */
static int
slurp(struct store *st, const char *path, struct buf *out)
{
	int fd = st->fs->open_at(st->base, path, O_RDONLY | O_NOFOLLOW, 0);
	struct stat info;
	ssize_t got = -1;

	if (fd < 0) {
		return -1;
	}
	if (st->fs->stat_fd(fd, &info) == 0) {
		errno = EFBIG;
		if (info.st_size <= META_MAX_BYTES && buf_reserve(out,
		    (size_t)info.st_size + 1)) {
			got = fs_read_full(st->fs, fd, out->ptr,
			    (size_t)info.st_size, 0);
		}
	}
	close(fd);
	out->len = got < 0 ? 0 : (size_t)got;
	return got < 0 ? -1 : 0;
}

static int
stat_below(struct store *st, const char *path, struct stat *out)
{
	int fd = st->fs->open_at(st->base, path, O_RDONLY | O_NOFOLLOW, 0);
	int r = fd < 0 ? -1 : st->fs->stat_fd(fd, out);

	if (fd >= 0) {
		close(fd);
	}
	return r;
}

/* An entry that is placed; NULL when it is taken already, or not sound. */
static struct import_item *
read_item(struct store *st, const char *name, struct error *err_out)
{
	struct import_item *i = xcalloc(1, sizeof *i);
	char path[160];
	struct stat info;
	struct buf text;
	enum meta_result r;
	bool ok = false;

	slice_copy(i->name, sizeof i->name, slice_of(name));
	scratch_init(&i->mem, META_MAX_BYTES);
	buf_init(&text, META_MAX_BYTES + 1);
	entry_path(name, "meta", path);
	if (slurp(st, path, &text) < 0) {
		if (errno != ENOENT) {
			error_sys(err_out, "cannot read %s", path);
		}
	} else if ((r = meta_read(buf_slice(&text), &i->mem, &i->meta)) !=
	    META_OK) {
		error_set(err_out, ERROR_DAMAGE, "%s: %s", path,
		    meta_result_text(r));
	} else {
		entry_path(name, "data", path);
		if (stat_below(st, path, &info) < 0) {
			error_sys(err_out, "cannot read %s", path);
		} else if ((uint64_t)info.st_size != i->meta.size) {
			error_set(err_out, ERROR_DAMAGE, "%s has not the size "
			    "that its meta states", path);
		} else {
			ok = true;
		}
	}
	buf_fini(&text);
	if (!ok) {
		item_free(i);
		return NULL;
	}
	i->meta.env.rcpt = &i->meta.rcpt;
	return i;
}

static DIR *
open_pickup(struct store *st)
{
	int fd = st->fs->open_at(st->base, "pickup", O_RDONLY | O_DIRECTORY,
	    0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL && fd >= 0) {
		close(fd);
	}
	return d;
}

static void
look(struct import_round *r)
{
	struct store *st = &r->s->store;
	DIR *d = open_pickup(st);
	struct dirent *e;

	if (d == NULL) {
		error_sys(&r->err, "cannot list pickup");
		r->failed++;
		return;
	}
	while (r->n < ROUND_IMPORTS && (e = readdir(d)) != NULL) {
		struct error err = { 0 };
		struct import_item *i;

		if (!is_entry(e->d_name)) {
			continue;
		}
		i = read_item(st, e->d_name, &err);
		if (i != NULL) {
			r->items[r->n++] = i;
		} else if (err.code != ERROR_NONE) {
			r->err = err;
			r->failed++;
		}
	}
	closedir(d);
}

/* meta says the new id; durable before the link that it explains. */
static int
rewrite_meta(struct store *st, struct import_item *i, struct error *err_out)
{
	char fresh[160], path[160];
	struct buf text;
	int fd, r = -1;

	entry_path(i->name, "meta.new", fresh);
	entry_path(i->name, "meta", path);
	buf_init(&text, META_MAX_BYTES);
	fd = st->fs->open_at(st->base, fresh, O_WRONLY | O_CREAT | O_TRUNC |
	    O_NOFOLLOW, st->mode);
	if (fd >= 0 && meta_write(&i->meta, &text) && fs_write_all(st->fs, fd,
	    text.ptr, text.len, 0) == 0 && st->fs->sync_data(fd) == 0) {
		r = st->fs->rename_at(st->base, fresh, path);
	}
	if (r < 0) {
		error_sys(err_out, "cannot write %s", path);
	}
	if (fd >= 0) {
		close(fd);
	}
	buf_fini(&text);
	return r;
}

static int
sync_entry(struct store *st, const char *name, struct error *err_out)
{
	char path[160];
	int fd, r = -1;

	entry_path(name, "", path);
	fd = st->fs->open_at(st->base, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0) {
		r = st->fs->sync_dir(fd);
		close(fd);
	}
	return r == 0 ? 0 : error_sys(err_out, "cannot sync %s", path);
}

static int
prepare(struct store *st, struct import_item *i, struct error *err_out)
{
	char from[160], to[MSGID_TEXT_LEN + 1];

	if (rewrite_meta(st, i, err_out) < 0 ||
	    sync_entry(st, i->name, err_out) < 0) {
		return -1;
	}
	entry_path(i->name, "data", from);
	msgid_format(i->meta.rcpt.id, to);
	if (st->fs->link_at(st->base, from, st->base, to) < 0) {
		return error_sys(err_out, "cannot link %s to %s", from, to);
	}
	return 0;
}

static int
take(struct store *st, struct import_item *i, struct error *err_out)
{
	char from[160], to[MSGID_TEXT_LEN + 8];

	entry_path(i->name, "meta", from);
	msgid_format(i->meta.rcpt.id, to);
	memcpy(to + MSGID_TEXT_LEN, ".meta", 6);
	if (st->fs->rename_at(st->base, from, to) < 0) {
		return error_sys(err_out, "cannot move %s to %s", from, to);
	}
	return 0;
}

static bool
sync_store(struct import_round *r)
{
	struct store_dirty dirty = { { false } };

	for (unsigned n = 0; n < r->n; n++) {
		dirty.dirs[msgid_dir(r->items[n]->meta.rcpt.id)] |=
		    r->items[n]->ok;
	}
	return store_sync(&r->s->store, &dirty, &r->err) == 0;
}

/* Links of all, one sync of each directory; then all are taken, and synced. */
static void
take_all(struct import_round *r)
{
	struct store *st = &r->s->store;

	for (unsigned n = 0; n < r->n; n++) {
		r->items[n]->ok = prepare(st, r->items[n], &r->err) == 0;
	}
	if (!sync_store(r)) {
		for (unsigned n = 0; n < r->n; n++) {
			r->items[n]->ok = false;
		}
	}
	for (unsigned n = 0; n < r->n; n++) {
		r->items[n]->ok = r->items[n]->ok && take(st, r->items[n],
		    &r->err) == 0;
	}
	/* What is taken is mail, whatever a sync says now: a power loss that
	 * undoes the rename leaves it placed, and it is taken again. */
	r->failed += !sync_store(r);
	for (unsigned n = 0; n < r->n; n++) {
		if (r->items[n]->ok) {
			r->failed += sync_entry(st, r->items[n]->name,
			    &r->err) < 0;
		} else {
			r->failed++;
		}
	}
}

static void
round_run(struct workq_job *job)
{
	struct import_round *r = container_of(job, struct import_round, job);

	if (r->taking) {
		take_all(r);
	} else {
		look(r);
	}
}

/* Into the index and its queue, as replay does with what it finds. */
static void
admit(struct spooler *s, const struct meta *f)
{
	uint32_t slot = index_add(&s->index, f->rcpt.id);
	struct msg *m;
	struct queue *q;

	if (slot == 0) {
		return;		/* replay has found it first */
	}
	m = index_at(&s->index, slot);
	m->attempts = f->attempts;
	m->next_us = f->next_us;
	m->flags = (uint8_t)((f->doubt ? MSG_DOUBT : 0) | MSG_FILES);
	index_set_settled(&s->index, m);
	m->received_s = (uint32_t)(f->env.received_us / 1000000u);
	q = spooler_queue(s, f->env.group, f->env.binding,
	    spooler_domain(f->rcpt.addr));
	if (q == NULL) {
		log_critical("too many queues: an imported message waits in "
		    "the spool for the next start");
		index_remove(&s->index, slot);
		return;
	}
	m->queue = q->number;
	/* No record tells of it: until a checkpoint does a start takes it for
	 * mail because its id is young. */
	checkpoint_note(s, m, journal_newest(s->journal));
	checkpoint_want(s);
	held_place(s, slot);
}

static void
round_free(struct import_round *r)
{
	for (unsigned n = 0; n < r->n; n++) {
		item_free(r->items[n]);
	}
	free(r);
}

/* Ids can only be made here; an item without one waits for the next round. */
static void
give_ids(struct import_round *r)
{
	for (unsigned n = 0; n < r->n; n++) {
		r->items[n]->meta.rcpt.id = spooler_new_id(r->s);
		while (n < r->n && r->items[n]->meta.rcpt.id == MSGID_NONE) {
			item_free(r->items[--r->n]);
		}
	}
}

static void
round_done(struct workq_job *job)
{
	static struct log_rate rate;	/* one per place, as log_limited asks */
	struct import_round *r = container_of(job, struct import_round, job);
	struct spooler *s = r->s;
	struct import *p = s->import;
	unsigned taken = 0;

	if (r->failed > 0) {
		log_limited(&rate, EC_ERROR, "import: %u entries of pickup "
		    "wait: %s", r->failed, r->err.text);
	}
	if (!r->taking && r->n > 0) {
		give_ids(r);
		r->taking = true;
		r->failed = 0;
		workq_submit(p->thread, &r->job);
		return;
	}
	for (unsigned n = 0; n < r->n; n++) {
		if (r->items[n]->ok) {
			admit(s, &r->items[n]->meta);
			taken++;
		}
	}
	p->taken += taken;
	p->busy = false;
	if (taken > 0) {
		log_notice("import: %u messages taken over from another spool, "
		    "%llu since the start", taken,
		    (unsigned long long)p->taken);
	}
	round_free(r);
}

void
import_tick(struct spooler *s)
{
	struct import *p = s->import;
	struct import_round *r;

	/* Ids of the store are all known only when replay is over. */
	if (p->busy || !replay_is_over(s) || worker_is_draining(s->w)) {
		return;
	}
	r = xcalloc(1, sizeof *r);
	r->job.run = round_run;
	r->job.done = round_done;
	r->s = s;
	p->busy = true;
	workq_submit(p->thread, &r->job);
}

/* Is data of the store under this id the very file of this entry, without a
 * .meta?  Then the crash came before the take. */
static void
unlink_half(struct store *st, const char *name, msgid id)
{
	char path[160], data[MSGID_TEXT_LEN + 8];
	struct stat mine, theirs;

	entry_path(name, "data", path);
	msgid_format(id, data);
	if (stat_below(st, path, &mine) < 0 ||
	    stat_below(st, data, &theirs) < 0 ||
	    mine.st_ino != theirs.st_ino || mine.st_dev != theirs.st_dev) {
		return;
	}
	memcpy(data + MSGID_TEXT_LEN, ".meta", 6);
	if (stat_below(st, data, &theirs) < 0 && errno == ENOENT) {
		data[MSGID_TEXT_LEN] = '\0';
		st->fs->unlink_at(st->base, data);
	}
}

void
import_recover(struct spooler *s)
{
	DIR *d = open_pickup(&s->store);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		struct error err = { 0 };
		struct import_item *i = !is_entry(e->d_name) ? NULL :
		    read_item(&s->store, e->d_name, &err);

		if (i != NULL) {
			unlink_half(&s->store, e->d_name, i->meta.rcpt.id);
			item_free(i);
		}
	}
	if (d != NULL) {
		closedir(d);
	}
}

struct import *
import_create(struct spooler *s)
{
	struct import *p = xcalloc(1, sizeof *p);

	p->thread = workq_create(s->loop, "import", 1);
	return p;
}
