/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file of the tree starts from: attributes, asserts, panic, and
 * the libc calls that nobody may use (poisoned below).  No mail words here.
 *
 * ec_assert() stays on in release: a broken invariant aborts with a core, the
 * supervisor restarts the worker, and the journal makes that safe.  It is for
 * our own bugs; bytes from a peer never reach one.
 */
#ifndef EC_BASE_H
#define EC_BASE_H

#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define EC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define EC_NORETURN __attribute__((noreturn))
#define EC_UNUSED __attribute__((unused))
#define EC_WARN_UNUSED __attribute__((warn_unused_result))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))
/* An argument is evaluated twice: no calls with effects in them. */
#define EC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define EC_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Says where and what on stderr, then aborts.  Never for a peer's fault. */
void panic_at(const char *file, int line, const char *fmt, ...)
	EC_PRINTF(3, 4) EC_NORETURN;

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define ec_assert(x) \
	do { \
		if (__builtin_expect(!(x), 0)) { \
			panic("assertion failed: %s", #x); \
		} \
	} while (0)

/* Memory at start-up and inside pools.  Real exhaustion is a panic: the
 * journal makes that safe, and nothing sensible can be said to a peer. */
void *xmalloc(size_t size_bytes);
void *xcalloc(size_t n, size_t size_bytes);
void *xrealloc(void *p, size_t size_bytes);
char *xstrdup(const char *s);

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol

#endif
