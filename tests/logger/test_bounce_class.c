/* SPDX-License-Identifier: Apache-2.0 */
/* Failures and their classes. */
#include "common/base/base.h"

#include <check.h>

#include "logger/bounce_class.h"

static const struct {
	char kind;
	uint8_t stage, flags;
	uint16_t code;
	const char *reply;
	int class;
} cases[] = {
	{ 'P', 5, 0, 550, "550 5.1.1 no such user", 10 },
	{ 'P', 5, 0, 550, "550 5.1.1 <spamfan@relay.example> unknown", 10 },
	{ 'P', 5, 0, 550, "550 No such user", 10 },
	{ 'P', 5, 0, 0, "550 No such user", 10 },
	{ 'P', 9, 0, 550, "550 no", 40 },
	{ 'P', 5, 0, 551, "551 user not local", 10 },
	{ 'P', 4, 0, 553, "553 bad mailbox name", 10 },
	{ 'P', 3, 0, 553, "553 bad sender", 40 },
	{ 'P', 5, 0, 550, "550 5.2.1 disabled", 10 },
	{ 'P', 5, 0, 552, "552 5.2.2 over quota", 22 },
	{ 'T', 5, 0, 452, "452 4.2.2 over quota", 22 },
	{ 'P', 5, 0, 552, "552 storage exceeded", 22 },
	{ 'P', 9, 0, 552, "552 too much data", 23 },
	{ 'P', 3, 0, 552, "552 5.3.4 too big", 23 },
	{ 'P', 9, 0, 550, "550 5.2.3 too big", 23 },
	{ 'P', 0, 0, 550, "550 5.1.2 no such domain", 21 },
	{ 'P', 0, 0, 554, "554 5.4.4 no route", 21 },
	{ 'T', 0, 0, 454, "454 4.4.3 lookup failed", 21 },
	{ 'P', 0, 0, 554, "554 5.4.7 too long", 24 },
	{ 'P', 9, EVENT_EXPIRED, 450, "450 4.2.1 busy", 24 },
	{ 'P', 9, EVENT_ADMIN, 550, "550 5.1.1 removed", 25 },
	{ 'P', 0, 0, 554, "554 5.4.6 loop", 20 },
	{ 'P', 7, 0, 554, "554 no valid recipients", 30 },
	{ 'P', 9, 0, 554, "554 5.6.0 broken", 40 },
	{ 'P', 9, 0, 554, "554 5.7.1 go away", 50 },
	{ 'P', 12, 0, 554, "554 not you", 50 },
	{ 'P', 5, 0, 550, "550 5.7.1 listed by Spamhaus", 51 },
	{ 'P', 5, 0, 550, "550 on a BLACKLIST", 51 },
	{ 'P', 9, 0, 550, "550 5.7.1 looks like SPAM", 52 },
	{ 'P', 9, 0, 550, "550 virus found", 53 },
	{ 'P', 9, 0, 550, "550 5.7.0 attachment refused", 53 },
	{ 'P', 5, 0, 554, "554 5.7.1 Relay access denied", 54 },
	{ 'P', 5, 0, 550, "550 relaying denied", 54 },
	{ 'T', 5, 0, 450, "450 4.1.1 later", 70 },
	{ 'T', 0, 0, 0, "", 70 },
	{ 'T', 0, 0, 421, "421 bye", 70 },
	{ 'P', 9, 0, 0, "", 1 },
	{ 'P', 9, 0, 0, "hm", 1 },
	{ 'P', 255, 0, 599, "599", 40 },
	/* Not enhanced codes. */
	{ 'P', 9, 0, 550, "550 5.1 x", 40 },
	{ 'P', 9, 0, 550, "550 5.1.1.1 x", 40 },
	{ 'P', 9, 0, 550, "550 2.1.1 x", 40 },
	{ 'P', 9, 0, 550, "550 5.1.1111 x", 40 },
	{ 'P', 9, 0, 550, "550 5.1.", 40 },
	{ 'P', 9, 0, 550, "550 5.1.1", 10 },
	{ 'P', 9, 0, 0, "5.1.1 without a code", 10 },
};

START_TEST(classes)
{
	const struct event e = { .kind = (uint8_t)cases[_i].kind,
		.stage = cases[_i].stage, .flags = cases[_i].flags,
		.code = cases[_i].code, .reply = slice_of(cases[_i].reply) };

	ck_assert_msg((int)bounce_class_of(&e) == cases[_i].class,
	    "%s: %d", cases[_i].reply, (int)bounce_class_of(&e));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bounce_class");
	TCase *t = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, classes, 0, (int)ARRAY_LEN(cases));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
