/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: a thin layer over libevent's core.  One per process, made after fork.
 * Callbacks are short, never block and never run the loop again.  Timers are
 * one-shot.  Hooks given to loop_on_turn_end() run once after the callbacks of
 * each turn: that is where packets leave and batches close.
 *
 * The embedded structs belong to the caller, who must stop them before freeing
 * the object they stand in.  Removing an object inside its own callback is
 * fine.
 */
#ifndef EC_LOOP_H
#define EC_LOOP_H

#include "common/base/base.h"
#include "common/base/list.h"

#include <signal.h>

#define LOOP_READ 1u
#define LOOP_WRITE 2u

struct loop;

/* Room for the event library's struct, so that its names stay out of ours. */
struct loop_event {
	uint64_t room[18];
};

typedef void (*loop_fd_fn)(void *arg, unsigned ready);
typedef void (*loop_fn)(void *arg);
typedef void (*loop_signal_fn)(void *arg, int signo);

struct loop_fd {
	struct loop *loop;
	struct loop_event ev;
	loop_fd_fn fn;
	void *arg;
	int fd;
	unsigned want;
};

struct loop_timer {
	struct loop *loop;
	struct loop_event ev;
	loop_fn fn;
	void *arg;
};

struct loop_hook {
	struct list_node link;
	loop_fn fn;
	void *arg;
};

struct loop *loop_create(void);
void loop_destroy(struct loop **l);
/* Turns until loop_stop(). */
void loop_run(struct loop *l);
/* One turn; waits for an event if wait.  For tests. */
void loop_turn(struct loop *l, bool wait);
void loop_stop(struct loop *l);
/* The next turn does not wait: somebody left work undone on purpose. */
void loop_again(struct loop *l);
/* Monotonic time as of this turn's start, microseconds. */
uint64_t loop_now_us(const struct loop *l);
/* The same after a long callback. */
uint64_t loop_refresh_us(struct loop *l);

void loop_fd_init(struct loop_fd *f, struct loop *l, int fd, loop_fd_fn fn,
	void *arg);
/* Which of LOOP_READ, LOOP_WRITE to hear of; 0 is none. */
void loop_fd_want(struct loop_fd *f, unsigned want);
/* Stops it; the descriptor stays open. */
void loop_fd_stop(struct loop_fd *f);

void loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn,
	void *arg);
/* Runs once, in us microseconds from now; set again it moves. */
void loop_timer_set(struct loop_timer *t, uint64_t us);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);

/* Hooks run in the reverse order of their coming: the links' hub, made first,
 * sends last what all the others said. */
void loop_on_turn_end(struct loop *l, struct loop_hook *h, loop_fn fn,
	void *arg);
void loop_hook_stop(struct loop_hook *h);

/* Blocks these signals in the process and reads them by signalfd.  They are
 * served in ascending order of number within a turn. */
int loop_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn,
	void *arg);

#endif
