/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets.  The supervisor makes one per listener and address and
 * gives all to all; each serves its own and, when told, those of a neighbour
 * that is away.  We accept only while a spooler and ids are there: until then
 * clients wait in the socket's backlog.
 */
#include "listener/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/base/fdio.h"
#include "common/base/log.h"

#define ACCEPTS_PER_TURN 64

/* No descriptors: clients wait in the backlog.  Watching on would only spin. */
static void
crowd(struct listener *l, const char *why)
{
	static struct log_rate rate;

	log_limited(&rate, EC_ERROR, "no more connections than %u for now: %s "
	    "(see Server_Max_File_Descriptors)", l->n_sessions, why);
	l->crowded = true;
	endpoint_update(l);
}

static void
on_accept(void *arg, unsigned ready)
{
	struct endpoint *e = arg;

	(void)ready;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof peer;
		int one = 1, fd = accept4(e->fd, (struct sockaddr *)&peer,
		    &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM) {
				crowd(e->l, strerror(errno));
			}
			return;	/* EAGAIN, or the client is gone again */
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		session_open(e, fd, &peer);
		if (e->l->n_sessions >= e->l->most_sessions) {
			crowd(e->l, "descriptors are needed elsewhere");
			return;
		}
	}
}

static void
find_scopes(struct endpoint *e)
{
	const struct config *c = worker_config(e->l->w);
	struct config_where w = { 0 };

	e->at_scope = NULL;
	e->at_listen = NULL;
	for (const struct config_scope *s = config_first(c, NULL,
	    SCOPE_ESMTP_LISTENER); s != NULL; s = config_next(s)) {
		const struct config_scope *t;

		if (!slice_eq(config_scope_name(s), slice_of(e->scope))) {
			continue;
		}
		t = config_find(c, s, SCOPE_LISTEN, slice_of(e->listen));
		if (t != NULL) {
			e->at_scope = s;
			e->at_listen = t;
		}
	}
	w.listener = e->at_scope;
	w.listen = e->at_listen;
	e->max_sessions = (uint64_t)config_int(c, &w, OPT_LISTENER_SESSIONS);
}

void
endpoint_update(struct listener *l)
{
	if (!l->accepting && store_is_ready(l)) {
		l->accepting = true;	/* a spooler's absence later is waited
					 * out with the client connected */
	}
	list_each(n, tmp, &l->endpoints) {
		struct endpoint *e = list_entry(n, struct endpoint, link);
		bool ours = e->slot == worker_index(l->w) ||
		    l->adopted[e->slot];
		bool want = ours && e->fd >= 0 && l->accepting &&
		    !l->draining && !l->crowded;

		if (want != e->watched) {
			e->watched = want;
			loop_fd_want(&e->watch, want ? LOOP_READ : 0);
		}
	}
}

void
endpoint_uncrowd(struct listener *l)
{
	if (l->crowded && l->n_sessions < l->most_sessions) {
		l->crowded = false;
		endpoint_update(l);
	}
}

void
endpoint_add(struct listener *l, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	unsigned slot = wire_u16(&r);
	struct slice scope = wire_slice(&r), listen = wire_slice(&r);
	int fd = ipc_take_fd(m);
	struct endpoint *e;

	if (r.bad || fd < 0 || slot >= SCORE_PER_ROLE) {
		log_error("malformed SUP_LISTEN");
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	if (l->draining) {
		close(fd);
		return;
	}
	e = xcalloc(1, sizeof *e);
	e->l = l;
	e->fd = fd;
	e->slot = slot;
	slice_copy(e->scope, sizeof e->scope, scope);
	slice_copy(e->listen, sizeof e->listen, listen);
	loop_fd_init(&e->watch, l->loop, fd, on_accept, e);
	list_push_back(&l->endpoints, &e->link);
	find_scopes(e);
	endpoint_update(l);
}

/* Sessions that came by it stay, under the settings they have; so it stays in
 * the list, and never points into a configuration that is gone. */
static void
shut(struct endpoint *e)
{
	loop_fd_stop(&e->watch);
	e->watched = false;
	fdio_close(&e->fd);
	endpoint_put(e);
}

void
endpoint_gone(struct listener *l, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct slice scope = wire_slice(&r), listen = wire_slice(&r);

	list_each(n, tmp, &l->endpoints) {
		struct endpoint *e = list_entry(n, struct endpoint, link);

		if (e->fd >= 0 && slice_eq(scope, slice_of(e->scope)) &&
		    slice_eq(listen, slice_of(e->listen))) {
			shut(e);
		}
	}
}

/* Who waits there already is taken, for a word of farewell instead of a reset.
 * Left open, the sockets would go on gathering clients for nobody while the
 * last session ends, and after the supervisor's death hold the port. */
void
endpoint_drain(struct listener *l)
{
	list_each(n, tmp, &l->endpoints) {
		struct endpoint *e = list_entry(n, struct endpoint, link);

		if (e->watched) {
			on_accept(e, LOOP_READ);
		}
		if (e->fd >= 0) {
			shut(e);
		}
	}
}

void
endpoint_put(struct endpoint *e)
{
	if (e->sessions == 0 && e->fd < 0) {
		list_remove(&e->link);
		free(e);
	}
}

void
endpoint_adopt(struct listener *l, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	unsigned slot = wire_u16(&r);
	bool on = wire_u8(&r) != 0;

	if (!r.bad && slot < SCORE_PER_ROLE) {
		l->adopted[slot] = on;
		endpoint_update(l);
	}
}

void
endpoint_reconfigure(struct listener *l)
{
	list_each(n, tmp, &l->endpoints) {
		find_scopes(list_entry(n, struct endpoint, link));
	}
}
