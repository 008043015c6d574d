/* SPDX-License-Identifier: Apache-2.0 */
/* How far a journal has been read. */
#include "logger/follow.h"

void
follow_again(struct follow *f)
{
	f->seen = 0;
}

bool
follow_take(struct follow *f, uint64_t position)
{
	if (position < f->last || position == 0) {
		return false;
	}
	if (position > f->last) {
		f->whole = f->last;
		f->last = position;
		f->taken = f->seen = 1;
		return true;
	}
	if (f->seen < UINT32_MAX) {
		f->seen++;
	}
	if (f->seen <= f->taken) {
		return false;
	}
	f->taken = f->seen;
	return true;
}

void
follow_rest(struct follow *f)
{
	f->whole = f->last;
}
