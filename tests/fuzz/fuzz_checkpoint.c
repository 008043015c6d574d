/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as items of a checkpoint: what is read, written again, is the
 * same, but for flag bits that mean nothing. */
#include "common/spool/checkpoint_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_r r = wire_reader(slice_make(data, size));
	struct checkpoint_block_head h = { 0 };
	struct checkpoint_item i, again;
	struct checkpoint_head head;
	const char *from = r.p;

	while (checkpoint_next(&r, &i)) {
		struct wire_r back;
		struct buf b;

		buf_init(&b, 1 << 18);
		checkpoint_item_encode(&i, &b);
		ec_assert(!b.full && b.len == (size_t)(r.p - from));
		back = wire_reader(buf_slice(&b));
		ec_assert(checkpoint_next(&back, &again));
		ec_assert(again.op == i.op && again.id == i.id &&
		    again.queue == i.queue && again.doubt == i.doubt &&
		    again.next_us == i.next_us && again.puts == i.puts &&
		    slice_eq(again.domain, i.domain));
		from = r.p;
		buf_fini(&b);
	}
	ec_assert(r.bad || wire_left(&r) == 0);
	if (size >= sizeof head) {
		memcpy(&head, data, sizeof head);
		if (!checkpoint_head_valid(&head)) {
			checkpoint_head_seal(&head);
		}
	}
	if (size >= sizeof h) {
		memcpy(&h, data, sizeof h);
		if (checkpoint_block_length(&h, h.generation) ==
		    (ssize_t)(size - sizeof h)) {
			checkpoint_block_valid(&h, (const char *)data +
			    sizeof h);
		}
	}
	return 0;
}
