# SPDX-License-Identifier: Apache-2.0
# The formats of a spool on disk: the spooler writes them, helpers read them.
libcommon_a_SOURCES += %D%/journal_rec.c %D%/journal_rec.h
libcommon_a_SOURCES += %D%/lease_file.c %D%/lease_file.h
libcommon_a_SOURCES += %D%/meta.c %D%/meta.h
libcommon_a_SOURCES += %D%/checkpoint_file.c %D%/checkpoint_file.h
libcommon_a_SOURCES += %D%/segment_reader.c %D%/segment_reader.h
