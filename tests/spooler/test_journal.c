/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on a real directory, on failing and on crashing disks. */
#include "tests/spooler/journal_rig.h"
#include "tests/spooler/temp_dir.h"

#include <fcntl.h>
#include <fnmatch.h>

#include "common/base/log.h"
#include "spooler/segment_image.h"

static struct rig rig;

START_TEST(commits_in_order)
{
	struct temp_dir t;

	temp_dir_make(&t);
	rig_init(&rig, false, 0);
	rig.dir = dup(t.fd);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	rig_work(&rig, 60);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(rig.rec[i].fate, RIG_OK);
	}
	ck_assert_uint_gt(rig.n_rooms, 0);
	rig_close(&rig);
	rig.dir = dup(t.fd);
	ck_assert(rig_open(&rig));
	rig_replay(&rig);
	rig_check_live(&rig);
	rig_fini(&rig);
	temp_dir_remove(&t);
}
END_TEST

START_TEST(one_batch_for_all_of_a_turn)
{
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_int_eq(rig_append(&rig, 100, false, false),
		    JOURNAL_OK);
	}
	ck_assert(!journal_is_idle(rig.j));
	rig_drain(&rig);
	ck_assert_uint_eq(rig.n_batches, 1);
	rig_fini(&rig);
}
END_TEST

START_TEST(close_writes_what_gathered)
{
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	rig_append(&rig, 100, false, false);
	rig_close(&rig);
	ck_assert_int_eq(rig.rec[0].fate, RIG_OK);
	ck_assert(rig_open(&rig));
	rig_replay(&rig);
	ck_assert(rig.rec[0].found);
	rig_fini(&rig);
}
END_TEST

/* Until it is full for ordinary records, then for important ones, too. */
START_TEST(full_and_reserve)
{
	enum journal_room room;
	unsigned n, segments, free_segments, more = 0;

	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	while ((room = rig_append(&rig, 20000, false, false)) != JOURNAL_FULL) {
		rig_drain(&rig);	/* everything stays pinned */
	}
	journal_counts(rig.j, &segments, &free_segments);
	ck_assert_uint_eq(free_segments, 2);	/* the reserve of six */
	n = rig.n;
	ck_assert_int_eq(journal_fits(rig.j, 20000, 1, true), JOURNAL_OK);
	/* What an outcome leaves of a segment of the reserve is for outcomes. */
	ck_assert_int_eq(rig_append(&rig, 20000, true, false), JOURNAL_OK);
	rig_drain(&rig);
	more++;
	ck_assert_int_eq(journal_fits(rig.j, 100, 1, false), JOURNAL_FULL);
	while ((room = rig_append(&rig, 20000, true, false)) != JOURNAL_FULL) {
		rig_drain(&rig);
		more++;
	}
	ck_assert_uint_ge(more, 2);
	journal_counts(rig.j, &segments, &free_segments);
	ck_assert_uint_eq(free_segments, 1);
	/* What lets segments go still finds room. */
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(rig_append(&rig, 16000, true, true),
		    JOURNAL_OK);
		rig_drain(&rig);
		ck_assert_int_eq(rig.rec[rig.n - 1].fate, RIG_OK);
	}
	ck_assert_int_eq(journal_fits(rig.j, 20000, 1, false), JOURNAL_FULL);
	rig_keep(&rig, rig.n - n);
	ck_assert_uint_gt(rig.n_rooms, 0);
	ck_assert_int_eq(rig_append(&rig, 20000, false, false), JOURNAL_OK);
	rig_drain(&rig);
	ck_assert_int_eq(rig.rec[rig.n - 1].fate, RIG_OK);
	rig_fini(&rig);
}
END_TEST

START_TEST(busy_until_the_batch_is_gone)
{
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	ck_assert_uint_eq(journal_payload_max(rig.j), 1 << 15);
	while (rig_append(&rig, 5000, true, false) == JOURNAL_OK) {
	}
	ck_assert_int_eq(journal_fits(rig.j, 5000, 1, true), JOURNAL_BUSY);
	ck_assert_int_eq(journal_fits(rig.j, 5000, 1, false), JOURNAL_BUSY);
	loop_turn(rig.loop, false);	/* it is on its way: the next gathers */
	ck_assert_int_eq(rig_append(&rig, 5000, false, false), JOURNAL_OK);
	rig_drain(&rig);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(rig.rec[i].fate, RIG_OK);
	}
	rig_fini(&rig);
}
END_TEST

