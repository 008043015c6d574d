/* SPDX-License-Identifier: Apache-2.0 */
/* Who serves an absent listener's sockets. */
#include "supervisor/adoption.h"

void
adoption_init(struct adoption *a)
{
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		a->adopter[i] = ADOPTION_NONE;
	}
}

void
adoption_forget(struct adoption *a, unsigned gone)
{
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		if (a->adopter[i] == (int)gone) {
			a->adopter[i] = ADOPTION_NONE;
		}
	}
}

/* The ready one that carries least; the next neighbour if they are equal. */
static int
choose(const struct adoption *a, const bool *ready, unsigned n, unsigned slot)
{
	unsigned least = n + 1;
	int best = ADOPTION_NONE;

	for (unsigned k = 1; k < n; k++) {
		unsigned who = (slot + k) % n, carries = 0;

		for (unsigned s = 0; s < n; s++) {
			carries += a->adopter[s] == (int)who;
		}
		if (ready[who] && carries < least) {
			least = carries;
			best = (int)who;
		}
	}
	return best;
}

unsigned
adoption_step(struct adoption *a, const bool *ready, unsigned n,
    struct adoption_order *orders_out)
{
	unsigned count = 0;

	ec_assert(n <= SCORE_PER_ROLE);
	for (unsigned slot = 0; slot < n; slot++) {
		int now = a->adopter[slot];

		if (ready[slot] && now != ADOPTION_NONE) {
			a->adopter[slot] = ADOPTION_NONE;
			/* One that is leaving drops it by itself. */
			if (ready[now]) {
				orders_out[count++] = (struct adoption_order){
				    (unsigned)now, slot, false };
			}
		} else if (!ready[slot] &&
		    (now == ADOPTION_NONE || !ready[now])) {
			a->adopter[slot] = choose(a, ready, n, slot);
			if (a->adopter[slot] != ADOPTION_NONE) {
				orders_out[count++] = (struct adoption_order){
				    (unsigned)a->adopter[slot], slot, true };
			}
		}
	}
	return count;
}
