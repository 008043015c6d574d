/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: makes a machine of files below a temporary root from a text in
 * tests/preflight/trees, laid out as /proc and /sys are, and holds what
 * ec_check has to find on it.  Lines, by their first word:
 *
 *	file PATH              the lines up to one with a lone dot
 *	disk NAME M:m CACHE    whole disk; CACHE is back, through or -
 *	part DISK NAME M:m     partition of it
 *	md NAME M:m LEVEL DEGRADED MEMBER...
 *	dm NAME M:m DMNAME UUID MEMBER...     - stands for an empty UUID
 *	loop NAME M:m          ram NAME M:m
 *	log DIR                a log directory to ask about
 *	allow xfs|barrier|sync
 *	expect SPOOL FINDING LEVEL WORDS      what must contain WORDS
 */
#ifndef EC_TESTS_PREFLIGHT_TREE_H
#define EC_TESTS_PREFLIGHT_TREE_H

#include "common/base/base.h"
#include "helpers/preflight/facts.h"

#define TREE_EXPECTS 64

struct tree_expect {
	char spool[128], finding[32], level[16], words[128];
};

struct tree {
	char root[64];
	struct facts_request request;	/* root, logs, permissions */
	char logs[4][128];
	unsigned n_expects;
	struct tree_expect expects[TREE_EXPECTS];
};

/* Panics on a line that it does not know: the text is ours. */
void tree_build(struct tree *t, const char *path);
void tree_remove(struct tree *t);

#endif
