/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted DNS server on loopback. */
#include "tests/support/fake_dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fdio.h"
#include "common/base/list.h"

#define RECORDS 512
#define NAMES 512
#define PACKET 65535u
#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_SOA 6
#define TYPE_MX 15
#define TYPE_AAAA 28

struct record {
	char name[256], target[256];	/* target: MX, CNAME */
	unsigned type, ttl, preference, minimum;
	uint8_t addr[16];
};

struct name_state {
	char name[256];
	enum fake_dns_mode mode;
	unsigned asked;
};

struct fake_dns {
	struct loop *loop;
	struct sockaddr_in addr;
	int udp, tcp;
	struct loop_fd udp_watch, tcp_watch;
	struct record record[RECORDS];
	unsigned n_records;
	struct name_state names[NAMES];
	unsigned n_names;
	enum fake_dns_mode mode;
	unsigned asked, asked_tcp, n_ports;
	uint16_t port[64];
	struct list_node conns;
};

struct question {
	uint8_t header[12], wire[260];
	size_t wire_len;	/* name, type, class */
	char name[256];
	unsigned type;
};

static struct name_state *
state_of(struct fake_dns *d, const char *name)
{
	for (unsigned i = 0; i < d->n_names; i++) {
		if (strcasecmp(d->names[i].name, name) == 0) {
			return &d->names[i];
		}
	}
	ec_assert(d->n_names < NAMES);
	snprintf(d->names[d->n_names].name, sizeof d->names[0].name, "%s",
	    name);
	return &d->names[d->n_names++];
}

static void
put16(struct buf *b, unsigned v)
{
	buf_putc(b, (char)(v >> 8));
	buf_putc(b, (char)v);
}

static void
put32(struct buf *b, unsigned v)
{
	put16(b, v >> 16);
	put16(b, v & 0xffff);
}

static void
put_name(struct buf *b, const char *name)
{
	while (*name != '\0' && strcmp(name, ".") != 0) {
		size_t n = strcspn(name, ".");

		buf_putc(b, (char)n);
		buf_append(b, name, n);
		name += n + (name[n] == '.');
	}
	buf_putc(b, 0);
}

static void
put_record(struct buf *b, const struct record *r)
{
	struct buf data;

	buf_init(&data, 1024);
	if (r->type == TYPE_A) {
		buf_append(&data, r->addr, 4);
	} else if (r->type == TYPE_AAAA) {
		buf_append(&data, r->addr, 16);
	} else if (r->type == TYPE_MX) {
		put16(&data, r->preference);
		put_name(&data, r->target);
	} else if (r->type == TYPE_CNAME) {
		put_name(&data, r->target);
	} else {
		put_name(&data, "ns");
		put_name(&data, "hostmaster");
		for (int i = 0; i < 4; i++) {
			put32(&data, 1);
		}
		put32(&data, r->minimum);
	}
	put_name(b, r->name);
	put16(b, r->type);
	put16(b, 1);
	put32(b, r->ttl);
	put16(b, (unsigned)data.len);
	buf_add(b, buf_slice(&data));
	buf_fini(&data);
}

static bool
ends_with(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && strcasecmp(name + n - z, zone) == 0 &&
	    (n == z || name[n - z - 1] == '.');
}

/* Adds what the name has; gives the counts and whether it exists at all. */
static void
put_answers(struct fake_dns *d, const struct question *q, struct buf *b,
    unsigned *answers, unsigned *authority, bool *exists)
{
	char name[256];
	bool again = true;

	snprintf(name, sizeof name, "%s", q->name);
	for (int hop = 0; again && hop < 20; hop++) {
		again = false;
		for (unsigned i = 0; i < d->n_records; i++) {
			const struct record *r = &d->record[i];

			if (r->type == TYPE_SOA ||
			    strcasecmp(r->name, name) != 0) {
				continue;
			}
			*exists = true;
			if (r->type == q->type || r->type == TYPE_CNAME) {
				put_record(b, r);
				(*answers)++;
			}
			if (r->type == TYPE_CNAME) {
				snprintf(name, sizeof name, "%s", r->target);
				*exists = false;
				again = true;
				break;
			}
		}
	}
	for (unsigned i = 0; i < d->n_records && *authority == 0; i++) {
		if (d->record[i].type == TYPE_SOA &&
		    ends_with(q->name, d->record[i].name)) {
			put_record(b, &d->record[i]);
			*authority = 1;
		}
	}
}

