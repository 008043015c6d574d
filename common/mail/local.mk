# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += \
	%D%/msgid.c %D%/msgid.h %D%/envelope.c %D%/envelope.h \
	%D%/event.c %D%/event.h %D%/esc.c %D%/esc.h %D%/date.c %D%/date.h \
	%D%/received.c %D%/received.h %D%/mime_scan.c %D%/mime_scan.h
libcommon_a_SOURCES += %D%/reject.c %D%/reject.h
