# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_lookup
TESTS += %D%/test_lookup
%C%_test_lookup_SOURCES = %D%/test_lookup.c
%C%_test_lookup_CFLAGS = $(TEST_CFLAGS)
%C%_test_lookup_LDADD = tests/support/libfakedns.a resolver/libresolver.a \
	$(TEST_LIBS) $(UDNS_LIBS)
