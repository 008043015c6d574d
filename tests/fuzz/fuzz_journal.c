/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes for a segment: what a scan finds lies inside the limit, in order,
 * and its sums are right; sealing the same records again gives the same bytes;
 * reading the segment by pread finds the same. */
#include "common/spool/segment_reader.h"

#include <sys/mman.h>

#include "common/base/fdio.h"
#include "common/base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_batch(const struct journal_scan *s, uint64_t limit, uint64_t *last_lsn)
{
	struct journal_record rec;
	uint32_t pos = 0, n = 0;
	char *copy;

	ec_assert(s->at % JOURNAL_BLOCK == 0 && s->at + s->head->bytes <= limit);
	while (journal_scan_record(s, &pos, &n, &rec)) {
		ec_assert(rec.offset + rec.payload.len <=
		    s->at + s->head->bytes);
		ec_assert(rec.payload.ptr == s->bytes + rec.offset);
		ec_assert(rec.lsn > *last_lsn);
		*last_lsn = rec.lsn;
	}
	ec_assert(n == s->head->count && pos == s->head->bytes);
	copy = xmalloc(s->head->bytes);
	memcpy(copy, s->bytes + s->at, s->head->bytes);
	batch_seal(copy, s->head->bytes, s->head->count, s->use,
	    s->head->first);
	/* Words that are zero by the format may differ; sums then do, too. */
	if (s->head->zero == 0) {
		struct journal_scan t;

		journal_scan_init(&t, copy, s->head->bytes, s->use, 0);
		t.resume = 0;
		ec_assert(journal_scan_next(&t) == SCAN_BATCH);
	}
	free(copy);
}

/* The input as it is, and with the sums of its first batch made right, so that
 * the walk behind them is reached. */
static void
scan(const char *bytes, size_t size, uint64_t limit)
{
	struct segment_head h;
	struct journal_scan s;
	struct segment_reader r;
	enum journal_scan_result got;
	uint64_t last_lsn = 0, end = limit != 0 && limit < size ? limit : size;
	int fd = memfd_create("segment", MFD_CLOEXEC);

	ec_assert(fd >= 0 && fdio_write_all(fd, bytes, size) == 0);
	memcpy(&h, bytes, sizeof h);
	segment_reader_init(&r, fd, size,
	    (struct segment_use){ h.epoch, h.key }, limit);
	(void)segment_head_valid(&h);
	journal_scan_init(&s, bytes, size,
	    (struct segment_use){ h.epoch, h.key }, limit);
	while ((got = journal_scan_next(&s)) != SCAN_END) {
		ec_assert(s.resume > s.at);
		ec_assert(segment_reader_next(&r) == (got == SCAN_BATCH ?
		    SEGMENT_BATCH : SEGMENT_DAMAGE) && r.at == s.at &&
		    r.resume == s.resume);
		if (got == SCAN_BATCH) {
			check_batch(&s, end, &last_lsn);
		}
	}
	ec_assert(segment_reader_next(&r) == SEGMENT_END);
	segment_reader_fini(&r);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment_head h;
	size_t file = num_round_up(EC_MAX(size, 64u), JOURNAL_BLOCK) +
	    2 * JOURNAL_BLOCK;
	char *bytes = xcalloc(1, file);

	/* The head's 64 bytes, then what stands from the second block on. */
	memcpy(bytes, data, EC_MIN(size, sizeof h));
	if (size > sizeof h) {
		memcpy(bytes + JOURNAL_BLOCK, data + sizeof h, size - sizeof h);
	}
	memcpy(&h, bytes, sizeof h);
	scan(bytes, file, 0);
	scan(bytes, file, h.prev_end);
	if (size > sizeof h + JOURNAL_BATCH_HEAD + JOURNAL_RECORD_HEAD) {
		char *batch = bytes + JOURNAL_BLOCK;
		struct record_head r;
		size_t room = size - sizeof h - JOURNAL_BATCH_HEAD;

		memcpy(&r, batch + JOURNAL_BATCH_HEAD, sizeof r);
		r.length %= (uint32_t)room;
		memcpy(batch + JOURNAL_BATCH_HEAD, &r, sizeof r);
		batch_seal(batch, JOURNAL_BATCH_HEAD +
		    journal_record_bytes(r.length), 1,
		    (struct segment_use){ h.epoch, h.key }, 1);
		scan(bytes, file, 0);
	}
	free(bytes);
	return 0;
}
