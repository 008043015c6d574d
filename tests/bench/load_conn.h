/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_conn: one session of the load generator, and what all of them share.
 *
 * A session owns at most one message at a time and keeps it until it is
 * accepted or given up; so a retry needs no queue: the session waits (20 ms,
 * doubling up to 1 s) and sends the same message again, to those recipients
 * that nobody has said 250 for.  Connections come back with the same back-off.
 *
 * The shared part hands out message numbers.  In an open loop (--rate) number
 * n is due at start + n / rate, whatever happened to those before it, and its
 * latency counts from then; sessions without due work wait in `parked`.
 */
#ifndef EC_BENCH_LOAD_CONN_H
#define EC_BENCH_LOAD_CONN_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/loop.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/hist.h"
#include "tests/bench/ledger.h"
#include "tests/bench/load_msgs.h"

#define LOAD_RCPTS_MAX 1000u

struct load_opts {
	struct bench_addr target;
	uint64_t sessions, count, size, domains, rcpts, rate;
	uint64_t max_us, timeout_us;
	const char *from, *to, *helo, *run;
	const char *ledger, *mbox, *dir;
	bool keep, pipelining, retry, progress;
};

struct load_totals {
	uint64_t taken;		/* message numbers handed out */
	uint64_t ok, failed;	/* messages settled */
	uint64_t rcpts_ok, rejects, neterr, retries, doubtful;
	uint64_t bytes;		/* content of accepted messages */
	uint64_t first_us, last_us;	/* first MAIL, last 250 */
	struct hist whole;	/* MAIL (or when it was due) to 250 */
	struct hist dot;	/* final dot to 250 */
};

struct load_conn;

struct load {
	struct load_opts o;
	struct loop *loop;
	struct load_msgs msgs;
	struct ledger ledger;
	struct load_totals t;
	struct load_conn *conns;
	struct list_node parked;
	struct loop_hook turn_end;
	struct loop_timer due, sweep;
	uint64_t schedule_us;	/* when number 0 of an open loop is due; 0: not
				 * yet, nobody has a session */
	uint64_t live;		/* sessions that are not finished */
};

/* Opens the sessions; the caller has filled in o, loop, msgs and ledger.
 * loop_stop() is called when every message is settled and all have quit. */
void load_start(struct load *l);
/* Closes everything that is still open. */
void load_end(struct load *l);

#endif
