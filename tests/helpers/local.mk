# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/helpers/test_spool_import
TESTS += tests/helpers/test_spool_import
tests_helpers_test_spool_import_SOURCES = %D%/test_spool_import.c
tests_helpers_test_spool_import_CFLAGS = $(TEST_CFLAGS)
tests_helpers_test_spool_import_LDADD = helpers/libspooltools.a $(TEST_LIBS)
check_PROGRAMS += tests/helpers/test_spool_tools
TESTS += tests/helpers/test_spool_tools
tests_helpers_test_spool_tools_SOURCES = %D%/test_spool_tools.c
tests_helpers_test_spool_tools_CFLAGS = $(TEST_CFLAGS)
tests_helpers_test_spool_tools_LDADD = helpers/libspooltools.a $(TEST_LIBS)
