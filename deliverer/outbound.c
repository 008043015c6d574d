/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation on outbound connections; outbound_make.c makes them.
 *
 * One event costs one read and one write: all replies of the read are taken
 * first, then what they led to (a body straight from lent memory, its dot, the
 * next envelope behind it) leaves in one writev.  Only then is a reply to the
 * dot believed: what came in the same read as the 354 cannot be one.
 *
 * conn_end() may free the connection; who calls it returns at once.
 */
#include "deliverer/outbound_make.h"

#include "common/base/log.h"
#include "deliverer/conn_pool.h"
#include "deliverer/deliverer.h"

#define FRESH_US 2000000u	/* a connection waits so long for its first work */
#define OUT_KEPT 16384u		/* a free connection keeps no larger buffer */

void
conn_set_deadline(struct conn *c, uint64_t us)
{
	if (us == 0) {
		deadline_stop(&c->d->wheel, &c->deadline);
		return;
	}
	deadline_set(&c->d->wheel, &c->deadline, loop_now_us(c->d->loop) + us);
	if (!loop_timer_is_set(&c->d->wheel_timer)) {
		loop_timer_set(&c->d->wheel_timer, DEADLINE_TICK_US);
	}
}

/* By what is awaited; 0 is for ever. */
static uint64_t
patience(const struct conn *c)
{
	switch (c->smtp.state) {
	case SMTP_STATE_BANNER:
	case SMTP_STATE_EHLO:
	case SMTP_STATE_HELO:
		return c->opt.ehlo_us;
	case SMTP_STATE_IDLE:
		return c->opt.idle_us;
	case SMTP_STATE_RSET:
		return c->opt.rset_us;
	case SMTP_STATE_MAIL:
		return c->opt.mail_us;
	case SMTP_STATE_RCPT:
		return c->opt.rcpt_us;
	case SMTP_STATE_DATA:
	case SMTP_STATE_BODY:
	case SMTP_STATE_DOT:
	case SMTP_STATE_ABORT:
		return c->opt.body_us;
	case SMTP_STATE_QUIT:
		return EC_MAX(c->opt.response_us, (uint64_t)1);
	case SMTP_STATE_CLOSED:
	case SMTP_STATE_COUNT:
		break;
	}
	return 0;
}

void
conn_await(struct conn *c)
{
	conn_set_deadline(c, patience(c));
}

static void
remote_of(const struct conn *c, struct work_remote *out)
{
	*out = (struct work_remote){ .port = c->target->port,
		.name = c->target->name, .sent = c->dot.bytes };
	memcpy(out->ip, c->target->ip, sizeof out->ip);
}

static void
say_outcome(struct conn *c, struct work *w, bool had_body)
{
	struct work_remote r;

	remote_of(c, &r);
	if (!had_body) {
		r.sent = 0;
	}
	spool_outcome(c->d, w, &r);
}

static bool
is_delivered(const struct work *w)
{
	for (uint32_t i = 0; i < w->mail.n_rcpt; i++) {
		if (w->mail.rcpt[i].result.kind == EVENT_DELIVERY) {
			return true;
		}
	}
	return false;
}

/* The machine is done with c->work. */
static void
mail_done(struct conn *c)
{
	struct work *w = c->work;
	bool had_body = c->dot_made;

	if (had_body) {
		spool_stage(c->d, w, is_delivered(w) ? STAGE_ACCEPTED :
		    STAGE_REFUSED, NULL);
	}
	c->work = c->next;
	c->next = NULL;
	c->dot_made = false;
	say_outcome(c, w, had_body);
}

static void
start_body(struct conn *c)
{
	c->body = true;
	c->dot_made = false;
	c->iov_at = c->iov_n = 0;
	dot_encoder_init(&c->dot, c->work->clean_lines ? DOT_LINES_AS_IS :
	    DOT_LINES_FIX);
	if (c->work->fd >= 0) {
		window_open(&c->window, c->work->fd, c->work->mail.size,
		    WINDOW_BYTES);
	}
}

/* The next of the body that its socket can take. */
static enum window_status
encode(struct conn *c)
{
	static struct log_rate rate;
	enum window_status st;

	if (c->work->fd < 0) {
		return dot_encode(&c->dot, c->work->body, c->work->n_extents,
		    c->iov, CONN_IOV, &c->iov_n) == DOT_END ? WINDOW_END :
		    WINDOW_MORE;
	}
	st = window_encode(&c->window, &c->dot, c->iov, CONN_IOV, &c->iov_n);
	if (st == WINDOW_FAILED) {
		log_limited(&rate, EC_ERROR, "a body cannot be read from its "
		    "file: %s; its connection is cut", strerror(errno));
	}
	return st;
}

