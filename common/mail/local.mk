# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += \
	%D%/msgid.c %D%/msgid.h %D%/envelope.c %D%/envelope.h \
	%D%/event.c %D%/event.h \
	%D%/address.c %D%/address.h %D%/dot.c %D%/dot.h \
	%D%/reply.c %D%/reply.h %D%/smtp_line.c %D%/smtp_line.h