static void
header(struct buf *b, const struct question *q, bool tc, unsigned rcode,
    unsigned answers, unsigned authority)
{
	buf_append(b, q->header, 2);
	put16(b, 0x8180 | (tc ? 0x0200 : 0) | rcode);
	put16(b, 1);
	put16(b, answers);
	put16(b, authority);
	put16(b, 0);
}

static void
reply_normal(struct fake_dns *d, const struct question *q, struct buf *b)
{
	struct buf body;
	unsigned answers = 0, authority = 0;
	bool exists = false;

	buf_init(&body, PACKET);
	put_answers(d, q, &body, &answers, &authority, &exists);
	header(b, q, false, exists ? 0 : 3, answers, authority);
	buf_append(b, q->wire, q->wire_len);
	buf_add(b, buf_slice(&body));
	buf_fini(&body);
}

/* The question's name is a pointer to behind it; there the name stands, as an
 * A record's owner. */
static void
reply_compressed(const struct question *q, struct buf *b)
{
	header(b, q, false, 0, 1, 0);
	buf_putc(b, (char)0xc0);
	buf_putc(b, 18);
	buf_append(b, q->wire + q->wire_len - 4, 4);
	buf_append(b, q->wire, q->wire_len);
	put32(b, 300);
	put16(b, 4);
	put32(b, 0x7f000001);
}

static void
reply_garbage(const struct question *q, struct buf *b)
{
	header(b, q, false, 0, 3, 0);
	buf_append(b, q->wire, q->wire_len);
	buf_puts(b, "\xc0\xff\x40garbage");
}

/* False: no reply. */
static bool
reply(struct fake_dns *d, const struct question *q, bool tcp, struct buf *b)
{
	struct name_state *s = state_of(d, q->name);
	enum fake_dns_mode mode = s->mode != FAKE_DNS_NORMAL ? s->mode :
	    d->mode;

	s->asked++;
	d->asked++;
	d->asked_tcp += tcp;
	switch (mode) {
	case FAKE_DNS_SILENT:
		return false;
	case FAKE_DNS_SERVFAIL:
	case FAKE_DNS_REFUSED:
		header(b, q, false, mode == FAKE_DNS_SERVFAIL ? 2 : 5, 0, 0);
		buf_append(b, q->wire, q->wire_len);
		return true;
	case FAKE_DNS_COMPRESSED_QUESTION:
		reply_compressed(q, b);
		return true;
	case FAKE_DNS_GARBAGE:
		reply_garbage(q, b);
		return true;
	case FAKE_DNS_TCP_CLOSES:
	case FAKE_DNS_TRUNCATED:
	case FAKE_DNS_FORMERR:
		if (!tcp) {
			header(b, q, mode != FAKE_DNS_FORMERR,
			    mode == FAKE_DNS_FORMERR ? 1 : 0, 0, 0);
			buf_append(b, q->wire, q->wire_len);
			return true;
		}
		if (mode == FAKE_DNS_TCP_CLOSES) {
			return false;
		}
		break;
	case FAKE_DNS_NORMAL:
		break;
	}
	reply_normal(d, q, b);
	return true;
}

