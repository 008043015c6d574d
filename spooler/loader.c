/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings bodies (and, of settled messages, envelopes) from disk into our own
 * arena, by reader threads.
 *
 * From the journal the whole record is read and its checksum held against it;
 * the segment is pinned meanwhile.  From the store the .meta has its own
 * checksum, and the data file must have the size it states.
 */
#include "spooler/spooler.h"

#include "common/base/fdio.h"
#include "common/base/log.h"

#define READERS 2
#define LOADS_MAX 64u

struct loader {
	struct spooler *s;
	struct workq *readers;
	unsigned n;
};

struct load {
	struct workq_job job;
	struct spooler *s;
	uint32_t txn;		/* 0: of a settled message, to be made */
	uint32_t msg;
	msgid id;
	/* From the journal: */
	int fd;
	uint32_t epoch;
	struct segment_use use;
	uint64_t at;		/* of the record's head */
	uint64_t record_bytes, body_from, body_bytes;
	msgid batch;		/* of a body in large/, else none */
	uint64_t large_bytes;
	/* From the store: */
	struct scratch scratch;
	struct meta meta;
	bool damaged;
	/* Result: */
	char *bytes;
	int body_fd;		/* a body that stays in its file */
	struct slice body;
	struct error err;
	bool ok;
};

static bool
read_journal(struct load *l)
{
	const struct fs *fs = l->s->fs;
	struct record_head h;
	ssize_t n;

	l->bytes = xmalloc(l->record_bytes);
	n = fs_read_full(fs, l->fd, l->bytes, l->record_bytes, l->at);
	if (n < 0 || (uint64_t)n != l->record_bytes) {
		error_sys(&l->err, "cannot read the journal");
		return false;
	}
	memcpy(&h, l->bytes, sizeof h);
	if (h.epoch != l->epoch || h.length + sizeof h != l->record_bytes ||
	    h.crc != record_crc(&h, l->bytes + sizeof h, l->use)) {
		error_set(&l->err, ERROR_DAMAGE, "journal record of %llu bytes "
		    "at %llu of epoch %u is damaged",
		    (unsigned long long)l->record_bytes,
		    (unsigned long long)l->at, l->epoch);
		return false;
	}
	l->body = slice_make(l->bytes + l->body_from, l->body_bytes);
	return true;
}

/* Its descriptor is all that is brought of it. */
static bool
open_large(struct load *l)
{
	struct stat info;

	l->body_fd = store_open_large(&l->s->store, l->batch, false);
	if (l->body_fd < 0 || l->s->fs->stat_fd(l->body_fd, &info) < 0) {
		error_sys(&l->err, "cannot open its body in large/");
		return false;
	}
	if ((uint64_t)info.st_size != l->body_bytes) {
		error_set(&l->err, ERROR_DAMAGE, "its body in large/ has %llu "
		    "bytes, not %llu", (unsigned long long)info.st_size,
		    (unsigned long long)l->body_bytes);
		return false;
	}
	return true;
}

