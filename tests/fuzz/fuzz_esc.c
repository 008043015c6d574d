/* SPDX-License-Identifier: Apache-2.0 */
/* Escaped text is printable, can be undone, and is cut between escapes. */
#include "common/mail/esc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_printable(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		ec_assert(b->ptr[i] >= ' ' && b->ptr[i] <= '~');
	}
}

static void
check_style(struct slice s, unsigned how, size_t max, struct buf *a,
    struct buf *b)
{
	buf_clear(a);
	buf_clear(b);
	ec_assert(esc_add(a, s, how, ESC_NO_MAX));
	check_printable(a);
	ec_assert(esc_undo(b, buf_slice(a)));
	ec_assert(slice_eq(buf_slice(b), s));
	buf_clear(b);
	ec_assert(esc_undo(b, esc_cut(buf_slice(a), max)));
	ec_assert(slice_starts(s, buf_slice(b)));
}

static void
check_xtext(struct slice s, struct buf *a, struct buf *b)
{
	buf_clear(a);
	buf_clear(b);
	ec_assert(esc_xtext_encode(a, s));
	ec_assert(esc_xtext_decode(b, buf_slice(a)));
	ec_assert(slice_eq(buf_slice(b), s));
	buf_clear(b);
	ec_assert(esc_xtext_decode(b, s) == esc_xtext_is_valid(s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t max = size > 0 ? data[0] : 0;
	struct slice s = slice_make(data, size);
	struct buf a, b;
	bool utf8;

	buf_init(&a, size * 8 + 16);
	buf_init(&b, size * 8 + 16);
	for (unsigned how = 0; how < ESC_AGAIN; how++) {
		check_style(s, how, max, &a, &b);
	}
	check_xtext(s, &a, &b);
	/* A folded reply is one line; folding it again changes nothing but
	 * the backslashes. */
	buf_clear(&a);
	ec_assert(esc_fold_reply(&a, s, ESC_NO_MAX));
	check_printable(&a);
	buf_clear(&b);
	esc_fold_reply(&b, s, max);
	ec_assert(b.len <= max && slice_starts(buf_slice(&a), buf_slice(&b)));
	buf_clear(&a);
	esc_add(&a, s, ESC_TEXT | ESC_KEEP_UTF8, ESC_NO_MAX);
	ec_assert(esc_is_utf8(buf_slice(&a), NULL));
	utf8 = esc_is_utf8(s, NULL);
	ec_assert(!utf8 || a.len <= size * 4);
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
