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
	tests/listener/rig.c tests/listener/rig.h \
	tests/listener/fake_spooler.c tests/listener/fake_spooler.h \
	tests/listener/talker.c tests/listener/talker.h
tests_listener_test_listener_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_listener_LDADD = tests/support/libharness.a $(TEST_LIBS)
EXTRA_tests_listener_test_listener_DEPENDENCIES = listener/listener$(EXEEXT)
check_PROGRAMS += tests/listener/test_soak tests/listener/test_mend
TESTS += tests/listener/test_soak tests/listener/test_mend
tests_listener_test_soak_SOURCES = tests/listener/test_soak.c \
	tests/listener/fake_spooler.c tests/listener/talker.c
tests_listener_test_soak_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_soak_LDADD = tests/support/libharness.a $(TEST_LIBS)
EXTRA_tests_listener_test_soak_DEPENDENCIES = listener/listener$(EXEEXT)
tests_listener_test_mend_SOURCES = tests/listener/test_mend.c
tests_listener_test_mend_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_mend_LDADD = listener/liblistener.a $(TEST_LIBS)
check_PROGRAMS += tests/listener/test_store
TESTS += tests/listener/test_store
tests_listener_test_store_SOURCES = tests/listener/test_store.c \
	tests/listener/rig.c tests/listener/fake_spooler.c \
	tests/listener/talker.c
tests_listener_test_store_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_store_LDADD = tests/support/libharness.a $(TEST_LIBS)
EXTRA_tests_listener_test_store_DEPENDENCIES = listener/listener$(EXEEXT)

check_PROGRAMS += tests/listener/test_large
TESTS += tests/listener/test_large
tests_listener_test_large_SOURCES = tests/listener/test_large.c \
	tests/listener/rig.c tests/listener/fake_spooler.c \
	tests/listener/talker.c
tests_listener_test_large_CFLAGS = $(TEST_CFLAGS)
tests_listener_test_large_LDADD = tests/support/libharness.a $(TEST_LIBS)
EXTRA_tests_listener_test_large_DEPENDENCIES = listener/listener$(EXEEXT)
