/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, changing and reloading the whole. */
#include "supervisor/supervisor.h"

#include <signal.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/proctitle.h"
#include "supervisor/neighbours.h"
#include "supervisor/notify.h"
#include "supervisor/pidfile.h"
#include "supervisor/places.h"
#include "supervisor/preflight.h"
#include "supervisor/privileges.h"
#include "supervisor/scoreboard_mon.h"
#include "supervisor/spawn.h"

#define EXIT_SYSTEM 71
#define EXIT_CONFIG 78

struct child *
supervisor_next_child(struct supervisor *s, const struct child *after)
{
	unsigned role = after == NULL ? 0 : after->role;
	unsigned index = after == NULL ? 0 : after->index + 1;

	for (; role < ROLE_COUNT; role++, index = 0) {
		if (index < s->n_children[role]) {
			return &s->children[role][index];
		}
	}
	return NULL;
}

void
supervisor_log_lines(int level, struct slice text)
{
	while (text.len > 0) {
		struct slice line = slice_cut(&text, '\n');

		if (line.len > 0) {
			log_at((enum log_level)level, "%.*s",
			    SLICE_ARG(line));
		}
	}
}

void
supervisor_changed(struct supervisor *s, struct child *c)
{
	scoreboard_mon_mirror(s, c);
	s->changed = true;
	loop_again(s->loop);
}

static void
started(struct supervisor *s)
{
	struct child *c = NULL;
	unsigned count = 0;

	while ((c = supervisor_next_child(s, c)) != NULL) {
		if (!c->proc.was_ready) {
			return;
		}
		count++;
	}
	s->phase = PHASE_RUN;
	log_notice("ready: %u workers, %zu listening addresses", count,
	    s->socks.n);
	notify_say(s->notify, "READY=1");
	notify_parent(&s->parent_fd, 0, s->users.drop ? "" : s->last_words);
}

/* After the callbacks of a turn, when all that happened in it is known. */
static void
on_turn_end(void *arg)
{
	struct supervisor *s = arg;

	if (!s->changed) {
		return;
	}
	s->changed = false;
	if (s->phase == PHASE_START) {
		started(s);
	}
	if (s->phase == PHASE_RUN) {
		neighbours_changed(s);
	}
	if (s->phase == PHASE_STOP) {
		stop_supervisor_progress(s);
	}
	scoreboard_mon_title(s);
}

static void
tell_gone(struct supervisor *s, const struct listen_socks *next)
{
	for (unsigned i = 0; i < s->n_children[ROLE_LISTENER]; i++) {
		struct child *c = &s->children[ROLE_LISTENER][i];

		for (size_t a = 0; a < s->socks.n; a++) {
			if (ipc_link_is_up(&c->link) &&
			    !listen_socks_has(next, &s->socks.addr[a])) {
				listen_socks_send_gone(&s->socks.addr[a],
				    &c->link);
			}
		}
	}
}

static void
tell_new(struct supervisor *s, const struct listen_socks *next)
{
	for (unsigned i = 0; i < s->n_children[ROLE_LISTENER]; i++) {
		struct child *c = &s->children[ROLE_LISTENER][i];

		for (size_t a = 0; a < next->n; a++) {
			if (ipc_link_is_up(&c->link) && !next->addr[a].kept) {
				listen_socks_send(next, &next->addr[a],
				    &c->link);
			}
		}
	}
}

/* A listener forgets what is gone while it still has the old configuration,
 * and knows the new one before it serves what is new. */
static void
publish(struct supervisor *s, struct generation *g, struct listen_socks *socks)
{
	struct child *c = NULL;

	tell_gone(s, socks);
	if (s->conf.cfg == s->started) {
		s->conf.cfg = NULL;	/* it stays */
	}
	generation_fini(&s->conf);
	s->conf = *g;
	while ((c = supervisor_next_child(s, c)) != NULL) {
		if (ipc_link_is_up(&c->link)) {
			child_send_config(c);
		}
	}
	tell_new(s, socks);
	listen_socks_swap(&s->socks, socks);
	atomic_store(&s->tables.scoreboard->generation, s->conf.number);
	log_level_set((enum log_level)generation_log_level(&s->conf));
}

static bool
reload(struct supervisor *s, struct buf *text_out)
{
	struct generation next;
	struct listen_socks socks;
	struct error err = { 0 };

	if (!generation_load(&next, s->config_path, s->conf.number + 1,
	    text_out)) {
		return false;
	}
	if (!generation_keep(&next, s->started, text_out)) {
		generation_fini(&next);
		return false;
	}
	if (listen_socks_build(&socks, &s->socks, next.cfg,
	    s->n_children[ROLE_LISTENER], &err) < 0) {
		buf_printf(text_out, "%s\n", err.text);
		generation_fini(&next);
		return false;
	}
	publish(s, &next, &socks);
	return true;
}

bool
reload_supervisor(struct supervisor *s, struct buf *text_out)
{
	char state[80];
	bool ok;

	if (s->phase == PHASE_STOP) {
		buf_puts(text_out, "not reloaded: the server is stopping\n");
		return false;
	}
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)clock_mono_us());
	notify_say(s->notify, state);
	ok = reload(s, text_out);
	supervisor_log_lines(ok ? EC_WARNING : EC_ERROR, buf_slice(text_out));
	if (ok) {
		log_notice("configuration %s holds, generation %u",
		    s->config_path, s->conf.number);
	} else {
		log_error("configuration %s is not taken, generation %u stays",
		    s->config_path, s->conf.number);
	}
	notify_say(s->notify, "READY=1");
	return ok;
}

