/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last run left, found again.
 *
 *	1  checkpoint: what was settled as of a position L of the journal
 *	2  journal: segments oldest first; a reader checks each whole one, the
 *	   loop's thread applies its records a slice a turn.  What a record up to
 *	   L says of a message of the checkpoint is old news
 *	3  all messages enter their queues (not before: an outcome may stand in
 *	   the last segment)
 *	4  store: the 256 directories, by name alone; files of ids that the
 *	   journal ends are removed, files of ids that live in it are leftovers
 *	   of an interrupted settle: written again, or removed when the message
 *	   leaves before that.  Files that nobody knows go to quarantine
 *
 * Without a checkpoint of use, or with a damaged journal, files that nobody
 * knows are mail: 4 reads their .meta.
 *
 * New mail is accepted all the while.  What waits for 4 is only mail that stands
 * nowhere but there.  No segment is reused before the files of ids that it ended
 * are gone for good (its `done` is all that keeps them from coming back as
 * mail): they are removed by name at the beginning of 4.  A message that a
 * deliverer holds, or held when it died, and that nobody knows is looked for by
 * name as well.
 */
#include "spooler/replay.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/wire.h"

#define RECORDS_PER_TURN 4000u
#define ENTERED_PER_TURN 8192u

static void next_segment(struct spooler *s);
static bool has_ended(struct spooler *s, msgid id);

/* Applies to the transaction and messages, not to queues: those come last. */
static void
on_message(struct spooler *s, const struct journal_record *rec)
{
	struct replay *p = s->replay;
	struct wire_r r = wire_reader(rec->payload);
	bool large = rec->type == JOURNAL_LARGE;
	uint64_t size = large ? wire_u64(&r) : 0;
	struct slice encoded = wire_bytes(&r, wire_u32(&r));
	struct scratch scratch;
	struct envelope env;
	struct txn *x;

	scratch_init(&scratch, 1 << 20);
	if (r.bad || !envelope_decode(encoded, &scratch, &env)) {
		log_critical("replay: a message record at %llu of epoch %u has "
		    "a sound checksum and no sound envelope; left in place",
		    (unsigned long long)rec->offset,
		    (unsigned)(rec->lsn >> 32));
		scratch_fini(&scratch);
		return;
	}
	index_add(&p->batches, env.batch_id);
	x = txn_create(&s->txns, &env, encoded, large ? size : wire_left(&r));
	txn_in_journal(s, x, (uint32_t)(rec->lsn >> 32), rec->offset);
	for (uint32_t i = 0; i < env.n_rcpt; i++) {
		uint32_t slot = index_add(&s->index, env.rcpt[i].id);
		struct msg *m;

		has_ended(s, env.rcpt[i].id);	/* no more, if it was begun */
		if (slot == 0) {
			continue;	/* stored twice after a failed batch */
		}
		m = index_at(&s->index, slot);
		m->txn = x->slot;
		m->rcpt_at = (uint32_t)(env.rcpt[i].addr.ptr - encoded.ptr) -
		    11u;
		m->received_s = (uint32_t)(x->received_us / 1000000u);
		m->state = MSG_NEW;
		x->refs++;
		x->unsettled++;
		p->messages++;
	}
	if (x->refs == 0) {
		/* (A large one's file is that of the other record.) */
		journal_unpin(s->journal, x->epoch);
		txn_put(&s->txns, x);
	} else {
		x->large = large;
		x->settle_us = spooler_now(s);
		list_push_back(&s->settle_order, &x->settle);
	}
	scratch_fini(&scratch);
}

void
replay_drop(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = m->txn != 0 ? txn_at(&s->txns, m->txn) : NULL;

	if (x != NULL) {
		if (--x->unsettled == 0) {
			journal_unpin(s->journal, x->epoch);
			x->epoch = 0;
		}
		x->refs--;
		txn_put(&s->txns, x);
	}
	index_remove(&s->index, slot);
}

bool
replay_has_work(const struct spooler *s, uint64_t number)
{
	return s->replay != NULL && number != 0 &&
	    index_find(&s->replay->works, number) != 0;
}

void
replay_note_end(struct spooler *s, msgid id, uint32_t done_epoch)
{
	uint32_t slot = replay_is_over(s) ? 0 :
	    index_add(&s->replay->ended, id);

	if (slot != 0) {
		index_at(&s->replay->ended, slot)->due = done_epoch;
	}
}

/* A settled message that the checkpoint knows. */
static bool
is_of_checkpoint(const struct msg *m)
{
	return (m->flags & MSG_SETTLED) != 0 && m->txn == 0 && m->queue != 0;
}

