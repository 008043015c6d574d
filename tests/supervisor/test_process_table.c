/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of one worker, over its whole grid and along its ways. */
#include "supervisor/process_table.h"

#include <check.h>
#include <signal.h>

#define NOW 1000000000ull
#define SEC 1000000ull

struct cell {
	enum process_state next;
	enum process_act act;
	int signo;
	bool timed;	/* wants a tick */
	bool wanted;
};

#define STAY(state) { PROCESS_##state, PROCESS_A_NONE, 0, false, true }
#define CELL(state, act, sig, timed, wanted) \
	{ PROCESS_##state, PROCESS_A_##act, sig, timed, wanted }

/* Of a wanted process that was ready once, without a timer due. */
static const struct cell grid[PROCESS_STATES][PROCESS_EVENTS] = {
	[PROCESS_DEAD] = {
		[PROCESS_E_START] = CELL(DEAD, SPAWN, 0, false, true),
		[PROCESS_E_SPAWNED] = STAY(STARTING),
		[PROCESS_E_NOT_SPAWNED] = CELL(DEAD, SPAWN, 0, false, true),
		[PROCESS_E_READY] = STAY(DEAD), [PROCESS_E_FAILED] = STAY(DEAD),
		[PROCESS_E_EXITED] = STAY(DEAD), [PROCESS_E_LOST] = STAY(DEAD),
		[PROCESS_E_STALLED] = STAY(DEAD), [PROCESS_E_BAD] = STAY(DEAD),
		[PROCESS_E_TICK] = STAY(DEAD),
		[PROCESS_E_DRAIN] = CELL(DEAD, NONE, 0, false, false),
		[PROCESS_E_STOP] = CELL(DEAD, NONE, 0, false, false),
	},
	[PROCESS_STARTING] = {
		[PROCESS_E_START] = STAY(STARTING),
		[PROCESS_E_SPAWNED] = STAY(STARTING),
		[PROCESS_E_NOT_SPAWNED] = STAY(STARTING),
		[PROCESS_E_READY] = STAY(READY),
		[PROCESS_E_FAILED] = CELL(STARTING, NONE, 0, true, true),
		[PROCESS_E_EXITED] = CELL(DEAD, SPAWN, 0, false, true),
		[PROCESS_E_LOST] = CELL(DRAINING, NONE, 0, true, true),
		[PROCESS_E_STALLED] = CELL(DRAINING, SIGNAL, SIGABRT, true,
		    true),
		[PROCESS_E_BAD] = CELL(DRAINING, SIGNAL, SIGKILL, false, true),
		[PROCESS_E_TICK] = STAY(STARTING),
		[PROCESS_E_DRAIN] = CELL(DRAINING, DRAIN, 0, true, false),
		[PROCESS_E_STOP] = CELL(DRAINING, SIGNAL, SIGKILL, false,
		    false),
	},
	[PROCESS_READY] = {
		[PROCESS_E_START] = STAY(READY), [PROCESS_E_SPAWNED] = STAY(READY),
		[PROCESS_E_NOT_SPAWNED] = STAY(READY),
		[PROCESS_E_READY] = STAY(READY), [PROCESS_E_FAILED] = STAY(READY),
		[PROCESS_E_EXITED] = CELL(DEAD, SPAWN, 0, false, true),
		[PROCESS_E_LOST] = CELL(DRAINING, NONE, 0, true, true),
		[PROCESS_E_STALLED] = CELL(DRAINING, SIGNAL, SIGABRT, true,
		    true),
		[PROCESS_E_BAD] = CELL(DRAINING, SIGNAL, SIGKILL, false, true),
		[PROCESS_E_TICK] = STAY(READY),
		[PROCESS_E_DRAIN] = CELL(DRAINING, DRAIN, 0, true, false),
		[PROCESS_E_STOP] = CELL(DRAINING, SIGNAL, SIGKILL, false,
		    false),
	},
	[PROCESS_DRAINING] = {
		[PROCESS_E_START] = STAY(DRAINING),
		[PROCESS_E_SPAWNED] = STAY(DRAINING),
		[PROCESS_E_NOT_SPAWNED] = STAY(DRAINING),
		[PROCESS_E_READY] = STAY(DRAINING),
		[PROCESS_E_FAILED] = CELL(DRAINING, NONE, 0, true, true),
		[PROCESS_E_EXITED] = CELL(DEAD, SPAWN, 0, false, true),
		[PROCESS_E_LOST] = STAY(DRAINING),
		[PROCESS_E_STALLED] = STAY(DRAINING),
		[PROCESS_E_BAD] = CELL(DRAINING, SIGNAL, SIGKILL, false, true),
		[PROCESS_E_TICK] = STAY(DRAINING),
		[PROCESS_E_DRAIN] = CELL(DRAINING, NONE, 0, true, false),
		[PROCESS_E_STOP] = CELL(DRAINING, SIGNAL, SIGKILL, false,
		    false),
	},
	[PROCESS_BACKOFF] = {
		[PROCESS_E_START] = STAY(BACKOFF),
		[PROCESS_E_SPAWNED] = STAY(STARTING),
		[PROCESS_E_NOT_SPAWNED] = CELL(DEAD, SPAWN, 0, false, true),
		[PROCESS_E_READY] = STAY(BACKOFF),
		[PROCESS_E_FAILED] = STAY(BACKOFF),
		[PROCESS_E_EXITED] = STAY(BACKOFF),
		[PROCESS_E_LOST] = STAY(BACKOFF),
		[PROCESS_E_STALLED] = STAY(BACKOFF),
		[PROCESS_E_BAD] = STAY(BACKOFF),
		[PROCESS_E_TICK] = STAY(BACKOFF),
		[PROCESS_E_DRAIN] = CELL(DEAD, NONE, 0, false, false),
		[PROCESS_E_STOP] = CELL(DEAD, NONE, 0, false, false),
	},
};

static struct process_out
step(struct process *p, enum process_event event, uint64_t now, int code)
{
	struct process_in in = { event, now, code };

	return process_step(p, &in);
}

START_TEST(whole_grid)
{
	for (int s = 0; s < PROCESS_STATES; s++) {
		for (int e = 0; e < PROCESS_EVENTS; e++) {
			const struct cell *want = &grid[s][e];
			struct process p = { .state = (enum process_state)s,
				.wanted = true, .was_ready = true };
			struct process_out out = step(&p,
			    (enum process_event)e, NOW, 0);

			ck_assert_msg(p.state == want->next &&
			    out.act == want->act && out.signo == want->signo &&
			    (p.due_us != 0) == want->timed &&
			    p.wanted == want->wanted, "state %s event %d: now "
			    "%s act %d signal %d due %d wanted %d",
			    process_state_name((unsigned)s), e,
			    process_state_name(p.state), out.act, out.signo,
			    p.due_us != 0, p.wanted);
		}
	}
}
END_TEST

/* Kills a process that lived for that long; the wait until its successor. */
static uint64_t
die_after(struct process *p, uint64_t *now, uint64_t life)
{
	struct process_out out;
	uint64_t died;

	step(p, PROCESS_E_SPAWNED, *now, 0);
	step(p, PROCESS_E_READY, *now, 0);
	*now += life;
	out = step(p, PROCESS_E_EXITED, *now, SIGSEGV);
	if (out.act == PROCESS_A_SPAWN) {
		return 0;
	}
	ck_assert_int_eq(p->state, PROCESS_BACKOFF);
	died = *now;
	/* Too early a tick does nothing. */
	out = step(p, PROCESS_E_TICK, p->due_us - 1, 0);
	ck_assert_int_eq(out.act, PROCESS_A_NONE);
	*now = p->due_us;
	out = step(p, PROCESS_E_TICK, *now, 0);
	ck_assert_int_eq(out.act, PROCESS_A_SPAWN);
	return *now - died;
}

START_TEST(back_off_doubles_and_forgets)
{
	static const uint64_t want[] = { 0, 100000, 200000, 400000, 800000,
	    1600000, 3200000, 6400000, 10000000, 10000000 };
	struct process p = { 0 };
	uint64_t now = NOW;

	ck_assert_int_eq(step(&p, PROCESS_E_START, now, 0).act,
	    PROCESS_A_SPAWN);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		ck_assert_uint_eq(die_after(&p, &now, SEC / 100), want[i]);
	}
	/* One microsecond decides. */
	ck_assert_uint_eq(die_after(&p, &now, PROCESS_WORKED_US - 1),
	    10 * SEC);
	ck_assert_uint_eq(die_after(&p, &now, PROCESS_WORKED_US), SEC);
	ck_assert_uint_eq(die_after(&p, &now, 1), 2 * SEC);
	ck_assert_uint_eq(die_after(&p, &now, 5 * SEC - 1), SEC);
	ck_assert_uint_eq(die_after(&p, &now, 5 * SEC), 0);
	ck_assert_uint_eq(die_after(&p, &now, 1), 100000);
	ck_assert_uint_eq(p.deaths, ARRAY_LEN(want) + 6);
}
END_TEST

