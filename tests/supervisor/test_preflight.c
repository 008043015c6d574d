/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor makes of ec_check's answer. */
#include "supervisor/preflight.h"

#include <check.h>
#include <sys/socket.h>

#include "common/base/log.h"

static const struct {
	const char *answer, *sentence;	/* NULL: nothing is refused */
	unsigned n_logged;
} rows[] = {
	{ "", NULL, 0 },
	{ "warn one\nwarn two\n", NULL, 2 },
	{ "refuse no\n", "no", 0 },
	{ "refuse no\nrefuse again\nwarn x\n", "no", 2 },
	{ "warn x\nrefuse no", "no", 1 },
	{ "\n\nsomething else\n", NULL, 1 },
	{ "refused\n", NULL, 1 },
};

START_TEST(judges)
{
	struct error err = { 0 };
	char line[LOG_LINE_MAX];
	int fds[2];
	unsigned n = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	log_init("test", fds[1], EC_WARNING, false);
	ck_assert_int_eq(preflight_judge(slice_of(rows[_i].answer), &err),
	    rows[_i].sentence != NULL ? -1 : 0);
	if (rows[_i].sentence != NULL) {
		ck_assert_str_eq(err.text, rows[_i].sentence);
		ck_assert_int_eq(err.code, ERROR_CONFIG);
	}
	while (recv(fds[0], line, sizeof line, MSG_DONTWAIT) > 0) {
		n++;
	}
	ck_assert_uint_eq(n, rows[_i].n_logged);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("preflight");
	TCase *t = tcase_create("preflight");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, judges, 0, (int)ARRAY_LEN(rows));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
