/* SPDX-License-Identifier: Apache-2.0 */
/* The spooler from start to end. */
#include "spooler/life.h"

#include <fcntl.h>
#include <sys/file.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/mail/date.h"
#include "spooler/engine.h"
#include "spooler/suspects.h"

#define SECOND_US 1000000u
/* The three tries of a start come to the 30 s in which workers leave. */
#define LOCK_WAIT_US (11u * SECOND_US)
#define ROOM_WAIT_US (10u * SECOND_US)	/* with Store_Timeout = 0 */
#define QUEUE_IDLE_US (60u * SECOND_US)
#define BATCHES_KEPT_US (120u * SECOND_US)
#define OWN_ARENA (256u << 20)

msgid
spooler_new_id(struct spooler *s)
{
	uint32_t now = (uint32_t)(clock_wall_us() / SECOND_US), first, last;
	msgid id = id_source_next(&s->ids, now);
	uint16_t allocator;
	struct error err;

	if (id == MSGID_NONE) {
		if (lease_take(&s->lease, now, &allocator, &first, &last,
		    &err) < 0) {
			log_error("no id for mail of our own: %s", err.text);
			return MSGID_NONE;
		}
		id_source_lease(&s->ids, allocator, first, last);
		id = id_source_next(&s->ids, now);
	}
	return id;
}

struct slice
spooler_domain(struct slice addr)
{
	ssize_t at = slice_rfind(addr, '@');

	return at < 0 || (size_t)at + 1 == addr.len ? SLICE("localhost") :
	    slice_skip(addr, (size_t)at + 1);
}

struct config_where
spooler_where(const struct queue *q)
{
	return (struct config_where){ .binding_group = q->group,
		.binding = q->binding, .domain = q->domain };
}

static void
on_note(void *arg, const struct journal_note *n)
{
	struct spooler *s = arg;

	if (n->ok) {
		logfeed_durable(s, n);
	}
	if (n->what == NOTE_STORE) {
		intake_stored(s, n);
	} else if (n->what == NOTE_DSN) {
		struct txn *x = txn_at(&s->txns, n->a);

		txn_in_journal(s, x, n->epoch, n->offset);
		intake_admit(s, x, n->lsn);
	} else if (n->what == NOTE_OUTCOME || n->what == NOTE_RETRY ||
	    n->what == NOTE_PASSED) {
		outcome_durable(s, n);
	} else if (n->what == NOTE_SETTLED) {
		settle_durable(s, n);
	} else if (n->what == NOTE_BEGUN) {
		hashed_begun(s, n);
	} else if (n->what == NOTE_HASHED) {
		hashed_durable(s, n);
	} else if (n->what == NOTE_SPILLED) {
		memory_spilled(s, n);
	} else if (n->what == NOTE_STATE) {
		settle_state_durable(s, n);
	}
}

static void
on_batch(void *arg, bool ok, uint64_t took_us)
{
	struct spooler *s = arg;

	if (ok) {
		spooler_score(s, SCORE_S_COMMITS, 1);
		spooler_score(s, SCORE_S_COMMIT_US, took_us);
		settle_commit_took(s, took_us);
	}
	outcome_retry_late(s);
	engine_room(s);
	intake_retry(s);
}

static void
on_room(void *arg)
{
	struct spooler *s = arg;

	outcome_retry_late(s);
	engine_room(s);
	intake_retry(s);
}

static void
on_cover(void *arg)
{
	checkpoint_want(arg);
}

static void
wheel_set(struct spooler *s)
{
	uint64_t us = queues_next_us(&s->queues, spooler_now(s));

	if (us != UINT64_MAX && !loop_timer_is_set(&s->wheel)) {
		loop_timer_set(&s->wheel, us);
	}
}

static void
on_wheel(void *arg)
{
	struct spooler *s = arg;

	queues_due(&s->queues, loop_refresh_us(s->loop), outcome_due, s);
}

static struct ipc_link *
listener_link(void *arg, unsigned index, uint32_t incarnation)
{
	struct spooler *s = arg;
	struct listener_peer *p = &s->listeners[index];

	return p->link != NULL && p->incarnation == incarnation ? p->link :
	    NULL;
}

static void
on_turn_end(void *arg)
{
	struct spooler *s = arg;

	handout_run(s);
	slabs_flush(&s->slabs, listener_link, s);
	if (s->log != NULL) {
		logfeed_run(s);
	}
	wheel_set(s);
}

