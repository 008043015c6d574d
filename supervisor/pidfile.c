/* SPDX-License-Identifier: Apache-2.0 */
/* The locked file with our number. */
#include "supervisor/pidfile.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/fdio.h"

/* 1 locked, 0 the file was replaced meanwhile, -1. */
static int
lock(const char *path, int fd, struct error *err_out)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat ours, there;

	if (fcntl(fd, F_SETLK, &l) < 0) {
		if (errno != EAGAIN && errno != EACCES) {
			return error_sys(err_out, "cannot lock pidfile %s",
			    path);
		}
		if (fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK) {
			return 0;	/* he just left */
		}
		return error_set(err_out, ERROR_LIMIT,
		    "already running as pid %ld (pidfile %s)", (long)l.l_pid,
		    path);
	}
	/* He who held it may have removed it between our open and lock. */
	if (fstat(fd, &ours) < 0 || stat(path, &there) < 0) {
		return 0;
	}
	return ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

static int
write_pid(const char *path, int fd, struct error *err_out)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 ||
	    fdio_pwrite_all(fd, text, (size_t)n, 0) < 0) {
		return error_sys(err_out, "cannot write pidfile %s", path);
	}
	return 0;
}

int
pidfile_open(const char *path, struct error *err_out)
{
	int fd = -1, got = 0;

	for (int tries = 0; got == 0 && tries < 16; tries++) {
		fdio_close(&fd);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    0644);
		if (fd < 0) {
			return error_sys(err_out, "cannot open pidfile %s: "
			    "let Pidfile name a file that this user may write",
			    path);
		}
		got = lock(path, fd, err_out);
	}
	if (got == 0) {
		error_set(err_out, ERROR_LIMIT, "pidfile %s is replaced again "
		    "and again: who else writes it?", path);
	}
	if (got != 1 || write_pid(path, fd, err_out) < 0) {
		fdio_close(&fd);
	}
	return fd;
}

void
pidfile_close(const char *path, int *fd)
{
	if (*fd >= 0) {
		/* First this: without the lock it could be another's. */
		unlink(path);
		fdio_close(fd);
	}
}
