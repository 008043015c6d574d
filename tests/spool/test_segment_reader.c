/* SPDX-License-Identifier: Apache-2.0 */
/* A segment read by pread gives what a scan of its bytes gives, whole and with
 * each of its blocks broken. */
#include "common/spool/segment_reader.h"

#include <check.h>
#include <sys/mman.h>

#include "common/base/fdio.h"
#include "common/base/num.h"

#define KEY 0x5eed1234u
#define EPOCH 77u
#define BLOCKS 200u		/* more than a window */
#define SIZE (BLOCKS * JOURNAL_BLOCK)

static char seg[SIZE];
static uint64_t end;
static const struct segment_use use = { EPOCH, KEY };

/* Batches of growing size; the last is larger than the window. */
static void
make(void)
{
	uint64_t pos = JOURNAL_BLOCK;
	uint32_t first = 1;

	memset(seg, 0, sizeof seg);
	for (uint32_t b = 0; b < 12; b++) {
		size_t len = JOURNAL_BATCH_HEAD, body = b == 11 ? 300000 :
		    b * 1100;

		for (uint32_t i = 0; i < 1 + b % 3; i++) {
			struct record_head r = { .type = JOURNAL_DONE,
				.length = (uint32_t)body };

			memcpy(seg + pos + len, &r, sizeof r);
			memset(seg + pos + len + sizeof r, 'a' + (int)b, body);
			len += journal_record_bytes(body);
			if (b == 11) {
				break;
			}
		}
		batch_seal(seg + pos, len, b == 11 ? 1 : 1 + b % 3, use,
		    first);
		first += 1 + b % 3;
		pos = num_round_up(pos + len, JOURNAL_BLOCK);
	}
	end = pos;
	ck_assert_uint_lt(end, SIZE);
}

/* Both readers in step; the number of batches and of damages. */
static void
compare(uint64_t limit, unsigned *batches_out, unsigned *damages_out)
{
	struct journal_record a, b;
	enum journal_scan_result want;
	struct segment_reader r;
	struct journal_scan s;
	int fd = memfd_create("segment", MFD_CLOEXEC);

	*batches_out = *damages_out = 0;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fdio_write_all(fd, seg, SIZE), 0);
	journal_scan_init(&s, seg, SIZE, use, limit);
	segment_reader_init(&r, fd, SIZE, use, limit);
	while ((want = journal_scan_next(&s)) != SCAN_END) {
		enum segment_read got = segment_reader_next(&r);
		uint32_t pos = 0, n = 0;

		ck_assert_uint_eq(r.at, s.at);
		ck_assert_uint_eq(r.resume, s.resume);
		if (want == SCAN_DAMAGE) {
			ck_assert_int_eq(got, SEGMENT_DAMAGE);
			++*damages_out;
			continue;
		}
		ck_assert_int_eq(got, SEGMENT_BATCH);
		ck_assert_uint_eq(r.count, s.head->count);
		ck_assert_uint_eq(r.valid_end, s.resume);
		++*batches_out;
		while (journal_scan_record(&s, &pos, &n, &a)) {
			ck_assert(segment_reader_record(&r, &b));
			ck_assert_uint_eq(a.offset, b.offset);
			ck_assert_uint_eq(a.lsn, b.lsn);
			ck_assert_int_eq(a.type, b.type);
			ck_assert(slice_eq(a.payload, b.payload));
		}
		ck_assert(!segment_reader_record(&r, &b));
	}
	ck_assert_int_eq(segment_reader_next(&r), SEGMENT_END);
	ck_assert(!segment_reader_record(&r, &b));
	segment_reader_fini(&r);
	close(fd);
}

START_TEST(whole)
{
	unsigned batches, damages;

	make();
	compare(0, &batches, &damages);
	ck_assert_uint_eq(batches, 12);
	ck_assert_uint_eq(damages, 0);
	compare(5 * JOURNAL_BLOCK, &batches, &damages);
	ck_assert_uint_lt(batches, 12);
}
END_TEST

START_TEST(each_block_broken)
{
	unsigned batches, damages;

	for (uint64_t at = JOURNAL_BLOCK; at < end; at += JOURNAL_BLOCK) {
		make();
		seg[at + 20] ^= 0x10;
		compare(0, &batches, &damages);
		/* A flip may lie in the padding behind a batch. */
		ck_assert_uint_ge(batches, 11);
		ck_assert_uint_le(damages, 1);
	}
}
END_TEST

START_TEST(unreadable)
{
	struct segment_reader r;
	enum segment_read got;
	unsigned bad = 0;
	int fds[2];

	/* A pipe cannot be read at an offset: as a disk that refuses. */
	ck_assert_int_eq(pipe(fds), 0);
	segment_reader_init(&r, fds[0], 4 * JOURNAL_BLOCK, use, 0);
	while ((got = segment_reader_next(&r)) == SEGMENT_UNREADABLE) {
		ck_assert_int_eq(r.error, ESPIPE);
		ck_assert_uint_eq(r.resume, r.at + JOURNAL_BLOCK);
		bad++;
	}
	ck_assert_int_eq(got, SEGMENT_END);
	ck_assert_uint_eq(bad, 3);
	segment_reader_fini(&r);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* A file shorter than was said (cut meanwhile) just ends. */
START_TEST(cut_short)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	struct segment_reader r;
	unsigned n = 0;

	make();
	ck_assert_int_eq(fdio_write_all(fd, seg, 3 * JOURNAL_BLOCK + 9), 0);
	segment_reader_init(&r, fd, SIZE, use, 0);
	while (segment_reader_next(&r) == SEGMENT_BATCH) {
		n++;
	}
	ck_assert_uint_eq(n, 2);
	segment_reader_fini(&r);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("segment_reader");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, whole);
	tcase_add_test(t, each_block_broken);
	tcase_add_test(t, unreadable);
	tcase_add_test(t, cut_short);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
