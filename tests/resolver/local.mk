# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_lookup %D%/test_resolver
TESTS += %D%/test_lookup %D%/test_resolver
%C%_test_lookup_SOURCES = %D%/test_lookup.c
%C%_test_lookup_CFLAGS = $(TEST_CFLAGS)
%C%_test_lookup_LDADD = tests/support/libfakedns.a resolver/libresolver.a \
	$(TEST_LIBS) $(UDNS_LIBS)
# Runs the real program, in the build directory.
%C%_test_resolver_SOURCES = %D%/test_resolver.c
%C%_test_resolver_CFLAGS = $(TEST_CFLAGS)
%C%_test_resolver_LDADD = tests/support/libfakedns.a \
	tests/support/libharness.a resolver/libresolver.a $(TEST_LIBS) \
	$(UDNS_LIBS)
