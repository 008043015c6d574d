/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: findings as text.  Pure; appends to the caller's buffer.  What comes
 * from the system (paths, device names) is escaped here.
 */
#ifndef EC_PREFLIGHT_SHOW_H
#define EC_PREFLIGHT_SHOW_H

#include "common/base/buf.h"
#include "helpers/preflight/judge.h"

/* For people: a line a finding, and what to do where there is something. */
void show_table(const struct facts *f, const struct findings *found,
	bool colour, struct buf *out);
/* One object and a line feed. */
void show_json(const struct facts *f, const struct findings *found,
	struct buf *out);
/* For the supervisor: "refuse SENTENCE" or "warn SENTENCE" a line, worst
 * first; nothing for the levels below. */
void show_start(const struct facts *f, const struct findings *found,
	struct buf *out);

#endif
