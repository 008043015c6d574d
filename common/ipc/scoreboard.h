/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scoreboard: one slot per worker in memory the supervisor makes and never
 * waits on.  A slot has one writer, the worker; everybody may read.  Each
 * number is one aligned 64-bit word stored whole, so a reader sees old or new,
 * never half; numbers of one slot need not be of the same instant, and nothing
 * is decided by them but what people are shown and the watchdog's question.
 *
 *	score_add(slot, SCORE_L_RECEIVED, 1);
 */
#ifndef EC_SCOREBOARD_H
#define EC_SCOREBOARD_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/ipc/ipc_msgs.h"

#include <stdatomic.h>

#define SCORE_MAGIC 0x65635342u
#define SCORE_VERSION 1u
#define SCORE_PER_ROLE 64u	/* workers of one role */
#define SCORE_NUMBERS 48u

/* X(role prefix, id, "name for people and JSON", is a gauge).  A gauge is what
 * stands now; a counter only grows while the worker lives. */
#define SCORE_LISTENER(X) \
	X(L, SESSIONS, "sessions", 1) \
	X(L, CONNECTS, "connects", 0) \
	X(L, RECEIVED, "received_messages", 0) \
	X(L, RECIPIENTS, "received_recipients", 0) \
	X(L, BYTES, "received_bytes", 0) \
	X(L, REJECTED, "rejected", 0) \
	X(L, DEFERRED, "deferred", 0) \
	X(L, STORING, "storing", 1) \
	X(L, ARENA_USED, "arena_used_bytes", 1) \
	X(L, ARENA_SIZE, "arena_size_bytes", 1)
#define SCORE_SPOOLER(X) \
	X(S, QUEUED, "queued", 1) \
	X(S, ACTIVE, "active", 1) \
	X(S, DELAYED, "delayed", 1) \
	X(S, IN_FLIGHT, "in_flight", 1) \
	X(S, SUSPENDED, "suspended", 1) \
	X(S, SETTLED, "settled", 1) \
	X(S, DOMAINS, "domains", 1) \
	X(S, RECEIVED, "received", 0) \
	X(S, DELIVERED, "delivered", 0) \
	X(S, TRANSIENT, "transient_failures", 0) \
	X(S, PERMANENT, "permanent_failures", 0) \
	X(S, BOUNCES, "bounces_made", 0) \
	X(S, POSSIBLE_DUPLICATES, "possible_duplicates", 0) \
	X(S, COMMITS, "commits", 0) \
	X(S, COMMIT_US, "commit_us", 0) \
	X(S, JOURNAL_BYTES, "journal_bytes", 0) \
	X(S, SEGMENTS, "journal_segments", 1) \
	X(S, SEGMENTS_FREE, "journal_segments_free", 1) \
	X(S, REPLAY_PERCENT, "replay_percent", 1) \
	X(S, LOG_LAG, "log_lag_records", 1)
#define SCORE_DELIVERER(X) \
	X(D, CONNECTIONS, "connections", 1) \
	X(D, CONNECTS, "connects", 0) \
	X(D, CONNECT_FAILURES, "connect_failures", 0) \
	X(D, QUEUES, "queues", 1) \
	X(D, WORKING, "transactions", 1) \
	X(D, DELIVERED, "delivered", 0) \
	X(D, TRANSIENT, "transient_failures", 0) \
	X(D, PERMANENT, "permanent_failures", 0) \
	X(D, BYTES, "sent_bytes", 0)
#define SCORE_RESOLVER(X) \
	X(R, QUESTIONS, "questions", 0) \
	X(R, HITS, "cache_hits", 0) \
	X(R, SENT, "sent", 0) \
	X(R, FAILURES, "failures", 0) \
	X(R, TCP, "over_tcp", 0) \
	X(R, CACHED, "cached", 1) \
	X(R, PENDING, "pending", 1)
#define SCORE_LOGGER(X) \
	X(G, RECORDS, "records", 0) \
	X(G, POSITION, "position", 1) \
	X(G, REJECTS, "rejects", 0) \
	X(G, WRITE_ERRORS, "write_errors", 0)
#define SCORE_CONSOLE(X) \
	X(C, CLIENTS, "clients", 1) \
	X(C, REQUESTS, "requests", 0)

enum score_number {
	SCORE_FIRST = -1,	/* each role counts from 0 */
};
#define X(p, id, name, gauge) SCORE_##p##_##id,
enum { SCORE_LISTENER(X) SCORE_L_COUNT };
enum { SCORE_SPOOLER(X) SCORE_S_COUNT };
enum { SCORE_DELIVERER(X) SCORE_D_COUNT };
enum { SCORE_RESOLVER(X) SCORE_R_COUNT };
enum { SCORE_LOGGER(X) SCORE_G_COUNT };
enum { SCORE_CONSOLE(X) SCORE_C_COUNT };
#undef X

enum score_state {	/* as the worker sees itself */
	SCORE_EMPTY, SCORE_STARTING, SCORE_RUNNING, SCORE_DRAINING,
};

struct score_slot {
	_Atomic uint64_t heartbeat_us;	/* monotonic */
	_Atomic uint64_t started_us;	/* wall */
	_Atomic uint32_t pid;
	_Atomic uint32_t incarnation;
	_Atomic uint32_t state;
	_Atomic uint32_t generation;	/* of the configuration it runs with */
	_Atomic uint64_t number[SCORE_NUMBERS];
	uint64_t spare[12];
};
_Static_assert(sizeof(struct score_slot) == 512, "slots are shared memory");
_Static_assert((int)SCORE_S_COUNT <= (int)SCORE_NUMBERS, "numbers fit");

/* The supervisor's own words about a worker; it is their one writer. */
struct score_process {
	_Atomic uint32_t pid;		/* 0: not running */
	_Atomic uint32_t state;		/* enum process_state */
	_Atomic uint32_t restarts;
	_Atomic uint32_t last_status;	/* as wait gives it */
	_Atomic uint64_t since_us;	/* wall */
};

struct scoreboard {
	uint32_t magic, version, size_bytes, zero;
	_Atomic uint64_t started_us;	/* wall, of the supervisor */
	_Atomic uint32_t generation;
	_Atomic uint32_t n_workers[ROLE_COUNT];
	struct score_process process[ROLE_COUNT][SCORE_PER_ROLE];
	struct score_slot slot[ROLE_COUNT][SCORE_PER_ROLE]
	    __attribute__((aligned(64)));
};

/* The supervisor makes it; the fd, or -1. */
int scoreboard_create(struct scoreboard **out, struct error *err_out);
/* A worker maps what it inherited. */
struct scoreboard *scoreboard_map(int fd, struct error *err_out);

static inline void
score_add(struct score_slot *s, unsigned n, uint64_t by)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(&s->number[n],
	    atomic_load_explicit(&s->number[n], memory_order_relaxed) + by,
	    memory_order_relaxed);
}

static inline void
score_set(struct score_slot *s, unsigned n, uint64_t v)
{
	atomic_store_explicit(&s->number[n], v, memory_order_relaxed);
}

static inline uint64_t
score_get(const struct score_slot *s, unsigned n)
{
	return atomic_load_explicit(&s->number[n], memory_order_relaxed);
}

struct score_name {
	const char *name;
	bool gauge;
};
/* The numbers of a role, for printing. */
const struct score_name *score_names(unsigned role, unsigned *count_out);

#endif
