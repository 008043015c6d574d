/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfile: says which process is the supervisor, and by its lock that there is
 * only one.  The lock belongs to the process, so take it after the last fork;
 * a crash frees it, and so does closing any other descriptor of that file:
 * open it nowhere else.  The file goes with pidfile_close().
 */
#ifndef EC_PIDFILE_H
#define EC_PIDFILE_H

#include "common/base/base.h"
#include "common/base/error.h"

/* The descriptor that holds the lock, or -1; ERROR_LIMIT if another process
 * has it. */
int pidfile_open(const char *path, struct error *err_out);
void pidfile_close(const char *path, int *fd);

#endif
