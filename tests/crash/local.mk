# SPDX-License-Identifier: Apache-2.0
# kill -9 of any process under load.  ROUNDS and SEED can be set.
ROUNDS = 200
EXTRA_DIST += %D%/check-kill

.PHONY: check-kill
check-kill: all
	$(AM_V_at)/usr/bin/python3 $(srcdir)/%D%/check-kill \
		--build $(abs_builddir) --rounds $(ROUNDS) \
		$${SEED:+--seed $$SEED}

# Power cuts under load, and builds with one sync removed that must be caught.
# CUTS, SEED and POWER_FLAGS can be set.  Needs root, loop devices and FUSE;
# says SKIP where there is none.
CUTS = 200
EXTRA_DIST += %D%/check-power %D%/power_disk.py %D%/power_judge.py
EXTRA_PROGRAMS =
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
