/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_table: the life of one worker as a pure machine.  Events go in with
 * the time, one act comes out; whoever drives it forks, signals and sets a
 * timer for p->due_us (0: none).
 *
 * Deaths are tallied: the first restart is immediate, the next waits 0.1 s,
 * each further one twice as long up to 10 s.  How long the dead one had been
 * ready tells a crash loop from bad luck: after a tenth of a second of work
 * the wait is at most 1 s, and 5 s of work forget all deaths before.
 * It gives up only on a worker that was never ready since the supervisor
 * started: with exit code 78 (configuration) at once, else after
 * PROCESS_START_TRIES.  Everything later is tried again for ever.
 *
 *	struct process_in in = { PROCESS_E_EXITED, now_us, wait_status };
 *	struct process_out out = process_step(&p, &in);
 */
#ifndef EC_PROCESS_TABLE_H
#define EC_PROCESS_TABLE_H

#include "common/base/base.h"
#include "common/ipc/process_state.h"

#define PROCESS_BACKOFF_FIRST_US 100000u
#define PROCESS_BACKOFF_MAX_US 10000000u
#define PROCESS_BACKOFF_WORKED_US 1000000u	/* at most, after... */
#define PROCESS_WORKED_US 100000u	/* ...so long from SUP_READY to death */
#define PROCESS_HEALTHY_US 5000000u	/* the same: no wait */
#define PROCESS_DRAIN_US 30000000u	/* then SIGKILL */
#define PROCESS_LAST_WORD_US 5000000u	/* from SIGABRT to SIGKILL */
#define PROCESS_START_TRIES 3u
#define PROCESS_EXIT_CONFIG 78

enum process_event {
	PROCESS_E_START,	/* it is wanted from now on */
	PROCESS_E_SPAWNED,	/* the process is there */
	PROCESS_E_NOT_SPAWNED,	/* there was no process to be had */
	PROCESS_E_READY,	/* it said so */
	PROCESS_E_FAILED,	/* it said why it will exit; code is its own */
	PROCESS_E_EXITED,	/* reaped; code is the wait status */
	PROCESS_E_LOST,		/* runs, but closed its control socket */
	PROCESS_E_STALLED,	/* no heartbeat */
	PROCESS_E_BAD,		/* broke the rules of the messages */
	PROCESS_E_TICK,		/* the timer of due_us */
	PROCESS_E_DRAIN,	/* finish and leave, not to come back */
	PROCESS_E_STOP,		/* leave now, not to come back */
	PROCESS_EVENTS
};

enum process_act {
	PROCESS_A_NONE,
	PROCESS_A_SPAWN,	/* answer with SPAWNED or NOT_SPAWNED */
	PROCESS_A_DRAIN,	/* say SUP_DRAIN */
	PROCESS_A_SIGNAL,	/* send signo */
	PROCESS_A_GIVE_UP,	/* it cannot start: tell and stop everything */
};

struct process {
	enum process_state state;
	bool wanted;		/* start it again when it dies */
	bool was_ready;		/* ever, in this supervisor's life */
	uint32_t deaths;	/* while wanted */
	uint32_t start_failures;	/* before it was ever ready */
	int failed_code;	/* what PROCESS_E_FAILED told, else 0 */
	uint64_t since_us;	/* of the state */
	uint64_t ready_us;	/* of this one's SUP_READY, 0 if it never came */
	uint64_t backoff_us;	/* before the next restart */
	uint64_t due_us;	/* wants a PROCESS_E_TICK then, 0: none */
};

struct process_in {
	enum process_event event;
	uint64_t now_us;
	int code;
};

struct process_out {
	enum process_act act;
	int signo;
};

/* All zero is a process that is DEAD and not wanted. */
struct process_out process_step(struct process *p, const struct process_in *in);
/* Is there a process to reap? */
bool process_runs(const struct process *p);

#endif
