# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libsupervisor.a
supervisor_libsupervisor_a_SOURCES = \
	%D%/process_table.c %D%/process_table.h %D%/children.c %D%/children.h \
	%D%/spawn.c %D%/spawn.h %D%/links.c %D%/links.h \
	%D%/adoption.c %D%/adoption.h \
	%D%/neighbours.c %D%/neighbours.h %D%/listen_socks.c %D%/listen_socks.h \
	%D%/port_holder.c %D%/port_holder.h \
	%D%/config_reload.c %D%/config_reload.h \
	%D%/scoreboard_mon.c %D%/scoreboard_mon.h \
	%D%/trace_file.c %D%/trace_file.h %D%/budgets.c %D%/budgets.h \
	%D%/users.c %D%/users.h %D%/directories.c %D%/directories.h \
	%D%/places.c %D%/places.h %D%/pidfile.c %D%/pidfile.h \
	%D%/preflight.c %D%/preflight.h \
	%D%/privileges.c %D%/privileges.h %D%/notify.c %D%/notify.h \
	%D%/console_requests.c %D%/console_requests.h %D%/shutdown.c \
	%D%/supervisor.c %D%/supervisor.h
sbin_PROGRAMS += %D%/ecelerity
supervisor_ecelerity_SOURCES = %D%/main.c
supervisor_ecelerity_LDADD = %D%/libsupervisor.a $(COMMON_LIBS)
