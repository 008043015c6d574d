/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's file, and its callers' rights. */
#include "console/ctl_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "common/base/fdio.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define BACKLOG 128
#define GROUPS_MAX 1024u

static void
make_address(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	slice_copy(a->sun_path, sizeof a->sun_path, slice_of(path));
}

/* The part of path before its last slash. */
static void
find_directory(struct ctl_socket *s)
{
	struct slice path = slice_of(s->path);
	ssize_t slash = slice_rfind(path, '/');

	slice_copy(s->directory, sizeof s->directory, slash < 0 ? SLICE(".") :
	    slash == 0 ? SLICE("/") : slice_make(path.ptr, (size_t)slash));
}

/* Makes the path free: 0 if it is. */
static int
clear_path(const struct sockaddr_un *a, struct error *err_out)
{
	struct stat st;
	int fd, r;

	if (lstat(a->sun_path, &st) < 0) {
		return errno == ENOENT ? 0 :
		    error_sys(err_out, "control socket %s", a->sun_path);
	}
	if (!S_ISSOCK(st.st_mode)) {
		return error_set(err_out, ERROR_CONFIG, "Control_Socket %s is "
		    "there and no socket: name another path or move it away",
		    a->sun_path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return error_sys(err_out, "cannot make a socket");
	}
	r = connect(fd, (const struct sockaddr *)a, sizeof *a);
	/* Refused: nobody listens.  EAGAIN is a full backlog: somebody does. */
	if (r < 0 && errno == ECONNREFUSED) {
		close(fd);
		return unlink(a->sun_path) == 0 ? 0 :
		    error_sys(err_out, "cannot remove the control socket %s "
		    "that was left behind", a->sun_path);
	}
	if (r < 0 && errno != EAGAIN) {
		error_sys(err_out, "control socket %s", a->sun_path);
	} else {
		error_set(err_out, ERROR_CONFIG, "another console listens on "
		    "the control socket %s: is a second server running?",
		    a->sun_path);
	}
	close(fd);
	return -1;
}

static int
bind_and_listen(struct ctl_socket *s, const struct sockaddr_un *a,
    struct error *err_out)
{
	mode_t old = umask(0117);	/* 0660 from its first moment on */
	int r = bind(s->fd, (const struct sockaddr *)a, sizeof *a);
	struct stat st;

	umask(old);
	if (r < 0 || listen(s->fd, BACKLOG) < 0 || lstat(s->path, &st) < 0) {
		return error_sys(err_out, "control socket %s", s->path);
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

int
ctl_socket_open(struct ctl_socket *s, const char *path, struct error *err_out)
{
	struct sockaddr_un a;

	*s = (struct ctl_socket){ .fd = -1 };
	if (path[0] == '\0' ||
	    !slice_copy(s->path, sizeof s->path, slice_of(path))) {
		return error_set(err_out, ERROR_CONFIG, "Control_Socket is "
		    "empty or longer than %zu bytes", sizeof s->path - 1);
	}
	find_directory(s);
	make_address(&a, path);
	if (clear_path(&a, err_out) < 0) {
		return -1;
	}
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0) {
		return error_sys(err_out, "cannot make a socket");
	}
	if (bind_and_listen(s, &a, err_out) < 0) {
		fdio_close(&s->fd);
		return -1;
	}
	return 0;
}

void
ctl_socket_close(struct ctl_socket *s)
{
	struct stat st;

	if (s->fd < 0) {
		return;
	}
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino) {
		unlink(s->path);
	}
	fdio_close(&s->fd);
}

int
ctl_socket_peer(int fd, struct ctl_peer *out)
{
	gid_t groups[GROUPS_MAX], own = getegid();
	socklen_t size = sizeof groups;
	struct ucred cred;
	socklen_t cred_size = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_size) < 0) {
		return -1;
	}
	*out = (struct ctl_peer){ cred.uid, cred.gid, cred.pid,
		cred.gid == own };
	/* More groups than we read, or a kernel without it: the primary one
	 * decides. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
		return 0;
	}
	for (size_t i = 0; i < size / sizeof groups[0]; i++) {
		out->is_member |= groups[i] == own;
	}
	return 0;
}

bool
ctl_peer_may(const struct ctl_peer *p, uid_t own_uid)
{
	return p->uid == 0 || p->uid == own_uid || p->is_member;
}
