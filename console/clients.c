/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of the control socket:
 *
 *	READING -- a line --> ASKING -- answered --> WRITING -- sent --> READING
 *
 * Output leaves by the loop's word that there is room, never from within
 * clients_answered(): a client that asks without end gets one answer a turn.
 */
#include "console/clients.h"

#include <sys/socket.h>

#include "common/base/log.h"
#include "console/answer.h"

#define ACCEPTS_A_TURN 16
#define PAUSE_US 1000000u
/* Text made of data grows by its escapes; past this the answer is refused. */
#define OUT_MAX (4u * CONTROL_ANSWER_MAX)

const struct clients_limits clients_usual_limits = {
	.max = CONTROL_CLIENTS_MAX,
	.idle_us = 300000000,
	.line_us = 10000000,
	.answer_us = 5000000,
	.write_us = 30000000,
};

static void
client_drop(struct client *c)
{
	struct clients *s = c->all;

	s->calls.on_drop(s->calls.arg, c);
	loop_fd_stop(&c->watch);
	loop_timer_stop(&c->deadline);
	list_remove(&c->link);
	s->n--;
	close(c->fd);
	buf_fini(&c->out);
	free(c);
	if (s->draining && s->n == 0) {
		s->calls.on_empty(s->calls.arg);
	}
}

static void
start_reading(struct client *c)
{
	c->state = CLIENT_READING;
	c->line_timed = false;
	loop_fd_want(&c->watch, LOOP_READ);
	loop_timer_set(&c->deadline, c->all->limits.idle_us);
}

void
clients_answered(struct client *c)
{
	if (c->out.full) {
		buf_clear(&c->out);
		answer_end(&c->out, "The answer is too large: ask for less.");
	}
	c->state = CLIENT_WRITING;
	c->sent = 0;
	loop_fd_want(&c->watch, LOOP_WRITE);
	loop_timer_set(&c->deadline, c->all->limits.write_us);
}

/* The last word to a client. */
static void
client_refuse(struct client *c, const char *sentence)
{
	answer_end(&c->out, sentence);
	c->closing = true;
	clients_answered(c);
}

/* Looks at the bytes that came, up to one request. */
static void
read_request(struct client *c)
{
	enum request_status st;
	char sentence[200];
	size_t used;

	st = request_feed(&c->parser, slice_make(c->in + c->in_pos,
	    c->in_len - c->in_pos), &used, &c->request);
	c->in_pos += used;
	if (st == REQUEST_MORE) {
		if (request_is_begun(&c->parser) && !c->line_timed) {
			c->line_timed = true;
			loop_timer_set(&c->deadline, c->all->limits.line_us);
		}
		return;
	}
	if (st != REQUEST_DONE) {
		snprintf(sentence, sizeof sentence, "Not understood: %s.",
		    request_status_text(st));
		client_refuse(c, sentence);
		return;
	}
	c->state = CLIENT_ASKING;
	loop_fd_want(&c->watch, 0);
	loop_timer_set(&c->deadline, c->all->limits.answer_us);
	c->all->calls.on_request(c->all->calls.arg, c);
}

static void
on_readable(struct client *c)
{
	ssize_t n;

	n = recv(c->fd, c->in, sizeof c->in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		client_drop(c);
		return;
	}
	c->in_pos = 0;
	c->in_len = (size_t)n;
	read_request(c);
}

static void
on_sent(struct client *c)
{
	buf_clear(&c->out);
	if (c->closing || c->all->draining) {
		client_drop(c);
		return;
	}
	start_reading(c);
	if (c->in_pos < c->in_len) {
		read_request(c);	/* it came along with the one before */
	}
}

static void
on_writable(struct client *c)
{
	ssize_t n = send(c->fd, c->out.ptr + c->sent, c->out.len - c->sent,
	    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			client_drop(c);
		}
		return;
	}
	c->sent += (size_t)n;
	if (c->sent == c->out.len) {
		on_sent(c);
	} else {
		loop_timer_set(&c->deadline, c->all->limits.write_us);
	}
}

static void
on_client(void *arg, unsigned ready)
{
	struct client *c = arg;

	if (c->state == CLIENT_WRITING && (ready & LOOP_WRITE) != 0) {
		on_writable(c);
	} else if (c->state == CLIENT_READING && (ready & LOOP_READ) != 0) {
		on_readable(c);
	}
}

