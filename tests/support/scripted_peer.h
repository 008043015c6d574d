/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scripted_peer: an SMTP server in the test's own loop that does what a test
 * says.  Without rules it accepts everything.  A rule changes the answer to
 * one command of one connection; what it got is kept as a transcript.
 *
 *	static const struct peer_rule rules[] = {
 *		{ .verb = "RCPT", .nth = 2, .reply = "550 5.1.1 no\r\n" },
 *		{ .verb = "DATA", .then = PEER_CLOSE },
 *	};
 *	scripted_peer_open(&p, loop, "PIPELINING\nSIZE 1000", rules, 2);
 */
#ifndef EC_TESTS_SUPPORT_SCRIPTED_PEER_H
#define EC_TESTS_SUPPORT_SCRIPTED_PEER_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/loop.h"

enum peer_then {
	PEER_GO_ON,
	PEER_CLOSE,	/* after the reply, if there is one */
	PEER_MUTE,	/* say nothing any more */
};

struct peer_rule {
	unsigned conn;		/* 1 is the first connection; 0 any */
	const char *verb;	/* "BANNER", "EHLO", ..., "." */
	unsigned nth;		/* occurrence on its connection; 0 any */
	const char *reply;	/* NULL: none */
	enum peer_then then;
};

struct scripted_peer {
	struct loop *loop;
	struct loop_fd watch;
	int fd;
	uint16_t port;
	const char *caps;	/* lines of EHLO's reply, by '\n'; NULL: none */
	const struct peer_rule *rules;
	size_t n_rules;
	struct list_node conns;
	unsigned n_conns;	/* accepted */
	unsigned n_open;
	unsigned n_mails;	/* contents taken whole */
	unsigned n_piped;	/* MAILs in one read with the dot before */
	bool slow;		/* replies leave byte by byte */
	struct buf seen;	/* command lines, each with its LF */
	struct buf content;	/* of the last mail, as on the wire */
};

void scripted_peer_open(struct scripted_peer *p, struct loop *l,
	const char *caps, const struct peer_rule *rules, size_t n_rules);
void scripted_peer_close(struct scripted_peer *p);
/* How often a line that starts so was seen. */
unsigned scripted_peer_count(const struct scripted_peer *p, const char *head);

#endif
