# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/spooler/test_dsn tests/spooler/dsn_dump
TESTS += tests/spooler/test_dsn tests/spooler/check_dsn
dist_check_SCRIPTS += tests/spooler/check_dsn
tests_spooler_test_dsn_SOURCES = tests/spooler/test_dsn.c \
	tests/spooler/dsn_cases.h
tests_spooler_test_dsn_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_dsn_LDADD = spooler/libspooler.a $(TEST_LIBS)
tests_spooler_dsn_dump_SOURCES = tests/spooler/dsn_dump.c \
	tests/spooler/dsn_cases.h
tests_spooler_dsn_dump_LDADD = spooler/libspooler.a $(COMMON_LIBS)
