/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_table: THE list of console commands: their words, how many arguments
 * they take, who serves them, one line of help.  Look-up, help and the nearest
 * name to a wrong one come from it.  Pure.
 */
#ifndef EC_COMMAND_TABLE_H
#define EC_COMMAND_TABLE_H

#include "console/request.h"

/* X(id, "words", least arguments, most, "usage", "what it does") */
#define COMMANDS(X) \
X(SUMMARY, "summary", 0, 0, "", \
  "the server's queues, counts and rates of the last minute") \
X(WORKERS, "workers", 0, 0, "", \
  "each worker: process, state, restarts, its numbers") \
X(QUEUE, "queue", 0, 2, "[DOMAIN] [LIMIT]", \
  "the queues, largest first, or those of a domain; LIMIT lines (100)") \
X(DNS_LOOKUP, "dns_cache lookup", 1, 1, "NAME", \
  "what the DNS cache holds of a name") \
X(DNS_STATS, "dns_cache stats", 0, 0, "", \
  "size and use of the DNS cache") \
X(DNS_PURGE, "dns_cache purge", 1, 1, "NAME|*", \
  "forgets a name, or all, so that it is asked for again") \
X(RELOAD, "reload", 0, 0, "", \
  "reads the configuration again; a bad one changes nothing") \
X(REOPEN_LOGS, "reopen logs", 0, 0, "", \
  "opens the log files anew, after they were moved away") \
X(SHUTDOWN, "shutdown", 0, 0, "", \
  "stops the server gracefully") \
X(VERSION, "version", 0, 0, "", "the server's version") \
X(PID, "pid", 0, 0, "", "the supervisor's process id") \
X(HELP, "help", 0, 0, "", "this list")

enum command_id {
#define X(id, ...) COMMAND_##id,
	COMMANDS(X)
#undef X
	COMMAND_COUNT
};

struct command {
	const char *name;
	unsigned least, most;	/* arguments */
	const char *usage, *doc;
};

const struct command *command_row(enum command_id id);
/* COMMAND_COUNT if the request names none. */
enum command_id command_find(const struct request *req);
/* Words of its name: the request's arguments follow them. */
unsigned command_words(enum command_id id);
/* The name nearest to what was asked for; NULL if none is near. */
const char *command_nearest(const struct request *req);

#endif
