/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/spooler/dsn_cases.h"

#include <check.h>

static struct dsn_info info;

static struct buf
build(const struct dsn_case_data *d)
{
	struct buf b;

	buf_init(&b, DSN_MAX_BYTES);
	ck_assert_int_eq(dsn_build(&d->req, &b, &info), DSN_OK);
	return b;
}

static bool
has(const struct buf *b, const char *text)
{
	return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

static void
need(const struct buf *b, const char *text)
{
	ck_assert_msg(has(b, text), "<%s> is missing in:\n%.*s", text,
	    SLICE_ARG(buf_slice(b)));
}

/* What holds for every report: whole lines of at most 998 bytes, no NUL, and
 * bytes over 127 only where announced. */
static void
check_lines(const struct buf *b)
{
	size_t line = 0, longest = 0, bad = 0;

	for (size_t i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->ptr[i];

		bad += c == '\0';
		bad += (c == '\n') != (i > 0 && b->ptr[i - 1] == '\r');
		bad += !info.is_8bit && c >= 0x80;
		line = c == '\n' ? 0 : line + 1;
		longest = EC_MAX(longest, line);
	}
	ck_assert_uint_eq(bad, 0);
	ck_assert_uint_le(longest, 999);	/* with its CR */
	ck_assert(b->len > 2 && b->ptr[b->len - 1] == '\n');
}

START_TEST(each_case_is_well_formed)
{
	struct dsn_case_data d;
	struct buf b;

	dsn_case_fill(&d, (enum dsn_case)_i);
	b = build(&d);
	check_lines(&b);
	ck_assert(info.is_utf8 == (_i == CASE_UTF8));
	ck_assert(info.is_8bit == (_i == CASE_UTF8 || _i == CASE_8BIT));
	ck_assert(!info.cut);
	buf_fini(&b);
}
END_TEST

START_TEST(fields)
{
	static const char *const want[] = {
		"From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\r\n",
		"\r\nTo: <s@example.net>\r\n",
		"\r\nSubject: Your message could not be delivered\r\n",
		"\r\nMessage-ID: <10.00.02001.07DD1CA4@mx.example.net>\r\n",
		"\r\nIn-Reply-To: <orig@example.net>\r\n",
		"\r\nAuto-Submitted: auto-replied\r\n",
		"\r\nMIME-Version: 1.0\r\n",
		"\r\nContent-Transfer-Encoding: 7bit\r\n",
		"\r\nOriginal-Envelope-Id: QQ=1\r\n",
		"\r\nReporting-MTA: dns; mx.example.net\r\n",
		"\r\nArrival-Date: Tue, 29 Sep 2009 11:11:56 +0100\r\n",
		"\r\nX-Ecelerity-Message-ID: 00/00-02001-C6DD1CA4\r\n",
		"\r\nOriginal-Recipient: rfc822; R+x@example.org\r\n",
		"\r\nFinal-Recipient: rfc822; r@example.org\r\n",
		"\r\nAction: failed\r\nStatus: 5.1.1\r\n",
		"\r\nRemote-MTA: dns; mx.example.org\r\n",
		"\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
		"\r\nLast-Attempt-Date: Tue, 29 Sep 2009 11:11:56 +0100\r\n",
		"\r\nFinal-Recipient: rfc822; \"a <b>\"@x.org\r\n",
		"\r\nAction: delayed\r\nStatus: 4.3.0\r\n",
		"\r\nWill-Retry-Until: Wed, 30 Sep 2009 14:58:36 +0100\r\n",
		"    mx.example.org [192.0.2.7] said:\r\n"
		    "    550 5.1.1 no such user\r\n",
		"Content-Type: text/rfc822-headers\r\n",
		"\r\nSubject: hello\r\n",
	};
	struct dsn_case_data d;
	struct buf b;

	dsn_case_fill(&d, CASE_PLAIN);
	b = build(&d);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		need(&b, want[i]);
	}
	ck_assert(!has(&b, "body line"));
	buf_fini(&b);
	dsn_case_fill(&d, CASE_DELAYED);
	d.req.mailer_daemon = SLICE("postmaster@example.net");
	b = build(&d);
	need(&b, "<postmaster@example.net>");
	need(&b, "Subject: Your message is delayed\r\n");
	buf_fini(&b);
	d.rcpt[1].action = DSN_RELAYED;
	d.rcpt[1].remote_ip = SLICE("2001:db8::7");
	b = build(&d);
	need(&b, "\r\nRemote-MTA: dns; [IPv6:2001:db8::7]\r\n");
	need(&b, "Action: relayed\r\n");
	need(&b, "Subject: Your message was passed on\r\n");
	buf_fini(&b);
}
END_TEST

