/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages: their bodies go to a file while they come.
 *
 *	LARGE_DATA  -> thread: large/BATCH written, window after window
 *	            -> LARGE_TAKEN: the windows may be filled again
 *	STORE_LARGE -> thread: file sync, directory sync
 *	            -> the journal's record, which makes it mail (intake.c)
 *
 * One thread of its own, so that the committer waits for none of these syncs.
 * A body that does not become mail is removed: at its end (LARGE_ABORT, its
 * listener gone, a disk that refuses), or after a crash at the next start,
 * when the journal has been read and no record names it.  No sync is needed for
 * that: what comes back is removed then.
 *
 * A txn that is large owns its file.  While such a message is in the journal
 * the file is all there is of its body; once it is settled it is one link more.
 */
#include "spooler/intake.h"

#include <fcntl.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/wire.h"

#define WINDOWS_MAX 4096u	/* extents in one packet */
#define STREAMS_MAX 4096u	/* each holds a descriptor: readers and the
				 * journal need some, too */

struct large {
	struct spooler *s;
	struct workq *thread;
	struct list_node streams;
	unsigned n_streams;
	/* Bodies found at the start, to be judged when the journal is read. */
	msgid *found;
	size_t n_found;
};

struct stream {
	struct list_node link;
	struct spooler *s;
	msgid batch;
	uint8_t listener;
	uint32_t incarnation;
	bool gone;		/* its listener wants nothing of it any more */
	bool heard;		/* its listener is there to be answered */
	struct late_store store;	/* after STORE_LARGE: txn is not 0 */
	/* The thread's. */
	int fd;
	bool made;		/* the file is ours */
	uint64_t size;
	enum store_result result;
	struct error err;
};

struct stream_job {
	struct workq_job job;
	struct stream *t;
	unsigned n;
	struct window {
		struct piece at;
		struct extent ext;	/* as its listener names it */
		struct slice bytes;
	} windows[];
};

static void
fail(struct stream *t, const char *what)
{
	t->result = errno == ENOSPC || errno == EDQUOT ? STORED_FULL :
	    STORED_FAILED;
	error_sys(&t->err, "%s", what);
}

/* ---- in the thread ---- */

/* What was written of it is of no use: on a full disk it makes room. */
static void
forget_file(struct stream *t)
{
	fdio_close(&t->fd);
	if (t->made) {
		t->made = false;
		store_remove_large(&t->s->store, t->batch);
	}
}

static void
write_run(struct workq_job *job)
{
	struct stream_job *j = container_of(job, struct stream_job, job);
	struct stream *t = j->t;
	const struct fs *fs = t->s->fs;

	if (t->result == STORED_OK && t->fd < 0) {
		t->fd = store_open_large(&t->s->store, t->batch, true);
		t->made = t->fd >= 0;
		if (!t->made) {
			fail(t, "cannot make a file in large/");
		}
	}
	for (unsigned i = 0; i < j->n && t->result == STORED_OK; i++) {
		struct slice b = j->windows[i].bytes;

		if (fs_write_all(fs, t->fd, b.ptr, b.len, t->size) < 0) {
			fail(t, "cannot write a file in large/");
		}
		t->size += b.len;
	}
	if (t->result != STORED_OK) {
		forget_file(t);
	}
}

static void
finish_run(struct workq_job *job)
{
	struct stream *t = container_of(job, struct stream_job, job)->t;
	struct store *st = &t->s->store;

	/* A failed sync is not repeated on this file: it goes. */
	if (t->result == STORED_OK && (t->fd < 0 ||
	    t->s->fs->sync_data(t->fd) < 0 ||
	    t->s->fs->sync_dir(st->large) < 0)) {
		fail(t, "cannot sync a file in large/");
		forget_file(t);
	}
	fdio_close(&t->fd);
}

static void
drop_run(struct workq_job *job)
{
	forget_file(container_of(job, struct stream_job, job)->t);
}

/* ---- in the loop ---- */

static void
submit(struct stream *t, struct stream_job *j, void (*run)(struct workq_job *),
    void (*done)(struct workq_job *))
{
	j->t = t;
	j->job.run = run;
	j->job.done = done;
	workq_submit(t->s->large->thread, &j->job);
}

static struct stream_job *
job_new(unsigned n)
{
	struct stream_job *j = xcalloc(1, sizeof *j +
	    n * sizeof j->windows[0]);

	j->n = n;
	return j;
}

static void
drop_done(struct workq_job *job)
{
	struct stream_job *j = container_of(job, struct stream_job, job);

	list_remove(&j->t->link);
	j->t->s->large->n_streams--;
	free(j->t);
	free(j);
}

/* Nothing will come of it.  Its file goes behind the writes on the way. */
static void
drop(struct stream *t)
{
	if (!t->gone) {
		t->gone = true;
		submit(t, job_new(0), drop_run, drop_done);
	}
}

