/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of messages between our processes. */
#include "common/ipc/ipc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/base/fdio.h"
#include "common/base/num.h"

#define PACKETS_PER_TURN 32	/* then others get their turn */
#define SOCKET_BUFFER (4 * 1024 * 1024)

struct packet {
	struct list_node link;
	size_t len;
	int fds[FDIO_MAX_FDS];
	int n_fds;
	char bytes[];
};

static const struct {
	const char *name;
	unsigned from, to;
} types[IPC_TYPES] = {
	[IPC_NONE] = { "NONE", 0, 0 },
#define X(name, from, to, body) [IPC_##name] = { #name, from, to },
	IPC_MESSAGES(X)
#undef X
};

const char *
ipc_type_name(unsigned type)
{
	return type < IPC_TYPES ? types[type].name : "unknown";
}

const char *
ipc_role_name(unsigned role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_SUPERVISOR] = "supervisor", [ROLE_LISTENER] = "listener",
		[ROLE_SPOOLER] = "spooler", [ROLE_DELIVERER] = "deliverer",
		[ROLE_RESOLVER] = "resolver", [ROLE_LOGGER] = "logger",
		[ROLE_CONSOLE] = "console",
	};

	return role < ROLE_COUNT ? names[role] : "unknown";
}

bool
ipc_may(unsigned from, unsigned to, unsigned type)
{
	return type > IPC_NONE && type < IPC_TYPES &&
	    (types[type].from & ROLE_BIT(from)) != 0 &&
	    (types[type].to & ROLE_BIT(to)) != 0;
}

int
ipc_pair(int fds[2], struct error *err_out)
{
	int size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0, fds) < 0) {
		return error_sys(err_out, "cannot make a socket pair");
	}
	for (int i = 0; i < 2; i++) {
		/* FORCE passes the system's cap where we may; else the cap. */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size,
		    sizeof size) < 0) {
			setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size,
			    sizeof size);
		}
	}
	return 0;
}

static void
link_fail(struct ipc_link *k, const char *why)
{
	if (!k->down) {
		k->down = true;
		snprintf(k->why, sizeof k->why, "%s", why);
		loop_fd_want(&k->watch, 0);
		/* on_down is told at the end of the turn, from the hook:
		 * never inside a call of the owner's. */
		if (list_is_empty(&k->link)) {
			list_push_back(&k->hub->dirty, &k->link);
		}
		loop_again(k->hub->loop);
	}
}

static void
packet_free(struct packet *p)
{
	for (int i = 0; i < p->n_fds; i++) {
		close(p->fds[i]);
	}
	free(p);
}

/* ETOOMANYREFS: too many descriptors of this user are on their way; some
 * arrive when their receivers read. */
static bool
is_full(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == ENOBUFS ||
	    err == ETOOMANYREFS;
}

/* The peer hung up, but what it said before still waits in the socket: an
 * outcome, or why it cannot start.  So we only stop talking; reading finds the
 * end and takes the link down. */
static void
send_failed(struct ipc_link *k)
{
	struct list_node *n;

	if (errno != EPIPE && errno != ECONNRESET) {
		link_fail(k, strerror(errno));
		return;
	}
	k->deaf = true;
	while ((n = list_pop_front(&k->queue)) != NULL) {
		packet_free(list_entry(n, struct packet, link));
	}
	k->queued_bytes = 0;
	loop_fd_want(&k->watch, LOOP_READ);
}

/* With copies of the descriptors, which may be refused: NULL with errno. */
static struct packet *
packet_make(const void *bytes, size_t len, const int *fds, int n_fds)
{
	struct packet *p = xmalloc(sizeof *p + len);

	p->len = len;
	p->n_fds = 0;
	memcpy(p->bytes, bytes, len);
	while (p->n_fds < n_fds) {
		int fd = fcntl(fds[p->n_fds], F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			int saved = errno;

			packet_free(p);
			errno = saved;
			return NULL;
		}
		p->fds[p->n_fds++] = fd;
	}
	return p;
}

/* Sends or, when the socket is full or others wait before it, queues. */
static void
packet_send(struct ipc_link *k, const void *bytes, size_t len, const int *fds,
    int n_fds)
{
	struct packet *p;

	if (k->down || k->deaf) {
		return;
	}
	if (list_is_empty(&k->queue)) {
		if (fdio_send(k->fd, bytes, len, fds, n_fds) >= 0) {
			return;
		}
		if (!is_full(errno)) {
			send_failed(k);
			return;
		}
		loop_fd_want(&k->watch, LOOP_READ | LOOP_WRITE);
	}
	p = packet_make(bytes, len, fds, n_fds);
	if (p == NULL) {
		link_fail(k, strerror(errno));
		return;
	}
	list_push_back(&k->queue, &p->link);
	k->queued_bytes += len;
}

