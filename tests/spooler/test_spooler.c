/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real spooler between fakes: what it accepts is durable, is handed out
 * once, ends once, is logged once.  Deaths: test_spooler_kill.c; spools as
 * people and disks leave them: test_spooler_disk.c.
 */
#include "tests/spooler/steps.h"

#include "common/base/clock.h"

START_TEST(stored_means_durable)
{
	struct mail *m;

	rig_start(&rig, "");
	m = rig_store(&rig, 0, "a@example.com", 1, to_net, 5000);
	ck_assert(!in_journal(m->batch));	/* nothing has run yet */
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	ck_assert(in_journal(m->batch));
	work_for(m->id[0]);
	rig_kill(&rig);
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	logged(m->id[0], 'D', 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(events_in_order)
{
	const struct seen *r, *t, *d;
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.2\n");
	m = stored(1, to_net, 1000);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	t = logged(m->id[0], 'T', 1);
	ck_assert_uint_eq(t->e.next_us - t->e.time_us, 200000);
	ck_assert_uint_eq(t->e.attempts, 0);
	ck_assert_uint_eq(t->e.code, 451);
	ck_assert_str_eq(t->reply, "451 4.2.0 later");
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	logged(m->id[0], 'D', 1);
	r = logger_find(&rig, m->id[0], 'R', 0);
	t = logger_find(&rig, m->id[0], 'T', 0);
	d = logger_find(&rig, m->id[0], 'D', 0);
	ck_assert(r < t && t < d);
	ck_assert_uint_eq(r->e.size, 1000);
	ck_assert_uint_eq(r->e.batch_id, m->batch);
	ck_assert_str_eq(r->rcpt, "b@example.net");
	ck_assert_str_eq(r->sender, "a@example.com");
	ck_assert_uint_eq(d->e.attempts, 1);
	ck_assert_uint_eq(d->e.sent, 1000);
	ck_assert_uint_eq(d->e.remote_port, 25);
	ck_assert_int_eq(d->e.flags, 0);
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(delays_grow)
{
	uint64_t want = 100000;
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.1\nMax_Retry_Interval = 0.5\n");
	rig.deliverer[0].on_work = job_defer;
	m = stored(1, to_net, 100);
	for (unsigned i = 1; i <= 5; i++) {
		const struct seen *t = logged(m->id[0], 'T', i);

		ck_assert_uint_eq(t->e.attempts, i - 1);
		ck_assert_uint_eq(t->e.next_us - t->e.time_us, want);
		if (i > 1) {
			const struct seen *was = logger_find(&rig, m->id[0],
			    'T', i - 2);

			ck_assert_uint_ge(t->e.time_us, was->e.next_us);
		}
		want = EC_MIN(want * 2, (uint64_t)500000);
	}
	rig_stop(&rig);
}
END_TEST

/* A failure told to the sender: null sender, from the spooler's own memory. */
static void
check_bounce(const struct mail *m, const char *reply, unsigned flags)
{
	const struct seen *p = logged(m->id[0], 'P', 1), *r;
	struct job *j;

	ck_assert_str_eq(p->reply, reply);
	ck_assert_uint_eq(p->e.flags, flags);
	while ((j = deliverer_first(&rig.deliverer[0])) == NULL ||
	    strcmp(j->rcpt[0], "a@example.com") != 0) {
		rig_turn(&rig, 10000);
	}
	ck_assert_str_eq(j->sender, "");
	ck_assert(j->flags & ENVELOPE_BOUNCE);
	ck_assert_uint_eq(j->piece[0].at.role, ROLE_SPOOLER);
	ck_assert_ptr_nonnull(memmem(j->piece[0].bytes.ptr,
	    j->piece[0].bytes.len, "b@example.net", 13));
	r = logged(j->id[0], 'R', 1);
	/* In one batch: nothing between them. */
	ck_assert_uint_eq(r->position, p->position + 1);
}

START_TEST(refused_bounces)
{
	struct mail *m;
	struct job *j;
	msgid id;

	rig_start(&rig, "");
	m = stored(1, to_net, 3000);
	job_refuse(&rig.deliverer[0], work_for(m->id[0]));
	check_bounce(m, "550 5.1.1 nobody", EVENT_BOUNCED);
	/* The bounce of the bounce is dropped, and that is logged. */
	j = deliverer_first(&rig.deliverer[0]);
	id = j->id[0];
	job_refuse(&rig.deliverer[0], j);
	ck_assert_uint_eq(logged(id, 'P', 1)->e.flags, EVENT_NO_BOUNCE);
	ck_assert(rig_log_has(&rig, "dropped without a bounce"));
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_BOUNCES), 1);
	rig_stop(&rig);
}
END_TEST

START_TEST(too_many_retries)
{
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.1\nMax_Retries = 2\n");
	m = stored(1, to_net, 100);
	for (unsigned i = 0; i < 3; i++) {
		job_defer(&rig.deliverer[0], work_for(m->id[0]));
	}
	check_bounce(m, "554 5.4.7 [internal] exceeded max retries without "
	    "delivery", EVENT_EXPIRED | EVENT_BOUNCED);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'T'), 3);
	rig_stop(&rig);
}
END_TEST

