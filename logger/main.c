/* SPDX-License-Identifier: Apache-2.0 */
/* The logger: writes what the others say, and tells what is durable. */
#include <seccomp.h>

#include "logger/service.h"

static const int syscalls[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(fchmod),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(statx), -1,
};

static const struct worker_spec spec = {
	.role = ROLE_LOGGER,
	.syscalls = syscalls,
	.start = service_start,
	.directories = service_directories,
	.reconfigure = service_reconfigure,
	.link_up = service_link_up,
	.link_down = service_link_down,
	.message = service_message,
	.reopen = service_reopen,
	.drain = service_drain,
	.title = service_title,
};

int
main(int argc, char **argv)
{
	static struct service service;

	return worker_run(&spec, &service, argc, argv);
}
