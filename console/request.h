/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: one line of the control socket (control.h) becomes a struct
 * request: the command's words and how the answer shall look.  Accepts any
 * split of its input, needs nothing but the bytes; the JSON library works in
 * memory of its own, which is freed before request_feed() returns.
 *
 *	request_parser_init(&p);
 *	st = request_feed(&p, bytes, &used, &req);
 *	if (st == REQUEST_DONE) { ... req.word[0] ...; }	p reads the next
 *	else if (st != REQUEST_MORE) { ... request_status_text(st) ... }
 *
 * After any status that is neither MORE nor DONE the parser starts again
 * behind the line, but for REQUEST_TOO_LONG, whose end was not seen.
 */
#ifndef EC_REQUEST_H
#define EC_REQUEST_H

#include "common/base/slice.h"
#include "console/control.h"

/* X(id, sentence) */
#define REQUEST_STATUSES(X) \
X(MORE, "the line is not complete") \
X(DONE, "a request") \
X(TOO_LONG, "a request is longer than 4096 bytes") \
X(NOT_JSON, "a request is one line of JSON, this is none") \
X(NOT_OBJECT, "a request is a JSON object, this is none") \
X(NO_COMMAND, "the request has no command") \
X(BAD_COMMAND, "the command is not a string of 1 to 512 bytes") \
X(BAD_ARGS, "the args are not a list of strings of up to 512 bytes") \
X(TOO_MANY, "command and args have more than 16 words") \
X(BAD_FLAG, "json, terminal and colour are true or false") \
X(UNKNOWN_KEY, "the request has a key other than command, args, json, " \
  "terminal and colour")

enum request_status {
#define X(id, sentence) REQUEST_##id,
	REQUEST_STATUSES(X)
#undef X
	REQUEST_STATUS_COUNT
};

struct request {
	unsigned n_words;
	bool json, terminal, colour;
	char word[CONTROL_WORDS_MAX][CONTROL_WORD_MAX + 1];
};

struct request_parser {
	size_t len;
	char line[CONTROL_REQUEST_MAX];
};

void request_parser_init(struct request_parser *p);
/* Reads up to the end of one line; *used_out bytes of in were taken. */
enum request_status request_feed(struct request_parser *p, struct slice in,
	size_t *used_out, struct request *out);
/* A line has begun and not ended. */
bool request_is_begun(const struct request_parser *p);
const char *request_status_text(enum request_status st);

#endif
