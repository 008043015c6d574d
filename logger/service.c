/* SPDX-License-Identifier: Apache-2.0 */
/* The logger's core connected to the worker skeleton. */
#include "logger/service.h"

#include <inttypes.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define TICK_US 1000000u
#define EARLY_US 50000u		/* after a spooler's start, then twice that ... */
#define LINES_PER_TURN 256
#define COMPLAIN_EVERY_US 60000000u
#define FINISH_STEP_US 50000u
#define FINISH_STEPS 40u

_Static_assert(SCORE_PER_ROLE <= 64, "spoolers are bits of a word");

/* To stderr: the log itself may be what cannot be written. */
static void
complain(struct service *s)
{
	uint64_t now = clock_mono_us();
	const char *why = logger_last_error(s->core);

	if (*why != '\0' && (s->told_us == 0 ||
	    now - s->told_us >= COMPLAIN_EVERY_US)) {
		s->told_us = now;
		fprintf(stderr, "ERROR: logger/%u: %s; lines are kept and "
		    "tried again\n", worker_index(s->w), why);
	}
}

/* While the disk takes nothing the spoolers keep their events: their sockets
 * fill and their journals wait. */
static void
pause_spoolers(struct service *s, bool pause)
{
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		struct ipc_link *k = worker_link(s->w, ROLE_SPOOLER, i);

		if (k != NULL && (pause || s->paused)) {
			loop_fd_want(&k->watch, pause ? 0 :
			    LOOP_READ | LOOP_WRITE);
		}
	}
	s->paused = pause;
}

static void
settle(struct service *s, enum logfile_synced r)
{
	if (r == LOGFILE_LOST) {
		/* A sync that failed cannot be repeated: what it left out may
		 * never be told again.  A new start cuts the files back to
		 * what is known and gets the rest from the journal. */
		fprintf(stderr, "CRITICAL: logger/%u: %s; starting again from "
		    "the last durable position\n", worker_index(s->w),
		    logger_last_error(s->core));
		exit(74);	/* EX_IOERR */
	}
	score_set(worker_score(s->w), SCORE_G_WRITE_ERRORS,
	    logger_write_errors(s->core));
	complain(s);
	pause_spoolers(s, logger_is_stuck(s->core));
}

static void
on_tick(void *arg)
{
	struct service *s = arg;

	settle(s, logger_tick(s->core, clock_wall_us(), s->up));
	loop_timer_set(&s->tick, TICK_US);
}

/* A spooler that is killed again and again must come forward, or its journal
 * fills with what we have long written: no ack waits for the first tick. */
static void
on_early(void *arg)
{
	struct service *s = arg;

	settle(s, logger_checkpoint(s->core));
	s->early_us *= 2;
	if (s->early_us < TICK_US) {
		loop_timer_set(&s->early, s->early_us);
	}
}

static void
on_turn(void *arg)
{
	struct service *s = arg;

	settle(s, logger_turn(s->core));
}

static void
on_ack(void *arg, unsigned spooler, uint64_t position)
{
	struct service *s = arg;
	struct ipc_link *k = worker_link(s->w, ROLE_SPOOLER, spooler);

	if (spooler == 0) {
		score_set(worker_score(s->w), SCORE_G_POSITION, position);
	}
	if (k != NULL && (s->up & 1ull << spooler) != 0) {
		wire_put_u64(ipc_begin(k, IPC_LOG_ACK), position);
		ipc_end(k);
		/* Said from a turn's end it leaves with the next one. */
		loop_again(worker_loop(s->w));
	}
}

static void
on_lines(void *arg, unsigned ready)
{
	struct service *s = arg;
	char line[LOG_LINE_MAX + 2];

	(void)ready;
	for (int i = 0; i < LINES_PER_TURN; i++) {
		ssize_t n = recv(WORKER_FD_LOG_IN, line, sizeof line,
		    MSG_DONTWAIT);

		if (n <= 0) {
			if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
				loop_fd_want(&s->lines, 0);
			}
			return;
		}
		s->heard++;
		logger_panic(s->core, clock_wall_us(),
		    slice_make(line, (size_t)n));
	}
}

