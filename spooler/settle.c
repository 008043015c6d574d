/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old mail leaves the journal for the hashed store.
 *
 *	round: up to 2048 messages that are Settle_After old
 *	thread: data (then links), .meta, and one sync for all of them
 *	journal: SETTLED, durable -> the segment is pinned no more by them
 *
 * Removal of settled mail that is done goes through the same thread: unlink,
 * sync the directories, and only then may the segment with the `done` record
 * be reused (or a crash would bring the files' mail back).
 *
 * Rounds are paced by how long commits take: see pause_after().
 *
 * A round that fails on disk is tried again later; its mail stays in the
 * journal.
 */
#include "spooler/engine.h"

#include <malloc.h>
#include <sys/syscall.h>

#include "common/base/log.h"
#include "common/base/wire.h"

/* The more at once, the less do a sync, its 256 directories and as many inode
 * tables cost each: 2,048 settle 1.6 times as fast as 512. */
#define ROUND_MESSAGES 2048u
#define ROUND_RECORD_MAX (1u << 20)	/* bytes; any segment has room for it */
#define REMOVE_BATCH 1024u
#define AGAIN_US 5000000u
#define GOES_ON_US 5000000u
#define REST_US 1000000u
#define REST_MESSAGES 10000u
#define PAUSE_MIN_US 5000u
#define PAUSE_MAX_US 500000u

struct settle_body {		/* of one transaction, for the thread to read: its
				 * hold keeps these bytes as they are */
	struct slice *parts;	/* in memory, or else: */
	unsigned n;
	bool large;		/* in large/: linked, not written */
	msgid batch;
	int fd;			/* of its segment, pinned */
	uint64_t size, at;
	bool lost;		/* it could not be read */
};

struct settle_item {		/* one message of a round */
	uint32_t msg;
	uint32_t txn;
	unsigned body;
	struct meta meta;	/* strings in the txn's envelope */
	bool first;		/* its data file is written, the rest link */
	bool ok;
};

struct settle_round {
	struct workq_job job;
	struct list_node link;	/* waits for room in the journal */
	struct spooler *s;
	unsigned n;
	size_t record;		/* at most so many bytes say that it settled */
	bool full;
	bool bad;
	struct error err;
	uint32_t epochs[ROUND_MESSAGES];	/* pinned, per transaction */
	struct settle_body bodies[ROUND_MESSAGES];
	unsigned n_epochs;			/* and bodies */
	struct settle_item items[ROUND_MESSAGES];
};

struct removal {
	struct workq_job job;
	struct spooler *s;
	unsigned n;
	msgid ids[REMOVE_BATCH];
	uint32_t epochs[REMOVE_BATCH];
	bool again[REMOVE_BATCH];	/* a try before failed */
	struct error err;
	bool ok;
};

struct settle {
	struct workq *thread;
	bool running;		/* a round is on the way */
	uint64_t not_before_us;
	struct loop_timer next;
	/* Commit times, smoothed, microseconds: while no round runs, and of
	 * late. */
	uint64_t idle_us, now_us;
	uint64_t last_us;	/* when the newest came */
	uint64_t pause_us;	/* after a round */
	struct settle_round *waiting;	/* for room in the journal */
	struct removal *removal;	/* being gathered */
	size_t removing;
	uint64_t ended_us;	/* a round, well; 0: none yet */
	unsigned n_freed;	/* since memory was given back last */
	bool unsure;		/* the thread's: a removal or sync failed once,
				 * so what is gone may not be so durably */
};

void
settle_commit_took(struct spooler *s, uint64_t us)
{
	struct settle *t = s->settle;

	t->now_us = t->now_us == 0 ? us : (t->now_us * 7 + us) / 8;
	t->last_us = spooler_now(s);
	if (!t->running) {
		t->idle_us = t->idle_us == 0 ? us : (t->idle_us * 31 + us) / 32;
	}
}

/* Whoever waits for a 250 must not wait much longer for our sake; but a journal
 * that gets full refuses mail, which is worse. */
static uint64_t
pause_after(struct spooler *s)
{
	struct settle *t = s->settle;
	unsigned segments, left;

	journal_counts(s->journal, &segments, &left);
	if (left <= EC_MAX(segments / 4, 2u) || t->idle_us == 0 ||
	    spooler_now(s) - t->last_us > PAUSE_MAX_US) {
		t->pause_us = 0;	/* or nobody waits */
	} else if (t->now_us > t->idle_us + t->idle_us / 2) {
		t->pause_us = EC_MIN(t->pause_us * 2 + PAUSE_MIN_US,
		    (uint64_t)PAUSE_MAX_US);
	} else {
		t->pause_us = t->pause_us / 2;
	}
	return t->pause_us;
}

static void
round_free(struct settle_round *r)
{
	struct spooler *s = r->s;

	for (unsigned i = 0; i < r->n_epochs; i++) {
		journal_unpin(s->journal, r->epochs[i]);
		free(r->bodies[i].parts);
	}
	for (unsigned i = 0; i < r->n; i++) {
		if (r->items[i].first) {
			struct txn *x = txn_at(&s->txns, r->items[i].txn);

			x->holds--;
			txn_put(&s->txns, x);
		}
	}
	free(r);
	s->settle->running = false;
	s->settle->not_before_us = EC_MAX(s->settle->not_before_us,
	    spooler_now(s) + pause_after(s));
	loop_timer_set(&s->settle->next, s->settle->not_before_us -
	    spooler_now(s));
}

/* A body that cannot be read stays where it is; the others settle. */
static int
lost(struct settle_body *b, const char *what)
{
	static struct log_rate rate;	/* one per place, as log_limited asks */

	log_limited(&rate, EC_ERROR, "settling: %s: %s; that message stays in "
	    "the journal", what, strerror(errno));
	b->lost = true;
	return 0;
}

/* Body of a transaction: its pieces, or read from the journal. */
static int
write_body(struct settle_round *r, const struct settle_item *it,
    struct store_dirty *d)
{
	struct spooler *s = r->s;
	struct settle_body *b = &r->bodies[it->body];
	struct slice whole;
	char *copy;
	ssize_t got;
	int result;

	if (b->n > 0 || b->size == 0) {
		return store_write_data(&s->store, it->meta.rcpt.id, b->parts,
		    b->n, d, &r->err);
	}
	copy = xmalloc(b->size);
	errno = EIO;
	got = fs_read_full(s->fs, b->fd, copy, b->size, b->at);
	if (got < 0 || (uint64_t)got != b->size) {
		free(copy);
		return lost(b, "cannot read a body of the journal");
	}
	whole = slice_make(copy, b->size);
	result = store_write_data(&s->store, it->meta.rcpt.id, &whole, 1,
	    d, &r->err);
	free(copy);
	return result;
}

static int
settle_data(struct settle_round *r, struct settle_item *it, msgid *first,
    struct store_dirty *d)
{
	struct settle_body *b = &r->bodies[it->body];
	struct store *st = &r->s->store;

	if (b->large) {
		if (store_link_large(st, b->batch, it->meta.rcpt.id, d) == 0) {
			return 0;
		}
		return errno == ENOENT ? lost(b, "a body of large/ is not "
		    "there") : error_sys(&r->err, "cannot link a body of "
		    "large/");
	}
	if (!it->first) {
		if (store_link_data(st, *first, it->meta.rcpt.id, d) == 0) {
			return 0;
		}
		if (errno != EMLINK) {
			return error_sys(&r->err, "cannot link a spool file");
		}
	}
	*first = it->meta.rcpt.id;	/* the next ones link here */
	return write_body(r, it, d);
}

static int
settle_one(struct settle_round *r, struct settle_item *it, msgid *first,
    struct store_dirty *d)
{
	struct settle_body *b = &r->bodies[it->body];

	if (b->lost || settle_data(r, it, first, d) < 0) {
		return b->lost ? 0 : -1;
	}
	return b->lost ? 0 : store_write_meta(&r->s->store, &it->meta, d,
	    &r->err);
}

static void
round_run(struct workq_job *job)
{
	struct settle_round *r = container_of(job, struct settle_round, job);
	struct store_dirty dirty = { { false } };
	msgid first = MSGID_NONE;

	for (unsigned i = 0; i < r->n && !r->bad; i++) {
		r->bad = settle_one(r, &r->items[i], &first, &dirty) < 0;
	}
	r->bad = r->bad || store_sync(&r->s->store, &dirty, &r->err) < 0;
}

/* Done while its files were written: now they go. */
static void
end_gone(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);

	settle_remove(s, m->id, m->due);
	journal_unpin(s->journal, m->due);
	index_remove(&s->index, slot);
}

