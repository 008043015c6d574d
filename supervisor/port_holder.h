/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_holder: who listens where we want to.  Reads /proc/net/tcp and tcp6
 * for listening sockets whose address overlaps ours, then looks through
 * /proc/PID/fd for the process that holds one.  Without privilege other
 * users' processes stay unnamed.
 */
#ifndef EC_PORT_HOLDER_H
#define EC_PORT_HOLDER_H

#include "common/base/base.h"
#include "common/base/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct port_line {		/* of /proc/net/tcp or tcp6 */
	struct in6_addr address;	/* IPv4 as v4-mapped, any as :: */
	uint16_t port;
	bool listening;
	uint64_t inode;
};

struct port_holder {
	unsigned strangers;	/* overlapping listeners that are not ours */
	pid_t pid;		/* of one of them, 0 if it cannot be seen */
	char name[80];		/* "postfix master" */
};

/* False for the heading and for what is no such line. */
bool port_line_parse(struct slice line, struct port_line *out);
/* ours: inodes of sockets that are no obstacle. */
void port_holder_find(const struct sockaddr_storage *where,
	const uint64_t *ours, size_t n_ours, struct port_holder *out);

#endif
