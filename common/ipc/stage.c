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

/* A death in between leaves none, for which no WORK was said yet. */
void
stage_work_set(struct stage_table *t, unsigned deliverer, unsigned slot,
    uint64_t work, const uint64_t *ids, unsigned n)
{
	struct stage_ids *m = &t->ids[deliverer][slot];

	ec_assert(n <= STAGE_RCPTS);
	stage_work_clear(t, deliverer, slot);
	m->n = n;
	memcpy(m->id, ids, n * sizeof *ids);
	atomic_store_explicit(&t->work[deliverer][slot], work,
	    memory_order_release);
}

void
stage_work_clear(struct stage_table *t, unsigned deliverer, unsigned slot)
{
	atomic_store(&t->work[deliverer][slot], 0);
}

uint64_t
stage_work(const struct stage_table *t, unsigned deliverer, unsigned slot)
{
	return atomic_load_explicit(&t->work[deliverer][slot],
	    memory_order_acquire);
}

const struct stage_ids *
stage_work_ids(const struct stage_table *t, unsigned deliverer, unsigned slot)
{
	const struct stage_ids *m = &t->ids[deliverer][slot];

	return m->n > 0 && m->n <= STAGE_RCPTS ? m : NULL;
}

void
stage_work_drop(struct stage_table *t, unsigned deliverer, unsigned slot,
    unsigned i)
{
	ec_assert(i < STAGE_RCPTS);
	t->ids[deliverer][slot].id[i] = 0;
}
