/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages through the real spooler: their bodies go to large/, from there
 * to deliverers and to the store; also when it is killed at each step.
 */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>

#define SIZE 300001u

static struct rig rig;

static const char *const to_net[] = { "b@example.net" };
static const char *const to_three[] = { "x@example.net", "y@example.net",
	"z@example.org" };

static bool
large_is_empty(void *arg)
{
	(void)arg;
	return rig_files(&rig, "large/*") == 0;
}

static bool
is_drained(void *arg)
{
	(void)arg;
	return rig_is_drained(&rig) && large_is_empty(NULL);
}

static bool
all_settled(void *arg)
{
	const unsigned *n = arg;

	return rig_files(&rig, "[0-9A-F][0-9A-F]/*.meta") == *n;
}

static bool
has_job(void *arg)
{
	(void)arg;
	return rig.deliverer[0].n_jobs > 0;
}

static bool
is_replayed(void *arg)
{
	(void)arg;
	return rig_score(&rig, SCORE_S_REPLAY_PERCENT) == 100;
}

static struct mail *
stored(unsigned n, const char *const *rcpts)
{
	struct mail *m = rig_large(&rig, 0, "a@example.com", n, rcpts, SIZE);

	rig_until(&rig, mail_is_taken, m);
	rig_large_store(m);
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	return m;
}

static void
deliver(void)
{
	rig.deliverer[0].on_work = job_deliver;
	list_each(n, tmp, &rig.deliverer[0].jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			job_deliver(&rig.deliverer[0], j);
		}
	}
}

static bool
is_delivered(void *mail)
{
	const struct mail *m = mail;

	return m->delivered == (1u << m->n_rcpt) - 1;
}

/* Once each, and nothing is left behind. */
static void
finish(struct mail *m)
{
	deliver();
	if (m != NULL) {
		rig_until(&rig, is_delivered, m);
	}
	rig_until(&rig, is_drained, NULL);
	ck_assert(listener_is_empty(&rig.listener[0]));
	rig_stop(&rig);
}

START_TEST(delivered)
{
	struct mail *m;

	rig_start(&rig, "");
	m = stored(3, to_three);
	ck_assert_uint_eq(rig_files(&rig, "large/*"), 1);
	ck_assert_uint_eq(rig_files(&rig, "[0-9A-F][0-9A-F]/*"), 0);
	rig_until(&rig, has_job, NULL);
	finish(m);
}
END_TEST

/* Deferred, settled, delivered from the store. */
START_TEST(settled)
{
	unsigned n = 3;
	struct mail *m;

	rig_start(&rig, "Settle_After = 0.2\nRetry_Interval = 1\n");
	rig.deliverer[0].on_work = job_defer;
	m = stored(3, to_three);
	rig_until(&rig, all_settled, &n);
	ck_assert_uint_eq(rig_files(&rig, "[0-9A-F][0-9A-F]/*"), 6);
	rig_until(&rig, large_is_empty, NULL);
	finish(m);
}
END_TEST

/* One of three is done when the others settle. */
START_TEST(settled_in_part)
{
	struct mail *m;
	unsigned n = 2;

	rig_start(&rig, "Settle_After = 1\nRetry_Interval = 2\n");
	m = stored(3, to_three);
	while (rig.deliverer[0].n_works < 2) {
		rig_until(&rig, has_job, NULL);
		rig_turn(&rig, 10000);
	}
	list_each(node, tmp, &rig.deliverer[0].jobs) {
		struct job *j = list_entry(node, struct job, link);

		job_outcome(&rig.deliverer[0], j, j->n == 2 ? "DT" : "T");
	}
	rig_until(&rig, all_settled, &n);
	rig_until(&rig, large_is_empty, NULL);
	finish(m);
}
END_TEST

/* For good: the sender hears of it, with what the beginning of it says. */
START_TEST(bounced)
{
	struct job *j;

	rig_start(&rig, "");
	rig.deliverer[0].on_work = NULL;
	stored(1, to_net);
	rig_until(&rig, has_job, NULL);
	j = deliverer_first(&rig.deliverer[0]);
	job_outcome(&rig.deliverer[0], j, "P");
	while (rig.deliverer[0].n_works < 2) {
		rig_turn(&rig, 10000);
	}
	ck_assert_uint_eq(logger_count(&rig, MSGID_NONE, EVENT_PERMANENT), 1);
	finish(NULL);
}
END_TEST

/* What does not become mail goes: 0 its client left; 1 its listener died; 2 it
 * is not of the size that is said. */
START_TEST(given_up)
{
	struct mail *m;

	rig_start(&rig, "");
	m = rig_large(&rig, 0, "a@example.com", 1, to_net, SIZE);
	rig_until(&rig, mail_is_taken, m);
	ck_assert_uint_eq(rig_files(&rig, "large/*"), 1);
	if (_i == 0) {
		rig_large_abort(m);
	} else if (_i == 1) {
		listener_die(&rig.listener[0]);
	} else {
		m->size++;
		rig_large_store(m);
		rig_until(&rig, mail_is_answered, m);
		ck_assert_int_eq(m->result, STORED_FAILED);
	}
	rig_until(&rig, large_is_empty, NULL);
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_QUEUED), 0);
	finish(NULL);
}
END_TEST

/* A STORE_LARGE whose body never came. */
START_TEST(no_body)
{
	struct mail *m;

	rig_start(&rig, "");
	m = rig_large(&rig, 0, "a@example.com", 1, to_net, SIZE);
	rig_large_abort(m);
	rig_until(&rig, mail_is_taken, m);
	rig_large_store(m);
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_FAILED);
	finish(NULL);
}
END_TEST

