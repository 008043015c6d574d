# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += helpers/ec_dump_config
helpers_ec_dump_config_SOURCES = %D%/ec_dump_config.c %D%/dump.c %D%/dump.h \
	%D%/dump_docs.c
helpers_ec_dump_config_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
