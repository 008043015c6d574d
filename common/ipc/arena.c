/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extents in blocks in slabs.  A block is free, or holds extents of one class
 * with a bitmap of those that are out; blocks of a class with room stand in
 * that class's list, freed blocks in the free list.  Last freed is first
 * reused: it is warm.
 */
#include "common/ipc/arena.h"

#include <sys/mman.h>

#include "common/base/shm.h"

#define NONE UINT32_MAX
#define FREE 0xff

struct block {
	uint64_t out;		/* bit per extent */
	uint32_t prev, next;	/* in its class's list or the free list */
	uint8_t class;		/* or FREE */
	uint8_t n_out;
};

struct arena {
	char name[32];
	uint32_t max_blocks;
	uint32_t n_slabs;
	uint32_t reserved;	/* blocks promised, not yet taken */
	uint32_t n_free;	/* blocks made and free */
	uint32_t free_head;
	uint32_t class_head[ARENA_CLASSES];
	uint64_t used;		/* bytes of extents out */
	arena_slab_fn on_slab;
	void *arg;
	char *base[ARENA_MAX_SLABS];
	int fd[ARENA_MAX_SLABS];
	struct block *blocks;	/* max_blocks of them */
};

static unsigned
class_of(size_t want)
{
	unsigned c = 0;

	while (c < ARENA_CLASSES - 1 && ((size_t)ARENA_MIN_BYTES << c) < want) {
		c++;
	}
	return c;
}

static uint32_t
class_bytes(unsigned class)
{
	return ARENA_MIN_BYTES << class;
}

