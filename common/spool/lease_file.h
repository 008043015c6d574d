/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_file: the bytes of SpoolBase/journal/lease, pure.  Three words that
 * keep any id from being made twice (spooler/lease.h says how), between a magic
 * and a CRC-32C.  The spooler writes it, ec_spool_check reads it.
 */
#ifndef EC_LEASE_FILE_H
#define EC_LEASE_FILE_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#define LEASE_FILE_BYTES 36u

struct lease_file {
	uint64_t next;		/* allocator number not yet given out */
	uint64_t last_second;	/* that any holder may use */
	uint64_t wrap_second;	/* the same, as of the last wrap */
};

void lease_file_encode(const struct lease_file *f, struct buf *out);
/* False unless it is exactly a sound file. */
bool lease_file_decode(struct slice bytes, struct lease_file *out);

#endif