static bool
question_read(const uint8_t *p, size_t len, struct question *q)
{
	size_t at = 12, n = 0;

	if (len < 17) {
		return false;
	}
	memcpy(q->header, p, 12);
	while (at < len && p[at] != 0) {
		size_t k = p[at++];

		if (at + k >= len || n + k + 2 > sizeof q->name) {
			return false;
		}
		if (n > 0) {
			q->name[n++] = '.';
		}
		memcpy(q->name + n, p + at, k);
		n += k;
		at += k;
	}
	q->name[n] = '\0';
	at += 5;
	if (at > len || at - 12 > sizeof q->wire) {
		return false;
	}
	q->wire_len = at - 12;
	memcpy(q->wire, p + 12, q->wire_len);
	q->type = (unsigned)p[at - 4] << 8 | p[at - 3];
	return true;
}

static void
note_port(struct fake_dns *d, uint16_t port)
{
	for (unsigned i = 0; i < d->n_ports; i++) {
		if (d->port[i] == port) {
			return;
		}
	}
	if (d->n_ports < ARRAY_LEN(d->port)) {
		d->port[d->n_ports++] = port;
	}
}

static void
on_udp(void *arg, unsigned ready)
{
	struct fake_dns *d = arg;
	struct sockaddr_in from;
	uint8_t packet[4096];
	struct question q;
	ssize_t n;

	(void)ready;
	for (;;) {
		socklen_t len = sizeof from;
		struct buf b;

		n = recvfrom(d->udp, packet, sizeof packet, MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);
		if (n < 0) {
			return;
		}
		note_port(d, from.sin_port);
		buf_init(&b, PACKET);
		if (question_read(packet, (size_t)n, &q) &&
		    reply(d, &q, false, &b)) {
			sendto(d->udp, b.ptr, b.len, 0,
			    (struct sockaddr *)&from, len);
		}
		buf_fini(&b);
	}
}

/* One question a connection. */
struct conn {
	struct list_node link;
	struct fake_dns *dns;
	struct loop_fd watch;
	int fd;
	uint8_t in[1024];
	size_t got;
};

static void
conn_close(struct conn *c)
{
	list_remove(&c->link);
	loop_fd_stop(&c->watch);
	close(c->fd);
	free(c);
}

static void
conn_reply(struct conn *c)
{
	struct question q;
	struct buf b;

	buf_init(&b, PACKET + 2);
	put16(&b, 0);
	if (question_read(c->in + 2, c->got - 2, &q) &&
	    reply(c->dns, &q, true, &b)) {
		b.ptr[0] = (char)((b.len - 2) >> 8);
		b.ptr[1] = (char)(b.len - 2);
		fdio_write_all(c->fd, b.ptr, b.len);
	}
	buf_fini(&b);
}

static void
on_conn(void *arg, unsigned ready)
{
	struct conn *c = arg;
	ssize_t n = recv(c->fd, c->in + c->got, sizeof c->in - c->got,
	    MSG_DONTWAIT);

	(void)ready;
	c->got += n > 0 ? (size_t)n : 0;
	if (c->got >= 2 && c->got >=
	    2u + ((size_t)c->in[0] << 8 | c->in[1])) {
		conn_reply(c);
		n = 0;
	}
	if (n <= 0) {
		conn_close(c);
	}
}

