/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps: what tests of the real spooler say again and again, with the one rig
 * of a test program.  Each waits for what it names, and fails the test when
 * that does not come.
 */
#ifndef EC_TESTS_SPOOLER_STEPS_H
#define EC_TESTS_SPOOLER_STEPS_H

#include "tests/spooler/rig.h"

#include <check.h>

extern struct rig rig;
extern const char *const to_net[1], *const to_three[3];

/* One transaction from listener 0, answered with 250. */
struct mail *stored(unsigned n, const char *const *rcpts, size_t size);
/* The n-th event of this kind, and none more. */
const struct seen *logged(msgid id, int kind, unsigned n);
/* Its work at deliverer 0. */
struct job *work_for(msgid id);
/* Delivers what the deliverer holds and has not told of. */
void deliver_held(struct fake_deliverer *d);
/* For rig_until(): no job is left at a fake_deliverer *; as many .meta files
 * as *(unsigned *) stand in the store. */
bool no_jobs(void *deliverer);
bool is_settled(void *n);
/* Do these bytes, does this batch, stand in a segment file? */
bool in_file(const char *text, size_t size);
bool in_journal(msgid batch);

/* For main(): runs it, says how it went. */
int run_suite(Suite *s);

#endif
