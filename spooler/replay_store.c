/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay's last part: the hashed store.  Two threads list the 256 directories;
 * the loop's thread holds each name against what it knows:
 *
 *	ended in the journal	its files go
 *	lives in the journal	they are half a settle: MSG_FILES
 *	settled			fine
 *	not known		quarantine; but after damage, without a
 *				checkpoint, or if its id is hardly older than
 *				that, a second job reads its .meta: mail
 */
#include "spooler/replay.h"

#include <fcntl.h>

#include "common/base/log.h"

#define SWEEP_PER_TURN 2000u
#define LOOK_DONE 1u		/* in replay.looked */
#define YOUNG_S 3600u

enum { HAS_META = 1, HAS_DATA = 2 };

struct name {
	msgid id;
	uint8_t has;
};

struct found {			/* a .meta that was read */
	enum meta_result result;
	struct scratch scratch;
	struct meta meta;
};

#define READ_AT_ONCE 64u

struct dir_job {
	struct workq_job job;
	struct spooler *s;
	unsigned dir;
	struct name *names;
	size_t n, cap;
	size_t at;		/* the next one to be read */
	unsigned n_read;
	bool unread[READ_AT_ONCE];
	struct found read[READ_AT_ONCE];
	struct error err;
	bool failed;		/* of this directory not all is known */
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

static void
name_add(struct dir_job *d, msgid id, unsigned has)
{
	if (d->n == d->cap) {
		d->cap = d->cap * 2 + 64;
		d->names = xrealloc(d->names, d->cap * sizeof *d->names);
	}
	d->names[d->n++] = (struct name){ id, (uint8_t)has };
}

static int
by_id(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* One name per message. */
static void
merge(struct dir_job *d)
{
	size_t n = 0;

	if (d->n == 0) {
		return;
	}
	qsort(d->names, d->n, sizeof *d->names, by_id);
	for (size_t i = 1; i < d->n; i++) {
		if (d->names[i].id == d->names[n].id) {
			d->names[n].has |= d->names[i].has;
		} else {
			d->names[++n] = d->names[i];
		}
	}
	d->n = n + 1;
}

static void
list_run(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);
	int fd = d->s->fs->open_at(d->s->store.dirs[d->dir], ".",
	    O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		d->failed = true;
		error_sys(&d->err, "cannot list spool directory %02X", d->dir);
		return;
	}
	errno = 0;
	while ((e = readdir(dir)) != NULL) {
		msgid id;

		if (is_meta(e->d_name, d->dir, &id)) {
			name_add(d, id, HAS_META);
		} else if (is_data(e->d_name, d->dir, &id)) {
			name_add(d, id, HAS_DATA);
		}
		errno = 0;
	}
	if (errno != 0) {
		d->failed = true;
		error_sys(&d->err, "cannot list spool directory %02X whole",
		    d->dir);
	}
	closedir(dir);
	merge(d);
}

static void
to_quarantine(struct spooler *s, msgid id, unsigned has, const char *why)
{
	char name[STORE_NAME + 8];

	store_name(id, name);
	if ((has & HAS_DATA) != 0) {
		store_quarantine(&s->store, msgid_dir(id), name, why);
	}
	if ((has & HAS_META) != 0) {
		memcpy(name + MSGID_TEXT_LEN - 3, ".meta", 6);
		store_quarantine(&s->store, msgid_dir(id), name, why);
	}
}

/* True when it must be read to know. */
static bool
judge(struct spooler *s, const struct name *n)
{
	struct replay *p = s->replay;
	uint32_t ended = index_find(&p->ended, n->id);
	uint32_t slot = index_find(&s->index, n->id);

	if (slot != 0 && (index_at(&s->index, slot)->queue != 0 ||
	    index_at(&s->index, slot)->txn != 0)) {
		/* Half of a pair shows when it is loaded.  (What was begun and
		 * came again has ended, and lives: these may be new files.) */
		index_at(&s->index, slot)->flags |= MSG_FILES;
		return false;
	}
	if (ended != 0) {
		uint32_t epoch = index_at(&p->ended, ended)->due;

		/* A segment goes only after the files that it ended: those
		 * were listed before they went. */
		if (journal_has(s->journal, epoch)) {
			p->leftovers++;
			settle_remove(s, n->id, epoch);
		}
		return false;
	}
	if (n->has == HAS_DATA) {
		to_quarantine(s, n->id, n->has, "a data file without .meta");
		return false;
	}
	if (!p->damage && slot == 0 && (uint64_t)msgid_seconds(n->id) +
	    YOUNG_S < p->born_s) {
		to_quarantine(s, n->id, n->has, "neither the checkpoint nor "
		    "the journal knows it");
		return false;
	}
	return true;
}

/* .meta files of what is not known, some at a time. */
static void
read_run(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);

