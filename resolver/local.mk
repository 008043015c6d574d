# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libresolver.a
%C%_libresolver_a_SOURCES = \
	%D%/dns_msg.c %D%/dns_msg.h %D%/dns_cache.c %D%/dns_cache.h \
	%D%/mx.c %D%/mx.h %D%/udns_port.c %D%/udns_port.h \
	%D%/dns_tcp.c %D%/dns_tcp.h %D%/lookup.c %D%/lookup.h