/* It stays in the journal for now, and is settled another time. */
static void
unmark(struct spooler *s, struct settle_item *it)
{
	struct msg *m = index_at(&s->index, it->msg);
	struct txn *x = txn_at(&s->txns, it->txn);

	m->flags &= (uint8_t)~MSG_SETTLING;
	if ((m->flags & MSG_GONE) != 0) {
		end_gone(s, it->msg);
	}
	/* To the end of the order: others first. */
	if (x->unsettled > 0) {
		x->settle_us = spooler_now(s) + AGAIN_US;
		x->settle_again = true;
		list_remove(&x->settle);
		list_push_back(&s->settle_order, &x->settle);
	}
}

static void
settled(struct spooler *s, struct settle_item *it, uint32_t epoch)
{
	struct msg *m = index_at(&s->index, it->msg);
	struct txn *x;

	m->flags &= (uint8_t)~MSG_SETTLING;
	index_set_settled(&s->index, m);
	checkpoint_note(s, m, epoch);
	x = txn_at(&s->txns, m->txn);
	x->file = m->id;
	if (--x->unsettled == 0) {
		txn_left_journal(s, x);
	}
	if (m->state == MSG_ACTIVE || m->state == MSG_DELAYED) {
		m->txn = 0;
		x->refs--;
		txn_put(&s->txns, x);
	}
}

