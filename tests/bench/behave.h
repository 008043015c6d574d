/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behave: what the sink does other than accept.  A rule names a stage of the
 * SMTP dialogue, perhaps a part of the address it is for, and how often:
 *
 *	reply	STAGE[/PART]=CODE[:TEXT][@RATIO]   rcpt=450:busy@0.3
 *	delay	STAGE[/PART]=MILLISECONDS[@RATIO]  dot=200
 *	drop	STAGE[/PART][@RATIO]               ack@0.05
 *
 * Rules are tried in the order given; the first that fits and whose dice fall
 * counts.  Pure: the dice are a seeded generator in the struct.
 */
#ifndef EC_BENCH_BEHAVE_H
#define EC_BENCH_BEHAVE_H

#include "common/base/base.h"
#include "common/base/slice.h"

/* Stage and which kinds of rule it takes: r(eply), d(elay), x (drop). */
#define BEHAVE_STAGES(X) \
	X(CONNECT, "connect", "rdx")	/* the greeting */ \
	X(HELO, "helo", "rdx")		/* EHLO or HELO */ \
	X(MAIL, "mail", "rdx") \
	X(RCPT, "rcpt", "rdx") \
	X(DATA, "data", "rdx")		/* instead of the 354 */ \
	X(BODY, "body", "x")		/* in the middle of the message */ \
	X(DOT, "dot", "rdx")		/* all came; nothing taken, no ledger */ \
	X(ACK, "ack", "x")		/* taken, in the ledger, never told */ \
	X(RSET, "rset", "rdx") \
	X(QUIT, "quit", "rdx")

enum behave_stage {
#define X(id, name, kinds) BEHAVE_##id,
	BEHAVE_STAGES(X)
#undef X
	BEHAVE_STAGE_COUNT
};

enum behave_kind {
	BEHAVE_REPLY,
	BEHAVE_DELAY,
	BEHAVE_DROP,
};

#define BEHAVE_RESULTS(X) \
	X(OK, "accepted") \
	X(BAD_STAGE, "no such stage, or this kind of rule makes no sense there") \
	X(BAD_CODE, "the reply code must be three digits from 200 to 599") \
	X(BAD_RATIO, "the ratio must be a fraction from 0 to 1") \
	X(BAD_DELAY, "the delay must be milliseconds up to 3600000") \
	X(BAD_SYNTAX, "no '=' where one belongs, or one where none does") \
	X(BAD_TEXT, "the text or the address part is too long or not ASCII") \
	X(TOO_MANY, "too many rules")

enum behave_result {
#define X(id, words) BEHAVE_##id,
	BEHAVE_RESULTS(X)
#undef X
};

#define BEHAVE_RULES 64u
#define BEHAVE_ALWAYS 1000000u

struct behave_rule {
	enum behave_kind kind;
	enum behave_stage stage;
	uint32_t ratio_ppm;
	unsigned code;		/* reply */
	unsigned delay_ms;	/* delay */
	char part[64];		/* must stand in the address; empty: any */
	char text[160];		/* behind the code; empty: the usual one */
};

struct behave {
	struct behave_rule rules[BEHAVE_RULES];
	size_t n;
	uint64_t dice;
};

void behave_init(struct behave *b, uint64_t seed);
enum behave_result behave_add(struct behave *b, enum behave_kind kind,
	struct slice text);
const char *behave_result_words(enum behave_result r);
/* The rule to follow now, or NULL; address may be empty. */
const struct behave_rule *behave_pick(struct behave *b, enum behave_kind kind,
	enum behave_stage stage, struct slice address);

#endif
