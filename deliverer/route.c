/* SPDX-License-Identifier: Apache-2.0 */
/* Gateway, Routes and domain -> hops. */
#include "deliverer/route.h"

#include <netinet/in.h>

#include "common/base/num.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
route_ip_is_v4(const uint8_t ip[16])
{
	return memcmp(ip, mapped, sizeof mapped) == 0;
}

void
route_ip_of(const struct sockaddr_storage *ss, uint8_t ip_out[16])
{
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *a = (const struct sockaddr_in *)ss;

		memcpy(ip_out, mapped, sizeof mapped);
		memcpy(ip_out + 12, &a->sin_addr, 4);
	} else {
		memcpy(ip_out, &((const struct sockaddr_in6 *)ss)->sin6_addr,
		    16);
	}
}

void
route_sockaddr(const uint8_t ip[16], uint16_t port,
    struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (route_ip_is_v4(ip)) {
		struct sockaddr_in *a = (struct sockaddr_in *)out;

		a->sin_family = AF_INET;
		a->sin_port = htons(port);
		memcpy(&a->sin_addr, ip + 12, 4);
	} else {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(port);
		memcpy(&a->sin6_addr, ip, 16);
	}
}

/* "host", "host:25", "1.2.3.4", "[v6]:25". */
static bool
parse_host(struct slice s, uint16_t port, enum hop_kind named, struct hop *out)
{
	struct sockaddr_storage ss;
	struct slice host;

	if (!addr_split(s, port, &host, &out->port) || out->port == 0) {
		return false;
	}
	out->name = host;
	out->kind = named;
	if (addr_parse_ip(host, &ss)) {
		out->kind = HOP_ADDRESS;
		route_ip_of(&ss, out->ip);
	}
	return true;
}

/* One "key=value" behind the '?' of a route. */
static bool
parse_word(struct slice word, struct hop *out)
{
	struct slice value = word, key = slice_cut(&value, '=');
	uint64_t n;

	if (slice_eq_nocase(key, SLICE("pref"))) {
		if (!num_parse_max(value, UINT16_MAX, &n)) {
			return false;
		}
		out->preference = (uint16_t)n;
	} else if (slice_eq_nocase(key, SLICE("port"))) {
		if (!num_parse_max(value, UINT16_MAX, &n) || n == 0) {
			return false;
		}
		out->port = (uint16_t)n;
	} else if (slice_eq_nocase(key, SLICE("ttl"))) {
		/* Names keep what DNS says; addresses do not age. */
		return num_parse_max(value, UINT32_MAX, &n);
	} else if (slice_eq_nocase(key, SLICE("type"))) {
		bool mx = slice_eq_nocase(value, SLICE("mx"));

		if (!mx && !slice_eq_nocase(value, SLICE("a"))) {
			return false;
		}
		if (out->kind != HOP_ADDRESS) {
			out->kind = mx ? HOP_MX : HOP_HOST;
		}
	} else {
		return false;
	}
	return true;
}

static bool
parse_route(const struct route_in *in, struct slice s, uint16_t position,
    struct hop *out)
{
	struct slice rest = slice_trim(s), host;
	bool url = slice_starts_nocase(rest, SLICE("smtp://"));

	out->preference = position;
	if (slice_eq(rest, SLICE("__mx__"))) {
		return parse_host(in->domain, in->port, HOP_MX, out);
	}
	if (!url) {
		return parse_host(rest, in->port, HOP_MX, out);
	}
	rest = slice_skip(rest, 7);
	host = slice_cut(&rest, '?');
	if (host.len > 0 && host.ptr[host.len - 1] == '/') {
		host.len--;
	}
	if (!parse_host(host, in->port, HOP_HOST, out)) {
		return false;
	}
	while (rest.len > 0) {
		if (!parse_word(slice_cut(&rest, '&'), out)) {
			return false;
		}
	}
	return true;
}

/* [1.2.3.4] or [IPv6:...], RFC 5321 4.1.3. */
static bool
parse_literal(struct slice domain, uint16_t port, struct hop *out)
{
	struct slice in = slice_make(domain.ptr + 1, domain.len - 2);
	struct sockaddr_storage ss;

	if (slice_starts_nocase(in, SLICE("IPv6:"))) {
		in = slice_skip(in, 5);
	}
	if (!addr_parse_ip(in, &ss)) {
		return false;
	}
	*out = (struct hop){ .kind = HOP_ADDRESS, .port = port, .name = in };
	route_ip_of(&ss, out->ip);
	return true;
}

size_t
route_hops(const struct route_in *in, struct hop *hops, size_t cap)
{
	size_t n = 0;

	ec_assert(cap > 0);
	memset(hops, 0, cap * sizeof *hops);
	if (in->gateway.len > 0) {
		return parse_host(in->gateway, in->port, HOP_MX, &hops[0]);
	}
	for (size_t i = 0; i < in->n_routes && n < cap; i++) {
		if (parse_route(in, in->routes[i], (uint16_t)i, &hops[n])) {
			n++;
		} else {
			hops[n] = (struct hop){ 0 };
		}
	}
	if (in->n_routes > 0) {
		return n;
	}
	if (in->domain.len > 2 && in->domain.ptr[0] == '[' &&
	    in->domain.ptr[in->domain.len - 1] == ']') {
		return parse_literal(in->domain, in->port, &hops[0]);
	}
	if (in->domain.len == 0) {
		return 0;
	}
	hops[0] = (struct hop){ .kind = HOP_MX, .port = in->port,
		.name = in->domain };
	return 1;
}