static void
queue_send(struct ipc_link *k)
{
	struct list_node *n;

	while (!k->down && (n = list_first(&k->queue)) != NULL) {
		struct packet *p = list_entry(n, struct packet, link);

		if (fdio_send(k->fd, p->bytes, p->len, p->fds, p->n_fds) < 0) {
			if (!is_full(errno)) {
				send_failed(k);
			}
			return;
		}
		list_remove(n);
		k->queued_bytes -= p->len;
		packet_free(p);
	}
	if (!k->down) {
		loop_fd_want(&k->watch, LOOP_READ);
	}
}

void
ipc_flush(struct ipc_link *k)
{
	ec_assert(k->begun == 0);
	if (k->out.len > 0) {
		packet_send(k, k->out.ptr, k->out.len, NULL, 0);
		buf_clear(&k->out);
	}
}

struct buf *
ipc_begin(struct ipc_link *k, enum ipc_type type)
{
	uint16_t t = (uint16_t)type;

	ec_assert(k->begun == 0);
	ec_assert(ipc_may(k->self, k->peer, type));
	if (list_is_empty(&k->link)) {
		list_push_back(&k->hub->dirty, &k->link);
	}
	k->begun = k->out.len + 1;
	wire_put_u16(&k->out, t);
	wire_put_u16(&k->out, 0);
	wire_put_u32(&k->out, 0);
	return &k->out;
}

/* Closes the open message. */
static void
message_end(struct ipc_link *k)
{
	static const char zero[8];
	size_t start = k->begun - 1;
	uint32_t len;

	ec_assert(k->begun != 0 && !k->out.full);
	len = (uint32_t)(k->out.len - start - IPC_HEAD);
	ec_assert(len <= IPC_BODY_MAX);
	memcpy(k->out.ptr + start + 4, &len, sizeof len);
	buf_append(&k->out, zero, num_round_up(len, 8) - len);
	k->begun = 0;
	if (k->out.len > IPC_PACKET_MAX) {
		/* It did not fit behind the others: they go first. */
		packet_send(k, k->out.ptr, start, NULL, 0);
		buf_consume(&k->out, start);
	}
}

void
ipc_end(struct ipc_link *k)
{
	message_end(k);
	if (k->out.len > IPC_PACKET_MAX - 4096) {
		ipc_flush(k);
	}
}

void
ipc_say(struct ipc_link *k, enum ipc_type type)
{
	ipc_begin(k, type);
	ipc_end(k);
}

void
ipc_send_fd(struct ipc_link *k, enum ipc_type type, struct slice body,
    const int *fds, int n_fds)
{
	struct buf *b;

	ipc_flush(k);
	b = ipc_begin(k, type);
	buf_add(b, body);
	message_end(k);
	packet_send(k, k->out.ptr, k->out.len, fds, n_fds);
	buf_clear(&k->out);
}

size_t
ipc_backlog(const struct ipc_link *k)
{
	return k->queued_bytes + k->out.len;
}

int
ipc_take_fd(struct ipc_msg *m)
{
	for (int i = 0; i < m->n_fds; i++) {
		if (m->fds[i] >= 0) {
			int fd = m->fds[i];

			m->fds[i] = -1;
			return fd;
		}
	}
	return -1;
}

void
ipc_bad(struct ipc_link *k, const char *fmt, ...)
{
	char why[sizeof k->why];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	link_fail(k, why);
}

int
ipc_next(struct wire_r *r, struct ipc_msg *out)
{
	uint32_t len;

	if (wire_left(r) == 0) {
		return 0;
	}
	out->type = wire_u16(r);
	if (wire_u16(r) != 0) {
		return -1;
	}
	len = wire_u32(r);
	if (r->bad || len > IPC_BODY_MAX) {
		return -1;
	}
	out->body = wire_bytes(r, len);
	wire_bytes(r, num_round_up(len, 8) - len);
	return r->bad ? -1 : 1;
}

static void
packet_read(struct ipc_link *k, struct slice packet, int *fds, int n_fds)
{
	struct wire_r r = wire_reader(packet);
	struct ipc_msg m = { .fds = fds, .n_fds = n_fds };
	int got;

	while (!k->down && (got = ipc_next(&r, &m)) != 0) {
		if (got < 0) {
			link_fail(k, "malformed packet");
			return;
		}
		if (!ipc_may(k->peer, k->self, m.type)) {
			ipc_bad(k, "message %s (%u) out of role",
			    ipc_type_name(m.type), m.type);
			return;
		}
		k->on_msg(k->arg, k, &m);
	}
}

