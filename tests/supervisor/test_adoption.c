/* SPDX-License-Identifier: Apache-2.0 */
/* Every slot of an absent listener is served by exactly one that is ready. */
#include "supervisor/adoption.h"

#include <check.h>

#include "supervisor/links.h"

/* A model of the listeners: what each was told to serve besides its own. */
struct model {
	bool serves[SCORE_PER_ROLE][SCORE_PER_ROLE];
};

static void
obey(struct model *m, const struct adoption_order *orders, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		bool *it = &m->serves[orders[i].to][orders[i].slot];

		/* No order says what holds already. */
		ck_assert_int_ne(*it, orders[i].on);
		ck_assert_uint_ne(orders[i].to, orders[i].slot);
		*it = orders[i].on;
	}
}

static void
holds(const struct model *m, const bool *ready, unsigned n)
{
	bool some = false;

	for (unsigned i = 0; i < n; i++) {
		some |= ready[i];
	}
	for (unsigned slot = 0; slot < n; slot++) {
		unsigned servers = 0;

		for (unsigned who = 0; who < n; who++) {
			servers += ready[who] && m->serves[who][slot];
		}
		ck_assert_uint_eq(servers, !ready[slot] && some ? 1 : 0);
	}
}

/* Every sequence of three changes of readiness among n listeners. */
START_TEST(all_short_histories)
{
	for (unsigned n = 1; n <= 4; n++) {
		for (unsigned walk = 0; walk < n * n * n; walk++) {
			struct adoption a;
			struct model m = { 0 };
			struct adoption_order orders[ADOPTION_ORDERS_MAX];
			bool ready[4] = { true, true, true, true };
			unsigned left = walk;

			adoption_init(&a);
			for (int turn = 0; turn < 3; turn++, left /= n) {
				unsigned who = left % n;

				ready[who] = !ready[who];
				if (!ready[who]) {
					adoption_forget(&a, who);
					memset(m.serves[who], 0,
					    sizeof m.serves[who]);
				}
				obey(&m, orders, adoption_step(&a, ready, n,
				    orders));
				holds(&m, ready, n);
				ck_assert_uint_eq(adoption_step(&a, ready, n,
				    orders), 0);
			}
		}
	}
}
END_TEST

START_TEST(load_is_spread)
{
	struct adoption a;
	struct adoption_order orders[ADOPTION_ORDERS_MAX];
	bool ready[6] = { false, false, false, true, true, true };
	unsigned carries[6] = { 0 };

	adoption_init(&a);
	ck_assert_uint_eq(adoption_step(&a, ready, 6, orders), 3);
	for (unsigned i = 0; i < 3; i++) {
		carries[orders[i].to]++;
	}
	for (unsigned i = 3; i < 6; i++) {
		ck_assert_uint_eq(carries[i], 1);
	}
}
END_TEST

/* A leaving adopter (not dead) is relieved without being told. */
START_TEST(an_adopter_that_leaves_is_replaced)
{
	struct adoption a;
	struct adoption_order orders[ADOPTION_ORDERS_MAX];
	bool ready[3] = { false, true, true };
	unsigned first;

	adoption_init(&a);
	ck_assert_uint_eq(adoption_step(&a, ready, 3, orders), 1);
	first = orders[0].to;
	ready[first] = false;
	ck_assert_uint_eq(adoption_step(&a, ready, 3, orders), 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(orders[i].to, 3 - first);
		ck_assert(orders[i].on);
	}
}
END_TEST

struct look {
	uint64_t silent_s, sessions, waiting;	/* of listener 0 */
	uint64_t others_sessions, others_waiting;
	unsigned times;
	bool helped;	/* after the last of them, and not before */
};

#define LOOKS 4u

/* Listener 0 of three that are all there; each row goes on where the one
 * before it ended, from help for nobody. */
