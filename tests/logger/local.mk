# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/logger/test_logline tests/logger/test_bounce_class \
	tests/logger/test_sidecar
TESTS += tests/logger/test_logline tests/logger/test_bounce_class \
	tests/logger/test_sidecar
tests_logger_test_logline_SOURCES = tests/logger/test_logline.c
tests_logger_test_logline_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_logline_LDADD = logger/liblogger.a $(TEST_LIBS)
tests_logger_test_bounce_class_SOURCES = tests/logger/test_bounce_class.c
tests_logger_test_bounce_class_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_bounce_class_LDADD = logger/liblogger.a $(TEST_LIBS)
tests_logger_test_sidecar_SOURCES = tests/logger/test_sidecar.c
tests_logger_test_sidecar_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_sidecar_LDADD = logger/liblogger.a $(TEST_LIBS)
