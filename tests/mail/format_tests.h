/* SPDX-License-Identifier: Apache-2.0 */
/* One test case a module; tests/mail/test_formats.c runs all. */
#ifndef EC_FORMAT_TESTS_H
#define EC_FORMAT_TESTS_H

#include <check.h>

#define FORMAT_TESTS(X) \
	X(msgid) X(envelope) X(event) X(esc) X(date) X(received) X(mime_scan) \
	X(reject)

#define X(name) TCase *tcase_##name(void);
FORMAT_TESTS(X)
#undef X

#endif
