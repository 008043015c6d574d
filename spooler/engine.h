/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: what accepting mail means (Spool_Engine).  The engines differ where
 * this table says, and nowhere else: queues, handing out, outcomes, the log and
 * replay are the same for all.
 *
 *	journal	body and envelope in the journal, durable; settled when old
 *	hashed	two synced files and their SETTLED record; the body is never in
 *		the journal
 *	memory	nothing on disk (but the log's lines) until num_retries attempts
 *		have failed, or memory is short; then as journal
 *	passthrough  nothing on disk (the same): the answer is the next host's
 *
 * A STORE is named by the note that its record carries: a is the transaction,
 * b the listener's number of it, c the listener.  Whoever takes it over calls
 * intake_answer() with that note, once.
 */
#ifndef EC_ENGINE_H
#define EC_ENGINE_H

#include "common/mail/event.h"
#include "spooler/spooler.h"

struct engine {
	const char *name;
	/* The client is answered by the outcome, of whatever kind, and keeps
	 * its mail until then. */
	bool by_remote;
	/* Takes the transaction over, unless there is no room now (BUSY: later,
	 * FULL: the client is told).  resent: by a listener that had no answer
	 * from the spooler before us. */
	enum journal_room (*accept)(struct spooler *s, struct txn *x,
		const struct journal_note *note, bool resent);
	/* There may be room in the journal; NULL: nothing ever waits. */
	void (*room)(struct spooler *s);
	/* An attempt of mail in memory only has failed; its record is
	 * durable. */
	void (*retried)(struct spooler *s, struct msg *m, struct txn *x);
	/* Mail in memory only has come to its end; the record is durable. */
	void (*ended)(struct spooler *s, struct txn *x, const struct event *e);
	/* We are leaving: is what is in memory only on disk?  Asked again until
	 * it is; NULL: nothing ever is. */
	bool (*drained)(struct spooler *s);
};

extern const struct engine engine_journal, engine_hashed, engine_memory,
	engine_passthrough;

/* The one that is configured, or why it may not be. */
int engine_start(struct spooler *s, int *exit_code_out, struct error *err_out);
void engine_room(struct spooler *s);
bool engine_drained(struct spooler *s);
/* Is it this one's client who is to hear of an outcome, and nobody else? */
static inline bool
engine_answers_by(const struct spooler *s, const struct txn *x)
{
	return s->engine->by_remote && !txn_is_on_disk(x);
}

/* hashed */
struct hashed *hashed_create(struct spooler *s);
void hashed_begun(struct spooler *s, const struct journal_note *n);
void hashed_durable(struct spooler *s, const struct journal_note *n);

/* memory */
int memory_start(struct spooler *s, struct error *err_out);
void memory_spilled(struct spooler *s, const struct journal_note *n);

/* passthrough */
void passthrough_start(struct spooler *s);

#endif
