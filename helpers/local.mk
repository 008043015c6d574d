# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += helpers/ec_dump_config
helpers_ec_dump_config_SOURCES = helpers/ec_dump_config.c helpers/dump.c %D%/dump.h \
	%D%/dump_docs.c
helpers_ec_dump_config_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
bin_PROGRAMS += helpers/ec_console
helpers_ec_console_SOURCES = helpers/ec_console.c
helpers_ec_console_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)

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
