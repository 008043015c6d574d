/* SPDX-License-Identifier: Apache-2.0 */
/* Formats against the sample lines of the reference, and hostile bytes. */
#include "common/base/base.h"

#include <check.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/mail/envelope.h"
#include "logger/bouncelog_format.h"
#include "logger/mainlog_format.h"

static char line[LOGLINE_MAX];

static msgid
id_of(const char *text)
{
	msgid id;

	ck_assert(msgid_parse(slice_of(text), &id));
	return id;
}

static void
v4(uint8_t ip[16], uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t bytes[16] = { [10] = 0xff, 0xff, a, b, c, d };

	memcpy(ip, bytes, 16);
}

static struct event
base_event(enum event_kind kind)
{
	struct event e = { .kind = (uint8_t)kind };

	e.batch_id = id_of("00/00-03736-F4101B54");
	e.conn_id = id_of("00/00-04532-A3456B54");
	e.protocol = ENVELOPE_ESMTP;
	v4(e.remote_ip, 10, 0, 0, 1);
	return e;
}

static void
check_line(struct slice got, const char *want)
{
	ck_assert_uint_gt(got.len, 0);
	ck_assert_int_eq(got.ptr[got.len - 1], '\n');
	ck_assert_msg(slice_eq(slice_make(got.ptr, got.len - 1),
	    slice_of(want)), "got  %.*swant %s", SLICE_ARG(got), want);
}

START_TEST(samples_reception)
{
	struct event e = base_event(EVENT_RECEPTION);

	e.id = id_of("00/00-25004-31B987F3");
	e.time_us = 1064868656999999u;
	e.rcpt = SLICE("bob@example.fict");
	e.sender = SLICE("info@postalengine.com");
	v4(e.remote_ip, 10, 0, 1, 1);
	e.size = 201;
	check_line(mainlog_event(line, sizeof line, &e),
	    "1064868656@00/00-25004-31B987F3@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@R@bob@example.fict@info@postalengine.com@"
	    "10.0.1.1@201@esmtp@default@default");
	e.sender = SLICE("");
	memset(e.remote_ip, 0, sizeof e.remote_ip);
	e.protocol = ENVELOPE_INTERNAL;
	e.group = SLICE("g");
	e.binding = SLICE("b");
	check_line(mainlog_event(line, sizeof line, &e),
	    "1064868656@00/00-25004-31B987F3@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@R@bob@example.fict@@@unknown@201@internal@"
	    "g@b");
}
END_TEST

START_TEST(samples_delivery)
{
	struct event e = base_event(EVENT_DELIVERY);

	e.id = id_of("20/00-25593-945A87F3");
	e.time_us = 1064871280400000u;
	e.received_us = e.time_us - 393000u;
	e.domain = SLICE("postalengine.com");
	e.sent = 266;
	e.group = SLICE("group-a");
	e.binding = SLICE("binding-a");
	check_line(mainlog_event(line, sizeof line, &e),
	    "1064871280@20/00-25593-945A87F3@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@D@postalengine.com@266@group-a@binding-a@"
	    "0@0.393@10.0.0.1");
}
END_TEST

START_TEST(samples_failures)
{
	struct event e = base_event(EVENT_TRANSIENT);

	e.id = id_of("00/00-25593-CBD987F3");
	e.time_us = 1064869327000000u;
	e.received_us = e.time_us - 18530000u;
	e.domain = SLICE("example.fict");
	e.group = SLICE("group-a");
	e.binding = SLICE("binding-a");
	e.stage = 15;
	e.reply = SLICE("421 no adequate servers");
	check_line(mainlog_event(line, sizeof line, &e),
	    "1064869327@00/00-25593-CBD987F3@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@T@example.fict@0@group-a@binding-a@15@0@"
	    "18.53@10.0.0.1@421 no adequate servers");
	e.kind = EVENT_PERMANENT;
	e.id = id_of("10/00-25593-393A87F3");
	e.time_us = 1064870847000000u;
	e.received_us = e.time_us - 3890000u;
	e.domain = SLICE("postalengine.com");
	e.sent = 31;
	e.stage = 5;
	e.attempts = 1;
	e.reply = SLICE("552 No such account");
	check_line(mainlog_event(line, sizeof line, &e),
	    "1064870847@10/00-25593-393A87F3@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@P@postalengine.com@31@group-a@binding-a@5@1@"
	    "3.89@10.0.0.1@552 No such account");
	e.received_us = e.time_us - 306072000000u;
	memset(e.remote_ip, 0, sizeof e.remote_ip);
	check_line(mainlog_event(line, sizeof line, &e),
	    "1064870847@10/00-25593-393A87F3@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@P@postalengine.com@31@group-a@binding-a@5@1@"
	    "306072.00@@552 No such account");
}
END_TEST

