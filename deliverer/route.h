/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: where a queue's mail goes next, as configured.  Gateway, else Routes,
 * else the domain itself become hops: an address that is used as it is, or a
 * name for the resolver.  Pure; names borrow from what was given.
 *
 *	n = route_hops(&in, hops, ROUTE_HOPS_MAX);	// 0: nothing usable
 */
#ifndef EC_ROUTE_H
#define EC_ROUTE_H

#include "common/base/addr.h"
#include "common/base/slice.h"

#define ROUTE_HOPS_MAX 16u

enum hop_kind {
	HOP_ADDRESS,	/* of the hop */
	HOP_MX,		/* exchangers of the name, else its addresses */
	HOP_HOST,	/* addresses of the name */
};

struct hop {
	enum hop_kind kind;
	uint16_t port;
	uint16_t preference;	/* among the hops; lower goes first */
	struct slice name;	/* as written, for logs too */
	uint8_t ip[16];		/* HOP_ADDRESS; IPv4 mapped */
};

struct route_in {
	struct slice domain;		/* routing domain, or [literal] */
	struct slice gateway;		/* empty: none */
	const struct slice *routes;	/* n_routes 0: none */
	size_t n_routes;
	uint16_t port;			/* where none is said */
};

size_t route_hops(const struct route_in *in, struct hop *hops_out, size_t cap);

/* Socket address <-> 16 bytes with IPv4 mapped. */
void route_ip_of(const struct sockaddr_storage *ss, uint8_t ip_out[16]);
void route_sockaddr(const uint8_t ip[16], uint16_t port,
	struct sockaddr_storage *out);
bool route_ip_is_v4(const uint8_t ip[16]);

#endif
