/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets. */
#include "supervisor/listen_socks.h"

#include <netinet/in.h>
#include <sys/stat.h>

#include "common/base/addr.h"
#include "common/base/fdio.h"
#include "common/base/wire.h"
#include "supervisor/port_holder.h"

#define SMTP_PORT 25
#define PRIVILEGED_PORTS 1024

static bool
same_addr(const struct listen_addr *a, const struct listen_addr *b)
{
	return strcmp(a->scope, b->scope) == 0 && strcmp(a->text, b->text) == 0;
}

static const struct listen_addr *
find(const struct listen_socks *s, const struct listen_addr *a)
{
	for (size_t i = 0; i < s->n; i++) {
		if (same_addr(&s->addr[i], a)) {
			return &s->addr[i];
		}
	}
	return NULL;
}

bool
listen_socks_has(const struct listen_socks *s, const struct listen_addr *a)
{
	return find(s, a) != NULL;
}

static void
addr_free(struct listen_addr *a, unsigned slots, bool close_them)
{
	for (unsigned i = 0; close_them && i < slots; i++) {
		fdio_close(&a->fds[i]);
	}
	free(a->scope);
	free(a->text);
	free(a->fds);
}

void
listen_socks_fini(struct listen_socks *s)
{
	for (size_t i = 0; i < s->n; i++) {
		addr_free(&s->addr[i], s->slots, true);
	}
	free(s->addr);
	memset(s, 0, sizeof *s);
}

/* Without the sockets that belong to the set before. */
static void
discard(struct listen_socks *s)
{
	for (size_t i = 0; i < s->n; i++) {
		addr_free(&s->addr[i], s->slots, !s->addr[i].kept);
	}
	free(s->addr);
	memset(s, 0, sizeof *s);
}

void
listen_socks_swap(struct listen_socks *held, struct listen_socks *next)
{
	for (size_t i = 0; i < held->n; i++) {
		addr_free(&held->addr[i], held->slots,
		    !listen_socks_has(next, &held->addr[i]));
	}
	free(held->addr);
	*held = *next;
	for (size_t i = 0; i < held->n; i++) {
		held->addr[i].kept = false;
	}
	memset(next, 0, sizeof *next);
}

static int
add_one(struct listen_socks *s, const struct config *cfg,
    const struct config_scope *listener, const struct config_scope *listen,
    struct error *err_out)
{
	struct config_where w = { .listener = listener, .listen = listen };
	struct slice text = config_scope_name(listen);
	struct listen_addr a = { 0 };

	config_scope_origin(cfg, listen, a.origin, sizeof a.origin);
	if (!addr_parse(text, SMTP_PORT, &a.sa)) {
		return error_set(err_out, ERROR_CONFIG, "Listen \"%.*s\" is no "
		    "address: write \"127.0.0.1:2525\", \"[::1]:2525\" or "
		    "\"*:25\" (%s)", SLICE_ARG(text), a.origin);
	}
	a.any = text.len > 0 && (text.ptr[0] == ':' || text.ptr[0] == '*') &&
	    !slice_starts(text, SLICE("::"));
	a.backlog = (int)EC_MAX(config_int(cfg, &w, OPT_LISTEN_BACKLOG),
	    LISTEN_BACKLOG_MIN);
	a.scope = slice_dup(config_scope_name(listener));
	a.text = slice_dup(text);
	a.fds = xmalloc(sizeof *a.fds * EC_MAX(s->slots, 1u));
	for (unsigned i = 0; i < s->slots; i++) {
		a.fds[i] = -1;
	}
	s->addr = xrealloc(s->addr, (s->n + 1) * sizeof a);
	s->addr[s->n++] = a;
	return 0;
}

static int
collect(struct listen_socks *s, const struct config *cfg, struct error *err_out)
{
	const struct config_scope *l, *a;

	for (l = config_first(cfg, NULL, SCOPE_ESMTP_LISTENER); l != NULL;
	    l = config_next(l)) {
		for (a = config_first(cfg, l, SCOPE_LISTEN); a != NULL;
		    a = config_next(a)) {
			if (add_one(s, cfg, l, a, err_out) < 0) {
				return -1;
			}
		}
	}
	return 0;
}

