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
# The real process, with the test as supervisor, spooler, logger and clients.
check_PROGRAMS += tests/listener/test_listener
TESTS += tests/listener/test_listener
tests_listener_test_listener_SOURCES = tests/listener/test_listener.c \
	tests/listener/fake_spooler.c tests/listener/fake_spooler.h \
	tests/listener/talker.c tests/listener/talker.h
tests_listener_test_listener_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_listener_LDADD = tests/support/libharness.a $(TEST_LIBS)
EXTRA_tests_listener_test_listener_DEPENDENCIES = listener/listener$(EXEEXT)
