/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes out as the socket takes them, reply codes in. */
#include "tests/listener/talker.h"

#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/base/fdio.h"
#include "common/base/num.h"

static void
want(struct talker *t)
{
	loop_fd_want(&t->watch, t->closed ? 0 : (t->mute ? 0 : LOOP_READ) |
	    (t->out.len > 0 ? LOOP_WRITE : 0));
}

static void
parse(struct talker *t)
{
	while (t->parsed < t->in.len) {
		const char *p = t->in.ptr + t->parsed;
		const char *end = memchr(p, '\n', t->in.len - t->parsed);
		uint64_t code;

		if (end == NULL) {
			return;
		}
		ck_assert_msg(end - p >= 4 && end[-1] == '\r', "bad line");
		if (p[3] == ' ') {
			ck_assert(num_parse_max(slice_make(p, 3), 999, &code));
			ck_assert(t->n_codes < TALKER_CODES);
			t->code[t->n_codes++] = (uint16_t)code;
		} else {
			ck_assert(p[3] == '-');
		}
		t->parsed += (size_t)(end - p) + 1;
	}
}

static void
send_some(struct talker *t)
{
	while (t->out.len > 0) {
		ssize_t n = send(t->fd, t->out.ptr, t->drip == 0 ?
		    t->out.len : EC_MIN(t->drip, t->out.len), MSG_NOSIGNAL |
		    MSG_DONTWAIT);

		if (n < 0) {
			if (errno != EAGAIN) {
				buf_clear(&t->out);	/* it hung up */
			}
			return;
		}
		buf_consume(&t->out, (size_t)n);
		if (t->drip != 0) {
			return;		/* the next one in another turn */
		}
	}
}

static void
on_ready(void *arg, unsigned ready)
{
	struct talker *t = arg;
	char bytes[65536];
	ssize_t n;

	if ((ready & LOOP_WRITE) != 0) {
		send_some(t);
	}
	if ((ready & LOOP_READ) != 0) {
		n = recv(t->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n > 0) {
			buf_append(&t->in, bytes, (size_t)n);
			parse(t);
		} else if (n == 0 || errno != EAGAIN) {
			t->closed = true;
		}
	}
	want(t);
}

void
talker_open(struct talker *t, struct loop *l, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	*t = (struct talker){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
	    0) };
	ck_assert(t->fd >= 0);
	/* The backlog takes it: this does not wait for the listener. */
	ck_assert_int_eq(connect(t->fd, (struct sockaddr *)&sin, sizeof sin),
	    0);
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	buf_init(&t->in, 64u << 20);
	buf_init(&t->out, 64u << 20);
	loop_fd_init(&t->watch, l, t->fd, on_ready, t);
	want(t);
}

void
talker_close(struct talker *t)
{
	loop_fd_stop(&t->watch);
	fdio_close(&t->fd);
	buf_fini(&t->in);
	buf_fini(&t->out);
	t->closed = true;
}

void
talker_reset(struct talker *t)
{
	struct linger now = { 1, 0 };

	setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	talker_close(t);
}

void
talker_say(struct talker *t, struct slice text)
{
	ck_assert(buf_add(&t->out, text));
	want(t);
}

void
talker_half_close(struct talker *t)
{
	ck_assert_uint_eq(t->out.len, 0);
	ck_assert_int_eq(shutdown(t->fd, SHUT_WR), 0);
}

void
talker_listen(struct talker *t, bool on)
{
	t->mute = !on;
	want(t);
}

const char *
talker_codes(struct talker *t)
{
	size_t len = 0;

	t->codes[0] = '\0';
	for (unsigned i = 0; i < t->n_codes && len + 5 < sizeof t->codes; i++) {
		len += (size_t)snprintf(t->codes + len, sizeof t->codes - len,
		    i == 0 ? "%u" : " %u", t->code[i]);
	}
	return t->codes;
}

struct slice
talker_last(const struct talker *t)
{
	size_t end = t->parsed >= 2 ? t->parsed - 2 : 0, at = end;

	while (at > 0 && t->in.ptr[at - 1] != '\n') {
		at--;
	}
	return slice_make(t->in.ptr + at, end - at);
}
