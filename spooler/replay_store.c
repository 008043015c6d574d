/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay's second part: the hashed store.  Two reader threads go through the
 * 256 directories; the loop's thread decides about each file they found.
 */
#include "spooler/replay.h"

#include <fcntl.h>

#include "common/base/log.h"

#define SWEEP_PER_TURN 2000u
#define LOOK_DONE 1u		/* in replay.looked */

enum found_kind {
	FOUND_META,
	FOUND_BAD_META,
	FOUND_DATA,		/* without a .meta beside it */
};

struct found {			/* in a directory */
	struct list_node link;
	enum found_kind kind;
	const char *why;	/* it is bad */
	struct scratch scratch;
	struct meta meta;
};

struct dir_job {
	struct workq_job job;
	struct spooler *s;
	unsigned dir;
	msgid only;		/* just this one's .meta, MSGID_NONE: all */
	struct list_node found;
	struct error err;
	bool failed;
};

static void next_dirs(struct spooler *s);

static bool
is_meta(const char *name, unsigned dir, msgid *id)
{
	char text[MSGID_TEXT_LEN + 1];
	size_t n = strlen(name);

	if (n != MSGID_TEXT_LEN - 3 + 5 ||
	    strcmp(name + MSGID_TEXT_LEN - 3, ".meta") != 0) {
		return false;
	}
	snprintf(text, sizeof text, "%02X/%.17s", dir, name);
	return msgid_parse(slice_of(text), id) && msgid_dir(*id) == dir;
}

static bool
is_data(const char *name, unsigned dir, msgid *id)
{
	char text[MSGID_TEXT_LEN + 1];

	if (strlen(name) != MSGID_TEXT_LEN - 3) {
		return false;
	}
	snprintf(text, sizeof text, "%02X/%.17s", dir, name);
	return msgid_parse(slice_of(text), id) && msgid_dir(*id) == dir;
}

static struct found *
found_add(struct dir_job *d, enum found_kind kind, msgid id)
{
	struct found *f = xcalloc(1, sizeof *f);

	scratch_init(&f->scratch, META_MAX_BYTES);
	f->kind = kind;
	f->meta.rcpt.id = id;
	list_push_back(&d->found, &f->link);
	return f;
}

static void
read_one(struct dir_job *d, msgid id)
{
	struct found *f = found_add(d, FOUND_META, id);
	struct error err = { 0 };
	enum meta_result r;
	struct buf text;

	buf_init(&text, META_MAX_BYTES);
	if (store_read_meta(&d->s->store, id, &text, &err) < 0) {
		/* Not there: its message ended while the directory was read. */
		if (errno != ENOENT) {
			log_error("replay: %s; left where it is", err.text);
		}
		list_remove(&f->link);
		scratch_fini(&f->scratch);
		free(f);
	} else {
		r = meta_read(buf_slice(&text), &f->scratch, &f->meta);
		if (r == META_OK && f->meta.rcpt.id != id) {
			r = META_BAD_FIELD;
		}
		if (r != META_OK) {
			/* If its id lives in the journal this is half a
			 * settle; the loop's thread decides. */
			f->kind = FOUND_BAD_META;
			f->why = meta_result_text(r);
			f->meta.rcpt.id = id;
		}
	}
	buf_fini(&text);
}

struct ids {
	msgid *id;
	size_t n, cap;
};

static void
ids_add(struct ids *l, msgid id)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->id = xrealloc(l->id, l->cap * sizeof *l->id);
	}
	l->id[l->n++] = id;
}

