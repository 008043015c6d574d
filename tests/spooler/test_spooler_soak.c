/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some seconds of everything at once: mail comes, outcomes of all kinds, the
 * spooler is killed at random moments, listeners and deliverers and the logger
 * die.  At the end each recipient's fate is read from the log: received once,
 * every attempt counted, ended once, doubted only where there was doubt; and
 * all memory is back.  EC_SOAK_SECONDS and EC_SOAK_SEED choose; the seed is
 * printed.
 *
 * And starts so close that nothing comes to an end between them: the journal
 * does not grow by them.
 */
#include "tests/spooler/rig.h"

#include <check.h>

#include "common/base/clock.h"
#include "common/base/num.h"

#define SECOND 1000000u

static struct rig rig;

static uint64_t dice_state;

static unsigned
dice(unsigned n)
{
	dice_state = dice_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(dice_state >> 33) % n;
}

static bool is_settling_down;

static void
any_outcome(struct fake_deliverer *d, struct job *j)
{
	char kinds[STAGE_RCPTS + 1] = "";

	if (!is_settling_down && dice(4) == 0) {
		return;		/* it stays a while */
	}
	for (unsigned i = 0; i < j->n; i++) {
		unsigned n = is_settling_down ? 9 : dice(10);

		kinds[i] = n < 3 ? 'T' : n < 4 && j->sender[0] != '\0' ? 'P' :
		    'D';
	}
	job_outcome(d, j, kinds);
}

static void
finish_one(struct fake_deliverer *d)
{
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			bool down = is_settling_down;

			is_settling_down = true;
			any_outcome(d, j);
			is_settling_down = down;
			return;
		}
	}
}

static bool
all_answered(void *arg)
{
	for (unsigned i = 0; i < rig.n_mails; i++) {
		if (!rig.mail[i]->answered) {
			return false;
		}
	}
	return arg == NULL;
}

static bool
soak_is_over(void *arg)
{
	bool idle = true;

	(void)arg;
	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		finish_one(&rig.deliverer[i]);
		idle = idle && rig.deliverer[i].n_jobs == 0;
	}
	return idle && rig_is_drained(&rig);
}

static void
soak_death(void)
{
	struct fake_deliverer *d = &rig.deliverer[dice(rig.n_deliverers)];

	if (dice(3) == 0) {
		listener_die(&rig.listener[dice(rig.n_listeners)]);
		return;
	}
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			job_stage(d, j, (enum stage_point)dice(4));
		}
	}
	deliverer_die(d, dice(2) == 0);
	if (dice(2) == 0) {
		/* Before the spooler has judged what was in flight. */
		rig_kill(&rig);
	}
}

static void
soak_step(void)
{
	static const char *const addr[] = { "1@a.example", "2@a.example",
		"3@b.example", "4@c.example", "5@a.example" };
	unsigned what = dice(100), first = dice(3);

	if (what < 70 && rig.n_mails < RIG_MAILS - 2) {
		rig_store(&rig, dice(rig.n_listeners), "s@back.example",
		    1 + dice(3), addr + first, 1 + dice(20000));
	} else if (what < 85) {
		finish_one(&rig.deliverer[dice(rig.n_deliverers)]);
	} else if (what < 97) {
		rig_turn(&rig, dice(8000));
	} else if (what < 98) {
		rig_unlink_logger(&rig, true);
		rig_link_logger(&rig);
	} else if (dice(20) == 0) {
		rig_kill(&rig);
	} else if (dice(20) == 0) {
		soak_death();
	} else {
		loop_turn(rig.loop, false);
	}
}

/* What became of one recipient, by the log. */
struct fate {
	unsigned r, t, ended, flags;
	bool in_order;
};

static struct fate *
read_fates(void)
{
	struct fate *fates = xcalloc(rig.n_mails * RIG_RCPTS, sizeof *fates);
	struct index index;

	index_init(&index);
	for (unsigned i = 0; i < rig.n_mails; i++) {
		for (unsigned j = 0; j < rig.mail[i]->n_rcpt; j++) {
			uint32_t slot = index_add(&index, rig.mail[i]->id[j]);

			index_at(&index, slot)->txn = i * RIG_RCPTS + j;
			fates[i * RIG_RCPTS + j].in_order = true;
		}
	}
	for (size_t i = 0; i < rig.logger.n; i++) {
		const struct event *e = &rig.logger.seen[i].e;
		uint32_t slot = index_find(&index, e->id);
		struct fate *f = slot == 0 ? NULL :
		    &fates[index_at(&index, slot)->txn];

		if (f == NULL) {
			continue;	/* a bounce */
		}
		f->r += e->kind == EVENT_RECEPTION;
		f->ended += e->kind == EVENT_DELIVERY ||
		    e->kind == EVENT_PERMANENT;
		f->in_order = f->in_order && f->r == 1 &&
		    (e->kind == EVENT_RECEPTION || e->attempts == f->t);
		f->t += e->kind == EVENT_TRANSIENT;
		f->flags |= e->flags;
	}
	index_fini(&index);
	return fates;
}

static bool
logs_are_whole(void *arg)
{
	struct fate *fates = read_fates();
	bool whole = true;

	(void)arg;
	for (unsigned i = 0; i < rig.n_mails; i++) {
		const struct mail *m = rig.mail[i];

		for (unsigned j = 0; m->result == STORED_OK && j < m->n_rcpt;
		    j++) {
			whole = whole && fates[i * RIG_RCPTS + j].ended > 0;
		}
	}
	free(fates);
	return whole;
}

