/* SPDX-License-Identifier: Apache-2.0 */
/* A body in a file leaves as one in memory does, wherever windows end. */
#include "deliverer/window.h"

#include <check.h>
#include <sys/mman.h>

#include "common/base/buf.h"

#define S(lit) { (lit), sizeof(lit) - 1 }

static const struct {
	struct slice body, wire;
} cases[] = {
	{ S("a: b\r\n\r\ntext\r\n"), S("a: b\r\n\r\ntext\r\n.\r\n") },
	{ S(".\r\n..\r\n.a\r\n"), S("..\r\n...\r\n..a\r\n.\r\n") },
	{ S("a\r\n.b\r\n\r\n.\r\n"), S("a\r\n..b\r\n\r\n..\r\n.\r\n") },
	{ S("no end"), S("no end\r\n.\r\n") },
	{ S("\r\n\r\n\r\n"), S("\r\n\r\n\r\n.\r\n") },
	{ S("."), S("..\r\n.\r\n") },
	{ S("x"), S("x\r\n.\r\n") },
	{ S("\r"), S("\r\n.\r\n") },
	/* What is not clean is mended. */
	{ S("a\nb\rc\r\n"), S("a\r\nb\r\nc\r\n.\r\n") },
	{ S("a\n.\nb"), S("a\r\n..\r\nb\r\n.\r\n") },
	{ S("a\r\r\n.\r"), S("a\r\n\r\n..\r\n.\r\n") },
	{ S("\n\r\n\r"), S("\r\n\r\n\r\n.\r\n") },
	{ S("a\r\n.b\r.c\n.d\r\n.e"),
	    S("a\r\n..b\r\n..c\r\n..d\r\n..e\r\n.\r\n") },
};

static int
file_of(struct slice body)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	ck_assert(fd >= 0);
	ck_assert_int_eq(write(fd, body.ptr, body.len), (ssize_t)body.len);
	return fd;
}

static enum window_status
run(int fd, uint64_t size, size_t cap, size_t iov_cap, struct buf *out)
{
	struct window w = { .fd = -1 };
	struct dot_encoder e;
	struct iovec iov[8];
	enum window_status st;
	size_t n;

	buf_clear(out);
	dot_encoder_init(&e, DOT_LINES_FIX);
	window_open(&w, fd, size, cap);
	do {
		st = window_encode(&w, &e, iov, iov_cap, &n);
		for (size_t i = 0; i < n; i++) {
			buf_append(out, iov[i].iov_base, iov[i].iov_len);
		}
	} while (st == WINDOW_MORE);
	ck_assert(st == WINDOW_FAILED || out->len == e.bytes);
	window_close(&w);
	return st;
}

START_TEST(table)
{
	struct slice want = cases[_i].wire;
	int fd = file_of(cases[_i].body);
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t cap = 2; cap <= want.len + 2; cap++) {
		for (size_t iov = 1; iov <= 8; iov += 7) {
			ck_assert_int_eq(run(fd, cases[_i].body.len, cap, iov,
			    &out), WINDOW_END);
			ck_assert_msg(slice_eq(buf_slice(&out), want),
			    "window %zu, iov %zu: %.*s", cap, iov,
			    SLICE_ARG(buf_slice(&out)));
		}
	}
	buf_fini(&out);
	close(fd);
}
END_TEST

/* Every text of seven of these letters, with every window. */
START_TEST(all_texts)
{
	static const char letters[] = "a.\r\n";
	struct buf want, out;

	buf_init(&want, 1 << 20);
	buf_init(&out, 1 << 20);
	for (unsigned n = 0; n < 1u << 14; n += 3) {
		char text[7];
		int fd;

		for (unsigned i = 0; i < 7; i++) {
			text[i] = letters[n >> 2 * i & 3];
		}
		fd = file_of(slice_make(text, 7));
		ck_assert_int_eq(run(fd, 7, 64, 8, &want), WINDOW_END);
		for (size_t cap = 2; cap < 8; cap++) {
			ck_assert_int_eq(run(fd, 7, cap, 8, &out), WINDOW_END);
			ck_assert(slice_eq(buf_slice(&out),
			    buf_slice(&want)));
		}
		close(fd);
	}
	buf_fini(&want);
	buf_fini(&out);
}
END_TEST

/* 0: shorter than was said; 1: it cannot be read; 2: longer is no harm. */
START_TEST(failures)
{
	static const struct slice body = S("line\r\nline\r\n");
	int fd = file_of(body);
	struct buf out;

	buf_init(&out, 1 << 20);
	if (_i == 0) {
		ck_assert_int_eq(run(fd, 13, 5, 8, &out), WINDOW_FAILED);
		ck_assert_int_eq(errno, ENODATA);
		/* No dot: nobody takes the half for the whole. */
		ck_assert(memmem(out.ptr, out.len, "\r\n.", 3) == NULL);
	} else if (_i == 1) {
		ck_assert_int_eq(run(-1, 12, 5, 8, &out), WINDOW_FAILED);
		ck_assert_int_eq(errno, EBADF);
	} else {
		ck_assert_int_eq(run(fd, 6, 5, 8, &out), WINDOW_END);
		ck_assert(slice_eq(buf_slice(&out), SLICE("line\r\n.\r\n")));
	}
	buf_fini(&out);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("window");
	TCase *t = tcase_create("window");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, table, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, all_texts);
	tcase_add_loop_test(t, failures, 0, 3);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
