/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc: CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's
 * instruction where there is one.  crc32c(crc32c(0, a), b) is the checksum of
 * a followed by b; any other start value seeds it.
 */
#ifndef EC_CRC_H
#define EC_CRC_H

#include "common/base/base.h"

uint32_t crc32c(uint32_t seed, const void *p, size_t len);
/* The portable form, for the test that holds both against each other. */
uint32_t crc32c_table(uint32_t seed, const void *p, size_t len);

#endif