static void
check_fates(void)
{
	struct fate *fates = read_fates();

	for (unsigned i = 0; i < rig.n_mails; i++) {
		const struct mail *m = rig.mail[i];

		for (unsigned j = 0; m->result == STORED_OK && j < m->n_rcpt;
		    j++) {
			const struct fate *f = &fates[i * RIG_RCPTS + j];

			ck_assert_msg(f->in_order && f->r == 1 &&
			    f->ended == 1 && ((f->flags &
			    EVENT_POSSIBLE_DUPLICATE) == 0 ||
			    (m->doubtful >> j & 1) != 0), "mail %u/%u (%llx): R "
			    "%u T %u ended %u flags %u%s; delivered %x doubt "
			    "%x of %u\n%.*s", i, j, (unsigned long long)
			    m->id[j], f->r, f->t, f->ended, f->flags,
			    f->in_order ? "" : ", out of order", m->delivered,
			    m->doubtful, m->of,
			    SLICE_ARG(buf_slice(&rig.h.log)));
		}
	}
	free(fates);
}

START_TEST(soak)
{
	const char *seconds = getenv("EC_SOAK_SECONDS");
	const char *seed = getenv("EC_SOAK_SEED");
	uint64_t n = 3, end;

	dice_state = clock_wall_us();
	if (seconds != NULL) {
		ck_assert(num_parse_max(slice_of(seconds), 100000, &n));
	}
	if (seed != NULL) {
		ck_assert(num_parse_max(slice_of(seed), UINT64_MAX,
		    &dice_state));
	}
	printf("soak: EC_SOAK_SEED=%llu\n", (unsigned long long)dice_state);
	fflush(stdout);
	rig_prepare(&rig, "Retry_Interval = 0.2\nMax_Retry_Interval = 0.5\n"
	    "Settle_After = 0.3\nArena_Size = 67108864\n");
	rig.n_listeners = RIG_LISTENERS;
	rig.n_deliverers = RIG_DELIVERERS;
	rig_run(&rig);
	is_settling_down = false;
	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		rig.deliverer[i].on_work = any_outcome;
	}
	end = clock_mono_us() + n * SECOND;
	while (clock_mono_us() < end) {
		soak_step();
		if (rig.listener[0].outstanding > 100 ||
		    arena_used_bytes(rig.listener[0].arena) > 40000000 ||
		    arena_used_bytes(rig.listener[1].arena) > 40000000) {
			rig_turn(&rig, 50000);
		}
	}
	rig_until(&rig, all_answered, NULL);
	is_settling_down = true;
	rig_until(&rig, soak_is_over, NULL);
	worker_harness_wait(&rig.h, SECOND, logs_are_whole, NULL);
	check_fates();
	for (unsigned i = 0; i < rig.n_listeners; i++) {
		rig_until(&rig, listener_is_empty, &rig.listener[i]);
	}
	printf("soak: %u transactions, %u restarts\n", rig.n_mails,
	    rig.restarts);
	rig_stop(&rig);
}
END_TEST

#define QUICK_STARTS 14u
#define QUICK_US 300000u
#define QUICK_SEGMENTS 4u	/* of Journal_Size */

static void
store_some(unsigned n)
{
	static const char *const addr[] = { "1@a.example", "2@b.example" };

	for (unsigned i = 0; i < n; i++) {
		rig_store(&rig, 0, "s@back.example", 1 + i % 2, addr,
		    1 + i * 977 % 9000);
	}
}

/* Nothing is acknowledged by the logger, nothing settles, all is tried again
 * and again: no segment can be let go of. */
START_TEST(quick_restarts)
{
	rig_prepare(&rig, "Retry_Interval = 0.1\nMax_Retry_Interval = 0.1\n"
	    "Settle_After = 600\nJournal_Size = 16M\n");
	rig_run(&rig);
	rig.logger.acks = false;
	rig.deliverer[0].on_work = job_defer;
	for (unsigned i = 0; i < QUICK_STARTS; i++) {
		uint64_t end = clock_mono_us() + QUICK_US;

		while (clock_mono_us() < end) {
			store_some(rig.listener[0].outstanding < 50 ? 2 : 0);
			rig_turn(&rig, 20000);
		}
		ck_assert_uint_le(rig_files(&rig, "journal/*.seg"),
		    QUICK_SEGMENTS + 1);
		rig_kill(&rig);
	}
	rig.logger.acks = true;
	rig.deliverer[0].on_work = job_deliver;
	rig_until(&rig, all_answered, NULL);
	is_settling_down = true;
	rig_until(&rig, soak_is_over, NULL);
	worker_harness_wait(&rig.h, SECOND, logs_are_whole, NULL);
	check_fates();
	ck_assert_uint_le(rig_files(&rig, "journal/*.seg"), QUICK_SEGMENTS + 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

static Suite *
suite(void)
{
	const char *seconds = getenv("EC_SOAK_SECONDS");
	Suite *s = suite_create("spooler_soak");
	TCase *t = tcase_create("soak");

	tcase_set_timeout(t, seconds != NULL ? atof(seconds) + 120 : 60);
	tcase_add_test(t, soak);
	tcase_add_test(t, quick_restarts);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
