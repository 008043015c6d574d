/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory by memfd, with seals. */
#include "common/base/shm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/fdio.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define LEND_SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

int
shm_create(const char *name, size_t size, bool seal, void **map_out,
    struct error *err_out)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0) {
		return error_sys(err_out, "cannot create shared memory %s", name);
	}
	if (ftruncate(fd, (off_t)size) < 0) {
		error_sys(err_out, "cannot size shared memory %s to %zu", name,
		    size);
		close(fd);
		return -1;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		error_sys(err_out, "cannot map shared memory %s", name);
		close(fd);
		return -1;
	}
	if (seal && fcntl(fd, F_ADD_SEALS, LEND_SEALS | F_SEAL_SEAL) < 0) {
		error_sys(err_out, "cannot seal shared memory %s", name);
		munmap(p, size);
		close(fd);
		return -1;
	}
	*map_out = p;
	return fd;
}

int
shm_from_bytes(const char *name, struct slice bytes, struct error *err_out)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0) {
		return error_sys(err_out, "cannot create shared memory %s", name);
	}
	if (fdio_pwrite_all(fd, bytes.ptr, bytes.len, 0) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_SEAL) < 0) {
		error_sys(err_out, "cannot fill shared memory %s", name);
		close(fd);
		return -1;
	}
	return fd;
}

void *
shm_map(int fd, size_t size, bool writable, bool sealed, struct error *err_out)
{
	struct stat st;
	void *p;
	int seals;

	if (fstat(fd, &st) < 0 || st.st_size < 0 ||
	    (uint64_t)st.st_size < size) {
		error_set(err_out, ERROR_PROTOCOL,
		    "shared memory is smaller than the %zu bytes promised", size);
		return NULL;
	}
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0) {
		error_set(err_out, ERROR_PROTOCOL,
		    "what came for shared memory is something else");
		return NULL;
	}
	if (seals & F_SEAL_WRITE) {
		seals |= F_SEAL_FUTURE_WRITE;	/* the stronger one */
	}
	if (sealed && (seals & LEND_SEALS) != LEND_SEALS) {
		error_set(err_out, ERROR_PROTOCOL,
		    "shared memory came without its seals");
		return NULL;
	}
	p = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
	    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		error_sys(err_out, "cannot map shared memory");
		return NULL;
	}
	return p;
}