/* Those that could be said to be settled are, durably, in this segment. */
static void
round_end(struct settle_round *r, uint32_t epoch)
{
	struct settle *t = r->s->settle;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->items[i].ok) {
			settled(r->s, &r->items[i], epoch);
			t->ended_us = spooler_now(r->s);
			t->n_freed++;
		} else {
			unmark(r->s, &r->items[i]);
		}
	}
	round_free(r);
}

/* Says in the journal that they are settled; false if there is no room. */
static bool
round_append(struct settle_round *r)
{
	struct spooler *s = r->s;
	struct journal_note note = { .what = NOTE_SETTLED,
		.b = (uint64_t)(uintptr_t)r };
	uint32_t queue = 0;
	struct slice part;
	struct buf b;
	bool ok;

	buf_init(&b, (size_t)ROUND_MESSAGES * 2 * CHECKPOINT_ITEM_MAX);
	for (unsigned i = 0; i < r->n; i++) {
		struct settle_item *it = &r->items[i];
		struct msg *m = index_at(&s->index, it->msg);
		struct checkpoint_item c;

		/* One that has ended, or whose outcome is on its way to the
		 * disk: that record would stand before this one and say
		 * something newer. */
		it->ok = !r->bodies[it->body].lost && m->state != MSG_ENDING &&
		    (m->flags & MSG_GONE) == 0;
		if (!it->ok) {
			continue;
		}
		if (m->queue != queue) {
			queue = m->queue;
			checkpoint_item_of_queue(queue_at(&s->queues, queue),
			    &c);
			checkpoint_item_encode(&c, &b);
		}
		checkpoint_item_of(m, &c);
		checkpoint_item_encode(&c, &b);
	}
	part = buf_slice(&b);
	if (part.len > 0) {
		ok = journal_append(s->journal, JOURNAL_SETTLED, &part, 1,
		    true, &note) == JOURNAL_OK;
	} else {
		round_end(r, 0);	/* all of it ends just now */
		ok = true;
	}
	buf_fini(&b);
	return ok;
}

