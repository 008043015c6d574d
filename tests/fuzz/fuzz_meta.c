/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes for a .meta file, as they are and with the checksum made right:
 * what is read and written again reads the same. */
#include "common/base/crc.h"
#include "common/spool/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip(struct slice text)
{
	struct scratch mem, mem2;
	struct meta m, again;
	struct buf out;

	scratch_init(&mem, 2 * META_MAX_BYTES);
	scratch_init(&mem2, 2 * META_MAX_BYTES);
	buf_init(&out, META_MAX_BYTES);
	if (meta_read(text, &mem, &m) == META_OK && meta_write(&m, &out)) {
		ec_assert(meta_read(buf_slice(&out), &mem2, &again) == META_OK);
		ec_assert(again.rcpt.id == m.rcpt.id && again.size == m.size &&
		    again.next_us == m.next_us &&
		    again.attempts == m.attempts && again.doubt == m.doubt);
		ec_assert(slice_eq(again.rcpt.addr, m.rcpt.addr) &&
		    slice_eq(again.env.sender, m.env.sender) &&
		    slice_eq(again.env.context, m.env.context));
		/* There is one way to write it. */
		struct buf second;

		buf_init(&second, META_MAX_BYTES);
		ec_assert(meta_write(&again, &second) &&
		    slice_eq(buf_slice(&out), buf_slice(&second)));
		buf_fini(&second);
	}
	buf_fini(&out);
	scratch_fini(&mem);
	scratch_fini(&mem2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b;

	round_trip(slice_make(data, size));
	buf_init(&b, size + 64);
	buf_append(&b, data, size);
	buf_printf(&b, "crc: %08x\n", crc32c(0, data, size));
	round_trip(buf_slice(&b));
	buf_fini(&b);
	return 0;
}
