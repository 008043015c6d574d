/* SPDX-License-Identifier: Apache-2.0 */
/* Where the DNS servers' addresses come from. */
#include "resolver/servers.h"

#include "common/base/addr.h"
#include "common/base/fdio.h"
#include "common/base/log.h"

#define DNS_PORT_NUMBER 53
#define FILE_MAX 65536u

static void
add(struct lookup_options *o, const struct sockaddr_storage *ss)
{
	if (o->n_servers < LOOKUP_SERVERS_MAX) {
		o->server[o->n_servers++] = *ss;
	}
}

void
servers_read_text(struct slice text, struct lookup_options *o)
{
	while (text.len > 0) {
		struct slice line = slice_trim(slice_cut(&text, '\n'));
		struct sockaddr_storage ss;
		size_t n = 0;

		if (!slice_starts(line, SLICE("nameserver")) ||
		    line.len == 10 ||
		    (line.ptr[10] != ' ' && line.ptr[10] != '\t')) {
			continue;
		}
		line = slice_trim(slice_skip(line, 10));
		while (n < line.len && line.ptr[n] != ' ' &&
		    line.ptr[n] != '\t' && line.ptr[n] != '\r') {
			n++;
		}
		if (addr_parse_ip(slice_make(line.ptr, n), &ss)) {
			addr_set_port(&ss, DNS_PORT_NUMBER);
			add(o, &ss);
		}
	}
}

void
servers_read_file(const char *path, struct lookup_options *o)
{
	struct error err = { 0 };
	struct buf b;

	buf_init(&b, FILE_MAX);
	if (fdio_slurp(path, &b, &err) < 0) {
		log_notice("%s; without DNS_Servers 127.0.0.1:53 is asked",
		    err.text);
	} else {
		servers_read_text(buf_slice(&b), o);
	}
	buf_fini(&b);
}

void
servers_choose(const struct config *cfg, const struct lookup_options *from_file,
    struct lookup_options *o)
{
	const struct slice *items;
	size_t n = config_list(cfg, NULL, OPT_DNS_SERVERS, &items);
	struct sockaddr_storage ss;

	o->n_servers = 0;
	for (size_t i = 0; i < n; i++) {
		if (addr_parse(items[i], DNS_PORT_NUMBER, &ss)) {
			add(o, &ss);
		}
	}
	if (n > LOOKUP_SERVERS_MAX) {
		log_warning("DNS_Servers: the first %u of %zu are used",
		    LOOKUP_SERVERS_MAX, n);
	}
	for (unsigned i = 0; n == 0 && i < from_file->n_servers; i++) {
		add(o, &from_file->server[i]);
	}
	if (o->n_servers == 0 && addr_parse(SLICE("127.0.0.1"),
	    DNS_PORT_NUMBER, &ss)) {
		add(o, &ss);
	}
}

bool
servers_same(const struct lookup_options *a, const struct lookup_options *b)
{
	for (unsigned i = 0; i < a->n_servers && i < b->n_servers; i++) {
		if (!addr_eq(&a->server[i], &b->server[i])) {
			return false;
		}
	}
	return a->n_servers == b->n_servers;
}