START_TEST(strangers_forge_nothing)
{
	struct dsn_case_data d;
	struct buf b;

	dsn_case_fill(&d, CASE_HOSTILE);
	b = build(&d);
	check_lines(&b);
	ck_assert(!has(&b, "\nTo: <e@evil"));
	ck_assert(!has(&b, "\nTo: e"));
	ck_assert(!has(&b, "\n--=_x"));
	need(&b, "Status: 5.0.0\r\n");
	buf_fini(&b);
}
END_TEST

/* Each string full of each byte, as long as it may be. */
START_TEST(any_byte_anywhere)
{
	char big[2000];
	struct slice s = slice_make(big, sizeof big);

	for (int c = 0; c < 256; c++) {
		struct dsn_case_data d;
		struct buf b;

		memset(big, c, sizeof big);
		dsn_case_fill(&d, CASE_PLAIN);
		d.rcpt[0].addr = d.rcpt[0].orcpt = d.rcpt[0].reply = s;
		d.rcpt[0].status = d.rcpt[0].remote_name = s;
		d.rcpt[0].remote_ip = d.req.sender = d.req.reporting_mta = s;
		d.req.mailer_daemon = d.req.envid = s;
		b = build(&d);
		check_lines(&b);
		buf_fini(&b);
	}
}
END_TEST

static const struct {
	const char *status, *reply;
	uint16_t code;
	enum dsn_action action;
	const char *want;
} statuses[] = {
	{ "5.7.1", "550 5.1.1 x", 550, DSN_FAILED, "5.7.1" },
	{ "", "550 5.1.1 x", 550, DSN_FAILED, "5.1.1" },
	{ "bad", "550 5.1.1", 550, DSN_FAILED, "5.1.1" },
	{ "", "550 4.1.1 x", 550, DSN_FAILED, "5.0.0" },
	{ "", "550 x", 550, DSN_FAILED, "5.0.0" },
	{ "", "", 552, DSN_FAILED, "5.2.2" },
	{ "", "", 599, DSN_FAILED, "5.0.0" },
	{ "", "", 499, DSN_DELAYED, "4.0.0" },
	{ "", "", 421, DSN_FAILED, "4.3.2" },
	{ "", "", 250, DSN_RELAYED, "2.0.0" },
	{ "", "", 0, DSN_FAILED, "5.0.0" },
	{ "", "", 0, DSN_DELAYED, "4.0.0" },
	{ "", "", 0, DSN_RELAYED, "2.0.0" },
	{ "", "", 556, DSN_FAILED, "5.1.10" },
};

START_TEST(status_codes)
{
	struct dsn_recipient t = { .status = slice_of(statuses[_i].status),
		.reply = slice_of(statuses[_i].reply),
		.code = statuses[_i].code, .action = statuses[_i].action };
	char out[DSN_STATUS_MAX];

	dsn_status(&t, out);
	ck_assert_str_eq(out, statuses[_i].want);
	ck_assert(dsn_status_is_valid(SLICE("2.999.0")));
	ck_assert(!dsn_status_is_valid(SLICE("3.1.1")));
	ck_assert(!dsn_status_is_valid(SLICE("5.1")));
	ck_assert(!dsn_status_is_valid(SLICE("5.1000.1")));
	ck_assert(!dsn_status_is_valid(SLICE("5.1.1.1")));
	ck_assert(!dsn_status_is_valid(SLICE("")));
}
END_TEST

