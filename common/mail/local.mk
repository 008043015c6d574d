# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += %D%/address.h
libcommon_a_SOURCES += %D%/dot.h
libcommon_a_SOURCES += %D%/envelope.c %D%/envelope.h
libcommon_a_SOURCES += %D%/event.c %D%/event.h
libcommon_a_SOURCES += %D%/msgid.c %D%/msgid.h
libcommon_a_SOURCES += %D%/reply.h
libcommon_a_SOURCES += %D%/smtp_line.h
