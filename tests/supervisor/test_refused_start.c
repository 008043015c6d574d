/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that cannot start says why, and does nothing else on its way out. */
#include <check.h>
#include <limits.h>
#include <sys/wait.h>

#include "common/base/fdio.h"
#include "tests/support/worker_harness.h"

#define PATIENCE_US 8000000u

/* A reload comes while it starts: both configurations wait in its socket. */
START_TEST(a_reload_during_the_start)
{
	char dir[] = "/tmp/ec-refused-XXXXXX", real[PATH_MAX];
	char program[64], events[64];
	struct loop *loop = loop_create();
	struct worker_harness h;
	struct error err = { 0 };
	struct buf seen;
	int status;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(realpath("tests/supervisor/fake_worker", real));
	snprintf(program, sizeof program, "%s/spooler", dir);
	snprintf(events, sizeof events, "%s/events", dir);
	ck_assert_int_eq(symlink(real, program), 0);
	setenv("FAKE_EVENTS", events, 1);
	setenv("FAKE_REFUSE", "spooler/0:71:not today", 1);
	ck_assert_msg(worker_harness_start(&h, loop, program, ROLE_SPOOLER, 0,
	    SLICE("Listeners = 1\n"), &err) == 0, "%s", err.text);
	ck_assert_int_eq(worker_harness_config(&h, SLICE("Listeners = 2\n"),
	    &err), 0);
	ck_assert(worker_harness_wait(&h, PATIENCE_US, worker_harness_is_gone,
	    &h));
	ck_assert_int_eq(h.failed_code, 71);
	status = worker_harness_stop(&h, PATIENCE_US);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 71);
	buf_init(&seen, 65536);
	ck_assert_msg(fdio_slurp(events, &seen, &err) == 0, "%s", err.text);
	ck_assert_msg(seen.len == 0, "%.*s", SLICE_ARG(buf_slice(&seen)));
	buf_fini(&seen);
	unlink(events);
	unlink(program);
	rmdir(dir);
	loop_destroy(&loop);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("refused_start");
	TCase *t = tcase_create("refused_start");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 20);
	tcase_add_test(t, a_reload_during_the_start);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
