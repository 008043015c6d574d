/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/script.h"

#include "common/base/log.h"
#include "spooler/replay.h"
#include "tests/crash/harm.h"

#define SECOND_US UINT64_C(1000000)
#define REPLAY_TURNS 3000u
#define DELIVER_TURNS 4000u
#define BURST_LETTERS 28u
#define BURST_BYTES 30000u	/* of one */
#define LOG_TURNS 20u		/* a second */
#define HELD_MAX 40u		/* the journal is small */

static uint64_t
below(uint64_t n)
{
	return world_random() % n;
}

static void
watch_segments(struct machine *m)
{
	const struct journal *j = m->w->s->journal;

	m->opened += journal_newest(j) != m->newest;
	m->newest = journal_newest(j);
	m->given_up += journal_oldest(j) != m->oldest && m->oldest != 0 &&
	    journal_checkpoint(j) != 0;
	m->oldest = journal_oldest(j);
}

static void
turn(struct machine *m)
{
	world_turn(m->w);
	if (m->w->bad_peers > 0) {
		ledger_fault(m->l, FAULT_CHANGED, "a peer was called bad: %s",
		    m->w->why);
		m->w->bad_peers = 0;
	}
	watch_segments(m);
	if (m->on_turn != NULL) {
		m->on_turn(m->arg);
	}
}

static void
turns(struct machine *m, unsigned n)
{
	while (n-- > 0) {
		turn(m);
	}
}

static bool
start(struct machine *m)
{
	bool deliver_all = m->peers.deliver_all;
	struct error err = { 0 };
	bool quick = m->w != NULL && m->w->quick;

	m->w = xcalloc(1, sizeof *m->w);
	m->w->quick = quick;
	m->w->fs = m->fs;
	m->peers.deliver_all = deliver_all;
	if (world_start(m->w, crashfs_path(m->disk), &err) < 0) {
		if (err.text[0] == '\0') {
			ledger_fault(m->l, FAULT_MUTE, "no start, no sentence");
		}
		snprintf(m->w->why, sizeof m->w->why, "%.120s", err.text);
		return false;
	}
	return true;
}

/* Steps. */

static void
step_store(struct machine *m)
{
	for (uint64_t n = 1 + below(3); n > 0; n--) {
		size_t size = below(4) == 0 ? 8000 + below(30000) :
		    64 + below(3000);

		peers_store(&m->peers, (unsigned)(1 + below(LEDGER_RCPTS)),
		    size);
		turns(m, (unsigned)below(3));
	}
}

static void
step_outcomes(struct machine *m)
{
	struct peers *p = &m->peers;

	for (unsigned i = 0; i < p->n_held; i++) {
		struct held *h = &p->held[i];
		char kinds[LEDGER_RCPTS];

		if (h->said || below(3) == 0) {
			continue;
		}
		for (unsigned k = 0; k < LEDGER_RCPTS; k++) {
			uint64_t x = below(10);

			kinds[k] = x < 6 ? 'D' : x < 9 ? 'T' : 'P';
		}
		peers_outcome(p, h, kinds);
	}
}

static void
step_turns(struct machine *m)
{
	turns(m, (unsigned)(1 + below(8)));
}

/* Mail settles; what is removed goes; whatever looks at the clock acts. */
static void
step_later(struct machine *m)
{
	world_pass(SECOND_US * (1 + below(3)));
	turns(m, (unsigned)(4 + below(12)));
}

static void
step_retries(struct machine *m)
{
	world_pass(SECOND_US * 30);
	turns(m, (unsigned)(2 + below(6)));
}

static void
step_log(struct machine *m)
{
	peers_log_ack(&m->peers);
	turn(m);
}

static const struct step {
	const char *name;
	unsigned weight;
	void (*run)(struct machine *m);
} steps[] = {
	{ "store", 5, step_store },
	{ "outcomes", 5, step_outcomes },
	{ "turns", 4, step_turns },
	{ "later", 3, step_later },
	{ "retries", 1, step_retries },
	{ "log", 3, step_log },
};

static void
one_step(struct machine *m)
{
	uint64_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		at += steps[i].weight;
	}
	at = below(at);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (at < steps[i].weight) {
			steps[i].run(m);
			return;
		}
		at -= steps[i].weight;
	}
}

static void
deliver_held(struct machine *m)
{
	for (unsigned i = 0; i < m->peers.n_held; i++) {
		if (!m->peers.held[i].said) {
			peers_outcome(&m->peers, &m->peers.held[i], "DDD");
		}
	}
	turns(m, 6);
}

/* Old mail settles and most of it leaves; then so much comes and goes that the
 * segment of those ends is given up, and nothing settles meanwhile: no other
 * sync makes durable what the removals' own did not. */
