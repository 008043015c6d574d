/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: the console process: its control socket, its clients, the samples
 * for the rates, and the questions it has under way.  main.c names the
 * callbacks to the worker skeleton.
 */
#ifndef EC_CONSOLE_SERVICE_H
#define EC_CONSOLE_SERVICE_H

#include "common/ipc/worker.h"
#include "console/clients.h"
#include "console/ctl_socket.h"
#include "console/summary.h"

struct service {
	struct worker *worker;
	struct ctl_socket socket;
	struct clients clients;
	struct summary summary;
	struct loop_timer tick;		/* each second */
	struct loop_timer leave;	/* clients had long enough */
	pid_t supervisor_pid;
	uint32_t last_number;		/* of a question */
	const char *directories[2];
};

int service_start(struct worker *w, int *exit_code_out, struct error *err_out);
const char *const *service_directories(struct worker *w);
void service_reconfigure(struct worker *w);
void service_link_down(struct worker *w, struct ipc_link *k,
	const char *reason);
void service_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m);
void service_drain(struct worker *w);
void service_title(struct worker *w, char *out, size_t size);

#endif
