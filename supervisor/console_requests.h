/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console_requests: what the console may ask of the supervisor: one number of
 * enum sup_request, nothing to parse.  Every request gets one SUP_ANSWER.
 */
#ifndef EC_CONSOLE_REQUESTS_H
#define EC_CONSOLE_REQUESTS_H

#include "common/ipc/ipc.h"
#include "supervisor/children.h"

void console_request(struct supervisor *sup, struct child *from,
	struct ipc_msg *m);

#endif
