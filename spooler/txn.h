/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn: one accepted transaction in memory: the envelope and where its body is.
 * Its messages (one per recipient) point at it; it lives as long as one of
 * them does, or a deliverer reads its body.
 *
 *	refs	messages that point here
 *	holds	works in flight that read its pieces
 *
 * While it has unsettled messages it pins the journal segment of its record.
 * The body is in pieces (arena memory, a cache), in that segment, in large/ of
 * the store, or, settled, in the data file of any of its messages.  Of a body
 * in a file the descriptor is what pieces are of others: a cache.
 */
#ifndef EC_TXN_H
#define EC_TXN_H

#include "common/base/list.h"
#include "common/base/pool.h"
#include "common/mail/envelope.h"
#include "spooler/slabs.h"

#define TXN_INLINE_PIECES 3u
#define TXN_MAX_PIECES 255u	/* as the messages count them in one byte */

struct txn {
	msgid batch_id, conn_id;
	uint64_t received_us;
	uint64_t size;		/* body bytes */
	uint32_t flags;		/* envelope flags */
	uint8_t protocol;
	bool loading;		/* a reader brings its body */
	bool spilling;		/* in memory only; its record is on the way */
	bool large;		/* body: large/BATCH, which goes with it */
	int fd;			/* its body's file, -1: not open */
	uint16_t n_pieces;
	uint32_t refs, holds, unsettled;
	uint32_t epoch;		/* journal segment, 0: not in the journal */
	uint64_t body_at;	/* offset of the body in the segment's file */
	msgid file;		/* a settled message whose data file has it */
	uint32_t slot;		/* its own number */
	uint32_t env_len;
	char *env;		/* encoded, owned; slices below point into it */
	struct slice sender, envid, group, binding;
	uint64_t settle_us;	/* monotonic: since when it waits to be
				 * Settle_After old; tried: when again */
	bool settle_again;
	struct list_node settle;	/* oldest first; in memory only:
				 * memory.c's */
	uint32_t wait_head;	/* messages waiting for its body, by msg.next */
	struct piece inline_pieces[TXN_INLINE_PIECES];
	struct piece *pieces;	/* inline or heap */
};

struct txns {
	struct pool pool;	/* of struct txn * : the objects do not move */
	struct slabs *slabs;
	/* A large one is freed. */
	void (*on_large)(void *arg, msgid batch);
	void *arg;
};

void txns_init(struct txns *t, struct slabs *slabs);
/* Copies the envelope bytes; e is what envelope_decode made of them, so that
 * its strings point into them. */
struct txn *txn_create(struct txns *t, const struct envelope *e,
	struct slice encoded, uint64_t size);
struct txn *txn_at(const struct txns *t, uint32_t slot);
/* Takes over pieces that are already held in their slabs. */
void txn_set_pieces(struct txn *x, const struct piece *pieces, unsigned n);
static inline bool
txn_is_resident(const struct txn *x)
{
	return x->n_pieces > 0 || x->size == 0 || x->fd >= 0;
}
/* Its pieces are a copy, which may go at any time. */
static inline bool
txn_is_on_disk(const struct txn *x)
{
	return x->epoch != 0 || x->file != MSGID_NONE;
}
/* Gives the pieces back, closes the file, if nobody reads them. */
void txn_drop_pieces(struct txns *t, struct txn *x);
/* Frees it when neither refs nor holds are left; true if it is gone.  The
 * caller has released the journal pin. */
bool txn_put(struct txns *t, struct txn *x);
/* The recipient whose encoding starts at this offset of env. */
bool txn_recipient(const struct txn *x, uint32_t at, struct recipient *out);

#endif
