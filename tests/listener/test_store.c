/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with the spooler, as clients see it. */
#include "tests/listener/rig.h"

/* What the spooler says about a message, and what the client then hears. */
static const struct {
	unsigned result;
	const char *codes, *reply;
} results[] = {
	{ STORED_OK, "220 250 250 250 354 250", "250 2.0.0 OK " },
	{ STORED_FULL, "220 250 250 250 354 452", "452 4.3.1 " },
	{ STORED_FAILED, "220 250 250 250 354 451", "451 4.3.0 " },
	{ STORED_TOO_BIG, "220 250 250 250 354 552", "552 5.3.4 " },
};

START_TEST(answers)
{
	char id[MSGID_TEXT_LEN + 1];

	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&client[0], loop, port);
	say(0, HI MAIL1);
	wait_stores(1);
	/* Another client is served meanwhile; this one hears nothing. */
	talker_open(&client[1], loop, port);
	say(1, HI "QUIT\r\n");
	wait_end(1);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 354");
	fake_spooler_answer(&sp, 0, results[_i].result);
	wait_codes(6);
	ck_assert_str_eq(talker_codes(&client[0]), results[_i].codes);
	ck_assert(slice_starts(talker_last(&client[0]),
	    slice_of(results[_i].reply)));
	if (results[_i].result == STORED_OK) {
		msgid_format(sp.store[0].id, id);
		ck_assert(slice_eq(slice_skip(talker_last(&client[0]), 13),
		    slice_of(id)));
	} else {
		wait_rejects(1);
		ck_assert_str_eq(last_reject.phase, "async body response");
	}
	/* The session goes on. */
	sp.answer = STORED_OK;
	say(0, MAIL1);
	wait_codes(10);
	ck_assert_uint_eq(client[0].code[9], 250);
	finish();
}
END_TEST

/* The spooler is away when the dot comes. */
START_TEST(dies_before_store)
{
	start("");
	up();
	talker_open(&client[0], loop, port);
	say(0, OPEN);
	wait_codes(5);
	fake_spooler_down(&sp);
	say(0, TEXT ".\r\n");
	/* It has the dot once it serves another client behind it. */
	talker_open(&client[1], loop, port);
	say(1, "QUIT\r\n");
	wait_end(1);
	up();
	wait_codes(6);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 354 250");
	ck_assert_uint_eq(sp.n, 1);
	finish();
}
END_TEST

/* It dies with a STORE in hand, twice: the next one gets it again, marked. */
START_TEST(dies_after_store)
{
	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&client[0], loop, port);
	say(0, HI MAIL1 "NOOP\r\n");
	wait_stores(1);
	fake_spooler_down(&sp);
	up();
	wait_stores(2);
	fake_spooler_down(&sp);
	sp.answer = STORED_OK;
	up();
	wait_codes(7);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 354 250 250");
	ck_assert_uint_eq(sp.n, 3);
	ck_assert(sp.store[1].resent && sp.store[2].resent &&
	    sp.store[0].batch == sp.store[2].batch &&
	    sp.store[0].id == sp.store[2].id);
	ck_assert(slice_eq(content(&sp.store[2]), SLICE(TEXT)));
	finish();
}
END_TEST

START_TEST(store_timeout)
{
	start("Store_Timeout = 0.2\n");
	sp.answer = ANSWER_NONE;
	sp.hold = true;
	up();
	talker_open(&client[0], loop, port);
	say(0, HI MAIL1);
	wait_codes(6);	/* it has the STORE and is slow */
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 354 451");
	ck_assert_uint_eq(sp.n, 1);
	sp.hold = false;
	fake_spooler_answer(&sp, 0, STORED_OK);	/* nobody hears it */
	fake_spooler_down(&sp);
	say(0, MAIL1);	/* there is none at all */
	wait_codes(10);
	ck_assert_uint_eq(client[0].code[9], 451);
	/* The next one sees neither. */
	sp.answer = STORED_OK;
	up();
	say(0, MAIL1);
	wait_codes(14);
	ck_assert_uint_eq(client[0].code[13], 250);
	ck_assert_uint_eq(sp.n, 2);
	finish();
}
END_TEST

/* The client is gone while its message is stored. */
START_TEST(client_gone_while_storing)
{
	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&client[0], loop, port);
	talker_open(&client[1], loop, port);
	say(0, HI MAIL1);
	say(1, HI MAIL1);
	wait_stores(2);
	if (_i == 0) {
		talker_close(&client[0]);
	} else {
		talker_reset(&client[0]);
	}
	if (_i < 2) {
		/* The new spooler hears of the living client's alone. */
		fake_spooler_down(&sp);
		sp.answer = STORED_OK;
		up();
		while (client[1].n_codes < 6) {
			loop_turn(loop, true);
		}
		ck_assert_uint_eq(sp.n, 3);
		ck_assert(sp.store[2].resent);
	} else {
		/* A late answer for nobody. */
		fake_spooler_answer(&sp, 0, STORED_OK);
		fake_spooler_answer(&sp, 1, STORED_OK);
		while (client[1].n_codes < 6) {
			loop_turn(loop, true);
		}
		ck_assert_uint_eq(sp.outstanding, 0);
	}
	ck_assert_uint_eq(client[1].code[5], 250);
	finish();
}
END_TEST

