/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing, at most three quarters full. */
#include "helpers/id_map.h"

#define FIRST_CAP 1024u

void
id_map_init(struct id_map *m, size_t value_bytes)
{
	*m = (struct id_map){ .value_bytes = value_bytes,
		.slot_bytes = sizeof(uint64_t) + ((value_bytes + 7) &
		~(size_t)7) };
}

void
id_map_fini(struct id_map *m)
{
	free(m->slots);
	*m = (struct id_map){ 0 };
}

/* Ids are counters: all bits must come into the low ones. */
static size_t
spread(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15u;
	return (size_t)(key ^ key >> 32);
}

/* Its slot, or the empty one where it belongs. */
static char *
slot_of(const struct id_map *m, uint64_t key)
{
	for (size_t i = spread(key);; i++) {
		char *slot = m->slots + (i & (m->cap - 1)) * m->slot_bytes;
		uint64_t there;

		memcpy(&there, slot, sizeof there);
		if (there == 0 || there == key) {
			return slot;
		}
	}
}

static void
grow(struct id_map *m)
{
	struct id_map old = *m;

	m->cap = old.cap == 0 ? FIRST_CAP : old.cap * 2;
	m->slots = xcalloc(m->cap, m->slot_bytes);
	for (size_t i = 0; i < old.cap; i++) {
		const char *from = old.slots + i * old.slot_bytes;
		uint64_t key;

		memcpy(&key, from, sizeof key);
		if (key != 0) {
			memcpy(slot_of(m, key), from, m->slot_bytes);
		}
	}
	free(old.slots);
}

void *
id_map_find(const struct id_map *m, uint64_t key)
{
	char *slot = m->cap == 0 ? NULL : slot_of(m, key);
	uint64_t there = 0;

	if (slot != NULL) {
		memcpy(&there, slot, sizeof there);
	}
	return there == 0 ? NULL : slot + sizeof key;
}

void *
id_map_add(struct id_map *m, uint64_t key)
{
	char *slot;

	ec_assert(key != 0);
	if (m->n >= m->cap / 4 * 3) {
		grow(m);
	}
	slot = slot_of(m, key);
	if (memcmp(slot, &(uint64_t){ 0 }, sizeof key) == 0) {
		memcpy(slot, &key, sizeof key);
		m->n++;
	}
	return slot + sizeof key;
}

void *
id_map_next(const struct id_map *m, size_t *at, uint64_t *key_out)
{
	while (*at < m->cap) {
		char *slot = m->slots + (*at)++ * m->slot_bytes;

		memcpy(key_out, slot, sizeof *key_out);
		if (*key_out != 0) {
			return slot + sizeof *key_out;
		}
	}
	return NULL;
}
