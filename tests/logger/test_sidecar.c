/* SPDX-License-Identifier: Apache-2.0 */
/* Positions, the sidecar's text, and what is cut. */
#include "common/base/base.h"

#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "logger/follow.h"
#include "logger/sidecar.h"

static struct sidecar_file
file_at(uint64_t device, uint64_t inode, uint64_t size, uint32_t tail)
{
	return (struct sidecar_file){ device, inode, 5, size, tail,
		SLICE("/l/main log.ec") };
}

static const struct {
	struct sidecar_file was, now;
	enum sidecar_act act;
} cases[] = {
	{ { 1, 2, 5, 100, 7 }, { 1, 2, 5, 100, 7 }, SIDECAR_SAME },
	{ { 1, 2, 5, 100, 7 }, { 1, 2, 5, 101, 7 }, SIDECAR_CUT },
	{ { 1, 2, 5, 100, 7 }, { 9, 2, 5, 101, 7 }, SIDECAR_CUT },
	{ { 1, 2, 5, 100, 7 }, { 1, 3, 5, 101, 7 }, SIDECAR_OTHER },
	{ { 1, 2, 5, 100, 7 }, { 1, 2, 5, 101, 8 }, SIDECAR_OTHER },
	{ { 1, 2, 5, 100, 7 }, { 1, 2, 5, 99, 7 }, SIDECAR_SHORT },
	{ { 1, 2, 5, 100, 7 }, { 1, 2, 5, 0, 0 }, SIDECAR_SHORT },
	{ { 1, 2, 5, 0, 0 }, { 1, 2, 5, 50, 0 }, SIDECAR_CUT },
	{ { 1, 2, 5, 0, 0 }, { 9, 2, 5, 50, 0 }, SIDECAR_OTHER },
	{ { 1, 2, 5, 0, 0 }, { 1, 2, 5, 0, 0 }, SIDECAR_SAME },
	{ { 1, 2, 5, 100, 7 }, { 1, 2, 6, 101, 7 }, SIDECAR_OTHER },
	{ { 1, 2, 5, 0, 0 }, { 1, 2, 6, 50, 0 }, SIDECAR_OTHER },
};

START_TEST(decisions)
{
	ck_assert_int_eq(sidecar_decide(&cases[_i].was, &cases[_i].now),
	    cases[_i].act);
	ck_assert_int_eq(sidecar_decide(NULL, &cases[_i].now),
	    SIDECAR_UNKNOWN);
}
END_TEST

static void
example(struct sidecar *s, struct buf *b)
{
	struct sidecar_file f = file_at(1, 2, 345, 678);

	memset(s, 0, sizeof *s);
	s->spooler[0] = (struct follow){ .whole = 41, .last = 42,
		.taken = 3 };
	s->spooler[63] = (struct follow){ .whole = UINT64_MAX,
		.last = UINT64_MAX, .taken = UINT32_MAX };
	ck_assert(sidecar_add_file(s, &f));
	sidecar_encode(s, b);
}

START_TEST(round_trip)
{
	struct sidecar s, t;
	struct buf b, c;
	const struct sidecar_file *f;

	buf_init(&b, 4096);
	buf_init(&c, 4096);
	example(&s, &b);
	ck_assert(sidecar_decode(buf_slice(&b), &t));
	ck_assert_uint_eq(t.spooler[0].whole, 41);
	ck_assert_uint_eq(t.spooler[0].taken, 3);
	ck_assert_uint_eq(t.spooler[1].last, 0);
	f = sidecar_find(&t, SLICE("/l/main log.ec"));
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->size, 345);
	ck_assert_ptr_null(sidecar_find(&t, SLICE("/l/main")));
	sidecar_encode(&t, &c);
	ck_assert(slice_eq(buf_slice(&b), buf_slice(&c)));
	buf_fini(&b);
	buf_fini(&c);
}
END_TEST

START_TEST(damage)
{
	struct sidecar s, t;
	struct buf b;

	buf_init(&b, 4096);
	example(&s, &b);
	for (size_t i = 0; i < b.len; i++) {
		ck_assert(!sidecar_decode(slice_make(b.ptr, i), &t));
		for (int bit = 0; bit < 8; bit++) {
			b.ptr[i] ^= (char)(1 << bit);
			ck_assert(!sidecar_decode(buf_slice(&b), &t));
			b.ptr[i] ^= (char)(1 << bit);
		}
	}
	buf_fini(&b);
}
END_TEST

START_TEST(saved_and_loaded)
{
	char dir[] = "/tmp/test_sidecar.XXXXXX", path[128];
	struct sidecar s, t;
	struct error err = { 0 };
	struct buf b;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	buf_init(&b, SIDECAR_MAX_BYTES);
	ck_assert_int_eq(sidecar_load(dir, &b, &t, &err), 0);
	example(&s, &b);
	buf_clear(&b);
	ck_assert_int_eq(sidecar_save(dir, &s, &err), 0);
	s.spooler[0].last = s.spooler[0].whole = 99;
	ck_assert_int_eq(sidecar_save(dir, &s, &err), 0);
	ck_assert_int_eq(sidecar_load(dir, &b, &t, &err), 1);
	ck_assert_uint_eq(t.spooler[0].whole, 99);
	snprintf(path, sizeof path, "%s/" SIDECAR_NAME, dir);
	fd = open(path, O_WRONLY | O_APPEND);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	buf_clear(&b);
	ck_assert_int_eq(sidecar_load(dir, &b, &t, &err), -1);
	ck_assert_int_eq(err.code, ERROR_DAMAGE);
	ck_assert_uint_eq(t.spooler[0].last, 0);
	ck_assert_int_eq(sidecar_save("/nonexistent", &s, &err), -1);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	buf_fini(&b);
}
END_TEST

START_TEST(positions)
{
	struct follow f = { 0 };

	ck_assert(!follow_take(&f, 0));
	ck_assert(follow_take(&f, 10));
	ck_assert_uint_eq(f.whole, 0);	/* more of 10 may come */
	ck_assert(follow_take(&f, 10));
	ck_assert(follow_take(&f, 20));
	ck_assert_uint_eq(f.whole, 10);
	ck_assert(!follow_take(&f, 10));	/* never back */
	ck_assert(follow_take(&f, 20));
	ck_assert(follow_take(&f, 20));
	/* A new spooler sends 20 again, whole this time: two more. */
	follow_again(&f);
	ck_assert(!follow_take(&f, 20));
	ck_assert(!follow_take(&f, 20));
	ck_assert(!follow_take(&f, 20));
	ck_assert(follow_take(&f, 20));
	ck_assert_uint_eq(f.taken, 4);
	/* Again, and dies after one. */
	follow_again(&f);
	ck_assert(!follow_take(&f, 20));
	follow_again(&f);
	for (int i = 0; i < 4; i++) {
		ck_assert(!follow_take(&f, 20));
	}
	ck_assert(follow_take(&f, 20));
	ck_assert_uint_eq(f.whole, 10);
	follow_rest(&f);
	ck_assert_uint_eq(f.whole, 20);
	ck_assert(follow_take(&f, 21));
	ck_assert_uint_eq(f.whole, 20);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sidecar");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, decisions, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, round_trip);
	tcase_add_test(t, damage);
	tcase_add_test(t, saved_and_loaded);
	tcase_add_test(t, positions);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
