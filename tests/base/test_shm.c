/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/shm.h"
#include "tests/base/base_tests.h"

#include <sys/mman.h>

START_TEST(sealed_memory_is_read_only_for_others)
{
	struct error err = { 0 };
	char *mine, *theirs;
	void *p;
	int fd = shm_create("test", 4096, true, &p, &err);

	ck_assert_int_ge(fd, 0);
	mine = p;
	mine[0] = 'a';
	theirs = shm_map(fd, 4096, false, true, &err);
	ck_assert_ptr_nonnull(theirs);
	ck_assert_int_eq(theirs[0], 'a');
	mine[0] = 'b';
	ck_assert_int_eq(theirs[0], 'b');
	ck_assert_ptr_null(shm_map(fd, 4096, true, true, &err));
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 8192), -1);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	munmap(mine, 4096);
	munmap(theirs, 4096);
	close(fd);
}
END_TEST

START_TEST(what_does_not_hold_is_refused)
{
	struct error err = { 0 };
	void *p;
	int fd = shm_create("test", 4096, false, &p, &err), pipes[2];
	FILE *f = tmpfile();

	ck_assert_ptr_null(shm_map(fd, 4096, false, true, &err));
	ck_assert_int_eq(err.code, ERROR_PROTOCOL);
	ck_assert_ptr_null(shm_map(fd, 4097, false, false, &err));
	ck_assert_ptr_nonnull(shm_map(fd, 4096, true, false, &err));
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_ptr_null(shm_map(pipes[0], 1, false, false, &err));
	ck_assert_ptr_null(shm_map(-1, 1, false, false, &err));
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(ftruncate(fileno(f), 4096), 0);
	ck_assert_ptr_null(shm_map(fileno(f), 4096, false, true, &err));
	fclose(f);
	close(fd);
}
END_TEST

START_TEST(bytes_are_sealed_and_can_be_mapped)
{
	struct error err = { 0 };
	int fd = shm_from_bytes("conf", SLICE("Listen = 25"), &err);
	char *p;

	ck_assert_int_ge(fd, 0);
	p = shm_map(fd, 11, false, true, &err);
	ck_assert_ptr_nonnull(p);
	ck_assert_mem_eq(p, "Listen = 25", 11);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	munmap(p, 11);
	close(fd);
}
END_TEST

TCase *
tcase_shm(void)
{
	TCase *t = tcase_create("shm");

	tcase_add_test(t, sealed_memory_is_read_only_for_others);
	tcase_add_test(t, what_does_not_hold_is_refused);
	tcase_add_test(t, bytes_are_sealed_and_can_be_mapped);
	return t;
}
