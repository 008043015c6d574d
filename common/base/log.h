/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: what happens to the program itself (mail's own records go through the
 * journal).  One line a call.  A worker's lines go as packets to the log
 * socket, whose other end the logger reads into paniclog; without that socket,
 * or when it is full, to stderr, and the count of lines lost is told later.
 *
 * No secrets; bytes from strangers go through esc_* first (common/mail/esc).
 *
 *	log_init("listener/0", -1, LOG_NOTICE);
 *	log_error("cannot bind %s: %s", addr, strerror(errno));
 */
#ifndef EC_LOG_H
#define EC_LOG_H

#include "common/base/base.h"

enum log_level {	/* the reference's levels and numbers */
	EC_DEBUG, EC_INFO, EC_NOTICE, EC_WARNING, EC_ERROR, EC_CRITICAL,
};

#define LOG_LINE_MAX 2048

/* sock: the log socket, or -1.  Lines below min are dropped.  also_stderr:
 * foreground, people are watching. */
void log_init(const char *who, int sock, enum log_level min, bool also_stderr);
void log_level_set(enum log_level min);
bool log_is_on(enum log_level level);
void log_at(enum log_level level, const char *fmt, ...) EC_PRINTF(2, 3);
const char *log_level_name(enum log_level level);

#define log_debug(...) \
	do { \
		if (log_is_on(EC_DEBUG)) { \
			log_at(EC_DEBUG, __VA_ARGS__); \
		} \
	} while (0)
#define log_info(...) log_at(EC_INFO, __VA_ARGS__)
#define log_notice(...) log_at(EC_NOTICE, __VA_ARGS__)
#define log_warning(...) log_at(EC_WARNING, __VA_ARGS__)
#define log_error(...) log_at(EC_ERROR, __VA_ARGS__)
#define log_critical(...) log_at(EC_CRITICAL, __VA_ARGS__)

/* For what can repeat without end: at most one line a second for each r, with
 * the number held back added to the next.  r is static at the caller. */
struct log_rate {
	uint64_t last_us;
	uint64_t held;
};
void log_limited(struct log_rate *r, enum log_level level, const char *fmt, ...)
	EC_PRINTF(3, 4);

/* Start-up only: says it, then exits with code (sysexits: 78 configuration,
 * 71 system, 77 permission). */
void fatal(int code, const char *fmt, ...) EC_PRINTF(2, 3) EC_NORETURN;

#endif
