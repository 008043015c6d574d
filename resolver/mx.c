/* SPDX-License-Identifier: Apache-2.0 */
/* From DNS answers to the hosts to try. */
#include "resolver/mx.h"

static bool
is_usable_name(struct slice name)
{
	return dns_msg_is_host(name) &&
	    !slice_eq_nocase(name, SLICE("localhost")) &&
	    !slice_ends_nocase(name, SLICE(".localhost"));	/* RFC 6761 */
}

static struct slice
host_name(const struct mx_host *h)
{
	return slice_make(h->name, h->name_len);
}

static void
host_set(struct mx_host *h, uint16_t preference, struct slice name)
{
	*h = (struct mx_host){ .preference = preference };
	h->name_len = (uint8_t)EC_MIN(name.len, (size_t)DNS_NAME_TEXT_MAX - 1);
	memcpy(h->name, name.ptr, h->name_len);
	bytes_lower(h->name, h->name_len);
}

static void
hosts_cut(struct mx_host *hosts, size_t n, size_t at)
{
	memmove(&hosts[at], &hosts[at + 1], (n - at - 1) * sizeof hosts[0]);
}

/* Puts a name where its preference belongs, behind its equals.  The number of
 * hosts then. */
static size_t
host_insert(struct mx_host *hosts, size_t n, size_t max,
    const struct dns_record *r)
{
	size_t at = n;

	for (size_t i = 0; i < n; i++) {
		if (slice_eq_nocase(host_name(&hosts[i]), r->name)) {
			if (hosts[i].preference <= r->preference) {
				return n;
			}
			hosts_cut(hosts, n--, i);
			at = n;
			break;
		}
	}
	while (at > 0 && hosts[at - 1].preference > r->preference) {
		at--;
	}
	if (at == max) {
		return n;
	}
	if (n == max) {
		n--;	/* the worst one gives way */
	}
	memmove(&hosts[at + 1], &hosts[at], (n - at) * sizeof hosts[0]);
	host_set(&hosts[at], r->preference, r->name);
	return n + 1;
}

size_t
mx_pick(const struct dns_answer *a, struct mx_host *hosts, size_t max,
    bool *null_mx_out)
{
	struct wire_r w = wire_reader(a->data);
	struct dns_record r;
	size_t n = 0;

	*null_mx_out = false;
	while (dns_record_next(DNS_MSG_MX, &w, &r)) {
		if (r.name.len == 0 && a->n == 1) {
			/* RFC 7505 3.  Some publish another preference than 0
			 * and mean the same: nobody lives at ".". */
			*null_mx_out = true;
		} else if (is_usable_name(r.name)) {
			n = host_insert(hosts, n, max, &r);
		}
	}
	return n;
}

void
mx_implicit(struct mx_host *host, struct slice domain)
{
	host_set(host, 0, domain);
}

static bool
has_address(const struct mx_host *h, const uint8_t addr[16])
{
	for (size_t i = 0; i < h->n_addresses; i++) {
		if (memcmp(h->address[i], addr, 16) == 0) {
			return true;
		}
	}
	return false;
}

void
mx_add_addresses(struct mx_host *host, const struct dns_answer *a)
{
	struct wire_r w = wire_reader(a->data);
	struct dns_record r;

	if (a->status == DNS_ANSWER_FAILED) {
		host->is_lost = true;
	}
	while (host->n_addresses < MX_ADDRESSES_MAX &&
	    dns_record_next(a->type, &w, &r)) {
		if (!has_address(host, r.addr)) {
			memcpy(host->address[host->n_addresses++], r.addr, 16);
		}
	}
}

/* IPv4 first, whichever answer came first; else in the order given. */
static void
sort_families(struct mx_host *h)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t v6[MX_ADDRESSES_MAX][16];
	size_t n4 = 0, n6 = 0;

	for (size_t i = 0; i < h->n_addresses; i++) {
		if (memcmp(h->address[i], mapped, 12) != 0) {
			memcpy(v6[n6++], h->address[i], 16);
		} else {
			memmove(h->address[n4++], h->address[i], 16);
		}
	}
	for (size_t i = 0; i < n6; i++) {
		memcpy(h->address[n4 + i], v6[i], 16);
	}
}

size_t
mx_finish(struct mx_host *hosts, size_t n, mx_self_fn self, void *arg,
    enum mx_verdict *verdict_out)
{
	bool looped = false, lost = false;
	size_t kept = 0;

	/* RFC 5321 5.1: we, and all that is no better than we, are no way
	 * out.  Hosts stand best first: cut at our preference. */
	for (size_t i = 0; i < n && !looped; i++) {
		if (self != NULL && self(arg, &hosts[i])) {
			looped = true;
			n = i;
			while (n > 0 && hosts[n - 1].preference ==
			    hosts[i].preference) {
				n--;
			}
		}
	}
	for (size_t i = 0; i < n; i++) {
		lost = lost || hosts[i].is_lost;
		if (hosts[i].n_addresses > 0) {
			if (kept != i) {
				hosts[kept] = hosts[i];
			}
			sort_families(&hosts[kept++]);
		}
	}
	*verdict_out = kept > 0 ? MX_USABLE : lost ? MX_LOST :
	    looped ? MX_LOOP : MX_NONE;
	return kept;
}
