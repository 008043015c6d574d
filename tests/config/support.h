/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support: what the tests of the configuration share.  Each helper fails the
 * test at hand with the messages of the loader.
 *
 *	struct config *cfg = parse_ok("Gateway = x");
 */
#ifndef TESTS_CONFIG_SUPPORT_H
#define TESTS_CONFIG_SUPPORT_H

#include "common/config/config.h"

#include <check.h>

static inline struct config *
parse_ok(const char *text)
{
	struct config_report r;
	struct config *cfg;

	config_report_init(&r);
	cfg = config_parse(slice_of(text), "t", &r);
	ck_assert_msg(cfg != NULL, "%s: %.*s", text, SLICE_ARG(r.errors));
	ck_assert_uint_eq(r.n_errors, 0);
	config_report_fini(&r);
	return cfg;
}

static inline void
assert_slice(struct slice s, const char *want)
{
	ck_assert_msg(slice_eq(s, slice_of(want)), "'%.*s' is not '%s'",
	    SLICE_ARG(s), want);
}

static inline void
assert_buf(const struct buf *b, const char *want)
{
	ck_assert_msg(slice_eq(buf_slice(b), slice_of(want)),
	    "have:\n%.*s\nwant:\n%s", SLICE_ARG(*b), want);
}

static inline int
run_suite(const char *name, const TTest *const *tests, size_t n)
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < n; i++) {
		tcase_add_test(tc, tests[i]);
	}
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

#endif
