/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: the real modules of the spooler in this process, with one thread of
 * control.  The loop, the helper threads, the links to other processes, the
 * skeleton of a worker and both clocks are this file's own, so that the same
 * seed gives the same calls of the disk in the same order: what is linked here
 * takes the place of loop.c, workq.c, ipc.c and worker.c, and clock_gettime(),
 * arc4random() and fs_sync_fs_tells() are wrapped.
 *
 *	world_start(&w, "/dev/shm/x", &err)	a spooler on crashfs
 *	world_turn(&w)				packets, timers, hooks, jobs
 *	world_leave(&w)				as if its process had died
 *
 * Jobs run, and are told to be done, in an order that the seed decides; a job
 * may lie between the two for some turns, as if its thread were slow.
 */
#ifndef EC_TESTS_CRASH_WORLD_H
#define EC_TESTS_CRASH_WORLD_H

#include "spooler/spooler.h"

struct world;

typedef void (*world_hear_fn)(void *arg, struct ipc_link *k,
	enum ipc_type type, struct slice body);

struct worker {
	struct world *world;
	struct config *config;
	struct score_slot score;
	struct scoreboard *board;
	struct stage_table *stages;
};

struct world {
	struct spooler *s;	/* NULL: not started */
	struct worker w;
	struct loop *loop;
	struct list_node packets;
	struct ipc_link listener, deliverer, logger, supervisor;
	const struct fs *fs;	/* NULL: crashfs_fs */
	bool quick;		/* jobs run and end at once */
	world_hear_fn hear;	/* what the spooler says */
	void *hear_arg;
	unsigned bad_peers;	/* a link was called bad */
	char why[128];
};

/* The machine's: they go on when a spooler starts anew. */
uint64_t world_wall_us(void);
void world_pass(uint64_t us);
uint64_t world_random(void);
void world_seed(uint64_t seed);
/* What stood in memory is gone. */
void world_power_lost(void);
/* Are settled files synced all at once, or each? */
void world_store(bool at_once);

int world_start(struct world *w, const char *base, struct error *err_out);
/* Nothing more of it runs.  Its memory and descriptors stay: as a process that
 * died it has no say in that. */
void world_leave(struct world *w);
void world_turn(struct world *w);
bool world_is_quiet(const struct world *w);	/* no packet, no job */
/* A peer's link comes up; what it says arrives in a later turn. */
void world_link(struct world *w, struct ipc_link *k, enum ipc_role as,
	uint32_t incarnation);
void world_say(struct world *w, struct ipc_link *k, enum ipc_type type,
	struct slice body, int fd);

/* world_loop.c: timers, hooks and jobs. */
void world_loop_begin(struct world *w);
void world_loop_turn(struct world *w);
bool world_loop_is_idle(const struct world *w);

#endif
