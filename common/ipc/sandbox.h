/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: what a worker gives up before it reads a stranger's byte: ids,
 * privileges, system calls, files.  Called once, in this order, by the worker
 * skeleton.  Builds with sanitizers keep their system calls and files (the
 * sanitizers need them); everything else is the same.
 */
#ifndef EC_SANDBOX_H
#define EC_SANDBOX_H

#include "common/base/base.h"
#include "common/base/error.h"

/* To uid:gid without supplementary groups and without any capability. */
int sandbox_drop_ids(uint32_t uid, uint32_t gid, struct error *err_out);
/* no_new_privs, not dumpable, no core; descriptors up to max_fds as far as the
 * hard limit goes. */
int sandbox_limits(uint64_t max_fds, struct error *err_out);
/* Landlock where the kernel has it: nothing in the file system but these
 * directories (NULL-ended list, or NULL).  1 done, 0 kernel has none, -1. */
int sandbox_files(const char *const *directories, struct error *err_out);
/* seccomp: the common calls and these (ended by -1); all others fail with
 * EPERM.  For all threads. */
int sandbox_syscalls(const int *extra, struct error *err_out);

#endif
