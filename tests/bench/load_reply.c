/* SPDX-License-Identifier: Apache-2.0 */
/* Reply lines: RFC 5321 section 4.2. */
#include "tests/bench/load_reply.h"

#include "common/base/num.h"

#define REPLY_LINE_MAX 2048u

enum load_reply_result
load_reply_next(struct slice *in, struct load_reply *out)
{
	ssize_t lf = slice_find(*in, '\n');
	struct slice line;
	uint64_t code;

	if (lf < 0) {
		return in->len > REPLY_LINE_MAX ? LOAD_REPLY_BAD :
		    LOAD_REPLY_MORE;
	}
	line = slice_cut(in, '\n');
	if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
		line.len--;
	}
	if (line.len < 3 ||
	    !num_parse_max(slice_make(line.ptr, 3), 599, &code) || code < 200 ||
	    (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')) {
		return LOAD_REPLY_BAD;
	}
	out->code = (unsigned)code;
	out->text = slice_skip(line, 4);
	return line.len > 3 && line.ptr[3] == '-' ? LOAD_REPLY_PART :
	    LOAD_REPLY_LAST;
}
