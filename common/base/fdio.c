/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: full reads and writes, passing over Unix sockets. */
#include "common/base/fdio.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

int
fdio_write_all(int fd, const void *p, size_t n)
{
	const char *b = p;

	while (n > 0) {
		ssize_t w = write(fd, b, n);

		if (w < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -1;
		}
		if (w == 0) {
			errno = EIO;
			return -1;
		}
		b += w;
		n -= (size_t)w;
	}
	return 0;
}

int
fdio_pwrite_all(int fd, const void *p, size_t n, uint64_t offset)
{
	const char *b = p;

	while (n > 0) {
		ssize_t w = pwrite(fd, b, n, (off_t)offset);

		if (w < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -1;
		}
		if (w == 0) {
			errno = EIO;
			return -1;
		}
		b += w;
		n -= (size_t)w;
		offset += (uint64_t)w;
	}
	return 0;
}

ssize_t
fdio_read_full(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)p + got, n - got);

		if (r < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -1;
		}
		if (r == 0) {
			break;
		}
		got += (size_t)r;
	}
	return (ssize_t)got;
}

ssize_t
fdio_pread_full(int fd, void *p, size_t n, uint64_t offset)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(fd, (char *)p + got, n - got,
		    (off_t)(offset + got));

		if (r < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -1;
		}
		if (r == 0) {
			break;
		}
		got += (size_t)r;
	}
	return (ssize_t)got;
}

/* Up to the cap, then one byte more to see whether the file ended there; the
 * count, 0 at its end, -1 with errno (EFBIG past the cap). */
static ssize_t
slurp_some(int fd, struct buf *b)
{
	size_t room = b->max - b->len;
	char past;
	ssize_t r;

	if (room > 0 && b->len == b->cap) {
		buf_reserve(b, EC_MIN(room, EC_MAX(b->cap, (size_t)1)));
	}
	do {
		r = room > 0 ? read(fd, b->ptr + b->len, EC_MIN(room,
		    b->cap - b->len)) : read(fd, &past, 1);
	} while (r < 0 && errno == EINTR);
	if (r > 0 && room == 0) {
		errno = EFBIG;
		return -1;
	}
	b->len += r > 0 ? (size_t)r : 0;
	return r;
}

int
fdio_slurp(const char *path, struct buf *b, struct error *err_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t r;

	if (fd < 0) {
		return error_sys(err_out, "cannot open %s", path);
	}
	do {
		r = slurp_some(fd, b);
	} while (r > 0);
	if (r < 0 && errno == EFBIG) {
		error_set(err_out, ERROR_LIMIT, "%s is larger than %zu bytes",
		    path, b->max);
	} else if (r < 0) {
		error_sys(err_out, "cannot read %s", path);
	}
	close(fd);
	return r < 0 ? -1 : 0;
}

int
fdio_set_nonblock(int fd, bool on)
{
	int f = fcntl(fd, F_GETFL);

	if (f < 0) {
		return -1;
	}
	return fcntl(fd, F_SETFL, on ? f | O_NONBLOCK : f & ~O_NONBLOCK);
}

int
fdio_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

void
fdio_close(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

ssize_t
fdio_send(int sock, const void *p, size_t n, const int *fds, int n_fds)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * FDIO_MAX_FDS)];
	} ctl;
	ssize_t r;

	if (n_fds > 0) {
		struct cmsghdr *c;

		ec_assert(n_fds <= FDIO_MAX_FDS);
		memset(&ctl, 0, sizeof ctl);
		m.msg_control = ctl.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
	}
	do {
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (r < 0 && errno == EINTR);
	return r;
}

static void
take_fds(struct msghdr *m, int *fds, int *n_fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (*n_fds < FDIO_MAX_FDS) {
				fds[(*n_fds)++] = fd;
			} else {
				close(fd);
			}
		}
	}
}

ssize_t
fdio_recv(int sock, void *p, size_t size, int *fds, int *n_fds)
{
	struct iovec iov = { p, size };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * FDIO_MAX_FDS)];
	} ctl;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl.room, .msg_controllen = sizeof ctl.room };
	ssize_t r;

	*n_fds = 0;
	do {
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (r < 0 && errno == EINTR);
	if (r < 0) {
		return -1;
	}
	take_fds(&m, fds, n_fds);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		while (*n_fds > 0) {
			close(fds[--*n_fds]);
		}
		errno = EMSGSIZE;
		return -1;
	}
	return r;
}
