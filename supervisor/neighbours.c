/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at listeners, and telling them whose sockets to serve. */
#include "supervisor/neighbours.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "common/base/log.h"
#include "supervisor/scoreboard_mon.h"
#include "supervisor/supervisor.h"

#define LOOK_US 1000000u

/* By its own word too: somebody may have sent it a SIGTERM. */
static bool
is_ready(const struct child *c)
{
	const struct score_slot *slot =
	    &c->sup->tables.scoreboard->slot[c->role][c->index];

	return c->proc.state == PROCESS_READY && ipc_link_is_up(&c->link) &&
	    atomic_load(&slot->state) != SCORE_DRAINING;
}

void
neighbours_changed(struct supervisor *s)
{
	struct adoption_order orders[ADOPTION_ORDERS_MAX];
	unsigned n = s->n_children[ROLE_LISTENER], count;
	bool ready[SCORE_PER_ROLE];

	for (unsigned i = 0; i < n; i++) {
		ready[i] = is_ready(&s->children[ROLE_LISTENER][i]);
	}
	count = adoption_step(&s->adoption, ready, n, orders);
	for (unsigned i = 0; i < count; i++) {
		struct child *to = &s->children[ROLE_LISTENER][orders[i].to];
		struct buf *b = ipc_begin(&to->link, IPC_SUP_ADOPT);

		wire_put_u16(b, (uint16_t)orders[i].slot);
		wire_put_u8(b, orders[i].on);
		ipc_end(&to->link);
		log_info("%s %s the sockets of listener/%u", to->name,
		    orders[i].on ? "serves" : "leaves", orders[i].slot);
	}
}

/* For a listening socket the kernel tells here how many wait. */
static uint64_t
waiting_at(const struct listen_socks *socks, unsigned slot)
{
	uint64_t sum = 0;

	for (size_t i = 0; slot < socks->slots && i < socks->n; i++) {
		struct tcp_info info = { 0 };
		socklen_t len = sizeof info;

		if (getsockopt(socks->addr[i].fds[slot], IPPROTO_TCP, TCP_INFO,
		    &info, &len) == 0) {
			sum += info.tcpi_unacked;
		}
	}
	return sum;
}

static void
on_look(void *arg)
{
	struct supervisor *s = arg;
	struct adoption_seen seen[SCORE_PER_ROLE] = { 0 };
	unsigned n = s->n_children[ROLE_LISTENER];

	loop_timer_set(&s->look, LOOK_US);
	if (s->phase != PHASE_RUN) {
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct child *c = &s->children[ROLE_LISTENER][i];

		seen[i] = (struct adoption_seen){
			.ready = is_ready(c),
			.silent_us = scoreboard_mon_silent_us(s, c),
			.sessions = score_get(&s->tables.scoreboard->
			    slot[ROLE_LISTENER][i], SCORE_L_SESSIONS),
			.waiting = waiting_at(&s->socks, i),
		};
	}
	adoption_look(&s->adoption, seen, n);
	neighbours_changed(s);
}

void
neighbours_start(struct supervisor *s)
{
	loop_timer_init(&s->look, s->loop, on_look, s);
	loop_timer_set(&s->look, LOOK_US);
}