static void
publish(struct spooler *s)
{
	struct score_slot *b = worker_score(s->w);
	unsigned segments, segments_free;

	journal_counts(s->journal, &segments, &segments_free);
	score_set(b, SCORE_S_QUEUED, index_count(&s->index));
	score_set(b, SCORE_S_ACTIVE, s->queues.n_active);
	score_set(b, SCORE_S_DELAYED, s->queues.n_delayed);
	score_set(b, SCORE_S_IN_FLIGHT, s->queues.n_flight);
	score_set(b, SCORE_S_SUSPENDED, s->queues.n_suspended);
	score_set(b, SCORE_S_SETTLED, s->index.n_settled);
	score_set(b, SCORE_S_DOMAINS, HASH_COUNT(s->queues.by_key));
	score_set(b, SCORE_S_SEGMENTS, segments);
	score_set(b, SCORE_S_SEGMENTS_FREE, segments_free);
	score_set(b, SCORE_S_REPLAY_PERCENT, replay_percent(s));
	score_set(b, SCORE_S_LOG_LAG, logfeed_lag(s));
}

/* After every listener that runs has sent again what was unanswered, what
 * replay saw is not asked for any more. */
static bool
listeners_spoke(struct spooler *s)
{
	struct scoreboard *b = worker_scoreboard(s->w);
	unsigned n = atomic_load(&b->n_workers[ROLE_LISTENER]);

	for (unsigned i = 0; i < n && i < SPOOLER_LISTENERS; i++) {
		if (!s->listeners[i].said_end &&
		    atomic_load(&b->process[ROLE_LISTENER][i].pid) != 0) {
			return false;
		}
	}
	return true;
}

static void check_drained(struct spooler *s);

static void
on_second(void *arg)
{
	struct spooler *s = arg;

	loop_timer_set(&s->second, SECOND_US / 4);
	publish(s);
	handout_check_spoken(s);
	handout_orphans(s);
	handout_expire(s);
	intake_second(s);
	engine_room(s);
	settle_tick(s);
	settle_flush(s);
	checkpoint_tick(s);
	import_tick(s);
	poison_tick(s);
	journal_poke(s->journal);
	check_drained(s);
	outcome_retry_late(s);
	queues_sweep(&s->queues, spooler_now(s), QUEUE_IDLE_US,
	    handout_forget_queue, s);
	if (s->replay != NULL && replay_is_over(s) &&
	    list_is_empty(&s->late_stores) && s->started_handout &&
	    list_is_empty(&s->late_outcomes) && (listeners_spoke(s) ||
	    replay_age_us(s) > BATCHES_KEPT_US)) {
		index_fini(&s->held);
		index_init(&s->held);
		replay_destroy(&s->replay);
	}
}

static void
read_settings(struct spooler *s)
{
	const struct config *c = worker_config(s->w);
	struct queue *q, *tmp;

	s->set.settle_after_us = config_us(c, NULL, OPT_SETTLE_AFTER);
	s->set.checkpoint_us = config_us(c, NULL, OPT_CHECKPOINT_INTERVAL);
	s->set.room_wait_us = config_us(c, NULL, OPT_STORE_TIMEOUT) / 3;
	if (s->set.room_wait_us == 0) {
		s->set.room_wait_us = ROOM_WAIT_US;
	}
	s->set.arena_bytes = config_size(c, NULL, OPT_ARENA_SIZE);
	s->set.large_bytes = config_size(c, NULL, OPT_LARGE_MESSAGE_THRESHOLD);
	s->set.hostname = config_string(c, NULL, OPT_HOSTNAME);
	if (s->set.hostname.len == 0) {
		static char name[256];

		if (name[0] == '\0' && gethostname(name, sizeof name - 1) < 0) {
			snprintf(name, sizeof name, "localhost");
		}
		s->set.hostname = slice_of(name);
	}
	s->set.mailer_daemon = config_string(c, NULL, OPT_MAILERDAEMON);
	s->set.max_batch = (uint32_t)EC_MIN(EC_MAX(config_int(c, NULL,
	    OPT_MAX_RECIPIENTS_PER_BATCH), 1), (int64_t)STAGE_RCPTS);
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		queue_set_suspended(&s->queues, q, spooler_is_suspended(s, q));
		handout_wake(s, q);
	}
}

bool
spooler_is_suspended(struct spooler *s, const struct queue *q)
{
	struct config_where w = spooler_where(q);

	return config_bool(worker_config(s->w), &w, OPT_SUSPEND_DELIVERY);
}

struct queue *
spooler_queue(struct spooler *s, struct slice group, struct slice binding,
    struct slice domain)
{
	struct queue *q = queue_get(&s->queues, group, binding, domain);

	if (q != NULL && !q->asked) {
		q->asked = true;
		queue_set_suspended(&s->queues, q, spooler_is_suspended(s, q));
	}
	return q;
}