static bool
read_store(struct load *l)
{
	struct store *st = &l->s->store;
	enum meta_result r;
	struct stat info;
	struct buf text;
	ssize_t n = -1;
	int fd;

	buf_init(&text, META_MAX_BYTES);
	if (store_read_meta(st, l->id, &text, &l->err) < 0) {
		l->damaged = errno == ENOENT;	/* somebody took it away */
		buf_fini(&text);
		return false;
	}
	r = meta_read(buf_slice(&text), &l->scratch, &l->meta);
	buf_fini(&text);
	if (r != META_OK || l->meta.rcpt.id != l->id) {
		l->damaged = true;
		error_set(&l->err, ERROR_DAMAGE, "%s", r != META_OK ?
		    meta_result_text(r) : "it is of another message");
		return false;
	}
	fd = store_open_data(st, l->id);
	if (fd >= 0 && l->s->fs->stat_fd(fd, &info) < 0) {
		/* The disk's fault, not the file's: it is tried again. */
		error_sys(&l->err, "cannot stat its data file");
		close(fd);
		return false;
	}
	if (fd >= 0 && (uint64_t)info.st_size == l->meta.size &&
	    l->meta.size > l->large_bytes) {
		l->body_fd = fd;
		return true;
	}
	if (fd >= 0 && (uint64_t)info.st_size == l->meta.size) {
		l->bytes = xmalloc(l->meta.size);
		n = fs_read_full(l->s->fs, fd, l->bytes, l->meta.size, 0);
	} else if (fd >= 0) {
		l->damaged = true;
	}
	if (fd >= 0) {
		close(fd);
	}
	if (n < 0 || (uint64_t)n != l->meta.size) {
		l->damaged = l->damaged || (fd < 0 && errno == ENOENT);
		error_set(&l->err, ERROR_DAMAGE, "its data file is %s",
		    fd < 0 ? "missing" : "not of the size the .meta states");
		return false;
	}
	l->body = slice_make(l->bytes, l->meta.size);
	return true;
}

static void
load_run(struct workq_job *job)
{
	struct load *l = container_of(job, struct load, job);

	l->ok = l->txn == 0 ? read_store(l) : l->batch != MSGID_NONE ?
	    open_large(l) : read_journal(l);
}

/* The body into our arena; false when that is full. */
static bool
keep_body(struct spooler *s, struct txn *x, struct slice body)
{
	struct piece pieces[TXN_MAX_PIECES];
	uint32_t none = 0;
	unsigned n = 0;

	while (body.len > 0 && n < TXN_MAX_PIECES) {
		struct extent e;
		size_t k;

		if (!arena_take(s->slabs.own, body.len, &none, &e)) {
			break;
		}
		k = EC_MIN((size_t)e.length, body.len);
		memcpy(arena_at(s->slabs.own, e), body.ptr, k);
		pieces[n] = (struct piece){ slabs_find(&s->slabs, ROLE_SPOOLER,
		    0, s->slabs.own_incarnation, e.slab), e.offset,
		    (uint32_t)k };
		slabs_hold(&s->slabs, pieces[n++]);
		body = slice_skip(body, k);
	}
	if (body.len > 0) {
		while (n-- > 0) {
			slabs_release(&s->slabs, pieces[n]);
		}
		return false;
	}
	txn_set_pieces(x, pieces, n);
	return true;
}

static bool
keep(struct spooler *s, struct txn *x, struct load *l)
{
	if (l->body_fd < 0) {
		return keep_body(s, x, l->body);
	}
	x->fd = l->body_fd;
	l->body_fd = -1;
	return true;
}

/* A settled message's transaction, with it as the only recipient. */
static struct txn *
make_txn(struct spooler *s, struct load *l)
{
	struct msg *m = index_at(&s->index, l->msg);
	struct envelope env;
	struct txn *x;
	struct buf b;

	buf_init(&b, META_MAX_BYTES);
	l->meta.env.rcpt = &l->meta.rcpt;
	envelope_encode(&l->meta.env, &b);
	ec_assert(!b.full);
	scratch_reset(&l->scratch);	/* its strings are in b now */
	ec_assert(envelope_decode(buf_slice(&b), &l->scratch, &env));
	x = txn_create(&s->txns, &env, buf_slice(&b), l->meta.size);
	/* The fixed part, then the sender; see envelope.c. */
	m->rcpt_at = (uint32_t)(envelope_first_recipient(buf_slice(&b)));
	buf_fini(&b);
	x->file = l->id;
	x->refs = 1;
	m->txn = x->slot;
	return x;
}

