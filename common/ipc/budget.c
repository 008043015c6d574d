/* SPDX-License-Identifier: Apache-2.0 */
/* Shared limits by single atomic words. */
#include "common/ipc/budget.h"

#include "common/base/shm.h"

int
budget_create(struct budget **out, struct error *err_out)
{
	void *p;
	int fd = shm_create("ecelerity-budgets", sizeof(struct budget), false,
	    &p, err_out);

	if (fd < 0) {
		return -1;
	}
	*out = p;
	(*out)->magic = BUDGET_MAGIC;
	(*out)->version = BUDGET_VERSION;
	(*out)->rows = BUDGET_ROWS;
	return fd;
}

struct budget *
budget_map(int fd, struct error *err_out)
{
	struct budget *b = shm_map(fd, sizeof *b, true, false, err_out);

	if (b != NULL && (b->magic != BUDGET_MAGIC ||
	    b->version != BUDGET_VERSION || b->rows != BUDGET_ROWS)) {
		error_set(err_out, ERROR_PROTOCOL,
		    "the budget table is of another version: supervisor and "
		    "workers must come from one build");
		return NULL;
	}
	return b;
}

uint32_t
budget_used(const struct budget *b, uint32_t row)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < BUDGET_DELIVERERS; i++) {
		sum += atomic_load(&b->row[row].used[i]);
	}
	return sum;
}

bool
budget_take(struct budget *b, uint32_t row, unsigned who, uint32_t limit)
{
	_Atomic uint16_t *mine = &b->row[row].used[who];

	ec_assert(row < BUDGET_ROWS && who < BUDGET_DELIVERERS);
	if (atomic_load(mine) == UINT16_MAX) {
		return false;
	}
	/* Take, then look: two at once may both withdraw, never both pass. */
	atomic_fetch_add(mine, 1);
	if (budget_used(b, row) > limit) {
		atomic_fetch_sub(mine, 1);
		return false;
	}
	return true;
}

void
budget_give(struct budget *b, uint32_t row, unsigned who)
{
	ec_assert(row < BUDGET_ROWS && who < BUDGET_DELIVERERS);
	ec_assert(atomic_fetch_sub(&b->row[row].used[who], 1) > 0);
}

void
budget_clear(struct budget *b, unsigned who)
{
	for (uint32_t r = 0; r < BUDGET_ROWS; r++) {
		/* Reading first keeps untouched pages unmade. */
		if (atomic_load(&b->row[r].used[who]) != 0) {
			atomic_store(&b->row[r].used[who], 0);
		}
	}
}

uint64_t
budget_rate(_Atomic uint64_t *next_us, uint64_t now_us, uint64_t interval_us,
    uint32_t burst)
{
	uint64_t slack = interval_us * burst;
	uint64_t tat = atomic_load(next_us);

	for (;;) {
		uint64_t base = EC_MAX(tat, now_us);

		if (base > now_us + slack) {
			return base - now_us - slack;
		}
		if (atomic_compare_exchange_weak(next_us, &tat,
		    base + interval_us)) {
			return 0;
		}
	}
}