/* Oldest first, only unpinned, only logged, only after replay. */
START_TEST(recycling_rules)
{
	uint32_t first;

	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	first = journal_oldest(rig.j);
	for (unsigned i = 0; i < 6; i++) {
		rig_append(&rig, 20000, true, false);
		rig_drain(&rig);
	}
	rig_keep(&rig, 0);
	ck_assert_uint_eq(journal_oldest(rig.j), first);	/* replaying */
	journal_replayed(rig.j);
	ck_assert_uint_eq(journal_oldest(rig.j), journal_newest(rig.j));
	first = journal_oldest(rig.j);
	journal_pin(rig.j, first);
	for (unsigned i = 0; i < 8; i++) {
		rig_append(&rig, 20000, true, false);
		rig_drain(&rig);
	}
	rig_keep(&rig, 0);
	ck_assert(journal_has(rig.j, first));
	ck_assert_int_ge(journal_segment_fd(rig.j, first), 0);
	journal_unpin(rig.j, first);
	ck_assert(!journal_has(rig.j, first));
	ck_assert_int_eq(journal_segment_fd(rig.j, first), -1);
	rig_fini(&rig);
}
END_TEST

START_TEST(state_waits_for_a_checkpoint)
{
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	rig_work(&rig, 400);
	ck_assert_uint_gt(rig.n_covers, 3);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(rig.rec[i].fate, RIG_OK);
	}
	rig_close(&rig);
	ck_assert(rig_open(&rig));
	rig_replay(&rig);
	rig_check_live(&rig);
	rig_fini(&rig);
}
END_TEST

static void
run_until_crash(enum crashfs_loss loss, uint64_t n, uint64_t seed)
{
	rig_init(&rig, true, seed);
	crashfs_crash_at_sync(rig.c, n, loss);
	if (rig_open(&rig)) {
		journal_replayed(rig.j);
		rig_work(&rig, 60);
	}
	if (!crashfs_has_crashed(rig.c)) {
		crashfs_crash_now(rig.c, loss);
	}
	rig_close(&rig);
}

static void
check_groups(void)
{
	/* Not told of: all of a callback's records or none of them. */
	for (unsigned i = 1; i < rig.n; i++) {
		struct rig_record *a = &rig.rec[i - 1], *b = &rig.rec[i];

		if (a->group == b->group && !a->live && !b->live &&
		    a->fate != RIG_OK && b->fate != RIG_OK) {
			ck_assert_int_eq(a->found, b->found);
		}
	}
}

/* After a crash at every sync: what was told durable is there, whole batches
 * only, and life goes on, through another crash. */
START_TEST(crash_at_every_sync)
{
	enum crashfs_loss loss = (enum crashfs_loss)_i;

	log_level_set(EC_CRITICAL + 1);
	for (uint64_t n = 1; n < 90; n++) {
		run_until_crash(loss, n, n * 31 + loss);
		crashfs_reboot(rig.c);
		ck_assert(rig_open(&rig));
		rig_replay(&rig);
		check_groups();
		rig_check_live(&rig);
		journal_replayed(rig.j);
		rig_work(&rig, 12);
		crashfs_crash_now(rig.c, loss);
		rig_close(&rig);
		crashfs_reboot(rig.c);
		ck_assert(rig_open(&rig));
		rig_replay(&rig);
		rig_check_live(&rig);
		rig_fini(&rig);
	}
}
END_TEST

/* The process dies, the kernel lives; then the power goes.  What replay found
 * the first time is found the second time. */
