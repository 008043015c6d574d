/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's states:
 *
 *	DEAD --START--> (spawn) --SPAWNED--> STARTING --READY--> READY
 *	  ^                 ^                   |                  |
 *	  |                 +---first death-----+------EXITED------+
 *	  |                 +---TICK--- BACKOFF <--later deaths----+
 *	  +--EXITED, not wanted-- DRAINING <--DRAIN, STALLED, BAD--+
 *
 * DRAINING also holds those that we signalled and mean to start again; only
 * wanted tells the two apart.
 */
#include "supervisor/process_table.h"

#include <signal.h>
#include <sys/wait.h>

typedef struct process_out (*move_fn)(struct process *,
	const struct process_in *);

static const struct process_out nothing = { PROCESS_A_NONE, 0 };

static void
enter(struct process *p, enum process_state state, uint64_t now_us)
{
	p->state = state;
	p->since_us = now_us;
	p->due_us = 0;
}

static struct process_out
act_signal(int signo)
{
	return (struct process_out){ PROCESS_A_SIGNAL, signo };
}

static struct process_out
move_start(struct process *p, const struct process_in *in)
{
	(void)in;
	p->wanted = true;
	return (struct process_out){ PROCESS_A_SPAWN, 0 };
}

static struct process_out
move_spawned(struct process *p, const struct process_in *in)
{
	enter(p, PROCESS_STARTING, in->now_us);
	p->ready_us = 0;
	p->failed_code = 0;
	return nothing;
}

static struct process_out
move_ready(struct process *p, const struct process_in *in)
{
	enter(p, PROCESS_READY, in->now_us);
	p->ready_us = in->now_us;
	p->was_ready = true;
	return nothing;
}

/* It exits by itself; a worker that hangs over its last word is helped. */
static struct process_out
move_failed(struct process *p, const struct process_in *in)
{
	p->failed_code = in->code;
	p->due_us = in->now_us + PROCESS_LAST_WORD_US;
	return nothing;
}

static bool
cannot_start(struct process *p, const struct process_in *in)
{
	bool config = p->failed_code == PROCESS_EXIT_CONFIG ||
	    (in->event == PROCESS_E_EXITED && WIFEXITED(in->code) &&
	    WEXITSTATUS(in->code) == PROCESS_EXIT_CONFIG);

	if (p->was_ready) {
		return false;
	}
	p->start_failures++;
	return config || p->start_failures >= PROCESS_START_TRIES;
}

/* By its life's length; a try that makes no process has none. */
static void
forgive(struct process *p, uint64_t now_us)
{
	uint64_t worked = p->ready_us == 0 ? 0 : now_us - p->ready_us;

	if (worked >= PROCESS_HEALTHY_US) {
		p->backoff_us = 0;
	} else if (worked >= PROCESS_WORKED_US) {
		p->backoff_us = EC_MIN(p->backoff_us,
		    (uint64_t)PROCESS_BACKOFF_WORKED_US);
	}
	p->ready_us = 0;
}

static struct process_out
restart(struct process *p, uint64_t now_us)
{
	uint64_t wait = p->backoff_us;

	p->backoff_us = wait == 0 ? PROCESS_BACKOFF_FIRST_US :
	    EC_MIN(wait * 2, (uint64_t)PROCESS_BACKOFF_MAX_US);
	if (wait == 0) {
		enter(p, PROCESS_DEAD, now_us);
		return (struct process_out){ PROCESS_A_SPAWN, 0 };
	}
	enter(p, PROCESS_BACKOFF, now_us);
	p->due_us = now_us + wait;
	return nothing;
}

static struct process_out
move_died(struct process *p, const struct process_in *in)
{
	if (!p->wanted) {
		enter(p, PROCESS_DEAD, in->now_us);
		return nothing;
	}
	p->deaths++;
	if (cannot_start(p, in)) {
		p->wanted = false;
		enter(p, PROCESS_DEAD, in->now_us);
		return (struct process_out){ PROCESS_A_GIVE_UP, 0 };
	}
	forgive(p, in->now_us);
	return restart(p, in->now_us);
}

static struct process_out
move_respawn(struct process *p, const struct process_in *in)
{
	if (p->due_us == 0 || in->now_us < p->due_us) {
		return nothing;
	}
	p->due_us = 0;
	return (struct process_out){ PROCESS_A_SPAWN, 0 };
}

