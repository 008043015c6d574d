/* SPDX-License-Identifier: Apache-2.0 */
/* The processes behind the machines. */
#include "supervisor/children.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "supervisor/console_requests.h"
#include "supervisor/links.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor.h"

#define LAST_READS 64	/* of some packets each */

static void
on_timer(void *arg)
{
	child_event(arg, PROCESS_E_TICK, 0);
}

void
child_init(struct child *c, struct supervisor *sup, enum ipc_role role,
    unsigned index)
{
	c->sup = sup;
	c->role = role;
	c->index = index;
	snprintf(c->name, sizeof c->name, "%s/%u", ipc_role_name(role), index);
	loop_timer_init(&c->timer, sup->loop, on_timer, c);
}

void
child_end_text(const struct child *c, char *out, size_t size)
{
	if (WIFSIGNALED(c->last_status)) {
		snprintf(out, size, "signal %d (%s)", WTERMSIG(c->last_status),
		    strsignal(WTERMSIG(c->last_status)));
	} else {
		snprintf(out, size, "exit code %d",
		    WEXITSTATUS(c->last_status));
	}
}

static void
on_failed(struct child *c, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	int code = wire_u8(&r);
	struct slice sentence = slice_trim(wire_slice(&r));

	if (r.bad) {
		ipc_bad(&c->link, "malformed SUP_FAILED");
		return;
	}
	while (sentence.len > 0 && sentence.ptr[sentence.len - 1] == '\n') {
		sentence.len--;
	}
	slice_copy(c->sentence, sizeof c->sentence, sentence);
	log_error("%s cannot start: %s", c->name, c->sentence);
	child_event(c, PROCESS_E_FAILED, code);
}

static void
on_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct child *c = arg;

	(void)k;
	if (m->type == IPC_SUP_READY) {
		child_event(c, PROCESS_E_READY, 0);
	} else if (m->type == IPC_SUP_FAILED) {
		on_failed(c, m);
	} else if (m->type == IPC_SUP_BAD_PEER) {
		links_bad_peer(c->sup, c, m);
	} else if (m->type == IPC_SUP_REQUEST) {
		console_request(c->sup, c, m);
	}
}

/* An exit comes this way first; one that lives on without its link is of no
 * use, and one that sent nonsense is dangerous. */
static void
on_down(void *arg, struct ipc_link *k, const char *reason)
{
	struct child *c = arg;
	bool closed = strcmp(reason, "closed by the other side") == 0 ||
	    strcmp(reason, strerror(EPIPE)) == 0 ||
	    strcmp(reason, strerror(ECONNRESET)) == 0;

	if (!closed) {
		log_error("the control link of %s failed (%s): killing it",
		    c->name, reason);
	}
	ipc_link_close(k);
	if (c->pid != 0) {
		child_event(c, closed ? PROCESS_E_LOST : PROCESS_E_BAD, 0);
	}
}

void
child_send_config(struct child *c)
{
	const struct user *u = &c->sup->users.of[c->role];
	struct buf b;

	buf_init(&b, 64);
	wire_put_u32(&b, c->sup->conf.number);
	wire_put_u32(&b, u->uid);
	wire_put_u32(&b, u->gid);
	wire_put_u8(&b, c->sup->users.drop);
	ipc_send_fd(&c->link, IPC_SUP_CONFIG, buf_slice(&b),
	    &c->sup->conf.fd, 1);
	buf_fini(&b);
}

/* Configuration first: the worker starts with it.  Then what it serves, then
 * whom it talks to; false if it cannot talk to all of them. */
static bool
send_all(struct child *c)
{
	struct supervisor *s = c->sup;

	child_send_config(c);
	for (size_t i = 0; c->role == ROLE_LISTENER && i < s->socks.n; i++) {
		listen_socks_send(&s->socks, &s->socks.addr[i], &c->link);
	}
	return links_connect(s, c);
}