/* The next work goes out right behind the dot, if the server takes that. */
static void
put_next(struct conn *c)
{
	struct work *w;

	while (c->next == NULL && smtp_client_takes_next(&c->smtp) &&
	    (w = pool_next_work(c->d, c)) != NULL) {
		spool_stage(c->d, w, STAGE_BEGUN, NULL);
		if (smtp_client_mail(&c->smtp, &w->mail) == SMTP_DONE) {
			say_outcome(c, w, false);
			continue;
		}
		c->next = w;
	}
}

static bool
fill(struct conn *c)
{
	struct work_remote r;
	enum window_status st;

	c->iov_at = c->iov_n = 0;
	st = encode(c);
	if (st == WINDOW_END) {
		/* Before the bytes leave, or a crash here forgets a doubt. */
		c->dot_made = true;
		remote_of(c, &r);
		spool_stage(c->d, c->work, STAGE_DOT, &r);
		put_next(c);
	}
	return st != WINDOW_FAILED;
}

static void
written(struct conn *c, size_t n)
{
	while (c->iov_at < c->iov_n) {
		struct iovec *v = &c->iov[c->iov_at];

		if (n < v->iov_len) {
			v->iov_base = (char *)v->iov_base + n;
			v->iov_len -= n;
			return;
		}
		n -= v->iov_len;
		c->iov_at++;
	}
	if (c->body && c->dot_made) {
		c->body = false;
		window_close(&c->window);
		smtp_client_dot_sent(&c->smtp);
	}
	c->out_at += n;
	if (c->out_at == c->out.len) {
		buf_clear(&c->out);
		c->out_at = 0;
	}
}

/* 1: all is written; 0: the socket is full; -1: it is broken. */
static int
flush(struct conn *c)
{
	for (;;) {
		struct iovec v[CONN_IOV + 1];
		size_t n;
		ssize_t w;

		if (c->body && !c->dot_made && c->iov_at == c->iov_n &&
		    !fill(c)) {
			return -1;
		}
		n = c->iov_n - c->iov_at;
		memcpy(v, c->iov + c->iov_at, n * sizeof *v);
		if ((!c->body || c->dot_made) && c->out_at < c->out.len) {
			v[n].iov_base = c->out.ptr + c->out_at;
			v[n++].iov_len = c->out.len - c->out_at;
		}
		if (n == 0) {
			loop_fd_want(&c->watch, LOOP_READ);
			return 1;
		}
		w = writev(c->fd, v, (int)n);
		if (w < 0 && errno == EINTR) {
			continue;
		}
		if (w < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			loop_fd_want(&c->watch, LOOP_READ | LOOP_WRITE);
			return 0;
		}
		if (w < 0) {
			return -1;
		}
		written(c, (size_t)w);
	}
}

void
conn_close_socket(struct conn *c)
{
	if (c->fd >= 0) {
		loop_fd_stop(&c->watch);
		close(c->fd);
		c->fd = -1;
	}
	deadline_stop(&c->d->wheel, &c->deadline);
}

void
conn_free(struct conn *c)
{
	struct deliverer *d = c->d;

	ec_assert(c->work == NULL && c->next == NULL);
	window_close(&c->window);
	conn_close_socket(c);
	pool_conn_gone(d, c);
	d->n_conns--;
	score_set(d->score, SCORE_D_CONNECTIONS, d->n_conns);
	if (c->out.cap > OUT_KEPT) {
		buf_fini(&c->out);
	}
	list_remove(&c->link);
	list_push_front(&d->free_conns, &c->link);
}

/* What the ended machine leaves: results, or a mail for somebody else. */
static void
settle_work(struct conn *c)
{
	struct work *w = c->work, *next = c->next;
	bool had_body = c->body || c->dot_made;

	c->work = c->next = NULL;
	if (w != NULL && w->mail.retry) {
		spool_waits(c->d, w);
		pool_retry(c->d, w);
	} else if (w != NULL) {
		if (c->body && c->dot_made) {
			/* The dot was made and did not leave. */
			spool_stage(c->d, w, STAGE_NOTHING, NULL);
		} else if (c->dot_made && c->smtp.answered) {
			spool_stage(c->d, w, STAGE_REFUSED, NULL);
		}
		say_outcome(c, w, had_body);
	}
	window_close(&c->window);
	if (next != NULL) {
		spool_waits(c->d, next);
		pool_retry(c->d, next);
	}
	c->body = c->dot_made = false;
}

/* The machine has ended. */
static void
conn_end(struct conn *c)
{
	switch (c->smtp.end) {
	case SMTP_END_HOST:
		make_failed(c, &c->smtp.failure,
		    slice_make(c->smtp.failure_text, c->smtp.failure.text_len));
		return;
	case SMTP_END_HELO:
		conn_close_socket(c);
		make_connect(c, true);
		return;
	case SMTP_END_QUIT:
	case SMTP_END_LOST:
	case SMTP_END_NOT:
		break;
	}
	if (c->phase != CONN_LEAVING) {
		pool_conn_leaves(c->d, c);
	}
	settle_work(c);
	conn_free(c);
}

static void
conn_lost(struct conn *c)
{
	if (smtp_client_closed(&c->smtp) == SMTP_END) {
		conn_end(c);
	}
}

