/* SPDX-License-Identifier: Apache-2.0 */
/*
 * size: how large a message can be.  One journal record holds a whole message,
 * and a record may fill half a segment; Journal_Size gives the segment's size.
 * The listener announces what the spooler will take.
 */
#ifndef EC_SIZE_H
#define EC_SIZE_H

#include "common/base/base.h"

#define SIZE_SEGMENT_MIN (4u << 20)
#define SIZE_SEGMENT_MAX (64u << 20)

/* Bytes of a journal segment for a Journal_Size. */
static inline uint64_t
journal_segment_bytes(uint64_t journal_size)
{
	uint64_t n = EC_MIN(EC_MAX(journal_size / 16,
	    (uint64_t)SIZE_SEGMENT_MIN), (uint64_t)SIZE_SEGMENT_MAX);

	return n & ~(uint64_t)0xffff;
}

/* Bytes of the largest body: half a segment less an envelope's room. */
static inline uint64_t
journal_body_max(uint64_t journal_size)
{
	return journal_segment_bytes(journal_size) / 2 - (128u << 10);
}

#endif