void
reopen_supervisor_logs(struct supervisor *s)
{
	struct error err = { 0 };

	for (unsigned i = 0; i < s->n_children[ROLE_LOGGER]; i++) {
		struct child *c = &s->children[ROLE_LOGGER][i];

		if (ipc_link_is_up(&c->link)) {
			ipc_say(&c->link, IPC_SUP_REOPEN);
		}
	}
	if (places_open_stderr(s, &err) < 0) {
		log_error("%s", err.text);
	}
	log_notice("log files are opened anew");
}

static int
take_place(struct supervisor *s, struct error *err_out)
{
	struct config_where security = {
		.scope = config_first(s->conf.cfg, NULL, SCOPE_SECURITY) };
	const struct config_where *w = security.scope != NULL ? &security :
	    NULL;

	if (users_find(&s->users, s->as_root,
	    config_string(s->conf.cfg, w, OPT_USER),
	    config_string(s->conf.cfg, w, OPT_GROUP), err_out) < 0) {
		return EXIT_CONFIG;
	}
	if (places_find(s, err_out) < 0) {
		return EXIT_SYSTEM;
	}
	s->pidfile_fd = pidfile_open(s->pidfile, err_out);
	if (s->pidfile_fd < 0) {
		return err_out->code == ERROR_LIMIT ? 1 : EXIT_SYSTEM;
	}
	if (places_make(s, err_out) < 0 || places_open_stderr(s, err_out) < 0) {
		return EXIT_SYSTEM;
	}
	return 0;
}

static int
open_all(struct supervisor *s, struct error *err_out)
{
	struct listen_socks none = { 0 };

	privileges_lift_files((uint64_t)config_int(s->conf.cfg, NULL,
	    OPT_SERVER_MAX_FILE_DESCRIPTORS));
	if (spawn_find_libexec(s->libexec, sizeof s->libexec, err_out) < 0 ||
	    tables_create(&s->tables, err_out) < 0 ||
	    ipc_pair(s->log_fds, err_out) < 0 ||
	    listen_socks_build(&s->socks, &none, s->conf.cfg,
	    s->n_children[ROLE_LISTENER], err_out) < 0) {
		return -1;
	}
	return privileges_reduce(s->as_root, err_out);
}

static void
count_workers(struct supervisor *s)
{
	struct scoreboard *b = s->tables.scoreboard;

	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		atomic_store(&b->n_workers[r], s->n_children[r]);
		for (unsigned i = 0; i < s->n_children[r]; i++) {
			child_init(&s->children[r][i], s, (enum ipc_role)r, i);
		}
	}
	atomic_store(&b->generation, s->conf.number);
}

/* The logger first: it reads what the others have to say. */
static void
start_workers(struct supervisor *s)
{
	static const unsigned char order[] = { ROLE_LOGGER, ROLE_RESOLVER,
	    ROLE_SPOOLER, ROLE_DELIVERER, ROLE_LISTENER, ROLE_CONSOLE };

	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		for (unsigned i = 0; i < s->n_children[order[k]]; i++) {
			child_event(&s->children[order[k]][i],
			    PROCESS_E_START, 0);
		}
	}
}

static void
say_not_root(struct supervisor *s)
{
	if (!s->as_root) {
		snprintf(s->last_words, sizeof s->last_words, "not started by "
		    "root: all workers run as user %s, and ports below 1024 "
		    "cannot be bound", s->users.of[ROLE_SUPERVISOR].name);
		log_notice("%s", s->last_words);
	}
}

int
start_supervisor(struct supervisor *s, struct error *err_out)
{
	int code;

	s->started = s->conf.cfg;
	code = take_place(s, err_out);
	if (code != 0) {
		return code;
	}
	s->n_children[ROLE_LOGGER] = s->n_children[ROLE_RESOLVER] = 1;
	s->n_children[ROLE_SPOOLER] = s->n_children[ROLE_CONSOLE] = 1;
	s->n_children[ROLE_LISTENER] = generation_count(&s->conf,
	    OPT_LISTENERS, SCORE_PER_ROLE);
	s->n_children[ROLE_DELIVERER] = generation_count(&s->conf,
	    OPT_DELIVERERS, BUDGET_DELIVERERS);
	adoption_init(&s->adoption);
	if (open_all(s, err_out) < 0) {
		return EXIT_SYSTEM;
	}
	log_init("supervisor", s->log_fds[1],
	    (enum log_level)generation_log_level(&s->conf), s->foreground);
	if (preflight_check(s, err_out) < 0) {
		return EXIT_CONFIG;
	}
	s->loop = loop_create();
	/* Before the hub's own hook: what is said here leaves in this turn. */
	loop_on_turn_end(s->loop, &s->turn, on_turn_end, s);
	ipc_hub_init(&s->hub, s->loop);
	count_workers(s);
	say_not_root(s);
	start_workers(s);
	scoreboard_mon_start(s);
	neighbours_start(s);
	return 0;
}
