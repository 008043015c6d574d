/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed views of bytes. */
#include "common/base/slice.h"

#include <strings.h>

struct slice
slice_of(const char *cstr)
{
	return (struct slice){ cstr, cstr == NULL ? 0 : strlen(cstr) };
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
slice_eq_nocase(struct slice a, struct slice b)
{
	return a.len == b.len &&
	    (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

bool
slice_starts(struct slice s, struct slice head)
{
	return s.len >= head.len && slice_eq(slice_make(s.ptr, head.len), head);
}

bool
slice_starts_nocase(struct slice s, struct slice head)
{
	return s.len >= head.len &&
	    slice_eq_nocase(slice_make(s.ptr, head.len), head);
}

bool
slice_ends_nocase(struct slice s, struct slice tail)
{
	return s.len >= tail.len &&
	    slice_eq_nocase(slice_skip(s, s.len - tail.len), tail);
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 &&
	    (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
		s.len--;
	}
	return s;
}

struct slice
slice_skip(struct slice s, size_t n)
{
	n = EC_MIN(n, s.len);
	/* An empty slice may be NULL, to which nothing may be added. */
	return (struct slice){ n > 0 ? s.ptr + n : s.ptr, s.len - n };
}

ssize_t
slice_find(struct slice s, char c)
{
	const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return p == NULL ? -1 : p - s.ptr;
}

ssize_t
slice_rfind(struct slice s, char c)
{
	const char *p = s.len ? memrchr(s.ptr, c, s.len) : NULL;

	return p == NULL ? -1 : p - s.ptr;
}

struct slice
slice_cut(struct slice *s, char c)
{
	ssize_t at = slice_find(*s, c);
	struct slice head;

	if (at < 0) {
		head = *s;
		*s = slice_skip(*s, s->len);
		return head;
	}
	head = slice_make(s->ptr, (size_t)at);
	*s = slice_skip(*s, (size_t)at + 1);
	return head;
}

bool
slice_copy(char *dst, size_t size, struct slice s)
{
	size_t n;

	if (size == 0) {
		return false;	/* not even the NUL has room */
	}
	n = EC_MIN(s.len, size - 1);
	if (n > 0) {
		memcpy(dst, s.ptr, n);
	}
	dst[n] = '\0';
	return n == s.len;
}

char *
slice_dup(struct slice s)
{
	char *p = xmalloc(s.len + 1);

	slice_copy(p, s.len + 1, s);
	return p;
}

void
bytes_lower(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z') {
			p[i] = (char)(p[i] + ('a' - 'A'));
		}
	}
}