static int
by_id(const void *a, const void *b)
{
	const msgid *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Data files without a .meta: of a settle or a removal cut short, or damage. */
static void
find_lone_data(struct dir_job *d, struct ids *data, struct ids *metas)
{
	size_t at = 0;

	if (data->n == 0) {
		return;
	}
	qsort(data->id, data->n, sizeof *data->id, by_id);
	if (metas->n > 0) {
		qsort(metas->id, metas->n, sizeof *metas->id, by_id);
	}
	for (size_t i = 0; i < data->n; i++) {
		while (at < metas->n && metas->id[at] < data->id[i]) {
			at++;
		}
		if (at == metas->n || metas->id[at] != data->id[i]) {
			found_add(d, FOUND_DATA, data->id[i]);
		}
	}
}

static void
dir_run(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);
	int fd = d->s->fs->open_at(d->s->store.dirs[d->dir], ".",
	    O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct ids data = { NULL, 0, 0 }, metas = { NULL, 0, 0 };
	struct dirent *e;

	if (dir == NULL) {
		d->failed = true;
		error_sys(&d->err, "cannot list spool directory %02X", d->dir);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		msgid id;

		if (is_meta(e->d_name, d->dir, &id)) {
			ids_add(&metas, id);
			read_one(d, id);
		} else if (is_data(e->d_name, d->dir, &id)) {
			ids_add(&data, id);
		}
	}
	closedir(dir);
	find_lone_data(d, &data, &metas);
	free(data.id);
	free(metas.id);
}

static void
to_quarantine(struct spooler *s, const struct found *f)
{
	char name[STORE_NAME + 8];
	msgid id = f->meta.rcpt.id;
	int fd = f->kind == FOUND_DATA ? 0 : store_open_data(&s->store, id);

	store_name(id, name);
	if (fd >= 0) {
		store_quarantine(&s->store, msgid_dir(id), name,
		    f->kind == FOUND_DATA ? "a data file without .meta" :
		    "its .meta is damaged");
	}
	if (fd > 0) {
		close(fd);
	}
	if (f->kind == FOUND_BAD_META) {
		memcpy(name + MSGID_TEXT_LEN - 3, ".meta", 6);
		store_quarantine(&s->store, msgid_dir(id), name, f->why);
	}
}

/* What the journal knows newer than the .meta stays pinned there. */
static void
forget_same_state(struct spooler *s, struct msg *m, const struct meta *f)
{
	if (m->state_epoch != 0 && m->attempts == f->attempts &&
	    m->next_us == f->next_us &&
	    ((m->flags & MSG_DOUBT) != 0) == f->doubt) {
		journal_unpin(s->journal, m->state_epoch, PIN_STATE);
		m->state_epoch = 0;
	}
}

/* One file found: mail, or left over. */
static void
take_found(struct spooler *s, struct found *f)
{
	struct replay *p = s->replay;
	msgid id = f->meta.rcpt.id;
	uint32_t ended = index_find(&p->ended, id);
	uint32_t slot = index_find(&s->index, id);
	struct queue *q;
	struct msg *m;

	if (ended != 0) {
		uint32_t epoch = index_at(&p->ended, ended)->state_epoch;

		/* A segment goes only after the files that it ended: those
		 * were listed before they went. */
		if (journal_has(s->journal, epoch)) {
			p->leftovers++;
			settle_remove(s, id, epoch);
		}
		return;
	}
	m = slot == 0 ? NULL : index_at(&s->index, slot);
	if (m != NULL && (m->queue != 0 || m->txn != 0)) {
		m->flags |= MSG_FILES;	/* it lives in the journal */
		return;
	}
	if (f->kind != FOUND_META) {
		to_quarantine(s, f);
		return;
	}
	if (slot == 0) {
		slot = index_add(&s->index, id);
		m = index_at(&s->index, slot);
		m->attempts = f->meta.attempts;
		m->next_us = f->meta.next_us;
		m->flags = f->meta.doubt ? MSG_DOUBT : 0;
	}
	forget_same_state(s, m, &f->meta);
	m->flags |= MSG_SETTLED;
	m->received_s = (uint32_t)(f->meta.env.received_us / 1000000u);
	q = spooler_queue(s, f->meta.env.group, f->meta.env.binding,
	    spooler_domain(f->meta.rcpt.addr));
	if (q == NULL) {
		log_critical("too many queues: a message waits in the spool "
		    "for the next start");
		if (m->state_epoch != 0) {
			journal_unpin(s->journal, m->state_epoch, PIN_STATE);
		}
		index_remove(&s->index, slot);
		return;
	}
	m->queue = q->number;
	p->settled_found++;
	held_place(s, slot);
}

/* States whose message has neither record nor files: it ended long ago. */
static void
drop_lost_states(struct spooler *s)
{
	uint32_t fresh = s->index.msgs.fresh, n = 0;

	for (uint32_t slot = 1; slot < fresh; slot++) {
		struct msg *m = index_at(&s->index, slot);

		if (m->id != MSGID_NONE && m->queue == 0 && m->txn == 0 &&
		    index_find(&s->index, m->id) == slot) {
			replay_drop(s, slot);
			n++;
		}
	}
	if (n > 0) {
		log_error("replay: %u messages have a state in the journal and "
		    "no files in the spool", n);
	}
}

static void
finish(struct spooler *s)
{
	struct replay *p = s->replay;

	if (!p->dirs_failed) {
		drop_lost_states(s);
	}
	p->phase = PHASE_DONE;
	p->done_us = spooler_now(s);
	log_notice("replay: %llu records, %llu messages found in the journal, "
	    "%llu in the store, %llu leftovers removed; %u queued; %llu ms",
	    (unsigned long long)p->records, (unsigned long long)p->messages,
	    (unsigned long long)p->settled_found,
	    (unsigned long long)p->leftovers, index_count(&s->index),
	    (unsigned long long)(p->done_us - p->began_us) / 1000u);
	loop_hook_stop(&p->hook);
	/* The batches seen are kept in p until listeners have sent again
	 * what was unanswered: see replay_has_batch and main's second(). */
}

static void
take_all(struct spooler *s, struct dir_job *d)
{
	struct list_node *n;

	while ((n = list_pop_front(&d->found)) != NULL) {
		struct found *f = list_entry(n, struct found, link);

		take_found(s, f);
		scratch_fini(&f->scratch);
		free(f);
	}
	free(d);
}

static void
dir_done(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);
	struct spooler *s = d->s;

	if (d->failed) {
		s->replay->dirs_failed = true;
		log_critical("replay: %s; its mail is not delivered until this "
		    "is mended and ecelerity restarted", d->err.text);
	}
	take_all(s, d);
	s->replay->dirs_done++;
	next_dirs(s);
}

