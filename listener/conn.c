/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection: the only file that reads and writes its socket.
 *
 * Bytes are read into one buffer of the process, behind what was left over;
 * what cannot be served now (a line not whole, commands behind a message that
 * is being stored) is kept by the session, and reading stops until it can.
 * Replies of one turn leave in one write.  A client that does not read its
 * replies is not read from either, and is dropped by the idle deadline.
 */
#include "listener/transaction.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/base/addr.h"
#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"

#define LINE_MAX_BYTES SMTP_LINE_DEFAULT_MAX
#define REMOTE_TEXT_MAX 480u	/* with the code within 512 bytes */
#define LAST_WORDS_US 30000000u	/* for a client to read why we close */
#define LOOK_MIN_US 10000u	/* between two looks at the deadlines */
#define LOOK_MAX_US 5000000u
#define KEEP_BYTES 8192u	/* of buffers, between two bursts */

static void session_close(struct session *s);

static void
map_ip(const struct sockaddr_storage *ss, uint8_t ip[16], uint16_t *port)
{
	memset(ip, 0, 16);
	*port = addr_port(ss);
	if (ss->ss_family == AF_INET6) {
		memcpy(ip, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
	} else if (ss->ss_family == AF_INET) {
		ip[10] = ip[11] = 0xff;
		memcpy(ip + 12, &((const struct sockaddr_in *)ss)->sin_addr, 4);
	}
}

/* While replies do not leave nothing is read: the kernel's buffer holds the
 * client back.  The same while a message is stored; but as most clients say
 * nothing then, the watch stays and on_ready() takes it away if need be. */
static void
want(struct session *s)
{
	unsigned w = 0;

	if (s->dead) {
		return;
	}
	if (s->out.len - s->out_at == 0 && !s->closing && !s->deaf) {
		w |= LOOP_READ;
	}
	if (s->out.len > s->out_at) {
		w |= LOOP_WRITE;
	}
	loop_fd_want(&s->watch, w);
}

/* Sends what it can; false when the connection is gone. */
static bool
flush_out(struct session *s)
{
	while (s->out_at < s->out.len) {
		ssize_t n = send(s->fd, s->out.ptr + s->out_at,
		    s->out.len - s->out_at, MSG_NOSIGNAL);

		if (n < 0) {
			return errno == EAGAIN || errno == EWOULDBLOCK ||
			    errno == EINTR;
		}
		s->out_at += (size_t)n;
	}
	buf_clear(&s->out);
	s->out_at = 0;
	return true;
}

static void
greet(struct session *s)
{
	if (s->set.static_banner[0] != '\0') {
		buf_printf(&s->out, "220 %s\r\n", s->set.static_banner);
		return;
	}
	buf_printf(&s->out, "220 %s ESMTP ecelerity %s %.*s\r\n",
	    s->set.banner, PACKAGE_VERSION, SLICE_ARG(date_cached_local(
	    &s->l->date, clock_wall_us())));
}

static void
say_hello(struct session *s)
{
	struct smtp_offer offer = { .ext = s->sm.offered,
		.max_size = s->sm.limits.max_size };
	char ip[ADDR_TEXT_MAX];

	addr_format_ip((struct sockaddr *)&s->peer, ip, sizeof ip);
	if (s->sm.esmtp) {
		smtp_ext_ehlo(&s->out, slice_of(s->set.banner), slice_of(ip),
		    &offer);
	} else {
		smtp_ext_helo(&s->out, slice_of(s->set.banner), slice_of(ip));
	}
}

/* The id that `trace` will be asked for. */
static struct slice
stored_id(struct session *s, char text[MSGID_TEXT_LEN + 1])
{
	msgid_format(s->n_rcpt == 1 ? s->rcpt[0].id : s->batch_id, text);
	return slice_make(text, MSGID_TEXT_LEN);
}

static void
say(struct session *s, struct smtp_out out, enum smtp_state was)
{
	char id[MSGID_TEXT_LEN + 1];
	bool stored = was == SMTP_ST_STORING && out.reply != NULL &&
	    out.reply->code == 250;

	if ((out.effects & SMTP_DO_GREET) != 0) {
		greet(s);
	}
	if ((out.effects & SMTP_DO_SAY_HELLO) != 0) {
		say_hello(s);
	}
	if ((out.effects & SMTP_DO_SEND_GIVEN) != 0 && out.reply == NULL) {
		out.reply = &s->given;
	} else if (stored && s->given_stored) {
		out.reply = &s->given;
		stored = false;
	}
	if (out.reply != NULL) {
		if (out.reply->code >= 400) {
			refuse_log(s, was, out.reply->code,
			    slice_of(out.reply->text));
		}
		smtp_session_put(&s->sm, &s->out, &out, stored ?
		    stored_id(s, id) : SLICE(""));
	}
}

/* Says and does what a step asked for, and what follows from that. */
static void
perform(struct session *s, struct smtp_out out, enum smtp_state was,
    const struct smtp_command *cmd)
{
	while (out.reply != NULL || out.effects != 0) {
		unsigned effects = out.effects;

		say(s, out, was);
		if ((effects & SMTP_DO_CLOSE) != 0) {
			transaction_reset(s);
			s->closing = true;
			return;
		}
		was = s->sm.state;
		out = transaction_effect(s, effects, cmd);
	}
}

static void
step(struct session *s, enum smtp_event ev)
{
	enum smtp_state was = s->sm.state;

	perform(s, smtp_session_step(&s->sm, ev), was, NULL);
}

static bool
in_content(const struct session *s)
{
	return s->sm.state == SMTP_ST_DATA ||
	    s->sm.state == SMTP_ST_DISCARD_LARGE ||
	    s->sm.state == SMTP_ST_DISCARD_FULL;
}

static void
serve_content(struct session *s, struct slice in, size_t *used)
{
	enum smtp_state was = s->sm.state;

	switch (body_take(s, in, used)) {
	case BODY_MORE:
		break;
	case BODY_DOT:
		perform(s, transaction_dot(s), was, NULL);
		break;
	case BODY_LARGE:
		step(s, SMTP_EV_TOO_LARGE);
		break;
	case BODY_FULL:
		step(s, SMTP_EV_NO_ROOM);
		break;
	case BODY_WAIT:
		/* For the spooler: as long as for its answer. */
		s->deaf = true;
		s->store_deadline_us = loop_now_us(s->l->loop) +
		    s->l->store_timeout_us;
		return;
	}
	/* The dot may have come with what was too much. */
	if (s->body.ended && in_content(s)) {
		was = s->sm.state;
		perform(s, transaction_dot(s), was, NULL);
	}
}

/* Serves as much of in as can be served now; the count. */
static size_t
serve(struct session *s, struct slice in)
{
	size_t total = 0, used;

	while (in.len > 0 && !s->closing) {
		if (in_content(s)) {
			serve_content(s, in, &used);
			if (s->deaf) {
				return total + used;
			}
		} else if (smtp_session_wants_line(&s->sm)) {
			struct smtp_command cmd;
			struct slice line;
			enum smtp_line_status st;
			enum smtp_state was = s->sm.state;

			if (s->generation != s->l->generation &&
			    (was == SMTP_ST_READY || was == SMTP_ST_GREETED)) {
				policy_settings(s);
			}
			st = smtp_line_next(&s->line, in, &used, &line);
			if (st == SMTP_LINE_MORE) {
				total += used;
				break;
			}
			perform(s, smtp_session_line(&s->sm, st, line, &cmd),
			    was, &cmd);
		} else {
			break;
		}
		in = slice_skip(in, used);
		total += used;
		if (s->out.len - s->out_at > OUT_MAX / 2) {
			if (!flush_out(s)) {
				s->closing = true;
			} else if (s->out.len > 0) {
				/* It does not read: the rest is served when
				 * these replies have left. */
				break;
			}
		}
	}
	return total;
}

/* What is left of in waits in the session. */
static void
keep_left(struct session *s, struct slice in)
{
	buf_clear(&s->left);
	ec_assert(in.len == 0 || buf_add(&s->left, in));
}

/* A burst's memory goes back. */
static void
trim(struct buf *b)
{
	if (b->len == 0 && b->cap > KEEP_BYTES) {
		size_t max = b->max;

		buf_fini(b);
		buf_init(b, max);
	}
}

static void
finish_turn(struct session *s)
{
	if (smtp_session_wants_shutdown(&s->sm)) {
		step(s, SMTP_EV_SHUTDOWN);
	}
	if (!flush_out(s) || (s->closing && s->out.len == 0)) {
		session_close(s);
		return;
	}
	trim(&s->left);
	trim(&s->out);
	want(s);
}

static void
touch(struct session *s)
{
	uint64_t idle = s->set.idle_us == 0 ? UINT64_MAX : s->set.idle_us;

	if (s->closing) {	/* its last words are not waited on for ever */
		idle = EC_MIN(idle, LAST_WORDS_US);
	}
	s->deadline_us = idle == UINT64_MAX ? idle :
	    loop_now_us(s->l->loop) + idle;
}

/* Looked at now and then only: moving a timer at each command would cost. */
static void
set_timer(struct session *s)
{
	uint64_t now = loop_now_us(s->l->loop), at = s->deadline_us;

	if (s->sm.state == SMTP_ST_STORING || s->body.waits) {
		at = s->store_deadline_us;
	}
	at = at > now ? at - now : 0;
	at = EC_MIN(at, s->l->store_timeout_us);
	loop_timer_set(&s->timer, EC_MIN(EC_MAX(at, (uint64_t)LOOK_MIN_US),
	    (uint64_t)LOOK_MAX_US));
}

static void
on_readable(struct session *s)
{
	struct listener *l = s->l;
	size_t had = s->left.len;
	struct slice in;
	ssize_t n;

	if (had > 0) {
		memcpy(l->read, s->left.ptr, had);
	}
	n = recv(s->fd, l->read + had, READ_BYTES, 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK ||
	    errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		enum smtp_state was = s->sm.state;

		perform(s, smtp_session_step(&s->sm, SMTP_EV_DISCONNECT), was,
		    NULL);
		session_close(s);
		return;
	}
	touch(s);
	in = slice_make(l->read, had + (size_t)n);
	keep_left(s, slice_skip(in, serve(s, in)));
	finish_turn(s);
}

bool
session_is_gone(const struct session *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

/* Readable while its message is stored: more commands, or an end.  An end may
 * be half a one (a client that said all it had to), so it waits for its turn;
 * a connection that broke does not. */
static void
while_storing(struct session *s)
{
	char c;
	ssize_t n = recv(s->fd, &c, 1, MSG_PEEK);

	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK &&
	    errno != EINTR) {
		session_close(s);
		return;
	}
	s->deaf = true;
	want(s);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct session *s = arg;

	if (s->dead) {
		return;
	}
	if (s->sm.state == SMTP_ST_STORING && (ready & LOOP_READ) != 0) {
		while_storing(s);
		return;
	}
	if ((ready & LOOP_WRITE) != 0) {
		size_t before = s->out_at;

		if (!flush_out(s) || (s->closing && s->out.len == 0)) {
			session_close(s);
			return;
		}
		if (s->out_at != before || s->out.len == 0) {
			touch(s);
		}
		/* What waited behind the replies. */
		if (s->out.len == 0 && s->left.len > 0) {
			struct slice in = buf_slice(&s->left);

			buf_consume(&s->left, serve(s, in));
			finish_turn(s);
			return;
		}
	}
	if ((ready & LOOP_READ) != 0 && !s->deaf) {
		on_readable(s);
		return;
	}
	want(s);
}

/* A stranger's words: the code is said apart, then one line of printable
 * ASCII. */
static void
keep_remote(struct session *s, struct slice text)
{
	struct reply_enhanced e;
	size_t used;

	s->remote_enh[0] = '\0';
	if (text.len > 4 && text.ptr[0] >= '2' && text.ptr[0] <= '5' &&
	    text.ptr[3] == ' ') {
		text = slice_skip(text, 4);
	}
	if (reply_parse_enhanced(text, &e, &used) &&
	    used < sizeof s->remote_enh) {
		slice_copy(s->remote_enh, sizeof s->remote_enh,
		    slice_make(text.ptr, used));
		text = slice_skip(text, EC_MIN(used + 1, text.len));
	}
	text.len = EC_MIN(text.len, (size_t)REMOTE_TEXT_MAX);
	slice_copy(s->remote, sizeof s->remote, text);
	for (char *p = s->remote; *p != '\0'; p++) {
		if (*p < 0x20 || *p > 0x7e) {
			*p = '?';
		}
	}
}

void
session_answered(struct session *s, unsigned code, struct slice text)
{
	static const char internal[] = "[internal]";
	bool ours = memmem(text.ptr, text.len, internal,
	    sizeof internal - 1) != NULL;

	keep_remote(s, text);
	if (code / 100 == 4 && ours) {
		/* No host said that: it could not be asked. */
		code = 451;
		slice_copy(s->remote_enh, sizeof s->remote_enh,
		    SLICE("4.4.1"));
	}
	if (s->remote[0] == '\0') {
		slice_copy(s->remote, sizeof s->remote, code / 100 == 2 ?
		    SLICE("Ok") : SLICE("not taken by the next host"));
	}
	if (s->remote_enh[0] != '\0' && s->remote_enh[0] != (char)('0' +
	    code / 100)) {
		s->remote_enh[0] = '\0';	/* it contradicts the code */
	}
	s->given = (struct reply_text){ (uint16_t)code, s->remote_enh[0] !=
		'\0' ? s->remote_enh : NULL, s->remote };
	s->given_stored = code / 100 == 2;
	session_stored(s, s->given_stored ? SMTP_EV_STORED : SMTP_EV_REFUSE);
	s->given_stored = false;
}

void
session_go_on(struct session *s)
{
	size_t used;

	if (s->dead) {
		return;
	}
	s->deaf = false;
	touch(s);
	/* The buffer must not move while it is served. */
	used = serve(s, buf_slice(&s->left));
	buf_consume(&s->left, used);
	finish_turn(s);
}

void
session_stored(struct session *s, enum smtp_event ev)
{
	struct score_slot *score = worker_score(s->l->w);

	if (ev == SMTP_EV_STORED) {
		score_add(score, SCORE_L_RECEIVED, 1);
		score_add(score, SCORE_L_RECIPIENTS, s->n_rcpt);
	} else if (ev == SMTP_EV_TOO_LARGE) {
		s->given = (struct reply_text){ 552, "5.3.4",
			"message size limit exceeded" };
		ev = SMTP_EV_REFUSE;
	}
	s->deaf = false;
	step(s, ev);
	session_go_on(s);
}

static void
on_timer(void *arg)
{
	struct session *s = arg;
	uint64_t now = loop_refresh_us(s->l->loop);

	if (s->dead) {
		return;
	}
	if (s->sm.state == SMTP_ST_STORING) {
		if (now >= s->store_deadline_us ||
		    (store_is_waiting(s) && session_is_gone(s))) {
			store_forget(s);
			session_stored(s, SMTP_EV_LOST);
			if (s->dead) {
				return;
			}
		}
	} else if (s->body.waits) {
		if (now >= s->store_deadline_us) {
			large_give_up(s);
		}
	} else if (now >= s->deadline_us) {
		if (s->closing) {
			session_close(s);	/* it does not read our last
						 * words */
			return;
		}
		step(s, SMTP_EV_IDLE);
		s->deadline_us = now + 5000000u;
		finish_turn(s);
		if (s->dead) {
			return;
		}
	}
	set_timer(s);
}

void
session_open(struct endpoint *e, int fd, const struct sockaddr_storage *peer)
{
	struct listener *l = e->l;
	struct session *s = xcalloc(1, sizeof *s);
	socklen_t len = sizeof s->local;

	s->l = l;
	s->endpoint = e;
	s->fd = fd;
	s->peer = *peer;
	getsockname(fd, (struct sockaddr *)&s->local, &len);
	map_ip(&s->peer, s->peer_ip, &s->peer_port);
	map_ip(&s->local, s->local_ip, &s->local_port);
	buf_init(&s->left, 2 * READ_BYTES);
	buf_init(&s->out, OUT_MAX + 4096);
	scratch_init(&s->scratch, SESSION_SCRATCH);
	smtp_line_init(&s->line, LINE_MAX_BYTES);
	s->env_bytes = 0;
	s->conn_id = store_new_id(l);
	list_push_back(&l->sessions, &s->link);
	l->n_sessions++;
	e->sessions++;
	score_add(worker_score(l->w), SCORE_L_CONNECTS, 1);
	loop_fd_init(&s->watch, l->loop, fd, on_ready, s);
	loop_timer_init(&s->timer, l->loop, on_timer, s);
	policy_settings(s);
	touch(s);
	set_timer(s);
	step(s, e->max_sessions > 0 && e->sessions > e->max_sessions ?
	    SMTP_EV_BUSY : SMTP_EV_ACCEPT);
	finish_turn(s);
}

static void
session_close(struct session *s)
{
	struct endpoint *e = s->endpoint;

	if (s->dead) {
		return;
	}
	s->dead = true;
	store_forget(s);
	transaction_fini(s);
	loop_fd_stop(&s->watch);
	loop_timer_stop(&s->timer);
	fdio_close(&s->fd);
	s->l->n_sessions--;
	e->sessions--;
	endpoint_put(e);
	list_remove(&s->link);
	list_push_back(&s->l->dead, &s->link);
	loop_again(s->l->loop);	/* so that it is swept */
}

bool
session_sweep(struct listener *l)
{
	struct list_node *n;
	bool any = !list_is_empty(&l->dead);

	while ((n = list_pop_front(&l->dead)) != NULL) {
		struct session *s = list_entry(n, struct session, link);

		buf_fini(&s->left);
		buf_fini(&s->out);
		free(s);
	}
	return any;
}

/* Idle ones get their 421 now, busy ones after their message. */
void
session_drain(struct listener *l)
{
	list_each(n, tmp, &l->sessions) {
		struct session *s = list_entry(n, struct session, link);

		step(s, SMTP_EV_SHUTDOWN);
		finish_turn(s);
	}
}
