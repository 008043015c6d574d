# SPDX-License-Identifier: Apache-2.0
# ec_check on described machines; real file systems are check-preflight's.
PREFLIGHT_LIBS = helpers/libpreflight.a $(TEST_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/preflight/test_proc_text tests/preflight/test_judge \
	tests/preflight/test_trees
TESTS += tests/preflight/test_proc_text tests/preflight/test_judge \
	tests/preflight/test_trees
tests_preflight_test_proc_text_SOURCES = %D%/test_proc_text.c
tests_preflight_test_proc_text_CFLAGS = $(TEST_CFLAGS)
tests_preflight_test_proc_text_LDADD = $(PREFLIGHT_LIBS)
tests_preflight_test_judge_SOURCES = %D%/test_judge.c
tests_preflight_test_judge_CFLAGS = $(TEST_CFLAGS)
tests_preflight_test_judge_LDADD = $(PREFLIGHT_LIBS)
tests_preflight_test_trees_SOURCES = %D%/test_trees.c %D%/tree.c %D%/tree.h
tests_preflight_test_trees_CFLAGS = $(TEST_CFLAGS)
tests_preflight_test_trees_LDADD = $(PREFLIGHT_LIBS)
EXTRA_DIST += %D%/trees
