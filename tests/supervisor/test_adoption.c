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
			struct adoption_order orders[SCORE_PER_ROLE];
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
	struct adoption_order orders[SCORE_PER_ROLE];
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
	struct adoption_order orders[SCORE_PER_ROLE];
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
	tcase_add_test(t, who_talks_to_whom);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
