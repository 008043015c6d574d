/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/loop.h"
#include "tests/base/base_tests.h"

struct seen {
	struct loop *loop;
	struct loop_fd fd;
	struct loop_timer timer;
	struct loop_hook hook;
	unsigned ready, calls, turns;
	uint64_t at_us;
	int signals[8];
};

static void
on_fd(void *arg, unsigned ready)
{
	struct seen *s = arg;

	s->ready = ready;
	s->calls++;
	loop_fd_stop(&s->fd);	/* inside its own callback */
	loop_stop(s->loop);
}

static void
on_timer(void *arg)
{
	struct seen *s = arg;

	s->calls++;
	s->at_us = loop_now_us(s->loop);
	loop_stop(s->loop);
}

static void
on_turn(void *arg)
{
	struct seen *s = arg;

	s->turns++;
}

static void
on_signal(void *arg, int signo)
{
	struct seen *s = arg;

	s->signals[s->calls++ % 8] = signo;
}

/* Ready for ever, but it shall not take the test along. */
static void
on_busy(void *arg, unsigned ready)
{
	struct seen *s = arg;

	s->ready = ready;
	if (++s->calls == 1000) {
		loop_fd_stop(&s->fd);
	}
}

START_TEST(descriptors)
{
	struct seen s = { .loop = loop_create() };
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	loop_fd_init(&s.fd, s.loop, p[0], on_fd, &s);
	loop_fd_want(&s.fd, LOOP_READ);
	loop_turn(s.loop, false);
	ck_assert_uint_eq(s.calls, 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	loop_run(s.loop);
	ck_assert_uint_eq(s.calls, 1);
	ck_assert_uint_eq(s.ready, LOOP_READ);
	loop_turn(s.loop, false);
	ck_assert_uint_eq(s.calls, 1);
	loop_fd_init(&s.fd, s.loop, p[1], on_fd, &s);
	loop_fd_want(&s.fd, LOOP_WRITE);
	loop_run(s.loop);
	ck_assert_uint_eq(s.ready, LOOP_WRITE);
	loop_destroy(&s.loop);
	ck_assert_ptr_null(s.loop);
	loop_destroy(&s.loop);
}
END_TEST

START_TEST(timers_run_once_and_know_the_time)
{
	struct seen s = { .loop = loop_create() };
	uint64_t before;

	loop_timer_init(&s.timer, s.loop, on_timer, &s);
	ck_assert(!loop_timer_is_set(&s.timer));
	loop_timer_set(&s.timer, 3600u * 1000000u);
	ck_assert(loop_timer_is_set(&s.timer));
	loop_timer_set(&s.timer, 20000);
	before = loop_refresh_us(s.loop);
	loop_run(s.loop);
	ck_assert_uint_eq(s.calls, 1);
	ck_assert_uint_ge(s.at_us, before + 19000);
	ck_assert(!loop_timer_is_set(&s.timer));
	loop_timer_set(&s.timer, 0);
	loop_timer_stop(&s.timer);
	loop_turn(s.loop, false);
	ck_assert_uint_eq(s.calls, 1);
	loop_destroy(&s.loop);
}
END_TEST

START_TEST(hooks_run_once_a_turn)
{
	struct seen s = { .loop = loop_create() };

	loop_on_turn_end(s.loop, &s.hook, on_turn, &s);
	loop_turn(s.loop, false);
	loop_again(s.loop);
	loop_turn(s.loop, true);	/* would wait for ever otherwise */
	ck_assert_uint_eq(s.turns, 2);
	loop_hook_stop(&s.hook);
	loop_turn(s.loop, false);
	ck_assert_uint_eq(s.turns, 2);
	loop_destroy(&s.loop);
}
END_TEST

/* Somebody who is always ready does not put off the end of a turn, even of one
 * that need not wait. */
START_TEST(a_busy_descriptor_ends_no_turn_late)
{
	struct seen s = { .loop = loop_create() };
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	loop_on_turn_end(s.loop, &s.hook, on_turn, &s);
	loop_fd_init(&s.fd, s.loop, p[1], on_busy, &s);
	loop_fd_want(&s.fd, LOOP_WRITE);
	for (unsigned i = 1; i <= 3; i++) {
		loop_again(s.loop);
		loop_turn(s.loop, i % 2 == 0);
		ck_assert_uint_eq(s.calls, i);
		ck_assert_uint_eq(s.turns, i);
	}
	loop_fd_stop(&s.fd);
	loop_hook_stop(&s.hook);
	loop_destroy(&s.loop);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(signals_in_order)
{
	struct seen s = { .loop = loop_create() };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	ck_assert_int_eq(loop_signals(s.loop, &set, on_signal, &s), 0);
	raise(SIGUSR1);
	raise(SIGHUP);
	raise(SIGUSR1);
	loop_turn(s.loop, true);
	ck_assert_uint_eq(s.calls, 2);
	ck_assert_int_eq(s.signals[0], SIGHUP);
	ck_assert_int_eq(s.signals[1], SIGUSR1);
	loop_destroy(&s.loop);
}
END_TEST

TCase *
tcase_loop(void)
{
	TCase *t = tcase_create("loop");

	tcase_add_test(t, descriptors);
	tcase_add_test(t, timers_run_once_and_know_the_time);
	tcase_add_test(t, hooks_run_once_a_turn);
	tcase_add_test(t, a_busy_descriptor_ends_no_turn_late);
	tcase_add_test(t, signals_in_order);
	return t;
}