/* One that leaves writes what gathered first: it is waited for. */
static bool
wait_lock(struct spooler *s, int fd)
{
	uint64_t began = clock_mono_us(), took;
	bool said = false;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		took = clock_mono_us() - began;
		if (errno != EWOULDBLOCK && errno != EINTR) {
			return false;
		}
		if (took >= LOCK_WAIT_US) {
			return false;
		}
		if (took >= SECOND_US && !said) {
			log_warning("SpoolBase %s is in use by another spooler: "
			    "waiting up to %u s for it to leave", s->base,
			    LOCK_WAIT_US / SECOND_US);
			said = true;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	return true;
}

static int
lock_base(struct spooler *s, struct error *err_out)
{
	int fd = openat(s->journal_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC,
	    0640);

	if (fd < 0) {
		return error_sys(err_out, "cannot open the lock in SpoolBase "
		    "%s", s->base);
	}
	if (!wait_lock(s, fd)) {
		close(fd);
		return error_set(err_out, ERROR_SYSTEM, "SpoolBase %s is in "
		    "use by another spooler: stop that one first, or give this "
		    "one a SpoolBase of its own", s->base);
	}
	return 0;	/* held until the process ends */
}

/* Says what would be right when the directory cannot be used. */
static int
check_base(struct spooler *s, struct error *err_out)
{
	struct stat st;

	if (stat(s->base, &st) < 0) {
		return error_sys(err_out, "SpoolBase %s", s->base);
	}
	if (!S_ISDIR(st.st_mode)) {
		return error_set(err_out, ERROR_CONFIG, "SpoolBase %s is not a "
		    "directory: move that file away or set SpoolBase to "
		    "another path", s->base);
	}
	if (access(s->base, R_OK | W_OK | X_OK) < 0) {
		return error_set(err_out, ERROR_CONFIG, "SpoolBase %s belongs "
		    "to uid %u and cannot be written by uid %u: chown -R %u:%u "
		    "%s", s->base, (unsigned)st.st_uid, (unsigned)geteuid(),
		    (unsigned)geteuid(), (unsigned)getegid(), s->base);
	}
	return 0;
}

static int
open_spool(struct spooler *s, struct error *err_out)
{
	const struct config *c = worker_config(s->w);
	struct journal_hooks hooks = { .done = on_note, .batch_done = on_batch,
		.room = on_room, .cover = on_cover, .arg = s };

	slice_copy(s->base, sizeof s->base, config_string(c, NULL,
	    OPT_SPOOLBASE));
	if (s->limits.total_bytes == 0) {
		s->limits.total_bytes = config_size(c, NULL, OPT_JOURNAL_SIZE);
	}
	if (check_base(s, err_out) < 0 || store_open(&s->store, s->fs, s->base,
	    (mode_t)config_int(c, NULL, OPT_SPOOL_MODE), err_out) < 0) {
		return -1;
	}
	s->journal_dir = s->fs->open_at(s->store.base, "journal",
	    O_RDONLY | O_DIRECTORY, 0);
	if (s->journal_dir < 0) {
		return error_sys(err_out, "cannot open %s/journal", s->base);
	}
	if (lock_base(s, err_out) < 0 || lease_open(&s->lease, s->fs,
	    s->journal_dir, (uint32_t)(clock_wall_us() / SECOND_US),
	    err_out) < 0) {
		return -1;
	}
	s->journal = journal_open(s->loop, s->fs, s->journal_dir, &s->limits,
	    &hooks, err_out);
	return s->journal == NULL ? -1 : 0;
}

/* Above all that the stages speak of: a number used again after the clock was
 * set back could be taken for delivered by what stands there. */
static uint64_t
first_work(const struct stage_table *t)
{
	uint64_t now = clock_wall_us() / 16, n = now;

	for (unsigned d = 0; d < BUDGET_DELIVERERS; d++) {
		for (unsigned i = 0; i < STAGE_SLOTS; i++) {
			uint64_t at = EC_MAX(atomic_load(&t->slot[d][i].word) >>
			    (3 + WORK_SLOT_BITS), stage_work(t, d, i) >>
			    WORK_SLOT_BITS);

			/* Decades ahead is no clock, but a liar's. */
			n = at < now * 2 ? EC_MAX(n, at + 1) : n;
		}
	}
	return n;
}

int
life_start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	struct spooler *s = worker_ctx(w);
	uint64_t now = clock_mono_us();

	*exit_code_out = 73;	/* EX_CANTCREAT */
	s->w = w;
	s->loop = worker_loop(w);
	if (s->fs == NULL) {
		s->fs = &fs_real;
	}
	s->started_us = now;
	s->next_work = first_work(worker_stages(w));
	list_init(&s->runnable);
	list_init(&s->load_wait);
	list_init(&s->to_tell);
	list_init(&s->settle_order);
	list_init(&s->late_stores);
	list_init(&s->late_outcomes);
	list_init(&s->late_accepted);
	list_init(&s->answered);
	list_init(&s->orphans);
	for (unsigned d = 0; d < SPOOLER_DELIVERERS; d++) {
		list_init(&s->deliverers[d].works);
	}
	index_init(&s->index);
	index_init(&s->held);
	slabs_init(&s->slabs, OWN_ARENA, worker_incarnation(w),
	    handout_slab_gone, s);
	txns_init(&s->txns, &s->slabs);
	queues_init(&s->queues, &s->index, now);
	read_settings(s);
	date_local_offset(clock_wall_us());	/* reads the zone file now */
	if (engine_start(s, exit_code_out, err_out) < 0 ||
	    open_spool(s, err_out) < 0) {
		return -1;
	}
	s->large = large_create(s, err_out);
	if (s->large == NULL) {
		return -1;
	}
	s->settle = settle_create(s);
	s->checkpoint = checkpoint_create(s);
	s->loader = loader_create(s);
	s->suspects.deliverer = -1;
	s->poison = poison_create(s);
	import_recover(s);
	s->import = import_create(s);
	s->log = logfeed_create(s);
	loop_timer_init(&s->wheel, s->loop, on_wheel, s);
	loop_timer_init(&s->second, s->loop, on_second, s);
	loop_timer_set(&s->second, SECOND_US / 4);
	loop_on_turn_end(s->loop, &s->turn_end, on_turn_end, s);
	return replay_start(s, err_out);
}