	for (d->n_read = 0; d->n_read < READ_AT_ONCE &&
	    d->at + d->n_read < d->n; d->n_read++) {
		msgid id = d->names[d->at + d->n_read].id;
		struct found *f = &d->read[d->n_read];
		struct error err = { 0 };
		struct buf text;

		buf_init(&text, META_MAX_BYTES);
		d->unread[d->n_read] = store_read_meta(&d->s->store, id, &text,
		    &err) < 0;
		scratch_init(&f->scratch, META_MAX_BYTES);
		if (d->unread[d->n_read] && errno != ENOENT) {
			/* (Its message may have ended since.) */
			log_error("replay: %s; left where it is", err.text);
			d->failed = true;
		} else if (!d->unread[d->n_read]) {
			f->result = meta_read(buf_slice(&text), &f->scratch,
			    &f->meta);
			if (f->result == META_OK && f->meta.rcpt.id != id) {
				f->result = META_BAD_FIELD;
			}
		}
		buf_fini(&text);
	}
}

static void
take_found(struct spooler *s, const struct name *n, const struct found *f)
{
	uint32_t slot = index_find(&s->index, n->id);
	struct queue *q;
	struct msg *m;

	if (f->result != META_OK) {
		to_quarantine(s, n->id, n->has, meta_result_text(f->result));
		return;
	}
	q = spooler_queue(s, f->meta.env.group, f->meta.env.binding,
	    spooler_domain(f->meta.rcpt.addr));
	if (q == NULL) {
		replay_no_queue();
		return;
	}
	if (slot == 0) {
		slot = index_add(&s->index, n->id);
		m = index_at(&s->index, slot);
		m->attempts = f->meta.attempts;
		m->next_us = f->meta.next_us;
		m->flags = f->meta.doubt ? MSG_DOUBT : 0;
	}
	m = index_at(&s->index, slot);
	m->flags |= MSG_FILES;
	index_set_settled(&s->index, m);
	m->received_s = (uint32_t)(f->meta.env.received_us / 1000000u);
	m->queue = q->number;
	/* No record may be left that tells of it, and the next file may be a
	 * delta: without it a later start would take it for a stranger's. */
	checkpoint_note(s, m, journal_newest(s->journal));
	s->replay->settled_found++;
	held_place(s, slot);
}

void
replay_no_queue(void)
{
	static struct log_rate rate;

	log_limited(&rate, EC_CRITICAL, "too many queues: messages wait in the "
	    "spool for the next start");
}

/* Settled, waiting, and its files stand in no directory. */
static bool
is_stolen(const struct msg *m)
{
	return (m->flags & (MSG_SETTLED | MSG_FILES | MSG_GONE | MSG_FETCH)) ==
	    MSG_SETTLED && m->txn == 0 && (m->state == MSG_ACTIVE ||
	    m->state == MSG_DELAYED);
}

static void
drop_stolen(struct spooler *s, uint32_t slot)
{
	static struct log_rate rate;	/* one per place, as log_limited asks */
	struct msg *m = index_at(&s->index, slot);
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(m->id, text);
	log_limited(&rate, EC_CRITICAL, "message %s has lost its files, which "
	    "nobody but us should take away: it is not delivered", text);
	checkpoint_note(s, m, journal_newest(s->journal));
	handout_withdraw(s, slot);
	index_remove(&s->index, slot);
}

/* Known to checkpoint or journal and without files; and states whose message
 * has neither record nor files: it ended long ago. */