static void
look_run(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);

	read_one(d, d->only);
}

static void
look_done(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);
	struct spooler *s = d->s;
	struct replay *p = s->replay;
	uint32_t h = index_find(&p->looked, d->only);

	take_all(s, d);
	index_at(&p->looked, h)->flags = LOOK_DONE;
	p->looking--;
	outcome_retry_late(s);
	handout_orphans(s);
	next_dirs(s);
}

static struct dir_job *
job_new(struct spooler *s, unsigned dir, void (*run)(struct workq_job *),
    void (*done)(struct workq_job *))
{
	struct dir_job *d = xcalloc(1, sizeof *d);

	d->s = s;
	d->dir = dir;
	d->job.run = run;
	d->job.done = done;
	list_init(&d->found);
	return d;
}

bool
replay_knows(struct spooler *s, msgid id)
{
	struct replay *p = s->replay;
	uint32_t slot = index_find(&s->index, id), h;
	struct dir_job *d;

	if (replay_is_over(s)) {
		return true;
	}
	if (p->phase == PHASE_JOURNAL) {
		return false;
	}
	if (id == MSGID_NONE || index_find(&p->ended, id) != 0 || (slot != 0 &&
	    (index_at(&s->index, slot)->queue != 0 ||
	    index_at(&s->index, slot)->txn != 0))) {
		return true;
	}
	h = index_find(&p->looked, id);
	if (h != 0) {
		return index_at(&p->looked, h)->flags == LOOK_DONE;
	}
	index_add(&p->looked, id);
	d = job_new(s, msgid_dir(id), look_run, look_done);
	d->only = id;
	p->looking++;
	workq_submit(p->reader, &d->job);
	return false;
}

static void
next_dirs(struct spooler *s)
{
	struct replay *p = s->replay;

	while (p->dirs_asked < 256 && p->dirs_asked - p->dirs_done < 4) {
		struct dir_job *d = job_new(s, p->dirs_asked++, dir_run,
		    dir_done);

		workq_submit(p->reader, &d->job);
	}
	if (p->dirs_done == 256 && p->looking == 0 && p->swept &&
	    p->phase == PHASE_STORE) {
		finish(s);
	}
}

void
replay_store_start(struct spooler *s)
{
	/* What is not there any more when the sweep looks for it was removed
	 * by a process before us: durably, after this. */
	settle_sync_all(s);
	s->replay->sweep_at = 1;
	s->replay->sweep_end = s->replay->ended.msgs.fresh;
	next_dirs(s);
	loop_again(s->loop);
}

/* Removes files of ids that the journal ended by name, so that its segments
 * need not wait until all directories are read. */
void
replay_sweep(struct spooler *s)
{
	struct replay *p = s->replay;

	for (unsigned i = 0; i < SWEEP_PER_TURN &&
	    p->sweep_at < p->sweep_end; i++, p->sweep_at++) {
		struct msg *e = index_at(&p->ended, p->sweep_at);

		/* Its segment is pinned until that is done. */
		settle_remove(s, e->id, e->state_epoch);
	}
	if (p->sweep_at < p->sweep_end) {
		loop_again(s->loop);
		return;
	}
	p->swept = true;
	settle_flush(s);
	journal_replayed(s->journal);
	next_dirs(s);
}
