/* SPDX-License-Identifier: Apache-2.0 */
/* The console: answers operators on the control socket. */
#include <seccomp.h>

#include "console/service.h"

static const int syscalls[] = {
	SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(lstat), -1,
};

static const struct worker_spec spec = {
	.role = ROLE_CONSOLE,
	.syscalls = syscalls,
	.start = service_start,
	.directories = service_directories,
	.reconfigure = service_reconfigure,
	.link_down = service_link_down,
	.message = service_message,
	.drain = service_drain,
	.title = service_title,
};

int
main(int argc, char **argv)
{
	static struct service service;

	return worker_run(&spec, &service, argc, argv);
}
