/* SPDX-License-Identifier: Apache-2.0 */
/* The real console worker, and ec_console before it; the test is the
 * supervisor, the spooler and the resolver. */
#include "common/base/base.h"

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/base/fdio.h"
#include "common/ipc/process_state.h"
#include "tests/support/worker_harness.h"

#define PATIENCE_US 15000000u
#define WORKER "console/console"
#define CLIENT "helpers/ec_console"
#define HEAR_MAX (32u << 20)

/* Something that is read until it ends: a client's socket or a pipe. */
struct ear {
	struct loop_fd watch;
	int fd;
	struct buf got;
	bool closed;
};

struct question {
	uint32_t number, limit;
	char command[40], argument[300];
};

static char dir[64], path[80], config[200];
static struct loop *loop;
static struct worker_harness h;
static struct ipc_link peer;		/* spooler or resolver */
static bool peer_down;
static struct question asked[80];
static unsigned n_asked;
static struct { uint32_t number; unsigned what; } requests[8];
static unsigned n_requests, n_bad_peers;

static void
on_control(void *arg, struct worker_harness *w, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	(void)arg;
	(void)w;
	if (m->type == IPC_SUP_REQUEST) {
		ck_assert_uint_lt(n_requests, ARRAY_LEN(requests));
		requests[n_requests].number = wire_u32(&r);
		requests[n_requests++].what = wire_u8(&r);
		ck_assert(!r.bad && wire_left(&r) == 0);
	} else if (m->type == IPC_SUP_BAD_PEER) {
		n_bad_peers++;
	}
}

static void
on_ask(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct question *q = &asked[n_asked];

	(void)arg;
	(void)k;
	ck_assert_int_eq(m->type, IPC_ASK);
	ck_assert_uint_lt(n_asked, ARRAY_LEN(asked));
	q->number = wire_u32(&r);
	slice_copy(q->command, sizeof q->command, wire_slice(&r));
	slice_copy(q->argument, sizeof q->argument, wire_slice(&r));
	q->limit = wire_u32(&r);
	ck_assert(!r.bad && wire_left(&r) == 0);
	n_asked++;
}

static void
on_peer_down(void *arg, struct ipc_link *k, const char *reason)
{
	(void)arg;
	(void)reason;
	peer_down = true;
	ipc_link_close(k);
}

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/ec_console.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/control", dir);
	snprintf(config, sizeof config, "Control_Socket = \"%s\"\n", path);
	loop = loop_create();
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static void
start_worker(void)
{
	struct error err = { 0 };

	ck_assert_msg(worker_harness_start(&h, loop, WORKER, ROLE_CONSOLE, 0,
	    slice_of(config), &err) == 0, "%s", err.text);
	h.on_control = on_control;
	ck_assert(worker_harness_wait(&h, PATIENCE_US, worker_harness_is_ready,
	    &h));
	ck_assert_msg(h.ready, "%.*s %.*s", SLICE_ARG(buf_slice(&h.failed)),
	    SLICE_ARG(buf_slice(&h.log)));
}

