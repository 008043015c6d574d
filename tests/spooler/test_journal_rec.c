/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and scanning of segments, whole and damaged in every place. */
#include "common/spool/journal_rec.h"

#include <check.h>

#include "common/base/num.h"

#define EPOCH 41u
#define SIZE (8u * JOURNAL_BLOCK)
#define KEY 0x5eed1234u

static char seg[SIZE];
static uint64_t at[4];	/* where each batch starts, and the end */

static size_t
add_record(char *batch, size_t len, enum journal_type type, const char *text,
    size_t n)
{
	struct record_head r = { .length = (uint32_t)n, .type = (uint8_t)type };

	memcpy(batch + len, &r, sizeof r);
	memcpy(batch + len + sizeof r, text, n);
	return len + journal_record_bytes(n);
}

/* Three batches of 2, 1 and 3 records; the second takes two blocks. */
static void
make(uint32_t epoch)
{
	static char big[5000];
	struct segment_head h = { .epoch = epoch, .key = KEY, .size = SIZE,
		.oldest = epoch, .prev = epoch - 1, .prev_end = 8192 };
	uint64_t pos = JOURNAL_BLOCK;
	uint32_t first = 1;

	memset(seg, 0, sizeof seg);
	memset(big, 'b', sizeof big);
	segment_head_seal(&h);
	memcpy(seg, &h, sizeof h);
	for (unsigned b = 0; b < 3; b++) {
		size_t len = JOURNAL_BATCH_HEAD;
		unsigned n = b == 0 ? 2 : b == 1 ? 1 : 3;

		for (unsigned i = 0; i < n; i++) {
			len = add_record(seg + pos, len, JOURNAL_DONE,
			    b == 1 ? big : "abcdefghijk",
			    b == 1 ? sizeof big : 5 + i * 3);
		}
		batch_seal(seg + pos, len, n,
		    (struct segment_use){ epoch, KEY }, first);
		at[b] = pos;
		first += n;
		pos = num_round_up(pos + len, JOURNAL_BLOCK);
	}
	at[3] = pos;
}

/* What a scan finds, as letters: a batch is its first index, damage is 'D'. */
static const char *
scan(uint64_t size, uint64_t limit, uint32_t epoch)
{
	static char found[64];
	struct journal_scan s;
	enum journal_scan_result got;
	unsigned n = 0;

	journal_scan_init(&s, seg, size,
	    (struct segment_use){ epoch, KEY }, limit);
	while ((got = journal_scan_next(&s)) != SCAN_END) {
		struct journal_record r;
		uint32_t pos = 0, i = 0;

		ck_assert_uint_lt(n, sizeof found - 1);
		if (got == SCAN_DAMAGE) {
			ck_assert_uint_gt(s.resume, s.at);
			found[n++] = 'D';
			continue;
		}
		found[n++] = (char)('0' + s.head->first);
		while (journal_scan_record(&s, &pos, &i, &r)) {
			ck_assert_int_eq(r.type, JOURNAL_DONE);
			ck_assert_uint_eq(r.lsn, journal_lsn(epoch,
			    s.head->first + i - 1));
			ck_assert_ptr_eq(r.payload.ptr, seg + r.offset);
			ck_assert(r.offset + r.payload.len <= size);
		}
		ck_assert_uint_eq(i, s.head->count);
	}
	found[n] = '\0';
	return found;
}

START_TEST(whole)
{
	struct segment_head h;

	make(EPOCH);
	memcpy(&h, seg, sizeof h);
	ck_assert(segment_head_valid(&h));
	ck_assert_str_eq(scan(SIZE, 0, EPOCH), "134");
	ck_assert_str_eq(scan(SIZE, SIZE, EPOCH), "134");
	ck_assert_str_eq(scan(SIZE, SIZE * 2, EPOCH), "134");
}
END_TEST

START_TEST(limits)
{
	make(EPOCH);
	ck_assert_str_eq(scan(SIZE, at[3], EPOCH), "134");
	ck_assert_str_eq(scan(SIZE, at[2], EPOCH), "13");
	ck_assert_str_eq(scan(SIZE, at[2] - 8, EPOCH), "13");
	ck_assert_str_eq(scan(SIZE, at[1], EPOCH), "1");
	ck_assert_str_eq(scan(SIZE, at[0], EPOCH), "");
	ck_assert_str_eq(scan(SIZE, 1, EPOCH), "");
	ck_assert_str_eq(scan(SIZE, 0, EPOCH + 1), "");
	ck_assert_str_eq(scan(SIZE, 0, EPOCH - 1), "");
}
END_TEST

START_TEST(every_truncation)
{
	make(EPOCH);
	for (uint64_t size = 0; size <= SIZE; size += 8) {
		const char *got = scan(size, 0, EPOCH);

		/* A prefix, never damage: nothing valid follows. */
		ck_assert(strncmp("134", got, strlen(got)) == 0);
	}
}
END_TEST

/* Each bit of the used part: a batch hit is not accepted, the others are, and
 * it is damage exactly if a valid one follows. */
