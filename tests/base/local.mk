# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/base/test_base
TESTS += tests/base/test_base
tests_base_test_base_SOURCES = tests/base/test_base.c tests/base/base_tests.h \
	tests/base/test_slice.c tests/base/test_buf.c tests/base/test_num.c \
	tests/base/test_crc.c tests/base/test_fdio.c tests/base/test_scratch.c \
	tests/base/test_pool.c tests/base/test_shm.c tests/base/test_log.c \
	tests/base/test_loop.c tests/base/test_workq.c tests/base/test_wire.c \
	tests/base/test_list.c
tests_base_test_base_CFLAGS = $(TEST_CFLAGS)
tests_base_test_base_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/base/test_addr
TESTS += tests/base/test_addr
tests_base_test_addr_SOURCES = %D%/test_addr.c
tests_base_test_addr_CFLAGS = $(TEST_CFLAGS)
tests_base_test_addr_LDADD = $(TEST_LIBS)
