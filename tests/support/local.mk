# SPDX-License-Identifier: Apache-2.0
# Drives one real worker process; a scripted DNS server.
check_LIBRARIES += %D%/libharness.a %D%/libfakedns.a
%C%_libharness_a_SOURCES = %D%/worker_harness.c %D%/worker_harness.h
%C%_libharness_a_CFLAGS = $(TEST_CFLAGS)
%C%_libfakedns_a_SOURCES = %D%/fake_dns.c %D%/fake_dns.h
%C%_libfakedns_a_CFLAGS = $(TEST_CFLAGS)
