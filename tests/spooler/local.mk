# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/spooler/test_dsn tests/spooler/dsn_dump
TESTS += tests/spooler/test_dsn tests/spooler/check_dsn
dist_check_SCRIPTS += tests/spooler/check_dsn
tests_spooler_test_dsn_SOURCES = tests/spooler/test_dsn.c \
	tests/spooler/dsn_cases.h
tests_spooler_test_dsn_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_dsn_LDADD = spooler/libspooler.a $(TEST_LIBS)
tests_spooler_dsn_dump_SOURCES = tests/spooler/dsn_dump.c \
	tests/spooler/dsn_cases.h
tests_spooler_dsn_dump_LDADD = spooler/libspooler.a $(COMMON_LIBS)
check_PROGRAMS += tests/spooler/test_journal
TESTS += tests/spooler/test_journal
tests_spooler_test_journal_SOURCES = tests/spooler/test_journal.c \
	tests/spooler/journal_rig.c tests/spooler/journal_rig.h \
	tests/spooler/temp_dir.h
tests_spooler_test_journal_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_journal_LDADD = spooler/libspooler.a \
	tests/support/libcrashfs.a $(TEST_LIBS)
check_PROGRAMS += tests/spooler/test_journal_rec tests/spooler/test_lease
TESTS += tests/spooler/test_journal_rec tests/spooler/test_lease
tests_spooler_test_journal_rec_SOURCES = tests/spooler/test_journal_rec.c
tests_spooler_test_journal_rec_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_journal_rec_LDADD = spooler/libspooler.a $(TEST_LIBS)
tests_spooler_test_lease_SOURCES = tests/spooler/test_lease.c
tests_spooler_test_lease_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_lease_LDADD = spooler/libspooler.a \
	tests/support/libcrashfs.a $(TEST_LIBS)
check_PROGRAMS += tests/spooler/test_queue tests/spooler/test_store
TESTS += tests/spooler/test_queue tests/spooler/test_store
tests_spooler_test_queue_SOURCES = tests/spooler/test_queue.c
tests_spooler_test_queue_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_queue_LDADD = spooler/libspooler.a $(TEST_LIBS)
tests_spooler_test_store_SOURCES = tests/spooler/test_store.c
tests_spooler_test_store_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_store_LDADD = spooler/libspooler.a \
	tests/support/libcrashfs.a $(TEST_LIBS)
# The real process, with the test as supervisor and all its peers.
spooler_rig = tests/spooler/rig.c tests/spooler/rig.h \
	tests/spooler/fake_listener.c tests/spooler/fake_deliverer.c
spooler_steps = tests/spooler/steps.c tests/spooler/steps.h $(spooler_rig)
check_PROGRAMS += tests/spooler/test_spooler tests/spooler/test_spooler_soak
TESTS += tests/spooler/test_spooler tests/spooler/test_spooler_soak
tests_spooler_test_spooler_SOURCES = tests/spooler/test_spooler.c \
	$(spooler_steps)
tests_spooler_test_spooler_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_spooler_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_spooler_DEPENDENCIES = spooler/spooler$(EXEEXT)
check_PROGRAMS += tests/spooler/test_spooler_kill
TESTS += tests/spooler/test_spooler_kill
tests_spooler_test_spooler_kill_SOURCES = tests/spooler/test_spooler_kill.c \
	$(spooler_steps)
tests_spooler_test_spooler_kill_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_spooler_kill_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_spooler_kill_DEPENDENCIES = \
	spooler/spooler$(EXEEXT)
check_PROGRAMS += tests/spooler/test_spooler_disk
TESTS += tests/spooler/test_spooler_disk
tests_spooler_test_spooler_disk_SOURCES = tests/spooler/test_spooler_disk.c \
	$(spooler_steps)
tests_spooler_test_spooler_disk_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_spooler_disk_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_spooler_disk_DEPENDENCIES = \
	spooler/spooler$(EXEEXT)
tests_spooler_test_spooler_soak_SOURCES = tests/spooler/test_spooler_soak.c \
	$(spooler_rig)
tests_spooler_test_spooler_soak_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_spooler_soak_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_spooler_soak_DEPENDENCIES = spooler/spooler$(EXEEXT)

.PHONY: check-spooler-soak
check-spooler-soak: tests/spooler/test_spooler_soak
	$(AM_V_at)EC_SOAK_SECONDS=$${SECONDS:-60} \
		tests/spooler/test_spooler_soak
check_PROGRAMS += tests/spooler/test_checkpoint
TESTS += tests/spooler/test_checkpoint
tests_spooler_test_checkpoint_SOURCES = tests/spooler/test_checkpoint.c \
	$(spooler_rig)
tests_spooler_test_checkpoint_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_checkpoint_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_checkpoint_DEPENDENCIES = spooler/spooler$(EXEEXT)
check_PROGRAMS += tests/spooler/test_large
TESTS += tests/spooler/test_large
tests_spooler_test_large_SOURCES = tests/spooler/test_large.c $(spooler_rig)
tests_spooler_test_large_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_large_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_large_DEPENDENCIES = spooler/spooler$(EXEEXT)
check_PROGRAMS += tests/spooler/test_poison
TESTS += tests/spooler/test_poison
tests_spooler_test_poison_SOURCES = tests/spooler/test_poison.c \
	$(spooler_rig)
tests_spooler_test_poison_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_poison_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_poison_DEPENDENCIES = spooler/spooler$(EXEEXT)
check_PROGRAMS += tests/spooler/test_replay_guard
TESTS += tests/spooler/test_replay_guard
tests_spooler_test_replay_guard_SOURCES = tests/spooler/test_replay_guard.c \
	$(spooler_rig)
tests_spooler_test_replay_guard_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_replay_guard_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_replay_guard_DEPENDENCIES = spooler/spooler$(EXEEXT)
check_PROGRAMS += tests/spooler/test_engines
TESTS += tests/spooler/test_engines
tests_spooler_test_engines_SOURCES = tests/spooler/test_engines.c \
	$(spooler_rig)
tests_spooler_test_engines_CFLAGS = $(TEST_CFLAGS)
tests_spooler_test_engines_LDADD = tests/support/libharness.a \
	spooler/libspooler.a $(TEST_LIBS)
EXTRA_tests_spooler_test_engines_DEPENDENCIES = spooler/spooler$(EXEEXT)
