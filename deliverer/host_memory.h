/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_memory: addresses that lately refused a connection, each until a time.
 * Pure but for its own memory; time is an argument.
 */
#ifndef EC_HOST_MEMORY_H
#define EC_HOST_MEMORY_H

#include "common/base/list.h"
#include "deliverer/table.h"

#define HOST_MEMORY_MAX 65536u	/* then new failures are not remembered */

struct host_memory {
	struct table hosts;
};

void host_memory_init(struct host_memory *m);
void host_memory_fini(struct host_memory *m);
/* Leave it alone until until_us. */
void host_memory_fail(struct host_memory *m, const uint8_t ip[16],
	uint16_t port, uint64_t until_us);
/* It works. */
void host_memory_clear(struct host_memory *m, const uint8_t ip[16],
	uint16_t port);
/* When it may be tried; 0 if now. */
uint64_t host_memory_until(const struct host_memory *m, const uint8_t ip[16],
	uint16_t port, uint64_t now_us);
/* Forgets what has passed. */
void host_memory_sweep(struct host_memory *m, uint64_t now_us);

#endif
