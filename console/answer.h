/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: builds the lines of an answer (control.h) in a client's output, as
 * data objects or as text, whichever the request wants.  Everything in text is
 * escaped here; JSON is written in US-ASCII.  What does not fit sets
 * out->full, looked at once by clients_answered().
 */
#ifndef EC_ANSWER_H
#define EC_ANSWER_H

#include <jansson.h>

#include "common/base/buf.h"
#include "console/request.h"
#include "console/table.h"

/* {"data":o} */
void answer_data(struct buf *out, const json_t *o);
/* {"text":...}, of US-ASCII, in pieces of CONTROL_TEXT_MAX bytes. */
void answer_text(struct buf *out, struct slice text);
/* Ends it: NULL is success. */
void answer_end(struct buf *out, const char *error);
/* Ends it with text of somebody else's, possibly of several lines. */
void answer_end_raw(struct buf *out, struct slice error);
/* Lines of somebody else's text, escaped. */
void answer_raw(struct buf *out, const struct request *how, struct slice text);

/* An array of objects: data objects, or a table with a column for each key. */
void answer_rows(struct buf *out, const struct request *how,
	const json_t *rows);
/* An object: data, or lines "Some Key: value" of {"some_key": value}. */
void answer_lines(struct buf *out, const struct request *how,
	const json_t *object);
/* A table for text, nothing with json. */
void answer_table(struct buf *out, const struct request *how,
	const struct table *t);

#endif
