/* SPDX-License-Identifier: Apache-2.0 */
/* Lone line ends, mended at every split of the input. */
#include "listener/mend.h"

#include <check.h>
#include <stdlib.h>

#define H 1u	/* mend the header */
#define B 2u	/* mend the body */

static const struct {
	const char *name, *in;
	unsigned fix;
	const char *out;
	bool bare_header, bare_body;
	uint64_t longest;
} cases[] = {
	{ "empty", "", H | B, "", false, false, 0 },
	{ "clean", "a: b\r\n\r\nxyz.z\r\n", H | B, "a: b\r\n\r\nxyz.z\r\n",
	  false, false, 5 },
	{ "LF everywhere", "a: b\n\nx\n", H | B, "a: b\r\n\r\nx\r\n", true,
	  true, 4 },
	{ "CR everywhere", "a: b\r\rx\r\n", H | B, "a: b\r\n\r\nx\r\n", true,
	  false, 4 },
	{ "CR CR LF", "a: b\r\r\nx\r\n", H | B, "a: b\r\n\r\nx\r\n", true,
	  false, 4 },
	{ "CR LF LF", "a: b\r\n\nx\n\r\n", H | B, "a: b\r\n\r\nx\r\n\r\n",
	  true, true, 4 },
	{ "header only", "a: b\nc: d\n\nx\ny\r\n", H,
	  "a: b\r\nc: d\r\n\r\nx\ny\r\n", true, true, 4 },
	{ "body only", "a: b\nc: d\r\n\r\nx\ny\rz\r\n", B,
	  "a: b\nc: d\r\n\r\nx\r\ny\r\nz\r\n", true, true, 9 },
	{ "body that never comes", "a: b\n\nx\r\n", B, "a: b\n\nx\r\n", true,
	  false, 7 },
	{ "empty header", "\nx\n\r\n", H | B, "\r\nx\r\n\r\n", true, true,
	  1 },
};

static size_t
run(unsigned fix, struct slice in, size_t first, size_t room, char *out,
    struct mend *m)
{
	size_t len = 0, used;

	mend_init(m, (fix & H) != 0, (fix & B) != 0);
	for (int half = 0; half < 2; half++) {
		struct slice part = half == 0 ? slice_make(in.ptr, first) :
		    slice_skip(in, first);

		while (part.len > 0) {
			size_t made = mend_run(m, part, &used, out + len, room);

			ck_assert_uint_le(made, room);
			ck_assert_uint_gt(made + used, 0);
			len += made;
			part = slice_skip(part, used);
		}
	}
	return len;
}

START_TEST(every_split)
{
	struct slice in = slice_of(cases[_i].in);
	char out[128];
	struct mend m;

	for (size_t first = 0; first <= in.len; first++) {
		for (size_t room = MEND_ROOM; room < 16; room++) {
			size_t n = run(cases[_i].fix, in, first, room, out,
			    &m);

			ck_assert_msg(slice_eq(slice_make(out, n),
			    slice_of(cases[_i].out)), "%s: %.*s",
			    cases[_i].name, (int)n, out);
			ck_assert(m.bare_header == cases[_i].bare_header);
			ck_assert(m.bare_body == cases[_i].bare_body);
			ck_assert_uint_eq(m.longest_line, cases[_i].longest);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mend");
	TCase *tc = tcase_create("mend");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, every_split, 0, (int)ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
