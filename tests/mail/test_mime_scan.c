/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/mime_scan.h"
#include "tests/mail/format_tests.h"

#define LONG_NAME "X123456789012345678901234567890123456789012345678901234567" \
	"8901234567890123456789"	/* 80 bytes */

static const struct {
	const char *bytes;
	uint64_t limit;
	/* "name=value|" for each field, then the result's letter and the
	 * offset where the scan stands. */
	const char *want;
} rows[] = {
	{ "A: b\r\n\r\nbody", 99, "A=b|E8" },
	{ "A: b\n\nbody", 99, "A=b|E6" },
	{ "\r\nbody", 99, "E2" },
	{ "", 99, "C0" },
	{ "A: b\r\n", 99, "A=b|C6" },
	{ "A: b", 99, "C0" },
	{ "A", 99, "C0" },
	{ "A ", 99, "C0" },
	{ "A: b\r\n\r", 99, "A=b|C6" },
	{ "A: b\r\n\rX", 99, "A=b|N6" },
	{ "Subject: a\r\n  b\r\n\t c\r\nB:\r\n\r\n", 99,
	    "Subject=a  b\t c|B=|E28" },
	{ "A : b \r\n\r\n", 99, "A=b|E10" },
	{ "A\t:b\r\n \r\n\r\n", 99, "A=b|E11" },
	{ "A: b\r\nno field\r\n\r\n", 99, "A=b|N6" },
	{ "From bob Mon\r\nA: b\r\n\r\n", 99, "N0" },
	{ " A: b\r\n\r\n", 99, "N0" },
	{ ": b\r\n\r\n", 99, "N0" },
	{ "A\x80: b\r\n\r\n", 99, "N0" },
	{ "A: b\rc\r\n\r\n", 99, "A=b c|E10" },
	{ "A: \r\n b\r\n\r\n", 99, "A=b|E11" },
	{ "A: b\r\n\r\n", 8, "A=b|E8" },
	{ "A: b\r\n\r\nx", 7, "A=b|L6" },
	{ "A: b\r\n\r\nx", 6, "L0" },
	{ "A: b\r\nB: c\r\n\r\n", 8, "A=b|L6" },
	{ "A: b\r\n\r\nx", 0, "L0" },
	{ LONG_NAME ": b\r\nA: c\r\n\r\n", 999, "80=b|A=c|E93" },
};

static void
describe(const struct slice *ext, size_t n, uint64_t limit, char out[256])
{
	static const char letter[] = { [MIME_END] = 'E',
		[MIME_NOT_A_FIELD] = 'N', [MIME_CUT] = 'C', [MIME_LIMIT] = 'L' };
	enum mime_scan_result r;
	struct mime_field f;
	struct mime_scan s;
	struct buf b;

	buf_init(&b, 255);
	mime_scan_init(&s, ext, n, limit);
	while ((r = mime_scan_next(&s, &f)) == MIME_FIELD) {
		if (f.name_len <= MIME_NAME_MAX) {
			buf_append(&b, f.name, f.name_len);
		} else {
			buf_printf(&b, "%zu", f.name_len);
		}
		buf_putc(&b, '=');
		ck_assert(mime_value_add(&s, &f, &b, 200));
		buf_putc(&b, '|');
		ck_assert_uint_eq(f.end, s.at.pos);
	}
	buf_printf(&b, "%c%llu", letter[r], (unsigned long long)s.at.pos);
	ck_assert_int_eq(mime_scan_next(&s, &f) == MIME_FIELD && r != MIME_END,
	    false);
	slice_copy(out, 256, buf_slice(&b));
	buf_fini(&b);
}

START_TEST(whole_and_at_every_split)
{
	struct slice m = slice_of(rows[_i].bytes), bytes[200];
	char got[256];

	describe(&m, 1, rows[_i].limit, got);
	ck_assert_str_eq(got, rows[_i].want);
	for (size_t i = 0; i <= m.len; i++) {
		for (size_t k = i; k <= m.len; k++) {
			struct slice three[4] = { slice_make(m.ptr, i),
				slice_make(m.ptr + i, k - i), { NULL, 0 },
				slice_skip(m, k) };

			describe(three, 4, rows[_i].limit, got);
			ck_assert_str_eq(got, rows[_i].want);
		}
	}
	for (size_t i = 0; i < m.len; i++) {
		bytes[i] = slice_make(m.ptr + i, 1);
	}
	describe(bytes, m.len, rows[_i].limit, got);
	ck_assert_str_eq(got, rows[_i].want);
}
END_TEST

