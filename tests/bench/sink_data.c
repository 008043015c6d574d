/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a message, as the sink sees it. */
#include "tests/bench/sink_data.h"

void
sink_data_init(struct sink_data *d, struct buf *copy)
{
	d->at = SINK_DATA_LINE_START;
	d->cont = SINK_CONT_NONE;
	d->cr = false;
	d->in_header = true;
	d->bytes = 0;
	d->line_len = 0;
	d->load_id[0] = d->message_id[0] = '\0';
	d->copy = copy;
}

struct slice
sink_data_key(const struct sink_data *d)
{
	if (d->load_id[0] != '\0') {
		return slice_of(d->load_id);
	}
	return d->message_id[0] != '\0' ? slice_of(d->message_id) :
	    SLICE("none");
}

/* The first value of a header field counts, as for a reader of the mail. */
static void
note_value(struct sink_data *d, enum sink_data_cont which, struct slice v)
{
	char *to = which == SINK_CONT_LOAD_ID ? d->load_id : d->message_id;

	if (to[0] != '\0') {
		return;
	}
	v = slice_trim(v);
	if (v.len == 0) {
		d->cont = which;	/* folded right behind the colon */
		return;
	}
	slice_copy(to, SINK_KEY_MAX, v);
}

static void
end_header_line(struct sink_data *d)
{
	struct slice s = { d->line, d->line_len };
	enum sink_data_cont cont = d->cont;

	d->line_len = 0;
	d->cont = SINK_CONT_NONE;
	while (s.len > 0 && (s.ptr[s.len - 1] == '\r' ||
	    s.ptr[s.len - 1] == '\n')) {
		s.len--;
	}
	if (s.len == 0) {
		d->in_header = false;
	} else if (s.ptr[0] == ' ' || s.ptr[0] == '\t') {
		if (cont != SINK_CONT_NONE) {
			note_value(d, cont, s);
		}
	} else if (slice_starts_nocase(s, SLICE("X-Load-Id:"))) {
		note_value(d, SINK_CONT_LOAD_ID, slice_skip(s, 10));
	} else if (slice_starts_nocase(s, SLICE("Message-ID:"))) {
		note_value(d, SINK_CONT_MESSAGE_ID, slice_skip(s, 11));
	}
}

static void
emit(struct sink_data *d, const char *p, size_t n)
{
	d->bytes += n;
	if (d->copy != NULL) {
		buf_append(d->copy, p, n);
	}
	if (d->in_header) {
		n = EC_MIN(n, SINK_LINE_MAX - d->line_len);
		memcpy(d->line + d->line_len, p, n);
		d->line_len += n;
	}
}

/* From inside a line to behind its end, or as far as the bytes go. */
static size_t
take_line(struct sink_data *d, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	size_t len = lf != NULL ? (size_t)(lf - p) + 1 : n;
	bool cr = lf == NULL || lf == p ? d->cr : lf[-1] == '\r';

	emit(d, p, len);
	if (lf == NULL) {
		d->cr = p[n - 1] == '\r';
		return len;
	}
	d->cr = false;
	if (cr) {
		d->at = SINK_DATA_LINE_START;
		if (d->in_header) {
			end_header_line(d);
		}
	}
	return len;
}

size_t
sink_data_feed(struct sink_data *d, struct slice in)
{
	size_t i = 0;

	while (i < in.len && d->at != SINK_DATA_END) {
		char c = in.ptr[i];

		switch (d->at) {
		case SINK_DATA_LINE_START:
			d->cr = false;
			d->at = c == '.' ? SINK_DATA_DOT : SINK_DATA_MID;
			i += c == '.';
			break;
		case SINK_DATA_DOT:
			d->at = c == '\r' ? SINK_DATA_DOT_CR : SINK_DATA_MID;
			i += c == '\r';
			break;
		case SINK_DATA_DOT_CR:
			d->at = c == '\n' ? SINK_DATA_END : SINK_DATA_MID;
			if (c == '\n') {
				i++;
			} else {
				emit(d, "\r", 1);
				d->cr = true;
			}
			break;
		case SINK_DATA_MID:
			i += take_line(d, in.ptr + i, in.len - i);
			break;
		case SINK_DATA_END:
			break;
		}
	}
	return i;
}
