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
