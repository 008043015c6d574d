# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += %D%/config.h %D%/domain_match.c %D%/domain_match.h \
	%D%/options.c %D%/options.h %D%/value.c %D%/value.h \
	%D%/value_text.c %D%/tree.c %D%/tree.h %D%/grammar.c %D%/grammar.h \
	%D%/load.c %D%/lookup.c %D%/freeze.c
dist_noinst_HEADERS += %D%/options.def %D%/options_delivery.def \
	%D%/options_listener.def %D%/options_system.def %D%/scopes.def \
	%D%/modules.def

# Scanner and parser are made in the build directory and not shipped.
nodist_libcommon_a_SOURCES = %D%/gram.c %D%/lex.c
EXTRA_DIST += %D%/gram.y %D%/lex.l
BUILT_SOURCES += %D%/gram.h
CLEANFILES += %D%/gram.c %D%/gram.h %D%/lex.c

%D%/gram.c: $(srcdir)/%D%/gram.y
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	$(YACC) -Wno-yacc --defines=%D%/gram.h -o $@ $(srcdir)/%D%/gram.y
%D%/gram.h: %D%/gram.c
	@test -f $@ || { rm -f %D%/gram.c; $(MAKE) %D%/gram.c; }
%D%/lex.c: $(srcdir)/%D%/lex.l
	$(AM_V_GEN)$(MKDIR_P) %D% && $(LEX) -o $@ $(srcdir)/%D%/lex.l
%D%/lex.$(OBJEXT): %D%/gram.h