/* Its reception is for the log; here it says that a STORE was taken. */
static void
on_received(struct spooler *s, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	struct slice encoded = wire_bytes(&r, wire_u32(&r));
	struct scratch scratch;
	struct envelope env;
	uint32_t flags;

	wire_u64(&r);
	flags = wire_u32(&r);
	scratch_init(&scratch, 1 << 20);
	if (!r.bad && envelope_decode(encoded, &scratch, &env)) {
		index_add((flags & RECEIVED_UNSPOOLED) != 0 ?
		    &s->replay->received : &s->replay->batches, env.batch_id);
	}
	scratch_fini(&scratch);
}

/* Files of these may be there in any state: they go, unless what follows says
 * that they are whole. */
static void
on_begun(struct spooler *s, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);

	while (wire_left(&r) > 0) {
		uint32_t slot = index_add(&s->replay->ended, wire_u64(&r));

		if (slot != 0) {
			struct msg *e = index_at(&s->replay->ended, slot);

			e->due = (uint32_t)(rec->lsn >> 32);
			e->flags = ENDED_BEGUN;
		}
	}
}

/* True if it has come to its end for good. */
static bool
has_ended(struct spooler *s, msgid id)
{
	struct index *ended = &s->replay->ended;
	uint32_t slot = index_find(ended, id);

	if (slot != 0 && index_at(ended, slot)->flags == ENDED_BEGUN) {
		index_remove(ended, slot);
		slot = 0;
	}
	return slot != 0;
}

/* State of a message that is known, or (its own record recycled) of one whose
 * SETTLED record or files are still to be found: then it waits in the index for
 * them.  NULL when the checkpoint says something newer. */
static struct msg *
state_of(struct spooler *s, msgid id, uint64_t lsn)
{
	uint32_t slot = index_find(&s->index, id);
	struct msg *m;

	if (slot == 0 || index_at(&s->index, slot)->txn == 0) {
		s->replay->job->of_settled = true;
	}
	if (slot == 0) {
		slot = index_add(&s->index, id);
		m = index_at(&s->index, slot);
		index_set_settled(&s->index, m);
		return m;
	}
	m = index_at(&s->index, slot);
	if (is_of_checkpoint(m)) {
		if (lsn <= s->replay->lsn) {
			return NULL;
		}
		checkpoint_note(s, m, (uint32_t)(lsn >> 32));
	}
	return m;
}

/* Behind the event stands the work whose outcome it was. */
static void
note_work(struct spooler *s, struct slice payload)
{
	uint64_t number;

	memcpy(&number, payload.ptr + payload.len - sizeof number,
	    sizeof number);
	if (number != 0) {
		index_add(&s->replay->works, number);
	}
}

static void
on_event(struct spooler *s, const struct journal_record *rec)
{
	struct event e;
	struct msg *m;
	uint32_t slot;

	if (!event_decode(rec->payload, &e)) {
		return;
	}
	if (rec->type == JOURNAL_DONE) {
		slot = index_find(&s->index, e.id);
		if (slot == 0 && (e.flags & EVENT_UNSPOOLED) != 0) {
			return;		/* nothing of it was ever here */
		}
		if (slot == 0 || index_at(&s->index, slot)->txn == 0) {
			s->replay->job->of_settled = true;
			checkpoint_note_gone(s, e.id);
		}
		if (slot != 0) {
			replay_drop(s, slot);
		}
		/* Its files may still be there, and must not before this
		 * record may go. */
		replay_note_end(s, e.id, (uint32_t)(rec->lsn >> 32));
		return;
	}
	note_work(s, rec->payload);
	if (e.next_us == 0 || (e.flags & EVENT_UNSPOOLED) != 0 || index_find(&s->replay->ended, e.id) != 0) {
		return;		/* an attempt that was also its end */
	}
	m = state_of(s, e.id, rec->lsn);
	if (m == NULL) {
		return;
	}
	m->attempts = (uint16_t)EC_MIN(e.attempts + 1u, UINT16_MAX);
	m->next_us = e.next_us;
	m->flags &= (uint8_t)~MSG_DOUBT;
	m->deaths = 0;
}

static void
on_state(struct spooler *s, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	msgid id = wire_u64(&r);
	uint16_t attempts = wire_u16(&r), flags = wire_u16(&r);
	uint32_t deaths = wire_u32(&r);
	uint64_t next;
	struct msg *m;

	next = wire_u64(&r);
	if (r.bad || index_find(&s->replay->ended, id) != 0) {
		return;
	}
	m = state_of(s, id, rec->lsn);
	if (m == NULL) {
		return;
	}
	m->attempts = attempts;
	m->next_us = next;
	m->flags = (uint8_t)((m->flags & ~MSG_DOUBT) | (flags & MSG_DOUBT));
	m->deaths = (uint8_t)EC_MIN(deaths, MSG_DEATHS_MAX) & MSG_DEATHS_MAX;
}

