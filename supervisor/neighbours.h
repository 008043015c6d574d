/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbours: what adoption decides by and what it decides, for the listeners
 * that run: looks once a second at their heartbeats and sessions (scoreboard)
 * and at the backlogs of their sockets (asked of the kernel), and sends
 * SUP_ADOPT.  A listener that lies in the scoreboard gets its sockets shared,
 * or shares others'; it takes nothing from anybody.
 */
#ifndef EC_NEIGHBOURS_H
#define EC_NEIGHBOURS_H

struct supervisor;

/* Starts the looks; they set their own timer. */
void neighbours_start(struct supervisor *s);
/* Some listener came or went. */
void neighbours_changed(struct supervisor *s);

#endif
