/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig: a real spooler with its spool in a directory of its own, and all its
 * peers played by the test: a supervisor, a logger, listeners (an arena, ids by
 * lease, STORE) and deliverers (PULL, WORK, OUTCOME).
 *
 *	struct rig r;
 *	rig_start(&r, "Retry_Interval = 1\n");
 *	struct mail *m = rig_store(&r, 0, "a@example.com", 1, "b@example.net");
 *	rig_until(&r, mail_is_stored, m);
 *	rig_kill(&r);			SIGKILL, then all links anew
 *	...
 *	rig_stop(&r);
 *
 * The fakes check as they go: every extent comes back once, ids never repeat,
 * bodies are whole, events are told in order and once by position.
 */
#ifndef EC_TESTS_SPOOLER_RIG_H
#define EC_TESTS_SPOOLER_RIG_H

#include "common/ipc/arena.h"
#include "common/mail/event.h"
#include "spooler/spooler.h"
#include "tests/support/worker_harness.h"

#define RIG_LISTENERS 2u
#define RIG_DELIVERERS 2u
#define RIG_MAILS 20000u
#define RIG_RCPTS 8u
#define RIG_WAIT_US 20000000u
#define RIG_SLABS 64u

struct rig;

struct mail {			/* one transaction as its listener knows it */
	struct rig *rig;
	uint64_t seq;
	msgid batch;
	unsigned listener, n_rcpt, n_ext;
	uint32_t of;		/* incarnation of the listener */
	msgid id[RIG_RCPTS];
	char rcpt[RIG_RCPTS][64];
	char sender[64];
	uint8_t notify;
	size_t size;
	bool large;		/* its body went by LARGE_DATA */
	struct extent ext[16];	/* of a large one: lent until LARGE_TAKEN */
	bool sent, answered;
	enum store_result result;
	unsigned code;		/* with STORED_REMOTE, and the reply */
	char reply[128];
	unsigned delivered;	/* bit per recipient: its host has it */
	unsigned doubtful;	/* the same, or not */
};

struct fake_listener {
	struct rig *rig;
	unsigned index;
	uint32_t incarnation;
	struct ipc_link link;
	bool up;
	struct arena *arena;
	struct id_source ids, spare;
	uint32_t window, outstanding;
	uint64_t next_seq;
	struct extent *old, *kept;	/* out at link up; named by KEEP */
	size_t n_old, n_kept;
	bool keep_ended;
};

struct job {			/* a WORK at a deliverer */
	struct list_node link;
	uint64_t number;
	uint32_t queue;
	uint16_t slot;
	unsigned n;
	msgid id[STAGE_RCPTS];
	char rcpt[STAGE_RCPTS][64];
	char sender[64];
	uint32_t flags;
	uint64_t size;
	struct {
		struct held_piece at;
		struct slice bytes;
	} piece[32];
	unsigned n_pieces;
	char *map;		/* of WORK_FILE: the body */
	struct buf outcome;	/* said: kept until its ack */
	bool told;
};

struct lent {			/* a slab that a deliverer has mapped */
	uint32_t handle;
	uint8_t role, index;
	uint32_t incarnation, number;
	char *map;
	uint64_t size;
	bool gone;
};

struct fake_deliverer {
	struct rig *rig;
	unsigned index;
	uint32_t incarnation;
	struct ipc_link link;
	bool up;
	uint32_t credit;	/* said for each queue; 0: none */
	struct list_node jobs;	/* not yet acknowledged */
	unsigned n_jobs;
	struct lent lent[RIG_SLABS];
	uint32_t queues[4096];	/* known numbers */
	unsigned n_queues;
	unsigned n_works;	/* received in all */
	/* Called for each WORK; NULL: it is kept for the test. */
	void (*on_work)(struct fake_deliverer *d, struct job *j);
};

struct seen {			/* an event as logged */
	uint64_t position;
	struct event e;
	char rcpt[64], reply[256], sender[64];
};

struct fake_logger {
	struct rig *rig;
	struct ipc_link link;
	bool up;
	bool acks;		/* as soon as they come */
	uint64_t durable;	/* acknowledged */
	struct seen *seen;
	size_t n, cap;
};

struct rig {
	char dir[64];
	char conf[2048];
	struct loop *loop;
	struct worker_harness h;
	struct fake_listener listener[RIG_LISTENERS];
	struct fake_deliverer deliverer[RIG_DELIVERERS];
	struct fake_logger logger;
	struct mail *mail[RIG_MAILS];
	unsigned n_mails;
	msgid last_own;		/* of the spooler's own ids, to see repeats */
	unsigned restarts;
	unsigned n_deliverers, n_listeners;
	/* Called when the killed process is gone, before the next starts. */
	void (*between)(struct rig *r);
};

