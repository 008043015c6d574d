/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shm: shared memory by memfd.  What is lent read-only is sealed so that the
 * borrower need not trust the lender: it can neither shrink nor, after the
 * lender's own mapping, be written through a new one (F_SEAL_FUTURE_WRITE).
 */
#ifndef EC_SHM_H
#define EC_SHM_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/slice.h"

/* A memfd of size bytes mapped read-write into *map_out.  With seal, nobody
 * but this mapping can ever write it or change its size.  The fd, or -1. */
int shm_create(const char *name, size_t size, bool seal, void **map_out,
	struct error *err_out);
/* A memfd holding exactly these bytes, sealed against every change. */
int shm_from_bytes(const char *name, struct slice bytes, struct error *err_out);
/* Maps size bytes of a peer's memfd; checks that it is one, that it is at least
 * so large, and (sealed) that it carries the seals.  NULL on failure. */
void *shm_map(int fd, size_t size, bool writable, bool sealed,
	struct error *err_out);

#endif
