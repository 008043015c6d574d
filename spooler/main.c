/* SPDX-License-Identifier: Apache-2.0 */
/* The spooler: start, links, clock, stop. */
#include "spooler/spooler.h"

#include <seccomp.h>

#include "spooler/life.h"

int
main(int argc, char **argv)
{
	static struct spooler spooler;
	static const int calls[] = {
		SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
		SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(ftruncate),
		SCMP_SYS(syncfs), SCMP_SYS(uname),
		SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(linkat),
		SCMP_SYS(unlinkat), SCMP_SYS(mkdirat), SCMP_SYS(getdents64),
		SCMP_SYS(memfd_create), SCMP_SYS(ioprio_set),
		SCMP_SYS(clone3), SCMP_SYS(clone), -1,
	};
	static const struct worker_spec spec = {
		.role = ROLE_SPOOLER,
		.syscalls = calls,
		.start = life_start,
		.directories = life_directories,
		.reconfigure = life_reconfigure,
		.link_up = life_link_up,
		.link_down = life_link_down,
		.message = life_message,
		.drain = life_drain,
		.title = life_title,
	};
	int code = worker_run(&spec, &spooler, argc, argv);

	life_end(&spooler);
	return code;
}
