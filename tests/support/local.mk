# SPDX-License-Identifier: Apache-2.0
# Drives one real worker process (worker_harness); a scripted DNS server.
check_LIBRARIES += %D%/libharness.a
%C%_libharness_a_SOURCES = %D%/worker_harness.c %D%/worker_harness.h
%C%_libharness_a_CFLAGS = $(TEST_CFLAGS)