static void
stop_worker(void)
{
	ck_assert_int_eq(worker_harness_stop(&h, PATIENCE_US), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}

static void
link_peer(enum ipc_role role)
{
	struct error err = { 0 };

	ck_assert_int_eq(worker_harness_link(&h, &peer, role, 0, on_ask,
	    on_peer_down, NULL, &err), 0);
}

static void
on_heard(void *arg, unsigned ready)
{
	struct ear *e = arg;
	char chunk[65536];
	ssize_t n = read(e->fd, chunk, sizeof chunk);

	(void)ready;
	if (n > 0) {
		buf_append(&e->got, chunk, (size_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		e->closed = true;
		loop_fd_want(&e->watch, 0);
	}
}

static void
ear_open(struct ear *e, int fd)
{
	*e = (struct ear){ .fd = fd };
	fdio_set_nonblock(fd, true);
	buf_init(&e->got, HEAR_MAX);
	loop_fd_init(&e->watch, loop, fd, on_heard, e);
	loop_fd_want(&e->watch, LOOP_READ);
}

static void
ear_close(struct ear *e)
{
	loop_fd_stop(&e->watch);
	buf_fini(&e->got);
	fdio_close(&e->fd);
}

static void
dial(struct ear *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	slice_copy(a.sun_path, sizeof a.sun_path, slice_of(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	ear_open(e, fd);
}

static void
say(struct ear *e, const char *line)
{
	ck_assert_int_eq(send(e->fd, line, strlen(line), MSG_NOSIGNAL),
	    (ssize_t)strlen(line));
}

static bool
has_end(void *arg)
{
	struct ear *e = arg;

	return e->closed || slice_ends_nocase(buf_slice(&e->got),
	    SLICE("\"ok\":true}\n")) || slice_ends_nocase(buf_slice(&e->got),
	    SLICE("\"ok\":false}\n"));
}

static bool
is_closed(void *arg)
{
	return ((struct ear *)arg)->closed;
}

static void
expect(struct ear *e, const char *exactly)
{
	ck_assert(worker_harness_wait(&h, PATIENCE_US, has_end, e));
	ck_assert_msg(slice_eq(buf_slice(&e->got), slice_of(exactly)),
	    "%.*s instead of %s", SLICE_ARG(buf_slice(&e->got)), exactly);
	buf_clear(&e->got);
}

static void
expect_part(struct ear *e, const char *part)
{
	ck_assert(worker_harness_wait(&h, PATIENCE_US, has_end, e));
	ck_assert_msg(e->got.len > 0 && memmem(e->got.ptr, e->got.len, part,
	    strlen(part)) != NULL, "%.*s without %s",
	    SLICE_ARG(buf_slice(&e->got)), part);
	buf_clear(&e->got);
}

static bool
as_many_asked(void *n)
{
	return n_asked >= *(unsigned *)n;
}

static void
wait_asked(unsigned n)
{
	ck_assert(worker_harness_wait(&h, PATIENCE_US, as_many_asked, &n));
}

static bool
is_requested(void *n)
{
	return n_requests >= *(unsigned *)n;
}

static void
wait_requested(unsigned n)
{
	ck_assert(worker_harness_wait(&h, PATIENCE_US, is_requested, &n));
}

static void
tell(uint32_t number, bool last, const char *line)
{
	struct buf *b = ipc_begin(&peer, IPC_TOLD);

	wire_put_u32(b, number);
	wire_put_u8(b, last);
	buf_puts(b, line);
	ipc_end(&peer);
}

static void
sup_answer(uint32_t number, bool ok, const char *text)
{
	struct buf *b = ipc_begin(&h.control, IPC_SUP_ANSWER);

	wire_put_u32(b, number);
	wire_put_u8(b, ok);
	wire_put_slice(b, slice_of(text));
	ipc_end(&h.control);
}

START_TEST(answers_from_the_scoreboard)
{
	char pid[80];
	struct stat st;
	struct ear e;

	start_worker();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	atomic_store(&h.scoreboard->process[ROLE_DELIVERER][0].pid, 5);
	atomic_store(&h.scoreboard->process[ROLE_DELIVERER][0].state,
	    PROCESS_READY);
	score_set(&h.scoreboard->slot[ROLE_DELIVERER][0], SCORE_D_CONNECTIONS,
	    840);
	dial(&e);
	say(&e, "{\"command\":\"summary\"}\n");
	expect_part(&e, "{\"text\":\"Outbound Concurrency: 840\\n");
	say(&e, "{\"command\":\"workers\"}\n");
	expect_part(&e, "\\ndeliverer/0\\t5\\tready\\t0\\t-\\t"
	    "connections=840\\n");
	say(&e, "{\"command\":\"version\",\"json\":true}\n");
	expect(&e, "{\"data\":{\"version\":\"" PACKAGE_VERSION "\"}}\n"
	    "{\"ok\":true}\n");
	say(&e, "{\"command\":\"pid\"}\n");
	snprintf(pid, sizeof pid, "{\"text\":\"%ld\\n\"}\n{\"ok\":true}\n",
	    (long)getpid());
	expect(&e, pid);
	say(&e, "{\"command\":\"help\"}\n");
	expect_part(&e, "\\nreopen logs\\t");
	say(&e, "{\"command\":\"sumary\\u001b\"}\n");
	expect(&e, "{\"error\":\"There is no command \\\"sumary\\\\x1B\\\"; "
	    "did you mean \\\"summary\\\"? \\\"help\\\" lists all.\","
	    "\"ok\":false}\n");
	say(&e, "{\"command\":\"dns_cache lookup\"}\n");
	expect(&e, "{\"error\":\"Usage: dns_cache lookup NAME\","
	    "\"ok\":false}\n");
	ck_assert_uint_eq(score_get(&h.scoreboard->slot[ROLE_CONSOLE][0],
	    SCORE_C_REQUESTS), 7);
	ear_close(&e);
	stop_worker();
}
END_TEST

START_TEST(queues_by_the_spooler)
{
	struct ear e, other;

	start_worker();
	link_peer(ROLE_SPOOLER);
	dial(&e);
	dial(&other);
	say(&e, "{\"command\":\"queue\",\"args\":[\"evil.example\",\"7\"]}\n");
	wait_asked(1);
	say(&other, "{\"command\":\"queue\",\"args\":[\"9\"],"
	    "\"json\":true}\n");
	wait_asked(2);
	ck_assert_str_eq(asked[0].command, "queue");
	ck_assert_str_eq(asked[0].argument, "evil.example");
	ck_assert_uint_eq(asked[0].limit, 7);
	ck_assert_str_eq(asked[1].argument, "");
	ck_assert_uint_eq(asked[1].limit, 9);
	/* The second is answered while the first waits. */
	tell(asked[1].number, false, "{\"domain\":\"b\",\"active\":1}");
	tell(asked[0].number, false, "{\"domain\":\"x\\u001b[2Jy\","
	    "\"active\":12}");
	tell(asked[1].number, true, "{\"total\":1}");
	expect(&other, "{\"data\":{\"domain\":\"b\",\"active\":1}}\n"
	    "{\"data\":{\"total\":1}}\n{\"ok\":true}\n");
	ck_assert_uint_eq(e.got.len, 0);
	tell(asked[0].number, true, "{\"total\":12}");
	expect(&e, "{\"text\":\"DOMAIN\\tACTIVE\\nx\\\\x1B[2Jy\\t12\\n\"}\n"
	    "{\"text\":\"Total: 12\\n\"}\n{\"ok\":true}\n");
	/* A second end is too late, and harmless. */
	tell(asked[0].number, true, "{\"total\":99}");
	say(&e, "{\"command\":\"queue\"}\n");
	wait_asked(3);
	ck_assert_uint_eq(asked[2].limit, 100);
	tell(asked[2].number, true, "{\"error\":\"replaying, 41%\"}");
	expect(&e, "{\"error\":\"replaying, 41%\",\"ok\":false}\n");
	say(&e, "{\"command\":\"queue\",\"args\":[\"a\",\"0\"]}\n");
	expect(&e, "{\"error\":\"LIMIT is a number from 1 to 20000.\","
	    "\"ok\":false}\n");
	say(&e, "{\"command\":\"queue\"}\n");
	wait_asked(4);
	tell(asked[3].number, false, "no json");
	expect(&e, "{\"error\":\"spooler/0 gave an answer that is no JSON.\","
	    "\"ok\":false}\n");
	ear_close(&e);
	ear_close(&other);
	ipc_link_close(&peer);
	stop_worker();
}
END_TEST

START_TEST(spooler_away_or_dying)
{
	struct ear e;

	start_worker();
	dial(&e);
	say(&e, "{\"command\":\"queue\"}\n");
	expect(&e, "{\"error\":\"spooler/0 is not there: it is starting, or "
	    "down (see \\\"workers\\\").\",\"ok\":false}\n");
	link_peer(ROLE_SPOOLER);
	say(&e, "{\"command\":\"pid\"}\n");	/* by now it has the link */
	expect_part(&e, "ok");
	say(&e, "{\"command\":\"queue\"}\n");
	wait_asked(1);
	ipc_link_close(&peer);
	expect(&e, "{\"error\":\"spooler/0 went away before it had answered: "
	    "try again in a moment.\",\"ok\":false}\n");
	ear_close(&e);
	stop_worker();
}
END_TEST

START_TEST(silent_spooler)
{
	struct ear e, other;

	start_worker();
	link_peer(ROLE_SPOOLER);
	dial(&e);
	dial(&other);
	say(&e, "{\"command\":\"queue\"}\n");
	wait_asked(1);
	say(&other, "{\"command\":\"pid\"}\n");
	expect_part(&other, "\"ok\":true");
	ck_assert_uint_eq(e.got.len, 0);
	expect(&e, "{\"error\":\"No answer from spooler/0 within 5 seconds: "
	    "it is busy or stuck (see \\\"workers\\\").\",\"ok\":false}\n");
	tell(asked[0].number, true, "{\"total\":1}");
	say(&e, "{\"command\":\"version\"}\n");
	expect_part(&e, "ecelerity version: ");
	ear_close(&e);
	ear_close(&other);
	ipc_link_close(&peer);
	stop_worker();
}
END_TEST

static bool
is_peer_down(void *arg)
{
	(void)arg;
	return peer_down && n_bad_peers > 0;
}

START_TEST(malformed_told)
{
	struct ear e;

	start_worker();
	link_peer(ROLE_SPOOLER);
	dial(&e);
	say(&e, "{\"command\":\"queue\"}\n");
	wait_asked(1);
	tell(0, true, "");
	ck_assert(worker_harness_wait(&h, PATIENCE_US, is_peer_down, NULL));
	expect_part(&e, "went away");
	ear_close(&e);
	stop_worker();
}
END_TEST

START_TEST(names_by_the_resolver)
{
	struct ear e;

	start_worker();
	link_peer(ROLE_RESOLVER);
	dial(&e);
	say(&e, "{\"command\":\"dns_cache\",\"args\":[\"lookup\","
	    "\"example.com\"]}\n");
	wait_asked(1);
	ck_assert_str_eq(asked[0].command, "dns_cache");
	ck_assert_str_eq(asked[0].argument, "lookup example.com");
	tell(asked[0].number, false, "{\"name\":\"example.com\",\"type\":\"MX\""
	    ",\"records\":[\"10 a.example\",\"20 b.example\"]}");
	tell(asked[0].number, true, "{\"kept\":1}");
	expect(&e, "{\"text\":\"NAME\\tTYPE\\tRECORDS\\nexample.com\\tMX\\t"
	    "10 a.example, 20 b.example\\n\"}\n{\"text\":\"Kept: 1\\n\"}\n"
	    "{\"ok\":true}\n");
	say(&e, "{\"command\":\"dns_cache stats\"}\n");
	wait_asked(2);
	ck_assert_str_eq(asked[1].argument, "stats");
	tell(asked[1].number, true, "{\"entries\":3}");
	expect_part(&e, "Entries: 3");
	say(&e, "{\"command\":\"dns_cache purge\",\"args\":[\"*\"]}\n");
	wait_asked(3);
	ck_assert_str_eq(asked[2].argument, "purge *");
	tell(asked[2].number, true, "");
	expect(&e, "{\"ok\":true}\n");
	ear_close(&e);
	ipc_link_close(&peer);
	stop_worker();
}
END_TEST

START_TEST(orders_to_the_supervisor)
{
	struct ear e;

	start_worker();
	dial(&e);
	say(&e, "{\"command\":\"reload\"}\n");
	wait_requested(1);
	ck_assert_uint_eq(requests[0].what, SUP_RELOAD);
	sup_answer(requests[0].number, false, "c.conf:3: no\033 such\nand\n");
	expect(&e, "{\"error\":\"c.conf:3: no\\\\x1B such\\nand\","
	    "\"ok\":false}\n");
	say(&e, "{\"command\":\"reopen logs\"}\n");
	wait_requested(2);
	ck_assert_uint_eq(requests[1].what, SUP_REOPEN_LOGS);
	sup_answer(requests[1].number, true, "log files are opened anew");
	expect(&e, "{\"text\":\"log files are opened anew\\n\"}\n"
	    "{\"ok\":true}\n");
	/* The answer comes after the order to leave, and still arrives. */
	say(&e, "{\"command\":\"shutdown\"}\n");
	wait_requested(3);
	ck_assert_uint_eq(requests[2].what, SUP_SHUTDOWN);
	worker_harness_drain(&h);
	sup_answer(requests[2].number, true, "shutting down");
	expect(&e, "{\"text\":\"shutting down\\n\"}\n{\"ok\":true}\n");
	ck_assert(worker_harness_wait(&h, PATIENCE_US, is_closed, &e));
	ear_close(&e);
	stop_worker();
}
END_TEST

START_TEST(many_clients)
{
	struct ear crowd[64], slow, last;
	char row[400];

	start_worker();
	link_peer(ROLE_SPOOLER);
	/* One who asks for much and does not read. */
	dial(&slow);
	loop_fd_want(&slow.watch, 0);
	say(&slow, "{\"command\":\"queue\",\"args\":[\"20000\"]}\n");
	wait_asked(1);
	snprintf(row, sizeof row, "{\"domain\":\"%0200d.example\"}", 7);
	for (int i = 0; i < 15000; i++) {
		tell(asked[0].number, false, row);
	}
	tell(asked[0].number, true, "{\"total\":15000}");
	for (int i = 0; i < 62; i++) {
		dial(&crowd[i]);
		say(&crowd[i], i == 40 ? "\x80\xff\n" :
		    "{\"command\":\"queue\"}\n");
	}
	dial(&last);
	wait_asked(62);
	for (unsigned i = 61; i > 0; i--) {
		tell(asked[i].number, true, "{\"total\":0}");
	}
	for (int i = 0; i < 62; i++) {
		if (i == 40) {
			expect_part(&crowd[i], "Not understood");
			ck_assert(worker_harness_wait(&h, PATIENCE_US,
			    is_closed, &crowd[i]));
		} else {
			expect(&crowd[i], "{\"text\":\"Total: 0\\n\"}\n"
			    "{\"ok\":true}\n");
		}
	}
	say(&last, "{\"command\":\"pid\"}\n");
	expect_part(&last, "\"ok\":true");
	/* 63 are there again with this one, the next is one too many. */
	dial(&crowd[62]);
	dial(&crowd[63]);
	expect_part(&crowd[63], "Too many clients");
	/* Now it reads, and nothing is missing. */
	loop_fd_want(&slow.watch, LOOP_READ);
	ck_assert(worker_harness_wait(&h, PATIENCE_US, has_end, &slow));
	ck_assert_uint_gt(slow.got.len, 15000 * 200);
	ck_assert(slice_ends_nocase(buf_slice(&slow.got),
	    SLICE("{\"text\":\"Total: 15000\\n\"}\n{\"ok\":true}\n")));
	for (int i = 0; i < 64; i++) {
		ear_close(&crowd[i]);
	}
	ear_close(&slow);
	ear_close(&last);
	ipc_link_close(&peer);
	stop_worker();
}
END_TEST

/* ---- ec_console ---- */

struct program {
	pid_t pid;
	struct ear out, err;
	int status;
};

static void
program_start(struct program *p, char *const *argv)
{
	int out[2], err[2];

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	p->pid = fork();
	if (p->pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		execv(CLIENT, argv);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	ear_open(&p->out, out[0]);
	ear_open(&p->err, err[0]);
}

static bool
program_is_done(void *arg)
{
	struct program *p = arg;

	return p->out.closed && p->err.closed;
}

static void
program_end(struct program *p, int code, const char *out, const char *err)
{
	int status;

	ck_assert(worker_harness_wait(&h, PATIENCE_US, program_is_done, p));
	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	ck_assert(WIFEXITED(status));
	buf_putc(&p->out.got, '\0');
	buf_putc(&p->err.got, '\0');
	ck_assert_msg(WEXITSTATUS(status) == code, "exit %d: %s",
	    WEXITSTATUS(status), p->err.got.ptr);
	if (out != NULL) {
		ck_assert_str_eq(p->out.got.ptr, out);
	}
	ck_assert_msg(strstr(p->err.got.ptr, err) != NULL, "%s without %s",
	    p->err.got.ptr, err);
	ck_assert(err[0] != '\0' || p->err.got.len == 1);
	ear_close(&p->out);
	ear_close(&p->err);
}

#define ARGV(...) ((char *[]){ "ec_console", __VA_ARGS__, NULL })

START_TEST(client_program)
{
	struct program p;

	start_worker();
	link_peer(ROLE_SPOOLER);
	program_start(&p, ARGV("-s", path, "queue", "a.example"));
	wait_asked(1);
	ck_assert_str_eq(asked[0].argument, "a.example");
	tell(asked[0].number, false, "{\"domain\":\"a\\nb\",\"active\":3}");
	tell(asked[0].number, true, "{\"total\":3}");
	program_end(&p, 0, "DOMAIN\tACTIVE\na\\x0Ab\t3\nTotal: 3\n", "");
	program_start(&p, ARGV("--json", "--socket", path, "queue"));
	wait_asked(2);
	tell(asked[1].number, false, "{\"domain\":\"a\\u009b\"}");
	tell(asked[1].number, true, "{\"total\":3}");
	program_end(&p, 0, "{\"domain\":\"a\\u009B\"}\n{\"total\":3}\n", "");
	program_start(&p, ARGV(path, "version"));
	program_end(&p, 0, "ecelerity version: " PACKAGE_VERSION "\n", "");
	program_start(&p, ARGV("-s", path, "reopen", "log"));
	program_end(&p, 1, "", "did you mean \"reopen logs\"?");
	ipc_link_close(&peer);
	stop_worker();
}
END_TEST

START_TEST(client_program_alone)
{
	char stale[100], *more[20];
	struct program p;

	start_worker();
	snprintf(stale, sizeof stale, "%s/none", dir);
	program_start(&p, ARGV("-s", stale, "summary"));
	program_end(&p, 69, "", "nothing listens on ");
	program_start(&p, ARGV("-s", stale));
	program_end(&p, 64, "", "usage: ");
	program_start(&p, ARGV("--nonsense"));
	program_end(&p, 64, "", "usage: ");
	program_start(&p, ARGV("-s", path, "\xff"));
	program_end(&p, 64, "", "UTF-8");
	program_start(&p, ARGV("--version"));
	program_end(&p, 0, "ec_console " PACKAGE_VERSION "\n", "");
	program_start(&p, ARGV("--help"));
	program_end(&p, 0, NULL, "");
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		more[i] = "x";
	}
	more[0] = "ec_console";
	more[1] = path;
	more[ARRAY_LEN(more) - 1] = NULL;
	program_start(&p, more);
	program_end(&p, 1, "", "more than 16 words");
	stop_worker();
}
END_TEST

START_TEST(stale_socket_and_live_one)
{
	struct worker_harness second;
	struct error err = { 0 };
	struct program p;

	start_worker();
	ck_assert_int_eq(worker_harness_start(&second, loop, WORKER,
	    ROLE_CONSOLE, 1, slice_of(config), &err), 0);
	ck_assert(worker_harness_wait(&second, PATIENCE_US,
	    worker_harness_is_ready, &second));
	ck_assert_int_eq(second.failed_code, 78);
	ck_assert_ptr_nonnull(memmem(second.failed.ptr, second.failed.len,
	    "another console listens", 23));
	worker_harness_stop(&second, PATIENCE_US);
	kill(h.pid, SIGKILL);
	ck_assert(worker_harness_wait(&h, PATIENCE_US, worker_harness_is_gone,
	    &h));
	worker_harness_stop(&h, PATIENCE_US);
	ck_assert_int_eq(access(path, F_OK), 0);	/* left behind */
	start_worker();
	program_start(&p, ARGV("-s", path, "pid"));
	program_end(&p, 0, NULL, "");
	stop_worker();
}
END_TEST

/* Another user, who got past the file's mode. */
START_TEST(stranger_is_refused)
{
	struct ear e;
	int fds[2], status;
	pid_t pid;

	if (geteuid() != 0) {
		return;		/* nobody else can be played */
	}
	start_worker();
	chmod(dir, 0711);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	chmod(path, 0666);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_un a = { .sun_family = AF_UNIX };
		int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char text[1000];
		ssize_t n;

		slice_copy(a.sun_path, sizeof a.sun_path, slice_of(path));
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 ||
		    setuid(65534) < 0 ||
		    connect(s, (struct sockaddr *)&a, sizeof a) < 0) {
			_exit(9);
		}
		while ((n = read(s, text, sizeof text)) > 0) {
			fdio_write_all(fds[1], text, (size_t)n);
		}
		_exit(0);
	}
	close(fds[1]);
	ear_open(&e, fds[0]);
	ck_assert(worker_harness_wait(&h, PATIENCE_US, is_closed, &e));
	expect(&e, "{\"error\":\"You may not use this console: it serves root,"
	    " the server's own user and members of its group.\","
	    "\"ok\":false}\n");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ear_close(&e);
	stop_worker();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("console");
	TCase *t = tcase_create("console");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 40);
	tcase_add_test(t, answers_from_the_scoreboard);
	tcase_add_test(t, queues_by_the_spooler);
	tcase_add_test(t, spooler_away_or_dying);
	tcase_add_test(t, silent_spooler);
	tcase_add_test(t, malformed_told);
	tcase_add_test(t, names_by_the_resolver);
	tcase_add_test(t, orders_to_the_supervisor);
	tcase_add_test(t, many_clients);
	tcase_add_test(t, client_program);
	tcase_add_test(t, client_program_alone);
	tcase_add_test(t, stale_socket_and_live_one);
	tcase_add_test(t, stranger_is_refused);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
