/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf: owned, growable bytes with a cap.  An append that would pass the cap
 * changes nothing, sets b->full and returns false, so that a whole message can
 * be built first and checked once.
 *
 *	struct buf b;
 *	buf_init(&b, 4096);
 *	buf_printf(&b, "%d", 42);
 *	if (b.full) { ... }
 *	buf_fini(&b);
 */
#ifndef EC_BUF_H
#define EC_BUF_H

#include "common/base/base.h"
#include "common/base/slice.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max;	/* never more bytes than this */
	bool full;	/* an append was refused since the last clear */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);
/* Room for n more bytes; false if that passes the cap. */
bool buf_reserve(struct buf *b, size_t n);
bool buf_append(struct buf *b, const void *p, size_t n);
bool buf_add(struct buf *b, struct slice s);
bool buf_puts(struct buf *b, const char *cstr);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) EC_PRINTF(2, 3);
bool buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* Takes n bytes away at the front. */
void buf_consume(struct buf *b, size_t n);

static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_make(b->ptr, b->len);
}

#endif
