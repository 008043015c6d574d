/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: who was promised what.  A text file, one line for each event:
 *
 *	ID RCPT REPLY...	the sender saw a 250 (ec_load), or the sink was
 *				about to say one (ec_sink, without REPLY)
 *	? ID RCPT WHY...	all was sent up to the final dot, no reply came:
 *				the message may have arrived or not
 *
 * Lines gather in memory and leave with one write(2) in ledger_flush(), which
 * the caller runs before the reply they stand for goes out (sink) or at the
 * end of the loop's turn (generator).  A last line without its newline is the
 * mark of a writer that died and is not counted.
 *
 * Reconciling counts events by "ID RCPT": a promise without an arrival is
 * lost; an arrival too many is excused by a "?" line, else it is a duplicate,
 * and without any promise it is unexpected.
 */
#ifndef EC_BENCH_LEDGER_H
#define EC_BENCH_LEDGER_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

struct ledger {
	int fd;		/* -1: nobody asked for one */
	struct buf pending;
};

/* Appends to path; NULL makes a ledger that takes nothing. */
int ledger_open(struct ledger *l, const char *path, struct error *err_out);
void ledger_close(struct ledger *l);
/* doubt: a "?" line. */
void ledger_add(struct ledger *l, bool doubt, struct slice id,
	struct slice rcpt, struct slice rest);
int ledger_flush(struct ledger *l, struct error *err_out);

struct ledger_line {
	bool doubt;
	struct slice id, rcpt, rest;
	struct slice key;	/* "ID RCPT", as it stands in the line */
};

enum ledger_parse {
	LEDGER_LINE,
	LEDGER_END,	/* nothing more */
	LEDGER_TORN,	/* a line without end: nothing more */
	LEDGER_BAD,	/* a line without id and recipient; skipped */
};

/* Takes one line off *text. */
enum ledger_parse ledger_next(struct slice *text, struct ledger_line *out);

#define LEDGER_SHOWN 10

struct ledger_sums {
	uint64_t accepted, delivered, lost, duplicates, excused, unexpected;
	uint64_t doubtful;	/* "?" lines */
	uint64_t bad_lines;	/* in either file, torn ones included */
	size_t n_shown;
	struct slice shown[LEDGER_SHOWN];	/* lost keys, borrowed */
};

void ledger_reconcile(struct slice accepted, struct slice arrived,
	struct ledger_sums *out);

#endif
