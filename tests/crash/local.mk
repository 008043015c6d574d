# SPDX-License-Identifier: Apache-2.0
# kill -9 of any process under load.  ROUNDS, SEED and KILL_FLAGS can be set.
ROUNDS = 200
EXTRA_DIST += %D%/check-kill %D%/kill_judge.py

.PHONY: check-kill
check-kill: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-kill \
		--build $(abs_builddir) --rounds $(ROUNDS) \
		$${SEED:+--seed $$SEED} $(KILL_FLAGS)

# A message that kills its deliverer, among others; with so many deliverers.
POISON_DELIVERERS = 2 1
EXTRA_DIST += %D%/check-poison
.PHONY: check-poison
check-poison: all
	$(AM_V_at)for n in $(POISON_DELIVERERS); do \
		/usr/bin/python3 $(srcdir)/%D%/check-poison \
			--build $(abs_builddir) --deliverers $$n || exit 1; \
	done

# Power loss at every point, failing calls, and the controls that prove it.
# STATES, FAILS, SEED, CRASH_MUTANTS and CRASH_CONTROLS can be set.
STATES = 10000
FAILS = 2000
CRASH_MUTANTS = $(crash_mutants)
CRASH_CONTROLS = --controls
crash_matrix_sources = %D%/crash_matrix.c %D%/matrix.c %D%/matrix.h \
	%D%/runs.c %D%/runs.h %D%/script.c %D%/script.h %D%/peers.c \
	%D%/peers.h %D%/ledger.c %D%/ledger.h %D%/world.c %D%/world.h \
	%D%/world_loop.c %D%/harm.c %D%/harm.h \
	%D%/pretend.c %D%/pretend.h
crash_matrix_ldflags = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime \
	-Wl,--wrap=arc4random -Wl,--wrap=fs_sync_fs_tells
crash_matrix_ldadd = spooler/libspooler.a tests/support/libcrashfs.a \
	$(COMMON_LIBS)
# Builds of it with one sync taken out of the spooler's source; by_file: one
# that is made only where the store is synced file by file.
crash_mutants = %D%/no_commit_sync \
	%D%/no_settle_sync \
	%D%/no_remove_sync \
	%D%/no_checkpoint_sync \
	%D%/no_checkpoint_dir_sync \
	%D%/by_file_no_data_sync \
	%D%/by_file_no_dir_sync
EXTRA_PROGRAMS += %D%/crash_matrix $(crash_mutants)
CLEANFILES += %D%/crash_matrix$(EXEEXT) $(crash_mutants) \
	%D%/mutant_commit.c \
	%D%/mutant_settle.c \
	%D%/mutant_remove.c \
	%D%/mutant_checkpoint.c \
	%D%/mutant_checkpoint_dir.c \
	%D%/mutant_data.c \
	%D%/mutant_dir.c
EXTRA_DIST += %D%/mutate
%C%_crash_matrix_SOURCES = $(crash_matrix_sources)
%C%_crash_matrix_LDFLAGS = $(crash_matrix_ldflags)
%C%_crash_matrix_LDADD = $(crash_matrix_ldadd)
nodist_%C%_no_commit_sync_SOURCES = %D%/mutant_commit.c
%C%_no_commit_sync_SOURCES = $(crash_matrix_sources)
%C%_no_commit_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_no_commit_sync_LDADD = $(crash_matrix_ldadd)
nodist_%C%_no_settle_sync_SOURCES = %D%/mutant_settle.c
%C%_no_settle_sync_SOURCES = $(crash_matrix_sources)
%C%_no_settle_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_no_settle_sync_LDADD = $(crash_matrix_ldadd)
nodist_%C%_no_remove_sync_SOURCES = %D%/mutant_remove.c
%C%_no_remove_sync_SOURCES = $(crash_matrix_sources)
%C%_no_remove_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_no_remove_sync_LDADD = $(crash_matrix_ldadd)
nodist_%C%_no_checkpoint_sync_SOURCES = %D%/mutant_checkpoint.c
%C%_no_checkpoint_sync_SOURCES = $(crash_matrix_sources)
%C%_no_checkpoint_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_no_checkpoint_sync_LDADD = $(crash_matrix_ldadd)
nodist_%C%_no_checkpoint_dir_sync_SOURCES = %D%/mutant_checkpoint_dir.c
%C%_no_checkpoint_dir_sync_SOURCES = $(crash_matrix_sources)
%C%_no_checkpoint_dir_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_no_checkpoint_dir_sync_LDADD = $(crash_matrix_ldadd)
nodist_%C%_by_file_no_data_sync_SOURCES = %D%/mutant_data.c
%C%_by_file_no_data_sync_SOURCES = $(crash_matrix_sources)
%C%_by_file_no_data_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_by_file_no_data_sync_LDADD = $(crash_matrix_ldadd)
nodist_%C%_by_file_no_dir_sync_SOURCES = %D%/mutant_dir.c
%C%_by_file_no_dir_sync_SOURCES = $(crash_matrix_sources)
%C%_by_file_no_dir_sync_LDFLAGS = $(crash_matrix_ldflags)
%C%_by_file_no_dir_sync_LDADD = $(crash_matrix_ldadd)

