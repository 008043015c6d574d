# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += listener/liblistener.a
listener_liblistener_a_SOURCES =
listener_liblistener_a_SOURCES += \
	%D%/smtp_command.c %D%/smtp_command.h %D%/smtp_ext.c %D%/smtp_ext.h \
	%D%/smtp_session.c %D%/smtp_session.h
listener_liblistener_a_SOURCES += listener/listener.h
listener_liblistener_a_SOURCES += listener/conn.c listener/endpoint.c
listener_liblistener_a_SOURCES += listener/transaction.c listener/transaction.h
listener_liblistener_a_SOURCES += listener/mend.c listener/mend.h
listener_liblistener_a_SOURCES += listener/large.c
listener_liblistener_a_SOURCES += listener/body.c listener/policy.c
listener_liblistener_a_SOURCES += listener/store_client.c listener/refuse.c
eclibexec_PROGRAMS += listener/listener
listener_listener_SOURCES = listener/main.c
listener_listener_LDADD = listener/liblistener.a $(COMMON_LIBS)