START_TEST(who_is_there_is_helped_by_what_was_seen)
{
	static const struct look rows[][LOOKS] = {
		/* A calm site. */
		{ { 0, 0, 0, 0, 0, 20, false } },
		{ { 2, 63, 15, 0, 0, 20, false } },
		/* Silent: at once, and until it is heard for a while. */
		{ { 3, 0, 0, 0, 0, 1, true }, { 60, 0, 0, 0, 0, 9, true },
		    { 0, 0, 0, 0, 0, 5, false } },
		{ { 3, 0, 0, 0, 0, 1, true }, { 0, 0, 0, 0, 0, 4, true },
		    { 3, 0, 0, 0, 0, 1, true }, { 0, 0, 0, 0, 0, 5, false } },
		/* Its backlog, twice in a row. */
		{ { 0, 0, 16, 0, 0, 2, true }, { 0, 0, 7, 0, 0, 5, false } },
		{ { 0, 0, 500, 0, 0, 1, false }, { 0, 0, 0, 0, 0, 1, false },
		    { 0, 0, 500, 0, 0, 1, false } },
		{ { 0, 0, 16, 0, 0, 2, true }, { 0, 0, 8, 0, 0, 20, true } },
		/* All have one: help would help nobody. */
		{ { 0, 0, 500, 0, 400, 20, false } },
		{ { 0, 0, 500, 0, 126, 20, false } },
		{ { 0, 0, 500, 0, 125, 2, true },
		    { 0, 0, 500, 0, 250, 20, true },
		    { 0, 0, 500, 0, 251, 5, false } },
		/* Sessions: 64 more than twice the neighbours'. */
		{ { 0, 64, 0, 0, 0, 2, true }, { 0, 32, 0, 0, 0, 20, true },
		    { 0, 31, 0, 0, 0, 5, false } },
		{ { 0, 1063, 0, 500, 0, 20, false } },
		{ { 0, 1064, 0, 500, 0, 2, true },
		    { 0, 782, 0, 500, 0, 20, true },
		    { 0, 781, 0, 500, 0, 5, false } },
		/* Between the borders nothing flaps. */
		{ { 0, 1000, 0, 500, 0, 20, false },
		    { 0, 1064, 0, 500, 0, 2, true },
		    { 0, 1000, 0, 500, 0, 20, true } },
	};
	static const bool ready[3] = { true, true, true };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct adoption_order orders[ADOPTION_ORDERS_MAX];
		struct adoption a;
		bool helped = false;

		adoption_init(&a);
		for (unsigned k = 0; k < LOOKS && rows[i][k].times > 0; k++) {
			const struct look *l = &rows[i][k];
			struct adoption_seen seen[3] = {
			    { true, l->silent_s * 1000000, l->sessions,
			    l->waiting },
			    { true, 0, l->others_sessions, l->others_waiting },
			    { true, 0, l->others_sessions,
			    l->others_waiting } };

			for (unsigned t = 1; t <= l->times; t++) {
				unsigned n;
				bool want = t == l->times ? l->helped : helped;
				bool turn = t == l->times &&
				    l->helped != helped;

				adoption_look(&a, seen, 3);
				n = adoption_step(&a, ready, 3, orders);
				ck_assert_msg(n == turn && want ==
				    (a.adopter[0] != ADOPTION_NONE), "row %zu "
				    "part %u look %u: %u orders, adopter %d", i,
				    k, t, n, a.adopter[0]);
			}
			helped = l->helped;
		}
	}
}
END_TEST

/* The least busy one helps; no one that needs help itself, unless the owner is
 * away and there is nobody else. */
START_TEST(the_helper_is_one_that_can)
{
	struct adoption a;
	struct adoption_order orders[ADOPTION_ORDERS_MAX];
	bool ready[4] = { true, true, true, true };
	struct adoption_seen seen[4] = { { true, 9000000, 5, 0 },
	    { true, 0, 30, 0 }, { true, 0, 20, 0 }, { true, 9000000, 0, 0 } };

	adoption_init(&a);
	adoption_look(&a, seen, 4);
	/* 2 has fewer sessions than 1, and then carries one already. */
	ck_assert_uint_eq(adoption_step(&a, ready, 4, orders), 2);
	ck_assert_int_eq(a.adopter[0], 2);
	ck_assert_int_eq(a.adopter[3], 1);
	/* The helper falls silent: it is relieved, and helped. */
	seen[2].silent_us = 9000000;
	adoption_look(&a, seen, 4);
	ck_assert_uint_eq(adoption_step(&a, ready, 4, orders), 3);
	ck_assert(orders[0].to == 2 && orders[0].slot == 0 && !orders[0].on);
	ck_assert(orders[1].to == 1 && orders[1].slot == 0 && orders[1].on);
	ck_assert(orders[2].to == 1 && orders[2].slot == 2 && orders[2].on);
	/* All are silent: an absent one's slot stays with whom it has, those
	 * of the others go back. */
	seen[1].silent_us = 9000000;
	ready[0] = seen[0].ready = false;
	adoption_forget(&a, 0);
	adoption_look(&a, seen, 4);
	adoption_step(&a, ready, 4, orders);
	ck_assert_int_eq(a.adopter[0], 1);
	ck_assert_int_eq(a.adopter[2], ADOPTION_NONE);
	ck_assert_int_eq(a.adopter[3], ADOPTION_NONE);
	ck_assert_uint_eq(adoption_step(&a, ready, 4, orders), 0);
}
END_TEST

