/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines out of a stream, without copying. */
#include "common/mail/smtp_line.h"

void
smtp_line_init(struct smtp_line *l, size_t max_bytes)
{
	*l = (struct smtp_line){ .max = EC_MAX(max_bytes, (size_t)2) };
}

/* Offset behind the first CRLF whose LF is at from or later; 0: none. */
static size_t
find_crlf(struct slice in, size_t from)
{
	while (from < in.len) {
		const char *lf = memchr(in.ptr + from, '\n', in.len - from);

		if (lf == NULL) {
			return 0;
		}
		from = (size_t)(lf - in.ptr) + 1;
		if (from >= 2 && lf[-1] == '\r') {
			return from;
		}
	}
	return 0;
}

/* Only now, on the whole line, so that a split cannot change the answer. */
static enum smtp_line_status
judge(struct slice line)
{
	if (line.len == 0) {
		return SMTP_LINE_OK;
	}
	if (memchr(line.ptr, '\0', line.len) != NULL) {
		return SMTP_LINE_NUL;
	}
	if (memchr(line.ptr, '\n', line.len) != NULL) {
		return SMTP_LINE_BARE_LF;
	}
	if (memchr(line.ptr, '\r', line.len) != NULL) {
		return SMTP_LINE_BARE_CR;
	}
	return SMTP_LINE_OK;
}

/* The rest of an over-long line.  A CR at the end of the input stays there:
 * its LF may come. */
static size_t
skip_rest(struct smtp_line *l, struct slice in)
{
	size_t end = find_crlf(in, 0);

	if (end > 0) {
		l->skipping = false;
		return end;
	}
	return in.len > 0 && in.ptr[in.len - 1] == '\r' ? in.len - 1 : in.len;
}

enum smtp_line_status
smtp_line_next(struct smtp_line *l, struct slice in, size_t *consumed_out,
    struct slice *line_out)
{
	size_t end;

	*consumed_out = 0;
	*line_out = SLICE("");
	if (l->skipping) {
		*consumed_out = skip_rest(l, in);
		if (l->skipping) {
			return SMTP_LINE_MORE;
		}
		in = slice_skip(in, *consumed_out);
	}
	end = find_crlf(slice_make(in.ptr, EC_MIN(in.len, l->max)),
	    l->scanned);
	if (end > 0) {
		l->scanned = 0;
		*consumed_out += end;
		*line_out = slice_make(in.ptr, end - 2);
		return judge(*line_out);
	}
	if (in.len < l->max) {
		l->scanned = in.len;
		return SMTP_LINE_MORE;
	}
	/* One byte stays: it may be the CR of the line's end. */
	l->scanned = 0;
	l->skipping = true;
	*consumed_out += l->max - 1;
	*line_out = slice_make(in.ptr, l->max - 1);
	return SMTP_LINE_TOO_LONG;
}
