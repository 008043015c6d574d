/* SPDX-License-Identifier: Apache-2.0 */
/* id -> message by open addressing with linear probing, in 256 parts. */
#include "spooler/index.h"

#define FIRST_CAP 16u

static uint64_t
hash(msgid id)
{
	/* Ids come from our own allocators or pass the spool's checks; a
	 * multiplier spreads their consecutive counters well. */
	id ^= id >> 29;
	id *= UINT64_C(0xbf58476d1ce4e5b9);
	return id >> 24;
}

static struct index_part *
part_of(const struct index *x, uint64_t h)
{
	return (struct index_part *)&x->part[h >> 32 & (INDEX_PARTS - 1)];
}

void
index_init(struct index *x)
{
	memset(x, 0, sizeof *x);
	pool_init(&x->msgs, sizeof(struct msg), UINT32_MAX / 2);
}

void
index_fini(struct index *x)
{
	pool_fini(&x->msgs);
	for (unsigned i = 0; i < INDEX_PARTS; i++) {
		free(x->part[i].table);
		x->part[i] = (struct index_part){ 0 };
	}
}

/* Where id stands, or the empty place where it would. */
static uint32_t
probe(const struct index *x, const struct index_part *p, uint64_t h, msgid id)
{
	uint32_t i = (uint32_t)h & (p->cap - 1);

	while (p->table[i] != 0 && index_at(x, p->table[i])->id != id) {
		i = (i + 1) & (p->cap - 1);
	}
	return i;
}

static void
resize(struct index *x, struct index_part *p, uint32_t cap)
{
	uint32_t *old = p->table, old_cap = p->cap;

	p->cap = cap;
	p->table = xcalloc(p->cap, sizeof *p->table);
	for (uint32_t i = 0; i < old_cap; i++) {
		if (old[i] != 0) {
			msgid id = index_at(x, old[i])->id;

			p->table[probe(x, p, hash(id), id)] = old[i];
		}
	}
	free(old);
}

static bool
is_full(const struct index_part *p, uint64_t n)
{
	return n * 4 > (uint64_t)p->cap * 3;
}

void
index_reserve(struct index *x, uint64_t n)
{
	for (unsigned i = 0; i < INDEX_PARTS; i++) {
		struct index_part *p = &x->part[i];
		uint32_t cap = EC_MAX(p->cap, FIRST_CAP);

		/* A little more than the even share: parts differ. */
		while (n / INDEX_PARTS * 34 > (uint64_t)cap * 24 &&
		    cap < UINT32_MAX / 2) {
			cap *= 2;
		}
		if (cap > p->cap) {
			resize(x, p, cap);
		}
	}
}

uint32_t
index_add(struct index *x, msgid id)
{
	uint64_t h = hash(id);
	struct index_part *p = part_of(x, h);
	uint32_t at, slot;

	if (is_full(p, (uint64_t)p->used + 1)) {
		resize(x, p, EC_MAX(p->cap * 2, FIRST_CAP));
	}
	at = probe(x, p, h, id);
	if (p->table[at] != 0) {
		return 0;
	}
	slot = pool_take(&x->msgs);
	ec_assert(slot != 0);
	index_at(x, slot)->id = id;
	p->table[at] = slot;
	p->used++;
	return slot;
}

uint32_t
index_find(const struct index *x, msgid id)
{
	uint64_t h = hash(id);
	const struct index_part *p = part_of(x, h);

	return p->cap == 0 ? 0 : p->table[probe(x, p, h, id)];
}

void
index_remove(struct index *x, uint32_t slot)
{
	msgid id = index_at(x, slot)->id;
	uint64_t h = hash(id);
	struct index_part *p = part_of(x, h);
	uint32_t i = probe(x, p, h, id), j = i;

	ec_assert(p->table[i] == slot);
	index_at(x, slot)->state = MSG_FREE;
	x->n_settled -= (index_at(x, slot)->flags & MSG_SETTLED) != 0;
	p->table[i] = 0;
	p->used--;
	/* Close the gap: whoever probed past it moves up. */
	for (;;) {
		uint32_t home;

		j = (j + 1) & (p->cap - 1);
		if (p->table[j] == 0) {
			break;
		}
		home = (uint32_t)hash(index_at(x, p->table[j])->id) &
		    (p->cap - 1);
		if (((j - home) & (p->cap - 1)) >= ((j - i) & (p->cap - 1))) {
			p->table[i] = p->table[j];
			p->table[j] = 0;
			i = j;
		}
	}
	pool_give(&x->msgs, slot);
}
