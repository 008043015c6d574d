/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink's connections: input, output, timers.
 *
 * With a ledger the 250 after the dot waits in `held_replies` until the end of
 * the turn, when one write(2) records all of them; only then do they leave.
 */
#include "tests/bench/sink_priv.h"

#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define SWEEP_US 1000000u
#define LINGER_US 2000000u

void
sink_conn_close(struct sink_conn *c)
{
	struct sink *s = c->s;

	if (c->state == SINK_BODY || c->state == SINK_DOT) {
		s->stats->unfinished++;
	}
	s->stats->open--;
	loop_fd_stop(&c->io);
	loop_timer_stop(&c->delay);
	close(c->io.fd);
	list_remove(&c->link);
	list_remove(&c->held);
	buf_fini(&c->out);
	buf_fini(&c->from);
	buf_fini(&c->rcpts);
	buf_fini(&c->copy);
	free(c);
}

static void
conn_flush(struct sink_conn *c)
{
	unsigned want = c->waiting ? 0 : LOOP_READ;

	if (!list_is_empty(&c->held)) {
		return;		/* the ledger first */
	}
	while (c->out.len > 0) {
		ssize_t n = send(c->io.fd, c->out.ptr, c->out.len,
		    MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			want = c->out.len > SINK_OUT_HIGH ? LOOP_WRITE :
			    want | LOOP_WRITE;
			break;
		}
		if (n < 0) {
			want = LOOP_READ;	/* the read will tell */
			buf_clear(&c->out);
			break;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (c->state == SINK_LINGER && c->out.len == 0) {
		shutdown(c->io.fd, SHUT_WR);
	}
	loop_fd_want(&c->io, want);
}

/* One line of input to its command; FATE_WAIT also when it is not all here. */
static enum sink_fate
step_command(struct sink_conn *c)
{
	struct slice in = { c->in + c->in_off, c->in_len - c->in_off };
	ssize_t lf = slice_find(in, '\n');
	enum sink_fate f;

	if (lf < 0) {
		if (in.len >= SINK_COMMAND_MAX) {
			sink_smtp_too_long(c);
			return FATE_REPLIED;
		}
		return FATE_WAIT;
	}
	in.len = (size_t)lf;
	if (in.len > 0 && in.ptr[in.len - 1] == '\r') {
		in.len--;
	}
	f = sink_smtp_command(c, in);
	if (f != FATE_WAIT && f != FATE_GONE) {
		c->in_off += (size_t)lf + 1;
	}
	return f;
}

static enum sink_fate
step_body(struct sink_conn *c)
{
	struct slice in = { c->in + c->in_off, c->in_len - c->in_off };

	if (in.len == 0) {
		return FATE_WAIT;
	}
	if (c->drop_body) {
		c->s->stats->dropped++;
		sink_conn_close(c);
		return FATE_GONE;
	}
	c->in_off += sink_data_feed(&c->data, in);
	if (c->data.at != SINK_DATA_END) {
		return FATE_WAIT;
	}
	c->state = SINK_DOT;
	return FATE_GREEN;
}

static enum sink_fate
step(struct sink_conn *c)
{
	switch (c->state) {
	case SINK_CONNECT:
		return sink_smtp_greeting(c);
	case SINK_COMMAND:
		return step_command(c);
	case SINK_BODY:
		return step_body(c);
	case SINK_DOT:
		return sink_smtp_dot(c);
	case SINK_LINGER:
		c->in_off = c->in_len;
		break;
	}
	return FATE_WAIT;
}

/* The one place where a ledger line becomes a fact: before its 250. */
static void
release_held(void *arg)
{
	struct sink *s = arg;
	struct list_node *n;
	struct error err;

	if (ledger_flush(&s->ledger, &err) < 0) {
		fatal(74, "%s", err.text);
	}
	while ((n = list_pop_front(&s->held_replies)) != NULL) {
		conn_flush(list_entry(n, struct sink_conn, held));
	}
}

/* All that the input allows, then out with the replies. */
static void
conn_run(struct sink_conn *c)
{
	enum sink_fate f;

	do {
		if (c->out.len > SINK_OUT_HIGH) {
			release_held(c->s);
			conn_flush(c);
			if (c->out.len > SINK_OUT_HIGH) {
				break;	/* it does not read: wait for it */
			}
		}
		f = step(c);
		if (f == FATE_GONE) {
			return;
		}
	} while (f != FATE_WAIT);
	c->in_len -= c->in_off;
	memmove(c->in, c->in + c->in_off, c->in_len);
	c->in_off = 0;
	conn_flush(c);
}

static void
on_delay(void *arg)
{
	struct sink_conn *c = arg;

	loop_refresh_us(c->s->loop);
	c->waiting = false;
	c->delay_done = true;
	conn_run(c);
}

static void
on_io(void *arg, unsigned ready)
{
	struct sink_conn *c = arg;
	ssize_t n;

	if (ready & LOOP_WRITE) {
		conn_flush(c);
	}
	if (ready & LOOP_READ && c->in_len < sizeof c->in) {
		n = read(c->io.fd, c->in + c->in_len, sizeof c->in - c->in_len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n <= 0) {
			sink_conn_close(c);
			return;
		}
		c->in_len += (size_t)n;
		c->since_us = loop_now_us(c->s->loop);
	}
	if (!c->waiting) {
		conn_run(c);
	}
}

void
sink_conn_open(struct sink *s, int fd)
{
	struct sink_conn *c = xcalloc(1, sizeof *c);

	c->s = s;
	c->state = SINK_CONNECT;
	c->since_us = loop_now_us(s->loop);
	buf_init(&c->out, SINK_OUT_MAX);
	buf_init(&c->from, SINK_COMMAND_MAX);
	buf_init(&c->rcpts, SINK_RCPTS_MAX);
	buf_init(&c->copy, SINK_COPY_MAX);
	list_init(&c->held);
	list_push_back(&s->conns, &c->link);
	loop_fd_init(&c->io, s->loop, fd, on_io, c);
	loop_timer_init(&c->delay, s->loop, on_delay, c);
	s->stats->connections++;
	s->stats->open++;
	s->stats->max_open = EC_MAX(s->stats->max_open, s->stats->open);
	conn_run(c);
}

static void
on_sweep(void *arg)
{
	struct sink *s = arg;
	uint64_t now = loop_refresh_us(s->loop);

	list_each(n, tmp, &s->conns) {
		struct sink_conn *c = list_entry(n, struct sink_conn, link);
		uint64_t limit = c->state == SINK_LINGER ? LINGER_US :
		    s->idle_us;

		if (!c->waiting && now - c->since_us > limit) {
			sink_conn_close(c);
		}
	}
	loop_timer_set(&s->sweep, SWEEP_US);
}

void
sink_start(struct sink *s)
{
	list_init(&s->conns);
	list_init(&s->held_replies);
	s->stats->magic = SINK_STATS_MAGIC;
	s->stats->started_us = clock_mono_us();
	loop_on_turn_end(s->loop, &s->turn_end, release_held, s);
	loop_timer_init(&s->sweep, s->loop, on_sweep, s);
	loop_timer_set(&s->sweep, SWEEP_US);
}

void
sink_close_all(struct sink *s)
{
	release_held(s);
	list_each(n, tmp, &s->conns) {
		sink_conn_close(list_entry(n, struct sink_conn, link));
	}
	loop_timer_stop(&s->sweep);
	loop_hook_stop(&s->turn_end);
}
