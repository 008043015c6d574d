/* SPDX-License-Identifier: Apache-2.0 */
/* The spooler, its deliverers or both are killed at the worst moment. */
#include "tests/spooler/steps.h"

#include <fcntl.h>

#include "common/base/clock.h"

/* Killed after each step of a message's life; what follows is as if nothing
 * had happened. */
enum point {
	AFTER_STORED, AFTER_WORK, AFTER_OUTCOME, AFTER_ACK, AFTER_RETRY,
	AFTER_SETTLED, AFTER_SETTLED_RETRY, BEFORE_ANSWER, POINTS
};

static void
wait_acked(struct job *j)
{
	(void)j;
	rig_until(&rig, no_jobs, &rig.deliverer[0]);
}

START_TEST(killed_at)
{
	enum point point = (enum point)_i;
	struct fake_deliverer *d = &rig.deliverer[0];
	unsigned one = 1, attempts = 0;
	struct mail *m;

	rig_start(&rig, point < AFTER_SETTLED ? "Retry_Interval = 0.3\n" :
	    "Retry_Interval = 1.5\nSettle_After = 0.1\n");
	if (point == BEFORE_ANSWER) {
		m = rig_store(&rig, 0, "a@example.com", 1, to_net, 9000);
		loop_turn(rig.loop, false);	/* it is on its way */
		rig_kill(&rig);
		rig_until(&rig, mail_is_answered, m);
		ck_assert_int_eq(m->result, STORED_OK);
	} else {
		m = stored(1, to_net, 9000);
	}
	if (point == AFTER_STORED) {
		rig_kill(&rig);
	}
	work_for(m->id[0]);
	if (point == AFTER_WORK) {
		rig_kill(&rig);
		ck_assert_uint_eq(d->n_works, 1);
	}
	if (point == AFTER_RETRY || point >= AFTER_SETTLED) {
		job_defer(d, work_for(m->id[0]));
		wait_acked(NULL);
		attempts = 1;
	}
	if (point == AFTER_RETRY) {
		rig_kill(&rig);
	}
	if (point == AFTER_SETTLED || point == AFTER_SETTLED_RETRY) {
		rig_until(&rig, is_settled, &one);
		rig_turn(&rig, 400000);		/* SETTLED, too */
		if (point == AFTER_SETTLED_RETRY) {
			job_defer(d, work_for(m->id[0]));
			wait_acked(NULL);
			attempts = 2;
		}
		rig_kill(&rig);
	}
	work_for(m->id[0]);
	if (attempts > 0) {
		ck_assert_uint_ge(clock_wall_us(), logged(m->id[0], 'T',
		    attempts)->e.next_us);
	}
	job_deliver(d, work_for(m->id[0]));
	if (point == AFTER_OUTCOME) {
		loop_turn(rig.loop, false);
		rig_kill(&rig);
	}
	wait_acked(NULL);
	if (point == AFTER_ACK) {
		rig_kill(&rig);
	}
	ck_assert_uint_eq(logged(m->id[0], 'D', 1)->e.attempts, attempts);
	rig_until(&rig, rig_is_drained, &rig);
	rig_kill(&rig);
	rig_turn(&rig, 300000);
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_QUEUED), 0);
	ck_assert_uint_eq(d->n_jobs, 0);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'R'), 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'T'), attempts);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'D'), 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

/* An outcome that is durable, and whose ack was lost, is said again: it counts
 * once.  One that was not durable counts, too. */
START_TEST(outcome_said_twice)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;
	struct job *j;

	rig_start(&rig, "Retry_Interval = 0.4\n");
	m = stored(3, to_three, 100);
	j = work_for(m->id[0]);
	/* Said, durable, logged; its ack never read. */
	job_outcome(d, j, "DTP");
	loop_turn(rig.loop, false);
	while (!in_file("451 4.2.0 later", 15)) {
		ck_assert_int_eq(usleep(1000), 0);	/* our loop stands */
	}
	rig_kill(&rig);
	job_deliver(d, work_for(m->id[1]));
	ck_assert_uint_eq(logged(m->id[1], 'D', 1)->e.attempts, 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[1], 'T'), 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'D'), 1);
	rig_stop(&rig);
}
END_TEST

