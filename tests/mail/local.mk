# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/mail/test_formats
TESTS += tests/mail/test_formats
tests_mail_test_formats_SOURCES = tests/mail/test_formats.c \
	tests/mail/format_tests.h tests/mail/test_msgid.c \
	tests/mail/test_envelope.c tests/mail/test_event.c \
	tests/mail/test_esc.c tests/mail/test_date.c \
	tests/mail/test_received.c tests/mail/test_mime_scan.c \
	tests/mail/test_reject.c
tests_mail_test_formats_CFLAGS = $(TEST_CFLAGS)
tests_mail_test_formats_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/mail/test_smtp_line tests/mail/test_dot \
	tests/mail/test_reply tests/mail/test_address
TESTS += tests/mail/test_smtp_line tests/mail/test_dot \
	tests/mail/test_reply tests/mail/test_address
tests_mail_test_smtp_line_SOURCES = tests/mail/test_smtp_line.c
tests_mail_test_smtp_line_CFLAGS = $(TEST_CFLAGS)
tests_mail_test_smtp_line_LDADD = $(TEST_LIBS)
tests_mail_test_dot_SOURCES = tests/mail/test_dot.c
tests_mail_test_dot_CFLAGS = $(TEST_CFLAGS)
tests_mail_test_dot_LDADD = $(TEST_LIBS)
tests_mail_test_reply_SOURCES = tests/mail/test_reply.c
tests_mail_test_reply_CFLAGS = $(TEST_CFLAGS)
tests_mail_test_reply_LDADD = $(TEST_LIBS)
tests_mail_test_address_SOURCES = tests/mail/test_address.c
tests_mail_test_address_CFLAGS = $(TEST_CFLAGS)
tests_mail_test_address_LDADD = $(TEST_LIBS)
