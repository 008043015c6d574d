/* SPDX-License-Identifier: Apache-2.0 */
/*
 * links: which workers talk to each other, and the socket pairs by which they
 * do.  The supervisor makes a pair and hands out both ends; it reads none.
 */
#ifndef EC_LINKS_H
#define EC_LINKS_H

#include "common/base/base.h"
#include "common/ipc/ipc.h"
#include "supervisor/children.h"

/* Do processes of these roles have a link?  Symmetric. */
bool links_are_peers(unsigned a, unsigned b);
/* Fresh pairs between a worker that was just started and all of its peers
 * that run.  False, and a word in the log, if there was none to be had: without
 * all of its links it is of no use. */
bool links_connect(struct supervisor *sup, struct child *c);
/* SUP_PEER_DEAD to all peers: it is reaped and does nothing any more. */
void links_tell_dead(struct supervisor *sup, const struct child *c);
/* A worker says that its peer broke the rules. */
void links_bad_peer(struct supervisor *sup, struct child *from,
	struct ipc_msg *m);

#endif