START_TEST(samples_bounce)
{
	struct event e = base_event(EVENT_PERMANENT);
	enum bounce_class class;

	e.id = id_of("91/6D-07914-E67BC044");
	e.time_us = 1064868656000000u;
	e.rcpt = SLICE("johndoe@example.fict");
	e.sender = SLICE("info@postalengine.com");
	e.group = SLICE("group-a");
	e.binding = SLICE("binding-a");
	e.stage = 21;
	e.size = 1223;
	e.reply = SLICE("554 5.4.7 [internal] exceeded max time without "
	    "delivery");
	class = bounce_class_of(&e);
	ck_assert_int_eq(class, 24);
	check_line(bouncelog_line(line, sizeof line, &e, class),
	    "1064868656@91/6D-07914-E67BC044@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@B@johndoe@example.fict@info@"
	    "postalengine.com@group-a@binding-a@21@24@1223@10.0.0.1@"
	    "554 5.4.7 [internal] exceeded max time without delivery");
	e.kind = EVENT_TRANSIENT;
	check_line(bouncelog_line(line, sizeof line, &e, BOUNCE_TRANSIENT),
	    "1064868656@91/6D-07914-E67BC044@00/00-03736-F4101B54@"
	    "00/00-04532-A3456B54@T@johndoe@example.fict@info@"
	    "postalengine.com@group-a@binding-a@21@70@1223@10.0.0.1@"
	    "554 5.4.7 [internal] exceeded max time without delivery");
}
END_TEST

START_TEST(samples_reject)
{
	struct reject r = { .time_us = 1236672125000000u, .code = 550 };

	v4(r.remote_ip, 10, 79, 25, 142);
	v4(r.local_ip, 10, 79, 25, 142);
	r.remote_port = 42601;
	r.local_port = 25;
	r.conn_id = id_of("18/00-07149-D7E16B94");
	r.phase = SLICE("awaiting mailfrom");
	r.module = SLICE("scriptlet");
	reject_pair_add(&r.conn, SLICE("pathway"), SLICE("default"));
	reject_pair_add(&r.conn, SLICE("ehlo_string"),
	    SLICE("EHLO rh52-node1"));
	reject_pair_add(&r.conn, SLICE("ehlo_domain"), SLICE("rh52-node1"));
	reject_pair_add(&r.mess, SLICE("mailfrom_domain"), SLICE(""));
	reject_pair_add(&r.mess, SLICE("mailfrom_string"),
	    SLICE("MAIL FROM:<>"));
	reject_pair_add(&r.mess, SLICE("mailfrom_localpart"), SLICE(""));
	r.text = SLICE("relaying denied");
	check_line(rejectlog_line(line, sizeof line, &r),
	    "1236672125: R=\"10.79.25.142:42601\" L=\"10.79.25.142:25\" "
	    "C=\"18/00-07149-D7E16B94\" PATH=\"default\" PATH_GRP=\"default\" "
	    "P=\"awaiting mailfrom\" E=550 M=scriptlet "
	    "CTXCONN=[pathway=default,ehlo_string=\"EHLO rh52-node1\","
	    "ehlo_domain=rh52-node1] CTXMESS=[mailfrom_domain=,"
	    "mailfrom_string=\"MAIL FROM:<>\",mailfrom_localpart=] "
	    "relaying denied");
	memset(r.remote_ip, 0, 16);
	r.remote_ip[15] = 1;
	r.conn.n = r.mess.n = 0;
	reject_pair_add(&r.conn, SLICE("k"), SLICE("a\"b,c]\r\nd"));
	check_line(rejectlog_line(line, sizeof line, &r),
	    "1236672125: R=\"[::1]:42601\" L=\"10.79.25.142:25\" "
	    "C=\"18/00-07149-D7E16B94\" PATH=\"default\" PATH_GRP=\"default\" "
	    "P=\"awaiting mailfrom\" E=550 M=scriptlet "
	    "CTXCONN=[k=\"a\\x22b,c]\\x0D\\x0Ad\"] CTXMESS=[] "
	    "relaying denied");
}
END_TEST

