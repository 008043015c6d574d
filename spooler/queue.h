/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: mail for one (binding group, binding, domain).  Active messages stand
 * in the queue's own list, first in first out; delayed ones in one wheel for
 * all queues, so that a queue costs nothing while it waits and every message
 * comes due by itself, without any scan.
 *
 * A queue number is a row of the budget table.  It is given back when the
 * queue has been empty for a while.
 */
#ifndef EC_QUEUE_H
#define EC_QUEUE_H

#include "common/base/list.h"
#include "common/base/pool.h"
#include "common/base/slice.h"
#include "common/ipc/budget.h"
#include "spooler/index.h"

#include <uthash.h>

struct queue {
	uint32_t number;
	uint32_t head, tail;		/* active messages */
	uint32_t looked_at;		/* suspended: the next whose age is to
					 * be looked at, 0 the head */
	uint32_t n_active, n_delayed, n_flight;	/* flight: loading, ending too */
	struct slice group, binding, domain;	/* into key */
	bool suspended;
	bool asked;			/* its owner has set suspended once */
	uint64_t empty_us;		/* monotonic: when it became empty */
	struct list_node runnable;	/* in handout's list */
	struct list_node told;		/* in handout's list of READYs to say */
	struct list_node idle;		/* empty ones, oldest first */
	uint16_t announced;		/* bit per deliverer told of mail */
	uint16_t known;			/* bit per deliverer that was ever told
					 * what this number means */
	uint32_t told_active;		/* active as of the last telling */
	uint32_t in_checkpoint;		/* the file that defines it, 0 none */
	uint16_t credit[BUDGET_DELIVERERS];
	uint16_t out[BUDGET_DELIVERERS];	/* transactions there */
	UT_hash_handle hh;
	unsigned key_len;
	char key[];			/* group NUL binding NUL domain */
};

#define WHEEL_TICK_US 100000u
#define WHEEL_BITS 8u
#define WHEEL_SLOTS (1u << WHEEL_BITS)
#define WHEEL_LEVELS 4u		/* 25 s, 1.8 h, 19 days, 13 years */
#define WHEEL_HEAD 0x80000000u	/* in msg.prev: the first of this list */

struct queues {
	struct queue *by_key;
	struct pool numbers;		/* of struct queue * */
	struct index *index;
	struct list_node idle;
	uint64_t tick;			/* of the wheel: all before are served */
	uint32_t wheel[WHEEL_LEVELS * WHEEL_SLOTS];
	uint32_t n_active, n_delayed, n_flight, n_suspended;
	uint64_t seed;
	bool entering;			/* messages name queues that they do
					 * not stand in yet: none is swept */
};

void queues_init(struct queues *qs, struct index *index, uint64_t mono_us);
/* Found or made.  NULL when all numbers are taken. */
struct queue *queue_get(struct queues *qs, struct slice group,
	struct slice binding, struct slice domain);
struct queue *queue_at(const struct queues *qs, uint32_t number);
/* Number in use? */
bool queue_is(const struct queues *qs, uint32_t number);

void queue_set_suspended(struct queues *qs, struct queue *q, bool suspended);

/* Message (state NEW, FLIGHT...; in no list) to the end or, for one that was
 * handed out and came back untried, to the front. */
void queue_push(struct queues *qs, uint32_t msg, bool front);
/* Takes an active message out of its list. */
void queue_take(struct queues *qs, uint32_t msg);
/* To the wheel, due in delay_us from mono_us. */
void queue_delay(struct queues *qs, uint32_t msg, uint64_t mono_us,
	uint64_t delay_us);
/* Out of the wheel. */
void queue_undelay(struct queues *qs, uint32_t msg);
/* The message is at a deliverer, being loaded or ended, or a suspect; and no
 * more. */
void queue_flight(struct queues *qs, uint32_t msg, enum msg_state state);
void queue_landed(struct queues *qs, uint32_t msg);

/* Serves the wheel up to mono_us: fn for each message due, which is then out
 * of the wheel in state NEW. */
void queues_due(struct queues *qs, uint64_t mono_us,
	void (*fn)(void *arg, uint32_t msg), void *arg);
/* Microseconds until the wheel must be looked at again; UINT64_MAX: never. */
uint64_t queues_next_us(const struct queues *qs, uint64_t mono_us);
/* Queues empty for longer than idle_us go (none while messages are entering):
 * fn is told the number first. */
void queues_sweep(struct queues *qs, uint64_t mono_us, uint64_t idle_us,
	void (*fn)(void *arg, struct queue *q), void *arg);

#endif
