/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: the logger's core connected to the worker skeleton: links of
 * spoolers and listeners, the log lines of all processes, the second's tick.
 */
#ifndef EC_LOGGER_SERVICE_H
#define EC_LOGGER_SERVICE_H

#include "common/ipc/worker.h"
#include "logger/logger.h"

struct service {	/* zeroed by the owner */
	struct worker *w;
	struct logger *core;
	uint64_t up;			/* spoolers with a link, by bit */
	bool paused;			/* spoolers are not read */
	struct loop_fd lines;		/* WORKER_FD_LOG_IN */
	struct loop_timer tick, finish;
	struct loop_timer early;	/* checkpoints soon after a start */
	uint64_t early_us;
	struct loop_hook turn;
	uint64_t records, rejects, heard, heard_before;
	unsigned waits;			/* of draining */
	uint64_t told_us;		/* last complaint on stderr */
};

int service_start(struct worker *w, int *exit_code_out,
	struct error *err_out);
const char *const *service_directories(struct worker *w);
void service_reconfigure(struct worker *w);
void service_link_up(struct worker *w, struct ipc_link *k);
void service_link_down(struct worker *w, struct ipc_link *k,
	const char *reason);
void service_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m);
void service_reopen(struct worker *w);
void service_drain(struct worker *w);
void service_title(struct worker *w, char *out, size_t size);

#endif
