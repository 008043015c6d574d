# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += spooler/libspooler.a
spooler_libspooler_a_SOURCES = spooler/spooler.h
spooler_libspooler_a_SOURCES += spooler/dsn.c spooler/dsn.h
spooler_libspooler_a_SOURCES += spooler/dsn_field.c spooler/dsn_field.h
spooler_libspooler_a_SOURCES += spooler/fs.c spooler/fs.h
spooler_libspooler_a_SOURCES += spooler/journal.c spooler/journal.h
spooler_libspooler_a_SOURCES += spooler/segments.c spooler/segments.h \
	spooler/segments_open.c
spooler_libspooler_a_SOURCES += spooler/segment_image.c \
	spooler/segment_image.h
spooler_libspooler_a_SOURCES += spooler/replay_scan.c spooler/replay_scan.h
spooler_libspooler_a_SOURCES += spooler/import.c
spooler_libspooler_a_SOURCES += spooler/index.c spooler/index.h
spooler_libspooler_a_SOURCES += spooler/lease.c spooler/lease.h
spooler_libspooler_a_SOURCES += spooler/slabs.c spooler/slabs.h
spooler_libspooler_a_SOURCES += spooler/txn.c spooler/txn.h
spooler_libspooler_a_SOURCES += spooler/queue.c spooler/queue.h
spooler_libspooler_a_SOURCES += spooler/store.c spooler/store.h
spooler_libspooler_a_SOURCES += spooler/retry.c spooler/retry.h
spooler_libspooler_a_SOURCES += spooler/large.c spooler/intake.h
spooler_libspooler_a_SOURCES += spooler/intake.c spooler/handout.c \
	spooler/handout_peer.c
spooler_libspooler_a_SOURCES += spooler/suspects.c spooler/suspects.h \
	spooler/poison.c
spooler_libspooler_a_SOURCES += spooler/held.c spooler/outcome_write.c \
	spooler/outcome.h
spooler_libspooler_a_SOURCES += spooler/outcome.c spooler/loader.c
spooler_libspooler_a_SOURCES += spooler/settle.c spooler/logfeed.c
spooler_libspooler_a_SOURCES += spooler/checkpoint.c spooler/checkpoint_load.c
spooler_libspooler_a_SOURCES += spooler/replay.c spooler/replay.h \
	spooler/replay_store.c spooler/ask.c
spooler_libspooler_a_SOURCES += spooler/replay_guard.c spooler/replay_guard.h
spooler_libspooler_a_SOURCES += spooler/engine.c spooler/engine.h \
	spooler/hashed.c spooler/memory.c spooler/passthrough.c
spooler_libspooler_a_SOURCES += spooler/life.c spooler/life.h
eclibexec_PROGRAMS += spooler/spooler
spooler_spooler_SOURCES = spooler/main.c
spooler_spooler_LDADD = spooler/libspooler.a $(COMMON_LIBS)
