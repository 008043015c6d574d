/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask: a question under way to another process (ASK) or to the supervisor
 * (SUP_REQUEST), and what was told of its answer so far.  TOLD lines are JSON
 * objects of another process's making: a line that is none, and more of them
 * than CONTROL_ANSWER_MAX bytes, end the question, not the process.
 */
#ifndef EC_ASK_H
#define EC_ASK_H

#include <jansson.h>

#include "common/base/slice.h"
#include "common/ipc/ipc_msgs.h"

enum ask_status {
	ASK_MORE,	/* more lines follow */
	ASK_DONE,	/* that was the last */
	ASK_BAD,	/* a line was no JSON object */
	ASK_TOO_MUCH,	/* past CONTROL_ANSWER_MAX */
};

struct ask {
	uint32_t number;	/* 0: nothing is asked */
	enum ipc_role role;
	unsigned index;
	size_t bytes;
	json_t *rows;		/* the lines before the last */
	json_t *end;		/* the last, or NULL */
};

void ask_begin(struct ask *a, uint32_t number, enum ipc_role role,
	unsigned index);
/* Nothing is asked any more; frees what was told. */
void ask_end(struct ask *a);
enum ask_status ask_take(struct ask *a, bool last, struct slice line);
/* The sentence of {"error":"..."} in the last line; NULL if it has none. */
const json_t *ask_error(const struct ask *a);

#endif