/* Kill after kill, each of a worker that did its work, is no crash loop; one
 * that dies as soon as it is ready is, however long it takes to be ready. */
START_TEST(kills_of_a_working_process_wait_little)
{
	struct process p = { 0 };
	uint64_t now = NOW;

	step(&p, PROCESS_E_START, now, 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_le(die_after(&p, &now, SEC / 2), SEC);
	}
	for (int i = 0; i < 4; i++) {
		die_after(&p, &now, 0);
	}
	ck_assert_uint_eq(p.backoff_us, 10 * SEC);
	step(&p, PROCESS_E_SPAWNED, now, 0);
	now += 30 * SEC;
	step(&p, PROCESS_E_EXITED, now, SIGSEGV);
	ck_assert_uint_eq(p.due_us - now, 10 * SEC);
}
END_TEST

/* No process to be had (fork fails) after a long life: the health of the one
 * that died does not make the next tries immediate. */
START_TEST(failing_forks_back_off_after_a_long_life)
{
	struct process p = { 0 };
	struct process_out out;
	uint64_t now = NOW;

	step(&p, PROCESS_E_START, now, 0);
	ck_assert_uint_eq(die_after(&p, &now, 3600 * SEC), 0);
	out = step(&p, PROCESS_E_NOT_SPAWNED, now, 0);
	for (int i = 0; i < 9; i++) {
		ck_assert_int_eq(out.act, PROCESS_A_NONE);
		ck_assert_int_eq(p.state, PROCESS_BACKOFF);
		ck_assert_uint_eq(p.due_us - now, EC_MIN(
		    (uint64_t)PROCESS_BACKOFF_FIRST_US << i,
		    (uint64_t)PROCESS_BACKOFF_MAX_US));
		now = p.due_us;
		out = step(&p, PROCESS_E_TICK, now, 0);
		ck_assert_int_eq(out.act, PROCESS_A_SPAWN);
		out = step(&p, PROCESS_E_NOT_SPAWNED, now, 0);
	}
}
END_TEST