/* Its files speak for it now: no record of the journal is needed. */
static void
leave_journal(struct spooler *s, struct msg *m)
{
	struct txn *x = txn_at(&s->txns, m->txn);

	m->txn = 0;
	if (--x->unsettled == 0) {
		journal_unpin(s->journal, x->epoch);
		x->epoch = 0;
	}
	x->refs--;
	txn_put(&s->txns, x);
}

void
replay_settled(struct spooler *s, const struct checkpoint_item *i,
    uint32_t queue, uint64_t lsn)
{
	uint32_t slot = index_find(&s->index, i->id);
	struct msg *m;

	if (has_ended(s, i->id)) {
		return;
	}
	if (slot == 0) {
		m = index_at(&s->index, index_add(&s->index, i->id));
		m->attempts = i->attempts;
		m->next_us = i->next_us;
		m->flags = i->doubt ? MSG_DOUBT : 0;
		m->deaths = i->deaths & MSG_DEATHS_MAX;
	} else {
		/* What is known of its state stays: it is newer. */
		m = index_at(&s->index, slot);
		if (is_of_checkpoint(m)) {
			return;
		}
		if (m->txn != 0) {
			leave_journal(s, m);
		}
	}
	index_set_settled(&s->index, m);
	m->received_s = i->received_s;
	m->queue = queue;
	checkpoint_note(s, m, (uint32_t)(lsn >> 32));
	s->replay->settled_found++;
}

static void
on_settled(struct spooler *s, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	struct checkpoint_item i;
	struct queue *q = NULL;

	s->replay->job->of_settled = true;
	while (checkpoint_next(&r, &i)) {
		if (i.op == CHECKPOINT_QUEUE) {
			q = spooler_queue(s, i.group, i.binding, i.domain);
			if (q == NULL) {
				replay_no_queue();
			}
		} else if (i.op == CHECKPOINT_PUT && q != NULL) {
			replay_settled(s, &i, q->number, rec->lsn);
		}
	}
}

/* What replay can make nothing of but a crash: people may. */
static void
leave_out(struct spooler *s, const struct journal_record *rec)
{
	struct replay *p = s->replay;
	char what[200];

	snprintf(what, sizeof what, "the spooler ended %u times in a row while "
	    "it read this record (epoch %u, index %u, type %u; doc/SPOOL.md)\n",
	    GUARD_DEATHS, (unsigned)(rec->lsn >> 32), (unsigned)rec->lsn,
	    (unsigned)rec->type);
	if (replay_scan_keep_record(s->fs, s->store.base, rec->lsn,
	    rec->payload, slice_of(what)) < 0) {
		/* Never reused while there is no copy. */
		log_critical("replay: a record that ends the spooler cannot be "
		    "copied to quarantine: %s", strerror(errno));
		journal_pin(s->journal, (uint32_t)(rec->lsn >> 32));
	} else {
		replay_guard_skip(&p->guard, rec->lsn);
	}
	p->damage = p->journal_damage = true;
}

static void
apply(struct spooler *s, const struct journal_record *rec)
{
	s->replay->records++;
	switch (replay_guard_record(&s->replay->guard, rec->lsn)) {
	case GUARD_APPLY:
		break;
	case GUARD_POISON:
		leave_out(s, rec);
		return;
	case GUARD_SKIP:
		s->replay->damage = s->replay->journal_damage = true;
		return;
	}
	if (rec->type == JOURNAL_MESSAGE || rec->type == JOURNAL_LARGE) {
		on_message(s, rec);
	} else if (rec->type == JOURNAL_RETRY || rec->type == JOURNAL_DONE) {
		on_event(s, rec);
	} else if (rec->type == JOURNAL_SETTLED) {
		on_settled(s, rec);
	} else if (rec->type == JOURNAL_STATE) {
		on_state(s, rec);
	} else if (rec->type == JOURNAL_RECEIVED) {
		on_received(s, rec);
	} else if (rec->type == JOURNAL_BEGUN) {
		on_begun(s, rec);
	} else {
		log_error("replay: record type %u is not known; ignored",
		    (unsigned)rec->type);
	}
}

