/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the one skeleton of every worker process.  The supervisor execs
 *
 *	libexec/ecelerity/<role> <index> <incarnation>
 *
 * with the descriptors of enum worker_fd.  The worker waits for SUP_CONFIG,
 * drops its ids, sets no_new_privs and limits, calls start(), closes itself in
 * (seccomp allow-list, Landlock), says SUP_READY and loops: a heartbeat each
 * second, links as they come, drain on request.
 *
 * When the supervisor dies the control socket closes: drain() is called and
 * the worker exits when it is done or after 30 seconds.
 *
 * All callbacks run in the loop's thread.
 */
#ifndef EC_WORKER_H
#define EC_WORKER_H

#include "common/base/error.h"
#include "common/base/loop.h"
#include "common/config/config.h"
#include "common/ipc/budget.h"
#include "common/ipc/ipc.h"
#include "common/ipc/scoreboard.h"
#include "common/ipc/stage.h"

enum worker_fd {
	WORKER_FD_CONTROL = 3,	/* ipc to the supervisor */
	WORKER_FD_SCOREBOARD,
	WORKER_FD_BUDGET,
	WORKER_FD_STAGE,
	WORKER_FD_LOG,		/* log lines, one a packet */
	WORKER_FD_LOG_IN,	/* the logger alone: where those lines arrive */
	WORKER_FD_COUNT		/* the first free number */
};

#define WORKER_DRAIN_MAX_US (30u * 1000000u)	/* after the supervisor died */

struct worker;

struct worker_spec {
	enum ipc_role role;
	/* System calls beyond the common ones, ended by -1. */
	const int *syscalls;
	/* Before the sandbox, as the worker's user, with a configuration.  On
	 * -1 the sentence goes to the operator and the process exits with
	 * *exit_code_out (78 configuration, 71 system... default 71). */
	int (*start)(struct worker *w, int *exit_code_out,
	    struct error *err_out);
	/* Directories it may touch after start, NULL-ended; NULL: no files at
	 * all.  Asked after start(). */
	const char *const *(*directories)(struct worker *w);
	/* A new configuration holds from now on (worker_config()); the old one
	 * is freed after this returns. */
	void (*reconfigure)(struct worker *w);
	void (*link_up)(struct worker *w, struct ipc_link *k);
	/* The link is closed after this returns. */
	void (*link_down)(struct worker *w, struct ipc_link *k,
	    const char *reason);
	/* Messages of peers, and those of the supervisor that the skeleton
	 * does not serve itself. */
	void (*message)(struct worker *w, struct ipc_link *k,
	    struct ipc_msg *m);
	void (*reopen)(struct worker *w);
	/* Take no new work; call worker_finished() when nothing is left. */
	void (*drain)(struct worker *w);
	/* Each second: what ps shows after "ecelerity: role/N ". */
	void (*title)(struct worker *w, char *out, size_t size);
};

/* Returns the exit code of the process. */
int worker_run(const struct worker_spec *spec, void *ctx, int argc,
	char **argv);

void *worker_ctx(struct worker *w);
struct loop *worker_loop(struct worker *w);
struct ipc_hub *worker_hub(struct worker *w);
const struct config *worker_config(struct worker *w);
unsigned worker_index(struct worker *w);
uint32_t worker_incarnation(struct worker *w);
struct score_slot *worker_score(struct worker *w);
struct scoreboard *worker_scoreboard(struct worker *w);
struct budget *worker_budget(struct worker *w);
struct stage_table *worker_stages(struct worker *w);
struct ipc_link *worker_supervisor(struct worker *w);
/* The link to a peer if it is up, else NULL. */
struct ipc_link *worker_link(struct worker *w, enum ipc_role role,
	unsigned index);
bool worker_is_draining(struct worker *w);
/* The loop ends after this turn and the process exits 0. */
void worker_finished(struct worker *w);
/* A peer broke the protocol: its link goes down and the supervisor is asked
 * to replace it. */
void worker_bad_peer(struct worker *w, struct ipc_link *k, const char *reason);

#endif
