/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logger: the process that writes the logs.  This is its core: module
 * instances, their files, the positions and the sidecar.  service.c connects
 * it to the worker skeleton; main.c starts that.
 *
 * The order that makes a restart exact: lines are written and synced, then
 * the sidecar says so durably, then the spooler is told (ack).  A crash
 * anywhere between leaves files that the next start cuts back.
 *
 *	struct logger *g = logger_create(ack, arg);
 *	if (logger_start(g, cfg, &code, &err) < 0) { ... }
 *	from = logger_hello(g, 0);		// LOG_HELLO{from}
 *	logger_event(g, 0, position, body);	// LOG_EVENT
 *	logger_tick(g, wall_us, links_up);	// each second
 */
#ifndef EC_LOGGER_LOGGER_H
#define EC_LOGGER_LOGGER_H

#include "common/config/config.h"
#include "logger/logfile.h"

#define LOGGER_SYNC_BYTES (4u << 20)	/* sync before the second is over */

struct logger;

typedef void (*logger_ack_fn)(void *arg, unsigned spooler, uint64_t position);

struct logger *logger_create(logger_ack_fn ack, void *arg);
/* Syncs nothing: logger_checkpoint() first. */
void logger_destroy(struct logger **g);

/* Loads the modules, opens the logs, cuts them to the sidecar.  -1: the
 * sentence and an exit code (78 configuration, 72 no module, 73 no file). */
int logger_start(struct logger *g, const struct config *cfg,
	int *exit_code_out, struct error *err_out);
/* A new configuration, whole or not at all: on -1 the old one goes on. */
int logger_reconfigure(struct logger *g, const struct config *cfg,
	struct error *err_out);
/* After rotation. */
int logger_reopen(struct logger *g, struct error *err_out);

/* A spooler is there: the durable position it shall go on behind. */
uint64_t logger_hello(struct logger *g, unsigned spooler);
enum logger_took {
	LOGGER_TAKEN,
	LOGGER_SKIPPED,		/* it stands in the logs already */
	LOGGER_MALFORMED,
};
enum logger_took logger_event(struct logger *g, unsigned spooler,
	uint64_t position, struct slice event);
/* False: malformed. */
bool logger_reject(struct logger *g, struct slice reject);
void logger_panic(struct logger *g, uint64_t wall_us, struct slice line);

/* At the end of each turn: what waits goes to the files; a checkpoint when
 * much was written. */
enum logfile_synced logger_turn(struct logger *g);
/* About each second: heartbeats, then a checkpoint.  Of spoolers whose bit in
 * up is set and who have been silent since the last tick, the last position
 * counts as whole. */
enum logfile_synced logger_tick(struct logger *g, uint64_t wall_us,
	uint64_t up);
/* Sync, sidecar, acknowledge. */
enum logfile_synced logger_checkpoint(struct logger *g);

/* Events cannot be taken now: the disk does not take their lines. */
bool logger_is_stuck(const struct logger *g);
uint64_t logger_write_errors(const struct logger *g);
const char *logger_last_error(const struct logger *g);
/* The directories of all logs, NULL-ended; valid until the next reload. */
const char *const *logger_directories(struct logger *g);

#endif
