/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and servers.  The life of a question:
 *
 *	ask -> QUEUED at a server -> UDP --reply--> answered
 *	          ^                   |  \--TC----> TCP --reply--> answered
 *	          |                   |              |
 *	          +-- next server <---+--------------+  no or bad reply
 *
 * Moving on is done from the list "todo" at the end of the turn, never inside
 * the library or another question's step.
 */
#include "resolver/lookup.h"

#include "common/base/addr.h"
#include "common/base/list.h"
#include "resolver/dns_tcp.h"
#include "resolver/udns_port.h"

#include <sys/random.h>

#define MS 1000u
#define SECOND 1000000u
#define PROBE_MAX_US (60u * SECOND)
#define TCP_US (5u * SECOND)		/* for one server over TCP */
#define TCP_RETRY_US (50u * MS)		/* all TCP places taken */
#define WHY_MAX 400u

struct port {		/* a socket of a server */
	struct list_node link;	/* in server.old, once replaced */
	struct udns_port *udns;
	uint64_t since_us;
};

struct server {
	struct sockaddr_storage addr;
	char text[ADDR_TEXT_MAX];
	struct port *port;
	struct list_node old;	/* replaced ports with questions out */
	struct list_node fifo;	/* questions that wait for a place */
	unsigned in_flight;
	uint64_t replied_us;	/* its last reply to anything */
	bool dead;
	uint64_t probe_at_us, probe_wait_us;
};

enum question_state {
	Q_TODO,		/* in lookup.todo: choose a server */
	Q_QUEUED,	/* in its server's fifo */
	Q_UDP,		/* sent; wait for the reply */
	Q_TCP,		/* connection under way */
	Q_TCP_WAIT,	/* all TCP places taken; try again soon */
};

struct question {
	struct list_node all, link;	/* link: todo or fifo */
	struct lookup *lookup;
	enum question_state state;
	struct udns_question udns;
	struct dns_tcp *tcp;
	struct loop_timer timer;
	uint64_t deadline_us, sent_us;
	uint32_t tried, refused;	/* servers by bit: this round; for good */
	uint8_t server, round;
	bool is_probe;
	uint16_t type, id;
	uint8_t name_len;
	char name[DNS_NAME_TEXT_MAX];
	char why[WHY_MAX];
};

struct lookup {
	struct loop *loop;
	struct lookup_options options;
	struct server server[LOOKUP_SERVERS_MAX];
	struct list_node all, todo;
	struct loop_hook hook;
	unsigned tcp_active;
	bool retired;
	lookup_fn fn;
	void *arg;
	struct lookup_stats stats;
	char room[DNS_ANSWER_MAX];
};

static struct slice
name_of(const struct question *q)
{
	return slice_make(q->name, q->name_len);
}

static struct server *
server_of(const struct question *q)
{
	return &q->lookup->server[q->server];
}

void
lookup_defaults(struct lookup_options *o)
{
	*o = (struct lookup_options){ .deadline_us = 10 * SECOND,
		.first_us = SECOND, .rotate_us = 5 * SECOND,
		.probe_us = 2 * SECOND };
}

/* --- ports ------------------------------------------------------------ */

static void
port_close(struct port *p)
{
	list_remove(&p->link);
	udns_port_close(&p->udns);
	free(p);
}

/* Fresh source port and ids every few seconds: both are guessable with time.
 * A port with questions out stays until they are answered. */
static struct port *
server_port(struct lookup *l, struct server *s, struct error *err)
{
	uint64_t now = loop_now_us(l->loop);
	struct port *p = s->port;

	if (p != NULL && now - p->since_us < l->options.rotate_us) {
		return p;
	}
	if (p != NULL && udns_port_active(p->udns) == 0) {
		port_close(p);
	} else if (p != NULL) {
		list_push_back(&s->old, &p->link);
	}
	s->port = NULL;
	p = xcalloc(1, sizeof *p);
	list_init(&p->link);
	p->since_us = now;
	p->udns = udns_port_open(l->loop, &s->addr, err);
	if (p->udns == NULL) {
		free(p);
		return NULL;
	}
	return s->port = p;
}

static void
close_old_ports(struct server *s)
{
	list_each(n, tmp, &s->old) {
		struct port *p = list_entry(n, struct port, link);

		if (udns_port_active(p->udns) == 0) {
			port_close(p);
		}
	}
}

/* --- health ----------------------------------------------------------- */

static void
server_replied(struct lookup *l, struct server *s)
{
	s->replied_us = loop_now_us(l->loop);
	s->dead = false;
	l->stats.replies++;
}

/* A slow answer is not a dead server: it counts only if nothing at all came
 * from it since this question was sent. */
