# SPDX-License-Identifier: Apache-2.0
CONSOLE_TEST_LIBS = console/libconsole.a $(TEST_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += %D%/test_request
TESTS += %D%/test_request
%C%_test_request_SOURCES = %D%/test_request.c
%C%_test_request_CFLAGS = $(TEST_CFLAGS)
%C%_test_request_LDADD = $(CONSOLE_TEST_LIBS)

check_PROGRAMS += %D%/test_answer
TESTS += %D%/test_answer
%C%_test_answer_SOURCES = %D%/test_answer.c
%C%_test_answer_CFLAGS = $(TEST_CFLAGS)
%C%_test_answer_LDADD = $(CONSOLE_TEST_LIBS)

check_PROGRAMS += %D%/test_clients
TESTS += %D%/test_clients
%C%_test_clients_SOURCES = %D%/test_clients.c
%C%_test_clients_CFLAGS = $(TEST_CFLAGS)
%C%_test_clients_LDADD = $(CONSOLE_TEST_LIBS)

check_PROGRAMS += %D%/test_console
TESTS += %D%/test_console
%C%_test_console_SOURCES = %D%/test_console.c
%C%_test_console_CFLAGS = $(TEST_CFLAGS)
%C%_test_console_LDADD = tests/support/libharness.a $(TEST_LIBS)
# It runs both programs.
EXTRA_%C%_test_console_DEPENDENCIES = console/console$(EXEEXT) \
	helpers/ec_console$(EXEEXT)
