/* SPDX-License-Identifier: Apache-2.0 */
/* An SMTP server that a test scripts. */
#include "tests/support/scripted_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/base/fdio.h"

#define VERBS 10

struct peer_conn {
	struct scripted_peer *peer;
	struct list_node link;
	struct loop_fd watch;
	int fd;
	unsigned number;
	unsigned seen[VERBS];
	bool in_data, mute, piped;
	struct buf in;
};

static const char *const verbs[VERBS] = {
	"BANNER", "EHLO", "HELO", "MAIL", "RCPT", "DATA", ".", "RSET", "QUIT",
	"other",
};

static void
drop(struct peer_conn *c)
{
	loop_fd_stop(&c->watch);
	close(c->fd);
	list_remove(&c->link);
	buf_fini(&c->in);
	c->peer->n_open--;
	free(c);
}

static void
say(struct peer_conn *c, const char *text)
{
	size_t n = strlen(text), step = c->peer->slow ? 1 : n;

	for (size_t at = 0; at < n; at += step) {
		if (send(c->fd, text + at, EC_MIN(step, n - at),
		    MSG_NOSIGNAL) < 0) {
			return;
		}
	}
}

static void
say_ehlo(struct peer_conn *c)
{
	struct slice rest = slice_of(c->peer->caps);
	struct buf b;

	buf_init(&b, 4096);
	buf_puts(&b, rest.len > 0 ? "250-peer\r\n" : "250 peer\r\n");
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');

		buf_printf(&b, "250%c%.*s\r\n", rest.len > 0 ? '-' : ' ',
		    SLICE_ARG(line));
	}
	buf_putc(&b, '\0');
	say(c, b.ptr);
	buf_fini(&b);
}

/* False if c is gone. */
static bool
answer(struct peer_conn *c, unsigned verb, const char *usual)
{
	struct scripted_peer *p = c->peer;

	c->seen[verb]++;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct peer_rule *r = &p->rules[i];

		if (strcmp(r->verb, verbs[verb]) != 0 ||
		    (r->conn != 0 && r->conn != c->number) ||
		    (r->nth != 0 && r->nth != c->seen[verb])) {
			continue;
		}
		if (r->reply != NULL) {
			say(c, r->reply);
		}
		if (r->then == PEER_CLOSE) {
			drop(c);
			return false;
		}
		c->mute |= r->then == PEER_MUTE;
		c->in_data |= verb == 5 && r->reply != NULL &&
		    r->reply[0] == '3';
		return true;
	}
	if (verb == 1) {
		say_ehlo(c);
	} else {
		say(c, usual);
	}
	c->in_data |= verb == 5;
	return true;
}

static unsigned
verb_of(struct slice line)
{
	for (unsigned i = 1; i < VERBS - 1; i++) {
		if (i != 6 && slice_starts_nocase(line, slice_of(verbs[i]))) {
			return i;
		}
	}
	return VERBS - 1;
}

/* One command line; false if c is gone. */
static bool
command(struct peer_conn *c, struct slice line)
{
	static const char *const usual[VERBS] = {
		[2] = "250 peer\r\n", [3] = "250 2.1.0 sender\r\n",
		[4] = "250 2.1.5 recipient\r\n", [5] = "354 go\r\n",
		[7] = "250 2.0.0 reset\r\n", [8] = "221 2.0.0 bye\r\n",
		[9] = "500 5.5.1 what\r\n",
	};
	unsigned verb = verb_of(line);

	buf_add(&c->peer->seen, line);
	buf_putc(&c->peer->seen, '\n');
	c->peer->n_piped += verb == 3 && c->piped;
	if (!answer(c, verb, usual[verb])) {
		return false;
	}
	if (verb == 8) {
		drop(c);
		return false;
	}
	return true;
}

/* Content up to its dot; 0 if there is none yet. */
static size_t
content_end(struct slice in)
{
	if (slice_starts(in, SLICE(".\r\n"))) {
		return 3;
	}
	for (size_t i = 0; i + 5 <= in.len; i++) {
		if (memcmp(in.ptr + i, "\r\n.\r\n", 5) == 0) {
			return i + 5;
		}
	}
	return 0;
}

static bool
content(struct peer_conn *c)
{
	struct scripted_peer *p = c->peer;
	size_t n = content_end(buf_slice(&c->in));

	if (n == 0) {
		return false;
	}
	buf_clear(&p->content);
	buf_append(&p->content, c->in.ptr, n);
	buf_consume(&c->in, n);
	c->in_data = false;
	c->piped = true;
	p->n_mails++;
	return true;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct peer_conn *c = arg;
	char bytes[65536];
	ssize_t n = read(c->fd, bytes, sizeof bytes);

	(void)ready;
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN) {
			drop(c);
		}
		return;
	}
	buf_append(&c->in, bytes, (size_t)n);
	c->piped = false;
	while (!c->mute) {
		ssize_t lf;

		if (c->in_data) {
			if (!content(c)) {
				return;
			}
			if (!answer(c, 6, "250 2.0.0 taken\r\n")) {
				return;
			}
			continue;
		}
		lf = slice_find(buf_slice(&c->in), '\n');
		if (lf < 1) {
			return;
		}
		if (!command(c, slice_make(c->in.ptr, (size_t)lf - 1))) {
			return;
		}
		buf_consume(&c->in, (size_t)lf + 1);
	}
}

static void
on_accept(void *arg, unsigned ready)
{
	struct scripted_peer *p = arg;
	int one = 1, fd = accept4(p->fd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct peer_conn *c;

	(void)ready;
	if (fd < 0) {
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c = xcalloc(1, sizeof *c);
	c->peer = p;
	c->fd = fd;
	c->number = ++p->n_conns;
	p->n_open++;
	buf_init(&c->in, 16u << 20);
	list_push_back(&p->conns, &c->link);
	loop_fd_init(&c->watch, p->loop, fd, on_ready, c);
	loop_fd_want(&c->watch, LOOP_READ);
	answer(c, 0, "220 peer ESMTP\r\n");
}

void
scripted_peer_open(struct scripted_peer *p, struct loop *l, const char *caps,
    const struct peer_rule *rules, size_t n_rules)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;

	*p = (struct scripted_peer){ .loop = l, .caps = caps, .rules = rules,
		.n_rules = n_rules };
	list_init(&p->conns);
	buf_init(&p->seen, 16u << 20);
	buf_init(&p->content, 16u << 20);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&a, sizeof a) < 0 ||
	    listen(p->fd, 128) < 0 ||
	    getsockname(p->fd, (struct sockaddr *)&a, &len) < 0) {
		panic("cannot listen: %s", strerror(errno));
	}
	p->port = ntohs(a.sin_port);
	loop_fd_init(&p->watch, l, p->fd, on_accept, p);
	loop_fd_want(&p->watch, LOOP_READ);
}

void
scripted_peer_close(struct scripted_peer *p)
{
	struct list_node *n;

	while ((n = list_first(&p->conns)) != NULL) {
		drop(list_entry(n, struct peer_conn, link));
	}
	loop_fd_stop(&p->watch);
	fdio_close(&p->fd);
	buf_fini(&p->seen);
	buf_fini(&p->content);
}

unsigned
scripted_peer_count(const struct scripted_peer *p, const char *head)
{
	struct slice rest = buf_slice(&p->seen);
	unsigned n = 0;

	while (rest.len > 0) {
		n += slice_starts(slice_cut(&rest, '\n'), slice_of(head));
	}
	return n;
}