static void
server_silent(struct lookup *l, struct server *s, uint64_t sent_us)
{
	uint64_t now = loop_now_us(l->loop);

	l->stats.timeouts++;
	if (s->replied_us >= sent_us && s->replied_us != 0) {
		return;
	}
	s->probe_wait_us = s->dead ?
	    EC_MIN(2 * s->probe_wait_us, (uint64_t)PROBE_MAX_US) :
	    l->options.probe_us;
	s->dead = true;
	s->probe_at_us = now + s->probe_wait_us;
}

/* --- the end of a question -------------------------------------------- */

/* Out of wherever it is; the server's place is free again. */
static void
question_leave(struct question *q)
{
	struct lookup *l = q->lookup;

	loop_timer_stop(&q->timer);
	list_remove(&q->link);
	if (q->state == Q_UDP) {
		udns_port_cancel(&q->udns);
		server_of(q)->in_flight--;
	} else if (q->state == Q_TCP) {
		dns_tcp_cancel(&q->tcp);
		l->tcp_active--;
	}
	q->state = Q_TODO;
}

static void
question_free(struct question *q)
{
	question_leave(q);
	list_remove(&q->all);
	q->lookup->stats.pending--;
	free(q);
}

static void
question_end(struct question *q, const struct dns_answer *a)
{
	struct lookup *l = q->lookup;
	char name[DNS_NAME_TEXT_MAX];
	struct slice s = slice_make(name, q->name_len);
	uint16_t type = q->type;
	bool told = !q->is_probe;

	memcpy(name, q->name, q->name_len);
	if (told && a->status == DNS_ANSWER_FAILED) {
		l->stats.failures++;
	}
	if (told) {
		/* Before the free: a->why may stand in the question. */
		list_remove(&q->all);
		list_init(&q->all);
		l->fn(l->arg, s, type, a);
	}
	question_free(q);
}

static void
question_fail(struct question *q)
{
	struct dns_answer a = { .status = DNS_ANSWER_FAILED, .type = q->type,
		.why = slice_of(q->why) };

	question_end(q, &a);
}

static void
say_no_answer(struct question *q)
{
	struct lookup *l = q->lookup;
	struct buf b;

	buf_init(&b, WHY_MAX - 1);
	buf_puts(&b, "no answer from ");
	for (unsigned i = 0; i < l->options.n_servers; i++) {
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", l->server[i].text);
	}
	snprintf(q->why, sizeof q->why, "%.*s within %g s (%.*s %s)",
	    SLICE_ARG(buf_slice(&b)), (double)l->options.deadline_us / SECOND,
	    SLICE_ARG(name_of(q)), dns_msg_type_text(q->type));
	buf_fini(&b);
}

/* --- moving on -------------------------------------------------------- */

static void
question_todo(struct question *q)
{
	question_leave(q);
	list_push_back(&q->lookup->todo, &q->link);
	loop_again(q->lookup->loop);
}

/* This server will not answer this question, whenever asked. */
static void EC_PRINTF(2, 3)
question_refused(struct question *q, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(q->why, sizeof q->why, "%s %s (%.*s %s)", server_of(q)->text,
	    text, SLICE_ARG(name_of(q)), dns_msg_type_text(q->type));
	q->refused |= 1u << q->server;
	question_todo(q);
}

static void question_tcp(struct question *q);

static void
on_reply(struct question *q, struct slice reply, bool tcp)
{
	struct lookup *l = q->lookup;
	struct dns_answer a;
	enum dns_msg_result r;

	r = dns_msg_parse(reply, name_of(q), q->type, l->room, &a);
	if (r == DNS_MSG_OK && tcp && a.id != q->id) {
		r = DNS_MSG_BAD_HEADER;
	}
	if (r != DNS_MSG_OK && !(a.rcode == DNS_MSG_FORMERR && !tcp)) {
		l->stats.malformed++;
		question_refused(q, "sent a malformed reply: %s",
		    dns_msg_result_text(r));
	} else if (!tcp && (a.truncated || a.rcode == DNS_MSG_FORMERR)) {
		question_tcp(q);
	} else if (a.status == DNS_ANSWER_FAILED) {
		question_refused(q, "answered %s", a.truncated ?
		    "with a truncated reply over TCP" :
		    dns_msg_rcode_text(a.rcode));
	} else {
		question_end(q, &a);
	}
}

static void
on_tcp(void *arg, struct slice reply)
{
	struct question *q = arg;

	q->tcp = NULL;	/* it is gone: leave only our place */
	question_leave(q);
	if (q->is_probe) {
		question_free(q);
	} else if (reply.len == 0) {
		question_refused(q, "sent a truncated reply, and the question "
		    "over TCP failed");
	} else {
		server_replied(q->lookup, server_of(q));
		on_reply(q, reply, true);
	}
}

