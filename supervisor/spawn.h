/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn: fork and exec of one worker with the descriptors of enum worker_fd
 * and nothing else: stdin is /dev/null, stdout and stderr are ours, signals
 * are as after a fresh start.  If the program cannot be run, the child itself
 * says SUP_FAILED on the control socket, as a worker would.
 */
#ifndef EC_SPAWN_H
#define EC_SPAWN_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/ipc/ipc_msgs.h"
#include "common/ipc/worker.h"

struct spawn_spec {
	const char *libexec;
	enum ipc_role role;
	unsigned index;
	uint32_t incarnation;
	/* By enum worker_fd; the logger's last one, for others -1. */
	int fds[WORKER_FD_COUNT];
};

/* The process id, or -1. */
pid_t spawn_worker(const struct spawn_spec *s, struct error *err_out);
/* The directory of worker programs: libexec/ecelerity beside the sbin we run
 * from if there is one, else where configure put it. */
int spawn_find_libexec(char *out, size_t size, struct error *err_out);

#endif
