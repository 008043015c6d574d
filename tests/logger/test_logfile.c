/* SPDX-License-Identifier: Apache-2.0 */
/* Log files: full disks, rotation, cutting to the record of the last run. */
#include "common/base/base.h"

#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "logger/logfile.h"

static char dir[64], path[128];
static struct logfile_set set;
static struct error err;

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/test_logfile.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/main.ec", dir);
	log_init("test", -1, EC_CRITICAL, false);
	logfile_set_init(&set);
}

static void
teardown(void)
{
	char other[160];

	logfile_set_fini(&set);
	unlink(path);
	snprintf(other, sizeof other, "%s.1", path);
	unlink(other);
	rmdir(dir);
}

static void
check_content(const char *file, const char *want)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	ck_assert_int_eq(fdio_slurp(file, &b, &err), 0);
	ck_assert_msg(slice_eq(buf_slice(&b), slice_of(want)), "%.*s",
	    SLICE_ARG(buf_slice(&b)));
	buf_fini(&b);
}

static struct logger_file *
open_journal(void)
{
	struct logger_file *f = logfile_open(&set, path, 0644, true, &err);

	ck_assert_msg(f != NULL, "%s", err.text);
	return f;
}

static void
put(struct logger_file *f, const char *text)
{
	logfile_append(&set, f, slice_of(text));
}

START_TEST(one_path_one_file)
{
	struct logger_file *f = open_journal();
	struct stat st;

	umask(077);
	ck_assert_ptr_eq(open_journal(), f);
	ck_assert_ptr_null(logfile_open(&set, path, 0644, false, &err));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	put(f, "a\n");
	logfile_release(f);
	put(f, "b\n");
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_DURABLE);
	ck_assert(!list_is_empty(&set.files));
	logfile_release(f);
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_DURABLE);
	ck_assert(list_is_empty(&set.files));
	check_content(path, "a\nb\n");
}
END_TEST

START_TEST(bad_paths)
{
	ck_assert_ptr_null(logfile_open(&set, "relative", 0644, true, &err));
	ck_assert_ptr_null(logfile_open(&set, "", 0644, true, &err));
	ck_assert_ptr_null(logfile_open(&set, "/tmp/a\nb", 0644, true, &err));
	ck_assert_int_eq(err.code, ERROR_CONFIG);
	ck_assert_ptr_null(logfile_open(&set, "/nonexistent/x", 0644, true,
	    &err));
	ck_assert_int_eq(err.code, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/x"));
	ck_assert_ptr_null(logfile_open(&set, "/dev/null", 0644, true, &err));
	ck_assert(list_is_empty(&set.files));
}
END_TEST

START_TEST(full_disk)
{
	struct logger_file *f = open_journal();
	struct rlimit was, small;
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = (struct rlimit){ 7, was.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(f, "one\n");
	put(f, "two\n");
	ck_assert(!logfile_write(&set));
	ck_assert_uint_gt(set.write_errors, 0);
	ck_assert_ptr_nonnull(strstr(set.error.text, path));
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_WAITING);
	put(f, "three\n");
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_WAITING);
	ck_assert(!logfile_is_stuck(&set));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 7);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_DURABLE);
	check_content(path, "one\ntwo\nthree\n");
}
END_TEST

START_TEST(bounded)
{
	struct logger_file *f = logfile_open(&set, path, 0644, false, &err);
	struct rlimit was, small;
	static char line[65536];

	signal(SIGXFSZ, SIG_IGN);
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\n';
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = (struct rlimit){ 0, was.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 0; i < 2 * LOGFILE_PENDING_MAX / sizeof line; i++) {
		logfile_append(&set, f, slice_make(line, sizeof line));
	}
	ck_assert_uint_eq(f->pending.len, LOGFILE_PENDING_MAX);
	ck_assert_uint_eq(f->dropped, LOGFILE_PENDING_MAX / sizeof line);
	ck_assert(!logfile_is_stuck(&set));	/* only of mail logs */
	f->journal = true;
	ck_assert(logfile_is_stuck(&set));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
}
END_TEST

START_TEST(rotation)
{
	struct logger_file *f = open_journal();
	char old[160];

	snprintf(old, sizeof old, "%s.1", path);
	put(f, "a\n");
	ck_assert(logfile_write(&set));
	ck_assert_int_eq(rename(path, old), 0);
	put(f, "b\n");
	ck_assert(logfile_write(&set));
	ck_assert_int_eq(logfile_reopen(&set, &err), 0);
	put(f, "c\n");
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_DURABLE);
	check_content(old, "a\nb\n");
	check_content(path, "c\n");
}
END_TEST

/* Writes a, records, writes b, and starts again with what is at path then. */
static void
crash_after(const char *a, const char *b, struct sidecar *recorded)
{
	struct logger_file *f = open_journal();

	put(f, a);
	ck_assert_int_eq(logfile_sync(&set), LOGFILE_DURABLE);
	ck_assert_int_eq(logfile_describe(&set, recorded, &err), 0);
	ck_assert_uint_eq(recorded->n_files, 1);
	recorded->file[0].path = slice_of(path);
	put(f, b);
	logfile_write(&set);
	logfile_set_fini(&set);
	logfile_set_init(&set);
	set.recorded = recorded;
}

START_TEST(cut_to_the_record)
{
	static struct sidecar recorded;

	crash_after("kept\n", "again\nagain 2\nto", &recorded);
	open_journal();
	check_content(path, "kept\n");
}
END_TEST

START_TEST(cut_to_nothing)
{
	static struct sidecar recorded;

	crash_after("", "again\n", &recorded);
	open_journal();
	check_content(path, "");
}
END_TEST

START_TEST(replaced_is_not_cut)
{
	static struct sidecar recorded;
	struct logger_file *f;
	FILE *other;

	/* The same inode, other bytes. */
	crash_after("kept\n", "again\n", &recorded);
	other = fopen(path, "w");
	fputs("somebody's\ntorn", other);
	fclose(other);
	f = open_journal();
	put(f, "x\n");
	ck_assert(logfile_write(&set));
	check_content(path, "somebody's\ntorn\nx\n");
}
END_TEST

START_TEST(rotated_in_the_gap)
{
	static struct sidecar recorded;
	char old[160];

	/* Renamed, and a crash before the reopening: the old file has lines
	 * that come again. */
	snprintf(old, sizeof old, "%s.1", path);
	crash_after("kept\n", "again\n", &recorded);
	ck_assert_int_eq(rename(path, old), 0);
	open_journal();
	check_content(old, "kept\n");
	check_content(path, "");
}
END_TEST

START_TEST(free_files_are_not_cut)
{
	static struct sidecar recorded;

	crash_after("kept\n", "also kept\n", &recorded);
	ck_assert_ptr_nonnull(logfile_open(&set, path, 0644, false, &err));
	check_content(path, "kept\nalso kept\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("logfile");
	TCase *t = tcase_create("files");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_path_one_file);
	tcase_add_test(t, bad_paths);
	tcase_add_test(t, full_disk);
	tcase_add_test(t, bounded);
	tcase_add_test(t, rotation);
	tcase_add_test(t, cut_to_the_record);
	tcase_add_test(t, cut_to_nothing);
	tcase_add_test(t, replaced_is_not_cut);
	tcase_add_test(t, rotated_in_the_gap);
	tcase_add_test(t, free_files_are_not_cut);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
