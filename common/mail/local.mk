# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += %D%/address.c %D%/address.h
libcommon_a_SOURCES += %D%/date.c %D%/date.h
libcommon_a_SOURCES += %D%/dot.c %D%/dot.h
libcommon_a_SOURCES += %D%/envelope.c %D%/envelope.h
libcommon_a_SOURCES += %D%/esc.c %D%/esc.h
libcommon_a_SOURCES += %D%/event.c %D%/event.h
libcommon_a_SOURCES += %D%/mime_scan.c %D%/mime_scan.h
libcommon_a_SOURCES += %D%/msgid.c %D%/msgid.h
libcommon_a_SOURCES += %D%/received.c %D%/received.h
libcommon_a_SOURCES += %D%/reject.c %D%/reject.h
libcommon_a_SOURCES += %D%/reply.c %D%/reply.h
libcommon_a_SOURCES += %D%/size.h
libcommon_a_SOURCES += %D%/smtp_line.c %D%/smtp_line.h
