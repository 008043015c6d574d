/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logger as a process; the test plays its supervisor, a spooler that
 * sends everything behind the position it is told, and a listener.  Killed at
 * any point, rotated and started again, each event is in the logs once.
 */
#include "common/base/base.h"

#include <check.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/ipc/worker.h"
#include "common/mail/event.h"
#include "common/mail/reject.h"
#include "tests/support/worker_harness.h"

#define PER_POSITION 3u
#define WAIT_US 20000000u

static char dir[64], conf[1024];
static struct loop *loop;
static struct worker_harness h;
static struct ipc_link spooler, listener;
static struct error err;
/* What the spooler knows. */
static bool said_hello;
static uint64_t next_event, acked;
static unsigned rotated;

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/test_service.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(conf, sizeof conf, "ec_logger { mainlog = \"%s/mainlog.ec\" "
	    "rejectlog = \"%s/rejectlog.ec\" paniclog = \"%s/paniclog.ec\" "
	    "heartbeat = 0 }\nbounce_logger { bouncelog = \"%s/bouncelog.ec\" "
	    "heartbeat = 0 }\n", dir, dir, dir, dir);
	log_init("test", -1, EC_CRITICAL, false);
	loop = loop_create();
	said_hello = false;
	next_event = acked = 0;
	rotated = 0;
}

static void
teardown(void)
{
	char command[128];

	loop_destroy(&loop);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

/* The n-th event of a made-up journal. */
static void
sample_event(struct event *e, uint64_t n, char *rcpt, size_t size)
{
	static const uint8_t kinds[] = { EVENT_RECEPTION, EVENT_RECEPTION,
		EVENT_DELIVERY, EVENT_TRANSIENT, EVENT_PERMANENT };

	snprintf(rcpt, size, "user%llu@example.com", (unsigned long long)n);
	*e = (struct event){ .kind = kinds[n % ARRAY_LEN(kinds)],
		.id = msgid_make(0, 1, (uint16_t)n),
		.time_us = n * 1000000u, .rcpt = slice_of(rcpt),
		.sender = SLICE("sender@example.org"),
		.domain = SLICE("example.com") };
	if (e->kind == EVENT_TRANSIENT || e->kind == EVENT_PERMANENT) {
		e->reply = SLICE("550 5.1.1 no such user");
	}
}

static bool
is_failure(uint64_t n)
{
	return n % 5 >= 3;
}

/* Told by the time it begins with, which is the event's number. */
static bool
is_line_of(struct slice line, uint64_t n)
{
	char want[32];

	snprintf(want, sizeof want, "%llu@", (unsigned long long)n);
	return slice_starts(line, slice_of(want));
}

static uint64_t
position_of(uint64_t event)
{
	return 1000 + 10 * (event / PER_POSITION);
}

static void
on_spooler(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint64_t position = wire_u64(&r);

	(void)arg;
	(void)k;
	if (m->type == IPC_LOG_ACK) {
		ck_assert_uint_gt(position, acked);
		acked = position;
		return;
	}
	ck_assert_int_eq(m->type, IPC_LOG_HELLO);
	ck_assert_uint_ge(position, acked);
	next_event = position == 0 ? 0 :
	    ((position - 1000) / 10 + 1) * PER_POSITION;
	said_hello = true;
}

static void
on_nothing(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	(void)arg;
	(void)k;
	(void)m;
}

static void
on_down(void *arg, struct ipc_link *k, const char *reason)
{
	(void)arg;
	(void)k;
	(void)reason;
}

static bool
has_hello(void *arg)
{
	(void)arg;
	return said_hello || h.gone;
}

static bool
all_acked(void *arg)
{
	return acked >= *(uint64_t *)arg || h.gone;
}

static void
start(void)
{
	said_hello = false;
	ck_assert_msg(worker_harness_start(&h, loop, "logger/logger",
	    ROLE_LOGGER, 0, slice_of(conf), &err) == 0, "%s", err.text);
	ck_assert(worker_harness_wait(&h, WAIT_US, worker_harness_is_ready,
	    &h));
	ck_assert_msg(h.ready, "%.*s", SLICE_ARG(buf_slice(&h.failed)));
	ck_assert_int_eq(worker_harness_link(&h, &spooler, ROLE_SPOOLER, 0,
	    on_spooler, on_down, NULL, &err), 0);
	ck_assert(worker_harness_wait(&h, WAIT_US, has_hello, NULL));
	ck_assert(said_hello);
}

static void
send_event(uint64_t n)
{
	char rcpt[64];
	struct event e;
	struct buf *b;

	sample_event(&e, n, rcpt, sizeof rcpt);
	b = ipc_begin(&spooler, IPC_LOG_EVENT);
	wire_put_u64(b, position_of(n));
	event_encode(&e, b);
	ipc_end(&spooler);
}

static void
send_events(uint64_t n)
{
	for (uint64_t i = 0; i < n && ipc_link_is_up(&spooler); i++) {
		send_event(next_event++);
		if (i % 64 == 63) {
			loop_again(loop);
			loop_turn(loop, false);
		}
	}
	ipc_flush(&spooler);
}

static void
kill_it(void)
{
	int status;

	ck_assert_int_eq(kill(h.pid, SIGKILL), 0);
	status = worker_harness_stop(&h, WAIT_US);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ipc_link_close(&spooler);
}

static void
stop_it(void)
{
	int status = worker_harness_stop(&h, WAIT_US);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "status %x", (unsigned)status);
	ipc_link_close(&spooler);
}

