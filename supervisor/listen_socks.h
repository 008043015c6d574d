/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_socks: one SO_REUSEPORT socket per listener slot and Listen address.
 * They are made once and live in the supervisor: a listener's death loses no
 * connection, a reload that keeps an address keeps its sockets.
 *
 * A set is built beside the held one and swapped in whole, so a reload that
 * cannot bind changes nothing:
 *
 *	if (listen_socks_build(&next, &held, cfg, slots, &err) < 0) { ... }
 *	... tell listeners of what is gone and what is new ...
 *	listen_socks_swap(&held, &next);
 *
 * Before an address is bound for the first time it is tried without
 * SO_REUSEPORT: nobody else may be listening there, not even with that option.
 */
#ifndef EC_LISTEN_SOCKS_H
#define EC_LISTEN_SOCKS_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/config/config.h"
#include "common/ipc/ipc.h"

#define LISTEN_BACKLOG_MIN 1024

struct listen_addr {
	char *scope;	/* name of the ESMTP_Listener, "" if it has none */
	char *text;	/* the address as configured */
	char origin[256];	/* file:line */
	struct sockaddr_storage sa;
	bool any;	/* ":25" or "*:25": every address of both families */
	bool v6_only;
	int backlog;
	int *fds;	/* one a slot */
	bool kept;	/* the sockets are those of the set before */
};

struct listen_socks {
	struct listen_addr *addr;
	size_t n;
	unsigned slots;
};

/* On -1 *next is empty and nothing was changed. */
int listen_socks_build(struct listen_socks *next,
	const struct listen_socks *held, const struct config *cfg,
	unsigned slots, struct error *err_out);
/* next becomes held; what only the old one had is closed. */
void listen_socks_swap(struct listen_socks *held, struct listen_socks *next);
/* Closes all. */
void listen_socks_fini(struct listen_socks *s);
/* Is this address, under this scope, in the set? */
bool listen_socks_has(const struct listen_socks *s, const struct listen_addr *a);

/* SUP_LISTEN for each slot, SUP_LISTEN_GONE. */
void listen_socks_send(const struct listen_socks *s,
	const struct listen_addr *a, struct ipc_link *to);
void listen_socks_send_gone(const struct listen_addr *a, struct ipc_link *to);

#endif
