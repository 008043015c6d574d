/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgid: the name of a message, a batch (one DATA) or a connection, and the
 * path of a spooled message's data file under SpoolBase.
 *
 *	CC/CC-PPPPP-SSSSSSSS
 *	counter, four hex digits nibble-reversed with a slash after two;
 *	allocator, five decimal digits; seconds, eight hex digits reversed.
 *
 * In memory and on the wire an id is one 64-bit word: seconds in the high 32
 * bits, then allocator (16), then counter (16); 0 is "none".
 *
 * An allocator number is leased by the spooler to each incarnation that makes
 * ids, with the first second it may use.  id_source hands out ids under one
 * lease: seconds never go back, and when the 65,536 ids of a second are used
 * up, or the lease's last second is reached, it says so and a new lease is
 * needed.  So no id is ever made twice, whatever the clock does.
 */
#ifndef EC_MSGID_H
#define EC_MSGID_H

#include "common/base/base.h"
#include "common/base/slice.h"

typedef uint64_t msgid;	/* a bare word; the one typedef of the tree */

#define MSGID_TEXT_LEN 20u	/* without NUL */
#define MSGID_NONE ((msgid)0)

static inline msgid
msgid_make(uint32_t seconds, uint16_t allocator, uint16_t counter)
{
	return (msgid)seconds << 32 | (msgid)allocator << 16 | counter;
}

static inline uint32_t
msgid_seconds(msgid id)
{
	return (uint32_t)(id >> 32);
}

static inline uint16_t
msgid_allocator(msgid id)
{
	return (uint16_t)(id >> 16);
}

static inline uint16_t
msgid_counter(msgid id)
{
	return (uint16_t)id;
}

/* The first path component, 0..255: which of the 256 directories. */
unsigned msgid_dir(msgid id);
/* Writes 20 characters and a NUL. */
void msgid_format(msgid id, char out[MSGID_TEXT_LEN + 1]);
/* Exactly the 20 characters, upper-case hex; false otherwise. */
bool msgid_parse(struct slice text, msgid *out);

struct id_source {
	bool leased;
	uint16_t allocator;
	uint32_t seconds;	/* of the last id, or the lease's first */
	uint32_t last_second;	/* of the lease, inclusive */
	uint32_t next;		/* counter within the second; 65536 = used up */
};

void id_source_lease(struct id_source *s, uint16_t allocator,
	uint32_t first_second, uint32_t last_second);
/* The next id, or MSGID_NONE when a new lease is needed. */
msgid id_source_next(struct id_source *s, uint32_t wall_seconds);

#endif
