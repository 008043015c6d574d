/* SPDX-License-Identifier: Apache-2.0 */
/* No id twice: over restarts, crashes, wraps, clocks set back, damage. */
#include "spooler/lease.h"

#include <check.h>
#include <fcntl.h>

#include "common/base/log.h"
#include "tests/support/crashfs.h"

static struct crashfs *c;
static int dir;
static struct lease l;
/* By allocator: the last second any holder may have used. */
static uint32_t used[65536];
static bool taken[65536];

static void
start(uint64_t seed)
{
	log_level_set(EC_CRITICAL + 1);
	c = crashfs_create(seed);
	dir = crashfs_dir(c, "journal");
	memset(used, 0, sizeof used);
	memset(taken, 0, sizeof taken);
}

static void
stop(void)
{
	close(dir);
	crashfs_destroy(&c);
}

/* One lease, which overlaps no earlier one of its number. */
static bool
take(uint32_t now)
{
	uint32_t first, last;
	uint16_t a;

	if (lease_take(&l, now, &a, &first, &last, NULL) < 0) {
		return false;
	}
	ck_assert_uint_ge(first, now);
	ck_assert_uint_eq(last, first + LEASE_SECONDS);
	ck_assert_msg(!taken[a] || first > used[a], "allocator %u from %u, "
	    "used until %u", a, first, used[a]);
	taken[a] = true;
	used[a] = last;
	return true;
}

START_TEST(restarts)
{
	start(1);
	for (unsigned i = 0; i < 200; i++) {
		ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir, 1000, NULL), 0);
		for (unsigned k = 0; k < i * 17 % 40; k++) {
			ck_assert(take(1000));	/* the clock stands still */
		}
	}
	stop();
}
END_TEST

START_TEST(wrap)
{
	uint32_t now = 100000000;

	start(1);
	ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir, now, NULL), 0);
	for (unsigned i = 0; i < 3 * 65536; i++) {
		ck_assert(take(i % 7 == 0 ? now - i : now));
		if (i % 5000 == 4999) {
			ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir,
			    now - i, NULL), 0);
		}
	}
	stop();
}
END_TEST

/* Starts without a lease taken go over the wrap, and the clock is back. */
START_TEST(wrap_passed_by_restarts)
{
	uint32_t now = 100000000;

	start(1);
	ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir, now, NULL), 0);
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned k = 0; k < 1024; k++) {
			ck_assert(take(now));
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir, now - 5000000,
		    NULL), 0);
	}
	for (unsigned k = 0; k < 5000; k++) {
		ck_assert(take(now - 5000000));
	}
	stop();
}
END_TEST

START_TEST(crash_at_every_sync)
{
	start(_i);
	for (uint64_t n = 1; n < 40; n++) {
		uint32_t now = 5000 + (uint32_t)(n * 7919 % 3000);

		crashfs_crash_at_sync(c, n % 5 + 1, (enum crashfs_loss)_i);
		if (lease_open(&l, &crashfs_fs, dir, now, NULL) == 0) {
			for (unsigned k = 0; k < 4000 && take(now); k++) {
			}
		}
		if (!crashfs_has_crashed(c)) {
			crashfs_crash_now(c, (enum crashfs_loss)_i);
		}
		crashfs_reboot(c);
		close(dir);
		dir = crashfs_dir(c, "journal");
	}
	stop();
}
END_TEST

START_TEST(any_call_fails)
{
	start(1);
	for (uint64_t n = 1; n < 30; n++) {
		crashfs_fail(c, CRASHFS_ANY, n, EIO, n % 2 == 0);
		if (lease_open(&l, &crashfs_fs, dir, 9000, NULL) == 0) {
			for (unsigned k = 0; k < 3000; k++) {
				take(9000);
			}
		}
		crashfs_fail(c, 0, 0, 0, false);
	}
	stop();
}
END_TEST

/* Any byte of the file changed, the file cut, or empty. */
START_TEST(damage)
{
	const uint32_t now = 100000000;
	char bytes[36];

	for (unsigned i = 0; i <= 2 * sizeof bytes; i++) {
		int fd;

		start(1);
		ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir, now, NULL), 0);
		for (unsigned k = 0; k < 300; k++) {
			ck_assert(take(now));
		}
		fd = openat(dir, "lease", O_RDWR | O_CLOEXEC);
		ck_assert_int_eq(pread(fd, bytes, sizeof bytes, 0),
		    sizeof bytes);
		if (i < sizeof bytes) {
			bytes[i] ^= 0x80;
			ck_assert_int_eq(pwrite(fd, bytes, sizeof bytes, 0),
			    sizeof bytes);
		} else {
			ck_assert_int_eq(ftruncate(fd, i - sizeof bytes), 0);
		}
		close(fd);
		ck_assert_int_eq(lease_open(&l, &crashfs_fs, dir, now, NULL), 0);
		for (unsigned k = 0; k < 2000; k++) {
			ck_assert(take(now));
		}
		/* Not so far that the seconds run out. */
		ck_assert_uint_lt(l.last_second, now + 30 * 86400);
		stop();
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lease");
	TCase *t = tcase_create("lease");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, restarts);
	tcase_add_test(t, wrap);
	tcase_add_test(t, wrap_passed_by_restarts);
	tcase_add_loop_test(t, crash_at_every_sync, 0, CRASHFS_LOSSES);
	tcase_add_test(t, any_call_fails);
	tcase_add_test(t, damage);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
