/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdio: the calls on descriptors that need a loop or a control message around
 * them.  Everything opened here is close-on-exec.
 */
#ifndef EC_FDIO_H
#define EC_FDIO_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

#define FDIO_MAX_FDS 8	/* descriptors in one packet */

/* All n bytes or -1 with errno; retries interrupted and short calls. */
int fdio_write_all(int fd, const void *p, size_t n);
int fdio_pwrite_all(int fd, const void *p, size_t n, uint64_t offset);
/* Reads until n bytes or end of file; the count, or -1. */
ssize_t fdio_read_full(int fd, void *p, size_t n);
ssize_t fdio_pread_full(int fd, void *p, size_t n, uint64_t offset);
/* Appends a whole file to b; -1 with the reason (also if it passes b's cap). */
int fdio_slurp(const char *path, struct buf *b, struct error *err_out);
int fdio_set_nonblock(int fd, bool on);
int fdio_set_cloexec(int fd, bool on);
/* Closes *fd if it is open and sets it to -1. */
void fdio_close(int *fd);
/* One packet with descriptors over a Unix socket; -1 with errno. */
ssize_t fdio_send(int sock, const void *p, size_t n, const int *fds, int n_fds);
/* One packet; received descriptors are put into fds[FDIO_MAX_FDS] and counted
 * in n_fds.  -1 with errno (EMSGSIZE if the packet or its descriptors did not
 * fit; those that came are closed). */
ssize_t fdio_recv(int sock, void *p, size_t size, int *fds, int *n_fds);

#endif
