# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += console/libconsole.a
console_libconsole_a_SOURCES = console/control.h \
	console/answer.c console/answer.h console/ask.c console/ask.h \
	console/clients.c console/clients.h \
	console/command_table.c console/command_table.h \
	console/commands.c console/commands.h \
	console/ctl_socket.c console/ctl_socket.h \
	console/rates.c console/rates.h console/request.c console/request.h \
	console/service.c console/service.h \
	console/summary.c console/summary.h \
	console/table.c console/table.h console/totals.c console/totals.h

eclibexec_PROGRAMS += console/console
console_console_SOURCES = console/main.c
console_console_LDADD = console/libconsole.a $(COMMON_LIBS) $(JANSSON_LIBS)
