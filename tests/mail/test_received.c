/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/received.h"
#include "tests/mail/format_tests.h"

static const uint8_t v4[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

static struct received
sample(void)
{
	return (struct received){ .peer_ip = v4, .peer_port = 42601,
		.flags = RECEIVED_ESMTP, .helo = SLICE("mail.example.com"),
		.by = SLICE("mx.example.net"),
		.sender = SLICE("bob@example.com"), .version = SLICE("0.1.0"),
		.batch_id = msgid_make(1254219116, 2001, 0),
		.date = SLICE("Tue, 29 Sep 2009 10:11:56 +0000") };
}

static void
expect(const struct received *r, const char *want)
{
	struct buf b;

	buf_init(&b, RECEIVED_MAX);
	ck_assert(received_add(r, &b));
	ck_assert_msg(slice_eq(buf_slice(&b), slice_of(want)),
	    "got:\n%.*s", SLICE_ARG(buf_slice(&b)));
	buf_fini(&b);
}

START_TEST(shape)
{
	struct received r = sample();

	expect(&r, "Received: from [192.0.2.1] ([192.0.2.1:42601]"
	    " helo=mail.example.com)\r\n"
	    " by mx.example.net (envelope-from <bob@example.com>)\r\n"
	    " (ecelerity 0.1.0) with ESMTP\r\n"
	    " id 00/00-02001-C6DD1CA4; Tue, 29 Sep 2009 10:11:56 +0000\r\n");
	r.peer_ip = v6;
	r.helo = SLICE("[IPv6:2001:db8::1]");
	r.sender = SLICE("");
	r.flags = 0;
	expect(&r, "Received: from [IPv6:2001:db8::1]"
	    " ([IPv6:2001:db8::1]:42601\r\n helo=[IPv6:2001:db8::1])\r\n"
	    " by mx.example.net (envelope-from <>)\r\n"
	    " (ecelerity 0.1.0) with SMTP\r\n"
	    " id 00/00-02001-C6DD1CA4; Tue, 29 Sep 2009 10:11:56 +0000\r\n");
	r.peer_ip = v4;
	r.helo = SLICE("");
	expect(&r, "Received: from [192.0.2.1] ([192.0.2.1:42601])\r\n"
	    " by mx.example.net (envelope-from <>)\r\n"
	    " (ecelerity 0.1.0) with SMTP\r\n"
	    " id 00/00-02001-C6DD1CA4; Tue, 29 Sep 2009 10:11:56 +0000\r\n");
}
END_TEST

START_TEST(protocols)
{
	static const char *const want[16] = { "SMTP", "ESMTP", "SMTP",
		"ESMTPS", "SMTP", "ESMTPA", "SMTP", "ESMTPSA", "SMTP",
		"UTF8SMTP", "SMTP", "UTF8SMTPS", "SMTP", "UTF8SMTPA", "SMTP",
		"UTF8SMTPSA" };

	for (unsigned f = 0; f < 16; f++) {
		ck_assert_str_eq(received_protocol(f), want[f]);
	}
}
END_TEST

/* The header as a reader sees it: one field, balanced, four clauses. */
static void
check_hostile(const struct received *r)
{
	char out[RECEIVED_MAX + 1];
	size_t n = received_write(r, out, RECEIVED_MAX), line = 0;
	int depth = 0, semicolons = 0;

	ck_assert_uint_gt(n, 0);
	out[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (out[i] == '\r') {
			ck_assert_int_eq(out[i + 1], '\n');
			ck_assert(i + 2 == n || out[i + 2] == ' ');
			ck_assert_uint_le(line, 998);
			line = 0;
			i++;
			continue;
		}
		line++;
		ck_assert((unsigned char)out[i] >= ' ' && out[i] != 0x7f);
		depth += (out[i] == '(') - (out[i] == ')');
		ck_assert_int_ge(depth, 0);
		ck_assert_int_le(depth, 1);
		semicolons += out[i] == ';';
	}
	ck_assert_int_eq(depth, 0);
	ck_assert_int_eq(semicolons, 1);
	ck_assert(strstr(out, "by evil") == NULL);
}

START_TEST(strangers_cannot_forge)
{
	static const char *const evil[] = {
		"x)\r\n by evil (y", "a\r\nSubject: by evil", "((((", "))))",
		"\\", "\\)", "\"", "a;b", "<><>", "\x7f\x01\xff", "=", "(\"",
	};
	struct received r = sample();
	char big[2000];

	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		r.helo = r.sender = slice_of(evil[i]);
		check_hostile(&r);
		r.flags |= RECEIVED_UTF8;
		check_hostile(&r);
	}
	for (int c = 0; c < 256; c++) {
		memset(big, c, sizeof big);
		r.helo = r.sender = r.by = r.version =
		    slice_make(big, sizeof big);
		r.peer_ip = c % 2 ? v4 : v6;
		check_hostile(&r);
	}
}
END_TEST

START_TEST(utf8_only_when_said)
{
	struct received r = sample();
	char out[RECEIVED_MAX];
	size_t n;

	r.sender = SLICE("\xc3\xa4\xff@example.com");
	n = received_write(&r, out, sizeof out);
	ck_assert_ptr_nonnull(memmem(out, n, "<\\xC3\\xA4\\xFF@", 14));
	r.flags |= RECEIVED_UTF8;
	n = received_write(&r, out, sizeof out);
	ck_assert_ptr_nonnull(memmem(out, n, "<\xc3\xa4\\xFF@", 8));
}
END_TEST

START_TEST(too_little_room)
{
	struct received r = sample();
	char out[RECEIVED_MAX];
	size_t n = received_write(&r, out, sizeof out);
	struct buf b;

	for (size_t room = 0; room < n; room++) {
		ck_assert_uint_eq(received_write(&r, out, room), 0);
	}
	ck_assert_uint_eq(received_write(&r, out, n), n);
	buf_init(&b, n - 1);
	ck_assert(!received_add(&r, &b));
	ck_assert(b.full && b.len == 0);
	buf_fini(&b);
}
END_TEST

TCase *
tcase_received(void)
{
	TCase *t = tcase_create("received");

	tcase_add_test(t, shape);
	tcase_add_test(t, protocols);
	tcase_add_test(t, strangers_cannot_forge);
	tcase_add_test(t, utf8_only_when_said);
	tcase_add_test(t, too_little_room);
	return t;
}