static void
on_finish(void *arg)
{
	struct service *s = arg;

	if (s->heard != s->heard_before && s->waits < FINISH_STEPS) {
		s->heard_before = s->heard;
		s->waits++;
		loop_timer_set(&s->finish, FINISH_STEP_US);
		return;
	}
	settle(s, logger_checkpoint(s->core));
	worker_finished(s->w);
}

int
service_start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	struct service *s = worker_ctx(w);
	struct loop *l = worker_loop(w);

	s->w = w;
	s->core = logger_create(on_ack, s);
	if (logger_start(s->core, worker_config(w), exit_code_out,
	    err_out) < 0) {
		return -1;
	}
	loop_fd_init(&s->lines, l, WORKER_FD_LOG_IN, on_lines, s);
	loop_fd_want(&s->lines, LOOP_READ);
	loop_timer_init(&s->tick, l, on_tick, s);
	loop_timer_init(&s->finish, l, on_finish, s);
	loop_timer_init(&s->early, l, on_early, s);
	loop_on_turn_end(l, &s->turn, on_turn, s);
	loop_timer_set(&s->tick, TICK_US);
	return 0;
}

const char *const *
service_directories(struct worker *w)
{
	struct service *s = worker_ctx(w);

	return logger_directories(s->core);
}

void
service_reconfigure(struct worker *w)
{
	struct service *s = worker_ctx(w);
	struct error err = { 0 };

	if (logger_reconfigure(s->core, worker_config(w), &err) < 0) {
		log_error("the log configuration was not taken, the one before "
		    "goes on: %s (a directory that is new to the logger needs "
		    "a restart)", err.text);
	}
}

void
service_link_up(struct worker *w, struct ipc_link *k)
{
	struct service *s = worker_ctx(w);
	uint64_t position;

	if (k->peer != ROLE_SPOOLER) {
		return;
	}
	position = logger_hello(s->core, k->peer_index);
	wire_put_u64(ipc_begin(k, IPC_LOG_HELLO), position);
	ipc_end(k);
	s->up |= 1ull << k->peer_index;
	s->early_us = EARLY_US;
	loop_timer_set(&s->early, s->early_us);
	if (s->paused) {
		loop_fd_want(&k->watch, 0);
	}
}

void
service_link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	struct service *s = worker_ctx(w);

	(void)reason;
	if (k->peer == ROLE_SPOOLER) {
		s->up &= ~(1ull << k->peer_index);
	}
}

static void
on_event(struct service *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint64_t position = wire_u64(&r);
	enum logger_took took = LOGGER_MALFORMED;

	if (!r.bad) {
		took = logger_event(s->core, k->peer_index, position,
		    wire_bytes(&r, wire_left(&r)));
	}
	if (took == LOGGER_MALFORMED) {
		worker_bad_peer(s->w, k, "malformed LOG_EVENT");
		return;
	}
	s->heard++;
	if (took == LOGGER_TAKEN) {
		score_set(worker_score(s->w), SCORE_G_RECORDS, ++s->records);
	}
}

void
service_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	struct service *s = worker_ctx(w);

	if (m->type == IPC_LOG_EVENT && k->peer_index < SCORE_PER_ROLE) {
		on_event(s, k, m);
	} else if (m->type == IPC_LOG_REJECT) {
		s->heard++;
		if (!logger_reject(s->core, m->body)) {
			worker_bad_peer(w, k, "malformed LOG_REJECT");
			return;
		}
		score_set(worker_score(w), SCORE_G_REJECTS, ++s->rejects);
	}
}

void
service_reopen(struct worker *w)
{
	struct service *s = worker_ctx(w);
	struct error err = { 0 };

	if (logger_reopen(s->core, &err) < 0) {
		log_error("a log file could not be opened again, the old one "
		    "is still written: %s", err.text);
	}
}

void
service_drain(struct worker *w)
{
	struct service *s = worker_ctx(w);

	/* The others' last words are on their way: until it is quiet. */
	s->heard_before = s->heard - 1;
	loop_timer_set(&s->finish, 0);
}

void
service_title(struct worker *w, char *out, size_t size)
{
	struct service *s = worker_ctx(w);

	snprintf(out, size, "%" PRIu64 " records", s->records);
}
