/* SPDX-License-Identifier: Apache-2.0 */
/* Sending sessions: connections, back-off, schedule. */
#include "tests/bench/load_priv.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/log.h"

#define OUT_MAX ((size_t)1 << 20)
#define BACKOFF_MAX_US 1000000u
#define QUIT_US 2000000u
#define SWEEP_US 100000u

static void conn_dial(struct load_conn *c);

static void
check_finished(struct load *l)
{
	if (l->live == 0) {
		loop_stop(l->loop);
	}
}

void
load_conn_close(struct load_conn *c)
{
	if (c->state == LOAD_CLOSED || c->state == LOAD_FINISHED) {
		return;
	}
	loop_fd_stop(&c->io);
	close(c->io.fd);
	c->state = LOAD_CLOSED;
	memset(c->out, 0, sizeof c->out);
	buf_clear(&c->head);
	c->in_len = 0;
	list_remove(&c->link);
}

static void
conn_finish(struct load_conn *c)
{
	load_conn_close(c);
	loop_timer_stop(&c->backoff);
	list_remove(&c->link);
	c->state = LOAD_FINISHED;
	c->l->live--;
	check_finished(c->l);
}

void
load_conn_back_off(struct load_conn *c)
{
	loop_timer_set(&c->backoff, c->backoff_us);
	c->backoff_us = EC_MIN(c->backoff_us * 2, BACKOFF_MAX_US);
}

void
load_conn_fail_message(struct load_conn *c)
{
	struct load *l = c->l;

	if (c->seq == LOAD_NO_MESSAGE) {
		return;
	}
	if (l->o.retry) {
		c->again = true;
		return;
	}
	l->t.failed++;
	c->seq = LOAD_NO_MESSAGE;
}

bool
load_conn_all_sent(const struct load_conn *c)
{
	return c->out[0].len + c->out[1].len + c->out[2].len == 0;
}

void
load_conn_lost(struct load_conn *c, const char *why)
{
	if (c->state == LOAD_QUIT) {
		load_conn_close(c);	/* it was about to go anyway */
		load_conn_next(c);
		return;
	}
	if (c->state == LOAD_READY && c->seq == LOAD_NO_MESSAGE) {
		load_conn_close(c);	/* idle: the server may do that */
		load_conn_next(c);
		return;
	}
	c->l->t.neterr++;
	if (c->state == LOAD_DOT && load_conn_all_sent(c)) {
		load_talk_doubt(c, why);
	}
	load_conn_close(c);
	load_conn_fail_message(c);
	load_conn_back_off(c);
}