static void
round_done(struct workq_job *job)
{
	static struct log_rate rate;
	struct settle_round *r = container_of(job, struct settle_round, job);
	struct spooler *s = r->s;

	if (r->bad) {
		log_limited(&rate, EC_ERROR, "settling: %s; tried again, the "
		    "mail stays in the journal", r->err.text);
		s->settle->not_before_us = spooler_now(s) + AGAIN_US;
		for (unsigned i = 0; i < r->n; i++) {
			unmark(s, &r->items[i]);
		}
		round_free(r);
	} else if (!round_append(r)) {
		s->settle->waiting = r;
	}
}

void
settle_durable(struct spooler *s, const struct journal_note *n)
{
	(void)s;
	round_end((struct settle_round *)(uintptr_t)n->b, n->epoch);
}

void
settle_state_durable(struct spooler *s, const struct journal_note *n)
{
	struct msg *m;

	if (n->c != 0) {
		handout_written(s, n->c);
	}
	if (index_find(&s->index, n->b) != n->a) {
		return;		/* it has left meanwhile */
	}
	m = index_at(&s->index, n->a);
	if ((m->flags & MSG_SETTLED) != 0) {
		checkpoint_note(s, m, n->epoch);
	}
}

static void
body_of(struct spooler *s, const struct txn *x, struct settle_body *b)
{
	*b = (struct settle_body){ .n = x->n_pieces, .size = x->size,
		.at = x->body_at, .large = x->large, .batch = x->batch_id,
		.fd = journal_segment_fd(s->journal, x->epoch) };
	b->parts = xcalloc(EC_MAX(b->n, 1u), sizeof *b->parts);
	for (unsigned i = 0; i < b->n; i++) {
		b->parts[i] = slice_make(slabs_at(&s->slabs, x->pieces[i]),
		    x->pieces[i].length);
	}
}

/* For one more message?  Its queue may have to be named, too. */
static bool
has_room(struct spooler *s, struct settle_round *r, const struct msg *m)
{
	size_t more = CHECKPOINT_PUT_BYTES + CHECKPOINT_QUEUE_BYTES +
	    queue_at(&s->queues, m->queue)->key_len;

	r->full = r->n == ROUND_MESSAGES ||
	    r->record + more > ROUND_RECORD_MAX;
	r->record += r->full ? 0 : more;
	return !r->full;
}

/* Adds a transaction's messages to the round; false when some are left. */
static bool
round_add(struct spooler *s, struct settle_round *r, struct txn *x)
{
	struct scratch scratch;
	struct envelope env;
	unsigned began = r->n;
	bool all = true;

	scratch_init(&scratch, 1 << 20);
	ec_assert(envelope_decode(slice_make(x->env, x->env_len), &scratch,
	    &env));
	for (uint32_t i = 0; i < env.n_rcpt; i++) {
		uint32_t slot = index_find(&s->index, env.rcpt[i].id);
		struct settle_item *it = &r->items[r->n];
		struct msg *m;

		if (slot == 0) {
			continue;
		}
		m = index_at(&s->index, slot);
		if ((m->flags & (MSG_SETTLED | MSG_SETTLING | MSG_GONE)) != 0 ||
		    m->queue == 0) {
			continue;
		}
		if (!has_room(s, r, m)) {
			all = false;	/* the rest next time */
			break;
		}
		memset(it, 0, sizeof *it);
		it->msg = slot;
		it->txn = x->slot;
		it->body = r->n_epochs;
		it->first = r->n == began;
		it->meta.env = env;
		it->meta.rcpt = env.rcpt[i];
		it->meta.size = x->size;
		it->meta.attempts = m->attempts;
		it->meta.next_us = m->next_us;
		it->meta.doubt = (m->flags & MSG_DOUBT) != 0;
		m->flags |= MSG_SETTLING | MSG_FILES;
		r->n++;
	}
	scratch_fini(&scratch);
	if (r->n > began) {
		x->holds++;
		journal_pin(s->journal, x->epoch);
		body_of(s, x, &r->bodies[r->n_epochs]);
		r->epochs[r->n_epochs++] = x->epoch;
	}
	return all;
}

