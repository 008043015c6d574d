/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver process: tables, then the common skeleton. */
#include "resolver/resolver.h"

#include <seccomp.h>

/* UDP ports are opened afresh every few seconds, TCP when an answer was cut
 * short.  No netlink, no files: those were needed before the sandbox. */
static const int syscalls[] = {
	SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(setsockopt), -1
};

static const struct worker_spec spec = {
	.role = ROLE_RESOLVER,
	.syscalls = syscalls,
	.start = resolver_start,
	.reconfigure = resolver_reconfigure,
	.link_down = resolver_link_down,
	.message = resolver_message,
	.drain = resolver_drain,
	.title = resolver_title,
};

int
main(int argc, char **argv)
{
	static struct resolver resolver;

	return worker_run(&spec, &resolver, argc, argv);
}
