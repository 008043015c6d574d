/* SPDX-License-Identifier: Apache-2.0 */
/* Stage and code -> kind; our own replies. */
#include <check.h>

#include "deliverer/reply_class.h"

START_TEST(classes)
{
	static const struct {
		unsigned stage, code;
		char kind;
	} t[] = {
		{ STAGE_CONFIRMATION, 250, 'D' }, { STAGE_CONFIRMATION, 251, 'D' },
		{ STAGE_CONFIRMATION, 354, 'T' }, { STAGE_CONFIRMATION, 451, 'T' },
		{ STAGE_CONFIRMATION, 554, 'P' }, { STAGE_MAIL_FROM, 250, 'T' },
		{ STAGE_MAIL_FROM, 552, 'P' }, { STAGE_RCPT_TO, 250, 'T' },
		{ STAGE_RCPT_TO, 450, 'T' }, { STAGE_RCPT_TO, 550, 'P' },
		{ STAGE_RCPT_TO, 552, 'T' }, { STAGE_RCPT_TO, 421, 'T' },
		{ STAGE_DATA, 554, 'P' }, { STAGE_BODY, 552, 'P' },
		{ STAGE_BODY, 250, 'T' }, { STAGE_BANNER, 554, 'T' },
		{ STAGE_EHLO, 550, 'T' }, { STAGE_RSET, 500, 'T' },
		{ STAGE_NOT_CONNECTED, 554, 'T' }, { STAGE_CONFIRMATION, 0, 'T' },
		{ STAGE_CONFIRMATION, 600, 'T' }, { STAGE_CONFIRMATION, 199, 'T' },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ck_assert_msg((char)reply_class(t[i].stage, t[i].code) ==
		    t[i].kind, "stage %u code %u", t[i].stage, t[i].code);
	}
	for (unsigned stage = 0; stage < EVENT_STAGE_COUNT; stage++) {
		for (unsigned code = 0; code < 700; code++) {
			ck_assert((reply_class(stage, code) == EVENT_DELIVERY)
			    == (stage == STAGE_CONFIRMATION && code >= 200 &&
			    code <= 299));
		}
	}
}
END_TEST

START_TEST(texts)
{
	for (unsigned f = 0; f < INTERNAL_COUNT; f++) {
		const struct internal_text *x = internal_text(
		    (enum internal_failure)f);
		char head[16];

		/* "451 4.": code, class of the enhanced code, our tag. */
		snprintf(head, sizeof head, "%u %u.", x->code, x->code / 100);
		ck_assert(strncmp(x->text, head, strlen(head)) == 0);
		ck_assert_ptr_nonnull(strstr(x->text, " [internal] "));
		ck_assert(x->kind == (x->code >= 500 ? EVENT_PERMANENT :
		    EVENT_TRANSIENT));
	}
	ck_assert_str_eq(internal_text(INTERNAL_NO_HOSTS)->text,
	    "451 4.4.1 [internal] No valid hosts (unable to make any "
	    "connections)");
	ck_assert_str_eq(internal_text(INTERNAL_CONNECT_TIMEOUT)->text,
	    "450 4.4.1 [internal] Connection Timed Out");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reply_class");
	TCase *t = tcase_create("reply_class");
	SRunner *r;
	int failed;

	tcase_add_test(t, classes);
	tcase_add_test(t, texts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
