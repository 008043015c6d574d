/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: fixed-size objects addressed by a 32-bit index, in chunks that never
 * move.  Index 0 is never given out and means "none".  With a cap, pool_take
 * gives 0 when it is reached.  A freed object's bytes are zeroed when it is
 * taken again.
 */
#ifndef EC_POOL_H
#define EC_POOL_H

#include "common/base/base.h"

#define POOL_CHUNK_SHIFT 10u
#define POOL_CHUNK (1u << POOL_CHUNK_SHIFT)

struct pool {
	size_t size;		/* bytes of an object, at least 4 */
	uint32_t max;		/* objects at most */
	uint32_t used;		/* objects out */
	uint32_t fresh;		/* indexes below this were given out once */
	uint32_t free_head;	/* list through the first 4 bytes */
	uint32_t n_chunks, cap_chunks;
	char **chunks;
};

void pool_init(struct pool *p, size_t object_bytes, uint32_t max_objects);
void pool_fini(struct pool *p);
uint32_t pool_take(struct pool *p);
void pool_give(struct pool *p, uint32_t index);

/* The object; panics on an index that was never given out. */
static inline void *
pool_at(const struct pool *p, uint32_t index)
{
	ec_assert(index != 0 && index < p->fresh);
	return p->chunks[index >> POOL_CHUNK_SHIFT] +
	    (size_t)(index & (POOL_CHUNK - 1)) * p->size;
}

#endif
