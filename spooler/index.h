/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: every message the spool holds, one per recipient, in 56 bytes: what
 * is needed to know when it is due, where it belongs and what its newest
 * record is.  Everything else stands in its transaction (txn.h) while that is
 * in memory, else on disk.
 *
 * A message is named by its slot number in the pool; slots are reused, so a
 * slot kept across turns is checked against the id.
 */
#ifndef EC_INDEX_H
#define EC_INDEX_H

#include "common/base/pool.h"
#include "common/mail/msgid.h"

enum msg_state {
	MSG_NEW,	/* being put together or replayed */
	MSG_ACTIVE,	/* in its queue's active list */
	MSG_DELAYED,	/* in the wheel until next_us */
	MSG_FLIGHT,	/* at a deliverer */
	MSG_LOADING,	/* its envelope or body is being read from disk */
	MSG_ENDING,	/* its outcome is on the way to the disk */
	MSG_STATES
};

enum {	/* msg.flags */
	MSG_SETTLED = 1u << 0,	/* its files are durable */
	MSG_SETTLING = 1u << 1,	/* a settler thread works on it */
	MSG_GONE = 1u << 2,	/* done, but the settler still works on it */
	MSG_DOUBT = 1u << 3,	/* was between dot and reply when all broke */
	MSG_FETCH = 1u << 5,	/* a reader brings its envelope */
	MSG_END = 1u << 4,	/* it has come to its end: load it, then bounce */
	MSG_FILES = 1u << 6,	/* not settled, but some of its files may be
				 * there: they go when it does */
};

struct msg {
	msgid id;
	uint64_t next_us;	/* wall: when delayed, the next attempt */
	uint32_t received_s;	/* wall seconds: expiry counts from here */
	uint32_t txn;		/* in memory, or 0 */
	uint32_t rcpt_at;	/* its recipient in the txn's envelope */
	uint32_t queue;
	uint32_t prev, next;	/* in the active list or the wheel; 0 ends */
	uint32_t due;		/* delayed: the wheel's tick */
	uint32_t state_epoch;	/* segment of its newest retry or state record
				 * (a PIN_STATE is held there), 0 if there is
				 * none or the .meta says the same; GONE: of
				 * its done record (a PIN_RECORD) */
	uint16_t place;		/* delayed: the wheel's list + 1 */
	uint16_t attempts;
	uint8_t state;
	uint8_t flags;
};
_Static_assert(sizeof(struct msg) <= 56, "a million of them stay in memory");

struct index {
	struct pool msgs;
	uint32_t *table;	/* open addressing, 0 = empty */
	uint32_t cap;		/* power of two */
};

void index_init(struct index *x);
void index_fini(struct index *x);
/* A new message; 0 if the id is there already. */
uint32_t index_add(struct index *x, msgid id);
/* 0 if it is not there. */
uint32_t index_find(const struct index *x, msgid id);
void index_remove(struct index *x, uint32_t slot);

static inline struct msg *
index_at(const struct index *x, uint32_t slot)
{
	return pool_at(&x->msgs, slot);
}

static inline uint32_t
index_count(const struct index *x)
{
	return x->msgs.used;
}

#endif
