/* SPDX-License-Identifier: Apache-2.0 */
/* Connect, two bytes of length and the question, the same back. */
#include "resolver/dns_tcp.h"

#include <netinet/in.h>

#include "common/base/fdio.h"
#include "resolver/dns_msg.h"


struct dns_tcp {
	struct loop_fd watch;
	int fd;
	dns_tcp_fn fn;
	void *arg;
	uint8_t query[2 + DNS_MSG_QUERY_MAX];
	size_t query_len, sent;
	uint8_t head[2];
	size_t got;		/* of head and reply together */
	char *reply;
	size_t reply_len;
};

static void
finish(struct dns_tcp *t, bool ok)
{
	struct slice reply = ok ? slice_make(t->reply, t->reply_len) :
	    slice_make(NULL, 0);
	char *bytes = t->reply;
	dns_tcp_fn fn = t->fn;
	void *arg = t->arg;

	t->reply = NULL;
	dns_tcp_cancel(&t);
	fn(arg, reply);
	free(bytes);
}

/* 1 done, 0 wait, -1 failed. */
static int
send_some(struct dns_tcp *t)
{
	while (t->sent < t->query_len) {
		ssize_t n = send(t->fd, t->query + t->sent,
		    t->query_len - t->sent, MSG_NOSIGNAL);

		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		}
		t->sent += (size_t)n;
	}
	return 1;
}

static int
receive_some(struct dns_tcp *t)
{
	for (;;) {
		void *to = t->got < 2 ? (void *)(t->head + t->got) :
		    (void *)(t->reply + t->got - 2);
		size_t room = t->got < 2 ? 2 - t->got :
		    2 + t->reply_len - t->got;
		ssize_t n = recv(t->fd, to, room, 0);

		if (n <= 0) {
			return n < 0 && (errno == EAGAIN || errno == EINTR) ?
			    0 : -1;
		}
		t->got += (size_t)n;
		if (t->got == 2) {
			t->reply_len = (size_t)t->head[0] << 8 | t->head[1];
			if (t->reply_len == 0) {
				return -1;
			}
			t->reply = xmalloc(t->reply_len);
		} else if (t->got == 2 + t->reply_len) {
			return 1;
		}
	}
}

static void
on_ready(void *arg, unsigned ready)
{
	struct dns_tcp *t = arg;
	int r = send_some(t);

	(void)ready;
	if (r > 0) {
		loop_fd_want(&t->watch, LOOP_READ);
		r = receive_some(t);
	}
	if (r != 0) {
		finish(t, r > 0);
	}
}

struct dns_tcp *
dns_tcp_ask(struct loop *l, const struct sockaddr_storage *to,
    struct slice query, dns_tcp_fn fn, void *arg)
{
	socklen_t len = to->ss_family == AF_INET6 ?
	    sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct dns_tcp *t;
	int fd;

	ec_assert(query.len <= DNS_MSG_QUERY_MAX);
	fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0) {
		return NULL;
	}
	if (connect(fd, (const struct sockaddr *)to, len) < 0 &&
	    errno != EINPROGRESS) {
		fdio_close(&fd);
		return NULL;
	}
	t = xcalloc(1, sizeof *t);
	t->fd = fd;
	t->fn = fn;
	t->arg = arg;
	t->query[0] = (uint8_t)(query.len >> 8);
	t->query[1] = (uint8_t)query.len;
	memcpy(t->query + 2, query.ptr, query.len);
	t->query_len = 2 + query.len;
	loop_fd_init(&t->watch, l, fd, on_ready, t);
	loop_fd_want(&t->watch, LOOP_WRITE);
	return t;
}

void
dns_tcp_cancel(struct dns_tcp **tp)
{
	struct dns_tcp *t = *tp;

	*tp = NULL;
	if (t != NULL) {
		loop_fd_stop(&t->watch);
		fdio_close(&t->fd);
		free(t->reply);
		free(t);
	}
}
