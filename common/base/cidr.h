/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cidr: blocks of IPv4 and IPv6 addresses.  A v4-mapped IPv6 address counts as
 * the IPv4 one it stands for, so "10.0.0.0/8" also holds for a client that a
 * dual-stack socket shows as ::ffff:10.1.2.3.
 *
 *	struct cidr c;
 *	if (cidr_parse(SLICE("10.0.0.0/8"), &c) && cidr_has(&c, peer)) { ... }
 */
#ifndef EC_CIDR_H
#define EC_CIDR_H

#include "common/base/base.h"
#include "common/base/slice.h"

#include <sys/socket.h>

struct cidr {
	uint8_t addr[16];	/* network order; bits past the prefix are 0 */
	uint8_t family;		/* 4 or 6 */
	uint8_t bits;		/* at most 32 or 128 */
};

/* A borrowed array. */
struct cidr_list {
	const struct cidr *items;
	size_t n;
};

/* "10.0.0.0/8", "2001:db8::/32", or one bare address.  Bits set beyond the
 * prefix are cleared, as operators expect of "10.1.2.3/8". */
bool cidr_parse(struct slice s, struct cidr *out);
bool cidr_has(const struct cidr *c, const struct sockaddr *sa);
bool cidr_list_has(struct cidr_list list, const struct sockaddr *sa);

#endif
