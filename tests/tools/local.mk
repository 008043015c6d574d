# SPDX-License-Identifier: Apache-2.0
# Rules of the tree, checked.  What needs no build is check-tree.
check_PROGRAMS += %D%/ipc_doc
%C%_ipc_doc_SOURCES = %D%/ipc_doc.c
%C%_ipc_doc_LDADD = $(COMMON_LIBS)

dist_check_SCRIPTS += %D%/check-deps %D%/test-check-deps %D%/check-headers \
	%D%/check-docs
TESTS += %D%/check-deps %D%/test-check-deps %D%/check-headers %D%/check-docs
EXTRA_DIST += %D%/stages.sh %D%/check-tree %D%/check-commit-message \
	%D%/check-format %D%/format-sample.c %D%/lint

# For check-headers.
# (A busy machine is no failure: Check's limits are for hangs.)
AM_TESTS_ENVIRONMENT = EC_CC='$(CC)'; export EC_CC; \
	CK_TIMEOUT_MULTIPLIER=10; export CK_TIMEOUT_MULTIPLIER; \
	EC_HEADER_FLAGS='-I$(top_srcdir) -I$(top_builddir) $(EC_CFLAGS) $(EVENT_CFLAGS) $(BSD_CFLAGS) $(CHECK_CFLAGS)'; \
	export EC_HEADER_FLAGS;

.PHONY: format-check lint doc-ipc
format-check:
	$(AM_V_at)$(srcdir)/%D%/check-format
lint:
	$(AM_V_at)$(srcdir)/%D%/lint
doc-ipc: %D%/ipc_doc$(EXEEXT)
	$(AM_V_GEN)%D%/ipc_doc$(EXEEXT) >$(srcdir)/doc/IPC.md
