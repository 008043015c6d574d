/* SPDX-License-Identifier: Apache-2.0 */
/* The reject codec: round trip, every cut, what is too long. */
#include "common/mail/reject.h"

#include "tests/mail/format_tests.h"

static struct reject
example(void)
{
	struct reject r = { .time_us = 1236672125000000u, .code = 550,
		.remote_port = 42601, .local_port = 25, .conn_id = 77,
		.remote_ip = { 1, 2, 3 }, .local_ip = { 4, 5, 6 },
		.pathway = SLICE("p"), .pathway_group = SLICE("g"),
		.phase = SLICE("awaiting mailfrom"),
		.module = SLICE("scriptlet"), .text = SLICE("denied") };

	ck_assert(reject_pair_add(&r.conn, SLICE("a"), SLICE("1")));
	ck_assert(reject_pair_add(&r.conn, SLICE("b"), SLICE("")));
	ck_assert(reject_pair_add(&r.mess, SLICE("c"), SLICE("x\r\ny")));
	return r;
}

START_TEST(round_trip)
{
	struct reject r = example(), got;
	struct buf b;

	buf_init(&b, REJECT_MAX_BYTES);
	reject_encode(&r, &b);
	ck_assert(reject_decode(buf_slice(&b), &got));
	ck_assert_uint_eq(got.time_us, r.time_us);
	ck_assert_uint_eq(got.code, 550);
	ck_assert_uint_eq(got.remote_port, 42601);
	ck_assert_uint_eq(got.local_port, 25);
	ck_assert_uint_eq(got.conn_id, 77);
	ck_assert_mem_eq(got.remote_ip, r.remote_ip, 16);
	ck_assert_mem_eq(got.local_ip, r.local_ip, 16);
	ck_assert(slice_eq(got.pathway, r.pathway));
	ck_assert(slice_eq(got.pathway_group, r.pathway_group));
	ck_assert(slice_eq(got.phase, r.phase));
	ck_assert(slice_eq(got.module, r.module));
	ck_assert(slice_eq(got.text, r.text));
	ck_assert_uint_eq(got.conn.n, 2);
	ck_assert_uint_eq(got.mess.n, 1);
	ck_assert(slice_eq(got.conn.pair[1].key, SLICE("b")));
	ck_assert(slice_eq(got.mess.pair[0].value, SLICE("x\r\ny")));
	for (size_t i = 0; i < b.len; i++) {
		ck_assert(!reject_decode(slice_make(b.ptr, i), &got));
	}
	/* A later version may append. */
	buf_puts(&b, "more");
	ck_assert(reject_decode(buf_slice(&b), &got));
	b.ptr[0]++;
	ck_assert(!reject_decode(buf_slice(&b), &got));
	buf_fini(&b);
}
END_TEST

START_TEST(too_long)
{
	static char bytes[70000];
	struct slice all = slice_make(bytes, sizeof bytes);
	struct reject r = { .pathway = all, .pathway_group = all,
		.phase = all, .module = all, .text = all }, got;
	unsigned n = 0;
	struct buf b;

	while (reject_pair_add(&r.conn, all, all)) {
		ck_assert(reject_pair_add(&r.mess, all, all));
		n++;
	}
	ck_assert_uint_eq(n, REJECT_PAIRS_MAX);
	ck_assert(!reject_pair_add(&r.mess, all, all));
	buf_init(&b, REJECT_MAX_BYTES);
	reject_encode(&r, &b);
	ck_assert(!b.full);
	ck_assert(reject_decode(buf_slice(&b), &got));
	ck_assert_uint_eq(got.text.len, REJECT_TEXT_MAX);
	ck_assert_uint_eq(got.mess.pair[15].value.len, REJECT_VALUE_MAX);
	buf_fini(&b);
}
END_TEST

START_TEST(too_many_pairs)
{
	struct reject r = { .code = 550 }, got;
	struct buf b;

	buf_init(&b, REJECT_MAX_BYTES);
	reject_encode(&r, &b);
	b.ptr[b.len - 1] = (char)(REJECT_PAIRS_MAX + 1);
	for (unsigned i = 0; i < REJECT_PAIRS_MAX + 1; i++) {
		buf_append(&b, "\0\0\0\0", 4);
	}
	ck_assert(!reject_decode(buf_slice(&b), &got));
	buf_fini(&b);
}
END_TEST

TCase *
tcase_reject(void)
{
	TCase *t = tcase_create("reject");

	tcase_add_test(t, round_trip);
	tcase_add_test(t, too_long);
	tcase_add_test(t, too_many_pairs);
	return t;
}
