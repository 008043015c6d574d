/* SPDX-License-Identifier: Apache-2.0 */
/* Pid file, directories, users and trace files. */
#include "supervisor/pidfile.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/fdio.h"
#include "supervisor/directories.h"
#include "supervisor/trace_file.h"
#include "supervisor/users.h"

static char root[] = "/tmp/ec-places-XXXXXX";

static void
setup(void)
{
	memcpy(root + sizeof root - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void
teardown(void)
{
	char command[sizeof root + 16];

	snprintf(command, sizeof command, "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static const char *
in_root(const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s", root, name);
	return out;
}

/* In a child, for a lock is no obstacle to its own process. */
static int
second_instance(const char *path, char *text, size_t size)
{
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		struct error err = { 0 };
		int fd = pidfile_open(path, &err);

		(void)!write(pipes[1], err.text, strlen(err.text));
		_exit(fd >= 0 ? 0 : err.code == ERROR_LIMIT ? 1 : 2);
	}
	close(pipes[1]);
	n = fdio_read_full(pipes[0], text, size - 1);
	text[n] = '\0';
	close(pipes[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

/* Through the locked descriptor: closing another one would free the lock. */
static long
written_pid(int fd)
{
	char text[64], *end;
	ssize_t n = fdio_pread_full(fd, text, sizeof text - 1, 0);
	long pid;

	ck_assert_int_gt(n, 1);
	text[n] = '\0';
	pid = strtol(text, &end, 10);
	ck_assert_str_eq(end, "\n");
	return pid;
}

START_TEST(one_instance_only)
{
	char path[PATH_MAX], text[600], want[PATH_MAX + 64];
	struct error err = { 0 };
	int fd = pidfile_open(in_root("pid", path), &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(written_pid(fd), getpid());
	ck_assert_int_eq(second_instance(path, text, sizeof text), 1);
	snprintf(want, sizeof want, "already running as pid %ld (pidfile %s)",
	    (long)getpid(), path);
	ck_assert_str_eq(text, want);
	pidfile_close(path, &fd);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(second_instance(path, text, sizeof text), 0);
}
END_TEST

START_TEST(a_stale_pidfile_is_taken_over)
{
	char path[PATH_MAX];
	struct error err = { 0 };
	int fd = open(in_root("pid", path), O_WRONLY | O_CREAT, 0644);

	ck_assert_int_eq(write(fd, "1234567890123\n", 14), 14);
	close(fd);
	fd = pidfile_open(path, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(written_pid(fd), getpid());
	pidfile_close(path, &fd);
}
END_TEST

START_TEST(a_pidfile_that_cannot_be)
{
	char path[PATH_MAX];
	struct error err = { 0 };

	ck_assert_int_eq(pidfile_open(in_root("none/pid", path), &err), -1);
	ck_assert_int_eq(err.code, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_int_eq(symlink("/etc/passwd", in_root("link", path)), 0);
	ck_assert_int_eq(pidfile_open(path, &err), -1);
}
END_TEST

START_TEST(directories_are_made)
{
	struct users u;
	char path[PATH_MAX];
	struct error err = { 0 };
	struct directory d = { in_root("a/b/c", path), "SpoolBase", NULL,
		0750 };
	struct stat st;

	ck_assert_int_eq(users_find(&u, false, SLICE(""), SLICE(""), &err), 0);
	ck_assert(!u.drop);
	ck_assert_uint_eq(u.of[ROLE_LISTENER].uid, geteuid());
	d.user = &u.of[ROLE_SPOOLER];
	for (int i = 0; i < 2; i++) {	/* once it is there, too */
		ck_assert_msg(directory_need(&d, false, &err) == 0, "%s",
		    err.text);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0750);
	}
}
END_TEST

START_TEST(directories_that_cannot_be)
{
	struct user u = { "somebody", 0, 0 };
	char path[PATH_MAX], longest[PATH_MAX + 10];
	struct error err = { 0 };
	struct directory d = { in_root("file", path), "SpoolBase", &u, 0750 };
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	close(fd);
	ck_assert_int_eq(directory_need(&d, false, &err), -1);
	ck_assert_msg(strstr(err.text, "is no directory") != NULL, "%s",
	    err.text);
	d.path = in_root("file/below", path);
	ck_assert_int_eq(directory_need(&d, false, &err), -1);
	ck_assert_msg(strstr(err.text, "SpoolBase") != NULL, "%s", err.text);
	d.path = "";
	ck_assert_int_eq(directory_need(&d, false, &err), -1);
	memset(longest, 'x', sizeof longest);
	longest[0] = '/';
	longest[sizeof longest - 1] = '\0';
	d.path = longest;
	ck_assert_int_eq(directory_need(&d, false, &err), -1);
}
END_TEST

/* Root only: a directory of root's is of no use to another user. */
START_TEST(directories_are_tried_as_their_user)
{
	struct user nobody = { "nobody", 65534, 65534 };
	char path[PATH_MAX];
	struct error err = { 0 };
	struct directory d = { in_root("mine", path), "SpoolBase", &nobody,
		0750 };
	struct stat st;

	if (geteuid() != 0) {
		return;
	}
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(root, 0755), 0);
	ck_assert_int_eq(directory_need(&d, true, &err), -1);
	ck_assert_msg(strstr(err.text, "user nobody cannot write in") != NULL,
	    "%s", err.text);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_msg(directory_need(&d, true, &err) == 0, "%s", err.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, 65534);
	/* A parent that may not be searched spoils it. */
	ck_assert_int_eq(chmod(root, 0700), 0);
	ck_assert_int_eq(directory_need(&d, true, &err), -1);
}
END_TEST

START_TEST(the_directory_of_a_path)
{
	static const char *const rows[][2] = {
		{ "/a/b/c", "/a/b" }, { "/a", "/" }, { "a", "." },
		{ "a/b", "a" }, { "/a/", "/a" }, { "", "." },
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert(directory_of(rows[i][0], out, sizeof out));
		ck_assert_str_eq(out, rows[i][1]);
	}
	ck_assert(!directory_of("/0123456789abcdef/x", out, sizeof out));
}
END_TEST

START_TEST(a_missing_user_tells_the_command)
{
	struct user u;
	struct error err = { 0 };

	ck_assert_int_eq(user_find(&u, "ec-no-such-user", NULL, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "useradd --system"));
	ck_assert_ptr_nonnull(strstr(err.text, " ec-no-such-user'"));
	ck_assert_int_eq(user_find(&u, "root", "ec-no-such-group", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "groupadd --system "
	    "ec-no-such-group"));
	ck_assert_int_eq(user_find(&u, "root", "root", &err), 0);
	ck_assert_uint_eq(u.uid, 0);
}
END_TEST

START_TEST(a_trace_of_ourselves)
{
	char dir[PATH_MAX], path[PATH_MAX], name[32];
	struct error err = { 0 };
	struct buf b;

	ck_assert_msg(trace_file_write(in_root("traces", dir), getpid(),
	    "spooler/0", "it is a test", path, sizeof path, &err) == 0, "%s",
	    err.text);
	snprintf(name, sizeof name, "/%ld.trc", (long)getpid());
	ck_assert_ptr_nonnull(strstr(path, name));
	buf_init(&b, 1u << 20);
	ck_assert_int_eq(fdio_slurp(path, &b, &err), 0);
	buf_putc(&b, '\0');
	ck_assert_ptr_nonnull(strstr(b.ptr, "spooler/0 pid "));
	ck_assert_ptr_nonnull(strstr(b.ptr, "it is a test"));
	ck_assert_ptr_nonnull(strstr(b.ptr, "VmRSS:"));
	snprintf(name, sizeof name, "/task/%ld/stat", (long)getpid());
	ck_assert_ptr_nonnull(strstr(b.ptr, name));
	buf_fini(&b);
	ck_assert_int_eq(trace_file_write("/dev/null/x", getpid(), "a", "b",
	    path, sizeof path, &err), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("places");
	TCase *t = tcase_create("places");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_instance_only);
	tcase_add_test(t, a_stale_pidfile_is_taken_over);
	tcase_add_test(t, a_pidfile_that_cannot_be);
	tcase_add_test(t, directories_are_made);
	tcase_add_test(t, directories_that_cannot_be);
	tcase_add_test(t, directories_are_tried_as_their_user);
	tcase_add_test(t, the_directory_of_a_path);
	tcase_add_test(t, a_missing_user_tells_the_command);
	tcase_add_test(t, a_trace_of_ourselves);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
