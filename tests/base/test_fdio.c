/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/fdio.h"
#include "tests/base/base_tests.h"

#include <fcntl.h>
#include <sys/socket.h>

static int
temp_file(char path[64])
{
	int fd;

	slice_copy(path, 64, SLICE("/tmp/ec-fdio-XXXXXX"));
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(slurp_keeps_to_the_cap)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 257, 1000 };
	char path[64], bytes[1000];
	int fd = temp_file(path);

	memset(bytes, 'x', sizeof bytes);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct error err = { 0 };
		struct buf b;

		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_eq(fdio_pwrite_all(fd, bytes, sizes[i], 0), 0);
		buf_init(&b, sizes[i]);
		ck_assert_int_eq(fdio_slurp(path, &b, &err), 0);
		ck_assert_uint_eq(b.len, sizes[i]);
		buf_fini(&b);
		if (sizes[i] == 0) {
			continue;
		}
		buf_init(&b, sizes[i] - 1);
		ck_assert_int_eq(fdio_slurp(path, &b, &err), -1);
		ck_assert_int_eq(err.code, ERROR_LIMIT);
		ck_assert_uint_le(b.len, sizes[i] - 1);
		buf_fini(&b);
	}
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(slurp_says_why)
{
	struct error err = { 0 };
	struct buf b;

	buf_init(&b, 10);
	ck_assert_int_eq(fdio_slurp("/nonexistent/x", &b, &err), -1);
	ck_assert_int_eq(err.code, ERROR_SYSTEM);
	ck_assert_int_eq(err.sys_errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/x"));
	ck_assert_int_eq(fdio_slurp("/", &b, NULL), -1);
	buf_fini(&b);
}
END_TEST

START_TEST(full_reads_and_writes)
{
	char path[64], got[8];
	int fd = temp_file(path);

	ck_assert_int_eq(fdio_write_all(fd, "abcdef", 6), 0);
	ck_assert_int_eq(fdio_pread_full(fd, got, 8, 2), 4);
	ck_assert_mem_eq(got, "cdef", 4);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(fdio_read_full(fd, got, 8), 6);
	fdio_close(&fd);
	ck_assert_int_eq(fd, -1);
	fdio_close(&fd);
	ck_assert_int_eq(fdio_write_all(fd, "x", 1), -1);
	ck_assert_int_eq(fdio_pwrite_all(fd, "x", 1, 0), -1);
	ck_assert_int_eq(fdio_read_full(fd, got, 1), -1);
	ck_assert_int_eq(fdio_pread_full(fd, got, 1, 0), -1);
	unlink(path);
}
END_TEST

START_TEST(flags)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(fdio_set_nonblock(p[0], true), 0);
	ck_assert(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(fdio_set_nonblock(p[0], false), 0);
	ck_assert(!(fcntl(p[0], F_GETFL) & O_NONBLOCK));
	ck_assert_int_eq(fdio_set_cloexec(p[0], true), 0);
	ck_assert_int_eq(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fdio_set_nonblock(-1, true), -1);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(passes_descriptors)
{
	int s[2], p[2], got[FDIO_MAX_FDS], n, eight[FDIO_MAX_FDS];
	char b[16];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(fdio_send(s[0], "hello", 5, p, 2), 5);
	ck_assert_int_eq(fdio_recv(s[1], b, sizeof b, got, &n), 5);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(got[1], "x", 1), 1);
	ck_assert_int_eq(read(p[0], b, 1), 1);
	for (int i = 0; i < FDIO_MAX_FDS; i++) {
		eight[i] = p[0];
	}
	ck_assert_int_eq(fdio_send(s[0], "8", 1, eight, FDIO_MAX_FDS), 1);
	ck_assert_int_eq(fdio_recv(s[1], b, sizeof b, got, &n), 1);
	ck_assert_int_eq(n, FDIO_MAX_FDS);
	/* A packet that does not fit leaves no descriptor behind. */
	ck_assert_int_eq(fdio_send(s[0], "too long", 8, p, 1), 8);
	ck_assert_int_eq(fdio_recv(s[1], b, 4, got, &n), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(fdio_send(s[0], "a", 1, NULL, 0), 1);
	ck_assert_int_eq(fdio_recv(s[1], b, 1, got, &n), 1);
	close(s[0]);
	ck_assert_int_eq(fdio_recv(s[1], b, 1, got, &n), 0);
	ck_assert_int_eq(fdio_send(s[1], "a", 1, NULL, 0), -1);
}
END_TEST

TCase *
tcase_fdio(void)
{
	TCase *t = tcase_create("fdio");

	tcase_add_test(t, slurp_keeps_to_the_cap);
	tcase_add_test(t, slurp_says_why);
	tcase_add_test(t, full_reads_and_writes);
	tcase_add_test(t, flags);
	tcase_add_test(t, passes_descriptors);
	return t;
}
