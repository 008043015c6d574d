/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domain_match: the domain patterns of Relay_Domains and its like.  An item is
 * a name, or "*.name", which holds for everything below name and not for name
 * itself.  Case does not matter, and one trailing dot is ignored.
 */
#ifndef EC_DOMAIN_MATCH_H
#define EC_DOMAIN_MATCH_H

#include "common/base/base.h"
#include "common/base/slice.h"

/* A name or a left glob of well-formed labels. */
bool domain_pattern_is_valid(struct slice pattern);
bool domain_match(struct slice pattern, struct slice domain);
bool domain_match_any(const struct slice *patterns, size_t n,
	struct slice domain);

#endif
