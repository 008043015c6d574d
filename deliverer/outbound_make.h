/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound_make: how a connection comes to be, apart from what is said on it.
 * Only for outbound.c and outbound_make.c, which share struct conn.
 *
 *	outbound_open -> next target -> connect -> make_connected -> banner
 *	                     ^                         |
 *	                     +---- make_failed --------+   none left: it ends
 */
#ifndef EC_OUTBOUND_MAKE_H
#define EC_OUTBOUND_MAKE_H

#include "deliverer/outbound.h"

/* outbound_make.c.  Each may free c. */
/* The target does not take us, for this reason: the next one. */
void make_failed(struct conn *c, const struct smtp_result *f,
	struct slice text);
void make_failed_internal(struct conn *c, enum internal_failure f);
/* To c->target; helo: without trying EHLO. */
void make_connect(struct conn *c, bool helo);
/* The socket says that connect() has ended. */
void make_connected(struct conn *c);

/* outbound.c. */
void conn_on_socket(void *c, unsigned ready);
/* 0: none. */
void conn_set_deadline(struct conn *c, uint64_t us);
/* The deadline of what is awaited now. */
void conn_await(struct conn *c);
void conn_close_socket(struct conn *c);
void conn_free(struct conn *c);

#endif
