# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += helpers/ec_dump_config
helpers_ec_dump_config_SOURCES = helpers/ec_dump_config.c helpers/dump.c %D%/dump.h \
	%D%/dump_docs.c
helpers_ec_dump_config_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
bin_PROGRAMS += helpers/ec_console
helpers_ec_console_SOURCES = helpers/ec_console.c
helpers_ec_console_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