/* How old mail must be: of any age, when a third of the journal is left.
 * (With half of it left the next checkpoint is asked for, and may do.) */
static uint64_t
settle_age(struct spooler *s)
{
	unsigned segments, left;

	journal_counts(s->journal, &segments, &left);
	return left <= EC_MAX(segments / 3, 2u) ? 0 : s->set.settle_after_us;
}

static void
begin_round(struct spooler *s)
{
	struct settle_round *r = NULL;
	uint64_t now = spooler_now(s), age = settle_age(s);

	list_each(n, tmp, &s->settle_order) {
		struct txn *x = list_entry(n, struct txn, settle);

		/* A reload may have changed the wait: it counts for all. */
		if (r != NULL && r->full) {
			break;
		}
		if (x->settle_us + (x->settle_again ? 0 : age) > now) {
			if (x->settle_again) {
				continue;	/* not those behind it, too */
			}
			break;
		}
		if (r == NULL) {
			r = xcalloc(1, sizeof *r);
			r->s = s;
			r->job.run = round_run;
			r->job.done = round_done;
		}
		if (round_add(s, r, x)) {
			/* Out of the order while it is worked on; a failed
			 * round puts it back. */
			list_remove(n);
		}
	}
	if (r != NULL && r->n > 0) {
		s->settle->running = true;
		workq_submit(s->settle->thread, &r->job);
	} else {
		free(r);
	}
}

/* Transactions lie between what stays: free() alone keeps their pages. */
static void
rest(struct settle *t, uint64_t now)
{
	if (!t->running && t->n_freed >= REST_MESSAGES &&
	    now - t->ended_us > REST_US) {
		malloc_trim(0);
		t->n_freed = 0;
	}
}

static void
begin_if_due(struct spooler *s)
{
	struct settle *t = s->settle;

	if (!t->running && spooler_now(s) >= t->not_before_us &&
	    replay_is_read(s)) {
		begin_round(s);
	}
}

void
settle_tick(struct spooler *s)
{
	struct settle *t = s->settle;
	struct settle_round *r = t->waiting;

	t->waiting = NULL;	/* its end may bring us here again */
	if (r != NULL && !round_append(r)) {
		t->waiting = r;
	}
	begin_if_due(s);
	rest(t, spooler_now(s));
}

bool
settle_makes_room(struct spooler *s)
{
	const struct settle *t = s->settle;

	begin_if_due(s);
	return (t->running && t->waiting == NULL) || (t->ended_us != 0 &&
	    spooler_now(s) - t->ended_us < GOES_ON_US);
}

static void
removal_run(struct workq_job *job)
{
	struct removal *r = container_of(job, struct removal, job);
	struct store_dirty dirty = { { false } };
	bool any = false;

	r->ok = true;
	for (unsigned i = 0; i < r->n && r->ok; i++) {
		int n = (r->again[i] ? store_remove_again : store_remove)(
		    &r->s->store, r->ids[i], &dirty, &r->err);

		r->ok = n >= 0;
		if (r->s->settle->unsure) {
			dirty.dirs[msgid_dir(r->ids[i])] = true;
		}
		any = any || n > 0 || r->s->settle->unsure;
	}
	r->ok = r->ok && (!any || store_sync(&r->s->store, &dirty,
	    &r->err) == 0);
	r->s->settle->unsure |= !r->ok;
}

static void remove_one(struct spooler *s, msgid id, uint32_t done_epoch,
	bool again);