START_TEST(gives_up_only_before_it_was_ready)
{
	struct process p = { 0 };
	struct process_out out;
	uint64_t now = NOW;

	step(&p, PROCESS_E_START, now, 0);
	for (unsigned i = 1; i <= PROCESS_START_TRIES; i++) {
		step(&p, PROCESS_E_SPAWNED, now, 0);
		out = step(&p, PROCESS_E_EXITED, now, 71 << 8);
		ck_assert_int_eq(out.act == PROCESS_A_GIVE_UP,
		    i == PROCESS_START_TRIES);
		if (p.state == PROCESS_BACKOFF) {
			now = p.due_us;
			step(&p, PROCESS_E_TICK, now, 0);
		}
	}
	ck_assert_int_eq(p.state, PROCESS_DEAD);
	ck_assert(!p.wanted);
}
END_TEST

START_TEST(configuration_is_hopeless_at_once)
{
	struct process told = { 0 }, seen = { 0 }, later = { 0 };

	/* By its own word... */
	step(&told, PROCESS_E_START, NOW, 0);
	step(&told, PROCESS_E_SPAWNED, NOW, 0);
	step(&told, PROCESS_E_FAILED, NOW, 78);
	ck_assert_int_eq(step(&told, PROCESS_E_EXITED, NOW, 0).act,
	    PROCESS_A_GIVE_UP);
	/* ...or by its exit code; code 78 of a signal's number is not it. */
	step(&seen, PROCESS_E_START, NOW, 0);
	step(&seen, PROCESS_E_SPAWNED, NOW, 0);
	ck_assert_int_eq(step(&seen, PROCESS_E_EXITED, NOW, 78 << 8).act,
	    PROCESS_A_GIVE_UP);
	/* Once it was ready it is tried again for ever. */
	step(&later, PROCESS_E_START, NOW, 0);
	step(&later, PROCESS_E_SPAWNED, NOW, 0);
	step(&later, PROCESS_E_READY, NOW, 0);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_ne(step(&later, PROCESS_E_EXITED, NOW,
		    78 << 8).act, PROCESS_A_GIVE_UP);
		step(&later, PROCESS_E_SPAWNED, NOW, 0);
		step(&later, PROCESS_E_FAILED, NOW, 78);
	}
}
END_TEST