static uint64_t
class_mask(unsigned class)
{
	unsigned n = ARENA_BLOCK_BYTES / class_bytes(class);

	return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static void
list_add(struct arena *a, uint32_t *head, uint32_t b)
{
	a->blocks[b].prev = NONE;
	a->blocks[b].next = *head;
	if (*head != NONE) {
		a->blocks[*head].prev = b;
	}
	*head = b;
}

static void
list_del(struct arena *a, uint32_t *head, uint32_t b)
{
	struct block *k = &a->blocks[b];

	if (k->prev != NONE) {
		a->blocks[k->prev].next = k->next;
	} else {
		*head = k->next;
	}
	if (k->next != NONE) {
		a->blocks[k->next].prev = k->prev;
	}
}

struct arena *
arena_create(const char *name, uint64_t max_bytes, arena_slab_fn on_slab,
    void *arg)
{
	struct arena *a = xcalloc(1, sizeof *a);
	uint64_t slabs = (max_bytes + ARENA_SLAB_BYTES - 1) / ARENA_SLAB_BYTES;

	slabs = EC_MIN(EC_MAX(slabs, 1u), (uint64_t)ARENA_MAX_SLABS);
	snprintf(a->name, sizeof a->name, "%s", name);
	a->max_blocks = (uint32_t)slabs * ARENA_SLAB_BLOCKS;
	a->blocks = xcalloc(a->max_blocks, sizeof *a->blocks);
	a->free_head = NONE;
	for (unsigned c = 0; c < ARENA_CLASSES; c++) {
		a->class_head[c] = NONE;
	}
	a->on_slab = on_slab;
	a->arg = arg;
	return a;
}

void
arena_destroy(struct arena **ap)
{
	struct arena *a = *ap;

	*ap = NULL;
	if (a == NULL) {
		return;
	}
	for (uint32_t i = 0; i < a->n_slabs; i++) {
		munmap(a->base[i], ARENA_SLAB_BYTES);
		close(a->fd[i]);
	}
	free(a->blocks);
	free(a);
}

static uint32_t
made_blocks(const struct arena *a)
{
	return a->n_slabs * ARENA_SLAB_BLOCKS;
}

/* Blocks that could still be had, promised or not. */
static uint32_t
available(const struct arena *a)
{
	return a->n_free + (a->max_blocks - made_blocks(a));
}

static bool
slab_add(struct arena *a)
{
	struct error err;
	uint32_t first = made_blocks(a);
	void *p;
	int fd;

	if (first >= a->max_blocks) {
		return false;
	}
	fd = shm_create(a->name, ARENA_SLAB_BYTES, true, &p, &err);
	if (fd < 0) {
		return false;
	}
	a->base[a->n_slabs] = p;
	a->fd[a->n_slabs] = fd;
	a->n_slabs++;
	/* Backwards, so that the lowest is taken first. */
	for (uint32_t i = ARENA_SLAB_BLOCKS; i-- > 0;) {
		a->blocks[first + i].class = FREE;
		list_add(a, &a->free_head, first + i);
	}
	a->n_free += ARENA_SLAB_BLOCKS;
	if (a->on_slab != NULL) {
		a->on_slab(a->arg, a->n_slabs - 1, fd, ARENA_SLAB_BYTES);
	}
	return true;
}

uint32_t
arena_blocks(uint64_t bytes)
{
	uint64_t n = bytes / ARENA_BLOCK_BYTES +
	    (bytes % ARENA_BLOCK_BYTES != 0) + 2;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

bool
arena_reserve(struct arena *a, uint32_t blocks)
{
	if (blocks > available(a) || a->reserved > available(a) - blocks) {
		return false;
	}
	a->reserved += blocks;
	return true;
}

void
arena_unreserve(struct arena *a, uint32_t blocks)
{
	ec_assert(blocks <= a->reserved);
	a->reserved -= blocks;
}

static uint32_t
block_take(struct arena *a, unsigned class, uint32_t *reserved)
{
	uint32_t b;

	if (*reserved == 0 && available(a) <= a->reserved) {
		return NONE;
	}
	if (a->free_head == NONE && !slab_add(a)) {
		return NONE;
	}
	if (*reserved > 0) {
		(*reserved)--;
		a->reserved--;
	}
	b = a->free_head;
	list_del(a, &a->free_head, b);
	a->n_free--;
	a->blocks[b].class = (uint8_t)class;
	a->blocks[b].out = 0;
	a->blocks[b].n_out = 0;
	list_add(a, &a->class_head[class], b);
	return b;
}

bool
arena_take(struct arena *a, size_t want, uint32_t *reserved, struct extent *out)
{
	unsigned class = class_of(want), bit;
	uint32_t b = a->class_head[class];
	struct block *k;

	if (b == NONE) {
		b = block_take(a, class, reserved);
		if (b == NONE) {
			return false;
		}
	}
	k = &a->blocks[b];
	bit = (unsigned)__builtin_ctzll(~k->out);
	k->out |= UINT64_C(1) << bit;
	k->n_out++;
	if (k->out == class_mask(class)) {
		list_del(a, &a->class_head[class], b);
	}
	a->used += class_bytes(class);
	*out = (struct extent){ b / ARENA_SLAB_BLOCKS,
		b % ARENA_SLAB_BLOCKS * ARENA_BLOCK_BYTES +
		bit * class_bytes(class), class_bytes(class) };
	return true;
}

/* The block and bit of an extent that is out, or false. */
static bool
locate(const struct arena *a, struct extent x, uint32_t *block, unsigned *bit)
{
	const struct block *k;
	uint32_t in = x.offset % ARENA_BLOCK_BYTES;

	if (x.slab >= a->n_slabs || x.offset >= ARENA_SLAB_BYTES) {
		return false;
	}
	*block = x.slab * ARENA_SLAB_BLOCKS + x.offset / ARENA_BLOCK_BYTES;
	k = &a->blocks[*block];
	if (k->class == FREE || in % class_bytes(k->class) != 0) {
		return false;
	}
	*bit = in / class_bytes(k->class);
	return (k->out >> *bit & 1) != 0;
}

bool
arena_is_out(const struct arena *a, struct extent x)
{
	uint32_t b;
	unsigned bit;

	return locate(a, x, &b, &bit);
}

bool
arena_give(struct arena *a, struct extent x)
{
	struct block *k;
	unsigned bit;
	uint32_t b;
	bool was_full;

	if (!locate(a, x, &b, &bit)) {
		return false;
	}
	k = &a->blocks[b];
	was_full = k->out == class_mask(k->class);
	k->out &= ~(UINT64_C(1) << bit);
	k->n_out--;
	a->used -= class_bytes(k->class);
	if (k->n_out == 0) {
		if (!was_full) {
			list_del(a, &a->class_head[k->class], b);
		}
		k->class = FREE;
		list_add(a, &a->free_head, b);
		a->n_free++;
	} else if (was_full) {
		list_add(a, &a->class_head[k->class], b);
	}
	return true;
}

char *
arena_at(const struct arena *a, struct extent x)
{
	ec_assert(x.slab < a->n_slabs && x.offset < ARENA_SLAB_BYTES);
	return a->base[x.slab] + x.offset;
}

size_t
arena_capacity(const struct arena *a, struct extent x)
{
	uint32_t b;
	unsigned bit;

	ec_assert(locate(a, x, &b, &bit));
	return class_bytes(a->blocks[b].class);
}

uint64_t
arena_used_bytes(const struct arena *a)
{
	return a->used;
}

uint64_t
arena_max_bytes(const struct arena *a)
{
	return (uint64_t)a->max_blocks * ARENA_BLOCK_BYTES;
}

void
arena_each_slab(struct arena *a, arena_slab_fn fn, void *arg)
{
	for (uint32_t i = 0; i < a->n_slabs; i++) {
		fn(arg, i, a->fd[i], ARENA_SLAB_BYTES);
	}
}

void
arena_each_out(struct arena *a, void (*fn)(void *arg, struct extent x),
    void *arg)
{
	for (uint32_t b = 0; b < made_blocks(a); b++) {
		struct block *k = &a->blocks[b];
		uint64_t left = k->class == FREE ? 0 : k->out;
		unsigned class = k->class;

		/* fn may give the extent back and so free the block. */
		for (; left != 0; left &= left - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(left);

			fn(arg, (struct extent){ b / ARENA_SLAB_BLOCKS,
			    b % ARENA_SLAB_BLOCKS * ARENA_BLOCK_BYTES +
			    bit * class_bytes(class), class_bytes(class) });
		}
	}
}
