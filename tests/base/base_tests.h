/* SPDX-License-Identifier: Apache-2.0 */
/* One test case a module of common/base; tests/base/test_base.c runs all. */
#ifndef EC_BASE_TESTS_H
#define EC_BASE_TESTS_H

#include <check.h>

#define BASE_TESTS(X) \
	X(slice) X(buf) X(num) X(crc) X(fdio) X(scratch) X(pool) X(shm) \
	X(log) X(loop) X(workq) X(wire) X(list)

#define X(name) TCase *tcase_##name(void);
BASE_TESTS(X)
#undef X

#endif
