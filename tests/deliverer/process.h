/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: the deliverer's process with a test around it that is supervisor,
 * spooler, resolver and the servers.  One at a time, so its parts are plain
 * globals of the test program; each test runs forked and has its own.
 *
 *	start("PIPELINING", rules, n, "Body_Timeout = 1\n");
 *	add_many(3, 1);
 *	fake_spooler_ready(&sp, 1, "example.net");
 *	wait_for(fake_spooler_all_acked, &sp);
 *	finish();
 */
#ifndef EC_TESTS_DELIVERER_PROCESS_H
#define EC_TESTS_DELIVERER_PROCESS_H

#include "tests/deliverer/fake_spooler.h"
#include "tests/support/scripted_peer.h"

#define PATIENCE_US 8000000u
#define BODY "Subject: x\r\n\r\n.dot\r\nline\r\n"

extern struct loop *loop;
extern struct worker_harness h;
extern struct fake_spooler sp;
extern struct scripted_peer peer, other;	/* peer has the rules */

/* The deliverer with peer as its Gateway and these lines of configuration. */
void start(const char *caps, const struct peer_rule *rules, size_t n_rules,
	const char *more);
void finish(void);
/* The same after scripted_peer_close(&peer). */
void finish_without_peer(void);
/* Another configuration; wait for what it brings. */
void configure(const char *conf);
void wait_for(bool (*done)(void *), void *arg);
/* Turns the loop for so long. */
void let_pass(uint64_t us);
void add_many(unsigned n, uint32_t queue);
/* For wait_for(): the server's row and those of queues 1 and 2 are empty. */
bool all_budgets_are_back(void *arg);

struct held_question {
	uint32_t query;
	uint8_t kind;
	char name[64];
};

/* The resolver that the test plays. */
struct fake_resolver {
	struct ipc_link link;
	enum resolve_status status;	/* of MX questions */
	uint32_t ttl;
	bool mute;			/* questions are held back */
	struct held_question held[8];
	unsigned n_held;
	uint8_t host[2];		/* last byte of 127.0.0.x; 0: none */
	unsigned n_questions;
};
extern struct fake_resolver dns;

void link_resolver(void);
/* Answers what was held back for that name; false if nothing was. */
bool answer_held(const char *name);

#endif
