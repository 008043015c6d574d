/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply: SMTP replies (RFC 5321 4.2, RFC 3463), read from a remote server and
 * built for our clients.
 *
 * Parser: any split; nothing is allocated.  Bare LF is taken for a line end
 * here (a server cannot gain by it).  REPLY_TEXT_MAX bytes are kept, the rest
 * is dropped and `cut` set.
 *
 *	reply_parser_init(&p);
 *	st = reply_feed(&p, in, &used);
 *	// REPLY_MORE: read on; REPLY_OK: p.code, p.enhanced, lines;
 *	// else the server talks nonsense: close.
 *	reply_parser_init(&p);			// before the next reply
 *
 * Builder: constants of struct reply_text into the session's output buffer.
 */
#ifndef EC_REPLY_H
#define EC_REPLY_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#define REPLY_TEXT_MAX 4096
#define REPLY_LINES_MAX 128
#define REPLY_BYTES_MAX 65536

enum reply_status {
	REPLY_MORE,
	REPLY_OK,		/* whole and consistent */
	REPLY_MIXED_CODES,	/* whole, but its lines differ in code; .code is
				 * the last line's */
	REPLY_BAD_CODE,		/* a line without a code from 200 to 599 */
	REPLY_BAD_SEPARATOR,	/* neither blank, '-' nor line end behind it */
	REPLY_TOO_MANY_LINES,
	REPLY_TOO_LONG,
	REPLY_STATUS_COUNT
};

struct reply_enhanced {
	uint16_t klass;		/* 2, 4 or 5; 0: there was none */
	uint16_t subject;
	uint16_t detail;
};

struct reply_parser {
	/* Results, valid from REPLY_OK or REPLY_MIXED_CODES on. */
	uint16_t code;
	struct reply_enhanced enhanced;
	uint16_t lines;
	bool cut;		/* text beyond REPLY_TEXT_MAX was dropped */
	size_t text_len;
	/* The lines without code and separator, each ended by '\n'. */
	char text[REPLY_TEXT_MAX];
	/* Private. */
	uint8_t state;
	uint8_t status;
	uint8_t digits;
	bool last, mixed, cr;
	uint16_t line_code;
	size_t bytes;
};

void reply_parser_init(struct reply_parser *p);
enum reply_status reply_feed(struct reply_parser *p, struct slice in,
    size_t *consumed_out);
const char *reply_status_text(enum reply_status st);
/* Takes the next line off *rest; start with rest = reply_text(p). */
bool reply_next_line(struct slice *rest, struct slice *line_out);
struct slice reply_text(const struct reply_parser *p);
/* "550 5.1.1 no such user here": all lines in one, an enhanced code that is
 * repeated only once, control characters as blanks.  Whoever logs it still
 * escapes it.  Returns the length, cut to cap. */
size_t reply_fold(const struct reply_parser *p, char *dst, size_t cap);
/* An enhanced code "c.s.d" at the front of s; *used_out without the blank. */
bool reply_parse_enhanced(struct slice s, struct reply_enhanced *out,
    size_t *used_out);

/* A reply of ours.  enhanced is NULL where RFC 2034 wants none (3xx, the
 * greeting, EHLO). */
struct reply_text {
	uint16_t code;
	const char *enhanced;
	const char *text;
};

/* "code enhanced text[ detail]\r\n" onto out.  enhanced == false leaves the
 * enhanced code away (a client that was not offered it). */
bool reply_put(struct buf *out, const struct reply_text *r, bool enhanced,
    struct slice detail);
/* The same for text in lines, ended or parted by '\n'; CR and other control
 * characters leave as blanks, so that foreign text cannot forge a line. */
bool reply_put_lines(struct buf *out, unsigned code, const char *enhanced,
    struct slice text);

#endif