static void
question_wait(struct question *q, uint64_t us)
{
	uint64_t now = loop_now_us(q->lookup->loop);
	uint64_t left = q->deadline_us > now ? q->deadline_us - now : 1;

	loop_timer_set(&q->timer, EC_MIN(us, left));
}

static void
question_tcp(struct question *q)
{
	struct lookup *l = q->lookup;
	uint8_t query[DNS_MSG_QUERY_MAX];
	size_t n;

	question_leave(q);
	if (q->is_probe) {	/* it lives, that was the question */
		question_free(q);
		return;
	}
	if (l->tcp_active >= LOOKUP_TCP_MAX) {
		q->state = Q_TCP_WAIT;
		question_wait(q, TCP_RETRY_US);
		return;
	}
	if (getrandom(&q->id, sizeof q->id, 0) < 0) {
		q->id = (uint16_t)loop_now_us(l->loop);
	}
	n = dns_msg_query(query, q->id, name_of(q), q->type, 0);
	q->tcp = dns_tcp_ask(l->loop, &server_of(q)->addr,
	    slice_make(query, n), on_tcp, q);
	if (q->tcp == NULL) {
		question_refused(q, "cannot be asked over TCP: %s",
		    strerror(errno));
		return;
	}
	q->state = Q_TCP;
	l->tcp_active++;
	l->stats.tcp++;
	question_wait(q, TCP_US);
}

static void server_pump(struct lookup *l, struct server *s);

static void
on_udp(struct udns_question *u, struct slice reply)
{
	struct question *q = container_of(u, struct question, udns);
	struct lookup *l = q->lookup;
	struct server *s = server_of(q);

	question_leave(q);
	if (reply.len == 0) {
		question_refused(q, "cannot be reached");
	} else {
		server_replied(l, s);
		on_reply(q, reply, false);
	}
	server_pump(l, s);
}

static void
question_send(struct lookup *l, struct server *s, struct question *q)
{
	struct error err = { 0 };
	struct port *p = server_port(l, s, &err);

	if (p == NULL) {
		question_refused(q, "cannot be asked: %s", err.text);
		return;
	}
	q->udns.fn = on_udp;
	if (!udns_port_ask(p->udns, &q->udns, name_of(q), q->type)) {
		question_refused(q, "cannot be asked about such a name");
		return;
	}
	q->state = Q_UDP;
	q->sent_us = loop_now_us(l->loop);
	s->in_flight++;
	l->stats.sent++;
	question_wait(q, l->options.first_us << q->round);
}

static void
server_pump(struct lookup *l, struct server *s)
{
	struct list_node *n;

	while (s->in_flight < LOOKUP_IN_FLIGHT &&
	    (n = list_pop_front(&s->fifo)) != NULL) {
		question_send(l, s, list_entry(n, struct question, link));
	}
}

/* The next server in order: living ones first.  False: none is left. */
static bool
choose_server(struct question *q)
{
	struct lookup *l = q->lookup;
	unsigned n = l->options.n_servers;

	for (int round = 0; round < 2; round++) {
		for (unsigned dead = 0; dead < 2; dead++) {
			for (unsigned i = 0; i < n; i++) {
				uint32_t bit = 1u << i;

				if (l->server[i].dead == (dead != 0) &&
				    ((q->tried | q->refused) & bit) == 0) {
					q->server = (uint8_t)i;
					q->tried |= bit;
					return true;
				}
			}
		}
		q->tried = 0;	/* once around: wait longer from now on */
		q->round += q->round < 8;
	}
	return false;
}

static void
question_queue(struct question *q)
{
	struct lookup *l = q->lookup;
	struct server *s = server_of(q);

	q->state = Q_QUEUED;
	list_push_back(&s->fifo, &q->link);
	question_wait(q, UINT64_MAX);
	server_pump(l, s);
}

static void
question_next(struct question *q)
{
	bool late = loop_now_us(q->lookup->loop) >= q->deadline_us;

	if (q->is_probe) {
		question_free(q);
	} else if (late && q->refused == 0) {
		say_no_answer(q);
		question_fail(q);
	} else if (late || !choose_server(q)) {
		question_fail(q);	/* why: what the last one said */
	} else {
		question_queue(q);
	}
}

/* Those who wait for a place at a dead server go where one answers. */
static void
move_waiting(struct lookup *l, struct server *s)
{
	struct list_node *n;

	if (!s->dead || l->options.n_servers == 1) {
		return;
	}
	while ((n = list_first(&s->fifo)) != NULL) {
		question_todo(list_entry(n, struct question, link));
	}
}

static void
on_timer(void *arg)
{
	struct question *q = arg;
	struct lookup *l = q->lookup;
	struct server *s = server_of(q);
	enum question_state was = q->state;

	loop_refresh_us(l->loop);
	if (was == Q_TCP_WAIT && loop_now_us(l->loop) < q->deadline_us) {
		question_tcp(q);
		return;
	}
	question_leave(q);
	if (was == Q_UDP) {
		server_silent(l, s, q->sent_us);
		move_waiting(l, s);
	} else if (was == Q_TCP) {
		question_refused(q, "did not answer over TCP");
	}
	if (q->state == Q_TODO && list_is_empty(&q->link)) {
		question_next(q);
	}
	server_pump(l, s);
}

