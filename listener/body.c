/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content into the arena: un-stuffed by the decoder straight into extents.
 * The first extent fits what is known (SIZE= or what has arrived), the second
 * has 16 KiB, all others 64: so the reservation made before 354 always holds
 * (arena_blocks), and an ordinary message lies in one piece.  What outgrows
 * Large_Message_Threshold goes on as large.c has it.
 */
#include "listener/listener.h"

#include "common/mail/received.h"

#define SECOND_EXTENT (16u << 10)
#define MEND_BEYOND 128u	/* bytes beyond the threshold, at most */

_Static_assert(RECEIVED_MAX + MEND_BEYOND <= RECEIVED_ROOM, "room for both");

bool
body_begin(struct session *s)
{
	struct body *b = &s->body;
	uint64_t most = s->set.large_threshold + RECEIVED_ROOM;
	uint64_t want = s->declared > 0 ?
	    EC_MIN(s->declared + RECEIVED_ROOM, most) : most;
	uint32_t blocks = arena_blocks(want);

	if (!arena_reserve(s->l->arena, blocks)) {
		return false;
	}
	dot_decoder_init(&b->dot);
	b->reserved = blocks;
	b->size = 0;
	b->n = 0;
	b->room = 0;
	b->discard = false;
	b->ended = false;
	b->large = b->broken = b->full = b->waits = false;
	b->lent = b->n_spare = 0;
	b->sent = 0;
	b->mending = s->set.lone_lf_header == CONFIG_LONE_LF_FIX ||
	    s->set.lone_lf_body == CONFIG_LONE_LF_FIX;
	if (b->mending) {
		mend_init(&b->mend, s->set.lone_lf_header ==
		    CONFIG_LONE_LF_FIX, s->set.lone_lf_body ==
		    CONFIG_LONE_LF_FIX);
	}
	b->max = s->sm.limits.max_size;
	return true;
}

/* Another extent, as large as makes sense; false: no memory. */
static bool
grow(struct session *s, size_t arrived)
{
	struct body *b = &s->body;
	size_t want = ARENA_BLOCK_BYTES;
	struct extent x;

	/* (What is mended is in the middle of a piece here: take_some().) */
	if (!b->large && !b->mending && b->size > s->set.large_threshold) {
		large_begin(s);
	}
	if (b->large) {
		return large_grow(s);
	}
	if (b->n == BODY_EXTENTS) {
		return false;
	}
	if (b->n == 0) {
		want = s->declared > 0 ? (size_t)EC_MIN(s->declared +
		    RECEIVED_ROOM, (uint64_t)ARENA_BLOCK_BYTES) : arrived;
	} else if (b->n == 1) {
		want = SECOND_EXTENT;
	}
	if (!arena_take(s->l->arena, want, &b->reserved, &x)) {
		return false;
	}
	b->room = x.length;
	x.length = 0;
	b->ext[b->n++] = x;
	return true;
}

bool
body_put(struct session *s, struct slice bytes)
{
	struct body *b = &s->body;

	while (bytes.len > 0) {
		struct extent *x;
		size_t k;

		if (b->room == 0 && !grow(s, bytes.len + 4096)) {
			return false;
		}
		x = &b->ext[b->n - 1];
		k = EC_MIN(b->room, bytes.len);
		memcpy(arena_at(s->l->arena, *x) + x->length, bytes.ptr, k);
		x->length += (uint32_t)k;
		b->room -= k;
		bytes = slice_skip(bytes, k);
	}
	return true;
}

/* What was decoded, mended, into the arena. */
static bool
put_mended(struct session *s, struct slice in)
{
	struct body *b = &s->body;
	char out[4096];
	size_t used, made;

	while (in.len > 0) {
		made = mend_run(&b->mend, in, &used, out, sizeof out);
		in = slice_skip(in, used);
		b->size += made;
		if (!body_put(s, slice_make(out, made))) {
			return false;
		}
	}
	return true;
}

