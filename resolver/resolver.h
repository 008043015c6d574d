/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver: the process that owns the one DNS cache.  It answers RESOLVE of
 * deliverers with RESOLVED and the console's "dns_cache" questions; this is
 * what main.c wires together.
 *
 * After start it needs sockets and no files: what lies in files (Resolv_Conf)
 * and the machine's addresses are read in resolver_start().
 */
#ifndef EC_RESOLVER_RESOLVER_H
#define EC_RESOLVER_RESOLVER_H

#include "common/ipc/worker.h"
#include "resolver/resolve.h"

struct resolver {	/* the one context of the process */
	struct worker *worker;
	struct resolve *resolve;
	struct lookup_options from_file, options;
	struct self_addresses own;
	struct loop_timer tick;
	uint64_t open;		/* RESOLVEs not yet answered */
};

int resolver_start(struct worker *w, int *exit_code_out,
	struct error *err_out);
void resolver_reconfigure(struct worker *w);
void resolver_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m);
void resolver_link_down(struct worker *w, struct ipc_link *k,
	const char *reason);
void resolver_drain(struct worker *w);
void resolver_title(struct worker *w, char *out, size_t size);

/* resolver/cache_ask: the answer to "dns_cache <argument>", one line of JSON
 * a line. */
void cache_ask(struct resolve *r, struct slice argument, uint64_t now_us,
	struct buf *out);

#endif
