/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making connections: one target of the site after the other, until one greets
 * us (conn_pool hears of it through outbound.c) or none is left.
 *
 * Each failure may free the connection; who calls returns at once.
 */
#include "deliverer/outbound_make.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <bsd/stdlib.h>

#include "common/base/log.h"
#include "deliverer/conn_pool.h"
#include "deliverer/deliverer.h"

#define OUT_MAX (1u << 20)	/* commands of one group */

static void try_next(struct conn *c);
static void no_target_left(struct conn *c);

void
make_failed(struct conn *c, const struct smtp_result *f, struct slice text)
{
	struct deliverer *d = c->d;

	c->failure = *f;
	c->failure.text_len = (uint16_t)EC_MIN(text.len,
	    sizeof c->failure_text);
	memcpy(c->failure_text, text.ptr, c->failure.text_len);
	score_add(d->score, SCORE_D_CONNECT_FAILURES, 1);
	/* A host that has us on other connections only takes no more. */
	if (c->target->n_open == 0) {
		host_memory_fail(&d->hosts, c->target->ip, c->target->port,
		    loop_now_us(d->loop) + c->opt.host_retry_us);
	}
	conn_close_socket(c);
	try_next(c);
}

void
make_failed_internal(struct conn *c, enum internal_failure f)
{
	const struct internal_text *t = internal_text(f);
	struct smtp_result r = { .kind = t->kind, .code = t->code,
		.stage = STAGE_NOT_CONNECTED };

	make_failed(c, &r, slice_of(t->text));
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	    error == ENOMEM;
}

/* It says nothing of the host, which stays as good as it was.  For want of
 * descriptors mail waits; without our own address it fails for now. */
static void
local_failure(struct conn *c, int error)
{
	const struct internal_text *t = internal_text(INTERNAL_NO_HOSTS);

	if (is_shortage(error)) {
		pool_conn_short(c->d, c);
		conn_free(c);
		return;
	}
	c->failure = (struct smtp_result){ .kind = t->kind, .code = t->code,
		.stage = STAGE_NOT_CONNECTED,
		.text_len = (uint16_t)strlen(t->text) };
	memcpy(c->failure_text, t->text, c->failure.text_len);
	no_target_left(c);
}

static int
open_socket(struct conn *c, const struct sockaddr_storage *to)
{
	int one = 1, fd;

	fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0) {
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (c->has_from && c->from.ss_family == to->ss_family) {
		/* The port is chosen at connect: many may share one. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		    sizeof one);
		if (bind(fd, (struct sockaddr *)&c->from,
		    addr_len(&c->from)) < 0) {
			int why = errno;

			close(fd);
			errno = why;
			return -1;
		}
	}
	return fd;
}

void
make_connect(struct conn *c, bool helo)
{
	static struct log_rate trouble;
	struct deliverer *d = c->d;
	struct sockaddr_storage to;

	route_sockaddr(c->target->ip, c->target->port, &to);
	smtp_client_init(&c->smtp, slice_of(c->name), helo, &c->out);
	buf_clear(&c->out);
	c->out_at = 0;
	score_add(d->score, SCORE_D_CONNECTS, 1);
	c->fd = open_socket(c, &to);
	if (c->fd < 0) {
		int why = errno;

		log_limited(&trouble, EC_WARNING,
		    "cannot make an outbound socket%s: %s", c->has_from ?
		    " bound to Bind_Address" : "", strerror(why));
		local_failure(c, why);
		return;
	}
	if (connect(c->fd, (struct sockaddr *)&to, addr_len(&to)) < 0 &&
	    errno != EINPROGRESS) {
		close(c->fd);
		c->fd = -1;
		make_failed_internal(c, INTERNAL_NO_HOSTS);
		return;
	}
	c->connecting = true;
	loop_fd_init(&c->watch, d->loop, c->fd, conn_on_socket, c);
	loop_fd_want(&c->watch, LOOP_WRITE);
	conn_set_deadline(c, c->opt.connect_us);
}

/* The best target not tried yet and not known to fail; equals at random. */
static const struct target *
pick_target(struct conn *c)
{
	const struct site *s = c->site;
	const struct target *best = NULL;
	uint64_t now = loop_now_us(c->d->loop);
	uint32_t equals = 0, at = 0;

	for (uint32_t i = 0; i < s->n_targets; i++) {
		const struct target *t = &s->target[i];

		if ((c->tried >> i & 1) != 0 || host_memory_until(&c->d->hosts,
		    t->ip, t->port, now) != 0) {
			continue;
		}
		if (best != NULL && t->order > best->order) {
			break;		/* they are sorted */
		}
		if (arc4random_uniform(++equals) == 0) {
			best = t;
			at = i;
		}
	}
	if (best != NULL) {
		c->tried |= 1ull << at;
	}
	return best;
}

static void
no_target_left(struct conn *c)
{
	pool_conn_failed(c->d, c, &c->failure, slice_make(c->failure_text,
	    c->failure.text_len));
	conn_free(c);
}

static void
try_next(struct conn *c)
{
	const struct internal_text *t = internal_text(INTERNAL_UNREACHABLE);

	c->target = pick_target(c);
	if (c->target != NULL) {
		make_connect(c, false);
		return;
	}
	if (c->tried == 0) {
		/* All failed lately. */
		c->failure = (struct smtp_result){ .kind = t->kind,
			.code = t->code, .stage = STAGE_NOT_CONNECTED,
			.text_len = (uint16_t)strlen(t->text) };
		memcpy(c->failure_text, t->text, c->failure.text_len);
	}
	no_target_left(c);
}

static struct conn *
conn_take(struct deliverer *d)
{
	struct list_node *n = list_pop_front(&d->free_conns);
	struct conn *c = n == NULL ? NULL : list_entry(n, struct conn, link);
	struct buf out;

	if (c == NULL) {
		c = xmalloc(sizeof *c);
		buf_init(&c->out, OUT_MAX);
	}
	out = c->out;
	/* Not the reply's text and what stands behind the machine's start. */
	memset(c, 0, sizeof *c);
	c->out = out;
	buf_clear(&c->out);
	c->d = d;
	c->fd = -1;
	list_init(&c->in_idle);
	list_init(&c->in_queue);
	deadline_init(&c->deadline);
	return c;
}

void
outbound_open(struct deliverer *d, struct lane *q, uint32_t row)
{
	struct conn *c = conn_take(d);

	c->site = q->site;
	c->queue = q;
	c->row = row;
	c->opt = q->opt;
	slice_copy(c->name, sizeof c->name, q->opt.ehlo);
	c->has_from = q->opt.bind.len > 0 &&
	    addr_parse_ip(q->opt.bind, &c->from);
	list_push_back(&d->conns, &c->link);
	list_push_back(&q->conns, &c->in_queue);
	d->n_conns++;
	c->site->n_conns++;
	c->site->n_making++;
	score_set(d->score, SCORE_D_CONNECTIONS, d->n_conns);
	try_next(c);
}

void
make_connected(struct conn *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		make_failed_internal(c, err == ETIMEDOUT ?
		    INTERNAL_CONNECT_TIMEOUT : INTERNAL_NO_HOSTS);
		return;
	}
	c->connecting = false;
	loop_fd_want(&c->watch, LOOP_READ);
	conn_await(c);
}
