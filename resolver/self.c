/* SPDX-License-Identifier: Apache-2.0 */
/* Our own names, addresses and listening ports. */
#include "resolver/self.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/utsname.h>

#include "common/base/addr.h"

#define SMTP_PORT 25

struct listen_at {
	uint8_t address[16];	/* all zero: every address */
	uint16_t port;
};

struct self {
	const struct self_addresses *own;
	struct slice *names;	/* owned copies */
	size_t n_names;
	struct listen_at *listens;
	size_t n_listens;
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool
to_16(const struct sockaddr *sa, uint8_t out[16])
{
	if (sa != NULL && sa->sa_family == AF_INET) {
		memcpy(out, mapped, 12);
		memcpy(out + 12,
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		    4);
		return true;
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		memcpy(out,
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		    16);
		return true;
	}
	return false;
}

int
self_read_addresses(struct self_addresses *out, struct error *err_out)
{
	struct ifaddrs *all;

	out->n = 0;
	if (getifaddrs(&all) < 0) {
		return error_sys(err_out,
		    "cannot read the machine's addresses");
	}
	for (struct ifaddrs *i = all; i != NULL && out->n < SELF_ADDRESSES_MAX;
	    i = i->ifa_next) {
		out->n += to_16(i->ifa_addr, out->address[out->n]);
	}
	freeifaddrs(all);
	return 0;
}

static void
add_name(struct self *s, struct slice name)
{
	if (name.len > 0 && name.ptr[name.len - 1] == '.') {
		name.len--;
	}
	if (name.len == 0 || self_is_name(s, name)) {
		return;
	}
	s->names = xrealloc(s->names, (s->n_names + 1) * sizeof s->names[0]);
	s->names[s->n_names++] = slice_make(slice_dup(name), name.len);
}

static void
add_listen(struct self *s, struct slice text)
{
	struct sockaddr_storage ss;
	struct listen_at at;

	if (!addr_parse(text, SMTP_PORT, &ss) ||
	    !to_16((const struct sockaddr *)&ss, at.address)) {
		return;
	}
	/* 0.0.0.0 and :: alike; that :: may be without IPv4 does no harm. */
	if (memcmp(at.address, mapped, 12) == 0 &&
	    memcmp(at.address + 12, "\0\0\0\0", 4) == 0) {
		memset(at.address, 0, 16);
	}
	at.port = addr_port(&ss);
	s->listens = xrealloc(s->listens,
	    (s->n_listens + 1) * sizeof s->listens[0]);
	s->listens[s->n_listens++] = at;
}

static void
add_listeners(struct self *s, const struct config *cfg)
{
	const struct config_scope *l, *at;

	for (l = config_first(cfg, NULL, SCOPE_ESMTP_LISTENER); l != NULL;
	    l = config_next(l)) {
		struct config_where w = { .listener = l };

		add_name(s, config_string(cfg, &w, OPT_BANNER_HOSTNAME));
		for (at = config_first(cfg, l, SCOPE_LISTEN); at != NULL;
		    at = config_next(at)) {
			w.listen = at;
			add_name(s, config_string(cfg, &w,
			    OPT_BANNER_HOSTNAME));
			add_listen(s, config_scope_name(at));
		}
	}
}

static void
add_bindings(struct self *s, const struct config *cfg)
{
	const struct config_scope *g, *b;

	for (b = config_first(cfg, NULL, SCOPE_BINDING); b != NULL;
	    b = config_next(b)) {
		struct config_where w = { .binding = config_scope_name(b) };

		add_name(s, config_string(cfg, &w, OPT_EHLO_HOSTNAME));
	}
	for (g = config_first(cfg, NULL, SCOPE_BINDING_GROUP); g != NULL;
	    g = config_next(g)) {
		struct config_where w = { .binding_group =
			config_scope_name(g) };

		add_name(s, config_string(cfg, &w, OPT_EHLO_HOSTNAME));
		for (b = config_first(cfg, g, SCOPE_BINDING); b != NULL;
		    b = config_next(b)) {
			w.binding = config_scope_name(b);
			add_name(s, config_string(cfg, &w,
			    OPT_EHLO_HOSTNAME));
		}
	}
}

struct self *
self_create(const struct config *cfg, const struct self_addresses *own)
{
	struct self *s = xcalloc(1, sizeof *s);
	struct utsname u;

	s->own = own;
	if (uname(&u) == 0 && strcmp(u.nodename, "localhost") != 0) {
		add_name(s, slice_of(u.nodename));
	}
	add_name(s, config_string(cfg, NULL, OPT_HOSTNAME));
	add_name(s, config_string(cfg, NULL, OPT_EHLO_HOSTNAME));
	add_name(s, config_string(cfg, NULL, OPT_BANNER_HOSTNAME));
	add_listeners(s, cfg);
	add_bindings(s, cfg);
	return s;
}

void
self_destroy(struct self **sp)
{
	struct self *s = *sp;

	*sp = NULL;
	if (s == NULL) {
		return;
	}
	for (size_t i = 0; i < s->n_names; i++) {
		free((char *)(uintptr_t)s->names[i].ptr);
	}
	free(s->names);
	free(s->listens);
	free(s);
}

bool
self_is_name(const struct self *s, struct slice name)
{
	for (size_t i = 0; i < s->n_names; i++) {
		if (slice_eq_nocase(s->names[i], name)) {
			return true;
		}
	}
	return false;
}

/* Of the machine: an interface's, loopback, or "this host". */
static bool
is_own(const struct self *s, const uint8_t a[16])
{
	static const uint8_t loop6[16] = { [15] = 1 }, any6[16] = { 0 };

	if (memcmp(a, loop6, 16) == 0 || memcmp(a, any6, 16) == 0 ||
	    (memcmp(a, mapped, 12) == 0 && (a[12] == 127 || a[12] == 0))) {
		return true;
	}
	for (size_t i = 0; i < s->own->n; i++) {
		if (memcmp(s->own->address[i], a, 16) == 0) {
			return true;
		}
	}
	return false;
}

bool
self_is_address(const struct self *s, const uint8_t address[16], uint16_t port)
{
	static const uint8_t any[16] = { 0 };

	for (size_t i = 0; i < s->n_listens; i++) {
		const struct listen_at *l = &s->listens[i];

		if (l->port != port) {
			continue;
		}
		if (memcmp(l->address, address, 16) == 0 ||
		    (memcmp(l->address, any, 16) == 0 && is_own(s, address))) {
			return true;
		}
	}
	return false;
}