/* --- asking ----------------------------------------------------------- */

static struct question *
question_create(struct lookup *l, struct slice name, uint16_t type)
{
	struct question *q = xcalloc(1, sizeof *q);

	q->lookup = l;
	q->type = type;
	q->name_len = (uint8_t)EC_MIN(name.len, (size_t)DNS_NAME_TEXT_MAX - 1);
	memcpy(q->name, name.ptr, q->name_len);
	q->deadline_us = loop_now_us(l->loop) + l->options.deadline_us;
	list_init(&q->link);
	list_init(&q->udns.link);
	list_push_back(&l->all, &q->all);
	loop_timer_init(&q->timer, l->loop, on_timer, q);
	l->stats.pending++;
	return q;
}

/* Asks a dead server, whose time has come, a copy of this question; nobody
 * waits for the answer. */
static void
probe_dead(struct lookup *l, struct slice name, uint16_t type)
{
	uint64_t now = loop_now_us(l->loop);

	for (unsigned i = 0; i < l->options.n_servers; i++) {
		struct server *s = &l->server[i];
		struct question *q;

		if (!s->dead || now < s->probe_at_us) {
			continue;
		}
		/* One at a time: silence moves this further. */
		s->probe_at_us = now + l->options.deadline_us;
		q = question_create(l, name, type);
		q->is_probe = true;
		q->server = (uint8_t)i;
		l->stats.probes++;
		question_queue(q);
	}
}

void
lookup_ask(struct lookup *l, struct slice name, uint16_t type)
{
	struct question *q;

	ec_assert(!l->retired);
	probe_dead(l, name, type);
	q = question_create(l, name, type);
	question_todo(q);
}

static void
on_turn_end(void *arg)
{
	struct lookup *l = arg;
	struct list_node mine, *n;

	list_init(&mine);
	while ((n = list_pop_front(&l->todo)) != NULL) {
		list_push_back(&mine, n);
	}
	while ((n = list_pop_front(&mine)) != NULL) {
		question_next(list_entry(n, struct question, link));
		/* Others' hooks (packets leaving) may have run before us. */
		loop_again(l->loop);
	}
	for (unsigned i = 0; i < l->options.n_servers; i++) {
		close_old_ports(&l->server[i]);
	}
	if (l->retired && l->stats.pending == 0) {
		lookup_destroy(&l);
	}
}

struct lookup *
lookup_create(struct loop *loop, const struct lookup_options *o, lookup_fn fn,
    void *arg)
{
	struct lookup *l = xcalloc(1, sizeof *l);

	ec_assert(o->n_servers > 0 && o->n_servers <= LOOKUP_SERVERS_MAX);
	l->loop = loop;
	l->options = *o;
	l->fn = fn;
	l->arg = arg;
	list_init(&l->all);
	list_init(&l->todo);
	for (unsigned i = 0; i < o->n_servers; i++) {
		struct server *s = &l->server[i];

		s->addr = o->server[i];
		addr_format((const struct sockaddr *)&s->addr, s->text,
		    sizeof s->text);
		list_init(&s->old);
		list_init(&s->fifo);
	}
	loop_on_turn_end(loop, &l->hook, on_turn_end, l);
	return l;
}

void
lookup_destroy(struct lookup **lp)
{
	struct lookup *l = *lp;
	struct list_node *n;

	*lp = NULL;
	if (l == NULL) {
		return;
	}
	while ((n = list_first(&l->all)) != NULL) {
		question_free(list_entry(n, struct question, all));
	}
	for (unsigned i = 0; i < l->options.n_servers; i++) {
		struct server *s = &l->server[i];

		close_old_ports(s);
		if (s->port != NULL) {
			port_close(s->port);
		}
	}
	loop_hook_stop(&l->hook);
	free(l);
}

void
lookup_retire(struct lookup **lp)
{
	struct lookup *l = *lp;

	*lp = NULL;
	if (l != NULL) {
		l->retired = true;
		loop_again(l->loop);
	}
}

void
lookup_stats(const struct lookup *l, struct lookup_stats *out)
{
	*out = l->stats;
}

bool
lookup_server(const struct lookup *l, unsigned i, struct slice *text_out,
    bool *dead_out, unsigned *in_flight_out)
{
	if (i >= l->options.n_servers) {
		return false;
	}
	*text_out = slice_of(l->server[i].text);
	*dead_out = l->server[i].dead;
	*in_flight_out = l->server[i].in_flight;
	return true;
}
