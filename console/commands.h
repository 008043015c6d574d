/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands: what the console does for a request.  What the scoreboard knows is
 * answered at once; the spooler, the resolver and the supervisor are asked,
 * and whoever does not answer in time, or dies over it, is named in the one
 * sentence that the client gets instead.
 */
#ifndef EC_COMMANDS_H
#define EC_COMMANDS_H

#include "console/service.h"

/* Answers c, or asks somebody and answers it later. */
void commands_run(struct service *s, struct client *c);
/* The one who was asked for c is silent. */
void commands_late(struct client *c);
void commands_told(struct service *s, struct ipc_link *k, struct ipc_msg *m);
void commands_sup_answer(struct service *s, struct ipc_link *k,
	struct ipc_msg *m);
void commands_link_down(struct service *s, struct ipc_link *k);

#endif