static void
on_tcp(void *arg, unsigned ready)
{
	struct fake_dns *d = arg;
	int fd = accept4(d->tcp, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c;

	(void)ready;
	if (fd < 0) {
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->dns = d;
	c->fd = fd;
	list_push_back(&d->conns, &c->link);
	loop_fd_init(&c->watch, d->loop, fd, on_conn, c);
	loop_fd_want(&c->watch, LOOP_READ);
}

static void
open_sockets(struct fake_dns *d)
{
	for (int tries = 0; tries < 50; tries++) {
		socklen_t len = sizeof d->addr;

		d->addr = (struct sockaddr_in){ .sin_family = AF_INET };
		d->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		d->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		d->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(d->udp, (struct sockaddr *)&d->addr, len) == 0 &&
		    getsockname(d->udp, (struct sockaddr *)&d->addr, &len) == 0
		    && bind(d->tcp, (struct sockaddr *)&d->addr, len) == 0 &&
		    listen(d->tcp, 64) == 0) {
			return;
		}
		close(d->udp);	/* that TCP port is taken: another one */
		close(d->tcp);
	}
	panic("no free port for the test's DNS server");
}

struct fake_dns *
fake_dns_create(struct loop *l)
{
	struct fake_dns *d = xcalloc(1, sizeof *d);

	d->loop = l;
	list_init(&d->conns);
	open_sockets(d);
	loop_fd_init(&d->udp_watch, l, d->udp, on_udp, d);
	loop_fd_want(&d->udp_watch, LOOP_READ);
	loop_fd_init(&d->tcp_watch, l, d->tcp, on_tcp, d);
	loop_fd_want(&d->tcp_watch, LOOP_READ);
	return d;
}

void
fake_dns_destroy(struct fake_dns **dp)
{
	struct fake_dns *d = *dp;
	struct list_node *n;

	*dp = NULL;
	loop_fd_stop(&d->udp_watch);
	loop_fd_stop(&d->tcp_watch);
	close(d->udp);
	close(d->tcp);
	while ((n = list_first(&d->conns)) != NULL) {
		conn_close(list_entry(n, struct conn, link));
	}
	free(d);
}

void
fake_dns_address(const struct fake_dns *d, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	memcpy(out, &d->addr, sizeof d->addr);
}

static struct record *
add(struct fake_dns *d, const char *name, unsigned type, unsigned ttl)
{
	struct record *r = &d->record[d->n_records++];

	ec_assert(d->n_records <= RECORDS);
	snprintf(r->name, sizeof r->name, "%s", name);
	r->type = type;
	r->ttl = ttl;
	return r;
}

void
fake_dns_a(struct fake_dns *d, const char *name, unsigned ttl,
    const char *address)
{
	ec_assert(inet_pton(AF_INET, address,
	    add(d, name, TYPE_A, ttl)->addr) == 1);
}

void
fake_dns_aaaa(struct fake_dns *d, const char *name, unsigned ttl,
    const char *address)
{
	ec_assert(inet_pton(AF_INET6, address,
	    add(d, name, TYPE_AAAA, ttl)->addr) == 1);
}

void
fake_dns_mx(struct fake_dns *d, const char *name, unsigned ttl,
    unsigned preference, const char *host)
{
	struct record *r = add(d, name, TYPE_MX, ttl);

	r->preference = preference;
	snprintf(r->target, sizeof r->target, "%s", host);
}

void
fake_dns_cname(struct fake_dns *d, const char *name, unsigned ttl,
    const char *target)
{
	struct record *r = add(d, name, TYPE_CNAME, ttl);

	snprintf(r->target, sizeof r->target, "%s", target);
}

void
fake_dns_soa(struct fake_dns *d, const char *zone, unsigned ttl,
    unsigned minimum)
{
	add(d, zone, TYPE_SOA, ttl)->minimum = minimum;
}

void
fake_dns_mode(struct fake_dns *d, const char *name, enum fake_dns_mode mode)
{
	if (name == NULL) {
		d->mode = mode;
	} else {
		state_of(d, name)->mode = mode;
	}
}

unsigned
fake_dns_asked(const struct fake_dns *d, const char *name)
{
	if (name == NULL) {
		return d->asked;
	}
	for (unsigned i = 0; i < d->n_names; i++) {
		if (strcasecmp(d->names[i].name, name) == 0) {
			return d->names[i].asked;
		}
	}
	return 0;
}

unsigned
fake_dns_asked_tcp(const struct fake_dns *d)
{
	return d->asked_tcp;
}

unsigned
fake_dns_ports(const struct fake_dns *d)
{
	return d->n_ports;
}
