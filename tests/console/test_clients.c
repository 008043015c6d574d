/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket and its connections, with deadlines of milliseconds. */
#include "common/base/base.h"

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "console/answer.h"
#include "console/clients.h"

#define PATIENCE_US 5000000u

static char dir[64], path[80];
static struct loop *loop;
static struct ctl_socket sock;
static struct clients clients;
static unsigned late, dropped, emptied;
static size_t answer_bytes;
static struct client *silent;	/* the one whose answer never comes */

static void
on_request(void *arg, struct client *c)
{
	struct buf text;

	(void)arg;
	if (strcmp(c->request.word[0], "wait") == 0) {
		silent = c;
		return;
	}
	buf_init(&text, 64u << 20);
	while (text.len < answer_bytes) {
		buf_puts(&text, "0123456789abcde\n");
	}
	answer_text(&c->out, buf_slice(&text));
	answer_end(&c->out, NULL);
	buf_fini(&text);
	clients_answered(c);
}

static void
on_late(void *arg, struct client *c)
{
	(void)arg;
	late++;
	answer_end(&c->out, "late");
	clients_answered(c);
}

static void
on_drop(void *arg, struct client *c)
{
	(void)arg;
	dropped++;
	if (c == silent) {
		silent = NULL;
	}
}

static void
on_empty(void *arg)
{
	(void)arg;
	emptied++;
}

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/ec_clients.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/control", dir);
	loop = loop_create();
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static void
serve(struct clients_limits limits)
{
	struct clients_calls calls = { on_request, on_late, on_drop, on_empty,
		NULL };
	struct error err = { 0 };

	ck_assert_msg(ctl_socket_open(&sock, path, &err) == 0, "%s", err.text);
	clients_start(&clients, loop, sock.fd, &limits, &calls);
}

static void
unserve(void)
{
	clients_stop(&clients);
	ctl_socket_close(&sock);
	loop_destroy(&loop);
}

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	slice_copy(a.sun_path, sizeof a.sun_path, slice_of(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	fdio_set_nonblock(fd, true);
	return fd;
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
	    (ssize_t)strlen(text));
}

static void
on_tick(void *arg)
{
	(void)arg;
}

static void
turn(uint64_t end)
{
	struct loop_timer tick;

	ck_assert_msg(clock_mono_us() < end, "nothing came");
	loop_timer_init(&tick, loop, on_tick, NULL);
	loop_timer_set(&tick, 1000);
	loop_turn(loop, true);
	loop_timer_stop(&tick);
}

static unsigned
count_ends(struct slice s)
{
	unsigned n = 0;
	char *p;

	while (s.len > 0 && (p = memmem(s.ptr, s.len, "\"ok\":", 5)) != NULL) {
		n++;
		s = slice_skip(s, (size_t)(p - s.ptr) + 5);
	}
	return n;
}

/* What comes up to the other side's close, or up to n_ends ended answers. */
static void
hear(int fd, struct buf *got, unsigned n_ends)
{
	uint64_t end = clock_mono_us() + PATIENCE_US;
	char chunk[65536];
	unsigned ends = 0;
	ssize_t n;

	buf_clear(got);
	while (ends < n_ends) {
		n = recv(fd, chunk, sizeof chunk, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			return;
		}
		if (n > 0) {
			buf_append(got, chunk, (size_t)n);
			ends = count_ends(buf_slice(got));
		} else {
			turn(end);
		}
	}
}

static void
expect(int fd, const char *exactly)
{
	struct buf got;

	buf_init(&got, 64u << 20);
	hear(fd, &got, 1);
	ck_assert_msg(slice_eq(buf_slice(&got), slice_of(exactly)),
	    "%.*s instead of %s", SLICE_ARG(buf_slice(&got)), exactly);
	buf_fini(&got);
}

static void
expect_close(int fd)
{
	struct buf got;

	buf_init(&got, 4096);
	hear(fd, &got, 1);
	ck_assert_uint_eq(got.len, 0);
	buf_fini(&got);
	close(fd);
}

static const struct clients_limits quick = { 4, 400000, 100000, 100000,
	PATIENCE_US };

START_TEST(answers_in_order)
{
	struct buf got;
	int fd;

	answer_bytes = 16;
	serve(clients_usual_limits);
	fd = dial();
	say(fd, "{\"command\":\"x\"}\n{\"command\":\"y\"}\n{\"comm");
	buf_init(&got, 4096);
	hear(fd, &got, 2);
	ck_assert(slice_eq(buf_slice(&got), SLICE(
	    "{\"text\":\"0123456789abcde\\n\"}\n{\"ok\":true}\n"
	    "{\"text\":\"0123456789abcde\\n\"}\n{\"ok\":true}\n")));
	say(fd, "and\":\"z\"}\n");
	hear(fd, &got, 1);
	ck_assert_uint_eq(clients.n, 1);
	close(fd);
	buf_fini(&got);
	unserve();
	ck_assert_uint_eq(dropped, 1);
}
END_TEST