/* No more STOREs at a time than the spooler allows. */
START_TEST(window)
{
	enum { N = 9 };
	unsigned done = 0;

	start("");
	sp.answer = ANSWER_NONE;
	sp.window = 2;
	up();
	for (unsigned i = 0; i < N; i++) {
		talker_open(&client[i], loop, port);
		say(i, HI MAIL1 "QUIT\r\n");
	}
	for (unsigned i = 0; i < N; i++) {
		wait_stores(i + 1);
		fake_spooler_answer(&sp, i, STORED_OK);
	}
	for (unsigned i = 0; i < N; i++) {
		wait_end(i);
		done += client[i].n_codes == 7 && client[i].code[5] == 250;
	}
	ck_assert_uint_eq(done, N);
	ck_assert_uint_le(sp.most, 2);
	finish();
}
END_TEST

WAIT(has_asked, sp.asked >= goal)

/* Leases that end at once: no ids, then 451, never an id twice. */
START_TEST(leases)
{
	start("");
	sp.lease_seconds = 0;
	up();
	sp.no_lease = true;
	goal = 2;	/* ahead of need, and again when there is no answer */
	wait_for(has_asked, NULL, "LEASE_ASK");
	talker_open(&client[0], loop, port);
	say(0, HI FROM TO);
	wait_codes(4);
	ck_assert_uint_eq(client[0].code[3], 451);
	sp.no_lease = false;
	sp.lease_seconds = 1000;
	fake_spooler_lease(&sp);
	do {
		say(0, TO);
		wait_codes(client[0].n_codes + 1);
	} while (client[0].code[client[0].n_codes - 1] == 451);
	say(0, "DATA\r\n" TEXT ".\r\n");
	wait_codes(client[0].n_codes + 2);
	ck_assert_uint_eq(client[0].code[client[0].n_codes - 1], 250);
	finish();
}
END_TEST

WAIT(arena_is_goal, arena_used() == goal)

/* A new spooler keeps one of two; and what it gives back before it has said
 * all may be used again at once. */
START_TEST(keep)
{
	unsigned each;

	start("");
	sp.hold = true;
	sp.no_keep_end = true;
	up();
	fake_spooler_keep_end(&sp);
	talker_open(&client[0], loop, port);
	say(0, HI MAIL1 MAIL1 MAIL1);
	wait_codes(14);
	each = (unsigned)arena_used() / 3;
	ck_assert_uint_gt(each, 0);
	fake_spooler_down(&sp);
	up();
	fake_spooler_keep(&sp, 0);
	fake_spooler_release(&sp, 1);
	goal = 2 * each;
	wait_for(arena_is_goal, NULL, "the release");
	say(0, MAIL1);	/* takes the place of what was released */
	wait_codes(18);
	ck_assert_uint_eq(sp.store[3].ext[0].offset,
	    sp.store[1].ext[0].offset);
	fake_spooler_keep_end(&sp);
	goal = 2 * each;	/* the kept one and the new one */
	wait_for(arena_is_goal, NULL, "the sweep");
	ck_assert_uint_eq(goal, 2 * each);
	sp.store[2].held = false;	/* swept */
	fake_spooler_release(&sp, 0);
	fake_spooler_release(&sp, 3);
	finish();
}
END_TEST

/* Room for few: the others are told to wait, and get theirs later. */
START_TEST(arena_full)
{
	enum { N = 40 };
	unsigned yes = 0, no = 0;

	start("Arena_Size = 32M\nLarge_Message_Threshold = 1M\n");
	up();
	for (unsigned i = 0; i < N; i++) {
		talker_open(&client[i], loop, port);
		say(i, OPEN);
	}
	for (unsigned i = 0; i < N; i++) {
		while (client[i].n_codes < 5) {
			loop_turn(loop, true);
		}
		yes += client[i].code[4] == 354;
		no += client[i].code[4] == 452;
	}
	ck_assert_uint_gt(yes, 10);
	ck_assert_uint_gt(no, 0);
	ck_assert_uint_eq(yes + no, N);
	for (unsigned i = 0; i < N; i++) {
		say(i, client[i].code[4] == 354 ? TEXT ".\r\nQUIT\r\n" :
		    "RSET\r\nQUIT\r\n");
		wait_end(i);
		ck_assert_uint_eq(client[i].code[5], 250);
	}
	/* No promise stayed behind. */
	talker_close(&client[0]);
	talker_open(&client[0], loop, port);
	for (int i = 0; i < 100; i++) {
		say(0, OPEN "a: b\r\n.\r\n");
	}
	wait_codes(501);
	ck_assert_uint_eq(sp.n, yes + 100);
	finish();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");

	add(s, "answers", answers, ARRAY_LEN(results));
	add(s, "dies_before_store", dies_before_store, 1);
	add(s, "dies_after_store", dies_after_store, 1);
	add(s, "store_timeout", store_timeout, 1);
	add(s, "client_gone_while_storing", client_gone_while_storing, 3);
	add(s, "window", window, 1);
	add(s, "leases", leases, 1);
	add(s, "keep", keep, 1);
	add(s, "arena_full", arena_full, 1);
	return run(s);
}
