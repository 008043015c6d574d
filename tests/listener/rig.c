/* SPDX-License-Identifier: Apache-2.0 */
/* What all tests of the listener process share. */
#include "tests/listener/rig.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"

struct loop *loop;
struct worker_harness h;
struct fake_spooler sp;
static struct ipc_link logger;
unsigned n_rejects;
struct rig_reject last_reject;
struct talker client[CLIENTS];
uint16_t port;		/* of slot 0 */
static int listen_fd;

/* What stands in shared memory makes no event: the loop looks often. */
static struct loop_timer glance;

static void
on_glance(void *arg)
{
	(void)arg;
	loop_timer_set(&glance, 2000);
}

static void
fail_with_log(const char *what)
{
	ck_abort_msg("%s; codes: %s; stores %u; log: %.*s %.*s", what,
	    talker_codes(&client[0]), sp.n, SLICE_ARG(buf_slice(&h.log)),
	    SLICE_ARG(buf_slice(&h.failed)));
}

void
wait_for(bool (*done)(void *), void *arg, const char *what)
{
	if (!worker_harness_wait(&h, PATIENCE_US, done, arg)) {
		fail_with_log(what);
	}
}

unsigned goal;		/* of the conditions */
uint64_t
arena_used(void)
{
	return score_get(&h.scoreboard->slot[ROLE_LISTENER][0],
	    SCORE_L_ARENA_USED);
}

WAIT(has_codes, client[0].n_codes >= goal)
WAIT(has_stores, sp.n >= goal)
WAIT(is_up, sp.hello_end)
WAIT(arena_is_empty, arena_used() == 0)
WAIT(has_rejects, n_rejects >= goal)

void
wait_codes(unsigned n)
{
	goal = n;
	wait_for(has_codes, NULL, "replies");
}

void
wait_stores(unsigned n)
{
	goal = n;
	wait_for(has_stores, NULL, "a STORE");
}

void
wait_rejects(unsigned n)
{
	goal = n;
	wait_for(has_rejects, NULL, "a reject");
}

static bool
is_closed(void *arg)
{
	const struct talker *who = arg;

	return who->closed;
}

void
wait_end(unsigned i)
{
	wait_for(is_closed, &client[i], "the end");
}

static void
on_log_message(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct reject r;

	(void)arg;
	(void)k;
	ck_assert(m->type == IPC_LOG_REJECT && reject_decode(m->body, &r));
	n_rejects++;
	last_reject.code = r.code;
	slice_copy(last_reject.phase, sizeof last_reject.phase, r.phase);
}

/* A listening socket for a slot; its port. */
uint16_t
give_socket(unsigned slot, int *fd_out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	struct buf b;

	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof sin) ==
	    0 && listen(fd, 100) == 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	buf_init(&b, 256);
	wire_put_u16(&b, (uint16_t)slot);
	wire_put_slice(&b, SLICE(""));
	wire_put_slice(&b, SLICE("127.0.0.1:2525"));
	ipc_send_fd(&h.control, IPC_SUP_LISTEN, buf_slice(&b), &fd, 1);
	buf_fini(&b);
	*fd_out = fd;
	return ntohs(sin.sin_port);
}

static const char common_conf[] = "Hostname = \"mx.example.net\"\n"
    "Relay_Hosts = ( \"127.0.0.0/8\" )\n";

static void
make_conf(char *out, size_t size, const char *more)
{
	snprintf(out, size, "%s%sESMTP_Listener { Listen \"127.0.0.1:2525\" "
	    "{ } }\n", strstr(more, "Relay_Domains") != NULL ?
	    "Hostname = \"mx.example.net\"\n" : common_conf, more);
}

void
start(const char *more)
{
	struct error err = { 0 };
	char conf[2048];

	signal(SIGPIPE, SIG_IGN);
	loop = loop_create();
	loop_timer_init(&glance, loop, on_glance, NULL);
	on_glance(NULL);
	make_conf(conf, sizeof conf, more);
	ck_assert_msg(worker_harness_start(&h, loop, "listener/listener",
	    ROLE_LISTENER, 0, slice_of(conf), &err) == 0, "%s", err.text);
	worker_harness_wait(&h, PATIENCE_US, worker_harness_is_ready, &h);
	if (!h.ready) {
		fail_with_log("not ready");
	}
	ck_assert_int_eq(worker_harness_link(&h, &logger, ROLE_LOGGER, 0,
	    on_log_message, NULL, NULL, &err), 0);
	port = give_socket(0, &listen_fd);
	fake_spooler_init(&sp, &h);
}

void
reload(const char *more)
{
	struct error err = { 0 };
	char conf[2048];

	make_conf(conf, sizeof conf, more);
	ck_assert_int_eq(worker_harness_config(&h, slice_of(conf), &err), 0);
}

void
up(void)
{
	fake_spooler_up(&sp);
	wait_for(is_up, NULL, "STORE_HELLO_END");
}

/* Nothing stays behind: neither memory nor a session. */
void
finish(void)
{
	int status;

	for (unsigned i = 0; i < CLIENTS; i++) {
		if (client[i].fd > 0) {
			talker_close(&client[i]);
		}
	}
	if (sp.up) {
		wait_for(arena_is_empty, NULL, "the arena to be empty");
	}
	status = worker_harness_stop(&h, PATIENCE_US);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "wait status %x", status);
	fake_spooler_fini(&sp);
	ipc_link_close(&logger);
	close(listen_fd);
	loop_timer_stop(&glance);
	loop_destroy(&loop);
}

void
say(unsigned i, const char *text)
{
	talker_say(&client[i], slice_of(text));
}

/* The content behind the trace header. */
struct slice
content(const struct fake_store *s)
{
	struct slice b = buf_slice(&s->body);
	size_t at = 0;

	ck_assert(slice_starts(b, SLICE("Received: from [127.0.0.1]")));
	do {
		const char *e = memchr(b.ptr + at, '\n', b.len - at);

		ck_assert(e != NULL);
		at = (size_t)(e - b.ptr) + 1;
	} while (at < b.len && (b.ptr[at] == ' ' || b.ptr[at] == '\t'));
	return slice_skip(b, at);
}

void
add(Suite *s, const char *name, const TTest *test, int n)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test, 0, n);
	suite_add_tcase(s, tc);
}

int
run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
