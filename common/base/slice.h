/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice: a borrowed view of bytes, passed by value.  It owns nothing and need
 * not end in NUL.  Print one with printf("%.*s", SLICE_ARG(s)).
 */
#ifndef EC_SLICE_H
#define EC_SLICE_H

#include "common/base/base.h"

struct slice {
	const char *ptr;
	size_t len;
};

#define SLICE(lit) ((struct slice){ (lit), sizeof(lit) - 1 })
#define SLICE_ARG(s) ((int)(s).len), ((s).len ? (s).ptr : "")

static inline struct slice
slice_make(const void *ptr, size_t len)
{
	return (struct slice){ (const char *)ptr, len };
}

struct slice slice_of(const char *cstr);	/* NULL gives an empty slice */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b);	/* US-ASCII only */
bool slice_starts(struct slice s, struct slice head);
bool slice_starts_nocase(struct slice s, struct slice head);
bool slice_ends_nocase(struct slice s, struct slice tail);
/* Without leading and trailing blanks and tabs. */
struct slice slice_trim(struct slice s);
/* At most n bytes less at the front. */
struct slice slice_skip(struct slice s, size_t n);
/* First position of c, or -1. */
ssize_t slice_find(struct slice s, char c);
ssize_t slice_rfind(struct slice s, char c);
/* Cuts *s at the first c: returns what stands before it and leaves in *s what
 * follows; without c returns all and leaves *s empty. */
struct slice slice_cut(struct slice *s, char c);
/* Copies into dst with a NUL, cutting at size - 1.  True if all fitted. */
bool slice_copy(char *dst, size_t size, struct slice s);
/* Heap copy with a NUL; the caller owns it. */
char *slice_dup(struct slice s);
/* Lower-cases US-ASCII letters in place. */
void bytes_lower(char *p, size_t len);

#endif
