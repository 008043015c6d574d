/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udns_port: the one file that knows the DNS library.  A port is one library
 * context: one UDP socket, so one source port and one series of ids, asking
 * one server.  Another library would be put in here.
 *
 * What the library gives is not trusted with more than it does well: it makes
 * ids, sends, and matches replies to questions; the packet itself is copied
 * out for dns_msg to judge.  Its own record parsers are never called (they
 * overrun their buffer on a reply with a compressed question), its retries and
 * timers (whole seconds) are not used: the caller sets its own and cancels.
 *
 * question.fn is called from the loop, never from inside the library nor from
 * udns_port_ask(), so it may ask again at once.  A question belongs to the
 * caller and is out of the port's hands when fn is called or after cancel.
 */
#ifndef EC_RESOLVER_UDNS_PORT_H
#define EC_RESOLVER_UDNS_PORT_H

#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/loop.h"
#include "common/base/slice.h"

#include <sys/socket.h>

struct udns_port;
struct dns_query;

struct udns_question {
	struct list_node link;
	struct udns_port *port;
	struct dns_query *handle;
	char *packet;
	size_t packet_len;
	/* reply: the packet, borrowed; empty: it could not be sent. */
	void (*fn)(struct udns_question *q, struct slice reply);
};

struct udns_port *udns_port_open(struct loop *l,
	const struct sockaddr_storage *server, struct error *err_out);
/* No question may be under way. */
void udns_port_close(struct udns_port **p);
/* Sends it now; false if the name is none or memory is short. */
bool udns_port_ask(struct udns_port *p, struct udns_question *q,
	struct slice name, uint16_t type);
/* Also fine when nothing is under way. */
void udns_port_cancel(struct udns_question *q);
unsigned udns_port_active(const struct udns_port *p);

#endif
