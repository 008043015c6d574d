# SPDX-License-Identifier: Apache-2.0
# Load generator, counting sink, reconciler.  Not installed.
noinst_PROGRAMS += %D%/ec_load %D%/ec_sink %D%/ec_reconcile
noinst_LIBRARIES += %D%/libbench.a

%C%_libbench_a_SOURCES = \
	%D%/bench_util.c %D%/bench_util.h %D%/hist.c %D%/hist.h \
	%D%/ledger.c %D%/ledger.h %D%/behave.c %D%/behave.h \
	%D%/sink_data.c %D%/sink_data.h %D%/load_reply.c %D%/load_reply.h \
	%D%/load_msgs.c %D%/load_msgs.h

%C%_ec_load_SOURCES = %D%/ec_load.c %D%/load_conn.c %D%/load_conn.h \
	%D%/load_talk.c %D%/load_priv.h
%C%_ec_load_LDADD = %D%/libbench.a $(COMMON_LIBS)
%C%_ec_sink_SOURCES = %D%/ec_sink.c %D%/sink_conn.c %D%/sink_conn.h \
	%D%/sink_smtp.c %D%/sink_priv.h
%C%_ec_sink_LDADD = %D%/libbench.a $(COMMON_LIBS)
%C%_ec_reconcile_SOURCES = %D%/ec_reconcile.c
%C%_ec_reconcile_LDADD = %D%/libbench.a $(COMMON_LIBS)

check_PROGRAMS += %D%/test_bench
TESTS += %D%/test_bench
%C%_test_bench_SOURCES = %D%/test_bench.c
%C%_test_bench_CFLAGS = $(TEST_CFLAGS)
%C%_test_bench_LDADD = %D%/libbench.a $(TEST_LIBS)

dist_check_SCRIPTS += %D%/check_load
TESTS += %D%/check_load

# What the tools themselves can do, and what the agent does with them.
EXTRA_DIST += %D%/bench
bench_programs = %D%/ec_load$(EXEEXT) %D%/ec_sink$(EXEEXT) \
	%D%/ec_reconcile$(EXEEXT)
bench_root = $(abs_builddir)/bench-root

.PHONY: bench bench-ceiling
bench-ceiling: $(bench_programs)
	$(AM_V_at)$(srcdir)/%D%/bench --build . --only ceiling --repeat 1 \
		-s 20 -l 4096 --ceiling-count 100000 --spool-on plain \
		$(BENCH_FLAGS)

bench: all
	$(AM_V_at)rm -rf $(bench_root)
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) install DESTDIR=$(bench_root) >&2
	$(AM_V_at)$(srcdir)/%D%/bench --build . \
		--mta $(bench_root)$(sbindir)/ecelerity $(BENCH_FLAGS); \
		status=$$?; rm -rf $(bench_root); exit $$status

# A deep queue, starts with one, group commit, and rates beside Postfix.
# DEPTH, MINUTES, KEEP=DIR (a filled spool to keep and use again) and
# BENCH_FLAGS can be set; EC_PEERS names the folder of peers.
DEPTH = 1000000
MINUTES = 10
EXTRA_DIST += %D%/bench-depth %D%/bench-restart %D%/bench-commit \
	%D%/bench-accept %D%/deep.py
bench_python = /usr/bin/python3
bench_deep_flags = --build . --depth $(DEPTH) $${KEEP:+--keep "$$KEEP"}
if HAVE_FUSE
bench_disk = tests/crash/fuse_disk$(EXEEXT)
endif

.PHONY: bench-depth bench-restart bench-commit bench-accept bench-dead
bench-depth: all
	$(AM_V_at)$(bench_python) $(srcdir)/%D%/bench-depth \
		$(bench_deep_flags) $(BENCH_FLAGS)

bench-restart: all
	$(AM_V_at)$(bench_python) $(srcdir)/%D%/bench-restart \
		$(bench_deep_flags) $(BENCH_FLAGS)

bench-commit: all $(bench_disk)
	$(AM_V_at)$(bench_python) $(srcdir)/%D%/bench-commit --build . \
		$(BENCH_FLAGS)

bench-accept: all
	$(AM_V_at)$(bench_python) $(srcdir)/%D%/bench-accept --build . \
		$(BENCH_FLAGS)

bench-dead: all
	$(AM_V_at)$(bench_python) $(srcdir)/%D%/bench-accept --dead --build . \
		--minutes $(MINUTES) $(BENCH_FLAGS)