START_TEST(deadlines_end_in_sigkill)
{
	static const struct {
		enum process_event event;
		uint64_t wait;
		bool comes_back;
	} rows[] = {
		{ PROCESS_E_DRAIN, PROCESS_DRAIN_US, false },
		{ PROCESS_E_STALLED, PROCESS_LAST_WORD_US, true },
		{ PROCESS_E_LOST, PROCESS_LAST_WORD_US, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct process p = { .state = PROCESS_READY, .wanted = true,
			.was_ready = true, .ready_us = NOW };
		struct process_out out;

		step(&p, rows[i].event, NOW, 0);
		ck_assert_uint_eq(p.due_us, NOW + rows[i].wait);
		out = step(&p, PROCESS_E_TICK, p.due_us - 1, 0);
		ck_assert_int_eq(out.act, PROCESS_A_NONE);
		out = step(&p, PROCESS_E_TICK, p.due_us, 0);
		ck_assert_int_eq(out.signo, SIGKILL);
		ck_assert_uint_eq(p.due_us, 0);
		out = step(&p, PROCESS_E_EXITED, NOW + 40 * SEC, SIGKILL);
		ck_assert_int_eq(out.act == PROCESS_A_SPAWN,
		    rows[i].comes_back);
		ck_assert_int_eq(p.state, PROCESS_DEAD);
	}
}
END_TEST

START_TEST(a_drain_ends_the_return_of_one_that_is_killed)
{
	struct process p = { .state = PROCESS_READY, .wanted = true,
		.was_ready = true };

	step(&p, PROCESS_E_BAD, NOW, 0);
	step(&p, PROCESS_E_DRAIN, NOW, 0);
	ck_assert_int_eq(step(&p, PROCESS_E_EXITED, NOW, SIGKILL).act,
	    PROCESS_A_NONE);
	ck_assert(!process_runs(&p));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("process_table");
	TCase *t = tcase_create("process_table");
	SRunner *r;
	int failed;

	tcase_add_test(t, whole_grid);
	tcase_add_test(t, back_off_doubles_and_forgets);
	tcase_add_test(t, kills_of_a_working_process_wait_little);
	tcase_add_test(t, failing_forks_back_off_after_a_long_life);
	tcase_add_test(t, gives_up_only_before_it_was_ready);
	tcase_add_test(t, configuration_is_hopeless_at_once);
	tcase_add_test(t, deadlines_end_in_sigkill);
	tcase_add_test(t, a_drain_ends_the_return_of_one_that_is_killed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
