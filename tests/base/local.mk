# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/base/test_addr
TESTS += tests/base/test_addr
tests_base_test_addr_SOURCES = %D%/test_addr.c
tests_base_test_addr_CFLAGS = $(TEST_CFLAGS)
tests_base_test_addr_LDADD = $(TEST_LIBS)
