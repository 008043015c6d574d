/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a worker:
 *
 *	exec -> SUP_CONFIG -> drop ids, limits -> start() -> sandbox
 *	     -> SUP_READY -> loop ... SUP_DRAIN or supervisor gone -> drain()
 *	     -> worker_finished() -> exit 0
 */
#include "common/ipc/worker.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/base/proctitle.h"
#include "common/base/shm.h"
#include "common/ipc/sandbox.h"

#define HEARTBEAT_US 1000000u
#define PEERS SCORE_PER_ROLE

struct worker {
	const struct worker_spec *spec;
	void *ctx;
	struct loop *loop;
	struct ipc_hub hub;
	struct ipc_link supervisor;
	struct ipc_link *links[ROLE_COUNT][PEERS];
	struct config *config;
	unsigned index;
	uint32_t incarnation;
	char name[24];
	struct scoreboard *scoreboard;
	struct score_slot *score;
	struct budget *budget;
	struct stage_table *stages;
	struct loop_timer heartbeat, deadline;
	bool started, draining, foreground;
	int exit_code;
};

void *
worker_ctx(struct worker *w)
{
	return w->ctx;
}

struct loop *
worker_loop(struct worker *w)
{
	return w->loop;
}

struct ipc_hub *
worker_hub(struct worker *w)
{
	return &w->hub;
}

const struct config *
worker_config(struct worker *w)
{
	return w->config;
}

unsigned
worker_index(struct worker *w)
{
	return w->index;
}

uint32_t
worker_incarnation(struct worker *w)
{
	return w->incarnation;
}

struct score_slot *
worker_score(struct worker *w)
{
	return w->score;
}

struct scoreboard *
worker_scoreboard(struct worker *w)
{
	return w->scoreboard;
}

struct budget *
worker_budget(struct worker *w)
{
	return w->budget;
}

struct stage_table *
worker_stages(struct worker *w)
{
	return w->stages;
}

struct ipc_link *
worker_supervisor(struct worker *w)
{
	return &w->supervisor;
}

struct ipc_link *
worker_link(struct worker *w, enum ipc_role role, unsigned index)
{
	struct ipc_link *k = index < PEERS ? w->links[role][index] : NULL;

	return k != NULL && ipc_link_is_up(k) ? k : NULL;
}

bool
worker_is_draining(struct worker *w)
{
	return w->draining;
}

void
worker_finished(struct worker *w)
{
	loop_stop(w->loop);
}

static void
start_drain(struct worker *w)
{
	if (w->draining) {
		return;
	}
	w->draining = true;
	atomic_store(&w->score->state, SCORE_DRAINING);
	if (!w->started) {
		worker_finished(w);
		return;
	}
	w->spec->drain(w);
}

/* The sentence reaches the supervisor before the exit: nothing else runs. */
static void
fail_start(struct worker *w, int code, const struct error *err)
{
	struct buf *b = ipc_begin(&w->supervisor, IPC_SUP_FAILED);

	wire_put_u8(b, (uint8_t)code);
	wire_put_slice(b, slice_of(err->text));
	ipc_end(&w->supervisor);
	ipc_flush(&w->supervisor);
	w->exit_code = code;
	worker_finished(w);
}

static struct config *
read_config(struct ipc_msg *m, struct error *err_out)
{
	struct config_report rep;
	struct config *cfg = NULL;
	struct stat st;
	int fd = ipc_take_fd(m);
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0) {
		error_set(err_out, ERROR_PROTOCOL,
		    "the configuration came without its memory");
		fdio_close(&fd);
		return NULL;
	}
	config_report_init(&rep);
	if (st.st_size == 0) {
		cfg = config_parse(SLICE(""), "configuration", &rep);
	} else {
		p = shm_map(fd, (size_t)st.st_size, false, false, err_out);
		if (p != NULL) {
			cfg = config_parse(slice_make(p, (size_t)st.st_size),
			    "configuration", &rep);
			munmap(p, (size_t)st.st_size);
		}
	}
	if (cfg == NULL && rep.n_errors > 0) {
		error_set(err_out, ERROR_CONFIG, "%.*s",
		    SLICE_ARG(buf_slice(&rep.errors)));
	}
	config_report_fini(&rep);
	close(fd);
	return cfg;
}

static int
close_in(struct worker *w, struct error *err)
{
	const char *const *dirs = w->spec->directories == NULL ? NULL :
	    w->spec->directories(w);

	if (sandbox_files(dirs, err) < 0) {
		return -1;
	}
	return sandbox_syscalls(w->spec->syscalls, err);
}