START_TEST(death_then_power_loss)
{
	static bool found[RIG_MAX];

	log_level_set(EC_CRITICAL + 1);
	for (uint64_t n = 1; n < 60; n++) {
		run_until_crash(CRASHFS_DROP, n, n);
		crashfs_restart(rig.c);
		ck_assert(rig_open(&rig));
		rig_replay(&rig);
		rig_check_live(&rig);
		for (unsigned i = 0; i < rig.n; i++) {
			found[i] = rig.rec[i].found;
		}
		crashfs_crash_now(rig.c, CRASHFS_DROP);
		rig_close(&rig);
		crashfs_reboot(rig.c);
		ck_assert(rig_open(&rig));
		rig_replay(&rig);
		for (unsigned i = 0; i < rig.n; i++) {
			ck_assert(!found[i] || rig.rec[i].found);
		}
		rig_fini(&rig);
	}
}
END_TEST

/* Call number n of a kind fails once; then work goes on, and after a crash
 * replay sees what was told durable and nothing that was told failed. */
static void
fail_one(unsigned calls, uint64_t n, int error, enum crashfs_loss loss)
{
	rig_init(&rig, true, n);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	crashfs_fail(rig.c, calls, n, error, false);
	rig_work(&rig, 50);
	crashfs_fail(rig.c, 0, 0, 0, false);
	rig_group(&rig);
	/* If no segment could be made it is tried again by and by. */
	while (rig_append(&rig, 100, false, false) != JOURNAL_OK) {
		loop_turn(rig.loop, true);
	}
	rig_drain(&rig);
	ck_assert_int_eq(rig.rec[rig.n - 1].fate, RIG_OK);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert(rig.rec[i].fate == RIG_OK || (!rig.rec[i].important &&
		    rig.rec[i].fate == RIG_FAILED));
	}
	crashfs_crash_now(rig.c, loss);
	rig_close(&rig);
	crashfs_reboot(rig.c);
	ck_assert(rig_open(&rig));
	rig_replay(&rig);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert(rig.rec[i].fate != RIG_FAILED || !rig.rec[i].found);
	}
	rig_check_live(&rig);
	rig_fini(&rig);
}

START_TEST(failed_sync)
{
	log_level_set(EC_CRITICAL + 1);
	for (uint64_t n = 1 + (uint64_t)_i; n < 60; n += 4) {
		fail_one(CRASHFS_BIT(CRASHFS_SYNC), n, EIO,
		    (enum crashfs_loss)_i);
	}
}
END_TEST

START_TEST(failed_write)
{
	log_level_set(EC_CRITICAL + 1);
	for (uint64_t n = 1 + (uint64_t)_i; n < 60; n += 4) {
		fail_one(CRASHFS_BIT(CRASHFS_WRITE), n,
		    n % 2 == 0 ? EIO : ENOSPC, (enum crashfs_loss)_i);
	}
}
END_TEST

START_TEST(any_call_fails)
{
	log_level_set(EC_CRITICAL + 1);
	for (uint64_t n = 1; n < 150; n += 7) {
		fail_one(CRASHFS_CHANGES, n, EIO, CRASHFS_KEEP);
	}
}
END_TEST

/* A batch fails, and so do the heads of the next segments: the batch is not
 * replayed although all of its bytes are on the disk. */
START_TEST(heads_fail_after_a_batch)
{
	log_level_set(EC_CRITICAL + 1);
	for (unsigned heads = 0; heads < 3; heads++) {
		rig_init(&rig, true, 1);
		ck_assert(rig_open(&rig));
		journal_replayed(rig.j);
		rig_work(&rig, 3);
		rig_group(&rig);
		rig_append(&rig, 300, false, false);
		rig_append(&rig, 300, true, false);
		rig.fail_next = heads;
		crashfs_fail(rig.c, CRASHFS_BIT(CRASHFS_SYNC), 1, EIO, false);
		while (!journal_is_idle(rig.j)) {
			/* each failure finds one more to fail with it */
			loop_turn(rig.loop, true);
			if (journal_is_idle(rig.j) && rig.fail_next > 0) {
				rig_append(&rig, 300, false, false);
			}
		}
		ck_assert_int_eq(rig.rec[rig.n - 1].fate, RIG_OK);
		crashfs_crash_now(rig.c, CRASHFS_KEEP);
		rig_close(&rig);
		crashfs_reboot(rig.c);
		ck_assert(rig_open(&rig));
		rig_replay(&rig);
		for (unsigned i = 0; i < rig.n; i++) {
			ck_assert(rig.rec[i].fate != RIG_FAILED ||
			    !rig.rec[i].found);
		}
		rig_check_live(&rig);
		rig_fini(&rig);
	}
}
END_TEST

