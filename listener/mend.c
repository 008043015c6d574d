/* SPDX-License-Identifier: Apache-2.0 */
/* A carriage return is held back until the byte behind it is known. */
#include "listener/mend.h"

void
mend_init(struct mend *m, bool fix_header, bool fix_body)
{
	*m = (struct mend){ .fix_header = fix_header, .fix_body = fix_body };
}

static size_t
line_end(struct mend *m, char *out)
{
	memcpy(out, "\r\n", 2);
	m->longest_line = EC_MAX(m->longest_line, m->line_bytes);
	m->in_body |= m->line_bytes == 0;
	m->line_bytes = 0;
	return 2;
}

static size_t
lone(struct mend *m, char c, char *out)
{
	m->bare_header |= !m->in_body;
	m->bare_body |= m->in_body;
	if (m->in_body ? m->fix_body : m->fix_header) {
		return line_end(m, out);
	}
	*out = c;
	m->line_bytes++;
	return 1;
}

/* Bytes before the first CR or LF. */
static size_t
plain(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '\r' && p[i] != '\n') {
		i++;
	}
	return i;
}

size_t
mend_run(struct mend *m, struct slice in, size_t *used_out, char *out,
    size_t room)
{
	size_t used = 0, made = 0;

	while (used < in.len && room - made >= MEND_ROOM) {
		char c = in.ptr[used];
		size_t n;

		if (m->held_cr) {
			m->held_cr = false;
			if (c == '\n') {
				made += line_end(m, out + made);
				used++;
			} else {
				made += lone(m, '\r', out + made);
			}
		} else if (c == '\r') {
			m->held_cr = true;
			used++;
		} else if (c == '\n') {
			made += lone(m, '\n', out + made);
			used++;
		} else {
			n = plain(in.ptr + used, EC_MIN(in.len - used,
			    room - made));
			memcpy(out + made, in.ptr + used, n);
			m->line_bytes += n;
			made += n;
			used += n;
		}
	}
	*used_out = used;
	return made;
}