%D%/mutant_commit.c: spooler/journal.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate batch_run 2 $(srcdir)/spooler/journal.c $@
%D%/mutant_settle.c: spooler/settle.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate round_run 1 $(srcdir)/spooler/settle.c $@
%D%/mutant_remove.c: spooler/settle.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate removal_run 1 $(srcdir)/spooler/settle.c $@
%D%/mutant_checkpoint.c: spooler/checkpoint.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate finish_file 1 $(srcdir)/spooler/checkpoint.c $@
%D%/mutant_checkpoint_dir.c: spooler/checkpoint.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate finish_file 2 $(srcdir)/spooler/checkpoint.c $@
%D%/mutant_data.c: spooler/store.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate write_file 1 $(srcdir)/spooler/store.c $@
%D%/mutant_dir.c: spooler/store.c %D%/mutate
	$(AM_V_GEN)$(srcdir)/%D%/mutate store_sync 1 $(srcdir)/spooler/store.c $@

.PHONY: check-crash
check-crash: %D%/crash_matrix$(EXEEXT) $(CRASH_MUTANTS)
	$(AM_V_at)%D%/crash_matrix --states=$(STATES) --fails=$(FAILS) \
		$${SEED:+--seed=$$SEED} $(CRASH_CONTROLS) $(CRASH_MUTANTS)
# Power cuts under load, and builds with one sync removed that must be caught.
# CUTS, SEED and POWER_FLAGS can be set.  Needs root, loop devices and FUSE;
# says SKIP where there is none.
CUTS = 200
EXTRA_DIST += %D%/check-power %D%/power_disk.py %D%/power_judge.py
power_programs = %D%/power_cut$(EXEEXT) %D%/spooler-no-journal-sync$(EXEEXT) \
	%D%/spooler-no-dir-sync$(EXEEXT) %D%/spooler-no-store-sync$(EXEEXT)
EXTRA_PROGRAMS += %D%/power_cut %D%/spooler-no-journal-sync \
	%D%/spooler-no-dir-sync %D%/spooler-no-store-sync
%C%_power_cut_SOURCES = %D%/power_cut.c
%C%_spooler_no_journal_sync_SOURCES = spooler/main.c spooler/fs.c
%C%_spooler_no_journal_sync_CPPFLAGS = $(AM_CPPFLAGS) -DEC_TEST_DROP_SYNC=1
%C%_spooler_no_journal_sync_LDADD = spooler/libspooler.a $(COMMON_LIBS)
%C%_spooler_no_dir_sync_SOURCES = spooler/main.c spooler/fs.c
%C%_spooler_no_dir_sync_CPPFLAGS = $(AM_CPPFLAGS) -DEC_TEST_DROP_SYNC=2
%C%_spooler_no_dir_sync_LDADD = spooler/libspooler.a $(COMMON_LIBS)
%C%_spooler_no_store_sync_SOURCES = spooler/main.c spooler/fs.c
%C%_spooler_no_store_sync_CPPFLAGS = $(AM_CPPFLAGS) -DEC_TEST_DROP_SYNC=3
%C%_spooler_no_store_sync_LDADD = spooler/libspooler.a $(COMMON_LIBS)
# Distributed with or without the library.
EXTRA_DIST += %D%/fuse_disk.c
if HAVE_FUSE
power_programs += %D%/fuse_disk$(EXEEXT)
EXTRA_PROGRAMS += %D%/fuse_disk
%C%_fuse_disk_SOURCES = %D%/fuse_disk.c
%C%_fuse_disk_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
%C%_fuse_disk_LDADD = $(COMMON_LIBS) $(FUSE_LIBS)
endif
CLEANFILES += $(power_programs)

.PHONY: check-power
check-power: all $(power_programs)
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-power \
		--build $(abs_builddir) --cuts $(CUTS) \
		$${SEED:+--seed $$SEED} $(POWER_FLAGS) || \
		{ status=$$?; test $$status = 77 || exit $$status; }