/* Its files are damaged: they go to quarantine, it leaves the queue. */
static void
quarantine(struct spooler *s, struct load *l)
{
	char name[STORE_NAME + 8];
	unsigned dir = msgid_dir(l->id);
	struct msg *m = index_at(&s->index, l->msg);

	store_name(l->id, name);
	store_quarantine(&s->store, dir, name, l->err.text);
	memcpy(name + MSGID_TEXT_LEN - 3, ".meta", 6);
	store_quarantine(&s->store, dir, name, l->err.text);
	/* No record says that it went: the newest segment's reuse is to wait
	 * for a checkpoint that does. */
	checkpoint_note(s, m, journal_newest(s->journal));
	handout_withdraw(s, l->msg);
	index_remove(&s->index, l->msg);
}

static void
load_done(struct workq_job *job)
{
	static struct log_rate rate;
	struct load *l = container_of(job, struct load, job);
	struct spooler *s = l->s;
	struct txn *x = l->txn != 0 ? txn_at(&s->txns, l->txn) : NULL;

	s->loader->n--;
	if (x != NULL) {
		x->loading = false;
		journal_unpin(s->journal, l->epoch);
	} else {
		index_at(&s->index, l->msg)->flags &= (uint8_t)~MSG_FETCH;
	}
	if (!l->ok) {
		char text[MSGID_TEXT_LEN + 1];

		msgid_format(l->id, text);
		log_limited(&rate, EC_ERROR, "message %s cannot be read: %s",
		    text, l->err.text);
	}
	if (x == NULL && l->ok) {
		x = make_txn(s, l);
		/* Else a deliverer holds it: its outcome waits for this. */
		x->wait_head = index_at(&s->index, l->msg)->state ==
		    MSG_LOADING ? l->msg : 0;
	}
	if (x != NULL) {
		bool ok = l->ok && (txn_is_resident(x) ||
		    keep(s, x, l));

		handout_loaded(s, x, ok);
	} else if (l->damaged) {
		quarantine(s, l);
	} else {
		struct msg *m = index_at(&s->index, l->msg);

		if (m->state == MSG_LOADING) {
			queue_landed(&s->queues, l->msg);
			queue_delay(&s->queues, l->msg, spooler_now(s),
			    10000000u);
		}
	}
	handout_reader_free(s);
	outcome_retry_late(s);
	scratch_fini(&l->scratch);
	fdio_close(&l->body_fd);
	free(l->bytes);
	free(l);
}

bool
loader_start(struct spooler *s, struct txn *x, uint32_t msg)
{
	struct msg *m = index_at(&s->index, msg);
	struct load *l;

	if (s->loader->n >= LOADS_MAX || (m->flags & MSG_FETCH) != 0) {
		return false;
	}
	l = xcalloc(1, sizeof *l);
	l->job.run = load_run;
	l->job.done = load_done;
	l->s = s;
	l->msg = msg;
	l->id = m->id;
	l->body_fd = -1;
	l->large_bytes = s->set.large_bytes;
	scratch_init(&l->scratch, META_MAX_BYTES);
	if (x != NULL) {
		ec_assert(x->epoch != 0 && !x->loading);
		l->txn = x->slot;
		l->epoch = x->epoch;
		l->fd = journal_segment_fd(s->journal, x->epoch);
		l->use = journal_use(s->journal, x->epoch);
		l->body_from = sizeof(struct record_head) + sizeof(uint32_t) +
		    x->env_len;
		l->at = x->body_at - l->body_from;
		l->body_bytes = x->size;
		l->batch = x->large ? x->batch_id : MSGID_NONE;
		l->record_bytes = l->body_from + x->size;
		journal_pin(s->journal, x->epoch);
		x->loading = true;
	} else {
		m->flags |= MSG_FETCH;
	}
	s->loader->n++;
	workq_submit(s->loader->readers, &l->job);
	return true;
}

struct loader *
loader_create(struct spooler *s)
{
	struct loader *l = xcalloc(1, sizeof *l);

	l->s = s;
	l->readers = workq_create(s->loop, "readers", READERS);
	return l;
}

void
loader_destroy(struct loader **lp)
{
	struct loader *l = *lp;

	*lp = NULL;
	if (l != NULL) {
		workq_destroy(&l->readers);
		free(l);
	}
}
