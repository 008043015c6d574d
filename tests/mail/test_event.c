/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/event.h"
#include "tests/mail/format_tests.h"

static struct event
sample(void)
{
	struct event e = {
		.kind = EVENT_TRANSIENT, .flags = EVENT_POSSIBLE_DUPLICATE,
		.stage = STAGE_RCPT_TO, .protocol = 1, .attempts = 3,
		.code = 451, .id = 1, .batch_id = 2, .conn_id = 3,
		.time_us = 4, .received_us = 5, .next_us = 6, .size = 7,
		.sent = 8, .remote_port = 25, .sender = SLICE("s@a.example"),
		.rcpt = SLICE("r@b.example"), .domain = SLICE("b.example"),
		.group = SLICE("g"), .binding = SLICE("b"),
		.reply = SLICE("451 4.7.1 later"),
	};

	e.remote_ip[15] = 9;
	return e;
}

static bool
decode(const char *p, size_t n, struct event *out, char **exact)
{
	*exact = memcpy(xmalloc(n), p, n);
	return event_decode(slice_make(*exact, n), out);
}

START_TEST(round_trip_truncations_and_flips)
{
	struct event e = sample(), o;
	struct buf b, again;
	char *exact;

	buf_init(&b, 4096);
	buf_init(&again, 300000);
	event_encode(&e, &b);
	ck_assert(decode(b.ptr, b.len, &o, &exact));
	event_encode(&o, &again);
	ck_assert(slice_eq(buf_slice(&b), buf_slice(&again)));
	ck_assert(slice_eq(o.reply, e.reply));
	ck_assert_uint_eq(o.sent, 8);
	ck_assert_uint_eq(o.remote_port, 25);
	free(exact);
	for (size_t n = 0; n < b.len; n++) {
		ck_assert(!decode(b.ptr, n, &o, &exact));
		free(exact);
	}
	for (size_t i = 0; i < b.len * 8; i++) {
		b.ptr[i / 8] = (char)(b.ptr[i / 8] ^ 1 << i % 8);
		if (decode(b.ptr, b.len, &o, &exact)) {
			buf_clear(&again);
			event_encode(&o, &again);
			ck_assert(!again.full);
			ck_assert_ptr_nonnull(event_stage_name(o.stage));
		}
		free(exact);
		b.ptr[i / 8] = (char)(b.ptr[i / 8] ^ 1 << i % 8);
	}
	buf_putc(&b, 'x');	/* a later version's field */
	ck_assert(decode(b.ptr, b.len, &o, &exact));
	free(exact);
	buf_fini(&b);
	buf_fini(&again);
}
END_TEST

START_TEST(kinds)
{
	struct event e = sample(), o;
	char *exact;
	struct buf b;

	buf_init(&b, 4096);
	for (unsigned k = 0; k < 256; k++) {
		buf_clear(&b);
		e.kind = (uint8_t)k;
		event_encode(&e, &b);
		ck_assert(decode(b.ptr, b.len, &o, &exact) ==
		    (k != 0 && strchr("RDTP", (int)k) != NULL));
		free(exact);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(long_reply_is_cut_between_escapes)
{
	struct event e = sample(), o;
	char reply[2000], *exact;
	struct buf b;

	buf_init(&b, 4096);
	memset(reply, 'x', sizeof reply);
	memcpy(reply + EVENT_REPLY_MAX - 2, "\\x0A", 4);
	e.reply = slice_make(reply, sizeof reply);
	event_encode(&e, &b);
	ck_assert(decode(b.ptr, b.len, &o, &exact));
	ck_assert_uint_eq(o.reply.len, EVENT_REPLY_MAX - 2);
	free(exact);
	buf_fini(&b);
}
END_TEST

START_TEST(stage_names)
{
	ck_assert_str_eq(event_stage_name(0), "while not connected");
	ck_assert_str_eq(event_stage_name(9), "reading confirmation");
	ck_assert_str_eq(event_stage_name(21), "out of band bounce");
	ck_assert_str_eq(event_stage_name(23), "in unknown state");
	for (unsigned i = 0; i < EVENT_STAGE_COUNT; i++) {
		ck_assert_ptr_nonnull(event_stage_name(i));
	}
}
END_TEST

TCase *
tcase_event(void)
{
	TCase *t = tcase_create("event");

	tcase_add_test(t, round_trip_truncations_and_flips);
	tcase_add_test(t, kinds);
	tcase_add_test(t, long_reply_is_cut_between_escapes);
	tcase_add_test(t, stage_names);
	return t;
}