static void
start(struct worker *w, uint32_t uid, uint32_t gid, bool drop)
{
	struct error err = { 0 };
	int code = 71;	/* EX_OSERR */

	if ((drop && sandbox_drop_ids(uid, gid, &err) < 0) ||
	    sandbox_limits((uint64_t)config_int(w->config, NULL,
	    OPT_SERVER_MAX_FILE_DESCRIPTORS), &err) < 0 ||
	    w->spec->start(w, &code, &err) < 0 || close_in(w, &err) < 0) {
		fail_start(w, code, &err);
		return;
	}
	w->started = true;
	atomic_store(&w->score->state, SCORE_RUNNING);
	ipc_say(&w->supervisor, IPC_SUP_READY);
}

static void
on_config(struct worker *w, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t generation = wire_u32(&r), uid = wire_u32(&r);
	uint32_t gid = wire_u32(&r);
	bool drop = wire_u8(&r) != 0;
	struct error err = { 0 };
	struct config *old = w->config, *cfg = read_config(m, &err);

	if (cfg == NULL || r.bad) {
		log_error("configuration %u not taken: %s", generation,
		    err.text);
		config_destroy(&cfg);
		if (old == NULL) {
			fail_start(w, 78, &err);
		}
		return;
	}
	w->config = cfg;
	log_level_set((enum log_level)config_int(cfg, NULL, OPT_LOG_LEVEL));
	atomic_store(&w->score->generation, generation);
	if (old == NULL) {
		start(w, uid, gid, drop);
	} else {
		w->spec->reconfigure(w);
		config_destroy(&old);
	}
}

static void
close_link(struct worker *w, struct ipc_link *k, const char *reason)
{
	w->links[k->peer][k->peer_index] = NULL;
	if (w->spec->link_down != NULL) {
		w->spec->link_down(w, k, reason);
	}
	ipc_link_close(k);
	free(k);
}

static void
on_link_down(void *arg, struct ipc_link *k, const char *reason)
{
	struct worker *w = arg;
	bool ours = strcmp(reason, "closed by the other side") != 0;

	if (ours && k->why[0] != '\0') {
		struct buf *b;

		log_warning("link to %s/%u: %s", ipc_role_name(k->peer),
		    k->peer_index, reason);
		if (ipc_link_is_up(&w->supervisor)) {
			b = ipc_begin(&w->supervisor, IPC_SUP_BAD_PEER);
			wire_put_u8(b, k->peer);
			wire_put_u8(b, k->peer_index);
			wire_put_u32(b, k->incarnation);
			wire_put_slice(b, slice_of(reason));
			ipc_end(&w->supervisor);
		}
	}
	close_link(w, k, reason);
}

void
worker_bad_peer(struct worker *w, struct ipc_link *k, const char *reason)
{
	(void)w;
	ipc_bad(k, "%s", reason);
}

static void
on_peer_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct worker *w = arg;

	w->spec->message(w, k, m);
}

static void
on_new_link(struct worker *w, struct ipc_link *sup, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	unsigned role = wire_u8(&r), index = wire_u8(&r);
	uint32_t incarnation = wire_u32(&r);
	int fd = ipc_take_fd(m);
	struct ipc_link *k;

	if (r.bad || role >= ROLE_COUNT || index >= PEERS || fd < 0) {
		ipc_bad(sup, "malformed SUP_LINK");
		fdio_close(&fd);
		return;
	}
	if (w->links[role][index] != NULL) {
		/* Its process is dead; what it still said counts. */
		ipc_last_words(w->links[role][index]);
		close_link(w, w->links[role][index], "replaced");
	}
	k = xcalloc(1, sizeof *k);
	ipc_link_open(k, &w->hub, fd, w->spec->role, (enum ipc_role)role, index,
	    on_peer_message, on_link_down, w);
	k->incarnation = incarnation;
	w->links[role][index] = k;
	if (w->spec->link_up != NULL) {
		w->spec->link_up(w, k);
	}
}

static void
on_supervisor(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct worker *w = arg;

	if (!w->started && (w->exit_code != 0 || m->type != IPC_SUP_CONFIG)) {
		/* start() failed: we are on our way out, and there is nothing
		 * that a reload could change. */
		return;
	}
	if (m->type == IPC_SUP_CONFIG) {
		on_config(w, m);
	} else if (m->type == IPC_SUP_LINK) {
		on_new_link(w, k, m);
	} else if (m->type == IPC_SUP_DRAIN) {
		start_drain(w);
	} else if (m->type == IPC_SUP_REOPEN) {
		if (w->spec->reopen != NULL) {
			w->spec->reopen(w);
		}
	} else {
		w->spec->message(w, k, m);
	}
}

static void
on_deadline(void *arg)
{
	struct worker *w = arg;

	log_error("not drained within %u s after the supervisor died: leaving "
	    "now; nothing accepted is lost", WORKER_DRAIN_MAX_US / 1000000u);
	worker_finished(w);
}