START_TEST(every_bit_flipped)
{
	struct segment_head h;

	make(EPOCH);
	for (size_t i = 0; i < at[3]; i++) {
		const char *want = i < at[0] ? "134" : i < at[1] ? "D34" :
		    i < at[2] ? "1D4" : "13";
		unsigned b = i < at[1] ? 0 : i < at[2] ? 1 : 2;
		struct batch_head bh;

		memcpy(&bh, seg + at[b], sizeof bh);
		for (unsigned bit = 0; bit < 8; bit += i % 64 ? 3 : 1) {
			const char *got;

			seg[i] = (char)(seg[i] ^ 1 << bit);
			got = scan(SIZE, 0, EPOCH);
			if (i >= at[0] && i >= at[b] + bh.bytes) {
				want = "134";	/* padding: no part of it */
			}
			/* The padding inside a record is not covered by its
			 * sum: it is in no payload. */
			ck_assert_msg(strcmp(got, want) == 0 ||
			    strcmp(got, "134") == 0, "byte %zu: %s", i, got);
			if (strcmp(got, want) != 0) {
				ck_assert_int_eq(seg[i], 1 << bit);
			}
			memcpy(&h, seg, sizeof h);
			ck_assert_int_eq(segment_head_valid(&h),
			    i >= sizeof h);
			seg[i] = (char)(seg[i] ^ 1 << bit);
		}
	}
}
END_TEST

START_TEST(stale_epochs)
{
	static char old[SIZE];

	/* All of an older use behind the new end, also where a batch of ours
	 * could stand. */
	make(EPOCH - 1);
	memcpy(old, seg, sizeof seg);
	make(EPOCH);
	memcpy(seg + at[1], old + at[1], SIZE - at[1]);
	ck_assert_str_eq(scan(SIZE, 0, EPOCH), "1");
	ck_assert_str_eq(scan(SIZE, 0, EPOCH - 1), "D34");
	/* A batch moved to another place of the same segment. */
	make(EPOCH);
	memcpy(seg + at[3], seg + at[0], at[1] - at[0]);
	ck_assert_str_eq(scan(SIZE, 0, EPOCH), "134");
	make(EPOCH);
	memcpy(seg + at[3], seg + at[2], at[3] - at[2]);
	memset(seg + at[2], 0, at[3] - at[2]);
	ck_assert_str_eq(scan(SIZE, 0, EPOCH), "13D4");
}
END_TEST

/* A stranger's message that looks like a batch, with the right epoch and
 * index, behind a torn one: without the key its sums are wrong. */
START_TEST(forged_batch)
{
	size_t len = JOURNAL_BATCH_HEAD;

	make(EPOCH);
	memset(seg + at[2], 0, SIZE - at[2]);
	len = add_record(seg + at[2], len, JOURNAL_DONE, "gone", 4);
	batch_seal(seg + at[2], len, 1,
	    (struct segment_use){ EPOCH, KEY + 1 }, 4);
	ck_assert_str_eq(scan(SIZE, 0, EPOCH), "13");
	batch_seal(seg + at[2], len, 1,
	    (struct segment_use){ EPOCH, KEY }, 4);
	ck_assert_str_eq(scan(SIZE, 0, EPOCH), "134");
}
END_TEST

/* Of a batch of two blocks only the one or the other came. */
START_TEST(torn_tail)
{
	for (unsigned lost = 0; lost < 2; lost++) {
		make(EPOCH);
		memset(seg + at[2], 0, SIZE - at[2]);
		memset(seg + at[1] + lost * JOURNAL_BLOCK, 0, JOURNAL_BLOCK);
		ck_assert_str_eq(scan(SIZE, 0, EPOCH), "1");
	}
	for (unsigned sector = 0; sector < 10; sector++) {
		make(EPOCH);
		memset(seg + at[2], 0, SIZE - at[2]);
		memset(seg + at[1] + sector * 512, 0, 512);
		ck_assert_str_eq(scan(SIZE, 0, EPOCH), "1");
	}
}
END_TEST

static const struct {
	struct segment_head h;
	bool valid;
} heads[] = {
	{ { .epoch = 5, .oldest = 5, .prev = 4 }, true },
	{ { .epoch = 5, .oldest = 1, .prev = 0 }, true },
	{ { .epoch = 5, .oldest = 6, .prev = 4 }, false },
	{ { .epoch = 5, .oldest = 5, .prev = 5 }, false },
	{ { .epoch = 0, .oldest = 0, .prev = 0 }, false },
};

START_TEST(head_rules)
{
	struct segment_head h = heads[_i].h;

	segment_head_seal(&h);
	ck_assert_int_eq(segment_head_valid(&h), heads[_i].valid);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("journal_rec");
	TCase *t = tcase_create("journal_rec");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, whole);
	tcase_add_test(t, limits);
	tcase_add_test(t, every_truncation);
	tcase_add_test(t, every_bit_flipped);
	tcase_add_test(t, stale_epochs);
	tcase_add_test(t, forged_batch);
	tcase_add_test(t, torn_tail);
	tcase_add_loop_test(t, head_rules, 0, (int)ARRAY_LEN(heads));
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
