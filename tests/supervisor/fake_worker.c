/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker of any role for the supervisor's tests: it runs on the real
 * skeleton, writes each thing that happens to it as a line into the file named
 * by FAKE_EVENTS, and misbehaves as the environment says:
 *
 *	FAKE_REFUSE=spooler/0:78:sentence	start() fails
 *	FAKE_CRASH=listener/0			dies at start without a word
 *	FAKE_HANG=deliverer/0			first incarnation: no heartbeat
 *	FAKE_STUBBORN=listener/0		does not leave when asked
 *	FAKE_ACCUSE=deliverer/0			its first spooler link is bad
 *	FAKE_SESSIONS=listener/0:500		first incarnation: claims so many
 *	FAKE_ASK=0..2				the console's SUP_REQUEST
 *
 * The role is the name it was installed under.
 */
#include "common/ipc/worker.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/base/addr.h"
#include "common/base/fdio.h"
#include "common/base/log.h"

#define SOCKETS 64

struct fake;

struct fake_socket {
	struct fake *f;
	struct loop_fd watch;
	unsigned slot;
	int fd;
};

struct fake {
	struct worker *w;
	enum ipc_role role;
	int events;
	char who[32];
	bool accused, asked;
	unsigned n_sockets;
	bool serves[SCORE_PER_ROLE];
	struct fake_socket socket[SOCKETS];
};

static struct fake fake = { .events = -1 };

static void note(const char *fmt, ...) EC_PRINTF(1, 2);

/* One write a line: several processes append to the same file. */
static void
note(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n = snprintf(line, sizeof line, "%s#%u ", fake.who,
	    worker_incarnation(fake.w));

	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n = EC_MIN(n, (int)sizeof line - 2);
	line[n++] = '\n';
	if (fake.events >= 0) {
		(void)!write(fake.events, line, (size_t)n);
	}
}

/* What follows "who:" (or just "who") in a variable; NULL if it is not us. */
static const char *
told(const char *variable)
{
	const char *v = getenv(variable);
	size_t n = strlen(fake.who);

	if (v == NULL || strncmp(v, fake.who, n) != 0 ||
	    (v[n] != '\0' && v[n] != ':')) {
		return NULL;
	}
	return v[n] == ':' ? v + n + 1 : v + n;
}

/* An option that needs a restart, as this worker has it. */
static void
note_journal_size(void)
{
	note("journal size %llu", (unsigned long long)config_size(
	    worker_config(fake.w), NULL, OPT_JOURNAL_SIZE));
}

static int
start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	const char *refuse, *events = getenv("FAKE_EVENTS");

	fake.w = w;
	snprintf(fake.who, sizeof fake.who, "%s/%u", ipc_role_name(fake.role),
	    worker_index(w));
	if (events != NULL) {
		fake.events = open(events, O_WRONLY | O_APPEND | O_CREAT |
		    O_CLOEXEC, 0666);
	}
	if (told("FAKE_CRASH") != NULL) {
		_exit(9);
	}
	refuse = told("FAKE_REFUSE");
	if (refuse != NULL) {
		*exit_code_out = (int)strtol(refuse, NULL, 10);
		return error_set(err_out, ERROR_CONFIG, "%s",
		    strchr(refuse, ':') ? strchr(refuse, ':') + 1 : "refused");
	}
	note("started pid %ld uid %u gid %u stdin %d", (long)getpid(),
	    (unsigned)getuid(), (unsigned)getgid(),
	    fcntl(0, F_GETFD) >= 0);
	for (int fd = WORKER_FD_COUNT + 8; fd < 64; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			note("leaked descriptor %d", fd);
		}
	}
	note_journal_size();
	return 0;
}

static void
reconfigure(struct worker *w)
{
	note("reconfigured generation %u",
	    atomic_load(&worker_score(w)->generation));
	note_journal_size();
}

/* The console's wish, once its peers are there and so it is at work. */
static void
ask_supervisor(struct worker *w)
{
	const char *ask = getenv("FAKE_ASK");
	struct buf *b;

	if (fake.role != ROLE_CONSOLE || ask == NULL || fake.asked) {
		return;
	}
	fake.asked = true;
	b = ipc_begin(worker_supervisor(w), IPC_SUP_REQUEST);
	wire_put_u32(b, 77);
	wire_put_u8(b, (uint8_t)strtol(ask, NULL, 10));
	ipc_end(worker_supervisor(w));
}

static void
link_up(struct worker *w, struct ipc_link *k)
{
	struct buf *b;

	note("link %s/%u#%u", ipc_role_name(k->peer), k->peer_index,
	    k->incarnation);
	if (fake.role == ROLE_DELIVERER && k->peer == ROLE_RESOLVER) {
		b = ipc_begin(k, IPC_RESOLVE);
		wire_put_u32(b, 1);
		wire_put_u8(b, RESOLVE_MX);
		wire_put_slice(b, SLICE("example.com"));
		ipc_end(k);
	}
	if (told("FAKE_ACCUSE") != NULL && k->peer == ROLE_SPOOLER &&
	    k->incarnation == 1 && !fake.accused) {
		fake.accused = true;
		worker_bad_peer(w, k, "accused by the test");
	}
	ask_supervisor(w);
}

