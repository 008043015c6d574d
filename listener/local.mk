# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += listener/liblistener.a
listener_liblistener_a_SOURCES =
listener_liblistener_a_SOURCES += \
	%D%/smtp_command.c %D%/smtp_command.h %D%/smtp_ext.c %D%/smtp_ext.h \
	%D%/smtp_session.c %D%/smtp_session.h
