/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_socket: the control socket in the file system, mode 0660, of the
 * process's own user and group, and who may speak on it.  What a console that
 * died left behind is replaced; a socket on which somebody listens, and
 * anything that is no socket, is refused.  At close the file goes away if it
 * still is the one that was made.
 */
#ifndef EC_CTL_SOCKET_H
#define EC_CTL_SOCKET_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <sys/un.h>

struct ctl_socket {
	int fd;		/* listens, non-blocking; -1: closed */
	dev_t dev;
	ino_t ino;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

struct ctl_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool is_member;	/* of our group, by its primary or another group */
};

int ctl_socket_open(struct ctl_socket *s, const char *path,
	struct error *err_out);
void ctl_socket_close(struct ctl_socket *s);
/* Who connected; -1 with errno. */
int ctl_socket_peer(int fd, struct ctl_peer *out);
/* Root, our own user and members of our group may do everything. */
bool ctl_peer_may(const struct ctl_peer *p, uid_t own_uid);

#endif
