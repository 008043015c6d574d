/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sink_conn.c (input and output) and sink_smtp.c (commands) share.  Each
 * sink_smtp_* function handles one thing that came, queues the reply in c->out
 * and says what is to happen; only FATE_GONE means that c is no more.
 */
#ifndef EC_BENCH_SINK_PRIV_H
#define EC_BENCH_SINK_PRIV_H

#include "tests/bench/sink_conn.h"
#include "tests/bench/sink_data.h"

#define SINK_IN_SIZE 16384u
#define SINK_COMMAND_MAX 2048u
#define SINK_OUT_MAX ((size_t)256 << 10)
#define SINK_OUT_HIGH ((size_t)64 << 10)	/* past this nothing is read */
#define SINK_RCPTS_MAX ((size_t)1 << 20)	/* bytes of a transaction's */
#define SINK_RCPT_COUNT_MAX 10000u
#define SINK_COPY_MAX ((size_t)1 << 30)

enum sink_state {
	SINK_CONNECT,	/* connected; the greeting is due */
	SINK_COMMAND,	/* between lines */
	SINK_BODY,	/* 354 was said; content follows */
	SINK_DOT,	/* the dot line came; the verdict is due */
	SINK_LINGER,	/* last reply queued; what still comes is thrown away */
};

struct sink_conn {
	struct list_node link, held;
	struct sink *s;
	struct loop_fd io;
	struct loop_timer delay;
	enum sink_state state;
	bool greeted, in_mail;	/* HELO seen; MAIL accepted */
	bool waiting;		/* for the delay timer */
	bool delay_done;	/* it has run for the command now in hand */
	bool drop_body;
	uint64_t since_us;
	size_t n_rcpts;
	struct buf out, from, rcpts, copy;
	struct sink_data data;
	size_t in_off, in_len;
	char in[SINK_IN_SIZE];
};

/* What the behaviours make of this stage. */
enum sink_fate {
	FATE_USUAL,	/* the caller replies in its own way */
	FATE_WAIT,	/* the command stays and is run again later */
	FATE_REPLIED,	/* refused, or the caller must not go on */
	FATE_GREEN,	/* accepted, and the reply is already given */
	FATE_GONE,	/* the connection is closed */
};

enum sink_fate sink_smtp_greeting(struct sink_conn *c);
enum sink_fate sink_smtp_command(struct sink_conn *c, struct slice line);
enum sink_fate sink_smtp_dot(struct sink_conn *c);
void sink_smtp_too_long(struct sink_conn *c);
/* Ends the connection at once; c is freed. */
void sink_conn_close(struct sink_conn *c);

#endif