static void
drop_lost(struct spooler *s)
{
	uint32_t fresh = s->index.msgs.fresh, n = 0;

	for (uint32_t slot = 1; slot < fresh; slot++) {
		struct msg *m = index_at(&s->index, slot);

		if (!index_is_live(&s->index, slot)) {
			continue;
		}
		if (is_stolen(m)) {
			drop_stolen(s, slot);
		} else if (m->queue == 0 && m->txn == 0) {
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
		drop_lost(s);
	}
	p->phase = PHASE_DONE;
	if (p->damage) {
		checkpoint_want(s);	/* there is none of use */
	}
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

/* Those that were read are mail, unless something became known meanwhile. */
static void
take_read(struct dir_job *d)
{
	for (unsigned i = 0; i < d->n_read; i++) {
		const struct name *n = &d->names[d->at + i];

		if (!d->unread[i] && judge(d->s, n)) {
			take_found(d->s, n, &d->read[i]);
		}
		scratch_fini(&d->read[i].scratch);
	}
}

/* The index is not whole: what is missing must not be taken for gone. */
static void
note_failure(struct dir_job *d)
{
	if (d->failed) {
		d->s->replay->dirs_failed = true;
		d->s->incomplete = true;
	}
}

static void
dir_free(struct dir_job *d)
{
	struct spooler *s = d->s;

	note_failure(d);
	free(d->names);
	free(d);
	s->replay->dirs_done++;
	next_dirs(s);
}

static void
read_done(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);

	take_read(d);
	d->at += d->n_read;
	if (d->at < d->n) {
		workq_submit(d->s->replay->reader, &d->job);
	} else {
		dir_free(d);
	}
}

static void
list_done(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);
	struct spooler *s = d->s;
	size_t kept = 0;

	if (d->failed) {
		log_critical("replay: %s; its mail is not delivered until this "
		    "is mended and ecelerity restarted", d->err.text);
	}
	for (size_t i = 0; i < d->n; i++) {
		if (judge(s, &d->names[i])) {
			d->names[kept++] = d->names[i];
		}
	}
	d->n = kept;
	if (kept == 0) {
		dir_free(d);
		return;
	}
	d->job.run = read_run;
	d->job.done = read_done;
	workq_submit(s->replay->reader, &d->job);
}

static void
look_done(struct workq_job *job)
{
	struct dir_job *d = container_of(job, struct dir_job, job);
	struct spooler *s = d->s;
	struct replay *p = s->replay;
	uint32_t h = index_find(&p->looked, d->names[0].id);

	take_read(d);
	note_failure(d);
	index_at(&p->looked, h)->flags = LOOK_DONE;
	p->looking--;
	free(d->names);
	free(d);
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
	return d;
}

/* Its .meta is read ahead of the rest. */
static void
look(struct spooler *s, msgid id)
{
	struct dir_job *d = job_new(s, msgid_dir(id), read_run, look_done);

	name_add(d, id, HAS_META | HAS_DATA);
	index_add(&s->replay->looked, id);
	s->replay->looking++;
	workq_submit(s->replay->reader, &d->job);
}

bool
replay_knows(struct spooler *s, msgid id)
{
	struct replay *p = s->replay;
	uint32_t slot = index_find(&s->index, id), h;

	if (replay_is_over(s)) {
		return true;
	}
	if (p->phase != PHASE_STORE) {
		return false;
	}
	if (!p->damage || id == MSGID_NONE || index_find(&p->ended, id) != 0 ||
	    (slot != 0 && (index_at(&s->index, slot)->queue != 0 ||
	    index_at(&s->index, slot)->txn != 0))) {
		return true;
	}
	h = index_find(&p->looked, id);
	if (h != 0) {
		return index_at(&p->looked, h)->flags == LOOK_DONE;
	}
	look(s, id);
	return false;
}

static void
next_dirs(struct spooler *s)
{
	struct replay *p = s->replay;

	while (p->dirs_asked < 256 && p->dirs_asked - p->dirs_done < 4) {
		struct dir_job *d = job_new(s, p->dirs_asked++, list_run,
		    list_done);

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
	if (!s->replay->unread) {
		large_sweep(s, s->replay->journal_damage);
	}
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
		if (index_is_live(&p->ended, p->sweep_at)) {
			settle_remove(s, e->id, e->due);
		}
	}
	if (p->sweep_at < p->sweep_end) {
		loop_again(s->loop);
		return;
	}
	p->swept = true;
	settle_flush(s);
	journal_replayed(s->journal);
	intake_retry(s);
	next_dirs(s);
}
