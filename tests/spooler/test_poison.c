/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Poison: one message ends every deliverer that begins it.  It must end in
 * quarantine with its envelope, once, and nothing else with it; whatever else
 * was in flight is delivered.  An operator's kills convict nobody.
 */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>

#include "common/base/fdio.h"

#define INNOCENT 30u

static struct rig rig;
static msgid killer;
static unsigned max_begun;	/* works begun at one deliverer at once */

static struct mail *
stored(const char *rcpt)
{
	struct mail *m = rig_store(&rig, 0, "a@example.com", 1, &rcpt, 3000);

	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	return m;
}

static void
begin(struct fake_deliverer *d, struct job *j)
{
	job_stage(d, j, STAGE_BEGUN);
	max_begun = EC_MAX(max_begun, d->n_jobs);
}

/* Begins all; the killer stays begun, the others get through. */
static void
deliver_others(struct fake_deliverer *d, struct job *j)
{
	begin(d, j);
	if (j->id[0] != killer) {
		job_deliver(d, j);
	}
}

static unsigned
in_hand(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		n += rig.deliverer[i].n_jobs;
	}
	return n;
}

static bool
all_in_hand(void *n)
{
	return in_hand() == *(unsigned *)n;
}

static bool
killer_in_hand(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		if (deliverer_job(&rig.deliverer[i], killer) != NULL) {
			return true;
		}
	}
	return false;
}

static struct fake_deliverer *
victim(void)
{
	return deliverer_job(&rig.deliverer[0], killer) != NULL ?
	    &rig.deliverer[0] : &rig.deliverer[1];
}

static bool
all_delivered(void *arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rig.n_mails; i++) {
		n += logger_count(&rig, rig.mail[i]->id[0], 'D');
	}
	return n == *(unsigned *)arg;
}

static bool
killer_ended(void *arg)
{
	(void)arg;
	return logger_count(&rig, killer, 'P') > 0;
}

static void
on_all(void (*fn)(struct fake_deliverer *, struct job *))
{
	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		rig.deliverer[i].on_work = fn;
	}
}

/* A deliverer with a killer, or all of them, die, with all begun. */
static void
kill_all(void)
{
	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		deliverer_die(&rig.deliverer[i], i % 2 == 0);
		rig.deliverer[i].on_work = begin;
	}
}

static void
open_rig(unsigned deliverers)
{
	rig_start(&rig, "Settle_After = 0.2\nRetry_Interval = 1\n");
	if (deliverers == 2) {
		rig.n_deliverers = 2;
		atomic_store(&rig.h.scoreboard->n_workers[ROLE_DELIVERER], 2);
		atomic_store(&rig.h.scoreboard->process[ROLE_DELIVERER][1].pid,
		    1);
		deliverer_open(&rig, 1, 1000);
	}
	on_all(begin);
	max_begun = 0;
	killer = MSGID_NONE;
}

static void
check_quarantine(unsigned n)
{
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), n * 4);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*.why"), n * 2);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*.meta.*[0-9]"), n);
}

static const struct {
	unsigned deliverers;
	bool restart_suspects;	/* the spooler is killed after two deaths */
	bool restart_after;	/* ...and after the end */
	bool settle;		/* all of it is settled meanwhile */
} poisons[] = {
	{ 1, false, false, false }, { 2, false, false, false },
	{ 1, true, true, false }, { 2, true, true, true },
	{ 1, false, true, true },
};

START_TEST(poison_alone)
{
	unsigned all = INNOCENT + 1, one = 1;
	char rcpt[64];

	open_rig(poisons[_i].deliverers);
	for (unsigned i = 0; i < INNOCENT; i++) {
		snprintf(rcpt, sizeof rcpt, "b@d%u.example", i % 7);
		stored(rcpt);
		if (i == INNOCENT / 2) {
			killer = stored("k@d3.example")->id[0];
		}
	}
	rig_until(&rig, all_in_hand, &all);
	kill_all();
	rig_until(&rig, all_in_hand, &all);
	if (poisons[_i].settle) {
		rig_turn(&rig, 600000);
	}
	kill_all();
	max_begun = 0;
	if (poisons[_i].restart_suspects) {
		rig_until(&rig, all_in_hand, &one);
		rig_kill(&rig);
	}
	on_all(deliver_others);
	/* What was handed out before this test could choose. */
	for (unsigned i = 0; i < rig.n_deliverers; i++) {
		struct job *j = deliverer_first(&rig.deliverer[i]);

		if (j != NULL && !j->told && j->id[0] != killer) {
			job_deliver(&rig.deliverer[i], j);
		}
	}
	rig_until(&rig, killer_in_hand, NULL);
	deliverer_die(victim(), true);
	on_all(deliver_others);
	all = INNOCENT;
	rig_until(&rig, killer_ended, NULL);
	rig_until(&rig, all_delivered, &all);
	ck_assert_uint_le(max_begun, 1);
	ck_assert_uint_eq(logger_find(&rig, killer, 'P', 0)->e.flags,
	    EVENT_QUARANTINED);
	check_quarantine(1);
	ck_assert(rig_log_has(&rig, "the last time alone"));
	rig_until(&rig, rig_is_drained, &rig);
	if (poisons[_i].restart_after) {
		rig_kill(&rig);
		rig_turn(&rig, 1000000);
		ck_assert(!killer_in_hand(NULL));
		check_quarantine(1);
	}
	ck_assert_uint_eq(logger_count(&rig, killer, 'P'), 1);
	rig_stop(&rig);
}
END_TEST