static struct stream *
find(const struct spooler *s, unsigned listener, uint32_t incarnation,
    msgid batch)
{
	list_each(n, tmp, &s->large->streams) {
		struct stream *t = list_entry(n, struct stream, link);

		if (t->batch == batch && !t->gone && t->store.txn == 0 &&
		    t->listener == listener && t->incarnation == incarnation) {
			return t;
		}
	}
	return NULL;
}

/* The windows go back to who lent them. */
static void
write_done(struct workq_job *job)
{
	static struct log_rate rate;
	struct stream_job *j = container_of(job, struct stream_job, job);
	struct stream *t = j->t;
	struct listener_peer *p = &t->s->listeners[t->listener];
	struct buf *b = t->heard && p->link != NULL &&
	    p->incarnation == t->incarnation ?
	    ipc_begin(p->link, IPC_LARGE_TAKEN) : NULL;

	if (b != NULL) {
		wire_put_u64(b, t->batch);
		wire_put_u8(b, (uint8_t)t->result);
	}
	for (unsigned i = 0; i < j->n; i++) {
		struct window *w = &j->windows[i];

		slabs_unhold(&t->s->slabs, w->at);
		if (b != NULL) {
			wire_put_u32(b, w->ext.slab);
			wire_put_u32(b, w->ext.offset);
			wire_put_u32(b, w->ext.length);
		}
	}
	if (b != NULL) {
		ipc_end(p->link);
	}
	if (t->result != STORED_OK && !t->gone) {
		log_limited(&rate, EC_ERROR, "a large message is refused: %s",
		    t->err.text);
	}
	free(j);
}

static struct stream *
begin(struct spooler *s, struct ipc_link *k, msgid batch)
{
	struct stream *t = xcalloc(1, sizeof *t);

	t->s = s;
	t->batch = batch;
	t->listener = k->peer_index;
	t->incarnation = s->listeners[k->peer_index].incarnation;
	t->heard = true;
	t->fd = -1;
	list_push_back(&s->large->streams, &t->link);
	if (++s->large->n_streams > STREAMS_MAX) {
		t->result = STORED_FULL;
		error_set(&t->err, ERROR_LIMIT, "%u large messages come in "
		    "already", STREAMS_MAX);
	}
	return t;
}

static bool
read_windows(struct spooler *s, unsigned listener, struct wire_r *r,
    struct stream_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		struct window *w = &j->windows[i];

		w->ext.slab = wire_u32(r);
		w->ext.offset = w->at.offset = wire_u32(r);
		w->ext.length = w->at.length = wire_u32(r);
		w->at.handle = slabs_find(&s->slabs, ROLE_LISTENER, listener,
		    s->listeners[listener].incarnation, w->ext.slab);
		w->bytes = slice_make(slabs_at(&s->slabs, w->at),
		    w->at.length);
		if (r->bad || w->at.length == 0 || w->bytes.ptr == NULL) {
			return false;
		}
	}
	return true;
}

void
large_data(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	msgid batch = wire_u64(&r);
	size_t n = wire_left(&r) / 12;
	struct stream_job *j;
	struct stream *t;

	if (r.bad || batch == MSGID_NONE || n == 0 || n > WINDOWS_MAX ||
	    wire_left(&r) % 12 != 0) {
		ipc_bad(k, "malformed LARGE_DATA");
		return;
	}
	j = job_new((unsigned)n);
	if (!read_windows(s, k->peer_index, &r, j)) {
		ipc_bad(k, "LARGE_DATA names no memory of its sender");
		free(j);
		return;
	}
	for (unsigned i = 0; i < j->n; i++) {
		slabs_hold(&s->slabs, j->windows[i].at);
	}
	t = find(s, k->peer_index, s->listeners[k->peer_index].incarnation,
	    batch);
	submit(t != NULL ? t : begin(s, k, batch), j, write_run, write_done);
}

void
large_abort(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	msgid batch = wire_u64(&r);
	struct stream *t;

	if (r.bad || wire_left(&r) > 0) {
		ipc_bad(k, "malformed LARGE_ABORT");
		return;
	}
	t = find(s, k->peer_index, s->listeners[k->peer_index].incarnation,
	    batch);
	if (t != NULL) {
		drop(t);
	}
}

/* All of it is on the disk, or it was refused. */
static void
finish_done(struct workq_job *job)
{
	static struct log_rate rate;
	struct stream_job *j = container_of(job, struct stream_job, job);
	struct stream *t = j->t;
	struct spooler *s = t->s;
	const struct listener_peer *p = &s->listeners[t->listener];
	struct txn *x = txn_at(&s->txns, t->store.txn);

	free(j);
	if (t->result == STORED_OK && (p->link == NULL ||
	    p->incarnation != t->incarnation)) {
		/* Its client got no 250, and will send it again. */
		error_set(&t->err, ERROR_PROTOCOL, "its listener is gone");
		t->result = STORED_FAILED;
	}
	if (t->result == STORED_OK && t->size != x->size) {
		error_set(&t->err, ERROR_PROTOCOL, "%llu bytes came, not the "
		    "%llu that were said", (unsigned long long)t->size,
		    (unsigned long long)x->size);
		t->result = STORED_FAILED;
	}
	if (t->result == STORED_OK) {
		x->large = true;	/* the file is the transaction's now */
		t->made = false;
		intake_try(s, &t->store);
	} else {
		log_limited(&rate, EC_ERROR, "a large message is refused: %s",
		    t->err.text);
		intake_refuse(s, &t->store, t->result);
	}
	drop(t);
}

