/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"
#include "tests/base/base_tests.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "common/base/fdio.h"

/* A log socket; stderr goes nowhere, or a failure would look like noise. */
static int
start(enum log_level min)
{
	int s[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	ck_assert_int_ge(dup2(null, STDERR_FILENO), 0);
	log_init("test/0", s[0], min, false);
	ck_assert_int_eq(fdio_set_nonblock(s[1], true), 0);
	return s[1];
}

static const char *
line(int fd, char b[4096])
{
	ssize_t n = read(fd, b, 4095);

	b[n > 0 ? n : 0] = '\0';
	return b;
}

START_TEST(levels_and_shape)
{
	int fd = start(EC_NOTICE);
	char b[4096];

	log_info("not this");
	log_debug("nor this");
	log_error("a\r\nb\x1b[0m %d", 7);
	ck_assert_str_eq(line(fd, b), "ERROR: test/0: a??b?[0m 7");
	ck_assert_str_eq(line(fd, b), "");
	log_level_set(EC_DEBUG);
	log_debug("now");
	ck_assert_str_eq(line(fd, b), "DEBUG: test/0: now");
	ck_assert(log_is_on(EC_DEBUG));
	ck_assert_str_eq(log_level_name(EC_CRITICAL), "CRITICAL");
}
END_TEST

START_TEST(a_long_line_is_cut)
{
	int fd = start(EC_NOTICE);
	char b[4096], text[3000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_error("%s", text);
	ck_assert_uint_lt(strlen(line(fd, b)), LOG_LINE_MAX);
	ck_assert_uint_gt(strlen(b), LOG_LINE_MAX - 100);
}
END_TEST

START_TEST(lost_lines_are_counted_until_told)
{
	int fd = start(EC_NOTICE), sent = 0;
	char b[4096], want[64], last[4096] = "";
	unsigned long got = 0;

	while (sent < 5000) {
		log_notice("line");
		sent++;
	}
	while (*line(fd, b) != '\0') {
		got++;
	}
	ck_assert_uint_lt(got, 5000);
	log_notice("room again");
	snprintf(want, sizeof want, "room again (%lu lines before this lost)",
	    5000 - got);
	ck_assert_ptr_nonnull(strstr(line(fd, last), want));
	log_notice("and");
	ck_assert_str_eq(line(fd, b), "NOTICE: test/0: and");
}
END_TEST

START_TEST(repeats_are_held_back)
{
	int fd = start(EC_NOTICE);
	struct log_rate r = { 0 };
	char b[4096];

	for (int i = 0; i < 10; i++) {
		log_limited(&r, EC_ERROR, "again");
	}
	ck_assert_str_eq(line(fd, b), "ERROR: test/0: again");
	ck_assert_str_eq(line(fd, b), "");
	r.last_us -= 1000000u;	/* a second later */
	log_limited(&r, EC_ERROR, "again");
	ck_assert_str_eq(line(fd, b),
	    "ERROR: test/0: again (9 more like this)");
}
END_TEST

START_TEST(fatal_exits_with_its_code)
{
	start(EC_NOTICE);
	fatal(78, "no configuration");
}
END_TEST

TCase *
tcase_log(void)
{
	TCase *t = tcase_create("log");

	tcase_add_test(t, levels_and_shape);
	tcase_add_test(t, a_long_line_is_cut);
	tcase_add_test(t, lost_lines_are_counted_until_told);
	tcase_add_test(t, repeats_are_held_back);
	tcase_add_exit_test(t, fatal_exits_with_its_code, 78);
	return t;
}
