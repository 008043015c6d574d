/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor: everything the one process holds, and what main.c wires
 * together.  It parses no byte from the network or a console: its inputs are
 * the configuration file, signals, exit codes, and short fixed messages of its
 * own workers.
 *
 *	start_supervisor(&s, &err)   tables, sockets, users, then the workers
 *	loop_run(s->loop)            until the last worker has left
 *	stop_supervisor()            begins that, in the order of shutdown.c
 */
#ifndef EC_SUPERVISOR_H
#define EC_SUPERVISOR_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/loop.h"
#include "common/ipc/ipc.h"
#include "common/ipc/scoreboard.h"
#include "supervisor/adoption.h"
#include "supervisor/budgets.h"
#include "supervisor/children.h"
#include "supervisor/config_reload.h"
#include "supervisor/listen_socks.h"
#include "supervisor/users.h"

#include <limits.h>

enum phase {
	PHASE_START,	/* some worker was never ready yet */
	PHASE_RUN,
	PHASE_STOP,	/* workers leave, group by group */
};

struct supervisor {
	struct loop *loop;
	struct ipc_hub hub;
	struct loop_hook turn;
	struct loop_timer watch, look;
	uint64_t round_due_us;	/* of the watch */
	uint64_t watched_since_us;	/* silence before it does not count */
	enum phase phase;
	unsigned stop_group;
	bool changed;		/* some worker changed its state this turn */
	bool foreground, as_root;

	char config_path[PATH_MAX];
	char pidfile[PATH_MAX];
	char log_dir[PATH_MAX];
	char libexec[PATH_MAX];
	struct generation conf;
	struct config *started;	/* generation 1: RESTART options are its */
	struct tables tables;
	struct listen_socks socks;
	struct adoption adoption;
	struct users users;
	int log_fds[2];		/* the logger reads 0, everybody writes 1 */
	int pidfile_fd;

	int parent_fd;		/* daemon mode: whoever waits for us, or -1 */
	char *notify;		/* the service manager's socket, or NULL */
	int exit_code;
	char last_words[640];	/* why, if exit_code is not 0 */

	unsigned n_children[ROLE_COUNT];
	struct child children[ROLE_COUNT][SCORE_PER_ROLE];
};

/* From a loaded configuration to running workers.  Gives the exit code that
 * tells why not, with the sentence; 0 is success. */
int start_supervisor(struct supervisor *s, struct error *err_out);
/* From now on every worker leaves; loop_run() ends when they have.  words: why,
 * if exit_code is not 0. */
void stop_supervisor(struct supervisor *s, int exit_code, const char *words);
void stop_supervisor_now(struct supervisor *s);
/* Takes the file anew; text_out gets what people should read. */
bool reload_supervisor(struct supervisor *s, struct buf *text_out);
void reopen_supervisor_logs(struct supervisor *s);
/* Once a turn while stopping: the next group's turn? */
void stop_supervisor_progress(struct supervisor *s);
/* Something about this worker is no longer as it was. */
void supervisor_changed(struct supervisor *s, struct child *c);
/* Each worker in turn; NULL starts and ends it. */
struct child *supervisor_next_child(struct supervisor *s,
	const struct child *after);
/* Logs each line of a text at this level. */
void supervisor_log_lines(int level, struct slice text);

#endif
