/* SPDX-License-Identifier: Apache-2.0 */
/* id -> message by open addressing with linear probing. */
#include "spooler/index.h"

#define FIRST_CAP 1024u

static uint32_t
hash(msgid id)
{
	/* Ids come from our own allocators or pass the spool's checks; a
	 * multiplier spreads their consecutive counters well. */
	id ^= id >> 29;
	id *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(id >> 32);
}

void
index_init(struct index *x)
{
	pool_init(&x->msgs, sizeof(struct msg), UINT32_MAX - 1);
	x->cap = FIRST_CAP;
	x->table = xcalloc(x->cap, sizeof *x->table);
}

void
index_fini(struct index *x)
{
	pool_fini(&x->msgs);
	free(x->table);
	x->table = NULL;
}

/* Where id stands, or the empty place where it would. */
static uint32_t
probe(const struct index *x, msgid id)
{
	uint32_t i = hash(id) & (x->cap - 1);

	while (x->table[i] != 0 && index_at(x, x->table[i])->id != id) {
		i = (i + 1) & (x->cap - 1);
	}
	return i;
}

static void
grow(struct index *x)
{
	uint32_t *old = x->table, old_cap = x->cap;

	x->cap *= 2;
	x->table = xcalloc(x->cap, sizeof *x->table);
	for (uint32_t i = 0; i < old_cap; i++) {
		if (old[i] != 0) {
			x->table[probe(x, index_at(x, old[i])->id)] = old[i];
		}
	}
	free(old);
}

uint32_t
index_add(struct index *x, msgid id)
{
	uint32_t at, slot;

	if ((uint64_t)(x->msgs.used + 1) * 4 > (uint64_t)x->cap * 3) {
		grow(x);
	}
	at = probe(x, id);
	if (x->table[at] != 0) {
		return 0;
	}
	slot = pool_take(&x->msgs);
	ec_assert(slot != 0);
	index_at(x, slot)->id = id;
	x->table[at] = slot;
	return slot;
}

uint32_t
index_find(const struct index *x, msgid id)
{
	return x->table[probe(x, id)];
}

void
index_remove(struct index *x, uint32_t slot)
{
	uint32_t i = probe(x, index_at(x, slot)->id), j = i;

	ec_assert(x->table[i] == slot);
	x->table[i] = 0;
	/* Close the gap: whoever probed past it moves up. */
	for (;;) {
		uint32_t home;

		j = (j + 1) & (x->cap - 1);
		if (x->table[j] == 0) {
			break;
		}
		home = hash(index_at(x, x->table[j])->id) & (x->cap - 1);
		if (((j - home) & (x->cap - 1)) >= ((j - i) & (x->cap - 1))) {
			x->table[i] = x->table[j];
			x->table[j] = 0;
			i = j;
		}
	}
	pool_give(&x->msgs, slot);
}
