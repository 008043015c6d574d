/* SPDX-License-Identifier: Apache-2.0 */
/* One worker process, with the test as its supervisor and peers. */
#include "tests/support/worker_harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/shm.h"
#include "common/ipc/worker.h"

#define CONFIG_MAX (1u << 20)

struct inherited {
	int fd[WORKER_FD_COUNT];	/* by number in the child; -1: none */
};

static void
inherited_close(struct inherited *in)
{
	for (int i = 0; i < WORKER_FD_COUNT; i++) {
		fdio_close(&in->fd[i]);
	}
}

static int
make_tables(struct worker_harness *h, struct inherited *in,
    struct error *err_out)
{
	in->fd[WORKER_FD_SCOREBOARD] = scoreboard_create(&h->scoreboard,
	    err_out);
	in->fd[WORKER_FD_BUDGET] = budget_create(&h->budget, err_out);
	in->fd[WORKER_FD_STAGE] = stage_create(&h->stages, err_out);
	for (int i = 0; i < 3; i++) {
		int fd = in->fd[WORKER_FD_SCOREBOARD + i];

		if (fd < 0) {
			return -1;
		}
		h->tables[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

static int
make_log(struct worker_harness *h, struct inherited *in, struct error *err_out)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0) {
		return error_sys(err_out, "cannot make the log's sockets");
	}
	in->fd[WORKER_FD_LOG] = fds[1];
	if (h->role == ROLE_LOGGER) {
		/* The logger reads the lines of all, its own among them. */
		in->fd[WORKER_FD_LOG_IN] = fds[0];
		h->log_fd = -1;
	} else {
		h->log_fd = fds[0];
	}
	return 0;
}

/* In the child, between fork and exec: the numbers of enum worker_fd. */
static void
child(struct inherited *in, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < WORKER_FD_COUNT; i++) {
		if (in->fd[i] >= 0) {	/* out of the way of the targets */
			in->fd[i] = fcntl(in->fd[i], F_DUPFD, 64);
		}
	}
	for (int i = WORKER_FD_CONTROL; i < WORKER_FD_COUNT; i++) {
		if (in->fd[i] >= 0) {
			dup2(in->fd[i], i);
		} else {
			close(i);
		}
	}
	syscall(SYS_close_range, WORKER_FD_COUNT, ~0u, 0);
	execv(argv[0], argv);
	_exit(127);
}

static int
spawn(struct worker_harness *h, const char *program, struct inherited *in,
    struct error *err_out)
{
	char path[512], index[12], incarnation[12];
	char *argv[] = { path, index, incarnation, NULL };

	snprintf(path, sizeof path, "%s", program);
	snprintf(index, sizeof index, "%u", h->index);
	snprintf(incarnation, sizeof incarnation, "%u", h->incarnation);
	if (access(path, X_OK) < 0) {
		return error_sys(err_out, "cannot run %s", path);
	}
	h->pid = fork();
	if (h->pid < 0) {
		h->pid = 0;
		return error_sys(err_out, "cannot fork");
	}
	if (h->pid == 0) {
		child(in, argv);
	}
	return 0;
}

static void
on_log(void *arg, unsigned ready)
{
	struct worker_harness *h = arg;
	char line[LOG_LINE_MAX + 1];
	ssize_t n;

	(void)ready;
	while ((n = recv(h->log_fd, line, sizeof line, MSG_DONTWAIT)) > 0) {
		buf_append(&h->log, line, (size_t)n);
		buf_putc(&h->log, '\n');
	}
}

static void
on_control(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct worker_harness *h = arg;

	if (m->type == IPC_SUP_READY) {
		h->ready = true;
	} else if (m->type == IPC_SUP_FAILED) {
		struct wire_r r = wire_reader(m->body);

		h->failed_code = wire_u8(&r);
		buf_add(&h->failed, wire_slice(&r));
	} else if (h->on_control != NULL) {
		h->on_control(h->arg, h, m);
	}
	(void)k;
}

static void
on_control_down(void *arg, struct ipc_link *k, const char *reason)
{
	struct worker_harness *h = arg;

	(void)reason;
	h->gone = true;
	ipc_link_close(k);
}

int
worker_harness_config(struct worker_harness *h, struct slice config,
    struct error *err_out)
{
	struct buf body;
	int fd = shm_from_bytes("harness-config", config, err_out);

	if (fd < 0) {
		return -1;
	}
	buf_init(&body, 64);
	wire_put_u32(&body, ++h->generation);
	wire_put_u32(&body, getuid());
	wire_put_u32(&body, getgid());
	wire_put_u8(&body, 0);	/* keep the ids: tests need no root */
	ipc_send_fd(&h->control, IPC_SUP_CONFIG, buf_slice(&body), &fd, 1);
	buf_fini(&body);
	close(fd);
	return 0;
}

/* Everything but the tables, which in has. */
static int
start_process(struct worker_harness *h, struct inherited *in,
    struct slice config, struct error *err_out)
{
	int pair[2];

