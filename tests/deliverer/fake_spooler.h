/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_spooler: the spooler's side of WORK and OUTCOME for tests of the
 * deliverer: it lends one slab, keeps works to be handed out by PULL, collects
 * outcomes, and can be replaced by a new incarnation.
 */
#ifndef EC_TESTS_DELIVERER_FAKE_SPOOLER_H
#define EC_TESTS_DELIVERER_FAKE_SPOOLER_H

#include "common/ipc/ipc.h"
#include "tests/support/worker_harness.h"

#define FAKE_WORKS 4096u
#define FAKE_RCPTS 8u
#define FAKE_QUEUES 128u
#define FAKE_SLAB (16u << 20)

struct fake_result {
	uint64_t id;
	uint8_t kind, stage;
	uint16_t code;
	char reply[256];
};

struct fake_work {
	uint64_t number;
	uint32_t queue, flags;
	unsigned n_rcpt;
	struct slice body;		/* in the slab */
	bool handed, acked;
	bool done;			/* its outcome came */
	unsigned n_outcomes;
	uint64_t sent;
	uint16_t port;
	unsigned n_results;
	struct fake_result result[FAKE_RCPTS];
};

struct fake_spooler {
	struct worker_harness *h;
	struct ipc_link link;
	bool down, hello, hello_end;
	bool hold_acks;			/* outcomes stay unacknowledged */
	char *slab;
	int slab_fd;
	size_t slab_used;
	uint32_t handle;
	struct fake_work work[FAKE_WORKS];
	unsigned n_works, n_done, n_held;
	uint32_t credit[FAKE_QUEUES], out[FAKE_QUEUES];	/* by queue */
	unsigned n_pulls;
	unsigned n_again;		/* outcomes that came twice */
};

void fake_spooler_init(struct fake_spooler *s, struct worker_harness *h);
/* Links as incarnation n; lends the slab. */
void fake_spooler_up(struct fake_spooler *s, uint32_t handle);
void fake_spooler_down(struct fake_spooler *s);
void fake_spooler_fini(struct fake_spooler *s);
/* One more transaction of that queue with n recipients. */
struct fake_work *fake_spooler_add(struct fake_spooler *s, uint32_t queue,
	unsigned n_rcpt, struct slice body);
void fake_spooler_ready(struct fake_spooler *s, uint32_t queue,
	const char *domain);
/* Hands out by the credit that stands, without a READY. */
void fake_spooler_push(struct fake_spooler *s);
/* For worker_harness_wait(). */
bool fake_spooler_all_done(void *s);
bool fake_spooler_all_acked(void *s);

#endif
