# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += helpers/ec_console
helpers_ec_console_SOURCES = helpers/ec_console.c
helpers_ec_console_LDADD = $(COMMON_LIBS) $(JANSSON_LIBS)
