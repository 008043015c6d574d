/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/ledger.h"

#include <stdarg.h>

#define FAULTS_TOLD 8u	/* of one process: the rest is only counted */

const char *
ledger_fault_name(enum fault f)
{
	static const char *const names[FAULT_COUNT] = {
#define X(id, name) #name,
		FAULTS(X)
#undef X
	};

	return names[f];
}

void
ledger_fault(struct ledger *l, enum fault f, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	atomic_fetch_add(&l->tally->fault[f], 1);
	if (l->quiet || l->faults++ >= FAULTS_TOLD) {
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "FAULT %s: %s: %s\n", ledger_fault_name(f), l->what,
	    text);
}

struct letter *
ledger_new(struct ledger *l)
{
	struct letter *m = &l->letter[l->n];

	ec_assert(l->n < LEDGER_LETTERS);
	l->n++;
	memset(m, 0, sizeof *m);
	return m;
}

struct rcpt *
ledger_find(struct ledger *l, msgid id, struct letter **letter_out)
{
	for (unsigned i = l->n; i-- > 0;) {
		struct letter *m = &l->letter[i];

		for (unsigned k = 0; k < m->n; k++) {
			if (m->r[k].id == id) {
				*letter_out = m;
				return &m->r[k];
			}
		}
	}
	*letter_out = NULL;
	return NULL;
}

/* Ids. */

void
ledger_lease(struct ledger *l, uint16_t allocator, uint32_t first,
    uint32_t last)
{
	for (unsigned i = 0; i < l->n_leases; i++) {
		if (l->lease[i].allocator == allocator &&
		    first <= l->lease[i].last && last >= l->lease[i].first) {
			ledger_fault(l, FAULT_REUSED, "allocator %u leased "
			    "again for seconds that its holder may use",
			    allocator);
		}
	}
	for (unsigned i = 0; i < l->n; i++) {
		msgid id = l->letter[i].batch;

		if (l->letter[i].own && msgid_allocator(id) == allocator &&
		    msgid_seconds(id) >= first && msgid_seconds(id) <= last) {
			ledger_fault(l, FAULT_REUSED, "allocator %u leased, "
			    "and the spooler had made ids by it", allocator);
		}
	}
	ec_assert(l->n_leases < LEDGER_LEASES);
	l->lease[l->n_leases].allocator = allocator;
	l->lease[l->n_leases].first = first;
	l->lease[l->n_leases++].last = last;
	l->version++;
}

void
ledger_new_id(struct ledger *l, msgid id)
{
	struct letter *m;

	for (unsigned i = 0; i < l->n_leases; i++) {
		if (l->lease[i].allocator == msgid_allocator(id) &&
		    msgid_seconds(id) >= l->lease[i].first &&
		    msgid_seconds(id) <= l->lease[i].last) {
			ledger_fault(l, FAULT_REUSED, "the spooler made id "
			    "%016llx under a listener's lease",
			    (unsigned long long)id);
			return;
		}
	}
	if (ledger_find(l, id, &m) != NULL) {
		ledger_fault(l, FAULT_REUSED, "id %016llx was made again",
		    (unsigned long long)id);
	}
}

/* Events. */

/* A bounce that became durable: mail to the sender of one of ours. */
static void
own_letter(struct ledger *l, const struct event *e)
{
	struct letter *m;
	unsigned of = 0;
	char to[48];

	slice_copy(to, sizeof to, e->rcpt);
	if (sscanf(to, "s%u@", &of) != 1 || of >= l->n) {
		ledger_fault(l, FAULT_CHANGED, "R of unknown mail to %s", to);
		return;
	}
	ledger_new_id(l, e->id);
	m = ledger_new(l);
	m->own = m->answered = m->stored = true;
	m->batch = e->batch_id;
	m->size = e->size;
	m->bounce_of = of + 1;
	m->n = 1;
	m->r[0].id = e->id;
	memcpy(m->r[0].addr, to, sizeof to);
	l->version++;
}

void
ledger_end_durable(struct ledger *l, struct rcpt *r)
{
	if (!r->final) {
		r->final = true;
		r->failed = r->said == 'P';
		l->version++;
	}
}

void
ledger_event(struct ledger *l, uint64_t position, const struct event *e)
{
	struct letter *m;
	struct rcpt *r = ledger_find(l, e->id, &m);

	if (l->n_seen < ARRAY_LEN(l->seen)) {
		l->seen[l->n_seen++] = (struct seen){ position, e->id,
			e->kind };
	}
	if (e->kind == EVENT_RECEPTION) {
		if (r == NULL) {
			own_letter(l, e);
		} else if (r->said == '\0' && m->batch != e->batch_id) {
			ledger_fault(l, FAULT_REUSED, "id of two batches");
		}
		return;
	}
	if (r == NULL) {
		ledger_fault(l, FAULT_CHANGED, "%c of unknown mail %016llx",
		    e->kind, (unsigned long long)e->id);
	} else if (e->kind == EVENT_TRANSIENT) {
		/* Older ones are told again after the logger lost them; one
		 * with an end behind it has no next attempt. */
		if (e->attempts + 1u > r->attempts && e->next_us != 0) {
			r->attempts = (uint16_t)(e->attempts + 1);
			r->next_us = e->next_us;
			r->t_said = false;
			l->version++;
		}
	} else {
		r->said = (char)e->kind;
		r->bounce_wanted = (e->flags & EVENT_BOUNCED) != 0;
		ledger_end_durable(l, r);
	}
}

