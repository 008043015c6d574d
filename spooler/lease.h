/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease: allocator numbers for whoever makes ids (common/mail/msgid.h).  The
 * counter stands in SpoolBase/journal/lease and is moved ahead by a block, and
 * synced, before a number of that block is given out; so a number is given
 * again only after 65,536 others, and then only for seconds later than any
 * that its former holder could use, whatever the clock says.
 *
 * File: "ECLEASE1", u64 next, u64 last second ever allowed, u64 that second as
 * of the last wrap, u32 CRC-32C, all in one write to a new file, renamed.
 */
#ifndef EC_LEASE_H
#define EC_LEASE_H

#include "common/base/error.h"
#include "common/mail/msgid.h"
#include "spooler/fs.h"

struct lease {
	const struct fs *fs;
	int dir;
	uint64_t next;		/* the next number (its low 16 bits are used) */
	uint64_t limit;		/* durable: numbers below this may be given */
	uint32_t last_second;	/* durable: no lease allows a later one */
	uint32_t wrap_second;	/* leases of this round start after it */
	uint64_t wrapped_at;	/* the round that wrap_second was set for */
};

#define LEASE_SECONDS 3600u	/* how long a holder may use one */

/* Reads the file (made if there is none) and reserves a first block. */
int lease_open(struct lease *l, const struct fs *fs, int dir,
	uint32_t wall_seconds, struct error *err_out);
/* A lease for id_source_lease(); -1 when the disk refused the next block. */
int lease_take(struct lease *l, uint32_t wall_seconds,
	uint16_t *allocator_out, uint32_t *first_out, uint32_t *last_out,
	struct error *err_out);

#endif
