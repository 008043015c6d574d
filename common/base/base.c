/* SPDX-License-Identifier: Apache-2.0 */
/* Panic and the allocating calls that cannot fail. */
#include "common/base/base.h"

void
panic_at(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)n;
	fprintf(stderr, "panic: %s:%d: %s\n", file, line, text);
	fflush(stderr);
	abort();
}

void *
xmalloc(size_t size_bytes)
{
	void *p = malloc(size_bytes ? size_bytes : 1);

	if (p == NULL) {
		panic("out of memory: %zu bytes asked", size_bytes);
	}
	return p;
}

void *
xcalloc(size_t n, size_t size_bytes)
{
	void *p = calloc(n ? n : 1, size_bytes ? size_bytes : 1);

	if (p == NULL) {
		panic("out of memory: %zu x %zu bytes asked", n, size_bytes);
	}
	return p;
}

void *
xrealloc(void *p, size_t size_bytes)
{
	void *q = realloc(p, size_bytes ? size_bytes : 1);

	if (q == NULL) {
		panic("out of memory: %zu bytes asked", size_bytes);
	}
	return q;
}

char *
xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}