static bool
new_file(void *arg)
{
	struct stat st;

	return stat(arg, &st) == 0 || h.gone;
}

static void
rotate(bool wait_for_it)
{
	char path[128], old[160];

	snprintf(path, sizeof path, "%s/mainlog.ec", dir);
	snprintf(old, sizeof old, "%s.%u", path, rotated++);
	ck_assert_int_eq(rename(path, old), 0);
	ipc_say(&h.control, IPC_SUP_REOPEN);
	if (wait_for_it) {
		for (int i = 0; i < 2000 && !new_file(path); i++) {
			worker_harness_wait(&h, 10000, new_file, path);
		}
		ck_assert(new_file(path));
	}
}

static void
slurp(const char *name, struct buf *b)
{
	char path[160];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	ck_assert_msg(fdio_slurp(path, b, &err) == 0, "%s", err.text);
}

/* Every event once, in order, nothing else. */
static void
check_mainlog(uint64_t events)
{
	char name[64];
	struct slice rest;
	struct buf b;
	uint64_t n = 0;

	buf_init(&b, 1u << 30);
	for (unsigned i = 0; i < rotated; i++) {
		snprintf(name, sizeof name, "mainlog.ec.%u", i);
		slurp(name, &b);
	}
	slurp("mainlog.ec", &b);
	for (rest = buf_slice(&b); rest.len > 0; n++) {
		struct slice line = slice_cut(&rest, '\n');

		ck_assert_msg(is_line_of(line, n), "line %llu: %.*s",
		    (unsigned long long)n, SLICE_ARG(line));
	}
	ck_assert_uint_eq(n, events);
	buf_fini(&b);
}

static void
check_bouncelog(uint64_t events)
{
	struct slice rest;
	struct buf b;
	uint64_t lines = 0, want = 0;

	buf_init(&b, 1u << 30);
	slurp("bouncelog.ec", &b);
	for (uint64_t n = 0; n < events; n++) {
		want += is_failure(n);
	}
	for (rest = buf_slice(&b); rest.len > 0; lines++) {
		slice_cut(&rest, '\n');
	}
	ck_assert_uint_eq(lines, want);
	buf_fini(&b);
}

static void
finish(void)
{
	uint64_t last = position_of(next_event - 1);

	ck_assert(worker_harness_wait(&h, WAIT_US, all_acked, &last));
	ck_assert_uint_eq(acked, last);
	ck_assert_uint_eq(score_get(&h.scoreboard->slot[ROLE_LOGGER][0],
	    SCORE_G_POSITION), last);
	stop_it();
	check_mainlog(next_event);
	check_bouncelog(next_event);
}

START_TEST(killed_anywhere)
{
	uint64_t seed = 88172645463325252u;
	unsigned kept = 0;

	for (int round = 0; round < 40; round++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		start();
		kept += next_event > 0;
		send_events(seed % 2500);
		if (seed >> 20 & 1) {
			ipc_say(&h.control, IPC_SUP_REOPEN);
			loop_turn(loop, false);
		}
		if ((seed >> 21 & 3) == 0) {
			rotate((seed >> 23 & 1) != 0);
		}
		send_events(seed >> 30 & 1023);
		for (unsigned i = 0; i < (seed >> 40 & 7); i++) {
			worker_harness_wait(&h, 500, has_hello, NULL);
		}
		kill_it();
	}
	ck_assert_uint_gt(kept, 10);	/* or nothing was tested */
	start();
	send_events(1000 + PER_POSITION - next_event % PER_POSITION);
	finish();
}
END_TEST

START_TEST(spooler_again)
{
	start();
	send_events(700);	/* ends within a position */
	/* A new spooler: the logger goes on where it is. */
	said_hello = false;
	ipc_flush(&spooler);
	ipc_link_close(&spooler);
	ck_assert_int_eq(worker_harness_link(&h, &spooler, ROLE_SPOOLER, 0,
	    on_spooler, on_down, NULL, &err), 0);
	ck_assert(worker_harness_wait(&h, WAIT_US, has_hello, NULL));
	send_events(900 - next_event);
	finish();
}
END_TEST

static bool
has_records(void *arg)
{
	return score_get(&h.scoreboard->slot[ROLE_LOGGER][0],
	    SCORE_G_REJECTS) >= *(uint64_t *)arg || h.gone;
}