START_TEST(held_over_restarts)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m[20];
	unsigned works;

	rig_start(&rig, "Settle_After = 0.1\n");
	d->credit = 100;
	for (unsigned i = 0; i < 20; i++) {
		m[i] = stored(1, to_net, 2000);
		work_for(m[i]->id[0]);
	}
	works = d->n_works;
	for (unsigned n = 0; n < 3; n++) {
		rig_kill(&rig);
		rig_turn(&rig, 300000);
	}
	ck_assert_uint_eq(d->n_works, works);	/* none handed out again */
	/* Their memory is still theirs: new mail goes elsewhere. */
	for (unsigned i = 0; i < 20; i++) {
		stored(1, (const char *const[]){ "o@example.org" }, 2000);
	}
	for (unsigned i = 0; i < 20; i++) {
		struct job *j = deliverer_job(d, m[i]->id[0]);

		ck_assert(mail_is_whole(m[i]->batch, 0, j->piece[0].bytes));
		job_deliver(d, j);
	}
	for (unsigned i = 0; i < 20; i++) {
		logged(m[i]->id[0], 'D', 1);
	}
	d->on_work = job_deliver;
	deliver_held(d);
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

#define STUCK "FF/00-00001-00000001.meta"
#define SCANNED "messages found in the journal"

/* The store's scan does not come to its end while nobody writes this pipe:
 * without a checkpoint it reads all .meta files. */
static void
block_scan(struct rig *r)
{
	char path[128];

	snprintf(path, sizeof path, "rm -f %s/checkpoint/*", r->dir);
	ck_assert_int_eq(system(path), 0);
	snprintf(path, sizeof path, "%s/" STUCK, r->dir);
	ck_assert_int_eq(mkfifo(path, 0640), 0);
}