static struct process_out
move_deadline(struct process *p, const struct process_in *in)
{
	if (p->due_us == 0 || in->now_us < p->due_us) {
		return nothing;
	}
	enter(p, PROCESS_DRAINING, in->now_us);
	return act_signal(SIGKILL);
}

static struct process_out
move_lost(struct process *p, const struct process_in *in)
{
	enter(p, PROCESS_DRAINING, in->now_us);
	p->due_us = in->now_us + PROCESS_LAST_WORD_US;
	return nothing;
}

static struct process_out
move_stalled(struct process *p, const struct process_in *in)
{
	enter(p, PROCESS_DRAINING, in->now_us);
	p->due_us = in->now_us + PROCESS_LAST_WORD_US;
	return act_signal(SIGABRT);
}

/* What it says is not to be believed: no last word. */
static struct process_out
move_bad(struct process *p, const struct process_in *in)
{
	enter(p, PROCESS_DRAINING, in->now_us);
	return act_signal(SIGKILL);
}

static struct process_out
move_drain(struct process *p, const struct process_in *in)
{
	p->wanted = false;
	enter(p, PROCESS_DRAINING, in->now_us);
	p->due_us = in->now_us + PROCESS_DRAIN_US;
	return (struct process_out){ PROCESS_A_DRAIN, 0 };
}

/* It is on its way out already: it will not come back. */
static struct process_out
move_unwanted(struct process *p, const struct process_in *in)
{
	p->wanted = false;
	if (p->due_us == 0) {
		p->due_us = in->now_us + PROCESS_LAST_WORD_US;
	}
	return nothing;
}

static struct process_out
move_stop(struct process *p, const struct process_in *in)
{
	p->wanted = false;
	enter(p, PROCESS_DRAINING, in->now_us);
	return act_signal(SIGKILL);
}

static struct process_out
move_forget(struct process *p, const struct process_in *in)
{
	p->wanted = false;
	enter(p, PROCESS_DEAD, in->now_us);
	return nothing;
}

/* An empty cell: the event comes too late or too early to mean anything. */
static const move_fn moves[PROCESS_STATES][PROCESS_EVENTS] = {
	[PROCESS_DEAD] = {
		[PROCESS_E_START] = move_start,
		[PROCESS_E_SPAWNED] = move_spawned,
		[PROCESS_E_NOT_SPAWNED] = move_died,
		[PROCESS_E_DRAIN] = move_forget,
		[PROCESS_E_STOP] = move_forget,
	},
	[PROCESS_STARTING] = {
		[PROCESS_E_READY] = move_ready,
		[PROCESS_E_FAILED] = move_failed,
		[PROCESS_E_EXITED] = move_died,
		[PROCESS_E_LOST] = move_lost,
		[PROCESS_E_STALLED] = move_stalled,
		[PROCESS_E_BAD] = move_bad,
		[PROCESS_E_TICK] = move_deadline,
		[PROCESS_E_DRAIN] = move_drain,
		[PROCESS_E_STOP] = move_stop,
	},
	[PROCESS_READY] = {
		[PROCESS_E_EXITED] = move_died,
		[PROCESS_E_LOST] = move_lost,
		[PROCESS_E_STALLED] = move_stalled,
		[PROCESS_E_BAD] = move_bad,
		[PROCESS_E_DRAIN] = move_drain,
		[PROCESS_E_STOP] = move_stop,
	},
	[PROCESS_DRAINING] = {
		[PROCESS_E_FAILED] = move_failed,
		[PROCESS_E_EXITED] = move_died,
		[PROCESS_E_BAD] = move_bad,
		[PROCESS_E_TICK] = move_deadline,
		[PROCESS_E_DRAIN] = move_unwanted,
		[PROCESS_E_STOP] = move_stop,
	},
	[PROCESS_BACKOFF] = {
		[PROCESS_E_SPAWNED] = move_spawned,
		[PROCESS_E_NOT_SPAWNED] = move_died,
		[PROCESS_E_TICK] = move_respawn,
		[PROCESS_E_DRAIN] = move_forget,
		[PROCESS_E_STOP] = move_forget,
	},
};

struct process_out
process_step(struct process *p, const struct process_in *in)
{
	move_fn move = moves[p->state][in->event];

	return move == NULL ? nothing : move(p, in);
}

bool
process_runs(const struct process *p)
{
	return p->state == PROCESS_STARTING || p->state == PROCESS_READY ||
	    p->state == PROCESS_DRAINING;
}
