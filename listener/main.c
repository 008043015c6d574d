/* SPDX-License-Identifier: Apache-2.0 */
/* The listener: start, links, drain. */
#include "listener/listener.h"

#include <seccomp.h>
#include <sys/resource.h>

#include "common/base/clock.h"

#define RATE_US 10000000u	/* the rate in the title is over so long */
#define SPARE_FDS 128u

static void
check_drained(struct listener *l)
{
	if (l->draining && l->n_sessions == 0) {
		worker_finished(l->w);
	}
}

static void
on_turn_end(void *arg)
{
	struct listener *l = arg;

	score_set(worker_score(l->w), SCORE_L_ARENA_USED,
	    arena_used_bytes(l->arena));
	if (session_sweep(l)) {
		score_set(worker_score(l->w), SCORE_L_SESSIONS, l->n_sessions);
		endpoint_uncrowd(l);
		check_drained(l);
	}
}

/* Some descriptors stay for links and memory, or a new slab could not be made
 * with all of them in the hands of clients. */
static uint32_t
most_sessions(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > UINT32_MAX) {
		return UINT32_MAX;
	}
	return r.rlim_cur > 2 * SPARE_FDS ? (uint32_t)r.rlim_cur - SPARE_FDS :
	    EC_MAX((uint32_t)r.rlim_cur / 2, 1u);
}

static int
start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	struct listener *l = worker_ctx(w);

	(void)exit_code_out;
	(void)err_out;
	l->w = w;
	l->loop = worker_loop(w);
	list_init(&l->endpoints);
	list_init(&l->sessions);
	list_init(&l->dead);
	list_init(&l->stores);
	list_init(&l->larges);
	l->read = xmalloc(2 * READ_BYTES);
	l->most_sessions = most_sessions();
	policy_reconfigure(l);
	l->arena = arena_create("ecelerity-listener", config_size(
	    worker_config(w), NULL, OPT_ARENA_SIZE), store_slab, l);
	date_cached_local(&l->date, clock_wall_us());	/* the zone file */
	loop_on_turn_end(l->loop, &l->turn_end, on_turn_end, l);
	return 0;
}

static void
reconfigure(struct worker *w)
{
	struct listener *l = worker_ctx(w);

	l->generation++;
	policy_reconfigure(l);
	endpoint_reconfigure(l);
}

static void
link_up(struct worker *w, struct ipc_link *k)
{
	if (k->peer == ROLE_SPOOLER) {
		store_link_up(worker_ctx(w), k);
	}
}

static void
link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	struct listener *l = worker_ctx(w);

	(void)reason;
	if (k == l->spooler) {
		store_link_down(l);
	}
}

static void
message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	struct listener *l = worker_ctx(w);

	if (k->peer == ROLE_SPOOLER) {
		store_message(l, k, m);
	} else if (m->type == IPC_SUP_LISTEN) {
		endpoint_add(l, m);
	} else if (m->type == IPC_SUP_LISTEN_GONE) {
		endpoint_gone(l, m);
	} else if (m->type == IPC_SUP_ADOPT) {
		endpoint_adopt(l, m);
	}
}

static void
drain(struct worker *w)
{
	struct listener *l = worker_ctx(w);

	l->draining = true;
	endpoint_drain(l);
	session_drain(l);
	check_drained(l);
}

static void
title(struct worker *w, char *out, size_t size)
{
	struct listener *l = worker_ctx(w);
	struct score_slot *score = worker_score(w);
	uint64_t now = clock_mono_us();
	uint64_t got = score_get(score, SCORE_L_RECEIVED);

	score_set(score, SCORE_L_SESSIONS, l->n_sessions);
	score_set(score, SCORE_L_ARENA_SIZE, arena_max_bytes(l->arena));
	if (l->rate_at_us == 0) {
		l->rate_at_us = now;
		l->rate_base = got;
	} else {
		l->per_minute = (unsigned)((got - l->rate_base) * 60000000u /
		    (now - l->rate_at_us + 1));
	}
	if (now - l->rate_at_us >= RATE_US) {
		l->rate_at_us = now;
		l->rate_base = got;
	}
	snprintf(out, size, "%u sessions, %u msg/min", l->n_sessions,
	    l->per_minute);
	store_tick(l);
	endpoint_uncrowd(l);
}

int
main(int argc, char **argv)
{
	static struct listener listener;
	static const int calls[] = {
		SCMP_SYS(accept4), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
		SCMP_SYS(shutdown), SCMP_SYS(memfd_create),
		SCMP_SYS(ftruncate), -1,
	};
	static const struct worker_spec spec = {
		.role = ROLE_LISTENER, .syscalls = calls, .start = start,
		.reconfigure = reconfigure, .link_up = link_up,
		.link_down = link_down, .message = message, .drain = drain,
		.title = title,
	};

	return worker_run(&spec, &listener, argc, argv);
}
