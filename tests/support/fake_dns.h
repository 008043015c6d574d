/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_dns: a DNS server for tests, on loopback at a port of the system's
 * choice, UDP and TCP, served by the test's own loop.  It answers what it was
 * told to and counts what it was asked.
 *
 *	struct fake_dns *d = fake_dns_create(loop);
 *	fake_dns_mx(d, "example.com", 300, 10, "mx.example.com");
 *	fake_dns_a(d, "mx.example.com", 300, "192.0.2.1");
 *	fake_dns_soa(d, "example.com", 300, 60);	(for denials below it)
 *	fake_dns_mode(d, "slow.example.com", FAKE_DNS_SILENT);
 *
 * A name without any record: NXDOMAIN; with records of other types: no data.
 * A CNAME is put first, then what its target has.
 */
#ifndef EC_TESTS_SUPPORT_FAKE_DNS_H
#define EC_TESTS_SUPPORT_FAKE_DNS_H

#include "common/base/loop.h"

#include <sys/socket.h>

struct fake_dns;

enum fake_dns_mode {
	FAKE_DNS_NORMAL,
	FAKE_DNS_SILENT,	/* no reply */
	FAKE_DNS_SERVFAIL,
	FAKE_DNS_REFUSED,
	FAKE_DNS_FORMERR,	/* over UDP; TCP is answered */
	FAKE_DNS_TRUNCATED,	/* TC over UDP; TCP is answered */
	FAKE_DNS_TCP_CLOSES,	/* TC over UDP; TCP closes without a reply */
	FAKE_DNS_COMPRESSED_QUESTION,	/* the library's heap overflow */
	FAKE_DNS_GARBAGE,	/* right id and question, broken records */
};

struct fake_dns *fake_dns_create(struct loop *l);
void fake_dns_destroy(struct fake_dns **d);
void fake_dns_address(const struct fake_dns *d, struct sockaddr_storage *out);
void fake_dns_a(struct fake_dns *d, const char *name, unsigned ttl,
	const char *address);
void fake_dns_aaaa(struct fake_dns *d, const char *name, unsigned ttl,
	const char *address);
void fake_dns_mx(struct fake_dns *d, const char *name, unsigned ttl,
	unsigned preference, const char *host);
void fake_dns_cname(struct fake_dns *d, const char *name, unsigned ttl,
	const char *target);
void fake_dns_soa(struct fake_dns *d, const char *zone, unsigned ttl,
	unsigned minimum);
/* For one name, or all (NULL). */
void fake_dns_mode(struct fake_dns *d, const char *name,
	enum fake_dns_mode mode);
/* Questions over UDP and TCP; for one name or all (NULL). */
unsigned fake_dns_asked(const struct fake_dns *d, const char *name);
unsigned fake_dns_asked_tcp(const struct fake_dns *d);
/* Source ports seen so far (different ones). */
unsigned fake_dns_ports(const struct fake_dns *d);

#endif
