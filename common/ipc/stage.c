/* SPDX-License-Identifier: Apache-2.0 */
/* The shared table of how far deliveries have come. */
#include "common/ipc/stage.h"

#include "common/base/shm.h"

int
stage_create(struct stage_table **out, struct error *err_out)
{
	void *p;
	int fd = shm_create("ecelerity-stages", sizeof(struct stage_table),
	    false, &p, err_out);

	if (fd < 0) {
		return -1;
	}
	*out = p;
	(*out)->magic = STAGE_MAGIC;
	(*out)->version = STAGE_VERSION;
	(*out)->slots = STAGE_SLOTS;
	return fd;
}

struct stage_table *
stage_map(int fd, struct error *err_out)
{
	struct stage_table *t = shm_map(fd, sizeof *t, true, false, err_out);

	if (t != NULL && (t->magic != STAGE_MAGIC ||
	    t->version != STAGE_VERSION || t->slots != STAGE_SLOTS)) {
		error_set(err_out, ERROR_PROTOCOL,
		    "the stage table is of another version: supervisor and "
		    "workers must come from one build");
		return NULL;
	}
	return t;
}
