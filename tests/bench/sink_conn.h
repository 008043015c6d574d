/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_conn: one SMTP connection into the sink, and the state all of them
 * share.  Everything is accepted unless a behaviour says otherwise; nothing is
 * kept but counts, the ledger and, if asked, a copy of each message.
 *
 * The figures stand in struct sink_stats, which a file can back (--stats): all
 * 64-bit words in the machine's byte order, so that a script can map the file
 * and read word N at offset 8 * N while mail flows.
 */
#ifndef EC_BENCH_SINK_CONN_H
#define EC_BENCH_SINK_CONN_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/loop.h"
#include "tests/bench/behave.h"
#include "tests/bench/ledger.h"

#define SINK_TELL_MAX 16
#define SINK_STATS_MAGIC UINT64_C(0x31304b4e49534345)	/* "ECSINK01" */

/* Name and order of the words; times are CLOCK_MONOTONIC microseconds. */
#define SINK_STATS(X) \
	X(magic) \
	X(messages)	/* word 1: accepted messages */ \
	X(rcpts)	/* their recipients */ \
	X(bytes)	/* their content, CRLF counted, without stuffing */ \
	X(connections)	/* ever accepted */ \
	X(open)		/* now */ \
	X(max_open)	/* most at a time */ \
	X(refused)	/* replies from 400 up */ \
	X(dropped)	/* connections closed by a --drop */ \
	X(unfinished)	/* connections lost in the middle of a message */ \
	X(first_us)	/* word 10: when the first message was accepted */ \
	X(last_us)	/* and the latest */ \
	X(started_us)

struct sink_stats {
#define X(name) uint64_t name;
	SINK_STATS(X)
#undef X
};

struct sink {
	struct loop *loop;
	struct sink_stats *stats;
	struct ledger ledger;
	struct behave behave;
	struct list_node conns;
	struct list_node held_replies;	/* may leave once the ledger is written */
	struct loop_hook turn_end;
	struct loop_timer sweep;
	struct slice extensions;	/* more EHLO lines, "250-X\r\n" each */
	uint64_t max_conns;		/* 0: no limit */
	uint64_t size_limit;		/* 0: none */
	uint64_t idle_us;
	bool no_pipelining, no_ehlo;
	uint64_t tell_at[SINK_TELL_MAX];	/* ascending; 0 ends the list */
	size_t n_told;
	int store_dir;			/* -1: messages are not kept */
	uint64_t n_stored;
};

/* Starts hook and sweep; the caller has filled in the rest. */
void sink_start(struct sink *s);
/* Takes over a connected, non-blocking socket. */
void sink_conn_open(struct sink *s, int fd);
/* Closes every connection. */
void sink_close_all(struct sink *s);

#endif
