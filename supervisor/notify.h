/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: tells whoever started us how the start went: the service manager
 * through $NOTIFY_SOCKET, the waiting parent of daemon mode through a pipe
 * (one byte exit code, then a sentence).
 */
#ifndef EC_NOTIFY_H
#define EC_NOTIFY_H

#include "common/base/base.h"

/* Takes NOTIFY_SOCKET out of the environment, for workers shall not speak
 * there; NULL if there is none.  The caller owns the string. */
char *notify_take(void);
/* State as sd_notify(3) knows it, "READY=1".  Nothing happens without path. */
void notify_say(const char *path, const char *state);

/* Daemon mode.  In the child: the pipe's write end.  The parent never comes
 * back: it waits for the child's word, prints the sentence and exits. */
int notify_daemonize(void);
/* The child's word; closes *fd. */
void notify_parent(int *fd, int exit_code, const char *sentence);

#endif
