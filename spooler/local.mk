# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += spooler/libspooler.a
spooler_libspooler_a_SOURCES = spooler/dsn.c spooler/dsn.h \
	spooler/dsn_field.c spooler/dsn_field.h