/* The process and its control link; false with a word in the log. */
static bool
spawn(struct child *c)
{
	struct supervisor *s = c->sup;
	struct spawn_spec spec = { .libexec = s->libexec, .role = c->role,
		.index = c->index, .incarnation = c->incarnation + 1 };
	struct error err = { 0 };
	int control[2];

	if (ipc_pair(control, &err) < 0) {
		log_error("%s: %s", c->name, err.text);
		slice_copy(c->sentence, sizeof c->sentence, slice_of(err.text));
		return false;
	}
	spec.fds[WORKER_FD_CONTROL] = control[1];
	spec.fds[WORKER_FD_SCOREBOARD] = s->tables.scoreboard_fd;
	spec.fds[WORKER_FD_BUDGET] = s->tables.budget_fd;
	spec.fds[WORKER_FD_STAGE] = s->tables.stage_fd;
	spec.fds[WORKER_FD_LOG] = s->log_fds[1];
	spec.fds[WORKER_FD_LOG_IN] = c->role == ROLE_LOGGER ?
	    s->log_fds[0] : -1;
	c->pid = spawn_worker(&spec, &err);
	close(control[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close(control[0]);
		log_error("%s", err.text);
		slice_copy(c->sentence, sizeof c->sentence, slice_of(err.text));
		return false;
	}
	c->incarnation++;
	ipc_link_open(&c->link, &s->hub, control[0], ROLE_SUPERVISOR, c->role,
	    c->index, on_message, on_down, c);
	return true;
}

static void
start(struct child *c)
{
	c->sentence[0] = '\0';
	if (!spawn(c)) {
		child_event(c, PROCESS_E_NOT_SPAWNED, 0);
		return;
	}
	log_info("%s started, pid %ld", c->name, (long)c->pid);
	child_event(c, PROCESS_E_SPAWNED, 0);
	if (!send_all(c)) {
		/* Nobody would link the two later: another try. */
		slice_copy(c->sentence, sizeof c->sentence,
		    SLICE("no descriptors for its links"));
		child_event(c, PROCESS_E_BAD, 0);
	}
}

static void
give_up(struct child *c)
{
	char how[64], words[600];
	int code = c->proc.failed_code;

	if (code == 0) {
		code = WIFEXITED(c->last_status) &&
		    WEXITSTATUS(c->last_status) != 0 ?
		    WEXITSTATUS(c->last_status) : 71;
	}
	child_end_text(c, how, sizeof how);
	if (c->sentence[0] != '\0') {
		snprintf(words, sizeof words, "%s cannot start: %s", c->name,
		    c->sentence);
	} else {
		snprintf(words, sizeof words, "%s cannot start: it ended %u "
		    "times before it was ready (%s); see %.300s/workers.err",
		    c->name, c->proc.start_failures, how, c->sup->log_dir);
	}
	stop_supervisor(c->sup, code, words);
}

static void
set_timer(struct child *c, uint64_t now_us)
{
	if (c->proc.due_us == 0) {
		loop_timer_stop(&c->timer);
	} else {
		loop_timer_set(&c->timer, c->proc.due_us <= now_us ? 0 :
		    c->proc.due_us - now_us);
	}
}

static void
act(struct child *c, struct process_out out)
{
	switch (out.act) {
	case PROCESS_A_NONE:
		break;
	case PROCESS_A_SPAWN:
		start(c);
		break;
	case PROCESS_A_DRAIN:
		if (ipc_link_is_up(&c->link)) {
			ipc_say(&c->link, IPC_SUP_DRAIN);
		}
		break;
	case PROCESS_A_SIGNAL:
		if (c->pid != 0) {
			kill(c->pid, out.signo);
		}
		break;
	case PROCESS_A_GIVE_UP:
		give_up(c);
		break;
	}
}

void
child_event(struct child *c, enum process_event event, int code)
{
	struct process_in in = { event, clock_mono_us(), code };
	struct process_out out = process_step(&c->proc, &in);

	set_timer(c, in.now_us);
	supervisor_changed(c->sup, c);
	act(c, out);
}

static void
say_end(const struct child *c)
{
	char how[64];

	child_end_text(c, how, sizeof how);
	if (c->proc.wanted && c->sup->phase != PHASE_STOP) {
		log_error("%s (pid %ld) ended: %s", c->name, (long)c->pid, how);
	} else if (c->last_status != 0) {
		log_warning("%s (pid %ld) left by %s", c->name, (long)c->pid,
		    how);
	} else {
		log_info("%s (pid %ld) left", c->name, (long)c->pid);
	}
}

/* In this order: what it said last; its limits; the peers hear of its death
 * before they hear of a successor. */
static void
bury(struct child *c, int status)
{
	struct supervisor *s = c->sup;

	/* The signal may be served before the socket of this turn.  All it
	 * sent is there, and then the end. */
	for (int i = 0; i < LAST_READS && ipc_link_is_up(&c->link); i++) {
		c->link.watch.fn(c->link.watch.arg, LOOP_READ);
	}
	ipc_link_close(&c->link);
	c->last_status = status;
	say_end(c);
	c->pid = 0;
	tables_clear_dead(&s->tables, c->role, c->index);
	links_tell_dead(s, c);
	if (c->role == ROLE_LISTENER) {
		adoption_forget(&s->adoption, c->index);
	}
	if (s->phase == PHASE_STOP && status == 0) {
		/* It left before it was asked, by a SIGTERM to all of us. */
		child_event(c, PROCESS_E_DRAIN, 0);
	}
	child_event(c, PROCESS_E_EXITED, status);
}

void
children_reap(struct supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = NULL;

		while ((c = supervisor_next_child(sup, c)) != NULL) {
			if (c->pid == pid) {
				bury(c, status);
				break;
			}
		}
	}
}