START_TEST(expiry)
{
	struct mail *m;

	/* Settled meanwhile: its header is read back for the bounce. */
	rig_start(&rig, "Retry_Interval = 60\nMessage_Expiration = 3\n"
	    "Settle_After = 0.2\n");
	m = stored(1, to_net, 100);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	check_bounce(m, "554 5.4.7 [internal] exceeded max time without "
	    "delivery", EVENT_EXPIRED | EVENT_BOUNCED);
	rig_stop(&rig);
}
END_TEST

/* Never tried, or tried and due again: what waits in a suspended queue ends
 * when its time is over. */
START_TEST(expiry_while_suspended)
{
	struct error err = { 0 };
	struct mail *m[5], *tried;

	rig_start(&rig, "Retry_Interval = 0.2\nMessage_Expiration = 3\n"
	    "Domain \"example.net\" { Suspend_Delivery = false }\n");
	tried = stored(1, to_net, 100);
	job_defer(&rig.deliverer[0], work_for(tried->id[0]));
	memcpy(strstr(rig.conf, "false }"), " true", 5);
	ck_assert_int_eq(worker_harness_config(&rig.h, slice_of(rig.conf),
	    &err), 0);
	logged(tried->id[0], 'T', 1);
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = stored(1, to_net, 100);
	}
	rig.deliverer[0].on_work = job_deliver;		/* of bounces only */
	ck_assert_uint_eq(logged(tried->id[0], 'P', 1)->e.flags,
	    EVENT_EXPIRED | EVENT_BOUNCED);
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		ck_assert_uint_eq(logged(m[i]->id[0], 'P', 1)->e.flags,
		    EVENT_EXPIRED | EVENT_BOUNCED);
		ck_assert_uint_eq(logger_count(&rig, m[i]->id[0], 'D'), 0);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

static bool
is_cut_off(void *arg)
{
	struct fake_listener *l = arg;

	return !l->up;
}

/* A listener that says more than its credit loses its link; what came before
 * and whoever else is there are not touched. */
START_TEST(beyond_the_credit)
{
	struct fake_listener *l = &rig.listener[0];

	rig_prepare(&rig, "");
	rig.n_listeners = 2;
	rig.n_deliverers = 1;
	rig_run(&rig);
	rig.deliverer[0].on_work = job_deliver;
	ck_assert_uint_eq(l->window, STORE_WINDOW);
	/* It finds all of it at once. */
	ck_assert_int_eq(kill(rig.h.pid, SIGSTOP), 0);
	for (unsigned i = 0; i < 3 * STORE_WINDOW; i++) {
		rig_store(&rig, 0, "a@example.com", 1, to_net, 50);
	}
	ck_assert_int_eq(kill(rig.h.pid, SIGCONT), 0);
	rig_until(&rig, is_cut_off, l);
	ck_assert(rig_log_has(&rig, "STORE beyond its credit"));
	ck_assert(rig.listener[1].up);
	ck_assert_uint_eq(logged(rig_store(&rig, 1, "a@example.com", 1, to_net,
	    50)->id[0], 'D', 1)->e.flags, 0);
	rig_stop(&rig);
}
END_TEST

/* Mail that waits makes the window smaller; when it has gone it grows. */
static bool
has_window(void *arg)
{
	const uint32_t *window = arg;

	return rig.listener[0].window == *window;
}

START_TEST(window_follows_the_backlog)
{
	struct fake_listener *l = &rig.listener[0];
	uint32_t half = STORE_WINDOW / 2, whole = STORE_WINDOW;
	const char *rcpts[RIG_RCPTS];

	for (unsigned i = 0; i < RIG_RCPTS; i++) {
		rcpts[i] = to_net[0];
	}
	rig_start(&rig, "");
	rig.deliverer[0].credit = 0;
	for (unsigned n = 0; n <= STORE_BACKLOG; n += RIG_RCPTS) {
		rig_store(&rig, 0, "a@example.com", RIG_RCPTS, rcpts, 50);
		while (l->outstanding > 100) {
			rig_turn(&rig, 1000);
		}
	}
	rig_until(&rig, has_window, &half);
	rig.deliverer[0].on_work = job_deliver;
	rig.deliverer[0].credit = 100;
	deliverer_die(&rig.deliverer[0], true);
	rig_until(&rig, has_window, &whole);
	rig_stop(&rig);
}
END_TEST

