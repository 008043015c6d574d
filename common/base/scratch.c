/* SPDX-License-Identifier: Apache-2.0 */
/* Region allocator: chunks in a list, a bump pointer in the newest. */
#include "common/base/scratch.h"

#define CHUNK_BYTES 2048u

struct scratch_chunk {
	struct scratch_chunk *older;
	size_t size, used;
	char bytes[] __attribute__((aligned(16)));
};

void
scratch_init(struct scratch *s, size_t max_bytes)
{
	*s = (struct scratch){ .max = max_bytes };
}

void
scratch_fini(struct scratch *s)
{
	while (s->chunks != NULL) {
		struct scratch_chunk *c = s->chunks;

		s->chunks = c->older;
		free(c);
	}
	s->used = 0;
}

void
scratch_reset(struct scratch *s)
{
	while (s->chunks != NULL && s->chunks->older != NULL) {
		struct scratch_chunk *c = s->chunks;

		s->chunks = c->older;
		free(c);
	}
	if (s->chunks != NULL) {
		s->chunks->used = 0;
	}
	s->used = 0;
}

void *
scratch_alloc(struct scratch *s, size_t n)
{
	struct scratch_chunk *c = s->chunks;
	size_t want;
	void *p;

	if (n > s->max || __builtin_add_overflow(n, 15u, &want)) {
		return NULL;
	}
	want &= ~(size_t)15;
	if (want > s->max - s->used) {
		return NULL;
	}
	if (c == NULL || c->size - c->used < want) {
		size_t size = EC_MAX(want, (size_t)CHUNK_BYTES);

		c = xmalloc(sizeof *c + size);
		c->older = s->chunks;
		c->size = size;
		c->used = 0;
		s->chunks = c;
	}
	p = c->bytes + c->used;
	c->used += want;
	s->used += want;
	return p;
}

struct slice
scratch_copy(struct scratch *s, struct slice from)
{
	char *p = scratch_alloc(s, from.len + 1);

	if (p == NULL) {
		return (struct slice){ NULL, 0 };
	}
	slice_copy(p, from.len + 1, from);
	return slice_make(p, from.len);
}