static void
segment_run(struct workq_job *job)
{
	struct segment_job *g = container_of(job, struct segment_job, job);

	replay_scan_run(&g->read);
}

static void
segment_done(struct workq_job *job)
{
	struct segment_job *g = container_of(job, struct segment_job, job);
	struct replay_scan *r = &g->read;
	struct spooler *s = g->s;

	if (r->failed) {
		log_critical("replay: journal epoch %u cannot be read: %s; its "
		    "mail is not delivered until this is mended and ecelerity "
		    "restarted", r->old.epoch, strerror(r->error));
		s->replay->damage = true;
		s->replay->unread = true;
		/* Never reused while it could not be read. */
		journal_pin(s->journal, r->old.epoch);
		free(g);
		next_segment(s);
		return;
	}
	if (!r->copied) {
		log_critical("replay: no copy could be made (%s): the segment "
		    "is kept as it is", strerror(r->error));
		journal_pin(s->journal, r->old.epoch);
	}
	s->replay->damage = s->replay->damage || r->damaged_bytes > 0;
	s->replay->journal_damage = s->replay->journal_damage ||
	    r->damaged_bytes > 0;
	replay_scan_again(r, &g->scan);
	replay_guard_segment(&s->replay->guard, r->old.epoch);
	s->replay->job = g;
	s->replay->in_batch = false;
	loop_again(s->loop);
}

/* Up to RECORDS_PER_TURN records; true while the segment has more. */
static bool
apply_some(struct spooler *s)
{
	struct replay *p = s->replay;
	struct segment_job *g = p->job;
	struct journal_record rec;

	for (unsigned i = 0; i < RECORDS_PER_TURN; i++) {
		if (p->in_batch && journal_scan_record(&g->scan, &p->pos,
		    &p->n, &rec)) {
			apply(s, &rec);
			continue;
		}
		p->in_batch = false;
		for (;;) {
			enum journal_scan_result got =
			    journal_scan_next(&g->scan);

			if (got == SCAN_END) {
				return false;
			}
			if (got == SCAN_BATCH) {
				break;
			}
		}
		p->in_batch = true;
		p->pos = p->n = 0;
	}
	return true;
}

/* A message that the journal or the checkpoint has enters its queue. */
static void
enter(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct recipient t;
	struct queue *q;
	struct txn *x;

	if (!index_is_live(&s->index, slot) || m->state != MSG_NEW) {
		return;
	}
	if (m->queue == 0 && m->txn != 0) {
		x = txn_at(&s->txns, m->txn);
		ec_assert(txn_recipient(x, m->rcpt_at, &t));
		q = spooler_queue(s, x->group, x->binding,
		    spooler_domain(t.addr));
		if (q == NULL) {
			s->unqueued = true;	/* intake_second() tries again */
			return;
		}
		m->queue = q->number;
		held_place(s, slot);
	} else if (is_of_checkpoint(m)) {
		held_place(s, slot);
	}
}

/* All segments are applied: what they and the checkpoint know enters the
 * queues, a slice a turn.  True while there is more. */
static bool
enter_some(struct spooler *s)
{
	struct replay *p = s->replay;

	for (unsigned i = 0; i < ENTERED_PER_TURN; i++) {
		if (p->entered == p->n_enter) {
			return false;
		}
		enter(s, p->entered++);
	}
	return true;
}

static void
on_turn_end(void *arg)
{
	struct spooler *s = arg;
	struct replay *p = s->replay;
	struct segment_job *g = p->job;

	if (p->phase == PHASE_STORE && !p->swept) {
		replay_sweep(s);
		return;
	}
	if (p->phase == PHASE_ENTER) {
		if (enter_some(s)) {
			loop_again(s->loop);
			return;
		}
		p->phase = PHASE_STORE;
		s->queues.entering = false;
		handout_check_spoken(s);
		intake_retry(s);
		log_notice("replay: %u messages are back in their queues after "
		    "%llu ms", index_count(&s->index), (unsigned long long)
		    (spooler_now(s) - p->began_us) / 1000u);
		replay_store_start(s);
		outcome_retry_late(s);
		handout_orphans(s);
		return;
	}
	if (g == NULL) {
		return;
	}
	if (apply_some(s)) {
		loop_again(s->loop);
		return;
	}
	journal_old_end(s->journal, g->read.old.epoch,
	    g->scan.next_index == 0 ? 0 :
	    journal_lsn(g->read.old.epoch, g->scan.next_index - 1),
	    g->of_settled);
	p->job = NULL;
	free(g);
	next_segment(s);
}