START_TEST(garbage_gets_a_reason)
{
	int fd, other;

	serve(clients_usual_limits);
	fd = dial();
	other = dial();
	say(fd, "\x16\x03\x01 hello\n{\"command\":\"x\"}\n");
	expect(fd, "{\"error\":\"Not understood: a request is one line of "
	    "JSON, this is none.\",\"ok\":false}\n");
	expect_close(fd);
	say(other, "{\"command\":\"x\"}\n");
	expect(other, "{\"ok\":true}\n");
	close(other);
	unserve();
}
END_TEST

START_TEST(endless_line)
{
	char chunk[2048];
	int fd;

	serve(clients_usual_limits);
	fd = dial();
	memset(chunk, 'x', sizeof chunk - 1);
	chunk[sizeof chunk - 1] = '\0';
	for (int i = 0; i < 4; i++) {
		say(fd, chunk);
	}
	expect(fd, "{\"error\":\"Not understood: a request is longer than "
	    "4096 bytes.\",\"ok\":false}\n");
	expect_close(fd);
	unserve();
}
END_TEST

START_TEST(idle_and_slow_ones_go)
{
	int idle, slow;

	serve(quick);
	idle = dial();
	slow = dial();
	say(slow, "{\"command\":");
	expect(slow, "{\"error\":\"The rest of the request did not come in "
	    "time.\",\"ok\":false}\n");
	expect_close(slow);
	expect_close(idle);
	ck_assert_uint_eq(clients.n, 0);
	unserve();
}
END_TEST

START_TEST(late_answer)
{
	int fd;

	serve(quick);
	fd = dial();
	say(fd, "{\"command\":\"wait\"}\n");
	expect(fd, "{\"error\":\"late\",\"ok\":false}\n");
	ck_assert_uint_eq(late, 1);
	close(fd);
	unserve();
}
END_TEST

START_TEST(slow_reader_is_dropped_alone)
{
	uint64_t end = clock_mono_us() + PATIENCE_US;
	struct clients_limits limits = clients_usual_limits;
	int slow, fd;

	limits.write_us = 200000;
	answer_bytes = 3u << 20;	/* more than a socket holds */
	serve(limits);
	slow = dial();
	say(slow, "{\"command\":\"x\"}\n");
	while (clients.n == 0 || list_entry(list_first(&clients.list),
	    struct client, link)->state != CLIENT_WRITING) {
		turn(end);
	}
	fd = dial();
	answer_bytes = 0;
	say(fd, "{\"command\":\"x\"}\n");
	expect(fd, "{\"ok\":true}\n");
	ck_assert_uint_eq(clients.n, 2);	/* answered meanwhile */
	while (clients.n > 1) {
		turn(end);
	}
	close(slow);
	say(fd, "{\"command\":\"x\"}\n");
	expect(fd, "{\"ok\":true}\n");
	close(fd);
	unserve();
}
END_TEST

START_TEST(reader_at_its_own_pace)
{
	struct buf got;
	int fd;

	answer_bytes = 3u << 20;
	serve(clients_usual_limits);
	fd = dial();
	say(fd, "{\"command\":\"x\"}\n");
	buf_init(&got, 64u << 20);
	hear(fd, &got, 1);
	ck_assert_uint_gt(got.len, answer_bytes);
	ck_assert(slice_ends_nocase(buf_slice(&got), SLICE("{\"ok\":true}\n")));
	buf_fini(&got);
	close(fd);
	unserve();
}
END_TEST

START_TEST(answer_past_the_cap)
{
	int fd;

	answer_bytes = 20u << 20;
	serve(clients_usual_limits);
	fd = dial();
	say(fd, "{\"command\":\"x\"}\n");
	expect(fd, "{\"error\":\"The answer is too large: ask for less.\","
	    "\"ok\":false}\n");
	close(fd);
	unserve();
}
END_TEST

START_TEST(only_so_many)
{
	int fds[4], fd;

	serve((struct clients_limits){ 4, PATIENCE_US, PATIENCE_US,
	    PATIENCE_US, PATIENCE_US });
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
	}
	fd = dial();
	expect(fd, "{\"error\":\"Too many clients use the console: try again "
	    "later.\",\"ok\":false}\n");
	expect_close(fd);
	for (int i = 0; i < 4; i++) {
		say(fds[i], "{\"command\":\"x\"}\n");
		expect(fds[i], "{\"ok\":true}\n");
		close(fds[i]);
	}
	unserve();
}
END_TEST

