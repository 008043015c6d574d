/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of addresses. */
#include "common/base/cidr.h"
#include "common/base/addr.h"
#include "common/base/num.h"

#include <netinet/in.h>

/* Address bytes of sa with v4-mapped ones taken as IPv4; 4, 6 or 0. */
static uint8_t
address_bytes(const struct sockaddr *sa, uint8_t out[16])
{
	memset(out, 0, 16);
	if (sa->sa_family == AF_INET) {
		memcpy(out, &((const struct sockaddr_in *)sa)->sin_addr, 4);
		return 4;
	}
	if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a =
		    &((const struct sockaddr_in6 *)sa)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(a)) {
			memcpy(out, a->s6_addr + 12, 4);
			return 4;
		}
		memcpy(out, a->s6_addr, 16);
		return 6;
	}
	return 0;
}

static bool
same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0) {
		return false;
	}
	return rest == 0 ||
	    ((a[bits / 8] ^ b[bits / 8]) & (0xffu << (8 - rest)) & 0xffu) == 0;
}

bool
cidr_parse(struct slice s, struct cidr *out)
{
	ssize_t slash = slice_find(s, '/');
	struct slice ip = slash < 0 ? s : slice_make(s.ptr, (size_t)slash);
	struct sockaddr_storage ss;
	uint64_t bits, max;

	*out = (struct cidr){ 0 };
	if (!addr_parse_ip(ip, &ss)) {
		return false;
	}
	max = ss.ss_family == AF_INET6 ? 128 : 32;
	bits = max;
	if (slash >= 0 && !num_parse_max(slice_skip(s, (size_t)slash + 1),
	    max, &bits)) {
		return false;
	}
	out->family = address_bytes((struct sockaddr *)&ss, out->addr);
	if (out->family == 4 && max == 128) {
		/* ::ffff:a.b.c.d/n: a block of IPv4 written as IPv6. */
		if (bits < 96) {
			return false;
		}
		bits -= 96;
	}
	out->bits = (uint8_t)bits;
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > i * 8u ? (unsigned)bits - i * 8u : 0;

		if (keep < 8) {
			out->addr[i] &= (uint8_t)(0xff00u >> keep);
		}
	}
	return true;
}

bool
cidr_has(const struct cidr *c, const struct sockaddr *sa)
{
	uint8_t a[16];

	return address_bytes(sa, a) == c->family && c->family != 0 &&
	    same_prefix(a, c->addr, c->bits);
}

bool
cidr_list_has(struct cidr_list list, const struct sockaddr *sa)
{
	for (size_t i = 0; i < list.n; i++) {
		if (cidr_has(&list.items[i], sa)) {
			return true;
		}
	}
	return false;
}
