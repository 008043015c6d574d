/* SPDX-License-Identifier: Apache-2.0 */
/*
 * children: what process_table's machine decides is done here: forking,
 * signalling, timers, reaping, and the messages that one worker and the
 * supervisor exchange.  Owns each worker's control link.
 */
#ifndef EC_CHILDREN_H
#define EC_CHILDREN_H

#include "common/base/base.h"
#include "common/base/loop.h"
#include "common/ipc/ipc.h"
#include "supervisor/process_table.h"

struct supervisor;

struct child {
	struct supervisor *sup;
	struct process proc;
	enum ipc_role role;
	unsigned index;
	uint32_t incarnation;
	pid_t pid;		/* 0: none */
	struct ipc_link link;
	struct loop_timer timer;
	char name[24];		/* "listener/0" */
	char sentence[400];	/* what its SUP_FAILED said */
	int last_status;	/* as wait gave it */
};

void child_init(struct child *c, struct supervisor *sup, enum ipc_role role,
	unsigned index);
/* Steps the machine and does what it says. */
void child_event(struct child *c, enum process_event event, int code);
/* Every process that has ended, after SIGCHLD. */
void children_reap(struct supervisor *sup);
/* The configuration that holds now, with the ids the worker runs under. */
void child_send_config(struct child *c);
/* How the last one ended, "signal 9 (Killed)" or "exit code 71". */
void child_end_text(const struct child *c, char *out, size_t size);

#endif