START_TEST(drain_answers_first)
{
	uint64_t end = clock_mono_us() + PATIENCE_US;
	int idle, asking;

	serve(clients_usual_limits);
	idle = dial();
	asking = dial();
	say(asking, "{\"command\":\"wait\"}\n");
	while (silent == NULL) {
		turn(end);
	}
	clients_drain(&clients);
	ck_assert_uint_eq(emptied, 0);
	expect_close(idle);
	answer_end(&silent->out, NULL);
	clients_answered(silent);
	expect(asking, "{\"ok\":true}\n");
	expect_close(asking);
	ck_assert_uint_eq(emptied, 1);
	unserve();
}
END_TEST

START_TEST(file_of_the_socket)
{
	struct ctl_socket first, second;
	struct error err = { 0 };
	struct stat st;

	ck_assert_int_eq(ctl_socket_open(&first, path, &err), 0);
	ck_assert_str_eq(first.directory, dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_uint_eq(st.st_uid, geteuid());
	/* A live one is refused, and stays. */
	ck_assert_int_eq(ctl_socket_open(&second, path, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "another console listens"));
	ck_assert_int_eq(stat(path, &st), 0);
	/* One left behind is replaced, and not taken for its successor. */
	fdio_close(&first.fd);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(ctl_socket_open(&second, path, &err), 0);
	first.fd = dup(second.fd);
	first.ino = second.ino + 1;
	ctl_socket_close(&first);
	ck_assert_int_eq(stat(path, &st), 0);
	ctl_socket_close(&second);
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(bad_paths)
{
	struct error err = { 0 };
	struct ctl_socket s;
	char big[300];
	int fd;

	ck_assert_int_eq(ctl_socket_open(&s, "", &err), -1);
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	ck_assert_int_eq(ctl_socket_open(&s, big, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 107 bytes"));
	ck_assert_int_eq(ctl_socket_open(&s, "/nowhere/at/all", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(ctl_socket_open(&s, path, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "no socket"));
	ck_assert_int_eq(access(path, F_OK), 0);
	close(fd);
}
END_TEST

static const struct {
	struct ctl_peer peer;
	bool may;
} peers[] = {
	{ { 0, 5, 1, false }, true }, { { 10, 5, 1, false }, true },
	{ { 11, 5, 1, true }, true }, { { 11, 5, 1, false }, false },
	{ { 65534, 65534, 1, false }, false },
};

START_TEST(who_may)
{
	ck_assert(ctl_peer_may(&peers[_i].peer, 10) == peers[_i].may);
}
END_TEST

/* In a child: becomes somebody, connects and waits for its end. */
static pid_t
call_as(uid_t uid, gid_t gid, const gid_t *more)
{
	pid_t pid = fork();
	char c;
	int fd;

	if (pid != 0) {
		return pid;
	}
	if (setgroups(more != NULL, more) < 0 || setgid(gid) < 0 ||
	    setuid(uid) < 0) {
		_exit(9);
	}
	fd = dial();
	fdio_set_nonblock(fd, false);
	_exit(read(fd, &c, 1) == 0 ? 0 : 8);
}

START_TEST(groups_of_the_peer)
{
	gid_t own = getegid();
	static const struct {
		gid_t gid;
		bool in_group, member;
	} cases[] = { { 65534, false, false }, { 65534, true, true } };
	struct error err = { 0 };
	struct ctl_socket s;
	struct ctl_peer peer;

	if (geteuid() != 0) {
		return;		/* nobody else can be played */
	}
	ck_assert_int_eq(ctl_socket_open(&s, path, &err), 0);
	chmod(dir, 0711);
	chmod(path, 0666);
	fdio_set_nonblock(s.fd, false);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pid_t pid = call_as(65534, cases[i].gid,
		    cases[i].in_group ? &own : NULL);
		int status, fd = accept(s.fd, NULL, NULL);

		ck_assert_int_eq(ctl_socket_peer(fd, &peer), 0);
		ck_assert_uint_eq(peer.uid, 65534);
		ck_assert_uint_eq(peer.gid, cases[i].gid);
		ck_assert_int_eq(peer.pid, pid);
		ck_assert(peer.is_member == cases[i].member);
		close(fd);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	ctl_socket_close(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clients");
	TCase *t = tcase_create("clients");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, answers_in_order);
	tcase_add_test(t, garbage_gets_a_reason);
	tcase_add_test(t, endless_line);
	tcase_add_test(t, idle_and_slow_ones_go);
	tcase_add_test(t, late_answer);
	tcase_add_test(t, slow_reader_is_dropped_alone);
	tcase_add_test(t, reader_at_its_own_pace);
	tcase_add_test(t, answer_past_the_cap);
	tcase_add_test(t, only_so_many);
	tcase_add_test(t, drain_answers_first);
	tcase_add_test(t, file_of_the_socket);
	tcase_add_test(t, bad_paths);
	tcase_add_loop_test(t, who_may, 0, (int)ARRAY_LEN(peers));
	tcase_add_test(t, groups_of_the_peer);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