/* Kills of an operator: two with all in flight, then some of a deliverer whose
 * suspect waits for its host. */
START_TEST(innocent)
{
	unsigned all = 5, none = 0;

	open_rig(1);
	for (unsigned i = 0; i < all; i++) {
		stored("b@example.net");
	}
	rig_until(&rig, all_in_hand, &all);
	kill_all();
	rig_until(&rig, all_in_hand, &all);
	kill_all();
	on_all(NULL);
	for (unsigned i = 0; i < 2; i++) {
		unsigned one = 1;

		rig_until(&rig, all_in_hand, &one);
		deliverer_die(&rig.deliverer[0], true);
		on_all(NULL);
	}
	on_all(deliver_others);
	for (struct job *j; (j = deliverer_first(&rig.deliverer[0])) != NULL &&
	    !j->told;) {
		job_deliver(&rig.deliverer[0], j);
	}
	rig_until(&rig, all_delivered, &all);
	rig_until(&rig, all_in_hand, &none);
	check_quarantine(0);
	rig_stop(&rig);
}
END_TEST

/* One that leaves as told takes nothing with it that counts. */
START_TEST(left_as_told)
{
	unsigned all = 3;

	open_rig(1);
	for (unsigned i = 0; i < all; i++) {
		stored("b@example.net");
	}
	for (unsigned i = 0; i < 4; i++) {
		rig_until(&rig, all_in_hand, &all);
		deliverer_leave(&rig.deliverer[0]);
		on_all(begin);
	}
	rig_until(&rig, all_in_hand, &all);	/* together: no suspects */
	check_quarantine(0);
	rig_stop(&rig);
}
END_TEST

/* An attempt that a deliverer survived: counting begins anew. */
START_TEST(survived)
{
	unsigned all = 2;

	open_rig(1);
	stored("b@example.net");
	stored("c@example.net");
	for (unsigned i = 0; i < 2; i++) {
		rig_until(&rig, all_in_hand, &all);
		kill_all();
	}
	on_all(job_defer);
	for (struct job *j; (j = deliverer_first(&rig.deliverer[0])) != NULL &&
	    !j->told;) {
		job_defer(&rig.deliverer[0], j);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct job *j;

		while (logger_count(&rig, rig.mail[i]->id[0], 'T') == 0) {
			rig_turn(&rig, 1000);
		}
		j = deliverer_first(&rig.deliverer[0]);
		ck_assert(j == NULL || j->told);
	}
	on_all(begin);
	rig_until(&rig, all_in_hand, &all);
	kill_all();
	rig_until(&rig, all_in_hand, &all);	/* one death: no suspects */
	check_quarantine(0);
	rig_stop(&rig);
}
END_TEST

/* What cannot be begun at all (its route kills) is found, too. */
START_TEST(never_begun)
{
	unsigned all = 2, one = 1;

	open_rig(1);
	killer = stored("k@example.net")->id[0];
	on_all(NULL);
	for (unsigned i = 0; i < 6; i++) {
		rig_until(&rig, all_in_hand, &one);
		ck_assert(!killer_ended(NULL));
		deliverer_die(&rig.deliverer[0], true);
		on_all(NULL);
	}
	rig_until(&rig, killer_ended, NULL);
	check_quarantine(1);
	on_all(deliver_others);
	stored("b@example.net");
	stored("c@example.net");
	rig_until(&rig, all_delivered, &all);
	rig_stop(&rig);
}
END_TEST

/* A suspect that takes long gives the deliverer back to the mail. */
START_TEST(slow_trial)
{
	unsigned all = 2, others = 10, one = 1;

	open_rig(1);
	killer = stored("k@example.net")->id[0];
	stored("b@example.net");
	for (unsigned i = 0; i < 2; i++) {
		rig_until(&rig, all_in_hand, &all);
		kill_all();
	}
	on_all(deliver_others);
	for (struct job *j; (j = deliverer_first(&rig.deliverer[0])) != NULL &&
	    !j->told;) {
		deliver_others(&rig.deliverer[0], j);
	}
	for (unsigned i = 1; i < others; i++) {
		stored("b@example.net");
	}
	rig_until(&rig, all_delivered, &others);
	rig_until(&rig, all_in_hand, &one);	/* the others are acknowledged */
	/* It is not alone now: whoever dies now has proved nothing. */
	on_all(begin);
	stored("d@example.net");
	rig_until(&rig, all_in_hand, &all);
	deliverer_die(&rig.deliverer[0], true);
	on_all(deliver_others);
	rig_until(&rig, killer_in_hand, NULL);
	check_quarantine(0);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("poison");
	TCase *t = tcase_create("poison");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, poison_alone, 0, ARRAY_LEN(poisons));
	tcase_add_test(t, innocent);
	tcase_add_test(t, left_as_told);
	tcase_add_test(t, survived);
	tcase_add_test(t, never_begun);
	tcase_add_test(t, slow_trial);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
