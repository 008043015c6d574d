/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test cases of common/base. */
#include "common/base/base.h"
#include "tests/base/base_tests.h"

int
main(void)
{
	Suite *s = suite_create("base");
	SRunner *r;
	int failed;

#define X(name) suite_add_tcase(s, tcase_##name());
	BASE_TESTS(X)
#undef X
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
