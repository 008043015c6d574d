/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a cap. */
#include "common/base/buf.h"

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max = max_bytes };
}

void
buf_fini(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){ .max = b->max };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->full = false;
}

static void
grow(struct buf *b, size_t want)
{
	size_t cap = b->cap ? b->cap : 256;

	if (want <= b->cap) {
		return;
	}
	while (cap < want) {
		cap = cap > SIZE_MAX / 2 ? want : cap * 2;
	}
	b->ptr = xrealloc(b->ptr, cap);
	b->cap = cap;
}

bool
buf_reserve(struct buf *b, size_t n)
{
	size_t want;

	if (__builtin_add_overflow(b->len, n, &want) || want > b->max) {
		b->full = true;
		return false;
	}
	grow(b, want);
	return true;
}

bool
buf_append(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n)) {
		return false;
	}
	if (n > 0) {
		memcpy(b->ptr + b->len, p, n);
	}
	b->len += n;
	return true;
}

bool
buf_add(struct buf *b, struct slice s)
{
	return buf_append(b, s.ptr, s.len);
}

bool
buf_puts(struct buf *b, const char *cstr)
{
	return buf_append(b, cstr, strlen(cstr));
}

bool
buf_putc(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

bool
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !buf_reserve(b, (size_t)n)) {
		b->full = true;
		return false;
	}
	/* One more for vsnprintf's NUL, which does not count for the cap. */
	grow(b, b->len + (size_t)n + 1);
	vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return true;
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return ok;
}

void
buf_consume(struct buf *b, size_t n)
{
	n = EC_MIN(n, b->len);
	b->len -= n;
	if (b->len > 0) {
		memmove(b->ptr, b->ptr + n, b->len);
	}
}
