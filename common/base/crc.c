/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C: one instruction per eight bytes, or a table. */
#include "common/base/crc.h"

#include <pthread.h>

static uint32_t table[256];	/* filled once, constant afterwards */
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void
table_fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++) {
			c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
		}
		table[i] = c;
	}
}

uint32_t
crc32c_table(uint32_t seed, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint32_t c = ~seed;

	pthread_once(&table_once, table_fill);
	for (size_t i = 0; i < len; i++) {
		c = table[(c ^ b[i]) & 0xff] ^ (c >> 8);
	}
	return ~c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_hw(uint32_t seed, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t c = ~seed;

	for (; len >= 8; b += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, b, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	for (; len > 0; b++, len--) {
		c = __builtin_ia32_crc32qi((uint32_t)c, *b);
	}
	return ~(uint32_t)c;
}

uint32_t
crc32c(uint32_t seed, const void *p, size_t len)
{
	if (__builtin_cpu_supports("sse4.2")) {
		return crc32c_hw(seed, p, len);
	}
	return crc32c_table(seed, p, len);
}
#else
uint32_t
crc32c(uint32_t seed, const void *p, size_t len)
{
	return crc32c_table(seed, p, len);
}
#endif
