/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life: the spooler from start to end: opening what it owns, giving links and
 * messages to the parts, the second's work, draining.
 */
#ifndef EC_LIFE_H
#define EC_LIFE_H

#include "common/ipc/worker.h"

struct spooler;

int life_start(struct worker *w, int *exit_code_out, struct error *err_out);
const char *const *life_directories(struct worker *w);
void life_reconfigure(struct worker *w);
void life_link_up(struct worker *w, struct ipc_link *k);
void life_link_down(struct worker *w, struct ipc_link *k, const char *reason);
void life_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m);
void life_drain(struct worker *w);
void life_title(struct worker *w, char *out, size_t size);
/* After the loop: what gathered is written, the lock is released. */
void life_end(struct spooler *s);

#endif