START_TEST(samples_small)
{
	check_line(mainlog_heartbeat(line, sizeof line, 1251470342000001u),
	    "1251470342@@@@M1");
	check_line(rejectlog_heartbeat(line, sizeof line, 1252064908000000u),
	    "1252064908: Marker 1");
	check_line(paniclog_line(line, sizeof line, 1251200446000000u,
	    SLICE("scriptlet: Confirming entry in panic log.")),
	    "1251200446:scriptlet: Confirming entry in panic log.");
	check_line(paniclog_line(line, sizeof line, 1000000u,
	    SLICE("a\nb\\x0A")), "1:a\\x0Ab\\x0A");
}
END_TEST

static const struct {
	uint64_t us;
	const char *d, *t;
} spans[] = {
	{ 0, "0.000", "0.00" }, { 499, "0.000", "0.00" },
	{ 500, "0.001", "0.00" }, { 4999, "0.005", "0.00" },
	{ 5000, "0.005", "0.01" }, { 999499, "0.999", "1.00" },
	{ 999500, "1.000", "1.00" }, { 1234567, "1.235", "1.23" },
	{ 60050000, "60.050", "60.05" },
	{ 18446744073709551u, "18446744073.710", "18446744073.71" },
};

START_TEST(queue_times)
{
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		struct logline l = logline_make(line, sizeof line);

		logline_span(&l, 7, 7 + spans[i].us, 3);
		check_line(logline_end(&l), spans[i].d);
		l = logline_make(line, sizeof line);
		logline_span(&l, 7, 7 + spans[i].us, 2);
		check_line(logline_end(&l), spans[i].t);
		l = logline_make(line, sizeof line);
		/* a clock that was set back */
		logline_span(&l, 8 + spans[i].us, 7, 2);
		check_line(logline_end(&l), "0.00");
	}
}
END_TEST

static const uint64_t numbers[] = { 0, 9, 10, 99, 100, 101, 999, 1000, 65535,
	4294967296u, UINT64_MAX };

START_TEST(decimal_numbers)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct logline l = logline_make(line, sizeof line);
		char want[32];

		snprintf(want, sizeof want, "%llu",
		    (unsigned long long)numbers[i]);
		logline_u64(&l, numbers[i]);
		check_line(logline_end(&l), want);
	}
}
END_TEST

static const struct {
	const char *address, *fields;
} addresses[] = {
	{ "a@b", "a@b" }, { "", "@" }, { "postmaster", "postmaster@" },
	{ "\"a@b\"@c.d", "\"a\\@b\"@c.d" }, { "\"a\\b\"@c", "\"a\\\\b\"@c" },
	{ "a\nb@c", "a\\x0Ab@c" }, { "\xc3\xa9@c", "\\xC3\\xA9@c" },
	{ "a@[1.2.3.4]", "a@[1.2.3.4]" }, { "@c", "@c" }, { "a@", "a@" },
};

START_TEST(address_fields)
{
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct logline l = logline_make(line, sizeof line);

		logline_address(&l, slice_of(addresses[i].address));
		check_line(logline_end(&l), addresses[i].fields);
	}
}
END_TEST

static unsigned
separators(struct slice s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\') {
			i++;
		} else if (s.ptr[i] == '@') {
			n++;
		}
	}
	return n;
}

static void
check_hostile(struct slice got, unsigned fields)
{
	size_t bad = 0;

	ck_assert_uint_gt(got.len, 0);
	/* One assertion a line: each one costs a write of the library's. */
	for (size_t i = 0; i + 1 < got.len; i++) {
		bad += (unsigned char)got.ptr[i] < 0x20 ||
		    (unsigned char)got.ptr[i] >= 0x7f;
	}
	ck_assert_uint_eq(bad, 0);
	ck_assert_int_eq(got.ptr[got.len - 1], '\n');
	if (fields > 0) {
		ck_assert_uint_eq(separators(got), fields - 1);
	}
}

