/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients: the connections of the control socket.  Each client has one request
 * at a time: it is read, handed to on_request, answered into client->out, and
 * sent; only then the next one is looked at.  So a client holds at most one
 * answer of ours, and one that does not read it holds up nobody: after
 * limits.write_us without a byte taken it is dropped.
 *
 *	on_request(arg, c):	answer_text(&c->out, ...);
 *				answer_end(&c->out, NULL);
 *				clients_answered(c);	now or later
 *	on_late(arg, c):	no clients_answered() within limits.answer_us;
 *				must call it
 *	on_drop(arg, c):	c goes away; what was asked for it is void
 *	on_empty(arg):		after clients_drain(), when the last one left
 *
 * Clients belong to this module; on_request may keep c until on_drop.
 */
#ifndef EC_CLIENTS_H
#define EC_CLIENTS_H

#include "common/base/buf.h"
#include "common/base/loop.h"
#include "console/ask.h"
#include "console/ctl_socket.h"
#include "console/request.h"

struct clients;

enum client_state {
	CLIENT_READING,	/* waits for a request, or the rest of one */
	CLIENT_ASKING,	/* on_request was called, no answer yet */
	CLIENT_WRITING,	/* the answer leaves */
};

struct client {
	struct clients *all;
	struct list_node link;
	struct loop_fd watch;
	struct loop_timer deadline;
	int fd;
	enum client_state state;
	bool closing;		/* after the answer */
	bool line_timed;	/* the deadline is that of the open line */
	struct ctl_peer peer;
	struct request_parser parser;
	struct request request;
	struct ask ask;		/* the commands' own */
	struct buf out;
	size_t sent;		/* of out */
	size_t in_pos, in_len;	/* bytes of in not yet looked at */
	char in[1024];
};

struct clients_limits {
	unsigned max;		/* clients at once */
	uint64_t idle_us;	/* without a request */
	uint64_t line_us;	/* for the whole of one */
	uint64_t answer_us;	/* for whoever must be asked */
	uint64_t write_us;	/* without a byte taken of the answer */
};

struct clients_calls {
	void (*on_request)(void *arg, struct client *c);
	void (*on_late)(void *arg, struct client *c);
	void (*on_drop)(void *arg, struct client *c);
	void (*on_empty)(void *arg);
	void *arg;
};

struct clients {
	struct loop *loop;
	struct loop_fd watch;
	struct loop_timer pause;	/* no descriptor was left */
	struct clients_limits limits;
	struct clients_calls calls;
	struct list_node list;
	unsigned n;
	bool listening, draining;
};

extern const struct clients_limits clients_usual_limits;

/* fd listens, and stays the caller's. */
void clients_start(struct clients *s, struct loop *l, int fd,
	const struct clients_limits *limits, const struct clients_calls *calls);
/* c->out has the answer. */
void clients_answered(struct client *c);
/* Accepts nobody any more; those who wait for an answer get it. */
void clients_drain(struct clients *s);
/* Drops all. */
void clients_stop(struct clients *s);

#endif
