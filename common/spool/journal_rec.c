/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the journal: sealing and scanning, pure. */
#include "common/spool/journal_rec.h"

#include "common/base/crc.h"
#include "common/base/num.h"

#define JOURNAL_VERSION 1u

void
segment_head_seal(struct segment_head *h)
{
	memcpy(h->magic, JOURNAL_MAGIC, sizeof h->magic);
	h->version = JOURNAL_VERSION;
	h->zero = 0;
	h->crc = crc32c(0, h, offsetof(struct segment_head, crc));
}

bool
segment_head_valid(const struct segment_head *h)
{
	return memcmp(h->magic, JOURNAL_MAGIC, sizeof h->magic) == 0 &&
	    h->version == JOURNAL_VERSION && h->epoch != 0 &&
	    h->oldest <= h->epoch && h->prev < h->epoch &&
	    h->crc == crc32c(0, h, offsetof(struct segment_head, crc));
}

uint32_t
record_crc(const struct record_head *r, const char *payload,
    struct segment_use use)
{
	uint32_t c = crc32c(use.key, r, offsetof(struct record_head, crc));

	return crc32c(c, payload, r->length);
}

void
batch_seal(char *batch, size_t bytes, uint32_t count, struct segment_use use,
    uint32_t first)
{
	struct batch_head h = { .magic = JOURNAL_BATCH_MAGIC, .epoch = use.epoch,
		.count = count, .bytes = (uint32_t)bytes, .first = first };
	size_t at = JOURNAL_BATCH_HEAD;

	h.records_crc = use.key;
	for (uint32_t i = 0; i < count; i++) {
		struct record_head r;

		memcpy(&r, batch + at, sizeof r);
		r.epoch = use.epoch;
		r.index = first + i;
		r.zero = 0;
		r.zero2 = 0;
		r.crc = record_crc(&r, batch + at + sizeof r, use);
		memcpy(batch + at, &r, sizeof r);
		h.records_crc = crc32c(h.records_crc, &r.crc, sizeof r.crc);
		at += journal_record_bytes(r.length);
	}
	ec_assert(at == bytes);
	h.crc = crc32c(use.key, &h, offsetof(struct batch_head, crc));
	memcpy(batch, &h, sizeof h);
}

void
journal_scan_init(struct journal_scan *s, const char *bytes, uint64_t size,
    struct segment_use use, uint64_t limit)
{
	*s = (struct journal_scan){ .bytes = bytes, .size = size,
		.limit = limit != 0 && limit < size ? limit : size,
		.use = use, .resume = JOURNAL_BLOCK };
}

bool
batch_head_valid(const struct batch_head *h, uint64_t room,
    struct segment_use use, uint32_t next_index)
{
	return room >= JOURNAL_BATCH_HEAD && h->magic == JOURNAL_BATCH_MAGIC &&
	    h->epoch == use.epoch && h->first >= next_index && h->count > 0 &&
	    h->bytes >= JOURNAL_BATCH_HEAD && h->bytes <= room &&
	    h->crc == crc32c(use.key, h, offsetof(struct batch_head, crc));
}

bool
batch_records_valid(const char *batch, struct segment_use use)
{
	const struct batch_head *h = (const void *)batch;
	uint64_t pos = JOURNAL_BATCH_HEAD, end = h->bytes;
	uint32_t crc = use.key;

	for (uint32_t i = 0; i < h->count; i++) {
		const struct record_head *r = (const void *)(batch + pos);

		if (end - pos < JOURNAL_RECORD_HEAD ||
		    r->length > end - pos - JOURNAL_RECORD_HEAD ||
		    journal_record_bytes(r->length) > end - pos ||
		    r->epoch != use.epoch || r->index != h->first + i ||
		    r->crc != record_crc(r, batch + pos + sizeof *r, use)) {
			return false;
		}
		crc = crc32c(crc, &r->crc, sizeof r->crc);
		pos += journal_record_bytes(r->length);
	}
	return pos == end && crc == h->records_crc;
}

/* Is there a whole valid batch at this offset? */
static const struct batch_head *
batch_at(const struct journal_scan *s, uint64_t at)
{
	const struct batch_head *h = (const void *)(s->bytes + at);

	return batch_head_valid(h, s->limit - at, s->use, s->next_index) &&
	    batch_records_valid(s->bytes + at, s->use) ? h : NULL;
}

enum journal_scan_result
journal_scan_next(struct journal_scan *s)
{
	s->at = s->resume;
	for (uint64_t at = s->resume; at < s->limit; at += JOURNAL_BLOCK) {
		const struct batch_head *h = batch_at(s, at);

		if (h == NULL) {
			continue;
		}
		if (at != s->at) {
			s->resume = at;	/* found again by the next call */
			return SCAN_DAMAGE;
		}
		s->head = h;
		s->next_index = h->first + h->count;
		s->resume = at + num_round_up(h->bytes, JOURNAL_BLOCK);
		return SCAN_BATCH;
	}
	return SCAN_END;
}

bool
batch_record(const char *batch, struct segment_use use, uint32_t *pos,
    uint32_t *n, struct journal_record *out)
{
	const struct batch_head *h = (const void *)batch;
	const struct record_head *r;

	if (*n >= h->count) {
		return false;
	}
	if (*n == 0) {
		*pos = JOURNAL_BATCH_HEAD;
	}
	r = (const void *)(batch + *pos);
	*out = (struct journal_record){ .type = (enum journal_type)r->type,
		.lsn = journal_lsn(use.epoch, r->index),
		.offset = *pos + sizeof *r,
		.payload = slice_make((const char *)(r + 1), r->length) };
	*pos += (uint32_t)journal_record_bytes(r->length);
	(*n)++;
	return true;
}

bool
journal_scan_record(const struct journal_scan *s, uint32_t *pos, uint32_t *n,
    struct journal_record *out)
{
	if (!batch_record(s->bytes + s->at, s->use, pos, n, out)) {
		return false;
	}
	out->offset += s->at;
	return true;
}
