/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask: starts one resolver and puts names to it as a deliverer would.
 *
 *	ask PROGRAM CONFIGURATION NAME...	(a NAME "host:x" asks RESOLVE_HOST)
 *
 * prints a line each: NAME STATUS TTL|text|PREF HOST ADDRESS...;...
 */
#include <arpa/inet.h>

#include "common/base/fdio.h"
#include "tests/support/worker_harness.h"

#define SECOND 1000000u

static const char *const statuses[RESOLVE_STATUSES] = {
	"OK", "NO_NAME", "NO_DATA", "NULL_MX", "LOOP", "TEMPORARY",
};

struct asking {
	const char *name;
	bool came;
};

static void
print_hosts(struct wire_r *r)
{
	unsigned n = wire_u16(r);

	for (unsigned i = 0; i < n; i++) {
		unsigned preference = wire_u16(r), k;
		struct slice name = wire_slice(r);

		printf("%s%u %.*s", i > 0 ? ";" : "", preference,
		    SLICE_ARG(name));
		for (k = wire_u8(r); k > 0; k--) {
			struct slice a = wire_bytes(r, 16);
			char text[INET6_ADDRSTRLEN] = "?";

			if (!r->bad) {
				inet_ntop(AF_INET6, a.ptr, text, sizeof text);
			}
			printf(" %s", text);
		}
	}
}

static void
on_resolved(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct asking *a = arg;
	struct wire_r r = wire_reader(m->body);
	unsigned status, ttl;
	struct slice text;

	(void)k;
	wire_u32(&r);
	status = wire_u8(&r);
	ttl = wire_u32(&r);
	text = wire_slice(&r);
	printf("%s %s %u|%.*s|", a->name, status < RESOLVE_STATUSES ?
	    statuses[status] : "?", ttl, SLICE_ARG(text));
	print_hosts(&r);
	printf("%s\n", r.bad ? " (malformed)" : "");
	a->came = true;
}

static bool
has_come(void *arg)
{
	return ((struct asking *)arg)->came;
}

static bool
ask_one(struct worker_harness *h, struct ipc_link *k, struct asking *a,
    const char *name)
{
	bool host = strncmp(name, "host:", 5) == 0;
	struct buf *b = ipc_begin(k, IPC_RESOLVE);

	a->name = name;
	a->came = false;
	wire_put_u32(b, 1);
	wire_put_u8(b, host ? RESOLVE_HOST : RESOLVE_MX);
	wire_put_slice(b, slice_of(host ? name + 5 : name));
	ipc_end(k);
	return worker_harness_wait(h, 20 * SECOND, has_come, a);
}

int
main(int argc, char **argv)
{
	struct loop *l = loop_create();
	struct error err = { 0 };
	struct worker_harness h;
	struct asking a = { NULL, false };
	struct ipc_link k;
	struct buf conf;
	int status, failed = 0;

	buf_init(&conf, 65536);
	if (argc < 3 || fdio_slurp(argv[2], &conf, &err) < 0 ||
	    worker_harness_start(&h, l, argv[1], ROLE_RESOLVER, 0,
	    buf_slice(&conf), &err) < 0) {
		fprintf(stderr, "ask: %s\n", err.text);
		return 2;
	}
	worker_harness_wait(&h, 10 * SECOND, worker_harness_is_ready, &h);
	if (!h.ready || worker_harness_link(&h, &k, ROLE_DELIVERER, 0,
	    on_resolved, NULL, &a, &err) < 0) {
		fprintf(stderr, "ask: not ready: %.*s %.*s\n",
		    SLICE_ARG(buf_slice(&h.failed)),
		    SLICE_ARG(buf_slice(&h.log)));
		return 2;
	}
	for (int i = 3; i < argc; i++) {
		if (!ask_one(&h, &k, &a, argv[i])) {
			printf("%s silent\n", argv[i]);
			failed = 1;
		}
	}
	status = worker_harness_stop(&h, 10 * SECOND);
	ipc_link_close(&k);
	buf_fini(&conf);
	loop_destroy(&l);
	return failed != 0 || status != 0;
}
