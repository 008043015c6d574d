# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += deliverer/libdeliverer.a
deliverer_libdeliverer_a_SOURCES = \
	%D%/table.c %D%/table.h %D%/deadline.c %D%/deadline.h \
	%D%/host_memory.c %D%/host_memory.h \
	%D%/reply_class.c %D%/reply_class.h \
	%D%/smtp_client.c %D%/smtp_client.h \
	%D%/smtp_envelope.c %D%/smtp_envelope.h \
	%D%/route.c %D%/route.h %D%/work.c %D%/work.h %D%/window.c %D%/window.h \
	%D%/resolve_client.c %D%/resolve_client.h \
	%D%/lane.c %D%/lane.h %D%/site.c %D%/site.h \
	%D%/conn_pool.c %D%/conn_pool.h %D%/outbound.c %D%/outbound.h \
	%D%/credit.c %D%/credit.h \
	%D%/outbound_make.c %D%/outbound_make.h \
	%D%/spool_client.c %D%/spool_client.h \
	%D%/deliverer.c %D%/deliverer.h

eclibexec_PROGRAMS += deliverer/deliverer
deliverer_deliverer_SOURCES = %D%/main.c
deliverer_deliverer_LDADD = deliverer/libdeliverer.a $(COMMON_LIBS)
