/* SPDX-License-Identifier: Apache-2.0 */
/*
 * servers: which DNS servers to ask: DNS_Servers, else the nameserver lines of
 * Resolv_Conf, else 127.0.0.1:53.  That file is read at start only, for after
 * it no file can be opened; a reload keeps what it said.
 */
#ifndef EC_RESOLVER_SERVERS_H
#define EC_RESOLVER_SERVERS_H

#include "common/config/config.h"
#include "resolver/lookup.h"

/* Appends the nameservers of resolv.conf's text, up to the limit. */
void servers_read_text(struct slice text, struct lookup_options *o);
/* The same of the file; a missing one has none. */
void servers_read_file(const char *path, struct lookup_options *o);
/* Puts the servers to use into o; from_file is what Resolv_Conf said. */
void servers_choose(const struct config *cfg,
	const struct lookup_options *from_file, struct lookup_options *o);
bool servers_same(const struct lookup_options *a,
	const struct lookup_options *b);

#endif