START_TEST(refused)
{
	struct dsn_case_data d;
	size_t whole;
	struct buf b;

	dsn_case_fill(&d, CASE_NONE);
	buf_init(&b, DSN_MAX_BYTES);
	d.req.sender = SLICE("");
	ck_assert_int_eq(dsn_build(&d.req, &b, &info), DSN_NULL_SENDER);
	dsn_case_fill(&d, CASE_NONE);
	d.req.n_rcpt = 0;
	ck_assert_int_eq(dsn_build(&d.req, &b, &info), DSN_NO_RECIPIENT);
	dsn_case_fill(&d, CASE_NONE);
	ck_assert_int_eq(dsn_build(&d.req, &b, &info), DSN_OK);
	whole = b.len;
	buf_fini(&b);
	for (size_t cap = 0; cap < whole; cap += 7) {
		buf_init(&b, cap);
		ck_assert_int_eq(dsn_build(&d.req, &b, &info), DSN_TOO_LARGE);
		ck_assert_uint_eq(b.len, 0);
		buf_fini(&b);
	}
	/* What does not fit with the original goes without it. */
	dsn_case_fill(&d, CASE_FULL);
	buf_init(&b, whole);
	ck_assert_int_eq(dsn_build(&d.req, &b, &info), DSN_OK);
	ck_assert(info.cut);
	buf_fini(&b);
}
END_TEST

START_TEST(full_falls_back_to_headers)
{
	static const struct slice bodies[] = { { "bare\nlf\r\n", 9 },
		{ "bare\rcr\r\n", 9 }, { "nul\0\r\n", 6 }, { "no end", 6 },
		{ "cr at end\r", 10 } };
	char wide[1001];
	struct dsn_case_data d;
	struct buf b;

	memset(wide, 'w', 999);
	memcpy(wide + 999, "\r\n", 2);
	for (size_t i = 0; i <= ARRAY_LEN(bodies) + 1; i++) {
		dsn_case_fill(&d, CASE_FULL);
		if (i < ARRAY_LEN(bodies)) {
			d.message[1] = bodies[i];
		} else if (i == ARRAY_LEN(bodies)) {
			d.message[1] = slice_make(wide, sizeof wide);
		} else {
			d.req.max_original = d.message[0].len;
		}
		d.req.message_size = d.message[0].len + d.message[1].len;
		b = build(&d);
		check_lines(&b);
		need(&b, "Content-Type: text/rfc822-headers\r\n");
		buf_fini(&b);
	}
	dsn_case_fill(&d, CASE_FULL);
	d.req.message_size++;	/* not all of it was given */
	b = build(&d);
	need(&b, "text/rfc822-headers");
	buf_fini(&b);
}
END_TEST

START_TEST(boundary_moves_away)
{
	static const char hit[] = "Subject: x\r\n\r\n"
	    "--=_10.00.02001.07DD1CA4_00000.0\r\n"
	    "--=_10.00.02001.07DD1CA4_00000.1--\r\n";
	struct dsn_case_data d;
	struct buf b;

	dsn_case_fill(&d, CASE_FULL);
	b = build(&d);
	need(&b, "boundary=\"=_10.00.02001.07DD1CA4_00000.0\"");
	buf_fini(&b);
	d.message[0] = SLICE(hit);
	d.req.message_size = d.message[0].len + d.message[1].len;
	b = build(&d);
	need(&b, "boundary=\"=_10.00.02001.07DD1CA4_00000.2\"");
	buf_fini(&b);
}
END_TEST

START_TEST(many_recipients_are_counted)
{
	static struct dsn_recipient many[DSN_MAX_RECIPIENTS + 5];
	struct dsn_case_data d;
	struct buf b;

	dsn_case_fill(&d, CASE_NONE);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = d.rcpt[0];
	}
	d.req.rcpt = many;
	d.req.n_rcpt = ARRAY_LEN(many);
	b = build(&d);
	need(&b, "\r\n5 more recipients are not listed here.\r\n");
	ck_assert(info.cut);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dsn");
	TCase *t = tcase_create("dsn");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, each_case_is_well_formed, 0, CASE_COUNT);
	tcase_add_test(t, fields);
	tcase_add_test(t, strangers_forge_nothing);
	tcase_add_test(t, any_byte_anywhere);
	tcase_add_loop_test(t, status_codes, 0, (int)ARRAY_LEN(statuses));
	tcase_add_test(t, refused);
	tcase_add_test(t, full_falls_back_to_headers);
	tcase_add_test(t, boundary_moves_away);
	tcase_add_test(t, many_recipients_are_counted);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
