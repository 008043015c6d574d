# SPDX-License-Identifier: Apache-2.0
# A new target: fuzz_x.c (automake finds it by the program's name), files in
# seeds/x/, and three lines like those below.  The archive of a worker goes in
# front of FUZZ_LIBS.  --enable-fuzzers links libFuzzer, else a main that runs
# the seeds; `make check` runs the seeds in both cases.  `make fuzz-smoke` runs
# all, or FUZZ_TARGETS="fuzz_x ...", for FUZZ_SECONDS (10) each.
FUZZ_LIBS = $(FUZZ_MAIN) $(COMMON_LIBS)
if FUZZERS
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/libreplay.a
FUZZ_LINK = $(AM_LDFLAGS)
check_LIBRARIES += tests/fuzz/libreplay.a
tests_fuzz_libreplay_a_SOURCES = %D%/replay_main.c
endif

check_PROGRAMS += tests/fuzz/fuzz_smtp_line
tests_fuzz_fuzz_smtp_line_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_smtp_line_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_dot
tests_fuzz_fuzz_dot_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_dot_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_address
tests_fuzz_fuzz_address_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_address_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_reply
tests_fuzz_fuzz_reply_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_reply_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_envelope
tests_fuzz_fuzz_envelope_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_envelope_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_event
tests_fuzz_fuzz_event_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_event_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_msgid
tests_fuzz_fuzz_msgid_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_msgid_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_esc
tests_fuzz_fuzz_esc_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_esc_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_mime_scan
tests_fuzz_fuzz_mime_scan_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_mime_scan_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_smtp_session
tests_fuzz_fuzz_smtp_session_LDADD = listener/liblistener.a $(FUZZ_LIBS)
tests_fuzz_fuzz_smtp_session_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_mend
tests_fuzz_fuzz_mend_LDADD = listener/liblistener.a $(FUZZ_LIBS)
tests_fuzz_fuzz_mend_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_console
tests_fuzz_fuzz_console_LDADD = console/libconsole.a $(FUZZ_LIBS) $(JANSSON_LIBS)
tests_fuzz_fuzz_console_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_reject
tests_fuzz_fuzz_reject_LDADD = logger/liblogger.a $(FUZZ_LIBS)
tests_fuzz_fuzz_reject_LDFLAGS = $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_dns_msg
tests_fuzz_fuzz_dns_msg_LDADD = resolver/libresolver.a $(FUZZ_LIBS)
tests_fuzz_fuzz_dns_msg_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_ipc
tests_fuzz_fuzz_ipc_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_ipc_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_journal
tests_fuzz_fuzz_journal_LDADD = spooler/libspooler.a $(FUZZ_LIBS)
tests_fuzz_fuzz_journal_LDFLAGS = $(FUZZ_LINK)

dist_check_SCRIPTS += tests/fuzz/replay-seeds tests/fuzz/smoke
TESTS += tests/fuzz/replay-seeds
EXTRA_DIST += tests/fuzz/seeds tests/fuzz/replay_main.c

.PHONY: fuzz-smoke
if FUZZERS
fuzz-smoke: $(check_PROGRAMS)
	srcdir=$(srcdir) $(SHELL) $(srcdir)/tests/fuzz/smoke $(FUZZ_TARGETS)
else
fuzz-smoke:
	@echo "fuzz-smoke needs ./configure CC=clang --enable-fuzzers" >&2
	@exit 1
endif
check_PROGRAMS += tests/fuzz/fuzz_smtp_client
tests_fuzz_fuzz_smtp_client_LDADD = deliverer/libdeliverer.a $(FUZZ_LIBS)
tests_fuzz_fuzz_smtp_client_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_work
tests_fuzz_fuzz_work_LDADD = deliverer/libdeliverer.a $(FUZZ_LIBS)
tests_fuzz_fuzz_work_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_checkpoint
tests_fuzz_fuzz_checkpoint_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_checkpoint_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_meta
tests_fuzz_fuzz_meta_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_meta_LDFLAGS = $(FUZZ_LINK)
check_PROGRAMS += tests/fuzz/fuzz_mountinfo
tests_fuzz_fuzz_mountinfo_LDADD = helpers/libpreflight.a $(FUZZ_LIBS)
tests_fuzz_fuzz_mountinfo_LDFLAGS = $(FUZZ_LINK)