static void
on_supervisor_gone(void *arg, struct ipc_link *k, const char *reason)
{
	struct worker *w = arg;

	(void)k;
	(void)reason;
	log_error("the supervisor is gone: finishing what is at hand");
	loop_timer_set(&w->deadline, WORKER_DRAIN_MAX_US);
	start_drain(w);
}

static void
on_heartbeat(void *arg)
{
	struct worker *w = arg;
	char title[120] = "";

	atomic_store(&w->score->heartbeat_us, clock_mono_us());
	if (w->started && w->spec->title != NULL) {
		w->spec->title(w, title, sizeof title);
	}
	proctitle_set("%s%s", title, w->draining ? " (draining)" : "");
	loop_timer_set(&w->heartbeat, HEARTBEAT_US);
}

static void
on_signal(void *arg, int signo)
{
	(void)signo;	/* SIGTERM is the only one */
	start_drain(arg);
}

#ifndef EC_SANITIZERS
/* A last word about where we died; async-signal-safe calls only. */
static void
on_crash(int signo)
{
	static const char head[] = "ecelerity worker crashed; trace:\n";
	void *frames[64];
	ssize_t n = write(STDERR_FILENO, head, sizeof head - 1);

	(void)n;
	backtrace_symbols_fd(frames, backtrace(frames, ARRAY_LEN(frames)),
	    STDERR_FILENO);
	signal(signo, SIG_DFL);
	raise(signo);
}
#endif

static void
set_signals(struct worker *w)
{
	static const int crash[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	void *frame;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	/* ^C and the like reach the whole group: the supervisor decides. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
#ifndef EC_SANITIZERS
	backtrace(&frame, 1);	/* loads what it needs now, not in a crash */
	for (size_t i = 0; i < ARRAY_LEN(crash); i++) {
		signal(crash[i], on_crash);
	}
#else
	(void)frame;
	(void)crash;
#endif
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (loop_signals(w->loop, &set, on_signal, w) < 0) {
		fatal(71, "cannot watch signals: %s", strerror(errno));
	}
}

static void
map_tables(struct worker *w)
{
	struct error err = { 0 };

	w->scoreboard = scoreboard_map(WORKER_FD_SCOREBOARD, &err);
	if (w->scoreboard != NULL) {
		w->budget = budget_map(WORKER_FD_BUDGET, &err);
	}
	if (w->budget != NULL) {
		w->stages = stage_map(WORKER_FD_STAGE, &err);
	}
	if (w->stages == NULL) {
		fatal(70, "%s (workers are started by the ecelerity "
		    "supervisor, not by hand)", err.text);
	}
	for (int fd = WORKER_FD_SCOREBOARD; fd <= WORKER_FD_STAGE; fd++) {
		close(fd);
	}
}

static void
read_arguments(struct worker *w, int argc, char **argv)
{
	uint64_t index, incarnation;

	if (argc != 3 || !num_parse_max(slice_of(argv[1]), PEERS - 1, &index) ||
	    !num_parse_max(slice_of(argv[2]), UINT32_MAX, &incarnation)) {
		fatal(64, "this is a worker of ecelerity; start "
		    "sbin/ecelerity instead");
	}
	w->index = (unsigned)index;
	w->incarnation = (uint32_t)incarnation;
	snprintf(w->name, sizeof w->name, "%s/%u", ipc_role_name(w->spec->role),
	    w->index);
}

int
worker_run(const struct worker_spec *spec, void *ctx, int argc, char **argv)
{
	struct worker *w = xcalloc(1, sizeof *w);

	w->spec = spec;
	w->ctx = ctx;
	proctitle_init(argc, argv);
	read_arguments(w, argc, argv);
	log_init(w->name, WORKER_FD_LOG, EC_NOTICE, false);
	proctitle_name(w->name);
	tzset();	/* while /etc can still be read */
	umask(027);
	map_tables(w);
	w->score = &w->scoreboard->slot[spec->role][w->index];
	memset(w->score, 0, sizeof *w->score);
	atomic_store(&w->score->pid, (uint32_t)getpid());
	atomic_store(&w->score->incarnation, w->incarnation);
	atomic_store(&w->score->started_us, clock_wall_us());
	atomic_store(&w->score->state, SCORE_STARTING);
	w->loop = loop_create();
	set_signals(w);
	ipc_hub_init(&w->hub, w->loop);
	fdio_set_nonblock(WORKER_FD_CONTROL, true);
	ipc_link_open(&w->supervisor, &w->hub, WORKER_FD_CONTROL, spec->role,
	    ROLE_SUPERVISOR, 0, on_supervisor, on_supervisor_gone, w);
	loop_timer_init(&w->heartbeat, w->loop, on_heartbeat, w);
	loop_timer_init(&w->deadline, w->loop, on_deadline, w);
	on_heartbeat(w);
	loop_run(w->loop);
	ipc_flush(&w->supervisor);
	return w->exit_code;
}