START_TEST(mixed_outcomes)
{
	struct mail *m;
	struct job *j;

	rig_start(&rig, "Retry_Interval = 0.2\n");
	m = stored(3, to_three, 40000);
	j = work_for(m->id[0]);
	ck_assert_uint_eq(j->n, 3);
	job_outcome(&rig.deliverer[0], j, "DTP");
	logged(m->id[0], 'D', 1);
	logged(m->id[1], 'T', 1);
	logged(m->id[2], 'P', 1);
	j = work_for(m->id[1]);
	ck_assert_uint_eq(j->n, 1);
	job_deliver(&rig.deliverer[0], j);
	logged(m->id[1], 'D', 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(suspended)
{
	struct error err = { 0 };
	struct mail *m;

	rig_start(&rig, "Domain \"example.net\" { Suspend_Delivery = true }\n");
	m = stored(1, to_net, 100);
	stored(1, (const char *const[]){ "c@example.org" }, 100);
	rig_turn(&rig, 300000);
	ck_assert_ptr_null(deliverer_job(&rig.deliverer[0], m->id[0]));
	ck_assert_uint_eq(rig.deliverer[0].n_works, 1);
	snprintf(strstr(rig.conf, "Domain"), 10, "\n");
	ck_assert_int_eq(worker_harness_config(&rig.h, slice_of(rig.conf),
	    &err), 0);
	work_for(m->id[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(listener_dies)
{
	struct mail *m[10], *last;

	rig_start(&rig, "");
	rig.deliverer[0].credit = 4;
	for (unsigned i = 0; i < 10; i++) {
		m[i] = stored(1, to_net, 30000);
	}
	work_for(m[0]->id[0]);
	listener_die(&rig.listener[0]);
	last = stored(1, to_net, 500);
	/* What was at the deliverer goes on in the dead one's memory; the rest
	 * comes from the journal. */
	rig.deliverer[0].on_work = job_deliver;
	deliver_held(&rig.deliverer[0]);
	for (unsigned i = 0; i < 10; i++) {
		logged(m[i]->id[0], 'D', 1);
	}
	logged(last->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	for (unsigned i = 0; i < RIG_SLABS; i++) {
		const struct lent *s = &rig.deliverer[0].lent[i];

		ck_assert(s->map == NULL || s->gone ||
		    s->role == ROLE_SPOOLER || s->incarnation == 2);
	}
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(logger_comes_late)
{
	struct mail *m[60];

	rig_start(&rig, "");
	rig.deliverer[0].on_work = job_deliver;
	rig_unlink_logger(&rig, true);
	for (unsigned i = 0; i < 30; i++) {
		m[i] = stored(1, to_net, 100);
	}
	rig_turn(&rig, 100000);
	rig_link_logger(&rig);
	for (unsigned i = 30; i < 60; i++) {
		m[i] = stored(1, to_net, 100);
		if (i % 10 == 5) {
			/* It dies with what it had not made durable, while a
			 * reader may be at work for it. */
			rig_unlink_logger(&rig, true);
			rig_link_logger(&rig);
		}
	}
	for (unsigned i = 0; i < 60; i++) {
		logged(m[i]->id[0], 'D', 1);
		ck_assert_uint_eq(logger_count(&rig, m[i]->id[0], 'R'), 1);
	}
	rig_stop(&rig);
}
END_TEST

START_TEST(malformed_outcome_loses_nothing)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;
	struct job *j;

	rig_start(&rig, "");
	m = stored(3, to_three, 100);
	j = work_for(m->id[0]);
	j->n = 2;	/* says nothing of the third */
	job_outcome(d, j, "TT");
	while (d->up) {
		rig_turn(&rig, 10000);
	}
	deliverer_die(d, true);
	j = work_for(m->id[0]);
	ck_assert_uint_eq(j->n, 3);
	job_deliver(d, j);
	logged(m->id[2], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spooler");
	TCase *t = tcase_create("spooler");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, stored_means_durable);
	tcase_add_test(t, events_in_order);
	tcase_add_test(t, delays_grow);
	tcase_add_test(t, refused_bounces);
	tcase_add_test(t, too_many_retries);
	tcase_add_test(t, expiry);
	tcase_add_test(t, expiry_while_suspended);
	tcase_add_test(t, beyond_the_credit);
	tcase_add_test(t, window_follows_the_backlog);
	tcase_add_test(t, mixed_outcomes);
	tcase_add_test(t, suspended);
	tcase_add_test(t, listener_dies);
	tcase_add_test(t, logger_comes_late);
	tcase_add_test(t, malformed_outcome_loses_nothing);
	suite_add_tcase(s, t);
	return run_suite(s);
}
