/* SPDX-License-Identifier: Apache-2.0 */
/* Items, blocks and heads of checkpoint files. */
#include "common/spool/checkpoint_file.h"

#include "common/base/crc.h"

enum {	/* the flags of a put */
	ITEM_DOUBT = 1,
	ITEM_DEATHS_SHIFT = 4,
	ITEM_DEATHS = 15,
};

static uint32_t
head_crc(const struct checkpoint_head *h)
{
	return crc32c(0, h, offsetof(struct checkpoint_head, crc));
}

void
checkpoint_head_seal(struct checkpoint_head *h)
{
	memcpy(h->magic, CHECKPOINT_MAGIC, sizeof h->magic);
	h->version = 1;
	h->zero = h->zero2 = 0;
	h->crc = head_crc(h);
}

bool
checkpoint_head_valid(const struct checkpoint_head *h)
{
	return memcmp(h->magic, CHECKPOINT_MAGIC, sizeof h->magic) == 0 &&
	    h->version == 1 && h->crc == head_crc(h) &&
	    (h->kind == CHECKPOINT_BASE || h->kind == CHECKPOINT_DELTA);
}

void
checkpoint_block_init(struct checkpoint_block *b, uint32_t generation)
{
	b->generation = generation;
	buf_init(&b->bytes, CHECKPOINT_BLOCK);
	checkpoint_block_reset(b);
}

void
checkpoint_block_fini(struct checkpoint_block *b)
{
	buf_fini(&b->bytes);
}

void
checkpoint_block_reset(struct checkpoint_block *b)
{
	struct checkpoint_block_head h = { 0 };

	buf_clear(&b->bytes);
	buf_append(&b->bytes, &h, sizeof h);
}

bool
checkpoint_block_has_room(const struct checkpoint_block *b)
{
	return b->bytes.len + 2 * CHECKPOINT_ITEM_MAX <= CHECKPOINT_BLOCK;
}

bool
checkpoint_block_is_empty(const struct checkpoint_block *b)
{
	return b->bytes.len == sizeof(struct checkpoint_block_head);
}

void
checkpoint_item_encode(const struct checkpoint_item *i, struct buf *b)
{
	wire_put_u8(b, (uint8_t)i->op);
	switch (i->op) {
	case CHECKPOINT_QUEUE:
		wire_put_u32(b, i->queue);
		wire_put_slice(b, i->group);
		wire_put_slice(b, i->binding);
		wire_put_slice(b, i->domain);
		break;
	case CHECKPOINT_PUT:
		wire_put_u64(b, i->id);
		wire_put_u64(b, i->next_us);
		wire_put_u32(b, i->received_s);
		wire_put_u32(b, i->queue);
		wire_put_u16(b, i->attempts);
		wire_put_u8(b, (uint8_t)((i->doubt ? ITEM_DOUBT : 0) |
		    (i->deaths & ITEM_DEATHS) << ITEM_DEATHS_SHIFT));
		break;
	case CHECKPOINT_GONE:
		wire_put_u64(b, i->id);
		break;
	case CHECKPOINT_END:
		wire_put_u64(b, i->puts);
		wire_put_u64(b, i->gones);
		break;
	}
}

void
checkpoint_put(struct checkpoint_block *b, const struct checkpoint_item *i)
{
	checkpoint_item_encode(i, &b->bytes);
	ec_assert(!b->bytes.full);
}

static uint32_t
block_crc(const struct checkpoint_block_head *h, const char *payload)
{
	uint32_t crc = crc32c(0, h, offsetof(struct checkpoint_block_head,
	    crc));

	return crc32c(crc, payload, h->length);
}

struct slice
checkpoint_block_seal(struct checkpoint_block *b)
{
	struct checkpoint_block_head h = { .magic = CHECKPOINT_BLOCK_MAGIC,
		.generation = b->generation,
		.length = (uint32_t)(b->bytes.len - sizeof h) };

	h.crc = block_crc(&h, b->bytes.ptr + sizeof h);
	memcpy(b->bytes.ptr, &h, sizeof h);
	return buf_slice(&b->bytes);
}

ssize_t
checkpoint_block_length(const struct checkpoint_block_head *h,
    uint32_t generation)
{
	return h->magic != CHECKPOINT_BLOCK_MAGIC ||
	    h->generation != generation || h->length == 0 ||
	    h->length > CHECKPOINT_BLOCK - sizeof *h ? -1 : (ssize_t)h->length;
}

bool
checkpoint_block_valid(const struct checkpoint_block_head *h,
    const char *payload)
{
	return h->crc == block_crc(h, payload);
}

static void
read_put(struct wire_r *r, struct checkpoint_item *out)
{
	uint8_t flags;

	out->id = wire_u64(r);
	out->next_us = wire_u64(r);
	out->received_s = wire_u32(r);
	out->queue = wire_u32(r);
	out->attempts = wire_u16(r);
	flags = wire_u8(r);
	out->doubt = (flags & ITEM_DOUBT) != 0;
	out->deaths = flags >> ITEM_DEATHS_SHIFT;
}

bool
checkpoint_next(struct wire_r *r, struct checkpoint_item *out)
{
	if (r->bad || wire_left(r) == 0) {
		return false;
	}
	*out = (struct checkpoint_item){ 0 };
	out->op = wire_u8(r);
	switch (out->op) {
	case CHECKPOINT_QUEUE:
		out->queue = wire_u32(r);
		out->group = wire_slice(r);
		out->binding = wire_slice(r);
		out->domain = wire_slice(r);
		break;
	case CHECKPOINT_PUT:
		read_put(r, out);
		break;
	case CHECKPOINT_GONE:
		out->id = wire_u64(r);
		break;
	case CHECKPOINT_END:
		out->puts = wire_u64(r);
		out->gones = wire_u64(r);
		break;
	default:	/* a byte of a file: no enum of ours is sure of it */
		r->bad = true;
	}
	return !r->bad;
}

void
checkpoint_name(uint32_t generation, enum checkpoint_kind kind,
    char out[CHECKPOINT_NAME])
{
	snprintf(out, CHECKPOINT_NAME, "%08X.%s", generation,
	    kind == CHECKPOINT_BASE ? "base" : "delta");
}

bool
checkpoint_name_parse(const char *name, uint32_t *generation_out,
    enum checkpoint_kind *kind_out)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		static const char digits[] = "0123456789ABCDEF";
		const char *at = name[i] == '\0' ? NULL :
		    strchr(digits, name[i]);

		if (at == NULL) {
			return false;
		}
		v = v << 4 | (uint32_t)(at - digits);
	}
	*generation_out = v;
	*kind_out = strcmp(name + 8, ".base") == 0 ? CHECKPOINT_BASE :
	    CHECKPOINT_DELTA;
	return v != 0 && (*kind_out == CHECKPOINT_BASE ||
	    strcmp(name + 8, ".delta") == 0);
}
