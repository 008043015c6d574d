/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_harness: one real worker process driven by a test that plays its
 * supervisor and, over links, its peers.  It makes the shared tables, execs
 * the program with the descriptors of enum worker_fd, and sends SUP_CONFIG.
 * The test's loop serves everything; nothing sleeps.
 *
 *	struct worker_harness h;
 *	struct ipc_link peer;
 *	if (worker_harness_start(&h, loop, "resolver/resolver", ROLE_RESOLVER,
 *	    0, slice_of(conf), &err) < 0 ||
 *	    worker_harness_wait(&h, 5000000, worker_harness_is_ready, &h) ||
 *	    worker_harness_link(&h, &peer, ROLE_DELIVERER, 0, on_msg, NULL,
 *	    arg, &err) < 0) { ... h.failed, h.log ... }
 *	...
 *	status = worker_harness_stop(&h, 5000000);
 *
 * The harness owns the process: stop() ends it whatever state it is in, and
 * the process dies with its parent.  Links belong to the test, which closes
 * them (before stop, or after).
 */
#ifndef EC_TESTS_SUPPORT_WORKER_HARNESS_H
#define EC_TESTS_SUPPORT_WORKER_HARNESS_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/loop.h"
#include "common/ipc/budget.h"
#include "common/ipc/ipc.h"
#include "common/ipc/scoreboard.h"
#include "common/ipc/stage.h"

struct worker_harness {
	struct loop *loop;
	struct ipc_hub hub;
	struct ipc_link control;	/* we are the supervisor on it */
	struct loop_fd log_watch;
	int log_fd;			/* log lines of the worker arrive here */
	pid_t pid;			/* 0 once reaped */
	enum ipc_role role;
	unsigned index;
	uint32_t incarnation, generation;
	bool ready;			/* it said SUP_READY */
	bool gone;			/* its control socket closed */
	int failed_code;		/* of SUP_FAILED, else 0 */
	struct buf failed;		/* its sentence */
	struct buf log;			/* log lines, each with a newline */
	struct scoreboard *scoreboard;
	struct budget *budget;
	struct stage_table *stages;
	int tables[3];			/* their descriptors, for restarts */
	const char *program;
	/* Control messages that the harness does not read itself; may be
	 * NULL. */
	void (*on_control)(void *arg, struct worker_harness *h,
	    struct ipc_msg *m);
	void *arg;
};

/* Starts the program.  Returns once it is exec'd, not once it is ready. */
int worker_harness_start(struct worker_harness *h, struct loop *l,
	const char *program, enum ipc_role role, unsigned index,
	struct slice config, struct error *err_out);
/* Kills the process with SIGKILL and starts it anew as the next incarnation,
 * with the same shared tables.  Links must have been closed.  between(arg), if
 * not NULL, is called when the old one is reaped and nothing runs. */
int worker_harness_restart(struct worker_harness *h, struct slice config,
	void (*between)(void *arg), void *arg, struct error *err_out);
/* A new configuration, as after a reload. */
int worker_harness_config(struct worker_harness *h, struct slice config,
	struct error *err_out);
/* Turns the loop until done(arg) or timeout_us went by; true if done. */
bool worker_harness_wait(struct worker_harness *h, uint64_t timeout_us,
	bool (*done)(void *arg), void *arg);
/* For wait(): ready, or never will be; the control socket closed. */
bool worker_harness_is_ready(void *h);
bool worker_harness_is_gone(void *h);
/* Connects the worker to a peer of this role and opens the peer's end as k. */
int worker_harness_link(struct worker_harness *h, struct ipc_link *k,
	enum ipc_role as, unsigned index, ipc_msg_fn on_msg,
	ipc_down_fn on_down, void *arg, struct error *err_out);
void worker_harness_drain(struct worker_harness *h);
/* Drains, waits, reaps (SIGKILL after timeout_us) and frees all.  The wait
 * status. */
int worker_harness_stop(struct worker_harness *h, uint64_t timeout_us);

#endif
