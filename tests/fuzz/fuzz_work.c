/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WORK and RESOLVED as a bad peer would send them.  What WORK was taken has
 * its body inside lent memory, holds it, and can be answered.
 */
#include "common/ipc/ipc.h"
#include "deliverer/resolve_client.h"
#include "deliverer/work.h"

static void
one_work(struct slice body)
{
	static const struct work_remote nobody = { .port = 0 };
	static const char bytes[64] = "0123456789";
	struct slab slab = { .handle = 0, .map = bytes, .size = sizeof bytes };
	struct work *w = work_create();
	struct work_head head;
	struct table slabs;

	table_init(&slabs);
	table_put(&slabs, &slab.node, slice_make(&slab.handle,
	    sizeof slab.handle));
	if (work_decode(w, body, -1, &slabs, &head) == WORK_OK) {
		ec_assert(slab.refs == w->n_extents);
		ec_assert(w->mail.n_rcpt > 0 && w->mail.n_rcpt <= STAGE_RCPTS);
		for (size_t i = 0; i < w->n_extents; i++) {
			ec_assert(w->body[i].ptr >= bytes &&
			    w->body[i].ptr + w->body[i].len <=
			    bytes + sizeof bytes);
		}
		smtp_mail_reset(&w->mail);
		smtp_mail_fail(&w->mail, 0, INTERNAL_NO_HOSTS);
		work_encode_outcome(w, &nobody);
		ec_assert(w->outcome.len <= IPC_BODY_MAX);
	} else {
		ec_assert(slab.refs == 0);
	}
	table_fini(&slabs);
	work_destroy(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dest_host host[RESOLVE_HOSTS_MAX];
	struct dest d = { .status = 0 };
	uint32_t ttl;
	struct wire_r r;

	if (size == 0) {
		return 0;
	}
	if (data[0] % 2 == 0) {
		one_work(slice_make(data + 1, size - 1));
		return 0;
	}
	r = wire_reader(slice_make(data + 1, size - 1));
	if (resolve_decode(&r, &d, &ttl, host)) {
		for (uint32_t i = 0; i < d.n_hosts; i++) {
			const uint8_t *end = data + size;

			ec_assert(host[i].n_addrs == 0 || (host[i].addrs >
			    data && host[i].addrs + host[i].n_addrs * 16u <=
			    end));
		}
	}
	return 0;
}
