/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last run left, found again.
 *
 *	1  journal: segments oldest first; a reader checks each whole one, the
 *	   loop's thread applies its records a slice a turn
 *	2  store: the 256 directories; a .meta whose id neither lives in the
 *	   journal nor was ended there is settled mail
 *	3  messages of the journal enter the queues after 1 (an outcome may
 *	   stand in the last segment), those of the store as they are found
 *
 * New mail is accepted all the while.  Files of ids that the journal ends are
 * removed; files of ids that live in it are leftovers of an interrupted settle
 * and will be written again, or removed when the message leaves before that.
 *
 * What waits for 2 is only mail that stands nowhere but there.  No segment is
 * reused before the files of ids that it ended are gone for good (its `done` is
 * all that keeps them from coming back as mail): they are removed by name right
 * after 1.  A message that a deliverer holds, or held when it died, and that
 * the journal does not know is looked for by name as well.
 */
#include "spooler/replay.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/wire.h"

#define RECORDS_PER_TURN 4000u

static void next_segment(struct spooler *s);

/* Applies to the transaction and messages, not to queues: those come last. */
static void
on_message(struct spooler *s, const struct journal_record *rec)
{
	struct replay *p = s->replay;
	struct wire_r r = wire_reader(rec->payload);
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
	x = txn_create(&s->txns, &env, encoded, wire_left(&r));
	txn_in_journal(s, x, (uint32_t)(rec->lsn >> 32), rec->offset);
	for (uint32_t i = 0; i < env.n_rcpt; i++) {
		uint32_t slot = index_add(&s->index, env.rcpt[i].id);
		struct msg *m;

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
		journal_unpin(s->journal, x->epoch, PIN_RECORD);
		txn_put(&s->txns, x);
	} else {
		x->settle_us = spooler_now(s) + s->set.settle_after_us;
		list_push_back(&s->settle_order, &x->settle);
	}
	scratch_fini(&scratch);
}

void
replay_drop(struct spooler *s, uint32_t slot)
{
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = m->txn != 0 ? txn_at(&s->txns, m->txn) : NULL;

	if (m->state_epoch != 0) {
		journal_unpin(s->journal, m->state_epoch, PIN_STATE);
	}
	if (x != NULL) {
		if (--x->unsettled == 0) {
			journal_unpin(s->journal, x->epoch, PIN_RECORD);
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
		index_at(&s->replay->ended, slot)->state_epoch = done_epoch;
	}
}

/* State of a message that is known, or (settled, its record recycled) of one
 * whose files are still to be found: then it waits in the index for them. */
static struct msg *
state_of(struct spooler *s, msgid id, uint32_t epoch)
{
	uint32_t slot = index_find(&s->index, id);
	struct msg *m;

	if (slot == 0) {
		slot = index_add(&s->index, id);
		m = index_at(&s->index, slot);
		m->flags |= MSG_SETTLED;
	}
	m = index_at(&s->index, slot);
	settle_state_at(s, m, epoch);
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
		if (slot != 0) {
			replay_drop(s, slot);
		}
		/* Its files may still be there, and must not before this
		 * record may go. */
		replay_note_end(s, e.id, (uint32_t)(rec->lsn >> 32));
		return;
	}
	note_work(s, rec->payload);
	if (e.next_us == 0 || index_find(&s->replay->ended, e.id) != 0) {
		return;		/* an attempt that was also its end */
	}
	m = state_of(s, e.id, (uint32_t)(rec->lsn >> 32));
	m->attempts = (uint16_t)EC_MIN(e.attempts + 1u, UINT16_MAX);
	m->next_us = e.next_us;
	m->flags &= (uint8_t)~MSG_DOUBT;
}

static void
on_state(struct spooler *s, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	msgid id = wire_u64(&r);
	uint16_t attempts = wire_u16(&r), flags = wire_u16(&r);
	uint64_t next;
	struct msg *m;

	wire_u32(&r);
	next = wire_u64(&r);
	if (r.bad || index_find(&s->replay->ended, id) != 0) {
		return;
	}
	m = state_of(s, id, (uint32_t)(rec->lsn >> 32));
	m->attempts = attempts;
	m->next_us = next;
	m->flags = (uint8_t)((m->flags & ~MSG_DOUBT) | (flags & MSG_DOUBT));
}

