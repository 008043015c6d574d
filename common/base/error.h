/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: why an operation failed, as a code for programs and one sentence for
 * people: what, where, what would be right.
 *
 *	if (thing_open(path, &err) < 0) { log_error("%s", err.text); }
 */
#ifndef EC_ERROR_H
#define EC_ERROR_H

#include "common/base/base.h"

enum error_code {
	ERROR_NONE,
	ERROR_SYSTEM,	/* errno in sys_errno */
	ERROR_CONFIG,	/* the operator's file or command line */
	ERROR_PROTOCOL,	/* a peer process broke the rules */
	ERROR_DAMAGE,	/* bytes on disk are not what was written */
	ERROR_LIMIT,	/* a bound of ours was reached */
	ERROR_GONE,	/* the other side is not there */
};

struct error {
	enum error_code code;
	int sys_errno;
	char text[512];
};

/* Both return -1, so that a caller can write: return error_set(...).
 * error_sys appends the words for errno.  err may be NULL. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
	EC_PRINTF(3, 4);
int error_sys(struct error *err, const char *fmt, ...) EC_PRINTF(2, 3);

#endif
