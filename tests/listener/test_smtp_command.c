/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines and their parameters. */
#include "listener/smtp_command.h"

#include <check.h>

#define ALL 0x7ffu
#define PED 1		/* pedantic */
#define BLANKS 2	/* blanks_in_envelope */
#define TRAIL 4		/* trailing_blanks */
#define UNQUAL 8
#define UTF8RCPT 16

#define X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *line;
	unsigned ext;
	int flags;
	enum smtp_command_status status;
	enum smtp_verb verb;
} cases[] = {
	{ "EHLO mx.example", 0, PED, SMTP_CMD_OK, SMTP_VERB_EHLO },
	{ "ehlo [192.0.2.1]", 0, PED, SMTP_CMD_OK, SMTP_VERB_EHLO },
	{ "HeLo x", 0, PED, SMTP_CMD_OK, SMTP_VERB_HELO },
	{ "HELO x_y.", 0, 0, SMTP_CMD_OK, SMTP_VERB_HELO },
	{ "HELO x_y", 0, PED, SMTP_CMD_BAD_HELLO, SMTP_VERB_HELO },
	{ "EHLO a b", 0, PED, SMTP_CMD_BAD_HELLO, SMTP_VERB_EHLO },
	{ "EHLO", 0, PED, SMTP_CMD_NO_ARGUMENT, SMTP_VERB_EHLO },
	{ "MAIL FROM:<a@b>", 0, PED, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "mail from:<>", 0, PED, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM: <a@b>", 0, PED, SMTP_CMD_BAD_SENDER, SMTP_VERB_MAIL },
	{ "MAIL FROM: <a@b>", 0, 0, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM: < a@b >", 0, PED | BLANKS, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM:a@b", 0, PED, SMTP_CMD_BAD_SENDER, SMTP_VERB_MAIL },
	{ "MAIL FROM:a@b", 0, 0, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a>", 0, PED, SMTP_CMD_BAD_SENDER, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a>", 0, PED | UNQUAL, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL <a@b>", 0, PED, SMTP_CMD_NO_FROM, SMTP_VERB_MAIL },
	{ "MAIL", 0, PED, SMTP_CMD_NO_FROM, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b>SIZE=1", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SIZE=1", 0, PED, SMTP_CMD_PARAM_UNKNOWN,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SIZE=1", ALL, PED, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SIZE=1 size=2", ALL, PED, SMTP_CMD_PARAM_TWICE,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SIZE=x", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SIZE=99999999999999999999", ALL, PED,
	    SMTP_CMD_PARAM_BAD, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SIZE", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> =1", ALL, PED, SMTP_CMD_PARAM_BAD, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> X-Y=1", ALL, PED, SMTP_CMD_PARAM_UNKNOWN,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> BODY=8BITMIME RET=FULL ENVID=a+2Bb AUTH=<>", ALL,
	    PED, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> BODY=9", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> RET=NONE", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> ENVID=a+2b", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> ENVID=" X100, ALL, PED, SMTP_CMD_OK, SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> ENVID=" X100 "x", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> AUTH=", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> NOTIFY=NEVER", ALL, PED, SMTP_CMD_PARAM_UNKNOWN,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<\303\274@b> SMTPUTF8", ALL, PED, SMTP_CMD_OK,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<\303\274@b>", ALL, PED, SMTP_CMD_UTF8_NOT_SAID,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<a@b> SMTPUTF8=1", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_MAIL },
	{ "MAIL FROM:<\303\274@b>", 0, PED, SMTP_CMD_BAD_SENDER,
	    SMTP_VERB_MAIL },
	{ "RCPT TO:<c@d>", 0, PED, SMTP_CMD_OK, SMTP_VERB_RCPT },
	{ "rcpt to:<postmaster>", 0, PED, SMTP_CMD_OK, SMTP_VERB_RCPT },
	{ "RCPT TO:<>", 0, PED, SMTP_CMD_BAD_RCPT, SMTP_VERB_RCPT },
	{ "RCPT FROM:<c@d>", 0, PED, SMTP_CMD_NO_TO, SMTP_VERB_RCPT },
	{ "RCPT TO:<\303\274@b>", ALL, PED | UTF8RCPT, SMTP_CMD_OK,
	    SMTP_VERB_RCPT },
	{ "RCPT TO:<\303\274@b>", ALL, PED, SMTP_CMD_UTF8_NOT_SAID,
	    SMTP_VERB_RCPT },
	{ "RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;c@d", ALL,
	    PED, SMTP_CMD_OK, SMTP_VERB_RCPT },
	{ "RCPT TO:<c@d> NOTIFY=NEVER,DELAY", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_RCPT },
	{ "RCPT TO:<c@d> NOTIFY=SUCCESS,", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_RCPT },
	{ "RCPT TO:<c@d> ORCPT=c@d", ALL, PED, SMTP_CMD_PARAM_BAD,
	    SMTP_VERB_RCPT },
	{ "RCPT TO:<c@d> ORCPT=rfc822;" X100 X100 X100 X100 X100, ALL, PED,
	    SMTP_CMD_PARAM_BAD, SMTP_VERB_RCPT },
	{ "DATA", 0, PED, SMTP_CMD_OK, SMTP_VERB_DATA },
	{ "DATA ", 0, PED, SMTP_CMD_TRAILING_BLANK, SMTP_VERB_DATA },
	{ "DATA \t", 0, PED | TRAIL, SMTP_CMD_OK, SMTP_VERB_DATA },
	{ "DATA x", 0, PED | TRAIL, SMTP_CMD_EXTRA_ARGUMENT, SMTP_VERB_DATA },
	{ "RSET", 0, PED, SMTP_CMD_OK, SMTP_VERB_RSET },
	{ "NOOP whatever", 0, PED, SMTP_CMD_OK, SMTP_VERB_NOOP },
	{ "HELP", 0, PED, SMTP_CMD_OK, SMTP_VERB_HELP },
	{ "VRFY joe", 0, PED, SMTP_CMD_OK, SMTP_VERB_VRFY },
	{ "VRFY", 0, PED, SMTP_CMD_NO_ARGUMENT, SMTP_VERB_VRFY },
	{ "EXPN list", 0, PED, SMTP_CMD_OK, SMTP_VERB_EXPN },
	{ "QUIT", 0, PED, SMTP_CMD_OK, SMTP_VERB_QUIT },
	{ "quit now", 0, PED, SMTP_CMD_EXTRA_ARGUMENT, SMTP_VERB_QUIT },
	{ "STARTTLS", 0, PED, SMTP_CMD_OK, SMTP_VERB_STARTTLS },
	{ "AUTH PLAIN AGEAYg==", 0, PED, SMTP_CMD_OK, SMTP_VERB_AUTH },
	{ "AUTH LOGIN", 0, PED, SMTP_CMD_OK, SMTP_VERB_AUTH },
	{ "AUTH EXTERNAL =", 0, PED, SMTP_CMD_OK, SMTP_VERB_AUTH },
	{ "AUTH PLAIN a?==", 0, PED, SMTP_CMD_BAD_ARGUMENT, SMTP_VERB_AUTH },
	{ "AUTH PLAIN abc", 0, PED, SMTP_CMD_BAD_ARGUMENT, SMTP_VERB_AUTH },
	{ "AUTH ABCDEFGHIJKLMNOPQRSTU", 0, PED, SMTP_CMD_BAD_ARGUMENT,
	    SMTP_VERB_AUTH },
	{ "AUTH", 0, PED, SMTP_CMD_NO_ARGUMENT, SMTP_VERB_AUTH },
	{ "BDAT 10 LAST", 0, PED, SMTP_CMD_OK, SMTP_VERB_BDAT },
	{ "BDAT 10", 0, PED, SMTP_CMD_OK, SMTP_VERB_BDAT },
	{ "BDAT -1", 0, PED, SMTP_CMD_BAD_ARGUMENT, SMTP_VERB_BDAT },
	{ "BDAT", 0, PED, SMTP_CMD_NO_ARGUMENT, SMTP_VERB_BDAT },
	{ "ETRN x", 0, PED, SMTP_CMD_OK, SMTP_VERB_ETRN },
	{ "XCLIENT ADDR=1.2.3.4", 0, PED, SMTP_CMD_OK, SMTP_VERB_XCLIENT },
	{ "", 0, PED, SMTP_CMD_EMPTY, SMTP_VERB_UNKNOWN },
	{ "  ", 0, PED, SMTP_CMD_EMPTY, SMTP_VERB_UNKNOWN },
	{ " NOOP", 0, PED, SMTP_CMD_UNKNOWN, SMTP_VERB_UNKNOWN },
	{ "GET / HTTP/1.1", 0, PED, SMTP_CMD_UNKNOWN, SMTP_VERB_UNKNOWN },
	{ "MAILFROM:<a@b>", 0, PED, SMTP_CMD_UNKNOWN, SMTP_VERB_UNKNOWN },
};

static struct smtp_syntax
rules_of(unsigned ext, int flags)
{
	return (struct smtp_syntax){
		.ext = ext, .pedantic = (flags & PED) != 0,
		.blanks_in_envelope = (flags & BLANKS) != 0,
		.trailing_blanks = (flags & TRAIL) != 0,
		.unqualified_sender = (flags & UNQUAL) != 0,
		.utf8_rcpt = (flags & UTF8RCPT) != 0,
	};
}

START_TEST(table)
{
	struct smtp_syntax rules = rules_of(cases[_i].ext, cases[_i].flags);
	enum smtp_command_status st;
	struct smtp_command cmd;

	st = smtp_command_parse(slice_of(cases[_i].line), &rules, &cmd);
	ck_assert_msg(st == cases[_i].status, "%s: %s", cases[_i].line,
	    smtp_command_reply(st)->text);
	ck_assert_str_eq(smtp_verb_name(cmd.verb),
	    smtp_verb_name(cases[_i].verb));
}
END_TEST

START_TEST(values)
{
	struct smtp_syntax rules = rules_of(ALL, PED);
	struct smtp_command c;

	smtp_command_parse(SLICE("MAIL FROM:<a@b.c> SIZE=123 BODY=7bit "
	    "RET=hdrs ENVID=q1 AUTH=x+40y SMTPUTF8"), &rules, &c);
	ck_assert(slice_eq(c.address.local, SLICE("a")));
	ck_assert(slice_eq(c.address.domain, SLICE("b.c")));
	ck_assert_uint_eq(c.params.size, 123);
	ck_assert_int_eq(c.params.body, SMTP_BODY_7BIT);
	ck_assert_int_eq(c.params.ret, SMTP_RET_HDRS);
	ck_assert(slice_eq(c.params.envid, SLICE("q1")));
	ck_assert(slice_eq(c.params.auth, SLICE("x+40y")));
	ck_assert(c.params.smtputf8);
	smtp_command_parse(SLICE("RCPT TO:<c@d> ORCPT=rfc822;x+2By@z "
	    "NOTIFY=delay,success"), &rules, &c);
	ck_assert_uint_eq(c.params.notify,
	    SMTP_NOTIFY_DELAY | SMTP_NOTIFY_SUCCESS);
	ck_assert(slice_eq(c.params.orcpt_type, SLICE("rfc822")));
	ck_assert(slice_eq(c.params.orcpt_addr, SLICE("x+2By@z")));
	smtp_command_parse(SLICE("BDAT 77 last"), &rules, &c);
	ck_assert(c.chunk == 77 && c.chunk_is_last);
	smtp_command_parse(SLICE("AUTH PLAIN AGEAYg=="), &rules, &c);
	ck_assert(slice_eq(c.mechanism, SLICE("PLAIN")));
	ck_assert(slice_eq(c.initial, SLICE("AGEAYg==")));
	smtp_command_parse(SLICE("EHLO a.example"), &rules, &c);
	ck_assert(slice_eq(c.arg, SLICE("a.example")));
}
END_TEST

/* What the line splitter refused has its reply here, too. */
START_TEST(replies)
{
	bool seen[SMTP_CMD_STATUS_COUNT] = {
		[SMTP_CMD_BAD_LINE] = true, [SMTP_CMD_NUL] = true,
		[SMTP_CMD_LINE_TOO_LONG] = true,
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		seen[cases[i].status] = true;
	}
	for (int st = 0; st < SMTP_CMD_STATUS_COUNT; st++) {
		const struct reply_text *r =
		    smtp_command_reply((enum smtp_command_status)st);

		ck_assert_msg(seen[st], "no case for %s", r->text);
		ck_assert(r->code >= 250 && r->code < 600);
		/* The enhanced class agrees with the code. */
		ck_assert_int_eq(r->enhanced[0], '0' + r->code / 100);
	}
	ck_assert_uint_eq(smtp_command_reply(SMTP_CMD_PARAM_UNKNOWN)->code,
	    555);
}
END_TEST

START_TEST(ehlo)
{
	struct smtp_offer offer = { .ext = SMTP_EXT_DEFAULT,
		.max_size = 1000 };
	struct buf b;

	buf_init(&b, 512);
	ck_assert(smtp_ext_ehlo(&b, SLICE("h"), SLICE("[1.2.3.4]"), &offer));
	ck_assert(slice_eq(buf_slice(&b), SLICE("250-h says EHLO to "
	    "[1.2.3.4]\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000\r\n")));
	buf_clear(&b);
	/* AUTH without a mechanism is not said; then nothing is left. */
	offer = (struct smtp_offer){ .ext = SMTP_EXT_AUTH };
	ck_assert(smtp_ext_ehlo(&b, SLICE("h"), SLICE("p"), &offer));
	ck_assert(slice_eq(buf_slice(&b), SLICE("250 h says EHLO to p\r\n")));
	buf_clear(&b);
	offer.auth_mechs = SLICE("PLAIN LOGIN");
	ck_assert(smtp_ext_ehlo(&b, SLICE("h"), SLICE("p"), &offer));
	ck_assert(slice_eq(buf_slice(&b),
	    SLICE("250-h says EHLO to p\r\n250 AUTH PLAIN LOGIN\r\n")));
	buf_clear(&b);
	ck_assert(smtp_ext_helo(&b, SLICE("h"), SLICE("p")));
	ck_assert(slice_eq(buf_slice(&b), SLICE("250 h says HELO to p\r\n")));
	buf_fini(&b);
	ck_assert_uint_eq(smtp_ext_find(SLICE("AUTH LOGIN")), SMTP_EXT_AUTH);
	ck_assert_uint_eq(smtp_ext_find(SLICE("size")), SMTP_EXT_SIZE);
	ck_assert_uint_eq(smtp_ext_find(SLICE("FOO")), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtp_command");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, table, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, values);
	tcase_add_test(t, replies);
	tcase_add_test(t, ehlo);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
