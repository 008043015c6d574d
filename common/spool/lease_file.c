/* SPDX-License-Identifier: Apache-2.0 */
/* The lease file's codec. */
#include "common/spool/lease_file.h"

#include "common/base/crc.h"
#include "common/base/wire.h"

static const char magic[] = "ECLEASE1";
#define MAGIC_BYTES 8u

void
lease_file_encode(const struct lease_file *f, struct buf *out)
{
	size_t start = out->len;

	buf_append(out, magic, MAGIC_BYTES);
	wire_put_u64(out, f->next);
	wire_put_u64(out, f->last_second);
	wire_put_u64(out, f->wrap_second);
	wire_put_u32(out, crc32c(0, out->ptr + start, out->len - start));
}

bool
lease_file_decode(struct slice bytes, struct lease_file *f)
{
	struct wire_r r = wire_reader(bytes);
	char m[MAGIC_BYTES];

	memset(f, 0, sizeof *f);
	if (bytes.len != LEASE_FILE_BYTES) {
		return false;
	}
	wire_get(&r, m, sizeof m);
	f->next = wire_u64(&r);
	f->last_second = wire_u64(&r);
	f->wrap_second = wire_u64(&r);
	return memcmp(m, magic, sizeof m) == 0 && wire_u32(&r) ==
	    crc32c(0, bytes.ptr, LEASE_FILE_BYTES - sizeof(uint32_t));
}
