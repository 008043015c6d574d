/* SPDX-License-Identifier: Apache-2.0 */
/* The console process. */
#include "console/service.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "console/commands.h"

#define TICK_US 1000000u
#define LEAVE_US 6000000u	/* more than a question may take */

static void
sample(struct service *s)
{
	summary_sample(&s->summary, worker_scoreboard(s->worker),
	    clock_mono_us());
	score_set(worker_score(s->worker), SCORE_C_CLIENTS, s->clients.n);
}

static void
on_tick(void *arg)
{
	struct service *s = arg;

	sample(s);
	loop_timer_set(&s->tick, TICK_US);
}

static void
on_request(void *arg, struct client *c)
{
	struct service *s = arg;

	score_add(worker_score(s->worker), SCORE_C_REQUESTS, 1);
	commands_run(s, c);
}

static void
on_late(void *arg, struct client *c)
{
	(void)arg;
	commands_late(c);
}

static void
on_drop(void *arg, struct client *c)
{
	(void)arg;
	ask_end(&c->ask);
}

static void
on_leave(void *arg)
{
	struct service *s = arg;

	worker_finished(s->worker);
}

int
service_start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	struct service *s = worker_ctx(w);
	struct clients_calls calls = { on_request, on_late, on_drop, on_leave,
		s };
	struct slice path = config_string(worker_config(w), NULL,
	    OPT_CONTROL_SOCKET);

	s->worker = w;
	s->supervisor_pid = getppid();
	json_object_seed(0);	/* reads the system's random bytes: not later */
	*exit_code_out = 78;	/* EX_CONFIG: the path is the operator's */
	if (ctl_socket_open(&s->socket, path.len > 0 ? path.ptr : "",
	    err_out) < 0) {
		return -1;
	}
	clients_start(&s->clients, worker_loop(w), s->socket.fd,
	    &clients_usual_limits, &calls);
	summary_init(&s->summary);
	loop_timer_init(&s->tick, worker_loop(w), on_tick, s);
	loop_timer_init(&s->leave, worker_loop(w), on_leave, s);
	on_tick(s);
	return 0;
}

const char *const *
service_directories(struct worker *w)
{
	struct service *s = worker_ctx(w);

	s->directories[0] = s->socket.directory;	/* to unlink at exit */
	return s->directories;
}

void
service_reconfigure(struct worker *w)
{
	(void)w;	/* the path alone is ours, and needs a restart */
}

void
service_link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	(void)reason;
	commands_link_down(worker_ctx(w), k);
}

void
service_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	if (m->type == IPC_TOLD) {
		commands_told(worker_ctx(w), k, m);
	} else if (m->type == IPC_SUP_ANSWER) {
		commands_sup_answer(worker_ctx(w), k, m);
	}
	/* SUP_PEER_DEAD needs nothing: the link went down, or will. */
}

void
service_drain(struct worker *w)
{
	struct service *s = worker_ctx(w);

	/* Who comes from now on hears that nothing listens. */
	loop_timer_set(&s->leave, LEAVE_US);
	clients_drain(&s->clients);
	ctl_socket_close(&s->socket);
}

void
service_title(struct worker *w, char *out, size_t size)
{
	struct service *s = worker_ctx(w);

	snprintf(out, size, "%u clients", s->clients.n);
}
