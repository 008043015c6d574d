/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: memory for message bodies that its maker alone can write and others
 * map read-only.  Slabs of 32 MiB (sealed memfds, made as needed up to a cap)
 * are cut into blocks of 64 KiB, a block into extents of one power-of-two
 * class from 1 KiB to 64 KiB.
 *
 * A reservation counts whole blocks, so that what was promised can always be
 * taken whatever the classes: a byte that was let in never waits for room.
 *
 *	if (!arena_reserve(a, bytes)) { ... 452 4.3.1 }
 *	x = arena_take(a, want, true);		charges the reservation
 *	arena_unreserve(a, what is left of it);
 *	arena_give(a, x);
 *
 * Extents are named by {slab, offset}; their class is known from the block.
 * on_slab is called for each new slab, before any extent of it is taken.
 */
#ifndef EC_ARENA_H
#define EC_ARENA_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/slice.h"

#define ARENA_SLAB_BYTES (32u << 20)
#define ARENA_BLOCK_BYTES (64u << 10)
#define ARENA_SLAB_BLOCKS (ARENA_SLAB_BYTES / ARENA_BLOCK_BYTES)
#define ARENA_MIN_BYTES 1024u
#define ARENA_CLASSES 7u	/* 1, 2, 4 .. 64 KiB */
#define ARENA_MAX_SLABS 256u

struct extent {
	uint32_t slab;
	uint32_t offset;
	uint32_t length;	/* bytes used, at most its class */
};

struct arena;

typedef void (*arena_slab_fn)(void *arg, uint32_t slab, int fd, size_t size);

struct arena *arena_create(const char *name, uint64_t max_bytes,
	arena_slab_fn on_slab, void *arg);
void arena_destroy(struct arena **a);

/* Blocks that bytes need at most when they are put into a first and a second
 * extent of any classes and then into extents of 64 KiB, each filled before
 * the next is taken: either of the first two may open a block for a class that
 * leaves most of it unused. */
uint32_t arena_blocks(uint64_t bytes);
/* Promises blocks; false if they are not there. */
bool arena_reserve(struct arena *a, uint32_t blocks);
void arena_unreserve(struct arena *a, uint32_t blocks);

/* An extent of the smallest class that holds want bytes (64 KiB at most),
 * length set to the class's size.  *reserved is the caller's reservation: a
 * fresh block is charged to it while it is above 0; beyond it a block is taken
 * only if one is free and promised to nobody.  False: no memory. */
bool arena_take(struct arena *a, size_t want, uint32_t *reserved,
	struct extent *out);
/* False if no such extent is out (a liar's RELEASE, never our panic). */
bool arena_give(struct arena *a, struct extent x);
bool arena_is_out(const struct arena *a, struct extent x);
char *arena_at(const struct arena *a, struct extent x);
size_t arena_capacity(const struct arena *a, struct extent x);
uint64_t arena_used_bytes(const struct arena *a);
uint64_t arena_max_bytes(const struct arena *a);
/* Tells on_slab all slabs again: for a new spooler. */
void arena_each_slab(struct arena *a, arena_slab_fn fn, void *arg);
/* Every extent that is out, for the sweep after a spooler's restart. */
void arena_each_out(struct arena *a, void (*fn)(void *arg, struct extent x),
	void *arg);

#endif
