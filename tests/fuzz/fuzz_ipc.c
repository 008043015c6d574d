/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of any packet lie inside it, one behind the other, to its end. */
#include "common/base/num.h"
#include "common/ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct wire_r r = wire_reader(slice_make(data, size));
	struct ipc_msg m = { 0 };
	int got;

	while ((got = ipc_next(&r, &m)) > 0) {
		ec_assert(m.body.ptr == at + IPC_HEAD || m.body.len == 0);
		ec_assert(m.body.len <= IPC_BODY_MAX);
		at += IPC_HEAD + num_round_up(m.body.len, 8);
		ec_assert(at <= end && r.p == at);
	}
	ec_assert(got < 0 || at == end);
	return 0;
}
