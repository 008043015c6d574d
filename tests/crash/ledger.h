/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: what the spooler has promised so far, as those know it to whom it
 * was promised: listeners (STORED, leases), deliverers (OUTCOME_ACK) and the
 * logger (events, which are told when they are durable).  Whatever happens to
 * the machine, a spooler that starts again must honour it:
 *
 *	stored, no end said	in the queue with these attempts and this time,
 *				body unchanged; delivered once after recovery
 *	its end is durable	not in the queue, never handed out again, and in
 *				the log sooner or later
 *	an end said, no more	either
 *	a failure's end		its bounce is mail like any other
 *	ids and leases		never a second time
 *
 * Faults are counted in a tally that all processes of a run share.
 */
#ifndef EC_TESTS_CRASH_LEDGER_H
#define EC_TESTS_CRASH_LEDGER_H

#include "common/mail/event.h"
#include "spooler/spooler.h"

#define LEDGER_LETTERS 2048u
#define LEDGER_RCPTS 3u
#define LEDGER_LEASES 256u

#define FAULTS(X) \
	X(LOST, lost)			/* stored, and not there */ \
	X(RESURRECTED, resurrected)	/* durably done, and there */ \
	X(REUSED, reused_ids) \
	X(CHANGED, changed)		/* another body, attempts or time */ \
	X(TWICE, handed_out_twice) \
	X(UNLOGGED, unlogged)		/* its end never came to the log */ \
	X(BOUNCELESS, bounceless)	/* failed durably without its bounce */ \
	X(QUARANTINED, quarantined)	/* taken for damage */ \
	X(LEFT, files_left)		/* of no message */ \
	X(STUCK, stuck)			/* recovery or delivery does not end */ \
	X(UNCOVERED, uncovered)		/* no checkpoint of use, though
					 * segments were given up for one */ \
	X(REFUSED, refused)		/* does not start from a sound disk */ \
	X(MUTE, mute)			/* gave up without a sentence */ \
	X(DIED, died)			/* a process of the run */

enum fault {
#define X(id, name) FAULT_##id,
	FAULTS(X)
#undef X
	FAULT_COUNT
};

struct tally {
	_Atomic uint64_t fault[FAULT_COUNT];
	_Atomic uint64_t states, checks, second, points, calls, harmed;
	_Atomic uint64_t fail_runs, refusals;
	/* What the script came to: */
	_Atomic uint64_t letters, stored, deferred, delivered, failed, settled,
	    removed, checkpoints, opened, given_up;
};

struct rcpt {
	msgid id;
	char addr[48];
	uint16_t attempts;	/* as the log has them */
	uint64_t next_us;
	bool t_said;		/* one more may be on its way to the disk */
	char said;		/* its end: D or P */
	bool final;		/* that is durable */
	bool logged;		/* and the logger will not forget it */
	bool failed;		/* it ended by P, durably */
	bool bounce_wanted;	/* and a bounce was made */
	unsigned copies;	/* handed out since the power came back */
	bool was_there;		/* in the queue after recovery */
};

struct letter {
	msgid batch;
	char sender[48];
	unsigned n;
	struct rcpt r[LEDGER_RCPTS];
	size_t size;
	uint64_t body_hash;	/* 0: one of the spooler's own, not known */
	uint64_t seq;
	unsigned bounce_of;	/* own: the letter + 1 */
	bool own, answered, stored, dropped;	/* dropped: its listener died */
	struct extent ext[16];
	unsigned n_ext;
};

struct seen {			/* an event that the logger may still lose */
	uint64_t position;
	msgid id;
	uint8_t kind;
};

struct ledger {
	struct tally *tally;
	uint64_t version;	/* grows when more is promised */
	struct letter letter[LEDGER_LETTERS];
	unsigned n;
	struct {
		uint16_t allocator;
		uint32_t first, last;
	} lease[LEDGER_LEASES];
	unsigned n_leases;
	struct seen seen[8192];
	unsigned n_seen;
	uint64_t acked;		/* position up to which the log is durable */
	unsigned faults;	/* of this process */
	bool harmed;		/* a checkpoint was damaged or taken away:
				 * what was tried of settled mail may be
				 * forgotten */
	bool unread;		/* a read may have failed: what could not be
				 * read was put into quarantine */
	bool quiet;		/* they are counted only */
	char what[160];		/* stands before each fault told */
};

void ledger_fault(struct ledger *l, enum fault f, const char *fmt, ...)
	EC_PRINTF(3, 4);
const char *ledger_fault_name(enum fault f);
struct letter *ledger_new(struct ledger *l);
/* The recipient with this id and its letter, or NULL. */
struct rcpt *ledger_find(struct ledger *l, msgid id,
	struct letter **letter_out);
void ledger_lease(struct ledger *l, uint16_t allocator, uint32_t first,
	uint32_t last);
/* An id nobody may have had before. */
void ledger_new_id(struct ledger *l, msgid id);
void ledger_event(struct ledger *l, uint64_t position, const struct event *e);
/* The logger's disk has all that it was told. */
void ledger_log_durable(struct ledger *l);
/* Its outcome is durable, as its deliverer knows. */
void ledger_end_durable(struct ledger *l, struct rcpt *r);
/* The machine was without power: what was only in memory is nobody's. */
void ledger_power_lost(struct ledger *l);

/* After replay: everything promised is there, and nothing that is over. */
void ledger_check_found(struct ledger *l, struct spooler *s);
/* After everything was handed out and has ended: files are still there of
 * settled mail, and in quarantine. */
void ledger_check_over(struct ledger *l, unsigned files, unsigned quarantined);

#endif