static bool
is_any(const struct listen_addr *a, int family)
{
	static const struct in6_addr any6 = IN6ADDR_ANY_INIT;

	if (a->any || a->sa.ss_family != family) {
		return false;
	}
	return family == AF_INET6 ?
	    memcmp(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr, &any6,
	    sizeof any6) == 0 :
	    ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr == INADDR_ANY;
}

static bool
port_has_any(const struct listen_socks *s, uint16_t port, int family)
{
	for (size_t i = 0; i < s->n; i++) {
		if (is_any(&s->addr[i], family) &&
		    addr_port(&s->addr[i].sa) == port) {
			return true;
		}
	}
	return false;
}

static bool
have_ipv6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 &&
	    bind(fd, (struct sockaddr *)&any, sizeof any) == 0;

	fdio_close(&fd);
	return yes;
}

/* "*:25" takes both families by one IPv6 socket, and so does "[::]:25"; each
 * leaves alone the family that has a Listen of its own for all addresses. */
static void
settle_families(struct listen_socks *s)
{
	bool ipv6 = have_ipv6();

	for (size_t i = 0; i < s->n; i++) {
		struct listen_addr *a = &s->addr[i];
		uint16_t port = addr_port(&a->sa);

		if (a->any && ipv6 && !port_has_any(s, port, AF_INET6)) {
			memset(&a->sa, 0, sizeof a->sa);
			a->sa.ss_family = AF_INET6;
			addr_set_port(&a->sa, port);
			a->v6_only = port_has_any(s, port, AF_INET);
		} else if (is_any(a, AF_INET6)) {
			a->v6_only = port_has_any(s, port, AF_INET);
			for (size_t j = 0; j < s->n; j++) {
				a->v6_only |= s->addr[j].any &&
				    addr_port(&s->addr[j].sa) == port;
			}
		} else {
			a->v6_only = true;
		}
	}
}

/* A socket bound there, or -1 with errno. */
static int
bind_one(const struct listen_addr *a, bool reuse_port)
{
	int one = 1, v6_only = a->v6_only, saved;
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	/* Against what the last run left in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if ((reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one,
	    sizeof one) < 0) ||
	    (a->sa.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &v6_only, sizeof v6_only) < 0) ||
	    bind(fd, (const struct sockaddr *)&a->sa, addr_len(&a->sa)) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Inodes of all sockets in both sets; the caller frees them. */
static uint64_t *
own_inodes(const struct listen_socks *a, const struct listen_socks *b,
    size_t *n_out)
{
	const struct listen_socks *sets[] = { a, b };
	uint64_t *list = xmalloc(sizeof *list *
	    (a->n * a->slots + b->n * b->slots + 1));
	struct stat st;

	*n_out = 0;
	for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
		for (size_t i = 0; i < sets[k]->n * sets[k]->slots; i++) {
			int fd = sets[k]->addr[i / sets[k]->slots].fds[
			    i % sets[k]->slots];

			if (fd >= 0 && fstat(fd, &st) == 0) {
				list[(*n_out)++] = st.st_ino;
			}
		}
	}
	return list;
}

static int
say_in_use(const struct listen_addr *a, const struct port_holder *h,
    struct error *err_out)
{
	uint16_t port = addr_port(&a->sa);
	const char *what = port == 25 || port == 465 || port == 587 ?
	    "that MTA" : "that program";
	char who[128] = "a process that we may not look at";

	if (h->pid != 0) {
		snprintf(who, sizeof who, "pid %ld (%s)", (long)h->pid,
		    h->name);
	}
	return error_set(err_out, ERROR_SYSTEM, "port %u is in use by %s: "
	    "stop %s first, or choose another port (%s)", port, who, what,
	    a->origin);
}

