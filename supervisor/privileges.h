/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privileges: what root keeps once everything is open: binding further ports
 * on reload, starting workers under their users, signalling them, making and
 * reading their directories.  Nothing happens for other users but
 * no_new_privs.
 */
#ifndef EC_PRIVILEGES_H
#define EC_PRIVILEGES_H

#include "common/base/base.h"
#include "common/base/error.h"

int privileges_reduce(bool as_root, struct error *err_out);
/* Lets workers raise their descriptors that far, and raises ours: root may lift
 * the hard limit, and loses that right in privileges_reduce().  Call it before
 * sockets are bound. */
void privileges_lift_files(uint64_t max_fds);

#endif
