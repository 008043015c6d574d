/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch: a region allocator with a cap, for one session or one transaction.
 * Everything taken from it goes with scratch_reset(); nothing is freed alone.
 * Past the cap scratch_alloc gives NULL and the caller answers 452 or 451.
 */
#ifndef EC_SCRATCH_H
#define EC_SCRATCH_H

#include "common/base/base.h"
#include "common/base/slice.h"

struct scratch_chunk;

struct scratch {
	struct scratch_chunk *chunks;	/* newest first */
	size_t used;			/* bytes handed out since the reset */
	size_t max;
};

void scratch_init(struct scratch *s, size_t max_bytes);
void scratch_fini(struct scratch *s);
/* Forgets all; keeps the first chunk for reuse. */
void scratch_reset(struct scratch *s);
void *scratch_alloc(struct scratch *s, size_t n);	/* aligned to 16 */
/* A copy (with a NUL behind it); ptr is NULL past the cap. */
struct slice scratch_copy(struct scratch *s, struct slice from);

#endif
