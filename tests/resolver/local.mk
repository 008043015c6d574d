# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_dns_msg %D%/test_dns_cache %D%/test_mx \
	%D%/test_lookup %D%/test_resolver
TESTS += %D%/test_dns_msg %D%/test_dns_cache %D%/test_mx %D%/test_lookup \
	%D%/test_resolver
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
%C%_test_dns_msg_SOURCES = %D%/test_dns_msg.c
%C%_test_dns_msg_CFLAGS = $(TEST_CFLAGS)
%C%_test_dns_msg_LDADD = resolver/libresolver.a $(TEST_LIBS)
%C%_test_dns_cache_SOURCES = %D%/test_dns_cache.c
%C%_test_dns_cache_CFLAGS = $(TEST_CFLAGS)
%C%_test_dns_cache_LDADD = resolver/libresolver.a $(TEST_LIBS)
%C%_test_mx_SOURCES = %D%/test_mx.c
%C%_test_mx_CFLAGS = $(TEST_CFLAGS)
%C%_test_mx_LDADD = resolver/libresolver.a $(TEST_LIBS)
# A deliverer's questions from the command line, for check-resolver.
check_PROGRAMS += %D%/ask
%C%_ask_SOURCES = %D%/ask.c
%C%_ask_CFLAGS = $(TEST_CFLAGS)
%C%_ask_LDADD = tests/support/libharness.a $(TEST_LIBS)

EXTRA_DIST += %D%/check-resolver.sh
.PHONY: check-resolver
check-resolver: %D%/ask resolver/resolver
	$(SHELL) $(srcdir)/tests/resolver/check-resolver.sh \
		tests/resolver/ask resolver/resolver
