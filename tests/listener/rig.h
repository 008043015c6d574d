/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig: one real listener between a fake spooler, a fake logger and clients,
 * for the tests of this folder.  Each test is a process of its own, so the
 * parts are plain variables.
 *
 *	start("Idle_Time = 1\n");	it is ready, with a socket
 *	up();				a spooler is there
 *	talker_open(&client[0], loop, port);
 *	say(0, HI MAIL1);
 *	wait_codes(6);
 *	finish();			nothing may be left behind
 */
#ifndef EC_TESTS_LISTENER_RIG_H
#define EC_TESTS_LISTENER_RIG_H

#include <check.h>

#include "common/mail/reject.h"
#include "tests/listener/fake_spooler.h"
#include "tests/listener/talker.h"

#define PATIENCE_US 8000000u
#define CLIENTS 64u

struct rig_reject {
	unsigned code;
	char phase[64];
};

extern struct loop *loop;
extern struct worker_harness h;
extern struct fake_spooler sp;
extern unsigned n_rejects;
extern struct rig_reject last_reject;
extern struct talker client[CLIENTS];
extern uint16_t port;		/* of slot 0 */
extern unsigned goal;		/* of the conditions */

/* A condition to wait for: an expression over these variables. */
#define WAIT(name, cond) \
	static bool name(void *arg) { (void)arg; return cond; }

void wait_for(bool (*done)(void *), void *arg, const char *what);
/* Replies to client 0, STOREs, rejects: that many so far. */
void wait_codes(unsigned n);
void wait_stores(unsigned n);
void wait_rejects(unsigned n);
/* Until the listener closed on it. */
void wait_end(unsigned i);
/* A listening socket for a slot; its port. */
uint16_t give_socket(unsigned slot, int *fd_out);
void start(const char *more);
void reload(const char *more);
void up(void);
void finish(void);
void say(unsigned i, const char *text);
uint64_t arena_used(void);
/* The content behind the trace header. */
struct slice content(const struct fake_store *s);
void add(Suite *s, const char *name, const TTest *test, int n);
int run(Suite *s);

#define BYTES(lit) { (lit), sizeof(lit) - 1 }
#define HI "EHLO me.example\r\n"
#define FROM "MAIL FROM:<a@x.example>\r\n"
#define TO "RCPT TO:<b@y.example>\r\n"
#define OPEN HI FROM TO "DATA\r\n"
#define TEXT "Subject: x\r\n\r\nline\r\n"
#define MAIL1 FROM TO "DATA\r\n" TEXT ".\r\n"


#endif
