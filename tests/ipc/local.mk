# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/ipc/test_last_words
TESTS += tests/ipc/test_last_words
tests_ipc_test_last_words_SOURCES = tests/ipc/test_last_words.c
tests_ipc_test_last_words_CFLAGS = $(TEST_CFLAGS)
tests_ipc_test_last_words_LDADD = $(TEST_LIBS)