static const struct slice mail[] = {
	{ "Received: a\r\n b\r\nrecei", 22 }, { "ved: c\r\n", 8 },
	{ "Subject: \xc3\xa4\r\nX: 1\nReceived : d\r\n\r\nReceived: no\r\n", 48 },
};

START_TEST(questions)
{
	struct mime_field f;
	struct slice parts[3];
	struct mime_scan s;
	uint64_t end = 0;

	ck_assert_uint_eq(mime_count(mail, 3, 999, SLICE("RECEIVED")), 3);
	ck_assert_uint_eq(mime_count(mail, 3, 20, SLICE("received")), 1);
	ck_assert(mime_find(mail, 3, 999, SLICE("subject"), &f));
	ck_assert_uint_eq(f.start.pos, 30);
	ck_assert(!mime_find(mail, 3, 999, SLICE("Subjec"), &f));
	ck_assert_int_eq(mime_header_end(mail, 3, 999, &end), MIME_END);
	ck_assert_uint_eq(end, 64);
	ck_assert_int_eq(mime_header_end(mail, 3, 30, &end), MIME_LIMIT);
	ck_assert_int_eq(mime_header_end(mail, 0, 30, &end), MIME_CUT);
	mime_scan_init(&s, mail, 3, 999);
	ck_assert(mime_find(mail, 3, 999, SLICE("received"), &f));
	ck_assert_uint_eq(mime_slices(&s, f.start, 32, parts, 3), 3);
	ck_assert_uint_eq(parts[0].len + parts[1].len + parts[2].len, 32);
	ck_assert(slice_eq(parts[2], SLICE("Su")));
	ck_assert_uint_eq(mime_slices(&s, f.start, 9999, NULL, 0), 3);
}
END_TEST

START_TEST(value_caps)
{
	struct slice m = SLICE("A: one  two \r\n\r\n");
	struct mime_field f;
	struct mime_scan s;
	struct buf b;

	mime_scan_init(&s, &m, 1, 99);
	ck_assert_int_eq(mime_scan_next(&s, &f), MIME_FIELD);
	for (size_t max = 0; max < 12; max++) {
		buf_init(&b, 99);
		ck_assert(mime_value_add(&s, &f, &b, max) == (max >= 8));
		ck_assert(slice_eq(buf_slice(&b), max >= 8 ?
		    SLICE("one  two") : slice_trim(slice_make("one  two",
		    max))));
		buf_fini(&b);
		buf_init(&b, max);
		ck_assert(mime_value_add(&s, &f, &b, 99) == (max >= 8 + 1));
		ck_assert(max >= 9 || (b.full && b.len == 0));
		buf_fini(&b);
	}
}
END_TEST

START_TEST(copies_headers)
{
	char wide[3000];
	struct mime_copied c;
	struct slice m;
	struct buf b;

	buf_init(&b, 9999);
	c = mime_headers_add(mail, 3, &b, 999);
	ck_assert(!c.cut && c.has_8bit);
	ck_assert(slice_eq(buf_slice(&b), SLICE("Received: a\r\n b\r\n"
	    "received: c\r\nSubject: \xc3\xa4\r\nX: 1\r\nReceived : d\r\n")));
	for (size_t max = 0; max < 63; max++) {
		buf_clear(&b);
		c = mime_headers_add(mail, 3, &b, max);
		ck_assert(c.cut);
		ck_assert_uint_le(b.len, max);
		ck_assert(b.len == 0 || b.len == 17 || b.len == 30 ||
		    b.len == 43 || b.len == 49);
		ck_assert(c.has_8bit == (b.len > 30));
	}
	buf_clear(&b);
	c = mime_headers_add(mail, 3, &b, 63);
	ck_assert(!c.cut && b.len == 63);
	memset(wide, 'w', sizeof wide);
	wide[0] = 'A';
	wide[1] = ':';
	memcpy(wide + sizeof wide - 5, "\0\n\r\n", 4);
	m = slice_make(wide, sizeof wide - 1);
	buf_clear(&b);
	c = mime_headers_add(&m, 1, &b, 9999);
	ck_assert(!c.cut && b.len > 2990);
	for (size_t i = 0, line = 0; i < b.len; i++) {
		line = b.ptr[i] == '\n' ? 0 : line + 1;
		ck_assert_uint_le(line, 999);	/* with the CR */
		ck_assert_int_ne(b.ptr[i], '\0');
	}
	buf_fini(&b);
}
END_TEST

TCase *
tcase_mime_scan(void)
{
	TCase *t = tcase_create("mime_scan");

	tcase_add_loop_test(t, whole_and_at_every_split, 0,
	    (int)ARRAY_LEN(rows));
	tcase_add_test(t, questions);
	tcase_add_test(t, value_caps);
	tcase_add_test(t, copies_headers);
	return t;
}
