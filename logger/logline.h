/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logline: one log line in a caller's bytes, written without the printf
 * family: a busy server writes tens of thousands a second.  Writing never
 * passes the end; what does not fit is left away, but there is always room
 * for the '\n', so a cut line is still one line.
 *
 *	char bytes[LOGLINE_MAX];
 *	struct logline l = logline_make(bytes, sizeof bytes);
 *	logline_u64(&l, seconds);
 *	logline_char(&l, '@');
 *	host->append(host->arg, file, logline_end(&l));
 */
#ifndef EC_LOGGER_LOGLINE_H
#define EC_LOGGER_LOGLINE_H

#include "common/base/slice.h"
#include "common/mail/msgid.h"

/* Every byte of the longest message escaped, and the numbers around them. */
#define LOGLINE_MAX (4u * 65536u + 4096u)

struct logline {
	char *start, *p;
	char *end;	/* the last byte, kept for '\n' */
};

enum logline_how {
	LOGLINE_TEXT,	/* strange bytes and the backslash escaped */
	LOGLINE_LOCAL,	/* the same and '@' as \@ */
	LOGLINE_QUOTED,	/* the same as TEXT and '"' as \x22 */
	LOGLINE_KEPT,	/* backslashes stay: the text was escaped before */
};

static inline struct logline
logline_make(char *bytes, size_t size)
{
	return (struct logline){ bytes, bytes, bytes + size - 1 };
}

static inline void
logline_char(struct logline *l, char c)
{
	if (l->p < l->end) {
		*l->p++ = c;
	}
}

/* Bytes of our own: not escaped. */
static inline void
logline_raw(struct logline *l, struct slice s)
{
	size_t n = EC_MIN(s.len, (size_t)(l->end - l->p));

	if (n > 0) {
		memcpy(l->p, s.ptr, n);
		l->p += n;
	}
}

void logline_u64(struct logline *l, uint64_t n);
/* Seconds since the epoch of a wall time. */
void logline_epoch(struct logline *l, uint64_t wall_us);
/* to - from in seconds with 2 or 3 decimals, rounded; 0 if it is negative. */
void logline_span(struct logline *l, uint64_t from_us, uint64_t to_us,
	unsigned decimals);
void logline_msgid(struct logline *l, msgid id);
/* Foreign bytes, escaped; never a line end or a control character. */
void logline_text(struct logline *l, struct slice s, enum logline_how how);
/* "10.0.0.1", "2001:db8::1"; nothing for the zero address. */
void logline_ip(struct logline *l, const uint8_t ip[16]);
bool logline_ip_is_zero(const uint8_t ip[16]);
/* "local@domain" as two fields with '@' between; an empty address as "@". */
void logline_address(struct logline *l, struct slice address);
/* Ends the line; all of it. */
struct slice logline_end(struct logline *l);

#endif