/* A full batch of outcomes fails while another full one has gathered. */
START_TEST(two_full_batches)
{
	unsigned n;

	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	crashfs_fail(rig.c, CRASHFS_BIT(CRASHFS_SYNC), 2, EIO, false);
	while (rig_append(&rig, 6000, true, false) == JOURNAL_OK) {
	}
	n = rig.n;
	loop_turn(rig.loop, false);
	while (rig_append(&rig, 6000, true, false) == JOURNAL_OK) {
	}
	ck_assert_uint_gt(rig.n, n);
	rig_drain(&rig);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(rig.rec[i].fate, RIG_OK);
	}
	rig_fini(&rig);
}
END_TEST

/* Nothing can be written any more: close comes to an end. */
START_TEST(disk_gone)
{
	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	rig_work(&rig, 3);
	crashfs_fail(rig.c, CRASHFS_CHANGES, 1, EIO, true);
	rig_append(&rig, 100, true, false);
	rig_append(&rig, 100, false, false);
	rig_close(&rig);
	ck_assert_int_eq(rig.rec[rig.n - 1].fate, RIG_FAILED);
	ck_assert_int_eq(rig.rec[rig.n - 2].fate, RIG_WAITING);
	rig_fini(&rig);
}
END_TEST

/* No room for new segments: those that are there serve on. */
START_TEST(no_space_for_segments)
{
	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	/* The current one and three ahead. */
	while (crashfs_count(rig.c, CRASHFS_BIT(CRASHFS_OPEN)) < 4) {
		loop_turn(rig.loop, true);
	}
	crashfs_fail(rig.c, CRASHFS_BIT(CRASHFS_OPEN), 1, ENOSPC, true);
	rig_work(&rig, 60);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(rig.rec[i].fate, RIG_OK);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(open_refused)
{
	log_level_set(EC_CRITICAL + 1);
	for (uint64_t n = 1; n < 6; n++) {
		rig_init(&rig, true, 1);
		crashfs_fail(rig.c, CRASHFS_CHANGES, n, ENOSPC, true);
		/* Whatever fails on the way to a first segment: a reason. */
		ck_assert(!rig_open(&rig));
		rig_fini(&rig);
	}
}
END_TEST

static unsigned
segment_files(void)
{
	int fd = dup(rig.dir);
	DIR *d = fdopendir(fd);
	unsigned n = 0;

	rewinddir(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		n += fnmatch("*.seg", e->d_name, 0) == 0;
	}
	closedir(d);
	return n;
}

static void
start_again(bool power)
{
	if (power) {
		crashfs_crash_now(rig.c, CRASHFS_DROP);
	}
	rig_close(&rig);
	if (power) {
		crashfs_reboot(rig.c);
	}
	ck_assert(rig_open(&rig));
	rig_replay(&rig);
	rig_check_live(&rig);
	journal_replayed(rig.j);
}

/* Starts so close that neither the logger nor a checkpoint ever comes to
 * anything: nothing can be freed, each start writes a little. */
START_TEST(restarts_cost_no_segments)
{
	unsigned want, n = 0;

	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	rig.mute = true;
	ck_assert(rig_open(&rig));
	want = (unsigned)(rig.limits.total_bytes / rig.limits.segment_bytes);
	for (unsigned i = 0; i < 400; i++) {
		enum journal_room room = rig_append(&rig, 100 + i % 7 * 300,
		    i % 3 == 0, i % 5 == 0);

		n += room == JOURNAL_OK;
		rig_drain(&rig);
		start_again(i % 2 == 0);
		ck_assert_uint_le(segment_files(), want + 1);
	}
	/* As many as there is room for without any restart: a block each. */
	ck_assert_uint_ge(n, (want - 2) * 15);
	ck_assert_int_eq(rig_append(&rig, 100, false, false), JOURNAL_FULL);
	rig.mute = false;
	rig_keep(&rig, 0);
	journal_logged(rig.j, journal_durable(rig.j));
	rig.cover_wanted = true;
	for (unsigned i = 0; i < 40; i++) {
		while (rig_append(&rig, 20000, true, false) != JOURNAL_OK) {
			loop_turn(rig.loop, true);
		}
		rig_drain(&rig);
		rig_keep(&rig, 0);
	}
	ck_assert_uint_le(segment_files(), want);
	rig_fini(&rig);
}
END_TEST

/* Journal_Size is lowered: what is above it goes when it is free. */
START_TEST(surplus_goes)
{
	unsigned segments, left;

	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	rig.limits.total_bytes = 20 << 16;
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	while (rig_append(&rig, 20000, true, false) == JOURNAL_OK) {
		rig_drain(&rig);
	}
	ck_assert_uint_ge(segment_files(), 19);
	rig.limits.total_bytes = 6 << 16;
	start_again(false);
	/* What there is can still leave. */
	ck_assert_int_eq(rig_append(&rig, 20000, true, true), JOURNAL_OK);
	rig_drain(&rig);
	rig_keep(&rig, 0);
	for (unsigned i = 0; i < 30; i++) {
		rig_append(&rig, 20000, true, false);
		rig_drain(&rig);
		rig_keep(&rig, 0);
	}
	journal_counts(rig.j, &segments, &left);
	ck_assert_uint_le(segments, 6);
	ck_assert_uint_le(segment_files(), 6);
	ck_assert_uint_ge(left, 3);
	rig_fini(&rig);
}
END_TEST

static int
no_new_file(int dir, const char *name, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0) {
		errno = ENOSPC;
		return -1;
	}
	return crashfs_fs.open_at(dir, name, flags, mode);
}

