/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_file: what the kernel tells of a process that hangs, written down
 * before it is aborted: DIRECTORY/PID.trc with status, stack, wait channel,
 * system call and statistics of the process and each of its threads, as far
 * as they may be read.
 */
#ifndef EC_TRACE_FILE_H
#define EC_TRACE_FILE_H

#include "common/base/base.h"
#include "common/base/error.h"

#include <limits.h>

/* who is "deliverer/1"; the directory is made if it is missing. */
int trace_file_write(const char *directory, pid_t pid, const char *who,
	const char *why, char *path_out, size_t size, struct error *err_out);

#endif
