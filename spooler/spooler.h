/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spooler: what main.c wires together and the parts of this folder share.  One
 * struct, one thread (the loop's); helper threads get copies of what they need
 * and touch nothing of it.
 *
 *	intake	 STORE from listeners        -> journal -> queue, STORED
 *	large	 LARGE_DATA, STORE_LARGE     -> large/ -> journal, as STORE
 *	handout	 READY, PULL, WORK           queues -> deliverers
 *	outcome	 OUTCOME, expiry, bounces    -> journal -> gone or delayed
 *	settle	 old mail                    journal -> hashed store
 *	checkpoint  what is settled, on disk  index -> checkpoint/
 *	loader	 bodies and envelopes        disk -> memory
 *	import	 pickup/ (another spool)     -> hashed store -> queue
 *	logfeed	 what became durable         -> logger
 *	replay	 at start                    disk -> queues
 */
#ifndef EC_SPOOLER_H
#define EC_SPOOLER_H

#include "common/base/workq.h"
#include "common/ipc/worker.h"
#include "common/mail/event.h"
#include "common/spool/checkpoint_file.h"
#include "spooler/index.h"
#include "spooler/journal.h"
#include "spooler/lease.h"
#include "spooler/queue.h"
#include "spooler/slabs.h"
#include "spooler/store.h"
#include "spooler/txn.h"

#define SPOOLER_LISTENERS SCORE_PER_ROLE
#define SPOOLER_DELIVERERS BUDGET_DELIVERERS
#define STORE_WINDOW 1024u	/* unanswered STOREs a listener may have */
#define STORE_WINDOW_MIN 32u	/* the same with the longest backlog */
#define STORE_BACKLOG 10000u	/* mail waiting to go: above that it shrinks */

enum note_kind {	/* journal_note.what */
	NOTE_STORE = 1,	/* a: txn, b: listener's seq, c: listener, incarnation */
	NOTE_DSN,	/* a: txn */
	NOTE_OUTCOME,	/* a: message, b: id, c: work to acknowledge or 0 */
	NOTE_RETRY,	/* the same; the message stays */
	NOTE_PASSED,	/* the same; the client is told, and has its mail */
	NOTE_STATE,	/* a: message, b: id */
	NOTE_SETTLED,	/* b: struct settle_round * */
	NOTE_BEGUN,	/* b: struct hashed_round * */
	NOTE_HASHED,	/* the same: its files and records are durable */
	NOTE_SPILLED,	/* a: txn, b: the one in memory that it came from */
};

struct listener_peer {
	struct ipc_link *link;
	uint32_t incarnation;
	bool said_hello, said_end;
	bool kept;		/* KEEP_END was said */
	bool dead;		/* its last words are being read */
	uint32_t window;	/* as last told */
	uint32_t unanswered;	/* STOREs */
	unsigned wants_leases;	/* asked for when the disk refused */
};

/* An extent that a deliverer reads since before our start.  Its listener may
 * tell us of the slab later than the deliverer of the work. */
struct held_piece {
	uint8_t role, index;
	uint32_t incarnation, slab;
	struct piece at;	/* handle 0: the slab is not known (yet) */
};

struct work {
	uint64_t number;	/* counter << 13 | slot */
	struct list_node link;	/* of its deliverer, or the orphans */
	uint8_t deliverer;
	uint16_t slot;
	uint32_t queue;		/* 0: held from before a restart */
	uint32_t txn;		/* 0: pieces below instead */
	uint16_t n;		/* messages */
	bool told;		/* held: its outcome was said to the spooler
				 * before us, which may have written it */
	bool written;		/* its outcome is on the way to disk */
	bool alone;		/* a suspect's: nothing else was begun there */
	bool let_go;		/* the same, but it took too long */
	bool blamed;		/* its deliverer may have died of it */
	bool judged;		/* its deliverer is dead, each message was
				 * dealt with by its stage */
	uint16_t writing;	/* then: records of that on the way to disk;
				 * the stage table names it until they are
				 * durable */
	uint16_t n_pieces;	/* held works only */
	struct held_piece *pieces;
	msgid *ids;		/* held works: the messages may not be known yet */
	uint32_t *msgs;		/* index slots; 0 once it has its outcome */
};
#define WORK_SLOT_BITS 13u
_Static_assert(STAGE_SLOTS == 1u << WORK_SLOT_BITS, "slots in work numbers");

enum death {		/* of a deliverer */
	DEATH_LEFT,		/* asked to: nobody is blamed */
	DEATH_UNSEEN,		/* another stands there */
	DEATH_CRASH,
};

struct deliverer_peer {
	struct ipc_link *link;
	uint32_t incarnation;
	enum death death;	/* while dying */
	bool spoken;		/* WORK_HELLO_END */
	bool dying;		/* reaped; its last words are being read */
	struct list_node works;
	uint32_t n_works;
	struct work *by_slot[STAGE_SLOTS];
	uint16_t free_slots[STAGE_SLOTS];
	uint32_t n_free;
};

struct settings {	/* of the configuration, as used per message */
	uint64_t settle_after_us, checkpoint_us;
	uint64_t room_wait_us;	/* a third of Store_Timeout: the listener
				 * counts from before us */
	uint64_t arena_bytes;	/* Arena_Size, of each listener */
	uint64_t large_bytes;	/* a settled body above it is not brought into
				 * memory */
	struct slice hostname, mailer_daemon;
	uint32_t max_batch;
};

struct checkpoint_limits {	/* 0: as checkpoint.c has it */
	unsigned deltas;	/* of one base */
	uint64_t reserve_step;	/* bytes: room kept for the next base, grows
				 * by this */
};

/* Messages that may kill a deliverer: suspects.c. */
struct suspects {
	uint32_t head, tail, n;
	int deliverer;		/* kept for them, -1 none */
	uint64_t work;		/* on trial there, 0 none */
	/* Monotonic: when it was taken, its first trial began (0: none has),
	 * the latest began; it is not taken again before... */
	uint64_t since_us, first_us, began_us, rest_until_us;
	uint64_t patience_us;	/* of the trial */
	uint64_t drain_us;	/* a single deliverer may be got ready for */
};

struct poison;
struct logfeed;
struct replay;
struct settle;
struct loader;
struct checkpoint;
struct import;
struct engine;
struct hashed;
struct memory;
struct passthrough;
struct large;

struct spooler {
	struct worker *w;
	struct loop *loop;
	const struct fs *fs;
	char base[512];
	struct settings set;
	struct store store;
	int journal_dir;
	struct lease lease;
	struct id_source ids;
	msgid own_ids[2];		/* taken ahead for the next bounce */
	struct journal *journal;
	struct journal_limits limits;	/* 0: as configured */
	struct checkpoint_limits checkpoint_limits;
	struct index index;
	struct index held;		/* ids at deliverers since before our
					 * start: queue is the deliverer, due
					 * the slot, rcpt_at the place there */
	struct slabs slabs;
	struct txns txns;
	struct queues queues;
	struct listener_peer listeners[SPOOLER_LISTENERS];
	struct deliverer_peer deliverers[SPOOLER_DELIVERERS];
	struct list_node runnable;	/* queues with mail and credit */
	struct list_node load_wait;	/* would be runnable, but no reader is
					 * free for the head's body */
	struct list_node to_tell;	/* queues with mail, READY to be said */
	struct list_node settle_order;	/* txns, oldest first */
	struct list_node late_stores;	/* STOREs that wait for room or replay */
	struct list_node late_outcomes;
	struct list_node late_accepted;	/* delivered by one that died: to be
					 * written when there is room */
	struct list_node answered;	/* resent STOREs that were durable; a
					 * deliverer may read their extents */
	struct list_node orphans;	/* works of dead deliverers whose
					 * messages replay has yet to find */
	uint64_t next_work;
	struct logfeed *log;
	struct replay *replay;		/* NULL once it is done */
	const struct engine *engine;
	struct hashed *hashed;		/* NULL with another engine */
	struct memory *memory;		/* the same */
	struct passthrough *passthrough;
	struct settle *settle;
	struct checkpoint *checkpoint;
	struct loader *loader;
	struct import *import;
	struct large *large;
	struct suspects suspects;
	struct poison *poison;
	struct loop_timer wheel, second;
	struct loop_hook turn_end;
	bool started_handout;	/* every deliverer has spoken */
	bool incomplete;	/* not all of the store could be read: no
				 * checkpoint until the next start */
	bool unqueued;		/* messages wait for a queue number */
	uint64_t started_us;	/* monotonic */
};

static inline uint64_t
spooler_now(struct spooler *s)
{
	return loop_now_us(s->loop);
}

static inline void
spooler_score(struct spooler *s, unsigned n, uint64_t by)
{
	score_add(worker_score(s->w), n, by);
}

/* Our next id for mail of our own; MSGID_NONE when the disk refuses leases. */
msgid spooler_new_id(struct spooler *s);
/* The domain part of an address, as a queue's key; "localhost" without one. */
struct slice spooler_domain(struct slice addr);
struct config_where spooler_where(const struct queue *q);
/* Found or made, suspended as configured. */
struct queue *spooler_queue(struct spooler *s, struct slice group,
	struct slice binding, struct slice domain);
bool spooler_is_suspended(struct spooler *s, const struct queue *q);

/* intake */
void intake_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
void intake_link_up(struct spooler *s, struct ipc_link *k);
void intake_link_down(struct spooler *s, struct ipc_link *k);
void intake_dead(struct spooler *s, unsigned index, uint32_t incarnation);
void intake_stored(struct spooler *s, const struct journal_note *n);
/* Answers the STORE whose note this is. */
void intake_answer(struct spooler *s, const struct journal_note *n,
	enum store_result result);
/* With the reply of the next host. */
void intake_answer_as(struct spooler *s, const struct journal_note *n,
	const struct event *e);
/* Too much of the arena is held: this body leaves it; true if it did. */
bool intake_relieve(struct spooler *s, struct txn *x);
/* The log's R of mail whose body is not in the journal (flags of
 * JOURNAL_RECEIVED); there is room. */
void intake_say_received(struct spooler *s, const struct txn *x,
	uint32_t flags);
/* The whole of it, appended as a message record. */
enum journal_room intake_append(struct spooler *s, const struct txn *x,
	bool important, const struct journal_note *note);
/* Room in the journal, or replay has ended. */
void intake_retry(struct spooler *s);
/* Each second. */
void intake_second(struct spooler *s);
/* All deliverers have spoken: listeners learn which extents are still lent. */
void intake_keep(struct spooler *s);
/* A durable transaction's messages enter the index and queues. */
void intake_admit(struct spooler *s, struct txn *x, uint64_t lsn);
/* Its body (of a large one: where it is) and envelope are durable in this
 * segment. */
void txn_in_journal(struct spooler *s, struct txn *x, uint32_t epoch,
	uint64_t payload_at);
/* None of its messages needs its record any more. */
void txn_left_journal(struct spooler *s, struct txn *x);

/* handout */
void handout_link_up(struct spooler *s, struct ipc_link *k);
void handout_link_down(struct spooler *s, struct ipc_link *k);
void handout_dead(struct spooler *s, unsigned index, uint32_t incarnation,
	enum death death);
void handout_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
void handout_run(struct spooler *s);	/* at the end of a turn */
/* Often: nothing is handed out of suspended queues, but their mail ages. */
void handout_expire(struct spooler *s);
/* A message in no list is due: to its queue's end, or front, and offered; a
 * suspect to the suspects. */
void handout_place(struct spooler *s, uint32_t msg, bool front);
/* A suspect by itself to this deliverer, nobody's credit asked; NULL: its body
 * is being brought, or is to be, and it is back in a list. */
struct work *handout_alone(struct spooler *s, uint32_t msg,
	unsigned deliverer);
/* The queue has active mail: see to it that it is offered. */
void handout_wake(struct spooler *s, struct queue *q);
void handout_slab_gone(void *arg, uint32_t handle, uint32_t lent);
/* Works of deliverers that died while replay read: those whose messages are
 * known now come to their end. */
void handout_orphans(struct spooler *s);
/* Out of its queue, the wheel or flight. */
void handout_withdraw(struct spooler *s, uint32_t msg);
/* Its body came (or not: then its messages are delayed a little). */
void handout_loaded(struct spooler *s, struct txn *x, bool ok);
/* A reader is free. */
void handout_reader_free(struct spooler *s);
void handout_forget_queue(void *arg, struct queue *q);
/* Every deliverer that runs has said what it holds, and the journal is read:
 * handing out begins. */
void handout_check_spoken(struct spooler *s);
/* Its transaction, NULL when envelope and body must come from its files. */
struct txn *handout_txn(struct spooler *s, struct msg *m);
struct work *handout_find(struct spooler *s, unsigned deliverer,
	uint64_t number);
/* Its body is read no more; its slot stays until handout_ack(). */
void handout_release(struct spooler *s, struct work *w);
/* It is no more; its slot is free. */
void handout_end(struct spooler *s, struct work *w);
/* A judged work's record is durable, or needed no more. */
void handout_written(struct spooler *s, uint64_t number);
/* Its outcome is durable. */
void handout_ack(struct spooler *s, unsigned deliverer, uint64_t number);

/* held: works from before our start */
bool held_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
/* An OUTCOME said in the hello: the spooler before us may not have written it,
 * so its messages are in flight until it is. */
void held_outcome(struct spooler *s, unsigned deliverer, struct slice body);
/* All that run have spoken: works that the stage table still names and no
 * deliverer did are orphans. */
void held_leftovers(struct spooler *s);
/* A listener told of this slab. */
void held_slab(struct spooler *s, uint32_t handle);
/* Does one of them read this extent? */
bool held_reads(const struct spooler *s, struct piece p);
void held_release(struct spooler *s, struct work *w);
/* Is all that the disk has of its messages known? */
bool held_is_known(struct spooler *s, const struct work *w);
/* Finds the messages of a held work again: slots may have changed. */
void held_find(struct spooler *s, struct work *w);
/* A message found on disk: at a deliverer since before, or active/delayed. */
void held_place(struct spooler *s, uint32_t msg);

/* outcome */
void outcome_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
void outcome_durable(struct spooler *s, const struct journal_note *n);
void outcome_retry_late(struct spooler *s);
/* A message came due: active, or at its end. */
void outcome_due(void *arg, uint32_t msg);
/* The deliverer of this work is dead: by its stage each message is delivered,
 * tried again, or tried again as a possible duplicate. */
void outcome_orphan(struct spooler *s, struct work *w);
/* The same for a message of it that a younger work has: only its doubt. */
void outcome_still_doubtful(struct spooler *s, struct work *w, unsigned i,
	msgid id);
/* A message in no list has come to its end (expiry): it is loaded if need be,
 * then P and a bounce. */
void outcome_end(struct spooler *s, uint32_t msg);
/* A message of passthrough in no list ends: its client is told so. */
void outcome_cut(struct spooler *s, uint32_t msg, const char *reply);
/* The same with what is there of its body, which could not be brought. */
void outcome_end_now(struct spooler *s, uint32_t msg);
/* Is it past its expiry? */
bool outcome_is_expired(struct spooler *s, const struct msg *m);
/* No retry is ever further away, microseconds. */
uint64_t outcome_longest_wait(struct spooler *s, const struct msg *m);
/* Its P record: it is in quarantine.  False when there is no room just now. */
bool outcome_poison(struct spooler *s, uint32_t msg);
/* The message has left the spool: nothing but files may be left of it. */
void outcome_forget(struct spooler *s, uint32_t msg, uint32_t done_epoch);

/* settle */
struct settle *settle_create(struct spooler *s);
void settle_destroy(struct settle **t);
void settle_tick(struct spooler *s);
/* A round is on its way or ended well a moment ago. */
bool settle_makes_room(struct spooler *s);
/* A commit took this long: clients wait for it. */
void settle_commit_took(struct spooler *s, uint64_t us);
void settle_durable(struct spooler *s, const struct journal_note *n);
void settle_remove(struct spooler *s, msgid id, uint32_t done_epoch);
/* Files whose writing failed, or that nobody is to find: pins that segment. */
void settle_remove_begun(struct spooler *s, msgid id, uint32_t epoch);
void settle_flush(struct spooler *s);
/* In the thread that alone writes, removes and syncs spool files. */
void settle_submit(struct spooler *s, struct workq_job *job);
/* Syncs all directories, before any removal that is asked for later. */
void settle_sync_all(struct spooler *s);
void settle_state_durable(struct spooler *s, const struct journal_note *n);
size_t settle_pending(const struct spooler *s);

/* checkpoint: what is settled, on disk, so that a start need not look for it */
struct checkpoint *checkpoint_create(struct spooler *s);
void checkpoint_destroy(struct checkpoint **c);
/* What stands of a settled message in the journal, or that it is settled, has
 * become durable in this segment; or the message is about to leave. */
void checkpoint_note(struct spooler *s, struct msg *m, uint32_t epoch);
/* The same of one that replay found ended, by its id. */
void checkpoint_note_gone(struct spooler *s, msgid id);
/* The journal needs one soon. */
void checkpoint_want(struct spooler *s);
void checkpoint_tick(struct spooler *s);
/* After loading: generation and position of what was loaded, 0, 0 if nothing
 * is of use; taken: the highest generation that any file has. */
void checkpoint_resume(struct spooler *s, uint32_t generation, uint32_t base,
	uint64_t lsn, uint32_t taken);
/* An item of a message as it stands; its queue first if this file has none. */
void checkpoint_item_of(const struct msg *m, struct checkpoint_item *out);
void checkpoint_item_of_queue(const struct queue *q,
	struct checkpoint_item *out);

/* loader */
struct loader *loader_create(struct spooler *s);
void loader_destroy(struct loader **l);
/* Brings the body of x, or with x == NULL envelope and body of a settled
 * message; handout_loaded() is called later.  False: too many at once. */
bool loader_start(struct spooler *s, struct txn *x, uint32_t msg);

/* large: bodies that go to a file as they come; NULL on error */
struct large *large_create(struct spooler *s, struct error *err_out);
/* The journal is read: bodies found at the start that no record names go; with
 * damage, to quarantine. */
void large_sweep(struct spooler *s, bool damage);

/* import: mail of other spools, from pickup/ */
struct import *import_create(struct spooler *s);
/* Before replay: takes away what a crash left half taken. */
void import_recover(struct spooler *s);
/* Each second: takes what lies there. */
void import_tick(struct spooler *s);

/* logfeed */
struct logfeed *logfeed_create(struct spooler *s);
void logfeed_destroy(struct logfeed **f);
void logfeed_link_up(struct spooler *s, struct ipc_link *k);
void logfeed_link_down(struct spooler *s);
void logfeed_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);
void logfeed_durable(struct spooler *s, const struct journal_note *n);
void logfeed_run(struct spooler *s);
uint64_t logfeed_lag(const struct spooler *s);