/* Connects the spooler with a peer of ours of that incarnation. */
void rig_connect(struct rig *r, struct ipc_link *k, enum ipc_role as,
	unsigned index, uint32_t incarnation, ipc_msg_fn on_msg,
	ipc_down_fn on_down, void *arg);
/* Everything up.  conf is added to a minimal configuration. */
void rig_start(struct rig *r, const char *conf);
/* Spool made by the test: rig_prepare, files, rig_run. */
void rig_prepare(struct rig *r, const char *conf);
void rig_run(struct rig *r);
/* SIGKILL and a new one; peers link up in the order of the bits of `first`
 * (listeners or deliverers first). */
void rig_kill(struct rig *r);
void rig_kill_only(struct rig *r);	/* restarted, nobody linked */
void rig_link_listener(struct rig *r, unsigned i);
void rig_link_deliverer(struct rig *r, unsigned i);
void rig_link_logger(struct rig *r);
void rig_unlink_logger(struct rig *r, bool crash);
/* Graceful stop; checks that the process ended well; removes the spool. */
void rig_stop(struct rig *r);
/* Turns the loop until fn(arg); fails the test after RIG_WAIT_US. */
void rig_until_at(struct rig *r, bool (*fn)(void *), void *arg,
	const char *what);
#define rig_until(r, fn, arg) rig_until_at(r, fn, arg, #fn)
/* Turns it for this long. */
void rig_turn(struct rig *r, uint64_t us);
uint64_t rig_score(const struct rig *r, unsigned number);
unsigned rig_log_count(const struct rig *r, const char *text);
bool rig_log_has(const struct rig *r, const char *text);
/* Files below the spool whose name matches the shell pattern. */
unsigned rig_files(const struct rig *r, const char *pattern);
/* For rig_until(): no mail is queued, no file of it is left. */
bool rig_is_drained(void *rig);

/* Listener side. */
void listener_open(struct rig *r, unsigned i);
void listener_link(struct fake_listener *l);
void listener_unlink(struct fake_listener *l);
/* Killed: a new incarnation with a new arena takes its place. */
void listener_die(struct fake_listener *l);
void listener_close(struct fake_listener *l);
struct mail *rig_store(struct rig *r, unsigned listener, const char *sender,
	unsigned n, const char *const *rcpts, size_t size);
/* A large one, of at most 1 MiB.  Only its body is said, */
struct mail *rig_large(struct rig *r, unsigned listener, const char *sender,
	unsigned n, const char *const *rcpts, size_t size);
/* and the rest by this. */
void rig_large_store(struct mail *m);
void rig_large_abort(struct mail *m);
bool mail_is_taken(void *mail);	/* every extent of it came back */
struct mail *rig_mail_of(struct rig *r, msgid id);
bool mail_is_answered(void *mail);
bool listener_is_empty(void *listener);	/* every extent came back */
/* What the n-th byte of its body is. */
char mail_byte(msgid batch, size_t n);
/* Are these the bytes of its body from there on? */
bool mail_is_whole(msgid batch, size_t from, struct slice bytes);

/* Deliverer side. */
void deliverer_open(struct rig *r, unsigned i, uint32_t credit);
void deliverer_link(struct fake_deliverer *d);
void deliverer_unlink(struct fake_deliverer *d);
/* Killed: its jobs are gone; the spooler is told, before or after the new one
 * links up. */
void deliverer_die(struct fake_deliverer *d, bool told_first);
/* Ended as it was told to, with work still in hand. */
void deliverer_leave(struct fake_deliverer *d);
void deliverer_close(struct fake_deliverer *d);
struct job *deliverer_job(struct fake_deliverer *d, msgid id);
struct job *deliverer_first(struct fake_deliverer *d);
/* Says the outcome: kinds has one letter per recipient (D, T, P). */
void job_outcome(struct fake_deliverer *d, struct job *j, const char *kinds);
/* As if the process did it: what is accepted must not come again. */
void job_stage(struct fake_deliverer *d, struct job *j,
	enum stage_point point);
/* The same, taken by RCPT only for those with a D. */
void job_stage_of(struct fake_deliverer *d, struct job *j,
	enum stage_point point, const char *kinds);
/* on_work: delivers, fails for now, fails for good. */
void job_deliver(struct fake_deliverer *d, struct job *j);
void job_defer(struct fake_deliverer *d, struct job *j);
void job_refuse(struct fake_deliverer *d, struct job *j);

/* Logger side. */
unsigned logger_count(const struct rig *r, msgid id, int kind);
const struct seen *logger_find(const struct rig *r, msgid id, int kind,
	unsigned nth);

#endif
