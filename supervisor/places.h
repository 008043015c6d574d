/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places: the directories that a configuration names: pid file, spool, logs,
 * control socket.  Each is made if missing and tried as its user.
 */
#ifndef EC_PLACES_H
#define EC_PLACES_H

#include "common/base/error.h"
#include "supervisor/supervisor.h"

/* Fills s->pidfile and s->log_dir and makes the pid file's directory, so that
 * a second instance learns first that it is one. */
int places_find(struct supervisor *s, struct error *err_out);
int places_make(struct supervisor *s, struct error *err_out);
/* In daemon mode stdout and stderr of us and of workers started from now on
 * go to workers.err in the log directory, opened anew at each call. */
int places_open_stderr(struct supervisor *s, struct error *err_out);

#endif