/* replay */
int replay_start(struct spooler *s, struct error *err_out);
void replay_destroy(struct replay **r);
/* Was this batch found in the journal (live or not)?  Until listeners have
 * all spoken after a restart. */
bool replay_has_batch(const struct spooler *s, msgid batch);
/* Was it logged as received by a process that kept it in memory? */
bool replay_has_received(const struct spooler *s, msgid batch);
/* Was the outcome of this work found?  Until deliverers have all spoken. */
bool replay_has_work(const struct spooler *s, uint64_t number);
/* Has everything been read that may tell of this message?  If only its files
 * are left to look at they are asked for now: outcomes and orphans are tried
 * again when they came. */
bool replay_knows(struct spooler *s, msgid id);
/* May there be files of this transaction's messages that are yet to be found?
 * Not of mail that came since our start. */
bool replay_may_find(const struct spooler *s, const struct txn *x);
/* A message ended: files of it that are still to be found are no mail. */
void replay_note_end(struct spooler *s, msgid id, uint32_t done_epoch);
/* For people: of all mail that waits, how much is back. */
unsigned replay_percent(const struct spooler *s);
/* Checkpoint and journal are read: what they told of is in its queues. */
bool replay_is_read(const struct spooler *s);
/* What the journal ended has no files any more, or they go before any that are
 * written from now on. */
bool replay_is_swept(const struct spooler *s);
/* The index has all that is settled, though files may be left to look at. */
bool replay_is_complete(const struct spooler *s);
/* Journal and store are read; what is kept of it is for replay_has_batch. */
bool replay_is_over(const struct spooler *s);
/* How long it has been over, microseconds. */
uint64_t replay_age_us(const struct spooler *s);

/* ask: the console's questions */
void ask_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m);

#endif