enum { AT_DATA, AT_TAKEN, AT_STORE, AT_STORED, AT_WORK, AT_DEFERRED,
	AT_SETTLED, AT_DONE, POINTS };

/* Turns until the point is reached; the message that was begun. */
static struct mail *
reach(unsigned point, uint64_t spread)
{
	struct mail *m;
	unsigned n = 3;

	if (point == AT_DEFERRED || point == AT_SETTLED) {
		rig.deliverer[0].on_work = job_defer;
	} else if (point == AT_DONE) {
		rig.deliverer[0].on_work = job_deliver;
	}
	if (point >= AT_STORED) {
		m = stored(3, to_three);
	} else {
		m = rig_large(&rig, 0, "a@example.com", 3, to_three, SIZE);
	}
	if (point == AT_TAKEN) {
		rig_until(&rig, mail_is_taken, m);
	} else if (point == AT_STORE) {
		rig_until(&rig, mail_is_taken, m);
		rig_large_store(m);
		rig_turn(&rig, spread * 1500u);
	} else if (point == AT_WORK) {
		rig_until(&rig, has_job, NULL);
	} else if (point == AT_SETTLED) {
		rig_until(&rig, all_settled, &n);
	} else if (point == AT_DONE) {
		rig_until(&rig, is_drained, NULL);
	}
	return m;
}

/* Killed there: what has no 250 is gone or whole, what has one arrives. */
START_TEST(killed_at)
{
	struct mail *m;

	rig_start(&rig, _i / 3 == AT_SETTLED ?
	    "Settle_After = 0.2\nRetry_Interval = 1\n" :
	    "Retry_Interval = 1\n");
	m = reach((unsigned)_i / 3, (unsigned)_i % 3);
	rig_kill(&rig);
	rig_until(&rig, is_replayed, NULL);
	if (!m->sent) {
		rig_until(&rig, large_is_empty, NULL);
		ck_assert_uint_eq(rig_score(&rig, SCORE_S_QUEUED), 0);
		m = NULL;
	} else {
		rig_until(&rig, mail_is_answered, m);
		if (m->result != STORED_OK) {
			ck_assert_int_eq(_i / 3, AT_STORE);
			ck_assert_int_eq(m->result, STORED_FAILED);
			m = NULL;
		}
	}
	finish(m);
}
END_TEST

static void
spoil(struct rig *r, bool cut)
{
	char command[160];

	snprintf(command, sizeof command, cut ? "truncate -s 5 %s/large/*" :
	    "rm %s/large/*", r->dir);
	ck_assert_int_eq(system(command), 0);
}

/* One whose body somebody took away does not keep others from settling. */
START_TEST(spoiled_settles_others)
{
	unsigned n = 1;

	rig_start(&rig, "Settle_After = 1\nRetry_Interval = 60\n");
	rig.deliverer[0].on_work = job_defer;
	stored(1, to_net);
	spoil(&rig, false);
	rig_store(&rig, 0, "a@example.com", 1, to_net, 100);
	rig_until(&rig, all_settled, &n);
	rig_stop(&rig);
}
END_TEST

static void
spoil_cut(struct rig *r)
{
	spoil(r, true);
}

static void
spoil_gone(struct rig *r)
{
	spoil(r, false);
}

static bool
is_queued(void *arg)
{
	(void)arg;
	return rig_score(&rig, SCORE_S_QUEUED) == 1;
}

static bool
is_said(void *arg)
{
	return rig_log_has(&rig, arg);
}

/* Somebody damages the body: it is never delivered in part. */
START_TEST(spoiled)
{
	rig_start(&rig, "Retry_Interval = 1\n");
	rig.deliverer[0].on_work = job_defer;
	stored(1, to_net);
	rig.between = _i == 0 ? spoil_cut : spoil_gone;
	rig_kill(&rig);
	rig.between = NULL;
	rig_until(&rig, is_said, (void *)(uintptr_t)(_i == 0 ?
	    "its body in large/ has 5 bytes" :
	    "cannot open its body in large/"));
	rig_until(&rig, is_queued, NULL);
	ck_assert_uint_eq(logger_count(&rig, MSGID_NONE, EVENT_DELIVERY), 0);
	rig_stop(&rig);
}
END_TEST

static void
plant(struct rig *r)
{
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/large/12-34-00001-12345678", r->dir);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	ck_assert(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
	snprintf(path, sizeof path, "%s/large/not-ours", r->dir);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	ck_assert(fd >= 0);
	close(fd);
}

static bool
planted_is_gone(void *arg)
{
	(void)arg;
	return rig_files(&rig, "large/12-*") == 0;
}

/* A body that no record names goes at a start; a name not ours stays. */
START_TEST(left_over)
{
	struct mail *m;

	rig_start(&rig, "");
	m = stored(1, to_net);
	rig.between = plant;
	rig_kill(&rig);
	rig.between = NULL;
	rig_until(&rig, planted_is_gone, NULL);
	ck_assert_uint_eq(rig_files(&rig, "large/not-ours"), 1);
	ck_assert_uint_eq(rig_files(&rig, "large/*"), 2);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), 0);
	deliver();
	rig_until(&rig, is_delivered, m);
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("large");
	TCase *t = tcase_create("large");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, delivered);
	tcase_add_test(t, settled);
	tcase_add_test(t, settled_in_part);
	tcase_add_test(t, bounced);
	tcase_add_loop_test(t, given_up, 0, 3);
	tcase_add_test(t, no_body);
	tcase_add_loop_test(t, killed_at, 0, 3 * POINTS);
	tcase_add_loop_test(t, spoiled, 0, 2);
	tcase_add_test(t, spoiled_settles_others);
	tcase_add_test(t, left_over);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