bool
large_store(struct spooler *s, const struct late_store *l)
{
	struct stream *t = find(s, l->listener, l->incarnation,
	    txn_at(&s->txns, l->txn)->batch_id);

	if (t == NULL) {
		return false;
	}
	t->store = *l;
	submit(t, job_new(0), finish_run, finish_done);
	return true;
}

void
large_listener_gone(struct spooler *s, unsigned listener)
{
	list_each(n, tmp, &s->large->streams) {
		struct stream *t = list_entry(n, struct stream, link);

		if (t->listener != listener) {
			continue;
		}
		t->heard = false;
		if (t->store.txn == 0) {
			drop(t);
		}
	}
}

struct removal {
	struct workq_job job;
	struct spooler *s;
	msgid batch;
};

static void
remove_run(struct workq_job *job)
{
	struct removal *r = container_of(job, struct removal, job);

	store_remove_large(&r->s->store, r->batch);
}

static void
remove_done(struct workq_job *job)
{
	free(container_of(job, struct removal, job));
}

/* Its transaction is no more.  Whether the removal reaches the disk is no
 * matter: see above. */
static void
remove_file(void *arg, msgid batch)
{
	struct spooler *s = arg;
	struct removal *r = xcalloc(1, sizeof *r);

	r->s = s;
	r->batch = batch;
	r->job.run = remove_run;
	r->job.done = remove_done;
	workq_submit(s->large->thread, &r->job);
}

/* ---- at the start ---- */

static int
list_found(struct large *l, struct error *err_out)
{
	int fd = l->s->fs->open_at(l->s->store.large, ".",
	    O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	size_t cap = 0;

	if (dir == NULL) {
		return error_sys(err_out, "cannot list large/ of the spool");
	}
	while ((e = readdir(dir)) != NULL) {
		msgid batch;

		if (!store_large_parse(e->d_name, &batch)) {
			continue;
		}
		if (l->n_found == cap) {
			cap = cap * 2 + 64;
			l->found = xrealloc(l->found, cap * sizeof *l->found);
		}
		l->found[l->n_found++] = batch;
	}
	closedir(dir);
	return 0;
}

/* Batches of which the journal has living messages. */
static void
live_batches(const struct spooler *s, struct index *out)
{
	index_init(out);
	for (uint32_t i = 1; i < s->txns.pool.fresh; i++) {
		struct txn *x = txn_at(&s->txns, i);

		/* (A free slot holds a link of 4 bytes.) */
		if ((uintptr_t)x > UINT32_MAX && x->slot == i && x->large) {
			index_add(out, x->batch_id);
		}
	}
}

struct sweep {
	struct workq_job job;
	struct spooler *s;
	bool damage;
	size_t n;
	msgid batches[];
};

static void
sweep_run(struct workq_job *job)
{
	struct sweep *w = container_of(job, struct sweep, job);

	for (size_t i = 0; i < w->n; i++) {
		if (w->damage) {
			store_quarantine_large(&w->s->store, w->batches[i],
			    "a body that no record names, and the journal is "
			    "damaged");
		} else {
			store_remove_large(&w->s->store, w->batches[i]);
		}
	}
}

static void
sweep_done(struct workq_job *job)
{
	free(container_of(job, struct sweep, job));
}

void
large_sweep(struct spooler *s, bool damage)
{
	struct large *l = s->large;
	struct sweep *w = xcalloc(1, sizeof *w +
	    l->n_found * sizeof w->batches[0]);
	struct index live;

	live_batches(s, &live);
	w->s = s;
	w->damage = damage;
	for (size_t i = 0; i < l->n_found; i++) {
		if (index_find(&live, l->found[i]) == 0) {
			w->batches[w->n++] = l->found[i];
		}
	}
	index_fini(&live);
	free(l->found);
	l->found = NULL;
	l->n_found = 0;
	w->job.run = sweep_run;
	w->job.done = sweep_done;
	workq_submit(l->thread, &w->job);
}

struct large *
large_create(struct spooler *s, struct error *err_out)
{
	struct large *l = xcalloc(1, sizeof *l);

	l->s = s;
	list_init(&l->streams);
	s->txns.on_large = remove_file;
	s->txns.arg = s;
	if (list_found(l, err_out) < 0) {
		free(l);
		return NULL;
	}
	l->thread = workq_create(s->loop, "large", 1);
	return l;
}
