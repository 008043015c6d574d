/* SPDX-License-Identifier: Apache-2.0 */
/* Making and trying directories. */
#include "supervisor/directories.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

bool
directory_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	struct slice dir = slice_of(".");

	if (slash == path) {
		dir = slice_of("/");
	} else if (slash != NULL) {
		dir = slice_make(path, (size_t)(slash - path));
	}
	return slice_copy(out, size, dir);
}

/* What is kept in a directory that we made is not to go with it in a power cut.
 * One that may not be read is left to the file system. */
static int
sync_parent(const struct directory *d, const char *path, struct error *err_out)
{
	char parent[PATH_MAX];
	int fd = directory_of(path, parent, sizeof parent) ?
	    open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r = fd < 0 && errno == EACCES ? 0 : fd < 0 ? -1 : fsync(fd);

	if (r < 0) {
		error_sys(err_out, "cannot sync the directory that %s (%s) was "
		    "made in", path, d->what);
	}
	if (fd >= 0) {
		close(fd);
	}
	return r;
}

static int
make_one(const struct directory *d, bool as_root, struct error *err_out)
{
	if (mkdir(d->path, d->mode) < 0 && errno != EEXIST) {
		return error_sys(err_out, "cannot make directory %s (%s): "
		    "make it for user %s or name another one", d->path,
		    d->what, d->user->name);
	}
	/* mkdir's mode went through the umask. */
	if (chmod(d->path, d->mode) < 0 ||
	    (as_root && chown(d->path, d->user->uid, d->user->gid) < 0)) {
		return error_sys(err_out, "cannot give directory %s (%s) to "
		    "user %s", d->path, d->what, d->user->name);
	}
	return sync_parent(d, d->path, err_out);
}

static int
make_parents(const struct directory *d, struct error *err_out)
{
	char part[PATH_MAX];
	size_t n = strlen(d->path);

	if (n >= sizeof part) {
		return error_set(err_out, ERROR_CONFIG,
		    "the path of %s is longer than %zu bytes", d->what,
		    sizeof part - 1);
	}
	for (size_t i = 1; i < n; i++) {
		if (d->path[i] != '/') {
			continue;
		}
		slice_copy(part, sizeof part, slice_make(d->path, i));
		if (mkdir(part, 0755) == 0) {
			if (sync_parent(d, part, err_out) < 0) {
				return -1;
			}
		} else if (errno != EEXIST) {
			return error_sys(err_out, "cannot make directory %s "
			    "for %s %s: make it or name another one", part,
			    d->what, d->path);
		}
	}
	return 0;
}

static int
try_access(const struct directory *d)
{
	return access(d->path, W_OK | X_OK) < 0 ? errno : 0;
}

/* 0 or errno.  A child becomes that user: the kernel's own answer counts every
 * parent directory, group and ACL. */
static int
usable_by(const struct directory *d, bool as_root)
{
	pid_t pid;
	int status;

	if (!as_root) {
		return try_access(d);
	}
	pid = fork();
	if (pid < 0) {
		return errno;
	}
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(d->user->gid) < 0 ||
		    setuid(d->user->uid) < 0) {
			_exit(EPERM);
		}
		_exit(try_access(d));
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

int
directory_need(const struct directory *d, bool as_root, struct error *err_out)
{
	struct stat st;

	if (d->path[0] == '\0') {
		return error_set(err_out, ERROR_CONFIG, "%s is empty: give "
		    "the path of a directory", d->what);
	}
	if (stat(d->path, &st) < 0) {
		if (make_parents(d, err_out) < 0 ||
		    make_one(d, as_root, err_out) < 0) {
			return -1;
		}
	} else if (!S_ISDIR(st.st_mode)) {
		return error_set(err_out, ERROR_CONFIG, "%s (%s) is there but "
		    "is no directory: move it away or name another one",
		    d->path, d->what);
	}
	errno = usable_by(d, as_root);
	if (errno != 0) {
		return error_sys(err_out, "user %s cannot write in directory "
		    "%s (%s): chown it to %s, and let all its parent "
		    "directories be searched (chmod o+x)", d->user->name,
		    d->path, d->what, d->user->name);
	}
	return 0;
}

int
directory_open_file(int at, const char *name, int flags, mode_t mode)
{
	struct stat st;
	/* NONBLOCK: the open of a pipe would wait for its other end. */
	int fd = openat(at, name, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY, mode);

	if (fd < 0) {
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		errno = EEXIST;
		return -1;
	}
	return fd;
}
