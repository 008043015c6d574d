# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/logger/test_logline tests/logger/test_bounce_class \
	tests/logger/test_sidecar tests/logger/test_logfile \
	tests/logger/test_service
TESTS += tests/logger/test_logline tests/logger/test_bounce_class \
	tests/logger/test_sidecar tests/logger/test_logfile \
	tests/logger/test_service
tests_logger_test_logline_SOURCES = tests/logger/test_logline.c
tests_logger_test_logline_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_logline_LDADD = logger/liblogger.a $(TEST_LIBS)
tests_logger_test_bounce_class_SOURCES = tests/logger/test_bounce_class.c
tests_logger_test_bounce_class_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_bounce_class_LDADD = logger/liblogger.a $(TEST_LIBS)
tests_logger_test_sidecar_SOURCES = tests/logger/test_sidecar.c
tests_logger_test_sidecar_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_sidecar_LDADD = logger/liblogger.a $(TEST_LIBS)
tests_logger_test_logfile_SOURCES = tests/logger/test_logfile.c
tests_logger_test_logfile_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_logfile_LDADD = logger/liblogger.a $(TEST_LIBS)
tests_logger_test_service_SOURCES = tests/logger/test_service.c
tests_logger_test_service_CFLAGS = $(TEST_CFLAGS)
tests_logger_test_service_LDADD = tests/support/libharness.a \
	$(TEST_LIBS)