static void
on_deadline(void *arg)
{
	struct client *c = arg;

	switch (c->state) {
	case CLIENT_READING:
		if (!c->line_timed) {
			client_drop(c);
			return;
		}
		client_refuse(c, "The rest of the request did not come in "
		    "time.");
		return;
	case CLIENT_ASKING:
		c->all->calls.on_late(c->all->calls.arg, c);
		return;
	case CLIENT_WRITING:
		log_notice("console: process %ld of user %lu does not read its "
		    "answer: dropped", (long)c->peer.pid,
		    (unsigned long)c->peer.uid);
		client_drop(c);
		return;
	}
}

static struct client *
client_create(struct clients *s, int fd)
{
	struct client *c = xcalloc(1, sizeof *c);

	c->all = s;
	c->fd = fd;
	request_parser_init(&c->parser);
	buf_init(&c->out, OUT_MAX);
	loop_fd_init(&c->watch, s->loop, fd, on_client, c);
	loop_timer_init(&c->deadline, s->loop, on_deadline, c);
	list_push_back(&s->list, &c->link);
	s->n++;
	return c;
}

/* A sentence as far as the fresh socket takes it: all of it. */
static void
turn_away(int fd, const char *sentence)
{
	struct buf b;
	ssize_t n;

	buf_init(&b, 1024);
	answer_end(&b, sentence);
	n = send(fd, b.ptr, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)n;	/* gone already: nobody is left to be told */
	buf_fini(&b);
	close(fd);
}

static void
greet(struct clients *s, int fd)
{
	static struct log_rate refused;
	struct ctl_peer peer;
	struct client *c;

	if (ctl_socket_peer(fd, &peer) < 0) {
		close(fd);
		return;
	}
	if (!ctl_peer_may(&peer, geteuid())) {
		log_limited(&refused, EC_WARNING, "console: process %ld of "
		    "user %lu may not use the control socket",
		    (long)peer.pid, (unsigned long)peer.uid);
		turn_away(fd, "You may not use this console: it serves root, "
		    "the server's own user and members of its group.");
		return;
	}
	if (s->n >= s->limits.max) {
		turn_away(fd, "Too many clients use the console: try again "
		    "later.");
		return;
	}
	c = client_create(s, fd);
	c->peer = peer;
	start_reading(c);
}

static void
on_connect(void *arg, unsigned ready)
{
	struct clients *s = arg;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(s->watch.fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			greet(s, fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			log_warning("console: cannot accept: %s",
			    strerror(errno));
			loop_fd_want(&s->watch, 0);
			loop_timer_set(&s->pause, PAUSE_US);
			return;
		}
	}
}

static void
on_pause_over(void *arg)
{
	struct clients *s = arg;

	loop_fd_want(&s->watch, LOOP_READ);
}

void
clients_start(struct clients *s, struct loop *l, int fd,
    const struct clients_limits *limits, const struct clients_calls *calls)
{
	*s = (struct clients){ .loop = l, .limits = *limits, .calls = *calls,
		.listening = true };
	list_init(&s->list);
	loop_timer_init(&s->pause, l, on_pause_over, s);
	loop_fd_init(&s->watch, l, fd, on_connect, s);
	loop_fd_want(&s->watch, LOOP_READ);
}

static void
stop_listening(struct clients *s)
{
	if (s->listening) {
		loop_fd_stop(&s->watch);
		loop_timer_stop(&s->pause);
		s->listening = false;
	}
}

void
clients_drain(struct clients *s)
{
	stop_listening(s);
	list_each(it, next, &s->list) {
		struct client *c = list_entry(it, struct client, link);

		if (c->state == CLIENT_READING) {
			client_drop(c);
		}
	}
	s->draining = true;	/* from now on the last one is told of */
	if (s->n == 0) {
		s->calls.on_empty(s->calls.arg);
	}
}

void
clients_stop(struct clients *s)
{
	stop_listening(s);
	s->draining = false;
	list_each(it, next, &s->list) {
		client_drop(list_entry(it, struct client, link));
	}
}