static void
removal_done(struct workq_job *job)
{
	static struct log_rate rate;
	struct removal *r = container_of(job, struct removal, job);
	struct spooler *s = r->s;

	s->settle->removing -= r->n;
	if (!r->ok) {
		/* The pins stay with the next try. */
		log_limited(&rate, EC_ERROR, "removing delivered mail: %s",
		    r->err.text);
	}
	for (unsigned i = 0; i < r->n; i++) {
		/* (One that came again meanwhile has files of its own.) */
		if (!r->ok && index_find(&s->index, r->ids[i]) == 0) {
			remove_one(s, r->ids[i], r->epochs[i], true);
		}
		journal_unpin(s->journal, r->epochs[i]);
	}
	free(r);
}

void
settle_flush(struct spooler *s)
{
	struct removal *r = s->settle->removal;

	if (r != NULL) {
		s->settle->removal = NULL;
		workq_submit(s->settle->thread, &r->job);
	}
}

static void
remove_one(struct spooler *s, msgid id, uint32_t done_epoch, bool again)
{
	struct removal *r = s->settle->removal;

	if (r == NULL) {
		r = s->settle->removal = xcalloc(1, sizeof *r);
		r->job.run = removal_run;
		r->job.done = removal_done;
		r->s = s;
	}
	journal_pin(s->journal, done_epoch);
	r->ids[r->n] = id;
	r->again[r->n] = again;
	r->epochs[r->n++] = done_epoch;
	s->settle->removing++;
	if (r->n == REMOVE_BATCH) {
		settle_flush(s);
	}
}

void
settle_remove(struct spooler *s, msgid id, uint32_t done_epoch)
{
	remove_one(s, id, done_epoch, false);
}

void
settle_remove_begun(struct spooler *s, msgid id, uint32_t epoch)
{
	remove_one(s, id, epoch, true);
}

void
settle_submit(struct spooler *s, struct workq_job *job)
{
	workq_submit(s->settle->thread, job);
}

struct sync_all {
	struct workq_job job;
	struct spooler *s;
	struct error err;
	bool ok;
};

static void
sync_all_run(struct workq_job *job)
{
	struct sync_all *a = container_of(job, struct sync_all, job);

	struct store_dirty dirty;

	memset(dirty.dirs, true, sizeof dirty.dirs);
	a->ok = store_sync(&a->s->store, &dirty, &a->err) == 0;
	a->s->settle->unsure |= !a->ok;
}

static void
sync_all_done(struct workq_job *job)
{
	struct sync_all *a = container_of(job, struct sync_all, job);

	if (!a->ok) {
		log_error("%s", a->err.text);
	}
	free(a);
}

void
settle_sync_all(struct spooler *s)
{
	struct sync_all *a = xcalloc(1, sizeof *a);

	a->s = s;
	a->job.run = sync_all_run;
	a->job.done = sync_all_done;
	workq_submit(s->settle->thread, &a->job);
}

size_t
settle_pending(const struct spooler *s)
{
	return s->settle->removing + s->settle->running;
}

/* Lowest best-effort priority for the disk: settling can wait, commits not. */
static void
low_priority(struct workq_job *job)
{
	syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
	(void)job;
}

static void
nothing(struct workq_job *job)
{
	free(job);
}

static void
on_next(void *arg)
{
	settle_tick(arg);
}

struct settle *
settle_create(struct spooler *s)
{
	struct settle *t = xcalloc(1, sizeof *t);
	struct workq_job *first = xcalloc(1, sizeof *first);

	t->thread = workq_create(s->loop, "settler", 1);
	loop_timer_init(&t->next, s->loop, on_next, s);
	first->run = low_priority;
	first->done = nothing;
	if (s->engine == &engine_hashed) {
		free(first);	/* clients wait for this thread */
	} else {
		workq_submit(t->thread, first);
	}
	return t;
}

void
settle_destroy(struct settle **tp)
{
	struct settle *t = *tp;

	if (t != NULL) {
		loop_timer_stop(&t->next);
		workq_destroy(&t->thread);
		free(t->removal);
		free(t);
	}
	*tp = NULL;
}
