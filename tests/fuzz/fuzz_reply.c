/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign replies: the same for any split; folded text is one line; what we
 * build from a reply reads back as that reply. */
#include "common/mail/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum reply_status
feed(struct reply_parser *p, struct slice in, size_t step, size_t *used_out)
{
	enum reply_status st = REPLY_MORE;
	size_t pos = 0, used;

	reply_parser_init(p);
	while (pos < in.len && st == REPLY_MORE) {
		st = reply_feed(p, slice_make(in.ptr + pos,
		    EC_MIN(step, in.len - pos)), &used);
		pos += used;
	}
	*used_out = pos;
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply_parser a, b;
	struct slice in = slice_make(data, size);
	enum reply_status st, again;
	size_t used, used2, len;
	char folded[512];
	struct buf out;

	st = feed(&a, in, size + 1, &used);
	again = feed(&b, in, 1, &used2);
	ec_assert(st == again && used == used2 && a.text_len == b.text_len);
	ec_assert(memcmp(a.text, b.text, a.text_len) == 0);
	if (st != REPLY_OK) {
		return 0;
	}
	ec_assert(a.code == b.code && a.lines == b.lines);
	len = reply_fold(&a, folded, sizeof(folded));
	ec_assert(len >= 3 && len <= sizeof(folded));
	for (size_t i = 0; i < len; i++) {
		ec_assert((unsigned char)folded[i] >= 0x20);
	}
	buf_init(&out, 65536);
	ec_assert(reply_put_lines(&out, a.code, NULL, reply_text(&a)));
	ec_assert(feed(&b, buf_slice(&out), 3, &used) == REPLY_OK);
	ec_assert(used == out.len && b.code == a.code);
	ec_assert(b.lines == a.lines || a.cut);
	buf_fini(&out);
	return 0;
}