/* How much may be decoded apart and mended then, which makes at most two bytes
 * of each and two more.  It becomes large between two pieces only: what is
 * decoded must find its place.  So the last piece before that goes just beyond
 * the threshold (the room reserved for a trace header has place for it). */
static size_t
room_to_mend(struct session *s, size_t most)
{
	struct body *b = &s->body;
	size_t room = SIZE_MAX;

	if (!b->discard && !b->large && b->size > s->set.large_threshold) {
		large_begin(s);
	}
	if (!b->discard && b->large) {
		room = large_room(s, 2 * most + 2);
	} else if (!b->discard) {
		room = (size_t)EC_MIN(s->set.large_threshold - b->size,
		    (uint64_t)2 * most) + MEND_BEYOND;
	}
	room = (room - EC_MIN(room, (size_t)2)) / 2;
	if (room == 0) {
		large_send(s);	/* that it comes back */
	}
	return EC_MIN(room, most);
}

/* Decodes some of in, at least a byte, straight into the arena if it can. */
static bool
take_some(struct session *s, struct slice in, size_t *used_out)
{
	struct body *b = &s->body;
	char apart[8192], *to = apart;
	size_t room = b->mending ? room_to_mend(s, sizeof apart) : sizeof apart;
	size_t made;
	bool straight = !b->discard && !b->mending;
	struct extent *x = NULL;

	*used_out = 0;
	if (room == 0) {
		return false;
	}
	if (straight) {
		if (b->room == 0 && !grow(s, in.len) && !b->broken) {
			return false;
		}
		straight = !b->broken;	/* it may just have been */
	}
	if (straight) {
		x = &b->ext[b->n - 1];
		to = arena_at(s->l->arena, *x) + x->length;
		room = b->room;
	}
	b->ended = dot_decode(&b->dot, in, used_out, to, room, &made) ==
	    DOT_END;
	if (straight) {
		x->length += (uint32_t)made;
		b->room -= made;
		b->size += made;
		return true;
	}
	return b->discard || put_mended(s, slice_make(apart, made));
}

enum body_result
body_take(struct session *s, struct slice in, size_t *used_out)
{
	struct body *b = &s->body;
	size_t used;

	*used_out = 0;
	b->waits = false;
	if (b->full && !b->discard) {
		return BODY_FULL;
	}
	while (in.len > 0 && !b->ended) {
		bool fits = take_some(s, in, &used);

		in = slice_skip(in, used);
		*used_out += used;
		if (!fits && b->broken) {
			continue;	/* the rest is thrown away */
		}
		if (!fits && b->large && b->lent > 0) {
			b->waits = true;
			return BODY_WAIT;
		}
		if (!fits) {
			return BODY_FULL;
		}
		if (!b->discard && b->size > b->max) {
			return BODY_LARGE;
		}
	}
	return b->ended ? BODY_DOT : BODY_MORE;
}

void
body_drop(struct session *s)
{
	struct body *b = &s->body;

	if (b->large) {
		large_drop(s);
	}
	for (unsigned i = 0; i < b->n; i++) {
		ec_assert(arena_give(s->l->arena, b->ext[i]));
	}
	body_hand_over(s);
}

void
body_hand_over(struct session *s)
{
	struct body *b = &s->body;

	if (b->large) {
		large_hand_over(s);
	}
	arena_unreserve(s->l->arena, b->reserved);
	b->reserved = 0;
	b->n = 0;
	b->room = 0;
}

uint64_t
body_end(struct session *s)
{
	struct body *b = &s->body;
	uint64_t size = b->sent;

	/* An extent taken and not used (the message ended just there). */
	if (b->n > b->lent && b->ext[b->n - 1].length == 0) {
		ec_assert(arena_give(s->l->arena, b->ext[--b->n]));
	}
	if (!b->large && b->size > s->set.large_threshold) {
		large_begin(s);
	}
	if (b->large) {
		large_send(s);
		return b->sent;
	}
	for (unsigned i = 0; i < b->n; i++) {
		size += b->ext[i].length;
	}
	return size;
}
