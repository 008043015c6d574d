# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/config/test_grammar tests/config/test_fallback \
	tests/config/test_value
TESTS += tests/config/test_grammar tests/config/test_fallback \
	tests/config/test_value
tests_config_test_grammar_SOURCES = %D%/test_grammar.c %D%/support.h
tests_config_test_grammar_CFLAGS = $(TEST_CFLAGS)
tests_config_test_grammar_LDADD = $(TEST_LIBS)
tests_config_test_fallback_SOURCES = %D%/test_fallback.c %D%/support.h
tests_config_test_fallback_CFLAGS = $(TEST_CFLAGS)
tests_config_test_fallback_LDADD = $(TEST_LIBS)
tests_config_test_value_SOURCES = %D%/test_value.c %D%/support.h
tests_config_test_value_CFLAGS = $(TEST_CFLAGS)
tests_config_test_value_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/config/test_load
TESTS += tests/config/test_load
tests_config_test_load_SOURCES = %D%/test_load.c %D%/support.h
tests_config_test_load_CFLAGS = $(TEST_CFLAGS)
tests_config_test_load_LDADD = $(TEST_LIBS)
dist_check_SCRIPTS += tests/config/check-config-doc \
	tests/config/check-config-errors
TESTS += tests/config/check-config-doc tests/config/check-config-errors
