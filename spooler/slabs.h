/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slabs: the arenas whose memory the spooler has mapped: those of the
 * listeners and its own.  A slab has a handle (its place in the table), by
 * which deliverers know it.  live counts the extents of it that transactions
 * hold; a dead owner's slab is unmapped when that falls to 0.
 */
#ifndef EC_SLABS_H
#define EC_SLABS_H

#include "common/base/error.h"
#include "common/ipc/arena.h"
#include "common/ipc/ipc.h"

#define SLABS_MAX 4096u

struct slab {
	uint8_t role, index;	/* the owner */
	uint32_t incarnation;
	uint32_t number;	/* as the owner counts */
	int fd;
	char *map;
	uint64_t size;
	uint32_t live;
	uint64_t live_bytes;	/* of their extents' classes */
	uint32_t lent;		/* bit per deliverer that knows it */
	bool dead;		/* the owner is, or has taken it back */
};

/* A piece of a body: slab handle and where in it. */
struct piece {
	uint32_t handle;
	uint32_t offset;
	uint32_t length;
};

struct slabs {
	struct slab *slab[SLABS_MAX];	/* [0] unused */
	uint32_t n;
	struct arena *own;
	uint32_t own_incarnation;
	/* Extents to give back, gathered for the end of the turn. */
	struct give {
		uint8_t index;
		uint32_t incarnation;
		struct extent x;
	} *gives;
	uint32_t n_gives, cap_gives;
	/* Tells deliverers in `lent` that a handle is gone. */
	void (*on_gone)(void *arg, uint32_t handle, uint32_t lent);
	void *arg;
};

void slabs_init(struct slabs *s, uint64_t own_max_bytes, uint32_t incarnation,
	void (*on_gone)(void *, uint32_t, uint32_t), void *arg);
/* A listener's slab; takes over fd.  The handle, 0 on error. */
uint32_t slabs_add(struct slabs *s, unsigned role, unsigned index,
	uint32_t incarnation, uint32_t number, uint64_t size, int fd,
	struct error *err_out);
uint32_t slabs_find(const struct slabs *s, unsigned role, unsigned index,
	uint32_t incarnation, uint32_t number);
/* The owner is dead, or takes this one back (number), or all (UINT32_MAX). */
void slabs_bury(struct slabs *s, unsigned role, unsigned index,
	uint32_t incarnation, uint32_t number);
/* The bytes of a piece; NULL if it lies outside its slab. */
const char *slabs_at(const struct slabs *s, struct piece p);
void slabs_hold(struct slabs *s, struct piece p);
/* The piece is held no more: it goes back to its owner. */
void slabs_release(struct slabs *s, struct piece p);
/* Held no more by this holder; who gives it back is another's affair. */
void slabs_unhold(struct slabs *s, struct piece p);
/* Bytes of this piece's owner that we hold. */
uint64_t slabs_held_bytes(const struct slabs *s, struct piece p);
/* Sends what is to be given back; link_of finds a listener's link or NULL. */
void slabs_flush(struct slabs *s, struct ipc_link *(*link_of)(void *arg,
	unsigned index, uint32_t incarnation), void *arg);

#endif
