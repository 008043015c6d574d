/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger of an import, cut at each byte; entries of pickup in each state. */
#include "helpers/spool_import.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/base/fdio.h"
#include "tests/spooler/temp_dir.h"

static struct temp_dir t;
static struct spool_dir d;
static struct import_ledger l;

static void
start(void)
{
	struct error err;

	temp_dir_make(&t);
	ck_assert_int_eq(mkdirat(t.fd, "journal", 0750), 0);
	ck_assert_int_eq(mkdirat(t.fd, "pickup", 0750), 0);
	ck_assert_msg(spool_dir_open(&d, t.path, &err) == 0, "%s", err.text);
	ck_assert_int_eq(import_ledger_open(&l, &d, &err), 0);
}

static void
stop(void)
{
	import_ledger_close(&l);
	spool_dir_close(&d);
	temp_dir_remove(&t);
}

static void
again(void)
{
	import_ledger_close(&l);
	ck_assert_int_eq(import_ledger_open(&l, &d, NULL), 0);
}

START_TEST(ledger_is_kept)
{
	msgid ids[3] = { 0x6543210000010001, 0x6543210000010002, 7 };
	char key[sizeof l.key];

	ck_assert_uint_eq(strlen(l.key), 16);
	slice_copy(key, sizeof key, slice_of(l.key));
	ck_assert(!import_ledger_has(&l, ids[0]));
	ck_assert_int_eq(import_ledger_add(&l, ids, 2, NULL), 0);
	again();
	ck_assert_str_eq(l.key, key);
	ck_assert_int_eq(import_ledger_add(&l, ids + 2, 1, NULL), 0);
	again();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(import_ledger_has(&l, ids[i]));
	}
	ck_assert(!import_ledger_has(&l, 8));
}
END_TEST

/* What a crash leaves: every length, and the next line is whole. */
START_TEST(ledger_is_torn)
{
	msgid ids[2] = { 0x6543210000010001, 0x6543210000010002 };
	char whole[256], key[sizeof l.key];
	ssize_t n;
	int fd;

	ck_assert_int_eq(import_ledger_add(&l, ids, 2, NULL), 0);
	slice_copy(key, sizeof key, slice_of(l.key));
	fd = openat(t.fd, "pickup/imported", O_RDWR | O_CLOEXEC);
	n = fdio_pread_full(fd, whole, sizeof whole, 0);
	ck_assert_int_eq(n, 21 + 2 * 21);
	for (ssize_t cut = 0; cut <= n; cut++) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_eq(fdio_pwrite_all(fd, whole, (size_t)cut, 0), 0);
		again();
		ck_assert_uint_eq(l.ids.n, cut < 42 ? 0 : cut < 63 ? 1 : 2);
		/* The key changes only while nothing can have been sent. */
		ck_assert_int_eq(strcmp(l.key, key) == 0, cut >= 21);
		ck_assert_int_eq(import_ledger_add(&l, ids, 1, NULL), 0);
		again();
		ck_assert(import_ledger_has(&l, ids[0]));
	}
	close(fd);
}
END_TEST

START_TEST(entry_states)
{
	struct import_place p;
	struct meta m = { .size = 5 };
	struct error err;
	char path[128], data[8];
	int body = memfd_create("body", MFD_CLOEXEC), fd;

	ck_assert_int_eq(fdio_write_all(body, "..12345..", 9), 0);
	ck_assert_int_eq(import_place_open(&p, &d, &l, &err), 0);
	m.rcpt.id = m.env.batch_id = m.env.conn_id = 0x6543210000010001;
	m.rcpt.addr = SLICE("b@x.example");
	ck_assert_int_eq(import_place_state(&p, m.rcpt.id), IMPORT_ABSENT);
	/* Too short a body: nothing is placed, nothing is left. */
	ck_assert_int_eq(import_place_put(&p, &m, body, 5, &err), -1);
	ck_assert_int_eq(import_place_state(&p, m.rcpt.id), IMPORT_ABSENT);
	/* What an earlier run left half made is no hindrance. */
	snprintf(path, sizeof path, "pickup/.import-%s-10-00-00001-00123456",
	    l.key);
	ck_assert_int_eq(mkdirat(t.fd, path, 0750), 0);
	ck_assert_msg(import_place_put(&p, &m, body, 2, &err) == 0, "%s",
	    err.text);
	ck_assert_int_eq(import_place_sync(&p, &err), 0);
	ck_assert_int_eq(faccessat(t.fd, path, F_OK, 0), -1);
	ck_assert_int_eq(import_place_state(&p, m.rcpt.id), IMPORT_PLACED);
	snprintf(path, sizeof path, "pickup/import-%s-10-00-00001-00123456/data",
	    l.key);
	fd = openat(t.fd, path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fdio_pread_full(fd, data, sizeof data, 0), 5);
	ck_assert_int_eq(memcmp(data, "12345", 5), 0);
	close(fd);
	memcpy(path + strlen(path) - 4, "meta", 4);
	ck_assert_int_eq(unlinkat(t.fd, path, 0), 0);
	ck_assert_int_eq(import_place_state(&p, m.rcpt.id), IMPORT_TAKEN);
	import_place_clear(&p, m.rcpt.id);
	import_place_clear(&p, m.rcpt.id);
	ck_assert_int_eq(import_place_state(&p, m.rcpt.id), IMPORT_ABSENT);
	import_place_close(&p);
	close(body);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spool_import");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, start, stop);
	tcase_add_test(c, ledger_is_kept);
	tcase_add_test(c, ledger_is_torn);
	tcase_add_test(c, entry_states);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
