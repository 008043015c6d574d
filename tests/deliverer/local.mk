# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_smtp_client %D%/test_deliverer %D%/test_table \
	%D%/test_deadline %D%/test_route %D%/test_reply_class %D%/test_work \
	%D%/test_hostile %D%/test_resolve_client
TESTS += %D%/test_smtp_client %D%/test_deliverer %D%/test_table \
	%D%/test_deadline %D%/test_route %D%/test_reply_class %D%/test_work \
	%D%/test_hostile %D%/test_resolve_client
%C%_test_smtp_client_SOURCES = %D%/test_smtp_client.c
%C%_test_smtp_client_CFLAGS = $(TEST_CFLAGS)
%C%_test_smtp_client_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
%C%_test_table_SOURCES = %D%/test_table.c
%C%_test_table_CFLAGS = $(TEST_CFLAGS)
%C%_test_table_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
%C%_test_deadline_SOURCES = %D%/test_deadline.c
%C%_test_deadline_CFLAGS = $(TEST_CFLAGS)
%C%_test_deadline_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
%C%_test_route_SOURCES = %D%/test_route.c
%C%_test_route_CFLAGS = $(TEST_CFLAGS)
%C%_test_route_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
%C%_test_reply_class_SOURCES = %D%/test_reply_class.c
%C%_test_reply_class_CFLAGS = $(TEST_CFLAGS)
%C%_test_reply_class_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
%C%_test_work_SOURCES = %D%/test_work.c
%C%_test_work_CFLAGS = $(TEST_CFLAGS)
%C%_test_work_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
%C%_test_resolve_client_SOURCES = %D%/test_resolve_client.c
%C%_test_resolve_client_CFLAGS = $(TEST_CFLAGS)
%C%_test_resolve_client_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
check_PROGRAMS += %D%/test_window
TESTS += %D%/test_window
%C%_test_window_SOURCES = %D%/test_window.c
%C%_test_window_CFLAGS = $(TEST_CFLAGS)
%C%_test_window_LDADD = deliverer/libdeliverer.a $(TEST_LIBS)
# The real process, with the test as supervisor, spooler, resolver and peers.
%C%_test_deliverer_SOURCES = %D%/test_deliverer.c %D%/process.c \
	%D%/process.h %D%/fake_spooler.c %D%/fake_spooler.h
%C%_test_deliverer_CFLAGS = $(TEST_CFLAGS)
%C%_test_deliverer_LDADD = tests/support/libharness.a \
	tests/support/libpeer.a deliverer/libdeliverer.a $(TEST_LIBS)
EXTRA_%C%_test_deliverer_DEPENDENCIES = deliverer/deliverer$(EXEEXT)
%C%_test_hostile_SOURCES = %D%/test_hostile.c %D%/process.c \
	%D%/process.h %D%/fake_spooler.c %D%/fake_spooler.h
%C%_test_hostile_CFLAGS = $(TEST_CFLAGS)
%C%_test_hostile_LDADD = tests/support/libharness.a \
	tests/support/libpeer.a deliverer/libdeliverer.a $(TEST_LIBS)
EXTRA_%C%_test_hostile_DEPENDENCIES = deliverer/deliverer$(EXEEXT)
