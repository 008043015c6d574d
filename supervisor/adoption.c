/* SPDX-License-Identifier: Apache-2.0 */
/* Who serves another listener's sockets. */
#include "supervisor/adoption.h"

void
adoption_init(struct adoption *a)
{
	memset(a, 0, sizeof *a);
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
	a->pressed[gone] = false;
	a->streak[gone] = 0;
	a->sessions[gone] = 0;
}

static bool
is_silent(const struct adoption_seen *s)
{
	return s->silent_us >= ADOPTION_SILENT_US;
}

/* The least of all others that could help; none: so much that nobody is
 * busier. */
static struct adoption_seen
least_of_others(const struct adoption_seen *seen, unsigned n, unsigned but)
{
	struct adoption_seen least = { .sessions = UINT64_MAX / 4,
		.waiting = UINT64_MAX / 4 };

	for (unsigned i = 0; i < n; i++) {
		if (i != but && seen[i].ready && !is_silent(&seen[i])) {
			least.sessions = EC_MIN(least.sessions,
			    seen[i].sessions);
			least.waiting = EC_MIN(least.waiting, seen[i].waiting);
		}
	}
	return least;
}

static bool
is_busier(const struct adoption_seen *s, const struct adoption_seen *least)
{
	return (s->waiting >= ADOPTION_WAITING &&
	    s->waiting / 4 >= least->waiting) ||
	    s->sessions >= ADOPTION_SESSIONS + 2 * least->sessions;
}

/* Well below: no busier by half of what is "busier". */
static bool
is_calm(const struct adoption_seen *s, const struct adoption_seen *least)
{
	return (s->waiting < ADOPTION_WAITING / 2 ||
	    s->waiting / 2 < least->waiting) && s->sessions <
	    ADOPTION_SESSIONS / 2 + least->sessions + least->sessions / 2;
}

static void
look_at(struct adoption *a, const struct adoption_seen *seen, unsigned n,
    unsigned who)
{
	const struct adoption_seen *s = &seen[who];
	struct adoption_seen least = least_of_others(seen, n, who);
	bool contrary = a->pressed[who] ? is_calm(s, &least) && !is_silent(s) :
	    is_busier(s, &least);

	a->sessions[who] = s->sessions;
	if (!s->ready || (is_silent(s) && !a->pressed[who])) {
		a->pressed[who] = s->ready;
		a->streak[who] = 0;
		return;
	}
	a->streak[who] = contrary ? a->streak[who] + 1 : 0;
	if (a->streak[who] >= (a->pressed[who] ? ADOPTION_LOOKS_OFF :
	    ADOPTION_LOOKS_ON)) {
		a->pressed[who] = !a->pressed[who];
		a->streak[who] = 0;
	}
}

void
adoption_look(struct adoption *a, const struct adoption_seen *seen, unsigned n)
{
	ec_assert(n <= SCORE_PER_ROLE);
	for (unsigned i = 0; i < n; i++) {
		look_at(a, seen, n, i);
	}
}

static unsigned
carries(const struct adoption *a, unsigned n, unsigned who)
{
	unsigned count = 0;

	for (unsigned s = 0; s < n; s++) {
		count += a->adopter[s] == (int)who;
	}
	return count;
}

/* The one that carries least, then has the fewest sessions; the next neighbour
 * if they are equal. */
static int
choose(const struct adoption *a, const bool *ready, unsigned n, unsigned slot,
    bool pressed)
{
	int best = ADOPTION_NONE;
	unsigned least = 0;

	for (unsigned k = 1; k < n; k++) {
		unsigned who = (slot + k) % n, load = carries(a, n, who);

		if (!ready[who] || a->pressed[who] != pressed) {
			continue;
		}
		if (best == ADOPTION_NONE || load < least || (load == least &&
		    a->sessions[who] < a->sessions[best])) {
			least = load;
			best = (int)who;
		}
	}
	return best;
}

static int
adopter_for(const struct adoption *a, const bool *ready, unsigned n,
    unsigned slot)
{
	int now = a->adopter[slot], best;
	bool there = now != ADOPTION_NONE && ready[now];

	if (ready[slot] && !a->pressed[slot]) {
		return ADOPTION_NONE;
	}
	if (there && !a->pressed[now]) {
		return now;
	}
	best = choose(a, ready, n, slot, false);
	if (best != ADOPTION_NONE || ready[slot]) {
		return best;
	}
	return there ? now : choose(a, ready, n, slot, true);
}

unsigned
adoption_step(struct adoption *a, const bool *ready, unsigned n,
    struct adoption_order *orders_out)
{
	unsigned count = 0;

	ec_assert(n <= SCORE_PER_ROLE);
	for (unsigned slot = 0; slot < n; slot++) {
		int was = a->adopter[slot], is = adopter_for(a, ready, n, slot);

		if (is == was) {
			continue;
		}
		/* One that is leaving drops it by itself. */
		if (was != ADOPTION_NONE && ready[was]) {
			orders_out[count++] = (struct adoption_order){
			    (unsigned)was, slot, false };
		}
		if (is != ADOPTION_NONE) {
			orders_out[count++] = (struct adoption_order){
			    (unsigned)is, slot, true };
		}
		a->adopter[slot] = is;
	}
	return count;
}
