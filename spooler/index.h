/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: every message the spool holds, one per recipient, in 48 bytes: what
 * is needed to know when it is due and where it belongs.  Everything else
 * stands in its transaction (txn.h) while that is in memory, else on disk.
 *
 * A message is named by its slot number in the pool; slots are reused, so a
 * slot kept across turns is checked against the id.
 *
 * The table is 256 tables: one of them grows at a time, so that with ten
 * million messages no turn of the loop takes long for it.
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
	MSG_SUSPECT,	/* in the suspects' list (suspects.c) */
	MSG_FREE,	/* no message: its slot is free */
	MSG_STATES
};

enum {	/* msg.flags */
	MSG_SETTLED = 1u << 0,	/* its files are durable */
	MSG_SETTLING = 1u << 1,	/* a settler thread works on it */
	MSG_GONE = 1u << 2,	/* done, but the settler still works on it */
	MSG_DOUBT = 1u << 3,	/* was between dot and reply when all broke */
	MSG_FETCH = 1u << 5,	/* a reader brings its envelope */
	MSG_END = 1u << 4,	/* it has come to its end: load it, then bounce */
	MSG_FILES = 1u << 6,	/* settled: its files were seen; else some of
				 * its files may be there: they go when it
				 * does */
	MSG_CHANGED = 1u << 7,	/* stands in the list for the next checkpoint */
};

struct msg {
	msgid id;
	uint64_t next_us;	/* wall: when delayed, the next attempt */
	uint32_t received_s;	/* wall seconds: expiry counts from here */
	uint32_t txn;		/* in memory, or 0 */
	uint32_t rcpt_at;	/* its recipient in the txn's envelope */
	uint32_t queue;
	uint32_t prev, next;	/* in the active list or the wheel; 0 ends;
				 * prev of a wheel's first: WHEEL_HEAD | list */
	uint32_t due;		/* delayed: the wheel's tick; GONE: the segment
				 * of its done record, pinned */
	uint16_t attempts;
	uint8_t state : 4;
	uint8_t deaths : 4;	/* deliverers in a row that died with it in
				 * flight, counted up to MSG_DEATHS_MAX */
	uint8_t flags;
};
#define MSG_DEATHS_MAX 15u
#define MSG_SUSPECTED 2u	/* so many deaths: handed out alone */
_Static_assert(MSG_STATES <= 16, "state has four bits");
_Static_assert(sizeof(struct msg) <= 48, "ten million of them stay in memory");

#define INDEX_PARTS 256u

struct index_part {
	uint32_t *table;	/* open addressing, 0 = empty; NULL at first */
	uint32_t cap;		/* power of two */
	uint32_t used;
};

struct index {
	struct pool msgs;
	uint32_t n_settled;	/* of them */
	struct index_part part[INDEX_PARTS];
};

void index_init(struct index *x);
void index_fini(struct index *x);
/* Makes room for n messages at once, before they come. */
void index_reserve(struct index *x, uint64_t n);
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

/* For walks over the slots 1 .. msgs.fresh - 1: does a message stand here? */
static inline bool
index_is_live(const struct index *x, uint32_t slot)
{
	return index_at(x, slot)->state != MSG_FREE;
}

/* Its files are durable. */
static inline void
index_set_settled(struct index *x, struct msg *m)
{
	x->n_settled += (m->flags & MSG_SETTLED) == 0;
	m->flags |= MSG_SETTLED;
}

static inline uint32_t
index_count(const struct index *x)
{
	return x->msgs.used;
}

#endif
