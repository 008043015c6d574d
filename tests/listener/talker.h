/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talker: an SMTP client in the test's loop that says bytes and collects
 * replies, nothing more.
 *
 *	talker_open(&t, loop, port);
 *	talker_say(&t, SLICE("EHLO me\r\nQUIT\r\n"));
 *	... wait until t.n_codes == 3 or t.closed ...
 *	talker_codes(&t)	"220 250 221"
 */
#ifndef EC_TESTS_LISTENER_TALKER_H
#define EC_TESTS_LISTENER_TALKER_H

#include "common/base/buf.h"
#include "common/base/loop.h"

#define TALKER_CODES 20000u

struct talker {
	struct loop_fd watch;
	int fd;
	bool closed;		/* by the server */
	bool mute;		/* it does not read */
	size_t drip;		/* bytes a write; 0: as it comes */
	struct buf out;		/* not yet sent */
	struct buf in;		/* all that came */
	size_t parsed;
	unsigned n_codes;
	uint16_t code[TALKER_CODES];
	char codes[1024];
};

void talker_open(struct talker *t, struct loop *l, uint16_t port);
void talker_close(struct talker *t);
/* Closes so that the server sees a reset. */
void talker_reset(struct talker *t);
void talker_say(struct talker *t, struct slice text);
/* Nothing more will be said. */
void talker_half_close(struct talker *t);
void talker_listen(struct talker *t, bool on);
/* The codes so far, the first ones that fit. */
const char *talker_codes(struct talker *t);
/* The last reply's last line. */
struct slice talker_last(const struct talker *t);

#endif
