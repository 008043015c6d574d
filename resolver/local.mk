# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libresolver.a
%C%_libresolver_a_SOURCES = \
	%D%/dns_msg.c %D%/dns_msg.h %D%/dns_cache.c %D%/dns_cache.h \
	%D%/mx.c %D%/mx.h %D%/udns_port.c %D%/udns_port.h \
	%D%/dns_tcp.c %D%/dns_tcp.h %D%/lookup.c %D%/lookup.h \
	%D%/self.c %D%/self.h %D%/servers.c %D%/servers.h \
	%D%/resolve.c %D%/resolve.h %D%/cache_ask.c \
	%D%/resolver.c %D%/resolver.h

eclibexec_PROGRAMS += %D%/resolver
%C%_resolver_SOURCES = %D%/main.c
%C%_resolver_LDADD = %D%/libresolver.a $(COMMON_LIBS) $(UDNS_LIBS)