static void
on_ready(void *arg, unsigned ready)
{
	struct ipc_link *k = arg;
	int fds[FDIO_MAX_FDS], n_fds;

	if (ready & LOOP_WRITE) {
		queue_send(k);
	}
	for (int i = 0; i < PACKETS_PER_TURN && !k->down; i++) {
		ssize_t n = fdio_recv(k->fd, k->hub->packet, IPC_PACKET_MAX,
		    fds, &n_fds);

		if (n < 0 && errno == ECONNRESET) {
			/* Told once, before what was sent earlier: the peer
			 * closed with words of ours unread. */
			continue;
		}
		if (n < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK) {
				link_fail(k, errno == EMSGSIZE ?
				    "oversized packet" : strerror(errno));
			}
			return;
		}
		if (n == 0) {
			link_fail(k, IPC_CLOSED);
			return;
		}
		packet_read(k, slice_make(k->hub->packet, (size_t)n), fds,
		    n_fds);
		for (int j = 0; j < n_fds; j++) {
			fdio_close(&fds[j]);
		}
	}
}

static void
on_turn_end(void *arg)
{
	struct ipc_hub *h = arg;
	struct list_node mine, *n;

	/* on_down may say things on other links: they join h->dirty anew. */
	list_init(&mine);
	while ((n = list_pop_front(&h->dirty)) != NULL) {
		list_push_back(&mine, n);
	}
	while ((n = list_pop_front(&mine)) != NULL) {
		struct ipc_link *k = list_entry(n, struct ipc_link, link);

		if (!k->down) {
			ipc_flush(k);
		}
		if (k->down && k->on_down != NULL) {
			ipc_down_fn fn = k->on_down;

			k->on_down = NULL;
			fn(k->arg, k, k->why);
		}
	}
	if (!list_is_empty(&h->dirty)) {
		loop_again(h->loop);
	}
}

void
ipc_hub_init(struct ipc_hub *h, struct loop *l)
{
	h->loop = l;
	list_init(&h->dirty);
	h->packet = xmalloc(IPC_PACKET_MAX);
	loop_on_turn_end(l, &h->hook, on_turn_end, h);
}

void
ipc_hub_fini(struct ipc_hub *h)
{
	loop_hook_stop(&h->hook);
	free(h->packet);
	h->packet = NULL;
}

void
ipc_link_open(struct ipc_link *k, struct ipc_hub *h, int fd,
    enum ipc_role self, enum ipc_role peer, unsigned peer_index,
    ipc_msg_fn on_msg, ipc_down_fn on_down, void *arg)
{
	*k = (struct ipc_link){ .hub = h, .fd = fd, .self = (uint8_t)self,
		.peer = (uint8_t)peer, .peer_index = (uint8_t)peer_index,
		.on_msg = on_msg, .on_down = on_down, .arg = arg };
	list_init(&k->link);
	list_init(&k->queue);
	buf_init(&k->out, 2 * IPC_PACKET_MAX + 4096);
	loop_fd_init(&k->watch, h->loop, fd, on_ready, k);
	loop_fd_want(&k->watch, LOOP_READ);
}

void
ipc_last_words(struct ipc_link *k)
{
	/* We may be called by a message that stands in the hub's packet. */
	char *packet = k->hub->packet;
	struct pollfd p = { k->fd, POLLIN, 0 };

	k->hub->packet = xmalloc(IPC_PACKET_MAX);
	while (!k->down && poll(&p, 1, 0) > 0) {
		on_ready(k, LOOP_READ);
	}
	free(k->hub->packet);
	k->hub->packet = packet;
}

void
ipc_link_close(struct ipc_link *k)
{
	struct list_node *n;

	if (k->hub == NULL) {
		return;
	}
	if (!k->down && k->begun == 0) {
		ipc_flush(k);
	}
	k->down = true;
	k->on_down = NULL;
	loop_fd_stop(&k->watch);
	fdio_close(&k->fd);
	list_remove(&k->link);
	while ((n = list_pop_front(&k->queue)) != NULL) {
		packet_free(list_entry(n, struct packet, link));
	}
	buf_fini(&k->out);
	k->begun = 0;
	k->hub = NULL;
}

bool
ipc_link_is_up(const struct ipc_link *k)
{
	return k->hub != NULL && !k->down;
}
