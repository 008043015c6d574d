/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udns behind a narrow door.  The life of a question:
 *
 *	ask -> (library) -> hook: packet copied -> library's callback
 *	    -> done list -> fn, once the library has returned
 *
 * The hook sees every reply that matches by id, name, type and source,
 * negative and truncated ones too, before the library reads on.
 */
#include "resolver/udns_port.h"

#include <netinet/in.h>
#include <udns.h>

#include "resolver/dns_msg.h"

#define RECEIVE_BUFFER (8 * 1024 * 1024)	/* bursts of replies wait here */
#define EDNS_LOOPBACK 4096	/* 65536 would go out as 0 */
#define EDNS_NETWORK 1232	/* no fragments */
#define NEVER_S 300	/* the library's time-out: ours come first */

struct udns_port {
	struct loop *loop;
	struct dns_ctx *ctx;
	struct loop_fd watch;
	struct loop_timer later;
	struct list_node done;
	unsigned active;
};

/* The library wants seconds; any clock that never stands at 0 does. */
static time_t
now_s(const struct udns_port *p)
{
	return (time_t)(loop_now_us(p->loop) / 1000000u) + 1;
}

static void
mark_done(struct udns_question *q)
{
	if (list_is_empty(&q->link)) {
		list_push_back(&q->port->done, &q->link);
	}
}

static void
hook(int code, const struct sockaddr *sa, unsigned sa_len, dnscc_t *packet,
    int len, const struct dns_query *handle, void *data)
{
	struct udns_question *q = data;

	(void)sa;
	(void)sa_len;
	(void)handle;
	/* 0: a reply to this question; others: sent, dropped, not ours. */
	if (code != 0 || q == NULL || len <= 0 || q->packet != NULL) {
		return;
	}
	q->packet = xmalloc((size_t)len);
	memcpy(q->packet, packet, (size_t)len);
	q->packet_len = (size_t)len;
	mark_done(q);
}

/* The packet is read elsewhere: the library need not. */
static int
parse_nothing(dnscc_t *name, dnscc_t *packet, dnscc_t *cur, dnscc_t *end,
    void **result)
{
	(void)name;
	(void)packet;
	(void)cur;
	(void)end;
	(void)result;
	return DNS_E_NODATA;
}

static void
on_library(struct dns_ctx *ctx, void *result, void *data)
{
	struct udns_question *q = data;

	(void)ctx;
	free(result);	/* NULL; what a parser gave would be ours */
	q->handle = NULL;
	mark_done(q);
}

static void
drop_handle(struct udns_question *q)
{
	if (q->handle != NULL) {
		/* dns_cancel() forgets to free it. */
		dns_cancel(q->port->ctx, q->handle);
		free(q->handle);
		q->handle = NULL;
	}
}

/* Takes q out of the port's hands. */
static void
release(struct udns_question *q)
{
	drop_handle(q);
	list_remove(&q->link);
	q->port->active--;
	q->port = NULL;
}

static void
serve_done(void *arg)
{
	struct udns_port *p = arg;
	struct list_node mine, *n;

	/* Only those that are there now: fn may ask, and fail, again. */
	list_init(&mine);
	while ((n = list_pop_front(&p->done)) != NULL) {
		list_push_back(&mine, n);
	}
	/* fn may cancel others in this list, but not close the port: it is
	 * still active with them, or is closed by its owner later. */
	while ((n = list_first(&mine)) != NULL) {
		struct udns_question *q = list_entry(n, struct udns_question,
		    link);
		char *packet = q->packet;
		size_t len = q->packet_len;

		release(q);
		q->packet = NULL;
		q->fn(q, slice_make(packet, len));
		free(packet);
	}
}

static void
on_readable(void *arg, unsigned ready)
{
	struct udns_port *p = arg;

	(void)ready;
	dns_ioevent(p->ctx, now_s(p));
	serve_done(p);
}

static bool
is_loopback(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET6) {
		return IN6_IS_ADDR_LOOPBACK(
		    &((const struct sockaddr_in6 *)ss)->sin6_addr);
	}
	return ntohl(((const struct sockaddr_in *)ss)->sin_addr.s_addr) >> 24 ==
	    127;
}

static bool
set_up(struct dns_ctx *ctx, const struct sockaddr_storage *server)
{
	dns_add_serv(ctx, NULL);
	if (dns_add_serv_s(ctx, (const struct sockaddr *)server) < 0) {
		return false;
	}
	dns_set_opt(ctx, DNS_OPT_FLAGS, DNS_NOSRCH);
	dns_set_opt(ctx, DNS_OPT_NTRIES, 1);
	dns_set_opt(ctx, DNS_OPT_TIMEOUT, NEVER_S);
	dns_set_opt(ctx, DNS_OPT_UDPSIZE, is_loopback(server) ?
	    EDNS_LOOPBACK : EDNS_NETWORK);
	dns_set_dbgfn(ctx, hook);
	return true;
}

struct udns_port *
udns_port_open(struct loop *l, const struct sockaddr_storage *server,
    struct error *err_out)
{
	struct udns_port *p;
	struct dns_ctx *ctx;
	int fd = -1, size = RECEIVE_BUFFER;

	/* Defaults without the environment and resolv.conf; the library's
	 * default context is only ever copied from. */
	dns_reset(NULL);
	ctx = dns_new(NULL);
	if (ctx == NULL || !set_up(ctx, server) || (fd = dns_open(ctx)) < 0) {
		error_sys(err_out, "cannot open a DNS socket");
		if (ctx != NULL) {
			dns_free(ctx);
		}
		return NULL;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	}
	p = xcalloc(1, sizeof *p);
	p->loop = l;
	p->ctx = ctx;
	list_init(&p->done);
	loop_timer_init(&p->later, l, serve_done, p);
	loop_fd_init(&p->watch, l, fd, on_readable, p);
	loop_fd_want(&p->watch, LOOP_READ);
	return p;
}

void
udns_port_close(struct udns_port **pp)
{
	struct udns_port *p = *pp;

	*pp = NULL;
	if (p == NULL) {
		return;
	}
	ec_assert(p->active == 0);
	loop_timer_stop(&p->later);
	loop_fd_stop(&p->watch);
	dns_free(p->ctx);	/* closes the socket */
	free(p);
}

bool
udns_port_ask(struct udns_port *p, struct udns_question *q, struct slice name,
    uint16_t type)
{
	uint8_t wire[DNS_WIRE_NAME_MAX];
	size_t len;

	if (!dns_msg_name(name, wire, &len)) {
		return false;
	}
	q->port = p;
	q->packet = NULL;
	q->packet_len = 0;
	list_init(&q->link);
	q->handle = dns_submit_dn(p->ctx, wire, DNS_C_IN, type, DNS_NOSRCH,
	    parse_nothing, on_library, q);
	if (q->handle == NULL) {
		q->port = NULL;
		return false;
	}
	p->active++;
	dns_timeouts(p->ctx, -1, now_s(p));	/* this is what sends */
	if (!list_is_empty(&p->done)) {
		loop_timer_set(&p->later, 0);	/* sendto() failed */
	}
	return true;
}

void
udns_port_cancel(struct udns_question *q)
{
	if (q->port != NULL) {
		release(q);
		free(q->packet);
		q->packet = NULL;
	}
}

unsigned
udns_port_active(const struct udns_port *p)
{
	return p->active;
}
