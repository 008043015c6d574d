/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound: the connections to the world.  The only module here with sockets;
 * it drives smtp_client and asks conn_pool for work.  A connection is ready
 * when it has been greeted; it then takes works until conn_pool has none or
 * the limits of a connection are reached.
 */
#ifndef EC_OUTBOUND_H
#define EC_OUTBOUND_H

#include <sys/uio.h>

#include "common/base/loop.h"
#include "common/mail/dot.h"
#include "deliverer/deadline.h"
#include "deliverer/lane.h"
#include "deliverer/site.h"
#include "deliverer/smtp_client.h"
#include "deliverer/window.h"

#define CONN_IOV 32u

enum conn_phase {
	CONN_MAKING,	/* being connected or greeted */
	CONN_READY,	/* takes work */
	CONN_LEAVING,	/* will be closed */
};

struct conn {
	struct deliverer *d;
	struct list_node link;		/* in d->conns, or free */
	struct list_node in_idle;	/* of the site */
	struct list_node in_queue;	/* of the queue whose row it holds */
	struct site *site;
	struct lane *queue;		/* served last, or NULL */
	uint32_t row;			/* held, 0: none */
	enum conn_phase phase;
	struct lane_options opt;	/* of the queue served last */
	int fd;
	bool connecting;
	struct loop_fd watch;
	struct deadline deadline;
	uint64_t tried;			/* targets, a bit each */
	const struct target *target;
	struct smtp_client smtp;
	struct smtp_result failure;	/* of the last target */
	char failure_text[SMTP_FAILURE_MAX];
	struct work *work, *next;
	uint32_t n_mails, n_rcpts;
	bool greeted;			/* it was ready once */
	bool used_up;			/* the next mail has too many rcpts */
	/* Output: what is left of a body, then commands. */
	bool body, dot_made;
	struct dot_encoder dot;
	struct window window;		/* of a body in a file */
	struct iovec iov[CONN_IOV];
	size_t iov_at, iov_n;
	struct buf out;
	size_t out_at;
	/* Copies: a reload may take what the options borrow from. */
	char name[LANE_NAME_MAX + 1];	/* we say in EHLO */
	bool has_from;
	struct sockaddr_storage from;	/* Bind_Address */
};

/* Starts one for q's site, whose budgets the caller has taken; conn_pool
 * hears of its fate. */
void outbound_open(struct deliverer *d, struct lane *q, uint32_t row);
/* c is idle. */
void outbound_send(struct deliverer *d, struct conn *c, struct work *w);
/* c is idle; says QUIT. */
void outbound_quit(struct deliverer *d, struct conn *c);
void outbound_init(struct deliverer *d);

#endif