static void
unblock_scan(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/" STUCK, rig.dir);
	fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* However long the scan of the store takes: what a deliverer held is written
 * when it says so (0: from the journal, 1: settled; 2, 3: or when it dies),
 * and the journal's segments are used again. */
START_TEST(nothing_waits_for_the_scan)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m, *last;
	unsigned n = 1, scans;

	rig_start(&rig, _i % 2 == 0 ? "" : "Settle_After = 0.1\n");
	m = last = stored(1, to_net, 2000);
	work_for(m->id[0]);
	if (_i % 2 == 1) {
		rig_until(&rig, is_settled, &n);
	}
	while ((scans = rig_log_count(&rig, SCANNED)) == 0) {
		rig_turn(&rig, 10000);
	}
	rig.between = block_scan;
	rig_kill(&rig);
	rig.between = NULL;
	if (_i < 2) {
		job_deliver(d, work_for(m->id[0]));
	} else {
		job_stage(d, work_for(m->id[0]), STAGE_ACCEPTED);
		deliverer_die(d, true);
	}
	logged(m->id[0], 'D', 1);
	d->on_work = job_deliver;
	for (unsigned i = 0; _i == 0 && i < 350; i++) {
		/* 70 MB, more than the journal holds */
		last = stored(1, to_net, 200000);
	}
	logged(last->id[0], 'D', 1);
	ck_assert_uint_eq(rig_log_count(&rig, SCANNED), scans);
	unblock_scan();
	while (rig_log_count(&rig, SCANNED) == scans) {
		rig_turn(&rig, 10000);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

static const struct {
	enum stage_point point;
	bool told_first;
} deaths[] = {
	{ STAGE_NOTHING, true }, { STAGE_NOTHING, false },
	{ STAGE_DOT, true }, { STAGE_DOT, false },
	{ STAGE_ACCEPTED, true }, { STAGE_ACCEPTED, false },
	{ STAGE_REFUSED, true }, { STAGE_REFUSED, false },
};

/* Deaths: twice as many cases, the second half with a spooler that was
 * restarted before. */
START_TEST(deliverer_dies)
{
	unsigned n = (unsigned)_i % ARRAY_LEN(deaths);
	struct fake_deliverer *d = &rig.deliverer[0];
	const struct seen *e;
	struct mail *m;

	rig_start(&rig, "Settle_After = 0.1\n");
	m = stored(1, to_net, 7000);
	work_for(m->id[0]);
	if ((unsigned)_i >= ARRAY_LEN(deaths)) {
		rig_turn(&rig, 600000);		/* settled while held */
		rig_kill(&rig);
		rig_turn(&rig, 300000);
	}
	job_stage(d, work_for(m->id[0]), deaths[n].point);
	deliverer_die(d, deaths[n].told_first);
	if (deaths[n].point == STAGE_ACCEPTED) {
		e = logged(m->id[0], 'D', 1);
		ck_assert_uint_eq(e->e.sent, 7000);
		ck_assert_uint_eq(e->e.remote_ip[0], 7);
		rig_turn(&rig, 200000);
		ck_assert_uint_eq(d->n_works, 1);	/* not again */
	} else {
		job_deliver(d, work_for(m->id[0]));
		e = logged(m->id[0], 'D', 1);
		ck_assert_uint_eq(e->e.flags, deaths[n].point == STAGE_DOT ?
		    EVENT_POSSIBLE_DUPLICATE : 0);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

static void
deliverer_is_gone(struct rig *r)
{
	deliverer_close(&r->deliverer[0]);
	r->deliverer[0].incarnation++;
}

/* Spooler and deliverer die together, and nobody is left who could say what
 * was in flight: the stage table can.  The second half with settled mail, of
 * which the journal knows nothing. */
START_TEST(both_die)
{
	unsigned n = (unsigned)_i % 4;
	const enum stage_point point = (enum stage_point[]){ STAGE_NOTHING,
		STAGE_DOT, STAGE_ACCEPTED, STAGE_REFUSED }[n];
	struct fake_deliverer *d = &rig.deliverer[0];
	unsigned works, files = 3;
	struct mail *m, *other;

	rig_start(&rig, _i >= 4 ? "Settle_After = 0.1\n" : "");
	other = stored(1, (const char *const[]){ "o@example.org" }, 100);
	job_deliver(d, work_for(other->id[0]));	/* its slot says so, too */
	rig_until(&rig, no_jobs, d);
	m = stored(3, to_three, 7000);
	work_for(m->id[0]);
	if (_i >= 4) {
		rig_until(&rig, is_settled, &files);
	}
	/* The first two recipients were taken by RCPT. */
	job_stage_of(d, work_for(m->id[0]), point, "DDT");
	works = d->n_works;
	rig.between = deliverer_is_gone;
	rig_kill(&rig);
	rig.between = NULL;
	d->on_work = job_deliver;
	deliver_held(d);
	for (unsigned i = 0; i < 3; i++) {
		const struct seen *e = logged(m->id[i], 'D', 1);

		ck_assert_uint_eq(e->e.flags, point == STAGE_DOT && i < 2 ?
		    EVENT_POSSIBLE_DUPLICATE : 0);
		ck_assert_uint_eq(e->e.remote_ip[0], point == STAGE_ACCEPTED &&
		    i < 2 ? 7 : 0);
	}
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_POSSIBLE_DUPLICATES),
	    point == STAGE_DOT ? 2 : 0);
	ck_assert_uint_gt(d->n_works, works);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(logger_count(&rig, other->id[0], 'D'), 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spooler_kill");
	TCase *t = tcase_create("spooler_kill");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, killed_at, 0, POINTS);
	tcase_add_test(t, outcome_said_twice);
	tcase_add_test(t, held_over_restarts);
	tcase_add_loop_test(t, nothing_waits_for_the_scan, 0, 4);
	tcase_add_loop_test(t, both_die, 0, 8);
	tcase_add_loop_test(t, deliverer_dies, 0, 2 * ARRAY_LEN(deaths));
	suite_add_tcase(s, t);
	return run_suite(s);
}