static void
burst(struct machine *m)
{
	world_pass(3 * SECOND_US);
	turns(m, 60);
	deliver_held(m);
	world_pass(SECOND_US / 3);
	turns(m, 40);
	for (unsigned i = 0; i < BURST_LETTERS; i++) {
		peers_store(&m->peers, 1, BURST_BYTES);
		turns(m, 4);
		deliver_held(m);
		if (i % 4 == 3) {
			peers_log_ack(&m->peers);
			world_pass(SECOND_US / 4);
			turns(m, 12);
		}
	}
	deliver_held(m);
}

/* The process alone dies: what it wrote and did not sync is still there.  A
 * supervisor tries more than once to have it back. */
static bool
restart(struct machine *m)
{
	for (unsigned i = 0; i < 3; i++) {
		world_leave(m->w);
		ledger_power_lost(m->l);
		if (start(m)) {
			peers_start(&m->peers, m->w, m->l);
			return true;
		}
	}
	return false;
}

/* Nothing settles before. */
static void
end_replay(struct machine *m)
{
	m->w->quick = true;
	for (unsigned n = 0; n < REPLAY_TURNS && !replay_is_over(m->w->s);
	    n++) {
		turn(m);
	}
	m->w->quick = false;
}

bool
script_run(struct machine *m)
{
	unsigned death = m->rounds * 2 / 3;

	if (!start(m)) {
		return false;
	}
	peers_start(&m->peers, m->w, m->l);
	end_replay(m);
	turns(m, 12);
	for (unsigned i = 0; i < m->rounds; i++) {
		if (m->peers.n_held > HELD_MAX) {
			step_outcomes(m);
		}
		one_step(m);
		if (i % (m->rounds / 3 + 1) == m->rounds / 4) {
			burst(m);
		}
		if (i == death && !restart(m)) {
			return false;
		}
		/* For a while mail comes and goes beside it. */
		if (i == death + m->rounds / 20) {
			end_replay(m);
		}
	}
	turns(m, 20);
	return true;
}

static bool
is_over(const struct machine *m)
{
	const struct spooler *s = m->w->s;

	return index_count(&s->index) == 0 && journal_is_idle(s->journal) &&
	    settle_pending(s) == 0 && world_is_quiet(m->w);
}

static void
deliver(struct machine *m)
{
	unsigned n = 0;

	m->peers.deliver_all = true;
	peers_start(&m->peers, m->w, m->l);
	turns(m, 10);
	if (!peers_store(&m->peers, 2, 3000)) {
		ledger_fault(m->l, FAULT_STUCK, "no lease after recovery");
	}
	turns(m, 10);
	/* What was deferred comes due; what is late settles meanwhile. */
	world_pass(100 * SECOND_US);
	while (n < 10 || (n < DELIVER_TURNS && !is_over(m))) {
		world_pass(SECOND_US / 20);
		turn(m);
		if (++n % LOG_TURNS == 0) {
			peers_log_ack(&m->peers);	/* or segments stay */
		}
	}
	if (!is_over(m)) {
		ledger_fault(m->l, FAULT_STUCK, "%u messages are queued (%u "
		    "active, %u delayed, %u in flight), %zu files are being "
		    "removed", index_count(&m->w->s->index),
		    m->w->s->queues.n_active, m->w->s->queues.n_delayed,
		    m->w->s->queues.n_flight, settle_pending(m->w->s));
	}
	turns(m, 3);
	peers_log_ack(&m->peers);
	turns(m, 2);
}

void
script_recover(struct machine *m)
{
	struct crashfs_image *end;
	unsigned n = 0, relied;
	msgid id;

	ledger_power_lost(m->l);
	world_power_lost();
	m->w = xcalloc(1, sizeof *m->w);
	m->w->quick = true;
	if (!start(m)) {
		ledger_fault(m->l, FAULT_REFUSED, "%s", m->w->why);
		return;
	}
	relied = journal_checkpoint(m->w->s->journal);
	while (n++ < REPLAY_TURNS && !replay_is_over(m->w->s)) {
		turn(m);
	}
	if (!replay_is_over(m->w->s)) {
		ledger_fault(m->l, FAULT_STUCK, "replay does not end");
		return;
	}
	if (relied > 0 && m->w->s->replay->damage && !m->l->harmed) {
		ledger_fault(m->l, FAULT_UNCOVERED, "segments were given up "
		    "for checkpoint %u", relied);
	}
	ledger_check_found(m->l, m->w->s);
	deliver(m);
	id = spooler_new_id(m->w->s);
	ledger_new_id(m->l, id);
	end = crashfs_image_make(m->disk, CRASHFS_KEEP, CRASHFS_KEEP, 0);
	ledger_check_over(m->l, crashfs_image_files(end, "??"),
	    crashfs_image_files(end, "quarantine") - (m->l->harmed ?
	    harm_put_away(m->disk) : 0));
	crashfs_image_free(&end);
}
