# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/spool/test_segment_reader tests/spool/test_lease_file
TESTS += tests/spool/test_segment_reader tests/spool/test_lease_file
tests_spool_test_segment_reader_SOURCES = %D%/test_segment_reader.c
tests_spool_test_segment_reader_CFLAGS = $(TEST_CFLAGS)
tests_spool_test_segment_reader_LDADD = $(TEST_LIBS)
tests_spool_test_lease_file_SOURCES = %D%/test_lease_file.c
tests_spool_test_lease_file_CFLAGS = $(TEST_CFLAGS)
tests_spool_test_lease_file_LDADD = $(TEST_LIBS)
