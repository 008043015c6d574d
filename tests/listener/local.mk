# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/listener/test_smtp_command \
	tests/listener/test_smtp_session
TESTS += tests/listener/test_smtp_command tests/listener/test_smtp_session
tests_listener_test_smtp_command_SOURCES = tests/listener/test_smtp_command.c
tests_listener_test_smtp_command_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_smtp_command_LDADD = listener/liblistener.a $(TEST_LIBS)
tests_listener_test_smtp_session_SOURCES = tests/listener/test_smtp_session.c
tests_listener_test_smtp_session_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_smtp_session_LDADD = listener/liblistener.a $(TEST_LIBS)
