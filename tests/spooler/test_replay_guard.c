/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record that kills the spooler each time it is read: found by its third
 * death, copied, left out from then on; the others are applied.  Then the same
 * in the real process, with the marker that its deaths would have left.
 */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>

#include "common/base/crc.h"
#include "spooler/replay_guard.h"

#define SEGMENTS 4u
#define RECORDS 50u

static char dir_name[] = "/tmp/ec-guard.XXXXXX";

static uint64_t
lsn_of(unsigned segment, unsigned record)
{
	return (uint64_t)(segment + 100) << 32 | (record + 1);
}

/* One start: true when it came to the end, else it died at `killer`. */
static bool
one_start(int dir, uint64_t killer, unsigned *skipped, unsigned *applied)
{
	struct replay_guard g;

	*skipped = *applied = 0;
	replay_guard_open(&g, &fs_real, dir);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		replay_guard_segment(&g, i + 100);
		for (unsigned k = 0; k < RECORDS; k++) {
			enum guard_verdict v = replay_guard_record(&g,
			    lsn_of(i, k));

			if (v == GUARD_POISON) {
				replay_guard_skip(&g, lsn_of(i, k));
			}
			if (v != GUARD_APPLY) {
				ck_assert_uint_eq(lsn_of(i, k), killer);
				++*skipped;
			} else if (lsn_of(i, k) == killer) {
				replay_guard_fini(&g);
				return false;
			} else {
				++*applied;
			}
		}
	}
	replay_guard_close(&g);
	return true;
}

static int
fresh_dir(void)
{
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir_name));
	fd = open(dir_name, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void
drop_dir(int fd)
{
	unlinkat(fd, "replaying", 0);
	unlinkat(fd, "skipped", 0);
	close(fd);
	ck_assert_int_eq(rmdir(dir_name), 0);
}

START_TEST(third_death)
{
	uint64_t killer = lsn_of((unsigned)_i % SEGMENTS, (unsigned)_i * 12 %
	    RECORDS);
	unsigned skipped, applied;
	int dir = fresh_dir();

	for (unsigned i = 0; i < GUARD_DEATHS; i++) {
		ck_assert(!one_start(dir, killer, &skipped, &applied));
		ck_assert_uint_eq(skipped, 0);
	}
	for (unsigned i = 0; i < 3; i++) {	/* and for good */
		ck_assert(one_start(dir, killer, &skipped, &applied));
		ck_assert_uint_eq(skipped, 1);
		ck_assert_uint_eq(applied, SEGMENTS * RECORDS - 1);
		ck_assert_int_ne(faccessat(dir, "replaying", F_OK, 0), 0);
	}
	drop_dir(dir);
}
END_TEST

/* Deaths in different places are no record's fault; a spoiled marker is none. */
START_TEST(chance)
{
	static const char foreign[40] = "this is no marker";
	unsigned skipped, applied;
	int dir = fresh_dir(), fd;

	for (unsigned i = 0; i < 12; i++) {
		ck_assert(!one_start(dir, lsn_of(i % SEGMENTS, i), &skipped,
		    &applied));
		ck_assert_uint_eq(skipped, 0);
	}
	for (size_t n = 0; n <= sizeof foreign; n += 8) {
		fd = openat(dir, "replaying", O_WRONLY | O_CREAT | O_TRUNC,
		    0600);
		ck_assert_int_eq(write(fd, foreign, n), n);
		close(fd);
		ck_assert(one_start(dir, 0, &skipped, &applied));
		ck_assert_uint_eq(skipped, 0);
	}
	drop_dir(dir);
}
END_TEST

static struct rig rig;
static uint64_t poison;		/* position of a message's record */

/* What two deaths at that record and one in its segment leave behind. */
static void
leave_marker(struct rig *r)
{
	struct replay_marker m = { .magic = "ECRPLY1", .lsn = poison,
		.deaths = GUARD_DEATHS - 1 };
	char path[160];
	int fd;

	m.magic[7] = '\n';
	m.crc = crc32c(0, &m, offsetof(struct replay_marker, crc));
	snprintf(path, sizeof path, "%s/journal/replaying", r->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_eq(write(fd, &m, sizeof m), sizeof m);
	close(fd);
	r->between = NULL;
}

static bool
both_delivered(void *arg)
{
	(void)arg;
	return logger_count(&rig, rig.mail[0]->id[0], 'D') == 1 &&
	    logger_count(&rig, rig.mail[2]->id[0], 'D') == 1;
}

START_TEST(left_out)
{
	static const char *const to[] = { "b@example.net" };

	rig_start(&rig, "Settle_After = 3600\n");
	for (unsigned i = 0; i < 3; i++) {
		struct mail *m = rig_store(&rig, 0, "a@example.com", 1, to,
		    2000);

		rig_until(&rig, mail_is_answered, m);
	}
	while (logger_count(&rig, rig.mail[2]->id[0], 'R') == 0) {
		rig_turn(&rig, 1000);
	}
	poison = logger_find(&rig, rig.mail[1]->id[0], 'R', 0)->position;
	/* Nobody holds it: only the journal knows it. */
	deliverer_close(&rig.deliverer[0]);
	rig.between = leave_marker;
	rig_kill(&rig);
	rig.deliverer[0].on_work = job_deliver;
	rig_until(&rig, both_delivered, NULL);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/record-*[0-9]"), 1);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/record-*.why"), 1);
	ck_assert_uint_eq(rig_files(&rig, "journal/replaying"), 0);
	ck_assert(rig_log_has(&rig, "it is left out, a copy is"));
	rig_kill(&rig);		/* not read again, no second copy */
	rig_turn(&rig, 500000);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/record-*[0-9]"), 1);
	ck_assert_uint_eq(logger_count(&rig, rig.mail[1]->id[0], 'D'), 0);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("replay_guard");
	TCase *t = tcase_create("guard");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, third_death, 0, 8);
	tcase_add_test(t, chance);
	tcase_add_test(t, left_out);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
