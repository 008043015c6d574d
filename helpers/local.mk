# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += helpers/ec_dump_config
helpers_ec_dump_config_SOURCES = helpers/ec_dump_config.c helpers/dump.c %D%/dump.h \
	%D%/dump_docs.c
helpers_ec_dump_config_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
bin_PROGRAMS += helpers/ec_console
helpers_ec_console_SOURCES = helpers/ec_console.c
helpers_ec_console_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
noinst_LIBRARIES += helpers/libspooltools.a
helpers_libspooltools_a_SOURCES = %D%/id_map.c %D%/id_map.h
helpers_libspooltools_a_SOURCES += %D%/line_out.c %D%/line_out.h
helpers_libspooltools_a_SOURCES += %D%/show.h %D%/show_match.c
helpers_libspooltools_a_SOURCES += %D%/spool_dir.c %D%/spool_dir.h
helpers_libspooltools_a_SOURCES += %D%/spool_journal.c %D%/spool_journal.h
helpers_libspooltools_a_SOURCES += helpers/import_ledger.c \
	helpers/import_place.c helpers/spool_import.h
bin_PROGRAMS += helpers/ec_show
helpers_ec_show_SOURCES = helpers/ec_show.c helpers/show_list.c \
	helpers/show_message.c
helpers_ec_show_LDADD = helpers/libspooltools.a $(COMMON_LIBS)
bin_PROGRAMS += helpers/ec_spool_check
helpers_ec_spool_check_SOURCES = helpers/ec_spool_check.c \
	helpers/check_spool.h helpers/check_report.c helpers/check_journal.c \
	helpers/check_checkpoint.c \
	helpers/check_store.c
helpers_ec_spool_check_LDADD = helpers/libspooltools.a $(COMMON_LIBS)
bin_PROGRAMS += helpers/ec_spool_import
helpers_ec_spool_import_SOURCES = helpers/ec_spool_import.c
helpers_ec_spool_import_LDADD = helpers/libspooltools.a $(COMMON_LIBS)

# The checks before a start: a library for its tests, and the program.
noinst_LIBRARIES += helpers/libpreflight.a
helpers_libpreflight_a_SOURCES = \
	%D%/preflight/proc_text.c %D%/preflight/proc_text.h \
	%D%/preflight/mountinfo.c %D%/preflight/mountinfo.h \
	%D%/preflight/devices.c %D%/preflight/devices.h \
	%D%/preflight/gather.c %D%/preflight/measure.c %D%/preflight/facts.h \
	%D%/preflight/judge.c %D%/preflight/judge_devices.c \
	%D%/preflight/judge_space.c %D%/preflight/judge.h \
	%D%/preflight/judge_priv.h %D%/preflight/show.c %D%/preflight/show.h
bin_PROGRAMS += helpers/ec_check
helpers_ec_check_SOURCES = helpers/ec_check.c
helpers_ec_check_LDADD = helpers/libpreflight.a $(COMMON_LIBS) $(JANSSON_LIBS)
