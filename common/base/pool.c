/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-size objects by index. */
#include "common/base/pool.h"

void
pool_init(struct pool *p, size_t object_bytes, uint32_t max_objects)
{
	ec_assert(object_bytes >= sizeof(uint32_t));
	*p = (struct pool){ .size = object_bytes, .max = max_objects,
		.fresh = 1 };
}

void
pool_fini(struct pool *p)
{
	for (uint32_t i = 0; i < p->n_chunks; i++) {
		free(p->chunks[i]);
	}
	free(p->chunks);
	*p = (struct pool){ .size = p->size, .max = p->max, .fresh = 1 };
}

uint32_t
pool_take(struct pool *p)
{
	uint32_t i = p->free_head;

	if (p->used >= p->max) {
		return 0;
	}
	if (i != 0) {
		memcpy(&p->free_head, pool_at(p, i), sizeof p->free_head);
	} else {
		i = p->fresh;
		if ((i >> POOL_CHUNK_SHIFT) >= p->n_chunks) {
			if (p->n_chunks == p->cap_chunks) {
				p->cap_chunks = p->cap_chunks * 2 + 4;
				p->chunks = xrealloc(p->chunks,
				    p->cap_chunks * sizeof *p->chunks);
			}
			p->chunks[p->n_chunks++] = xmalloc(p->size * POOL_CHUNK);
		}
		p->fresh++;
	}
	p->used++;
	memset(pool_at(p, i), 0, p->size);
	return i;
}

void
pool_give(struct pool *p, uint32_t index)
{
	memcpy(pool_at(p, index), &p->free_head, sizeof p->free_head);
	p->free_head = index;
	p->used--;
}
