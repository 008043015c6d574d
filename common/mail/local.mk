# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += \
	%D%/msgid.c %D%/msgid.h %D%/envelope.c %D%/envelope.h \
	%D%/event.c %D%/event.h %D%/reject.c %D%/reject.h