static void
on_settled(struct spooler *s, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);

	while (wire_left(&r) >= 8) {
		uint32_t slot = index_find(&s->index, wire_u64(&r));
		struct msg *m;
		struct txn *x;

		if (slot == 0) {
			continue;
		}
		/* Its files speak for it now; what is known of its state
		 * stays. */
		m = index_at(&s->index, slot);
		if (m->txn == 0) {
			continue;
		}
		x = txn_at(&s->txns, m->txn);
		m->txn = 0;
		m->flags |= MSG_SETTLED;
		if (--x->unsettled == 0) {
			journal_unpin(s->journal, x->epoch, PIN_RECORD);
			x->epoch = 0;
		}
		x->refs--;
		txn_put(&s->txns, x);
	}
}

static void
apply(struct spooler *s, const struct journal_record *rec)
{
	s->replay->records++;
	if (rec->type == JOURNAL_MESSAGE) {
		on_message(s, rec);
	} else if (rec->type == JOURNAL_RETRY || rec->type == JOURNAL_DONE) {
		on_event(s, rec);
	} else if (rec->type == JOURNAL_SETTLED) {
		on_settled(s, rec);
	} else if (rec->type == JOURNAL_STATE) {
		on_state(s, rec);
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
		/* Never reused while it could not be read. */
		journal_pin(s->journal, r->old.epoch, PIN_RECORD);
		free(g);
		next_segment(s);
		return;
	}
	if (!r->copied) {
		log_critical("replay: no copy could be made (%s): the segment "
		    "is kept as it is", strerror(r->error));
		journal_pin(s->journal, r->old.epoch, PIN_RECORD);
	}
	replay_scan_again(r, &g->scan);
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
	if (g == NULL) {
		return;
	}
	if (apply_some(s)) {
		loop_again(s->loop);
		return;
	}
	journal_old_end(s->journal, g->read.old.epoch,
	    g->scan.next_index == 0 ? 0 :
	    journal_lsn(g->read.old.epoch, g->scan.next_index - 1));
	p->job = NULL;
	free(g);
	next_segment(s);
}

/* All segments are applied: what lives in the journal enters the queues. */
static void
enter_queues(struct spooler *s)
{
	uint32_t fresh = s->index.msgs.fresh;

	for (uint32_t slot = 1; slot < fresh; slot++) {
		struct msg *m = index_at(&s->index, slot);
		struct recipient t;
		struct queue *q;
		struct txn *x;

		if (m->id == MSGID_NONE || m->queue != 0 || m->txn == 0 ||
		    index_find(&s->index, m->id) != slot) {
			continue;
		}
		x = txn_at(&s->txns, m->txn);
		ec_assert(txn_recipient(x, m->rcpt_at, &t));
		q = spooler_queue(s, x->group, x->binding,
		    spooler_domain(t.addr));
		if (q == NULL) {
			s->unqueued = true;	/* intake_second() tries again */
			continue;
		}
		m->queue = q->number;
		held_place(s, slot);
	}
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
	p->phase = PHASE_STORE;
	enter_queues(s);
	handout_check_spoken(s);
	intake_retry(s);
	replay_store_start(s);
	outcome_retry_late(s);
	handout_orphans(s);
}

int
replay_start(struct spooler *s, struct error *err_out)
{
	struct replay *p = xcalloc(1, sizeof *p);
	struct journal_old old;

	(void)err_out;
	s->replay = p;
	index_init(&p->batches);
	index_init(&p->ended);
	index_init(&p->works);
	index_init(&p->looked);
	segment_image_init(&p->image);
	p->began_us = clock_mono_us();
	p->first_epoch = journal_newest(s->journal);
	p->reader = workq_create(s->loop, "replay", 2);
	while (journal_old(s->journal, p->n_segments, &old)) {
		p->n_segments++;
	}
	loop_on_turn_end(s->loop, &p->hook, on_turn_end, s);
	next_segment(s);
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

unsigned
replay_percent(const struct spooler *s)
{
	const struct replay *p = s->replay;

	if (p == NULL || p->phase != PHASE_JOURNAL) {
		return 100;
	}
	return p->n_segments == 0 ? 0 : p->segment * 99u / (p->n_segments + 1);
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
		index_fini(&p->batches);
		index_fini(&p->ended);
		index_fini(&p->works);
		index_fini(&p->looked);
		free(p);
	}
	*rp = NULL;
}
