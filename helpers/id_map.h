/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id_map: 64-bit words (never 0) to values of one size, open addressing.  The
 * spool tools keep in it what the journal says of each message, so its size
 * follows the journal's, not that of the store.
 *
 *	struct id_map m;
 *	id_map_init(&m, sizeof(struct x));
 *	struct x *v = id_map_add(&m, id);	(zeroed when new)
 *	id_map_fini(&m);
 *
 * Pointers to values live until the next id_map_add().
 */
#ifndef EC_ID_MAP_H
#define EC_ID_MAP_H

#include "common/base/base.h"

struct id_map {
	char *slots;		/* each: u64 key, value */
	size_t value_bytes, slot_bytes;
	size_t n, cap;		/* cap: a power of two, or 0 */
};

void id_map_init(struct id_map *m, size_t value_bytes);
void id_map_fini(struct id_map *m);
void *id_map_find(const struct id_map *m, uint64_t key);
void *id_map_add(struct id_map *m, uint64_t key);
/* The next entry; *at starts at 0.  NULL after the last. */
void *id_map_next(const struct id_map *m, size_t *at, uint64_t *key_out);

#endif
