# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/ipc/test_last_words
TESTS += tests/ipc/test_last_words
tests_ipc_test_last_words_SOURCES = tests/ipc/test_last_words.c
tests_ipc_test_last_words_CFLAGS = $(TEST_CFLAGS)
tests_ipc_test_last_words_LDADD = $(TEST_LIBS)
check_PROGRAMS += %D%/test_ipc %D%/test_arena
TESTS += %D%/test_ipc %D%/test_arena
%C%_test_ipc_SOURCES = %D%/test_ipc.c
%C%_test_ipc_CFLAGS = $(TEST_CFLAGS)
%C%_test_ipc_LDADD = $(TEST_LIBS)
%C%_test_arena_SOURCES = %D%/test_arena.c
%C%_test_arena_CFLAGS = $(TEST_CFLAGS)
%C%_test_arena_LDADD = $(TEST_LIBS)
