/* SPDX-License-Identifier: Apache-2.0 */
/* A window slides over the file; a whole batch must lie in it. */
#include "common/spool/segment_reader.h"

#include "common/base/fdio.h"
#include "common/base/num.h"

#define WINDOW (256u << 10)

enum probe { PROBE_NO, PROBE_BATCH, PROBE_FAILED };

void
segment_reader_init(struct segment_reader *r, int fd, uint64_t size,
    struct segment_use use, uint64_t limit)
{
	*r = (struct segment_reader){ .fd = fd, .use = use,
		.limit = limit != 0 && limit < size ? limit : size,
		.resume = JOURNAL_BLOCK, .valid_end = JOURNAL_BLOCK };
}

void
segment_reader_fini(struct segment_reader *r)
{
	free(r->window);
	r->window = NULL;
}

/* The window starts at this offset and has need bytes, or what the file has. */
static bool
slide(struct segment_reader *r, uint64_t at, uint64_t need)
{
	size_t want = (size_t)EC_MIN(EC_MAX(need, (uint64_t)WINDOW),
	    r->limit - at);
	ssize_t got;

	if (want > r->cap) {
		r->window = xrealloc(r->window, want);
		r->cap = want;
	}
	r->len = 0;
	got = fdio_pread_full(r->fd, r->window, want, at);
	if (got < 0 && want > JOURNAL_BLOCK && need <= JOURNAL_BLOCK) {
		/* One bad block shall not hide its neighbours. */
		want = JOURNAL_BLOCK;
		got = fdio_pread_full(r->fd, r->window, want, at);
	}
	if (got < 0) {
		r->error = errno;
		return false;
	}
	r->window_at = at;
	r->len = (size_t)got;
	return true;
}

/* need bytes at this offset are in memory (need is within the limit). */
static const char *
bytes_at(struct segment_reader *r, uint64_t at, uint64_t need)
{
	if (r->len == 0 || at < r->window_at ||
	    at + need > r->window_at + r->len) {
		if (!slide(r, at, need)) {
			return NULL;
		}
	}
	return r->len - (at - r->window_at) >= need ?
	    r->window + (at - r->window_at) : NULL;
}

static enum probe
probe(struct segment_reader *r, uint64_t at)
{
	struct batch_head h;
	const char *p;

	if (r->limit - at < JOURNAL_BATCH_HEAD) {
		return PROBE_NO;
	}
	r->error = 0;
	p = bytes_at(r, at, JOURNAL_BATCH_HEAD);
	if (p != NULL) {
		memcpy(&h, p, sizeof h);
		if (!batch_head_valid(&h, r->limit - at, r->use,
		    r->next_index)) {
			return PROBE_NO;
		}
		p = bytes_at(r, at, h.bytes);
	}
	if (p == NULL) {
		return r->error != 0 ? PROBE_FAILED : PROBE_NO;
	}
	/* The head again: the window was perhaps read anew since. */
	memcpy(&h, p, sizeof h);
	if (!batch_head_valid(&h, r->window_at + r->len - at, r->use,
	    r->next_index) || !batch_records_valid(p, r->use)) {
		return PROBE_NO;
	}
	r->batch = p;
	return PROBE_BATCH;
}

static enum segment_read
take_batch(struct segment_reader *r, uint64_t at)
{
	const struct batch_head *h = (const void *)r->batch;

	r->at = at;
	r->count = h->count;
	r->next_index = h->first + h->count;
	r->resume = at + num_round_up(h->bytes, JOURNAL_BLOCK);
	r->valid_end = r->resume;
	r->pos = r->n = 0;
	return SEGMENT_BATCH;
}

enum segment_read
segment_reader_next(struct segment_reader *r)
{
	r->at = r->resume;
	r->batch = NULL;
	for (uint64_t at = r->resume; at < r->limit; at += JOURNAL_BLOCK) {
		enum probe got = probe(r, at);

		if (got == PROBE_FAILED) {
			r->resume = at + JOURNAL_BLOCK;
			return SEGMENT_UNREADABLE;
		}
		if (got == PROBE_NO) {
			continue;
		}
		if (at == r->at) {
			return take_batch(r, at);
		}
		/* Was it being written when it was looked at? */
		r->len = 0;
		if (probe(r, r->at) == PROBE_BATCH) {
			return take_batch(r, r->at);
		}
		r->resume = at;
		return SEGMENT_DAMAGE;
	}
	return SEGMENT_END;
}

bool
segment_reader_record(struct segment_reader *r, struct journal_record *out)
{
	if (r->batch == NULL ||
	    !batch_record(r->batch, r->use, &r->pos, &r->n, out)) {
		return false;
	}
	out->offset += r->at;
	return true;
}