START_TEST(alone_nobody_helps)
{
	struct adoption a;
	struct adoption_order orders[ADOPTION_ORDERS_MAX];
	bool ready[2] = { true, false };
	struct adoption_seen seen[2] = { { true, 9000000, 9999, 9999 } };

	adoption_init(&a);
	for (unsigned n = 1; n <= 2; n++) {
		adoption_look(&a, seen, n);
		adoption_look(&a, seen, n);
		/* The absent second is served even so. */
		ck_assert_uint_eq(adoption_step(&a, ready, n, orders), n - 1);
		ck_assert_int_eq(a.adopter[0], ADOPTION_NONE);
	}
}
END_TEST

/* What it was pressed by died with it. */
START_TEST(a_new_incarnation_begins_unpressed)
{
	struct adoption a;
	struct adoption_order orders[ADOPTION_ORDERS_MAX];
	bool ready[2] = { true, true };
	struct adoption_seen seen[2] = { { true, 9000000, 0, 0 },
	    { true, 0, 0, 0 } };

	adoption_init(&a);
	adoption_look(&a, seen, 2);
	ck_assert_uint_eq(adoption_step(&a, ready, 2, orders), 1);
	ready[0] = false;
	adoption_forget(&a, 0);
	ck_assert_uint_eq(adoption_step(&a, ready, 2, orders), 0);
	ready[0] = true;
	ck_assert_uint_eq(adoption_step(&a, ready, 2, orders), 1);
	ck_assert(!orders[0].on && orders[0].to == 1);
}
END_TEST

START_TEST(who_talks_to_whom)
{
	static const char *const want[ROLE_COUNT] = {
		/*                  Su Li Sp De Re Lo Co */
		[ROLE_SUPERVISOR] = ".......",
		[ROLE_LISTENER] =   "..x..x.",
		[ROLE_SPOOLER] =    ".x.x.xx",
		[ROLE_DELIVERER] =  "..x.x.x",
		[ROLE_RESOLVER] =   "...x..x",
		[ROLE_LOGGER] =     ".xx....",
		[ROLE_CONSOLE] =    "..xxx..",
	};

	for (unsigned a = 0; a < ROLE_COUNT; a++) {
		for (unsigned b = 0; b < ROLE_COUNT; b++) {
			bool may = false;

			ck_assert_msg(links_are_peers(a, b) ==
			    (want[a][b] == 'x'), "%s and %s",
			    ipc_role_name(a), ipc_role_name(b));
			/* A link makes sense if some message may use it. */
			for (unsigned t = 0; t < IPC_TYPES; t++) {
				may |= a != ROLE_SUPERVISOR &&
				    b != ROLE_SUPERVISOR &&
				    (ipc_may(a, b, t) || ipc_may(b, a, t));
			}
			ck_assert_int_eq(may, links_are_peers(a, b));
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("adoption");
	TCase *t = tcase_create("adoption");
	SRunner *r;
	int failed;

	tcase_add_test(t, all_short_histories);
	tcase_add_test(t, load_is_spread);
	tcase_add_test(t, an_adopter_that_leaves_is_replaced);
	tcase_add_test(t, who_is_there_is_helped_by_what_was_seen);
	tcase_add_test(t, the_helper_is_one_that_can);
	tcase_add_test(t, alone_nobody_helps);
	tcase_add_test(t, a_new_incarnation_begins_unpressed);
	tcase_add_test(t, who_talks_to_whom);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
