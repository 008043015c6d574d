# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/fake_worker %D%/test_process_table %D%/test_adoption \
	%D%/test_listen_socks %D%/test_places %D%/test_generation
TESTS += %D%/test_process_table %D%/test_adoption %D%/test_listen_socks \
	%D%/test_places %D%/test_generation
tests_supervisor_fake_worker_SOURCES = %D%/fake_worker.c
tests_supervisor_fake_worker_LDADD = $(COMMON_LIBS)

tests_supervisor_test_process_table_SOURCES = %D%/test_process_table.c
tests_supervisor_test_process_table_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_process_table_LDADD = \
	supervisor/libsupervisor.a $(TEST_LIBS)
tests_supervisor_test_adoption_SOURCES = %D%/test_adoption.c
tests_supervisor_test_adoption_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_adoption_LDADD = supervisor/libsupervisor.a $(TEST_LIBS)
tests_supervisor_test_listen_socks_SOURCES = %D%/test_listen_socks.c
tests_supervisor_test_listen_socks_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_listen_socks_LDADD = \
	supervisor/libsupervisor.a $(TEST_LIBS)
tests_supervisor_test_places_SOURCES = %D%/test_places.c
tests_supervisor_test_places_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_places_LDADD = supervisor/libsupervisor.a $(TEST_LIBS)
tests_supervisor_test_generation_SOURCES = %D%/test_generation.c
tests_supervisor_test_generation_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_generation_LDADD = \
	supervisor/libsupervisor.a $(TEST_LIBS)

# The real supervisor with fake workers.
dist_check_SCRIPTS += %D%/test_supervisor.sh
EXTRA_DIST += %D%/test_supervisor.py
TESTS += %D%/test_supervisor.sh

# The skeleton of workers under a harness that plays the supervisor.
check_PROGRAMS += %D%/test_refused_start
TESTS += %D%/test_refused_start
tests_supervisor_test_refused_start_SOURCES = %D%/test_refused_start.c
tests_supervisor_test_refused_start_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_refused_start_LDADD = \
	tests/support/libharness.a $(TEST_LIBS)
EXTRA_tests_supervisor_test_refused_start_DEPENDENCIES = \
	tests/supervisor/fake_worker$(EXEEXT)
check_PROGRAMS += %D%/test_preflight
TESTS += %D%/test_preflight
tests_supervisor_test_preflight_SOURCES = %D%/test_preflight.c
tests_supervisor_test_preflight_CFLAGS = $(TEST_CFLAGS)
tests_supervisor_test_preflight_LDADD = \
	supervisor/libsupervisor.a $(TEST_LIBS)