const char *const *
life_directories(struct worker *w)
{
	static const char *dirs[2];
	struct spooler *s = worker_ctx(w);

	dirs[0] = s->base;
	return dirs;
}

void
life_reconfigure(struct worker *w)
{
	read_settings(worker_ctx(w));
}

void
life_link_up(struct worker *w, struct ipc_link *k)
{
	struct spooler *s = worker_ctx(w);

	if (k->peer == ROLE_LISTENER) {
		intake_link_up(s, k);
	} else if (k->peer == ROLE_DELIVERER &&
	    k->peer_index < SPOOLER_DELIVERERS) {
		handout_link_up(s, k);
	} else if (k->peer == ROLE_LOGGER) {
		logfeed_link_up(s, k);
	}
}

void
life_link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	struct spooler *s = worker_ctx(w);

	(void)reason;
	if (k->peer == ROLE_LISTENER) {
		intake_link_down(s, k);
	} else if (k->peer == ROLE_DELIVERER &&
	    k->peer_index < SPOOLER_DELIVERERS) {
		handout_link_down(s, k);
	} else if (k->peer == ROLE_LOGGER) {
		logfeed_link_down(s);
	}
}

static void
on_dead(struct spooler *s, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	unsigned role = wire_u8(&r), index = wire_u8(&r);
	uint32_t incarnation = wire_u32(&r);
	bool crashed = wire_u8(&r) != 0;

	if (r.bad) {
		return;
	}
	if (role == ROLE_LISTENER) {
		intake_dead(s, index, incarnation);
	} else if (role == ROLE_DELIVERER) {
		handout_dead(s, index, incarnation, crashed ? DEATH_CRASH :
		    DEATH_LEFT);
	}
}

void
life_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	struct spooler *s = worker_ctx(w);

	if (k->peer == ROLE_LISTENER) {
		intake_message(s, k, m);
	} else if (k->peer == ROLE_DELIVERER) {
		handout_message(s, k, m);
	} else if (k->peer == ROLE_LOGGER) {
		logfeed_message(s, k, m);
	} else if (k->peer == ROLE_CONSOLE) {
		ask_message(s, k, m);
	} else if (m->type == IPC_SUP_PEER_DEAD) {
		on_dead(s, m);
	}
}

/* Listeners and deliverers leave before us: what they still say counts. */
static void
check_drained(struct spooler *s)
{
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		if (worker_link(s->w, ROLE_LISTENER, i) != NULL ||
		    worker_link(s->w, ROLE_DELIVERER, i) != NULL) {
			return;
		}
	}
	if (worker_is_draining(s->w) && engine_drained(s)) {
		worker_finished(s->w);	/* life_end writes what gathered */
	}
}

void
life_drain(struct worker *w)
{
	check_drained(worker_ctx(w));
}

void
life_title(struct worker *w, char *out, size_t size)
{
	struct spooler *s = worker_ctx(w);
	unsigned percent = replay_percent(s);

	if (percent < 100) {
		snprintf(out, size, "%u queued, %u active (replaying %u%%)",
		    index_count(&s->index), s->queues.n_active, percent);
		return;
	}
	snprintf(out, size, "%u queued, %u active%s", index_count(&s->index),
	    s->queues.n_active, s->engine == &engine_memory ?
	    " (in memory: a crash loses mail)" : "");
}

void
life_end(struct spooler *s)
{
	if (s->journal == NULL) {
		return;
	}
	/* The process ends: nothing else need be put away. */
	journal_finish(s->journal);
}
