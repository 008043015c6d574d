/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mx: from DNS answers to the list of hosts to try (RFC 5321 5.1, RFC 7505).
 * Pure: the caller asks the questions and hands the answers in.
 *
 *	n = mx_pick(&answer, hosts, MX_HOSTS_MAX, &null_mx);
 *	for each host: mx_add_addresses(&hosts[i], &a); (or mx_lost())
 *	n = mx_finish(hosts, n, self_check, arg, &verdict);
 *
 * Equal preferences keep the order of the answer; who delivers shuffles them.
 */
#ifndef EC_RESOLVER_MX_H
#define EC_RESOLVER_MX_H

#include "resolver/dns_msg.h"

#define MX_HOSTS_MAX 50u
#define MX_ADDRESSES_MAX 16u

struct mx_host {
	uint16_t preference;
	uint8_t n_addresses;
	bool is_lost;		/* an address question failed for now */
	uint8_t name_len;
	char name[DNS_NAME_TEXT_MAX];
	uint8_t address[MX_ADDRESSES_MAX][16];	/* IPv4 mapped */
};

enum mx_verdict {
	MX_USABLE,	/* at least one host with an address */
	MX_LOOP,	/* we are the best host that can be reached */
	MX_LOST,	/* none now, but a question failed for now */
	MX_NONE,	/* no host has an address */
	MX_VERDICTS
};

/* Is this host ourselves? */
typedef bool (*mx_self_fn)(void *arg, const struct mx_host *h);

/* The usable names of an MX answer: best first, stable, each once, at most
 * max.  *null_mx_out: the domain takes no mail.  Names that are no host names
 * (addresses, "localhost", odd characters) are left out. */
size_t mx_pick(const struct dns_answer *a, struct mx_host *hosts, size_t max,
	bool *null_mx_out);
/* The domain itself, for want of an MX. */
void mx_implicit(struct mx_host *host, struct slice domain);
/* Adds the addresses of an A or AAAA answer, each once, up to the limit; a
 * failed one marks the host as lost for now. */
void mx_add_addresses(struct mx_host *host, const struct dns_answer *a);
/* Drops ourselves and all that is no better, then hosts without address.
 * self may be NULL.  What is left is at the front. */
size_t mx_finish(struct mx_host *hosts, size_t n, mx_self_fn self, void *arg,
	enum mx_verdict *verdict_out);

#endif