static void
link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	(void)w;
	note("unlink %s/%u#%u %s", ipc_role_name(k->peer), k->peer_index,
	    k->incarnation, reason);
}

static void
on_client(void *arg, unsigned ready)
{
	struct fake_socket *s = arg;
	char hello[64];
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)ready;
	if (fd >= 0) {
		int n = snprintf(hello, sizeof hello, "220 %s#%u slot %u\r\n",
		    fake.who, worker_incarnation(fake.w), s->slot);

		(void)!write(fd, hello, (size_t)n);
		close(fd);
	}
}

static void
serve_slot(unsigned slot, bool on)
{
	fake.serves[slot] = on;
	for (unsigned i = 0; i < fake.n_sockets; i++) {
		if (fake.socket[i].slot == slot && fake.socket[i].fd >= 0) {
			loop_fd_want(&fake.socket[i].watch,
			    on ? LOOP_READ : 0);
		}
	}
}

static void
on_listen(struct worker *w, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	unsigned slot = wire_u16(&r);
	struct slice scope = wire_slice(&r), text = wire_slice(&r);
	struct fake_socket *s = &fake.socket[fake.n_sockets];

	ec_assert(fake.n_sockets < SOCKETS && slot < SCORE_PER_ROLE);
	fake.n_sockets++;
	*s = (struct fake_socket){ .f = &fake, .slot = slot,
		.fd = ipc_take_fd(m) };
	note("listen slot %u scope \"%.*s\" address %.*s", slot,
	    SLICE_ARG(scope), SLICE_ARG(text));
	loop_fd_init(&s->watch, worker_loop(w), s->fd, on_client, s);
	if (slot == worker_index(w) || fake.serves[slot]) {
		loop_fd_want(&s->watch, LOOP_READ);
	}
}

static void
message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct buf *b;

	if (m->type == IPC_SUP_LISTEN) {
		on_listen(w, m);
	} else if (m->type == IPC_SUP_LISTEN_GONE) {
		struct slice scope = wire_slice(&r), text = wire_slice(&r);

		note("gone scope \"%.*s\" address %.*s", SLICE_ARG(scope),
		    SLICE_ARG(text));
	} else if (m->type == IPC_SUP_ADOPT) {
		unsigned slot = wire_u16(&r), on = wire_u8(&r);

		note("adopt slot %u %u", slot, on);
		serve_slot(slot, on != 0);
	} else if (m->type == IPC_SUP_PEER_DEAD) {
		unsigned role = wire_u8(&r), index = wire_u8(&r);

		note("dead %s/%u#%u", ipc_role_name(role), index,
		    wire_u32(&r));
	} else if (m->type == IPC_SUP_ANSWER) {
		unsigned request = wire_u32(&r), ok = wire_u8(&r);
		struct slice text = wire_slice(&r);

		note("answer %u %u %.*s", request, ok, SLICE_ARG(text));
	} else if (m->type == IPC_RESOLVE) {
		b = ipc_begin(k, IPC_RESOLVED);
		wire_put_u32(b, wire_u32(&r));
		wire_put_u8(b, RESOLVE_OK);
		ipc_end(k);
	} else if (m->type == IPC_RESOLVED) {
		note("resolved %u", wire_u32(&r));
	}
}

static void
reopen(struct worker *w)
{
	(void)w;
	note("reopen");
}

static void
drain(struct worker *w)
{
	note("drain");
	if (told("FAKE_STUBBORN") == NULL) {
		worker_finished(w);
	}
}

/* A stop of the loop, as a bug would be. */
static void
hang(void)
{
	note("hanging");
	for (;;) {
		sleep(1);
	}
}

static void
title(struct worker *w, char *out, size_t size)
{
	if (told("FAKE_HANG") != NULL && worker_incarnation(w) == 1) {
		hang();
	}
	if (told("FAKE_SESSIONS") != NULL && worker_incarnation(w) == 1) {
		score_set(worker_score(w), SCORE_L_SESSIONS,
		    strtoul(told("FAKE_SESSIONS"), NULL, 10));
	}
	snprintf(out, size, "incarnation %u", worker_incarnation(w));
}

int
main(int argc, char **argv)
{
	static const int calls[] = { SCMP_SYS(accept4), SCMP_SYS(openat), -1 };
	struct worker_spec spec = { .syscalls = calls, .start = start,
		.reconfigure = reconfigure, .link_up = link_up,
		.link_down = link_down, .message = message, .reopen = reopen,
		.drain = drain, .title = title };
	const char *name = strrchr(argv[0], '/');

	name = name == NULL ? argv[0] : name + 1;
	for (unsigned r = ROLE_LISTENER; r < ROLE_COUNT; r++) {
		if (strcmp(name, ipc_role_name(r)) == 0) {
			fake.role = spec.role = (enum ipc_role)r;
		}
	}
	if (spec.role == ROLE_SUPERVISOR) {
		fatal(64, "install me under the name of a worker");
	}
	return worker_run(&spec, NULL, argc, argv);
}