/* A free connection takes work until there is none or one is under way. */
static void
take_work(struct conn *c)
{
	struct work *w;

	while (c->smtp.state == SMTP_STATE_IDLE && c->work == NULL &&
	    (w = pool_next_work(c->d, c)) != NULL) {
		c->work = w;
		spool_stage(c->d, w, STAGE_BEGUN, NULL);
		if (smtp_client_mail(&c->smtp, &w->mail) == SMTP_DONE) {
			mail_done(c);
		}
	}
}

/* After input was taken: more work, output, the next deadline. */
static void
go_on(struct conn *c)
{
	take_work(c);
	if (flush(c) < 0) {
		conn_lost(c);
		return;
	}
	if (c->smtp.state == SMTP_STATE_IDLE) {
		/* A fresh one was made for work that is on its way. */
		conn_set_deadline(c, c->n_mails > 0 ? c->opt.idle_us :
		    EC_MAX(c->opt.idle_us, (uint64_t)FRESH_US));
		pool_conn_idle(c->d, c);
	} else {
		conn_await(c);
	}
}

/* False if c has ended. */
static bool
take_effect(struct conn *c, enum smtp_effect eff)
{
	switch (eff) {
	case SMTP_READY:
		host_memory_clear(&c->d->hosts, c->target->ip,
		    c->target->port);
		pool_conn_ready(c->d, c);
		break;
	case SMTP_BODY:
		if (c->out_at < c->out.len) {
			/* 354 to a DATA that has not left yet. */
			conn_lost(c);
			return false;
		}
		start_body(c);
		break;
	case SMTP_DONE:
		mail_done(c);
		break;
	case SMTP_END:
		conn_end(c);
		return false;
	case SMTP_MORE:
	case SMTP_STEP:
		break;
	}
	return true;
}

static void
on_input(struct conn *c)
{
	struct deliverer *d = c->d;
	ssize_t n = read(c->fd, d->in, sizeof d->in);
	struct slice in;
	bool stepped = false;
	size_t used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		conn_lost(c);
		return;
	}
	in = slice_make(d->in, (size_t)n);
	while (in.len > 0) {
		enum smtp_effect eff = smtp_client_feed(&c->smtp, in, &used);

		in = slice_skip(in, used);
		stepped |= eff != SMTP_MORE;
		if (!take_effect(c, eff)) {
			return;
		}
	}
	/* A part of a reply changes nothing, the time given for it least of
	 * all: a server may not hold us by a byte now and then. */
	if (stepped) {
		go_on(c);
	} else if (flush(c) < 0) {
		conn_lost(c);
	}
}

void
conn_on_socket(void *arg, unsigned ready)
{
	struct conn *c = arg;

	if (c->connecting) {
		make_connected(c);
		return;
	}
	/* Reading first: a server that hangs up has said why, and to a write
	 * it would only be gone. */
	if ((ready & LOOP_READ) != 0) {
		on_input(c);
	} else if (flush(c) < 0) {
		conn_lost(c);
	} else {
		conn_await(c);
	}
}

void
outbound_send(struct deliverer *d, struct conn *c, struct work *w)
{
	ec_assert(c->work == NULL && c->smtp.state == SMTP_STATE_IDLE);
	c->work = w;
	spool_stage(d, w, STAGE_BEGUN, NULL);
	if (smtp_client_mail(&c->smtp, &w->mail) == SMTP_DONE) {
		mail_done(c);
	}
	go_on(c);
}

void
outbound_quit(struct deliverer *d, struct conn *c)
{
	pool_conn_leaves(d, c);
	smtp_client_quit(&c->smtp);
	if (flush(c) < 0) {
		conn_lost(c);
		return;
	}
	conn_await(c);
}

static void
on_deadline(struct conn *c)
{
	if (c->connecting) {
		make_failed_internal(c, INTERNAL_CONNECT_TIMEOUT);
	} else if (c->smtp.state == SMTP_STATE_IDLE &&
	    c->phase != CONN_LEAVING) {
		pool_conn_aged(c->d, c);
	} else if (smtp_client_timeout(&c->smtp) == SMTP_END) {
		conn_end(c);
	}
}

static void
on_wheel(void *arg)
{
	struct deliverer *d = arg;
	struct deadline *due;
	uint64_t now = loop_refresh_us(d->loop);

	while ((due = deadline_next(&d->wheel, now)) != NULL) {
		on_deadline(container_of(due, struct conn,
		    deadline));
	}
	if (d->wheel.n > 0) {
		loop_timer_set(&d->wheel_timer, DEADLINE_TICK_US);
	}
}

void
outbound_init(struct deliverer *d)
{
	list_init(&d->free_conns);
	list_init(&d->conns);
	deadline_wheel_init(&d->wheel, loop_now_us(d->loop));
	loop_timer_init(&d->wheel_timer, d->loop, on_wheel, d);
}