/* A start needs no room on the disk, neither where it goes on nor where the
 * newest is full to its last block and everything is pinned. */
START_TEST(starts_on_a_full_disk)
{
	struct fs full = crashfs_fs;

	full.open_at = no_new_file;
	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	rig.mute = true;
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	while (rig_append(&rig, 16000, true, true) == JOURNAL_OK) {
		rig_drain(&rig);
	}
	rig.fs = &full;
	start_again(false);
	while (rig_append(&rig, 100, true, true) == JOURNAL_OK) {
		rig_drain(&rig);
	}
	rig.mute = false;
	for (unsigned i = 0; i < 3; i++) {
		start_again(false);
		ck_assert_int_eq(rig_append(&rig, 100, false, false),
		    JOURNAL_FULL);
	}
	/* What it holds leaves, and life goes on in the files there are. */
	rig.cover_wanted = true;
	journal_logged(rig.j, journal_durable(rig.j));
	while (rig_append(&rig, 20000, false, false) != JOURNAL_OK) {
		loop_turn(rig.loop, true);
	}
	rig_drain(&rig);
	ck_assert_int_eq(rig.rec[rig.n - 1].fate, RIG_OK);
	rig_fini(&rig);
}
END_TEST

/* The disk lost what was synced: positions that somebody knows are not given
 * out again. */
START_TEST(known_positions_are_not_used_again)
{
	uint64_t known;

	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	rig.mute = true;
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	rig_append(&rig, 100, false, false);
	rig_drain(&rig);
	known = rig.last_lsn + 3;
	rig_close(&rig);
	ck_assert(rig_open(&rig));
	rig_replay(&rig);
	rig_check_live(&rig);
	journal_logged(rig.j, known);
	journal_replayed(rig.j);
	rig_append(&rig, 100, false, false);
	rig_drain(&rig);
	ck_assert_uint_gt(rig.last_lsn, known);
	rig_fini(&rig);
}
END_TEST

