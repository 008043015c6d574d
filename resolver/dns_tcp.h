/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_tcp: one question over TCP (RFC 7766), for answers that were cut short
 * over UDP and for servers that do not take EDNS.  Never blocks; the caller
 * keeps the deadline and cancels.
 *
 * fn is called once from the loop, with the reply borrowed, or empty when the
 * connection failed; the object is gone by then.
 */
#ifndef EC_RESOLVER_DNS_TCP_H
#define EC_RESOLVER_DNS_TCP_H

#include "common/base/loop.h"
#include "common/base/slice.h"

#include <sys/socket.h>

struct dns_tcp;
typedef void (*dns_tcp_fn)(void *arg, struct slice reply);

/* NULL: could not even begin (errno). */
struct dns_tcp *dns_tcp_ask(struct loop *l, const struct sockaddr_storage *to,
	struct slice query, dns_tcp_fn fn, void *arg);
void dns_tcp_cancel(struct dns_tcp **t);

#endif
