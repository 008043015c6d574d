# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += logger/liblogger.a
logger_liblogger_a_SOURCES = \
	logger/logline.c logger/logline.h logger/module.h \
	logger/mainlog_format.c logger/mainlog_format.h \
	logger/bouncelog_format.c logger/bouncelog_format.h \
	logger/bounce_class.c logger/bounce_class.h \
	logger/follow.c logger/follow.h logger/sidecar.c logger/sidecar.h \
	logger/logfile.c logger/logfile.h logger/logconf.c logger/logconf.h \
	logger/loader.c logger/loader.h logger/logger.c logger/logger.h \
	logger/service.c logger/service.h

eclibexec_PROGRAMS += logger/logger
logger_logger_SOURCES = logger/main.c
logger_logger_LDADD = logger/liblogger.a $(COMMON_LIBS) -ldl

# A module brings along what it uses and takes nothing from the program: its
# only tie is logger/module.h.  Own flags give it objects of its own.
log_module_sources = \
	logger/logline.c logger/mainlog_format.c \
	common/mail/msgid.c common/mail/envelope.c common/mail/esc.c \
	common/base/base.c common/base/slice.c common/base/buf.c \
	common/base/scratch.c
log_module_cflags = $(EC_CFLAGS) -fvisibility=hidden
log_module_ldflags = $(EC_LDFLAGS) -module -avoid-version -shared

ecmodule_LTLIBRARIES += logger/modules/ec_logger.la \
	logger/modules/bounce_logger.la
logger_modules_ec_logger_la_SOURCES = logger/modules/ec_logger.c \
	$(log_module_sources)
logger_modules_ec_logger_la_CFLAGS = $(log_module_cflags)
logger_modules_ec_logger_la_LDFLAGS = $(log_module_ldflags)
logger_modules_bounce_logger_la_SOURCES = logger/modules/bounce_logger.c \
	logger/bouncelog_format.c logger/bounce_class.c \
	$(log_module_sources)
logger_modules_bounce_logger_la_CFLAGS = $(log_module_cflags)
logger_modules_bounce_logger_la_LDFLAGS = $(log_module_ldflags)