/* Files that are no segments of ours. */
START_TEST(strange_files)
{
	static char garbage[1 << 16];
	struct stat st;
	int fd, q;

	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	fd = crashfs_dir(rig.c, "journal");
	memset(garbage, 'x', sizeof garbage);
	for (unsigned i = 0; i < 3; i++) {
		/* no head; a lost head before a batch; made half */
		char name[16];
		int f;

		snprintf(name, sizeof name, "%06u.seg", i);
		f = crashfs_fs.open_at(fd, name, O_RDWR | O_CREAT, 0600);
		if (i == 1) {
			memset(garbage, 0, 4096);
		} else if (i == 2) {
			memset(garbage, 0, sizeof garbage);
		}
		fs_write_all(&crashfs_fs, f, garbage,
		    i == 2 ? 100 : sizeof garbage, 0);
		close(f);
	}
	ck_assert(rig_open(&rig));
	ck_assert_int_ne(fstatat(fd, "000000.seg", &st, 0), 0);
	ck_assert_int_ne(fstatat(fd, "000001.seg", &st, 0), 0);
	ck_assert_int_ne(fstatat(fd, "000002.seg", &st, 0), 0);
	q = crashfs_dir(rig.c, "quarantine");
	ck_assert_int_eq(fstat(q, &st), 0);
	{
		DIR *d = fdopendir(q);
		unsigned n = 0;

		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			n += e->d_name[0] != '.';
		}
		closedir(d);
		ck_assert_uint_eq(n, 2);
	}
	close(fd);
	rig_fini(&rig);
}
END_TEST

/* Six batches of one block each stand behind the head of the first segment;
 * the rest of it was never used. */
static const struct {
	uint64_t at, bytes;
	unsigned lost;		/* bit per record */
	bool moved;		/* the file itself is in quarantine */
	bool copied;
} bad_sectors[] = {
	{ 0, 512, 0x3f, true, false },
	{ 0, 1 << 16, 0x3f, true, false },
	{ 4096, 512, 0x01, false, true },
	{ 2 * 4096 + 1024, 512, 0x02, false, true },
	{ 2 * 4096 + 3584, 1024, 0x04, false, true },	/* and some padding */
	{ 3 * 4096, 2 * 4096, 0x0c, false, true },
	{ 6 * 4096, 512, 0x20, false, true },	/* the last batch */
	{ 10 * 4096, 512, 0, false, true },	/* nobody knows what was there */
	{ 4096, 60 << 10, 0x3f, false, true },
	{ 65535, 1, 0, false, true },
};

static unsigned
quarantined(const char *pattern)
{
	int q = crashfs_dir(rig.c, "quarantine");
	DIR *d = fdopendir(q);
	unsigned n = 0;

	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		n += fnmatch(pattern, e->d_name, 0) == 0;
	}
	closedir(d);
	return n;
}

/* A sector that cannot be read costs the batches that stand on it, no start:
 * the file or a copy with its reason is in quarantine. */
START_TEST(bad_sector)
{
	unsigned found = 0;

	log_level_set(EC_CRITICAL + 1);
	rig_init(&rig, true, 1);
	ck_assert(rig_open(&rig));
	journal_replayed(rig.j);
	for (unsigned i = 0; i < 6; i++) {
		rig_group(&rig);
		ck_assert_int_eq(rig_append(&rig, 3000, i & 1, false),
		    JOURNAL_OK);
		rig_drain(&rig);
	}
	crashfs_crash_now(rig.c, CRASHFS_KEEP);
	rig_close(&rig);
	crashfs_reboot(rig.c);
	crashfs_bad_bytes(rig.c, "journal/000000.seg", bad_sectors[_i].at,
	    bad_sectors[_i].bytes);
	ck_assert(rig_open(&rig));
	rig.damage = true;
	rig_replay(&rig);
	for (unsigned i = 0; i < 6; i++) {
		found |= (unsigned)rig.rec[i].found << i;
	}
	ck_assert_uint_eq(found, 0x3f & ~bad_sectors[_i].lost);
	ck_assert_uint_eq(rig.n_damaged, bad_sectors[_i].copied);
	ck_assert_uint_eq(quarantined("000000.seg.*"), bad_sectors[_i].moved);
	ck_assert_uint_eq(quarantined("journal-*.why"), bad_sectors[_i].copied);
	ck_assert_uint_eq(quarantined("journal-*"),
	    2u * bad_sectors[_i].copied);
	rig_fini(&rig);
}
END_TEST

