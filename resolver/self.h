/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self: is a mail exchanger this very server?  By name: what we call ourselves
 * (Hostname, EHLO_Hostname, Banner_Hostname, the system's name).  By address:
 * one of the machine's, if we listen there at the port that mail would be sent
 * to.
 *
 * The machine's addresses are read once, before the sandbox closes: asking for
 * them needs a netlink socket, which is not left open to a process that reads
 * strangers' bytes.  An address added later counts after a restart (names
 * count at each reload).
 */
#ifndef EC_RESOLVER_SELF_H
#define EC_RESOLVER_SELF_H

#include "common/base/error.h"
#include "common/config/config.h"

#define SELF_ADDRESSES_MAX 1024u

struct self_addresses {
	size_t n;
	uint8_t address[SELF_ADDRESSES_MAX][16];	/* IPv4 mapped */
};

struct self;

int self_read_addresses(struct self_addresses *out, struct error *err_out);
/* Borrows the addresses. */
struct self *self_create(const struct config *cfg,
	const struct self_addresses *own);
void self_destroy(struct self **s);
bool self_is_name(const struct self *s, struct slice name);
/* Would a connection to this address and port arrive at us? */
bool self_is_address(const struct self *s, const uint8_t address[16],
	uint16_t port);

#endif
