/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/wire.h"
#include "tests/base/base_tests.h"

START_TEST(round_trip_and_every_truncation)
{
	struct buf b;

	buf_init(&b, 100);
	wire_put_u8(&b, 0xab);
	wire_put_u16(&b, 0x1234);
	wire_put_u32(&b, 0xdeadbeef);
	wire_put_u64(&b, 0x0123456789abcdefu);
	wire_put_slice(&b, SLICE("text"));
	wire_put_slice(&b, SLICE(""));
	ck_assert(!b.full);
	ck_assert_uint_eq(b.len, 1 + 2 + 4 + 8 + 6 + 2);
	ck_assert_int_eq((unsigned char)b.ptr[1], 0x34);
	for (size_t n = 0; n <= b.len; n++) {
		/* A copy of exactly n bytes: a sanitizer sees one too far. */
		char *copy = slice_dup(slice_make(b.ptr, n));
		char *exact = xmalloc(n);
		struct wire_r r;
		struct slice text;

		memcpy(exact, copy, n);
		r = wire_reader(slice_make(exact, n));
		ck_assert_uint_eq(wire_u8(&r), n >= 1 ? 0xab : 0);
		ck_assert_uint_eq(wire_u16(&r), n >= 3 ? 0x1234 : 0);
		ck_assert_uint_eq(wire_u32(&r), n >= 7 ? 0xdeadbeef : 0);
		ck_assert_uint_eq(wire_u64(&r),
		    n >= 15 ? 0x0123456789abcdefu : 0);
		text = wire_slice(&r);
		ck_assert_uint_eq(text.len, n >= 21 ? 4 : 0);
		wire_slice(&r);
		ck_assert(r.bad == (n < b.len));
		free(copy);
		free(exact);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(limits)
{
	char *big = xcalloc(1, 65536);
	struct wire_r r = wire_reader((struct slice){ NULL, 0 });
	struct buf b;

	buf_init(&b, 200000);
	wire_put_slice(&b, slice_make(big, 65535));
	ck_assert(!b.full);
	wire_put_slice(&b, slice_make(big, 65536));
	ck_assert(b.full);
	ck_assert_uint_eq(wire_bytes(&r, 0).len, 0);
	ck_assert(!r.bad);
	ck_assert_ptr_null(wire_bytes(&r, 1).ptr);
	ck_assert(r.bad);
	free(big);
	buf_fini(&b);
}
END_TEST

TCase *
tcase_wire(void)
{
	TCase *t = tcase_create("wire");

	tcase_add_test(t, round_trip_and_every_truncation);
	tcase_add_test(t, limits);
	return t;
}