/* The .why names the bytes; what the copy has in their place is zeros. */
START_TEST(bad_sector_is_described)
{
	static char bytes[3 * JOURNAL_BLOCK], want[sizeof bytes];
	struct segment_image m;
	struct buf text;
	int dir, fd;

	rig_init(&rig, true, 1);
	dir = crashfs_dir(rig.c, "journal");
	fd = crashfs_fs.open_at(dir, "x", O_RDWR | O_CREAT, 0600);
	memset(bytes, 'x', sizeof bytes);
	memcpy(want, bytes, sizeof bytes);
	ck_assert_int_eq(fs_write_all(&crashfs_fs, fd, bytes, sizeof bytes, 0),
	    0);
	crashfs_bad_bytes(rig.c, "journal/x", 5000, 100);
	memset(want + 5000, 0, 2 * JOURNAL_BLOCK - 5000);
	segment_image_init(&m);
	buf_init(&text, 4096);
	/* Twice: nothing is left of what it held before. */
	for (unsigned i = 0; i < 2; i++) {
		segment_image_load(&m, &crashfs_fs, fd, 0, sizeof bytes);
		ck_assert_mem_eq(m.bytes, want, sizeof want);
		ck_assert_uint_eq(segment_image_unreadable(&m, 0), 8192 - 5000);
		ck_assert_uint_eq(segment_image_unreadable(&m, 6000), 1000);
		ck_assert_uint_eq(segment_image_unreadable(&m, 5000), 0);
		ck_assert_uint_eq(m.read, sizeof bytes - (8192 - 5000));
		memset(m.bytes, 'y', sizeof bytes);
	}
	segment_image_describe(&m, &text);
	buf_putc(&text, '\0');
	ck_assert_str_eq(text.ptr, "bytes 5000 to 8191 cannot be read "
	    "(Input/output error): zeros in this copy\n");
	/* A file that has lost its end. */
	segment_image_load(&m, &crashfs_fs, fd, JOURNAL_BLOCK * 2,
	    sizeof bytes + 100);
	ck_assert_uint_eq(segment_image_unreadable(&m, 0), 100);
	ck_assert_int_eq(m.holes[0].error, 0);
	/* No more than the largest segment, whatever is asked for. */
	segment_image_load(&m, &crashfs_fs, fd, SEGMENT_IMAGE_MAX,
	    UINT64_MAX);
	ck_assert_uint_eq(m.upto, SEGMENT_IMAGE_MAX);
	ck_assert_uint_eq(m.read, 0);
	buf_fini(&text);
	segment_image_fini(&m);
	close(fd);
	close(dir);
	rig_fini(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("journal");
	TCase *t = tcase_create("journal");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, commits_in_order);
	tcase_add_test(t, one_batch_for_all_of_a_turn);
	tcase_add_test(t, close_writes_what_gathered);
	tcase_add_test(t, full_and_reserve);
	tcase_add_test(t, busy_until_the_batch_is_gone);
	tcase_add_test(t, recycling_rules);
	tcase_add_test(t, state_waits_for_a_checkpoint);
	tcase_add_loop_test(t, crash_at_every_sync, 0, CRASHFS_LOSSES);
	tcase_add_test(t, death_then_power_loss);
	tcase_add_loop_test(t, failed_sync, 0, CRASHFS_LOSSES);
	tcase_add_loop_test(t, failed_write, 0, CRASHFS_LOSSES);
	tcase_add_test(t, any_call_fails);
	tcase_add_test(t, heads_fail_after_a_batch);
	tcase_add_test(t, two_full_batches);
	tcase_add_test(t, disk_gone);
	tcase_add_test(t, no_space_for_segments);
	tcase_add_test(t, restarts_cost_no_segments);
	tcase_add_test(t, surplus_goes);
	tcase_add_test(t, starts_on_a_full_disk);
	tcase_add_test(t, known_positions_are_not_used_again);
	tcase_add_test(t, open_refused);
	tcase_add_test(t, strange_files);
	tcase_add_loop_test(t, bad_sector, 0, ARRAY_LEN(bad_sectors));
	tcase_add_test(t, bad_sector_is_described);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
