# SPDX-License-Identifier: Apache-2.0
libcommon_a_SOURCES += \
	%D%/base.c %D%/base.h %D%/slice.c %D%/slice.h %D%/buf.c %D%/buf.h \
	%D%/error.c %D%/error.h %D%/list.h %D%/num.c %D%/num.h %D%/clock.h \
	%D%/crc.c %D%/crc.h %D%/fdio.c %D%/fdio.h %D%/scratch.c %D%/scratch.h \
	%D%/pool.c %D%/pool.h %D%/shm.c %D%/shm.h %D%/proctitle.c \
	%D%/proctitle.h %D%/log.c %D%/log.h %D%/loop.c %D%/loop.h \
	%D%/wire.h %D%/workq.c %D%/workq.h %D%/addr.c %D%/addr.h \
	%D%/cidr.c %D%/cidr.h