START_TEST(other_lines)
{
	struct reject r = { .time_us = 5000000u, .code = 550,
		.phase = SLICE("awaiting mailfrom"),
		.text = SLICE("relaying denied") };
	struct event e;
	uint64_t one = 1;
	char rcpt[64];
	struct buf b, *out;

	start();
	ck_assert_int_eq(worker_harness_link(&h, &listener, ROLE_LISTENER, 0,
	    on_nothing, on_down, NULL, &err), 0);
	reject_encode(&r, ipc_begin(&listener, IPC_LOG_REJECT));
	ipc_end(&listener);
	sample_event(&e, 0, rcpt, sizeof rcpt);
	e.kind = EVENT_DELIVERY;
	e.flags = EVENT_POSSIBLE_DUPLICATE;
	out = ipc_begin(&spooler, IPC_LOG_EVENT);
	wire_put_u64(out, 7);
	event_encode(&e, out);
	ipc_end(&spooler);
	ck_assert(worker_harness_wait(&h, WAIT_US, has_records, &one));
	stop_it();
	ipc_link_close(&listener);
	buf_init(&b, 1 << 20);
	slurp("rejectlog.ec", &b);
	ck_assert(slice_starts(buf_slice(&b), SLICE("5: R=\"")));
	ck_assert_ptr_nonnull(memmem(b.ptr, b.len, " relaying denied\n", 17));
	buf_clear(&b);
	slurp("paniclog.ec", &b);
	ck_assert_ptr_nonnull(memmem(b.ptr, b.len, "possible duplicate of "
	    "message 00/00-00001-00000000", 50));
	buf_clear(&b);
	slurp("mainlog.ec", &b);
	ck_assert_ptr_nonnull(memmem(b.ptr, b.len, "@D@", 3));
	buf_fini(&b);
}
END_TEST

START_TEST(reload)
{
	char other[1024];
	struct buf b;

	start();
	send_events(30);
	ipc_flush(&spooler);
	snprintf(other, sizeof other, "ec_logger { mainlog = \"%s/second.ec\" "
	    "rejectlog = \"%s/rejectlog.ec\" paniclog = \"%s/paniclog.ec\" "
	    "log_receptions = false heartbeat = 0 }\n", dir, dir, dir);
	{
		uint64_t done = position_of(next_event - 1);

		ck_assert(worker_harness_wait(&h, WAIT_US, all_acked, &done));
	}
	ck_assert_int_eq(worker_harness_config(&h, slice_of(other), &err), 0);
	snprintf(other, sizeof other, "%s/second.ec", dir);
	for (int i = 0; i < 2000 && !new_file(other); i++) {
		worker_harness_wait(&h, 10000, new_file, other);
	}
	send_events(30);
	{
		uint64_t done = position_of(next_event - 1);

		ck_assert(worker_harness_wait(&h, WAIT_US, all_acked, &done));
	}
	stop_it();
	check_mainlog(30);
	check_bouncelog(30);
	buf_init(&b, 1 << 20);
	slurp("second.ec", &b);
	ck_assert_uint_gt(b.len, 100);
	ck_assert_ptr_null(memmem(b.ptr, b.len, "@R@", 3));
	buf_fini(&b);
}
END_TEST

static const struct {
	const char *conf, *word;
	int code;
} bad[] = {
	{ "ec_logger { mainlog = \"/nonexistent/dir/m.ec\" }",
	    "/nonexistent/dir", 73 },
	{ "ec_logger { mainlog = \"relative.ec\" }", "relative.ec", 78 },
};

START_TEST(cannot_start)
{
	ck_assert_int_eq(worker_harness_start(&h, loop, "logger/logger",
	    ROLE_LOGGER, 0, slice_of(bad[_i].conf), &err), 0);
	ck_assert(worker_harness_wait(&h, WAIT_US, worker_harness_is_gone,
	    &h));
	ck_assert_int_eq(h.failed_code, bad[_i].code);
	ck_assert_msg(memmem(h.failed.ptr, h.failed.len, bad[_i].word,
	    strlen(bad[_i].word)) != NULL, "%.*s",
	    SLICE_ARG(buf_slice(&h.failed)));
	worker_harness_stop(&h, WAIT_US);
}
END_TEST

START_TEST(malformed_peer)
{
	start();
	wire_put_u64(ipc_begin(&spooler, IPC_LOG_EVENT), 7);
	ipc_end(&spooler);
	/* The link goes down, the logger lives. */
	for (int i = 0; i < 2000 && ipc_link_is_up(&spooler); i++) {
		worker_harness_wait(&h, 10000, worker_harness_is_gone, &h);
	}
	ck_assert(!ipc_link_is_up(&spooler));
	ck_assert(!h.gone);
	stop_it();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("logger");
	TCase *t = tcase_create("process");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, killed_anywhere);
	tcase_add_test(t, spooler_again);
	tcase_add_test(t, other_lines);
	tcase_add_test(t, reload);
	tcase_add_test(t, malformed_peer);
	tcase_add_loop_test(t, cannot_start, 0, (int)ARRAY_LEN(bad));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