static void
next_segment(struct spooler *s)
{
	struct replay *p = s->replay;
	struct segment_job *g = xcalloc(1, sizeof *g);

	if (journal_old(s->journal, p->segment, &g->read.old)) {
		p->segment++;
		g->s = s;
		g->read.fs = s->fs;
		g->read.base = s->store.base;
		g->read.fd = journal_segment_fd(s->journal, g->read.old.epoch);
		g->read.image = &p->image;
		g->job.run = segment_run;
		g->job.done = segment_done;
		workq_submit(p->reader, &g->job);
		return;
	}
	free(g);
	segment_image_fini(&p->image);
	replay_guard_close(&p->guard);
	p->phase = PHASE_ENTER;
	p->entered = 1;
	p->n_enter = s->index.msgs.fresh;
	loop_again(s->loop);
}

void
replay_journal_start(struct spooler *s)
{
	s->replay->phase = PHASE_JOURNAL;
	replay_guard_open(&s->replay->guard, s->fs, s->journal_dir);
	s->replay->journal_damage = journal_is_damaged(s->journal);
	s->replay->damage = s->replay->damage || s->replay->journal_damage;
	next_segment(s);
}

int
replay_start(struct spooler *s, struct error *err_out)
{
	struct replay *p = xcalloc(1, sizeof *p);
	struct journal_old old;

	(void)err_out;
	s->replay = p;
	s->queues.entering = true;
	index_init(&p->batches);
	index_init(&p->received);
	index_init(&p->ended);
	index_init(&p->works);
	index_init(&p->looked);
	segment_image_init(&p->image);
	p->began_us = clock_mono_us();
	p->reader = workq_create(s->loop, "replay", 2);
	while (journal_old(s->journal, p->n_segments, &old)) {
		p->n_segments++;
		p->first_epoch = old.epoch + 1;
	}
	loop_on_turn_end(s->loop, &p->hook, on_turn_end, s);
	replay_checkpoint_start(s);
	return 0;
}

bool
replay_may_find(const struct spooler *s, const struct txn *x)
{
	return !replay_is_over(s) && (x == NULL || x->epoch == 0 ||
	    x->epoch < s->replay->first_epoch);
}

bool
replay_has_batch(const struct spooler *s, msgid batch)
{
	return s->replay != NULL && index_find(&s->replay->batches, batch) != 0;
}

bool
replay_has_received(const struct spooler *s, msgid batch)
{
	return s->replay != NULL &&
	    index_find(&s->replay->received, batch) != 0;
}

bool
replay_is_read(const struct spooler *s)
{
	return s->replay == NULL || s->replay->phase >= PHASE_STORE;
}

/* Checkpoint, journal and entering the queues count for a fifth each; the
 * store for the rest, when it is read because it alone knows of mail. */
unsigned
replay_percent(const struct spooler *s)
{
	const struct replay *p = s->replay;

	if (p == NULL) {
		return 100;
	}
	switch (p->phase) {
	case PHASE_CHECKPOINT:
		return (unsigned)(p->loaded * 20u / (p->to_load + 1));
	case PHASE_JOURNAL:
		return 20u + p->segment * 20u / (p->n_segments + 1);
	case PHASE_ENTER:
		return 40u + (unsigned)((uint64_t)p->entered * 20u /
		    (p->n_enter + 1));
	case PHASE_STORE:
		return p->damage ? 60u + p->dirs_done * 40u / 257u : 100u;
	case PHASE_DONE:
		break;
	}
	return 100;
}

bool
replay_is_swept(const struct spooler *s)
{
	return s->replay == NULL || s->replay->swept;
}

bool
replay_is_complete(const struct spooler *s)
{
	return replay_is_over(s) || (s->replay->phase == PHASE_STORE &&
	    !s->replay->damage);
}

bool
replay_is_over(const struct spooler *s)
{
	return s->replay == NULL || (s->replay->phase == PHASE_DONE);
}

uint64_t
replay_age_us(const struct spooler *s)
{
	return replay_is_over(s) && s->replay != NULL ?
	    loop_now_us(s->loop) - s->replay->done_us : 0;
}

void
replay_destroy(struct replay **rp)
{
	struct replay *p = *rp;

	if (p != NULL) {
		if (p->phase != PHASE_DONE) {
			loop_hook_stop(&p->hook);
		}
		workq_destroy(&p->reader);
		segment_image_fini(&p->image);
		replay_guard_fini(&p->guard);
		index_fini(&p->batches);
		index_fini(&p->received);
		index_fini(&p->ended);
		index_fini(&p->works);
		index_fini(&p->looked);
		free(p);
	}
	*rp = NULL;
}