static int
say_cannot_bind(const struct listen_addr *a, struct error *err_out)
{
	uint16_t port = addr_port(&a->sa);

	if (errno == EACCES && port < PRIVILEGED_PORTS) {
		return error_set(err_out, ERROR_SYSTEM, "port %u cannot be "
		    "bound by this user: ports below %d need root; start as "
		    "root, or choose another port such as 2525 (%s)", port,
		    PRIVILEGED_PORTS, a->origin);
	}
	if (errno == EADDRNOTAVAIL) {
		return error_set(err_out, ERROR_SYSTEM, "no interface of this "
		    "machine has the address of Listen \"%s\": give it to one "
		    "(ip address add), or correct it (%s)", a->text,
		    a->origin);
	}
	return error_sys(err_out, "cannot listen on \"%s\" (%s)", a->text,
	    a->origin);
}

/* Is anybody there?  Only our own sockets are no obstacle. */
static int
try_alone(const struct listen_addr *a, const struct listen_socks *next,
    const struct listen_socks *held, struct error *err_out)
{
	struct port_holder h;
	uint64_t *ours;
	size_t n_ours;
	int fd = bind_one(a, false);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno != EADDRINUSE) {
		return say_cannot_bind(a, err_out);
	}
	ours = own_inodes(next, held, &n_ours);
	port_holder_find(&a->sa, ours, n_ours, &h);
	free(ours);
	if (h.strangers == 0 && n_ours > 0) {
		return 0;
	}
	return say_in_use(a, &h, err_out);
}

static int
open_slots(struct listen_addr *a, unsigned slots, struct error *err_out)
{
	for (unsigned i = 0; i < slots; i++) {
		a->fds[i] = bind_one(a, true);
		if (a->fds[i] < 0 || listen(a->fds[i], a->backlog) < 0) {
			return say_cannot_bind(a, err_out);
		}
	}
	return 0;
}

static int
open_all(struct listen_socks *next, const struct listen_socks *held,
    struct error *err_out)
{
	for (size_t i = 0; i < next->n; i++) {
		struct listen_addr *a = &next->addr[i];
		const struct listen_addr *old = find(held, a);

		if (old != NULL) {
			memcpy(a->fds, old->fds, sizeof *a->fds * next->slots);
			a->kept = true;
		} else if (try_alone(a, next, held, err_out) < 0) {
			return -1;
		}
	}
	for (size_t i = 0; i < next->n; i++) {
		if (!next->addr[i].kept &&
		    open_slots(&next->addr[i], next->slots, err_out) < 0) {
			return -1;
		}
	}
	return 0;
}

int
listen_socks_build(struct listen_socks *next, const struct listen_socks *held,
    const struct config *cfg, unsigned slots, struct error *err_out)
{
	ec_assert(held->n == 0 || held->slots == slots);
	*next = (struct listen_socks){ .slots = slots };
	if (collect(next, cfg, err_out) < 0) {
		discard(next);
		return -1;
	}
	settle_families(next);
	if (open_all(next, held, err_out) < 0) {
		discard(next);
		return -1;
	}
	return 0;
}

static void
put_names(struct buf *b, const struct listen_addr *a)
{
	wire_put_slice(b, slice_of(a->scope));
	wire_put_slice(b, slice_of(a->text));
}

void
listen_socks_send(const struct listen_socks *s, const struct listen_addr *a,
    struct ipc_link *to)
{
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	for (unsigned slot = 0; slot < s->slots; slot++) {
		buf_clear(&b);
		wire_put_u16(&b, (uint16_t)slot);
		put_names(&b, a);
		ipc_send_fd(to, IPC_SUP_LISTEN, buf_slice(&b), &a->fds[slot],
		    1);
	}
	buf_fini(&b);
}

void
listen_socks_send_gone(const struct listen_addr *a, struct ipc_link *to)
{
	put_names(ipc_begin(to, IPC_SUP_LISTEN_GONE), a);
	ipc_end(to);
}