static void
conn_flush(struct load_conn *c)
{
	size_t i = 0;

	while (i < ARRAY_LEN(c->out)) {
		struct iovec v[ARRAY_LEN(c->out)];
		struct msghdr m = { .msg_iov = v };
		ssize_t n;

		if (c->out[i].len == 0) {
			i++;
			continue;
		}
		for (size_t k = i; k < ARRAY_LEN(c->out); k++) {
			v[m.msg_iovlen++] = (struct iovec){
			    (void *)(uintptr_t)c->out[k].ptr, c->out[k].len };
		}
		n = sendmsg(c->io.fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			loop_fd_want(&c->io, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (n < 0) {
			/* Reading tells what became of it, and may yet bring
			 * the reply that the server sent before it closed. */
			break;
		}
		for (size_t k = i; k < ARRAY_LEN(c->out) && n > 0; k++) {
			size_t took = EC_MIN((size_t)n, c->out[k].len);

			c->out[k] = slice_skip(c->out[k], took);
			n -= (ssize_t)took;
		}
	}
	if (c->state == LOAD_DOT) {
		c->dot_us = loop_now_us(c->l->loop);
	}
	loop_fd_want(&c->io, LOOP_READ);
}

void
load_conn_send(struct load_conn *c, enum load_state state)
{
	c->state = state;
	c->since_us = loop_now_us(c->l->loop);
	c->out[0] = buf_slice(&c->head);
	conn_flush(c);
}

void
load_conn_say(struct load_conn *c, enum load_state state, const char *text)
{
	buf_clear(&c->head);
	buf_puts(&c->head, text);
	load_conn_send(c, state);
}

static uint64_t
due_at(const struct load *l, uint64_t seq)
{
	return l->schedule_us + (uint64_t)((unsigned __int128)seq * 1000000u /
	    l->o.rate);
}

/* Gives c the next message, if there is one and it is due. */
static bool
take_message(struct load_conn *c)
{
	struct load *l = c->l;
	uint64_t now = loop_now_us(l->loop), due = now;

	if (l->t.taken == l->o.count) {
		return false;
	}
	if (l->o.rate > 0) {
		if (l->schedule_us == 0) {
			l->schedule_us = now;
		}
		due = due_at(l, l->t.taken);
		if (due > now) {
			if (!loop_timer_is_set(&l->due)) {
				loop_timer_set(&l->due, due - now);
			}
			return false;
		}
	}
	c->seq = l->t.taken++;
	c->again = false;
	c->begin_us = due;
	if (l->t.taken == l->o.count && !list_is_empty(&l->parked)) {
		loop_timer_set(&l->due, 0);	/* so that those can leave */
	}
	memset(c->rcpts, RCPT_OPEN, l->o.rcpts);
	return true;
}

void
load_conn_next(struct load_conn *c)
{
	struct load *l = c->l;

	list_remove(&c->link);
	if (c->state == LOAD_CLOSED && (c->seq != LOAD_NO_MESSAGE ||
	    l->t.taken < l->o.count)) {
		/* A message is taken when there is someone to give it to. */
		if (c->seq == LOAD_NO_MESSAGE && l->o.rate > 0 &&
		    l->schedule_us != 0 &&
		    due_at(l, l->t.taken) > loop_now_us(l->loop)) {
			list_push_back(&l->parked, &c->link);
			if (!loop_timer_is_set(&l->due)) {
				loop_timer_set(&l->due, due_at(l, l->t.taken) -
				    loop_now_us(l->loop));
			}
			return;
		}
		conn_dial(c);
	} else if (c->state == LOAD_CLOSED) {
		conn_finish(c);
	} else if (c->seq != LOAD_NO_MESSAGE || take_message(c)) {
		load_talk_begin(c);
	} else if (l->t.taken == l->o.count) {
		load_conn_say(c, LOAD_QUIT, "QUIT\r\n");
	} else {
		list_push_back(&l->parked, &c->link);
	}
}

static void
read_replies(struct load_conn *c)
{
	struct slice in = { c->in, c->in_len };
	struct load_reply r;

	for (;;) {
		enum load_reply_result res = load_reply_next(&in, &r);

		if (res == LOAD_REPLY_MORE) {
			break;
		}
		if (res == LOAD_REPLY_BAD) {
			load_conn_lost(c, "not a reply");
			return;
		}
		if (c->state == LOAD_EHLO) {
			load_talk_ehlo_line(c, r.text);
		}
		if (res == LOAD_REPLY_LAST) {
			load_talk_reply(c, &r);
		}
		if (c->state == LOAD_CLOSED || c->state == LOAD_FINISHED ||
		    c->in_len == 0) {
			return;		/* closed, perhaps dialled again */
		}
	}
	c->in_len = in.len;
	memmove(c->in, in.ptr, in.len);
}

static void
on_io(void *arg, unsigned ready)
{
	struct load_conn *c = arg;
	ssize_t n;

	if (ready & LOOP_WRITE) {
		conn_flush(c);
	}
	if (!(ready & LOOP_READ)) {
		return;
	}
	n = read(c->io.fd, c->in + c->in_len, sizeof c->in - c->in_len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		load_conn_lost(c, n == 0 ? "connection closed" : strerror(errno));
		return;
	}
	c->in_len += (size_t)n;
	read_replies(c);
}

static void
conn_dial(struct load_conn *c)
{
	const struct bench_addr *a = &c->l->o.target;
	int fd = socket(a->sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		bench_tune_socket(fd);
	}
	if (fd < 0 || (connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0
	    && errno != EINPROGRESS)) {
		if (fd >= 0) {
			close(fd);
		}
		c->l->t.neterr++;
		load_conn_back_off(c);
		return;
	}
	c->can_pipeline = c->can_size = false;
	c->state = LOAD_GREETING;
	c->since_us = loop_now_us(c->l->loop);
	loop_fd_init(&c->io, c->l->loop, fd, on_io, c);
	loop_fd_want(&c->io, LOOP_READ);
}

static void
on_backoff(void *arg)
{
	struct load_conn *c = arg;

	loop_refresh_us(c->l->loop);
	load_conn_next(c);
}

/* Open loop: gives what is due to sessions that wait for it. */
static void
on_due(void *arg)
{
	struct load *l = arg;
	uint64_t now = loop_refresh_us(l->loop);
	struct list_node *n;

	while (l->t.taken < l->o.count && due_at(l, l->t.taken) <= now &&
	    (n = list_pop_front(&l->parked)) != NULL) {
		load_conn_next(list_entry(n, struct load_conn, link));
	}
	if (l->t.taken == l->o.count) {
		while ((n = list_pop_front(&l->parked)) != NULL) {
			load_conn_next(list_entry(n, struct load_conn, link));
		}
	} else if (!list_is_empty(&l->parked)) {
		loop_timer_set(&l->due, due_at(l, l->t.taken) - now);
	}
}

static void
on_sweep(void *arg)
{
	struct load *l = arg;
	uint64_t now = loop_refresh_us(l->loop);

	for (uint64_t i = 0; i < l->o.sessions; i++) {
		struct load_conn *c = &l->conns[i];
		uint64_t limit = c->state == LOAD_QUIT ? QUIT_US :
		    l->o.timeout_us;

		if (c->state != LOAD_CLOSED && c->state != LOAD_FINISHED &&
		    c->state != LOAD_READY && now - c->since_us > limit) {
			load_conn_lost(c, "no reply in time");
		}
	}
	loop_timer_set(&l->sweep, SWEEP_US);
}

static void
on_turn_end(void *arg)
{
	struct load *l = arg;
	struct error err;

	if (ledger_flush(&l->ledger, &err) < 0) {
		fatal(74, "%s", err.text);
	}
}

void
load_start(struct load *l)
{
	list_init(&l->parked);
	loop_on_turn_end(l->loop, &l->turn_end, on_turn_end, l);
	loop_timer_init(&l->due, l->loop, on_due, l);
	loop_timer_init(&l->sweep, l->loop, on_sweep, l);
	loop_timer_set(&l->sweep, SWEEP_US);
	l->live = l->o.sessions;
	l->conns = xcalloc(l->o.sessions, sizeof *l->conns);
	for (uint64_t i = 0; i < l->o.sessions; i++) {
		struct load_conn *c = &l->conns[i];

		c->l = l;
		c->seq = LOAD_NO_MESSAGE;
		c->backoff_us = LOAD_BACKOFF_MIN_US;
		c->rcpts = xcalloc(l->o.rcpts, 1);
		list_init(&c->link);
		buf_init(&c->head, OUT_MAX);
		loop_timer_init(&c->backoff, l->loop, on_backoff, c);
		load_conn_next(c);
	}
}

void
load_end(struct load *l)
{
	for (uint64_t i = 0; i < l->o.sessions; i++) {
		struct load_conn *c = &l->conns[i];

		if (c->state == LOAD_DOT && load_conn_all_sent(c)) {
			load_talk_doubt(c, "stopped before the reply");
		}
		load_conn_close(c);
		loop_timer_stop(&c->backoff);
		buf_fini(&c->head);
		free(c->rcpts);
	}
	on_turn_end(l);
	loop_timer_stop(&l->due);
	loop_timer_stop(&l->sweep);
	loop_hook_stop(&l->turn_end);
	free(l->conns);
}