	h->ready = h->gone = false;
	h->failed_code = 0;
	h->log_fd = -1;
	if (make_log(h, in, err_out) < 0 || ipc_pair(pair, err_out) < 0) {
		inherited_close(in);
		return -1;
	}
	in->fd[WORKER_FD_CONTROL] = pair[1];
	ipc_link_open(&h->control, &h->hub, pair[0], ROLE_SUPERVISOR, h->role,
	    h->index, on_control, on_control_down, h);
	if (spawn(h, h->program, in, err_out) < 0) {
		inherited_close(in);
		return -1;
	}
	inherited_close(in);
	if (h->log_fd >= 0) {
		loop_fd_init(&h->log_watch, h->loop, h->log_fd, on_log, h);
		loop_fd_want(&h->log_watch, LOOP_READ);
	}
	return worker_harness_config(h, config, err_out);
}

int
worker_harness_start(struct worker_harness *h, struct loop *l,
    const char *program, enum ipc_role role, unsigned index,
    struct slice config, struct error *err_out)
{
	struct inherited in;

	*h = (struct worker_harness){ .loop = l, .role = role, .index = index,
		.incarnation = 1, .log_fd = -1, .program = program };
	memset(&in, 0xff, sizeof in);	/* all -1 */
	buf_init(&h->failed, 65536);
	buf_init(&h->log, CONFIG_MAX);
	ipc_hub_init(&h->hub, l);
	if (make_tables(h, &in, err_out) < 0) {
		inherited_close(&in);
		return -1;
	}
	return start_process(h, &in, config, err_out);
}

static void
close_log(struct worker_harness *h)
{
	if (h->log_fd >= 0) {
		on_log(h, LOOP_READ);
		loop_fd_stop(&h->log_watch);
		fdio_close(&h->log_fd);
	}
}

static int
reap(struct worker_harness *h)
{
	int status = 0;

	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR) {
	}
	h->pid = 0;
	return status;
}

int
worker_harness_restart(struct worker_harness *h, struct slice config,
    void (*between)(void *arg), void *arg, struct error *err_out)
{
	struct inherited in;

	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		reap(h);
	}
	ipc_link_close(&h->control);
	close_log(h);
	if (between != NULL) {
		between(arg);
	}
	h->incarnation++;
	memset(&in, 0xff, sizeof in);
	for (int i = 0; i < 3; i++) {
		in.fd[WORKER_FD_SCOREBOARD + i] = fcntl(h->tables[i],
		    F_DUPFD_CLOEXEC, 3);
	}
	return start_process(h, &in, config, err_out);
}

static void
on_tick(void *arg)
{
	(void)arg;	/* a turn ends: wait() looks at the time */
}

bool
worker_harness_wait(struct worker_harness *h, uint64_t timeout_us,
    bool (*done)(void *arg), void *arg)
{
	uint64_t end = clock_mono_us() + timeout_us;
	struct loop_timer tick;
	bool is_done;

	loop_timer_init(&tick, h->loop, on_tick, NULL);
	loop_timer_set(&tick, timeout_us);
	loop_again(h->loop);	/* what the test said leaves at a turn's end */
	while (!(is_done = done(arg)) && clock_mono_us() < end) {
		loop_turn(h->loop, true);
	}
	loop_timer_stop(&tick);
	return is_done;
}

bool
worker_harness_is_ready(void *arg)
{
	const struct worker_harness *h = arg;

	return h->ready || h->gone || h->failed_code != 0;
}

bool
worker_harness_is_gone(void *arg)
{
	const struct worker_harness *h = arg;

	return h->gone;
}

int
worker_harness_link(struct worker_harness *h, struct ipc_link *k,
    enum ipc_role as, unsigned index, ipc_msg_fn on_msg, ipc_down_fn on_down,
    void *arg, struct error *err_out)
{
	struct buf body;
	int pair[2];

	if (ipc_pair(pair, err_out) < 0) {
		return -1;
	}
	buf_init(&body, 64);
	wire_put_u8(&body, (uint8_t)as);
	wire_put_u8(&body, (uint8_t)index);
	wire_put_u32(&body, 1);
	ipc_send_fd(&h->control, IPC_SUP_LINK, buf_slice(&body), &pair[1], 1);
	buf_fini(&body);
	close(pair[1]);
	ipc_link_open(k, &h->hub, pair[0], as, h->role, h->index, on_msg,
	    on_down, arg);
	k->incarnation = h->incarnation;
	return 0;
}

void
worker_harness_drain(struct worker_harness *h)
{
	if (ipc_link_is_up(&h->control)) {
		ipc_say(&h->control, IPC_SUP_DRAIN);
	}
}

static void
free_all(struct worker_harness *h)
{
	ipc_link_close(&h->control);
	close_log(h);
	for (int i = 0; i < 3; i++) {
		fdio_close(&h->tables[i]);
	}
	ipc_hub_fini(&h->hub);
	buf_fini(&h->failed);
	buf_fini(&h->log);
	munmap(h->scoreboard, sizeof *h->scoreboard);
	munmap(h->budget, sizeof *h->budget);
	munmap(h->stages, sizeof *h->stages);
}

int
worker_harness_stop(struct worker_harness *h, uint64_t timeout_us)
{
	int status = 0;

	if (h->pid > 0) {
		worker_harness_drain(h);
		if (!worker_harness_wait(h, timeout_us, worker_harness_is_gone,
		    h)) {
			kill(h->pid, SIGKILL);
		}
		status = reap(h);
	}
	free_all(h);
	return status;
}
