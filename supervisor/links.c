/* SPDX-License-Identifier: Apache-2.0 */
/* Socket pairs between workers. */
#include "supervisor/links.h"

#include <unistd.h>

#include "common/base/log.h"
#include "supervisor/supervisor.h"

static const unsigned char pairs[][2] = {
	{ ROLE_LISTENER, ROLE_SPOOLER }, { ROLE_LISTENER, ROLE_LOGGER },
	{ ROLE_DELIVERER, ROLE_SPOOLER }, { ROLE_DELIVERER, ROLE_RESOLVER },
	{ ROLE_SPOOLER, ROLE_LOGGER }, { ROLE_CONSOLE, ROLE_SPOOLER },
	{ ROLE_CONSOLE, ROLE_DELIVERER }, { ROLE_CONSOLE, ROLE_RESOLVER },
};

bool
links_are_peers(unsigned a, unsigned b)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if ((pairs[i][0] == a && pairs[i][1] == b) ||
		    (pairs[i][0] == b && pairs[i][1] == a)) {
			return true;
		}
	}
	return false;
}

static void
put_who(struct buf *b, const struct child *c)
{
	wire_put_u8(b, (uint8_t)c->role);
	wire_put_u8(b, (uint8_t)c->index);
	wire_put_u32(b, c->incarnation);
}

static void
send_end(struct child *to, const struct child *peer, int fd)
{
	struct buf b;

	buf_init(&b, 64);
	put_who(&b, peer);
	ipc_send_fd(&to->link, IPC_SUP_LINK, buf_slice(&b), &fd, 1);
	buf_fini(&b);
}

static bool
connect_two(struct child *a, struct child *b)
{
	struct error err = { 0 };
	int fds[2];

	if (ipc_pair(fds, &err) < 0) {
		log_error("%s and %s get no link: %s", a->name, b->name,
		    err.text);
		return false;
	}
	send_end(a, b, fds[0]);
	send_end(b, a, fds[1]);
	close(fds[0]);
	close(fds[1]);
	return true;
}

/* Calls fn for each peer of c that can be talked to, until one fails. */
static bool
each_peer(struct supervisor *sup, struct child *c,
    bool (*fn)(struct child *c, struct child *peer))
{
	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		if (!links_are_peers(c->role, r)) {
			continue;
		}
		for (unsigned i = 0; i < sup->n_children[r]; i++) {
			struct child *p = &sup->children[r][i];

			if (p->pid != 0 && ipc_link_is_up(&p->link) &&
			    !fn(c, p)) {
				return false;
			}
		}
	}
	return true;
}

bool
links_connect(struct supervisor *sup, struct child *c)
{
	return each_peer(sup, c, connect_two);
}

static bool
tell_dead(struct child *c, struct child *peer)
{
	struct buf *b = ipc_begin(&peer->link, IPC_SUP_PEER_DEAD);

	put_who(b, c);
	/* Told to leave, or by a SIGTERM of its own: no crash. */
	wire_put_u8(b, c->proc.wanted && c->last_status != 0);
	ipc_end(&peer->link);
	return true;
}

void
links_tell_dead(struct supervisor *sup, const struct child *c)
{
	each_peer(sup, &sup->children[c->role][c->index], tell_dead);
}

void
links_bad_peer(struct supervisor *sup, struct child *from, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	unsigned role = wire_u8(&r), index = wire_u8(&r);
	uint32_t incarnation = wire_u32(&r);
	struct slice reason = wire_slice(&r);
	struct child *bad;

	if (r.bad || !links_are_peers(from->role, role) ||
	    index >= sup->n_children[role]) {
		ipc_bad(&from->link, "malformed SUP_BAD_PEER");
		return;
	}
	bad = &sup->children[role][index];
	if (bad->pid == 0 || bad->incarnation != incarnation) {
		return;		/* gone meanwhile */
	}
	log_error("%s says that %s broke the rules (%.*s): killing it",
	    from->name, bad->name, SLICE_ARG(reason));
	child_event(bad, PROCESS_E_BAD, 0);
}
