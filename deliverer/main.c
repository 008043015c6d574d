/* SPDX-License-Identifier: Apache-2.0 */
/* The deliverer: one table and worker_run(). */
#include <seccomp.h>

#include "deliverer/deliverer.h"

static const int syscalls[] = {
	SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(shutdown),
	SCMP_SYS(pread64), -1
};

static const struct worker_spec spec = {
	.role = ROLE_DELIVERER,
	.syscalls = syscalls,
	.start = deliverer_start,
	.reconfigure = deliverer_reconfigure,
	.link_up = deliverer_link_up,
	.link_down = deliverer_link_down,
	.message = deliverer_message,
	.drain = deliverer_drain,
	.title = deliverer_title,
};

int
main(int argc, char **argv)
{
	static struct deliverer d;	/* the one context of this process */

	return worker_run(&spec, &d, argc, argv);
}