void
ledger_log_durable(struct ledger *l)
{
	for (unsigned i = 0; i < l->n_seen; i++) {
		struct seen *s = &l->seen[i];
		struct letter *m;
		struct rcpt *r = ledger_find(l, s->id, &m);

		l->acked = EC_MAX(l->acked, s->position);
		if (r != NULL && (s->kind == EVENT_DELIVERY ||
		    s->kind == EVENT_PERMANENT)) {
			r->logged = true;
		}
	}
	l->n_seen = 0;
}

void
ledger_power_lost(struct ledger *l)
{
	l->n_seen = 0;
	for (unsigned i = 0; i < l->n; i++) {
		struct letter *m = &l->letter[i];

		m->dropped = m->dropped || !m->answered;
		for (unsigned k = 0; k < m->n; k++) {
			m->r[k].copies = 0;
		}
	}
}

/* Checks. */

static void
check_one(struct ledger *l, struct spooler *s, struct letter *m,
    struct rcpt *r)
{
	uint32_t slot = index_find(&s->index, r->id);
	struct msg *g = slot == 0 ? NULL : index_at(&s->index, slot);
	bool same;

	r->was_there = g != NULL;
	if (r->final) {
		if (g != NULL) {
			ledger_fault(l, FAULT_RESURRECTED, "%s has ended (%c) "
			    "and is in the queue again", r->addr, r->said);
		}
		return;
	}
	if (!m->stored || r->said != '\0') {
		return;
	}
	if (g == NULL) {
		ledger_fault(l, FAULT_LOST, "%s of letter %u is not in the "
		    "queue", r->addr, (unsigned)(m - l->letter));
		return;
	}
	if (l->harmed && (g->flags & MSG_SETTLED) != 0 &&
	    g->attempts < r->attempts) {
		return;		/* as its .meta has it; the log knows better */
	}
	same = g->attempts == r->attempts && (r->attempts == 0 ||
	    g->next_us == r->next_us);
	if (!same && !(r->t_said && g->attempts == r->attempts + 1)) {
		ledger_fault(l, FAULT_CHANGED, "%s has %u attempts, next at "
		    "%llu; the log says %u and %llu", r->addr, g->attempts,
		    (unsigned long long)g->next_us, r->attempts,
		    (unsigned long long)r->next_us);
	}
}

void
ledger_check_found(struct ledger *l, struct spooler *s)
{
	for (unsigned i = 0; i < l->n; i++) {
		for (unsigned k = 0; k < l->letter[i].n; k++) {
			check_one(l, s, &l->letter[i], &l->letter[i].r[k]);
		}
	}
}

static bool
has_bounce(const struct ledger *l, unsigned letter)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct letter *m = &l->letter[i];

		/* Delivered now, or its end was durable before. */
		if (m->own && m->bounce_of == letter + 1 &&
		    m->r[0].final) {
			return true;
		}
	}
	return false;
}

static void
check_over(struct ledger *l, unsigned i)
{
	struct letter *m = &l->letter[i];

	for (unsigned k = 0; k < m->n; k++) {
		struct rcpt *r = &m->r[k];

		if (m->stored && !r->final) {
			ledger_fault(l, FAULT_LOST, "%s was in the queue and "
			    "has come to no end", r->addr);
		}
		if (r->final && !r->logged) {
			ledger_fault(l, FAULT_UNLOGGED, "%s has ended (%c), "
			    "and the logger was not told", r->addr, r->said);
		}
		if (r->failed && r->bounce_wanted && !has_bounce(l, i)) {
			ledger_fault(l, FAULT_BOUNCELESS, "%s has failed, and "
			    "its sender was not told", r->addr);
		}
	}
}

void
ledger_check_over(struct ledger *l, unsigned files, unsigned quarantined)
{
	for (unsigned i = 0; i < l->n; i++) {
		check_over(l, i);
	}
	if (quarantined > 0 && !l->unread) {
		ledger_fault(l, FAULT_QUARANTINED, "%u files are in "
		    "quarantine after a mere loss of power", quarantined);
	}
	if (files > 0) {
		ledger_fault(l, FAULT_LEFT, "%u files are left of mail that "
		    "has ended", files);
	}
}
