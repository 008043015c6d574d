/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What load_conn.c (connections, waiting, who gets which message) and
 * load_talk.c (the SMTP dialogue) share.  A function of either may close the
 * connection; c itself lives as long as the program.
 */
#ifndef EC_BENCH_LOAD_PRIV_H
#define EC_BENCH_LOAD_PRIV_H

#include "tests/bench/load_conn.h"
#include "tests/bench/load_reply.h"

#define LOAD_IN_SIZE 8192u
#define LOAD_NO_MESSAGE UINT64_MAX

enum load_state {
	LOAD_CLOSED,	/* no connection: parked, or in back-off */
	LOAD_GREETING,	/* connecting, or waiting for 220 */
	LOAD_EHLO,
	LOAD_HELO,	/* EHLO was refused */
	LOAD_READY,	/* nothing asked: parked, or in back-off */
	LOAD_MAIL,
	LOAD_RCPT,	/* reply to rcpt_i is next */
	LOAD_DATA,
	LOAD_DOT,
	LOAD_RSET,
	LOAD_QUIT,
	LOAD_FINISHED,	/* no more work for this session */
};

enum rcpt_state {
	RCPT_OPEN,	/* nobody has said 250 for the message */
	RCPT_OFFERED,	/* accepted in this transaction */
	RCPT_DONE,	/* 250 after the dot */
};

struct load_conn {
	struct load *l;
	struct list_node link;	/* in parked, or alone */
	struct loop_fd io;
	struct loop_timer backoff;
	enum load_state state;
	bool can_pipeline, can_size;	/* the server offered it */
	bool piped;			/* this transaction is pipelined */
	bool refused, empty;		/* this transaction cannot end well */
	bool again;			/* the message was tried before */
	uint64_t backoff_us, since_us;
	uint64_t seq;			/* the message in hand, or LOAD_NO_MESSAGE */
	uint64_t begin_us, dot_us;
	size_t rcpt_i, n_offered, item_bytes;
	uint8_t *rcpts;			/* enum rcpt_state each */
	struct buf head;
	struct slice out[3];		/* what is still to be written */
	size_t in_len;
	char in[LOAD_IN_SIZE];
};

/* load_conn.c */
/* Sends what stands in c->head, then the rest of c->out; waits in state. */
void load_conn_send(struct load_conn *c, enum load_state state);
void load_conn_say(struct load_conn *c, enum load_state state,
	const char *text);
bool load_conn_all_sent(const struct load_conn *c);
void load_conn_close(struct load_conn *c);
/* Closes because of an error, with all that follows. */
void load_conn_lost(struct load_conn *c, const char *why);
/* What this session does now: its message, a new one, wait, or leave. */
void load_conn_next(struct load_conn *c);
/* load_conn_next() after a while. */
void load_conn_back_off(struct load_conn *c);
#define LOAD_BACKOFF_MIN_US 20000u
/* The message in hand was not accepted: keeps it, or gives it up. */
void load_conn_fail_message(struct load_conn *c);

/* load_talk.c */
/* Starts a transaction for the message in hand. */
void load_talk_begin(struct load_conn *c);
void load_talk_ehlo_line(struct load_conn *c, struct slice text);
void load_talk_reply(struct load_conn *c, const struct load_reply *r);
/* All was sent and no reply came: "?" lines. */
void load_talk_doubt(struct load_conn *c, const char *why);

#endif