/* Every byte value in every field: one line, the same number of fields, at
 * any room. */
START_TEST(hostile_bytes)
{
	static const char kinds[] = { 'R', 'D', 'T', 'P' };
	static const unsigned fields[] = { 14, 12, 14, 14 };
	char bytes[256];
	struct slice all = slice_make(bytes, 255);

	/* Without '@', which parts an address; that has its own cases. */
	for (int i = 0, n = 0; i < 256; i++) {
		if (i != '@') {
			bytes[n++] = (char)i;
		}
	}
	for (size_t i = 0; i < sizeof kinds; i++) {
		struct event e = { .kind = (uint8_t)kinds[i], .protocol = 200,
			.stage = 255, .sender = all, .rcpt = all,
			.domain = all, .group = all, .binding = all };

		/* What came escaped keeps its backslashes, so only here the
		 * separators can be counted. */
		check_hostile(mainlog_event(line, sizeof line, &e), fields[i]);
		e.reply = all;
		check_hostile(mainlog_event(line, sizeof line, &e), 0);
		e.time_us = e.received_us = e.size = e.sent = UINT64_MAX;
		check_hostile(bouncelog_line(line, sizeof line, &e,
		    bounce_class_of(&e)), 0);
		for (size_t room = 1; room < 600; room++) {
			struct slice got = mainlog_event(line, room, &e);

			ck_assert_uint_le(got.len, room);
			check_hostile(got, 0);
		}
	}
}
END_TEST

START_TEST(hostile_rejects)
{
	char bytes[256];
	struct slice all = slice_make(bytes, sizeof bytes);
	struct reject r = { .pathway = all, .pathway_group = all,
		.phase = all, .module = all, .text = all };

	for (int i = 0; i < 256; i++) {
		bytes[i] = (char)i;
	}
	while (reject_pair_add(&r.conn, all, all) &&
	    reject_pair_add(&r.mess, all, all)) {
	}
	check_hostile(rejectlog_line(line, sizeof line, &r), 0);
	check_hostile(paniclog_line(line, sizeof line, 0, all), 0);
	for (size_t room = 1; room < 900; room++) {
		check_hostile(rejectlog_line(line, room, &r), 0);
	}
}
END_TEST

/* Generous: a busy machine must pass; printf takes several times as long. */
START_TEST(it_is_fast)
{
	struct event e = base_event(EVENT_RECEPTION);
	uint64_t best = UINT64_MAX;

	e.rcpt = SLICE("recipient.name@some-domain.example");
	e.sender = SLICE("bounces+12345@news.sender.example");
	e.time_us = 1700000000000000u;
	for (int round = 0; round < 20; round++) {
		struct timespec a, b;
		uint64_t ns, bytes = 0;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		for (int i = 0; i < 1000; i++) {
			e.size = (uint64_t)i;
			bytes += mainlog_event(line, sizeof line, &e).len;
		}
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		ns = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u +
		    (uint64_t)(b.tv_nsec - a.tv_nsec);
		best = EC_MIN(best, ns / 1000);
		ck_assert_uint_gt(bytes, 150000);
	}
	printf("R line: %llu ns\n", (unsigned long long)best);
#ifdef __OPTIMIZE__
#ifndef EC_SANITIZERS
	ck_assert_uint_lt(best, 3000);
#endif
#endif
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("logline");
	TCase *t = tcase_create("formats");
	SRunner *r;
	int failed;

	tcase_add_test(t, samples_reception);
	tcase_add_test(t, samples_delivery);
	tcase_add_test(t, samples_failures);
	tcase_add_test(t, samples_bounce);
	tcase_add_test(t, samples_reject);
	tcase_add_test(t, samples_small);
	tcase_add_test(t, queue_times);
	tcase_add_test(t, decimal_numbers);
	tcase_add_test(t, address_fields);
	tcase_add_test(t, hostile_bytes);
	tcase_add_test(t, hostile_rejects);
	tcase_add_test(t, it_is_fast);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
