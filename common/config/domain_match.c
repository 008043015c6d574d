/* SPDX-License-Identifier: Apache-2.0 */
/* Domain patterns: names and left globs. */
#include "common/config/domain_match.h"

#define NAME_MAX_BYTES 253u
#define LABEL_MAX_BYTES 63u

static struct slice
without_dot(struct slice s)
{
	if (s.len > 1 && s.ptr[s.len - 1] == '.') {
		s.len--;
	}
	return s;
}

/* Underscores and bytes above ASCII occur in practice and do no harm here. */
static bool
is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_' || (c & 0x80);
}

bool
domain_pattern_is_valid(struct slice pattern)
{
	struct slice s = without_dot(pattern);
	size_t label = 0;

	if (slice_starts(s, SLICE("*."))) {
		s = slice_skip(s, 2);
	}
	if (s.len == 0 || s.len > NAME_MAX_BYTES) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '.') {
			if (label == 0) {
				return false;
			}
			label = 0;
		} else if (!is_label_byte(s.ptr[i]) ||
		    ++label > LABEL_MAX_BYTES) {
			return false;
		}
	}
	return label > 0;
}

bool
domain_match(struct slice pattern, struct slice domain)
{
	pattern = without_dot(pattern);
	domain = without_dot(domain);
	if (slice_starts(pattern, SLICE("*."))) {
		struct slice tail = slice_skip(pattern, 1);

		return domain.len > tail.len && domain.ptr[0] != '.' &&
		    slice_ends_nocase(domain, tail);
	}
	return slice_eq_nocase(pattern, domain);
}

bool
domain_match_any(const struct slice *patterns, size_t n, struct slice domain)
{
	for (size_t i = 0; i < n; i++) {
		if (domain_match(patterns[i], domain)) {
			return true;
		}
	}
	return false;
}
