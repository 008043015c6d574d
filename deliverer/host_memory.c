/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that failed lately. */
#include "deliverer/host_memory.h"

struct host {
	struct table_node node;
	uint64_t until_us;
	char key[18];		/* address, port */
};

void
host_memory_init(struct host_memory *m)
{
	table_init(&m->hosts);
}

void
host_memory_fini(struct host_memory *m)
{
	host_memory_sweep(m, UINT64_MAX);
	table_fini(&m->hosts);
}

static void
make_key(char key[18], const uint8_t ip[16], uint16_t port)
{
	memcpy(key, ip, 16);
	memcpy(key + 16, &port, 2);
}

static struct host *
find(const struct host_memory *m, const uint8_t ip[16], uint16_t port)
{
	char key[18];
	struct table_node *n;

	make_key(key, ip, port);
	n = table_get(&m->hosts, slice_make(key, sizeof key));
	return n == NULL ? NULL : list_entry(n, struct host, node);
}

void
host_memory_fail(struct host_memory *m, const uint8_t ip[16], uint16_t port,
    uint64_t until_us)
{
	struct host *h = find(m, ip, port);

	if (h == NULL) {
		if (m->hosts.n >= HOST_MEMORY_MAX) {
			return;
		}
		h = xcalloc(1, sizeof *h);
		make_key(h->key, ip, port);
		table_put(&m->hosts, &h->node, slice_make(h->key,
		    sizeof h->key));
	}
	h->until_us = until_us;
}

void
host_memory_clear(struct host_memory *m, const uint8_t ip[16], uint16_t port)
{
	struct host *h = m->hosts.n == 0 ? NULL : find(m, ip, port);

	if (h != NULL) {
		table_remove(&m->hosts, &h->node);
		free(h);
	}
}

uint64_t
host_memory_until(const struct host_memory *m, const uint8_t ip[16],
    uint16_t port, uint64_t now_us)
{
	const struct host *h = m->hosts.n == 0 ? NULL : find(m, ip, port);

	return h != NULL && h->until_us > now_us ? h->until_us : 0;
}

void
host_memory_sweep(struct host_memory *m, uint64_t now_us)
{
	struct table_node *n, *next;
	size_t at = 0;

	for (n = table_next(&m->hosts, &at, NULL); n != NULL; n = next) {
		struct host *h = list_entry(n, struct host, node);

		next = table_next(&m->hosts, &at, n);
		if (h->until_us <= now_us) {
			table_remove(&m->hosts, n);
			free(h);
		}
	}
}
