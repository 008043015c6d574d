/* SPDX-License-Identifier: Apache-2.0 */
/* ipc_doc: prints doc/IPC.md from the list of messages. */
#include "common/ipc/ipc_msgs.h"

#include <ctype.h>
#include <stdio.h>

struct row {
	const char *name, *body;
	unsigned from, to;
};

static const struct row rows[] = {
#define X(id, senders, receivers, text) { #id, text, senders, receivers },
	IPC_MESSAGES(X)
#undef X
};

/* "spooler, logger"; "every worker" is shorter than all of them. */
static void
print_roles(unsigned set)
{
	const char *sep = "";

	if (set == ROLE_WORKERS) {
		printf("every worker");
		return;
	}
	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		if ((set & ROLE_BIT(r)) != 0) {
			printf("%s%s", sep, ipc_role_name(r));
			sep = ", ";
		}
	}
}

int
main(void)
{
	printf("<!-- Made by tests/tools/ipc_doc from common/ipc/ipc_msgs.h: "
	    "do not edit. -->\n\n"
	    "# Messages between the processes\n\n"
	    "Every link is a Unix socket that the supervisor made and handed "
	    "to both ends. A\npacket carries whole messages; a descriptor "
	    "travels with the message that names it.\nWho sends a message he "
	    "may not send, or one that does not parse to its last byte,\n"
	    "loses the link; the receiver goes on.\n\n"
	    "`bytes` is a length of 16 bits and that many bytes; an `extent` "
	    "is slab, offset and\nlength, each of 32 bits; all numbers are "
	    "little-endian; times are microseconds.\n\n"
	    "| message | from | to | body |\n|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		printf("| `%s` | ", rows[i].name);
		print_roles(rows[i].from);
		printf(" | ");
		print_roles(rows[i].to);
		printf(" | %s |\n", rows[i].body);
	}
	printf("\n%zu messages.\n", ARRAY_LEN(rows));
	return 0;
}
