/* SPDX-License-Identifier: Apache-2.0 */
/* Watching heartbeats. */
#include "supervisor/scoreboard_mon.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proctitle.h"
#include "supervisor/supervisor.h"
#include "supervisor/trace_file.h"

#define ROUND_MAX_US 1000000u
/* Heartbeats come each second: whoever is given less is silent at once. */
#define LIMIT_MIN_US 2000000u
/* A spooler may read a long journal before its loop turns. */
#define START_PATIENCE 10u

void
scoreboard_mon_mirror(struct supervisor *s, const struct child *c)
{
	struct score_process *p =
	    &s->tables.scoreboard->process[c->role][c->index];

	atomic_store(&p->pid, (uint32_t)c->pid);
	atomic_store(&p->restarts, c->incarnation > 0 ? c->incarnation - 1 : 0);
	atomic_store(&p->last_status, (uint32_t)c->last_status);
	if (atomic_load(&p->state) != (uint32_t)c->proc.state) {
		atomic_store(&p->since_us, clock_wall_us());
		atomic_store(&p->state, (uint32_t)c->proc.state);
	}
}

/* Names the workers that are not ready, as far as there is room. */
static unsigned
list_down(struct supervisor *s, char *out, size_t size)
{
	struct child *c = NULL;
	unsigned count = 0;
	size_t used = 0;

	out[0] = '\0';
	while ((c = supervisor_next_child(s, c)) != NULL) {
		if (c->proc.state == PROCESS_READY) {
			continue;
		}
		count++;
		if (used + sizeof c->name + 8 < size) {
			used += (size_t)snprintf(out + used, size - used,
			    "%s%s", count > 1 ? ", " : "", c->name);
		}
	}
	return count;
}

void
scoreboard_mon_title(struct supervisor *s)
{
	char down[100], state[140] = "";
	struct child *c = NULL;
	unsigned running = 0;

	while ((c = supervisor_next_child(s, c)) != NULL) {
		running += c->pid != 0;
	}
	if (s->phase == PHASE_STOP) {
		snprintf(state, sizeof state, " (draining)");
	} else if (s->phase == PHASE_START) {
		snprintf(state, sizeof state, " (starting)");
	} else if (list_down(s, down, sizeof down) > 0) {
		snprintf(state, sizeof state, " (degraded: %s down)", down);
	}
	proctitle_set("%u workers%s", running, state);
}

static uint64_t
last_sign(struct supervisor *s, const struct child *c)
{
	const struct score_slot *slot =
	    &s->tables.scoreboard->slot[c->role][c->index];
	uint64_t beat = atomic_load(&slot->heartbeat_us);

	/* Until it has made the slot its own, its start is what counts. */
	if (atomic_load(&slot->incarnation) != c->incarnation) {
		return c->proc.since_us;
	}
	return EC_MAX(beat, c->proc.since_us);
}

uint64_t
scoreboard_mon_silent_us(struct supervisor *s, const struct child *c)
{
	uint64_t now = clock_mono_us();
	uint64_t sign = EC_MAX(last_sign(s, c), s->watched_since_us);

	return now > sign ? now - sign : 0;
}

static void
abort_it(struct supervisor *s, struct child *c, uint64_t silent_us)
{
	char why[100], dir[PATH_MAX + 8], path[PATH_MAX + 32];
	struct error err = { 0 };

	snprintf(why, sizeof why, "no heartbeat for %llu.%03llu s",
	    (unsigned long long)(silent_us / 1000000u),
	    (unsigned long long)(silent_us / 1000u % 1000u));
	snprintf(dir, sizeof dir, "%s/traces", s->log_dir);
	if (trace_file_write(dir, c->pid, c->name, why, path, sizeof path,
	    &err) < 0) {
		log_critical("%s (pid %ld): %s, aborting it; %s", c->name,
		    (long)c->pid, why, err.text);
	} else {
		log_critical("%s (pid %ld): %s, aborting it; what it did "
		    "stands in %s", c->name, (long)c->pid, why, path);
	}
	child_event(c, PROCESS_E_STALLED, 0);
}

static void
check(struct supervisor *s, struct child *c, uint64_t limit_us)
{
	uint64_t silent;

	if (c->proc.state == PROCESS_STARTING) {
		limit_us *= START_PATIENCE;
	} else if (c->proc.state != PROCESS_READY) {
		return;		/* those that leave have a deadline */
	}
	silent = scoreboard_mon_silent_us(s, c);
	if (silent > limit_us) {
		abort_it(s, c, silent);
	}
}

/* We were late ourselves: the machine stood still (a paused virtual machine, a
 * frozen cgroup), or we did.  Silence of that time says nothing of anybody. */
static void
forgive_lateness(struct supervisor *s, uint64_t limit_us)
{
	uint64_t now = clock_mono_us();

	if (now > s->round_due_us +
	    (limit_us == 0 ? ROUND_MAX_US : limit_us / 4)) {
		s->watched_since_us = now;
	}
}

static void
on_round(void *arg)
{
	struct supervisor *s = arg;
	uint64_t limit = config_us(s->conf.cfg, NULL, OPT_WATCHDOG_INTERVAL);
	uint64_t next = ROUND_MAX_US;
	struct child *c = NULL;

	if (limit > 0) {
		limit = EC_MAX(limit, (uint64_t)LIMIT_MIN_US);
		next = EC_MIN(limit / 4, next);
	}
	forgive_lateness(s, limit);
	while (limit > 0 && (c = supervisor_next_child(s, c)) != NULL) {
		check(s, c, limit);
	}
	scoreboard_mon_title(s);
	s->round_due_us = clock_mono_us() + next;
	loop_timer_set(&s->watch, next);
}

void
scoreboard_mon_start(struct supervisor *s)
{
	loop_timer_init(&s->watch, s->loop, on_round, s);
	s->round_due_us = clock_mono_us();
	on_round(s);
}
