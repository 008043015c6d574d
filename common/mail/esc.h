/* SPDX-License-Identifier: Apache-2.0 */
/*
 * esc: the one family of escapes for whatever strangers can write into .meta
 * files, DSNs, trace headers, logs and consoles.  Bytes outside printable
 * US-ASCII become \xHH and a backslash becomes \\, so that the text is one
 * line, has no terminal control in it and can be undone byte for byte.  JSON
 * strings are jansson's business.
 *
 * Pure; everything bounded.  What does not fit is cut between two escapes,
 * never inside one, and the function says so.
 *
 *	struct buf b;
 *	buf_init(&b, 4096);
 *	esc_add(&b, helo, ESC_TEXT, 255);
 */
#ifndef EC_ESC_H
#define EC_ESC_H

#include "common/base/buf.h"
#include "common/base/slice.h"

enum esc_how {
	ESC_TEXT,	/* .meta values, replies, consoles */
	ESC_LOCAL,	/* local parts in @-joined logs: '@' becomes \@ too */
	ESC_HEADER,	/* words in a header: blanks, quotes, ()<>,; are \xHH
			 * too, so that nothing can end or forge a clause */
	ESC_AGAIN,	/* text escaped before: backslashes stand */
	ESC_STYLES
};

#define ESC_KEEP_UTF8 0x80u	/* or'ed in: well-formed UTF-8 stands as it is */
#define ESC_MAX_GROWTH 4u	/* bytes that one byte can become */
#define ESC_NO_MAX SIZE_MAX

/* Writes at most room bytes (no NUL) to out; the count.  *cut_out (may be NULL)
 * tells whether something was left away. */
size_t esc_write(char *out, size_t room, struct slice s, unsigned how,
	bool *cut_out);
/* Appends at most max_bytes of escaped text.  False if it was cut there, or if
 * it passed b's cap: then nothing was added and b->full is set. */
bool esc_add(struct buf *b, struct slice s, unsigned how, size_t max_bytes);
/* Escaped text cut to at most max_bytes, not inside an escape. */
struct slice esc_cut(struct slice escaped, size_t max_bytes);
/* Undoes ESC_TEXT and ESC_LOCAL (and ESC_HEADER): \xHH, \\ and \@.  False on
 * any other backslash, on bytes that escaping never leaves, and past the cap;
 * b is then as it was, but for b->full. */
bool esc_undo(struct buf *b, struct slice escaped);
/* Length of the well-formed UTF-8 sequence at the front of s: 2 to 4; 0 for
 * anything else, also US-ASCII and the C1 controls. */
size_t esc_utf8_len(struct slice s);
/* US-ASCII and well-formed UTF-8 only; *ascii_out (may be NULL): no UTF-8. */
bool esc_is_utf8(struct slice s, bool *ascii_out);

/*
 * A reply of several lines as one line, escaped: the first line's code is
 * kept, followed by one blank; CRLF, bare CR and bare LF become one blank each
 * run; the code of a following line goes when it is the first line's, and so
 * does its enhanced status code when it is the first line's.
 *	550-5.1.1 No such user\r\n550 5.1.1 here\r\n -> 550 5.1.1 No such user here
 * At most max_bytes; false as esc_add.
 */
bool esc_fold_reply(struct buf *b, struct slice reply, size_t max_bytes);

/* xtext, RFC 3461 section 4: '+', '=' and all outside '!'..'~' as +HH. */
bool esc_xtext_is_valid(struct slice xtext);
bool esc_xtext_encode(struct buf *b, struct slice s);
/* False (and nothing appended) on anything that is not xtext. */
bool esc_xtext_decode(struct buf *b, struct slice xtext);

#endif
