/* SPDX-License-Identifier: Apache-2.0 */
/* The whole process between a fake spooler, a fake logger and clients. */
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/mail/reject.h"
#include "tests/listener/fake_spooler.h"
#include "tests/listener/talker.h"

#define PATIENCE_US 8000000u
#define CLIENTS 64u

static struct loop *loop;
static struct worker_harness h;
static struct fake_spooler sp;
static struct ipc_link logger;
static unsigned n_rejects;
static struct {
	unsigned code;
	char phase[64];
} last_reject;
static struct talker t[CLIENTS];
static uint16_t port;		/* of slot 0 */
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
	    talker_codes(&t[0]), sp.n, SLICE_ARG(buf_slice(&h.log)),
	    SLICE_ARG(buf_slice(&h.failed)));
}

static void
wait_for(bool (*done)(void *), void *arg, const char *what)
{
	if (!worker_harness_wait(&h, PATIENCE_US, done, arg)) {
		fail_with_log(what);
	}
}

/* Waits for a condition that is an expression over this file's variables. */
#define WAIT(name, cond) \
	static bool name(void *arg) { (void)arg; return cond; }

static unsigned goal;		/* of the conditions */
WAIT(has_codes, t[0].n_codes >= goal)
WAIT(has_stores, sp.n >= goal)
WAIT(is_closed, t[0].closed)
WAIT(is_up, sp.hello_end)
WAIT(arena_is_empty, score_get(&h.scoreboard->slot[ROLE_LISTENER][0],
    SCORE_L_ARENA_USED) == 0)
WAIT(has_rejects, n_rejects >= goal)

static void
wait_codes(unsigned n)
{
	goal = n;
	wait_for(has_codes, NULL, "replies");
}

static void
wait_stores(unsigned n)
{
	goal = n;
	wait_for(has_stores, NULL, "a STORE");
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
static uint16_t
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

static void
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

static void
reload(const char *more)
{
	struct error err = { 0 };
	char conf[2048];

	make_conf(conf, sizeof conf, more);
	ck_assert_int_eq(worker_harness_config(&h, slice_of(conf), &err), 0);
}

static void
up(void)
{
	fake_spooler_up(&sp);
	wait_for(is_up, NULL, "STORE_HELLO_END");
}

/* Nothing stays behind: neither memory nor a session. */
static void
finish(void)
{
	int status;

	for (unsigned i = 0; i < CLIENTS; i++) {
		if (t[i].fd > 0) {
			talker_close(&t[i]);
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

static void
say(unsigned i, const char *text)
{
	talker_say(&t[i], slice_of(text));
}

/* The content behind the trace header. */
static struct slice
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

#define BYTES(lit) { (lit), sizeof(lit) - 1 }
#define HI "EHLO me.example\r\n"
#define FROM "MAIL FROM:<a@x.example>\r\n"
#define TO "RCPT TO:<b@y.example>\r\n"
#define OPEN HI FROM TO "DATA\r\n"
#define TEXT "Subject: x\r\n\r\nline\r\n"
#define MAIL1 FROM TO "DATA\r\n" TEXT ".\r\n"

/* Whole dialogues: said at once, then byte by byte. */
static const struct {
	const char *name;
	struct slice say;
	const char *codes;
	unsigned stores;
	struct slice content;	/* of the last one, if any */
} dialogues[] = {
	{ "a mail", BYTES(HI MAIL1 "QUIT\r\n"),
	  "220 250 250 250 354 250 221", 1, BYTES(TEXT) },
	{ "helo", BYTES("HELO me\r\n" MAIL1 "QUIT\r\n"),
	  "220 250 250 250 354 250 221", 1, BYTES(TEXT) },
	{ "three mails, commands behind each dot", BYTES(HI MAIL1 "NOOP\r\n"
	  MAIL1 "RSET\r\n" MAIL1 "QUIT\r\n"), "220 250 250 250 354 250 250 "
	  "250 250 354 250 250 250 250 354 250 221", 3, BYTES(TEXT) },
	{ "stuffed dots", BYTES(OPEN "a: b\r\n\r\n..\r\n...x\r\n.y\r\n"
	  "x.\r\n.\r\nQUIT\r\n"), "220 250 250 250 354 250 221", 1,
	  BYTES("a: b\r\n\r\n.\r\n..x\r\ny\r\nx.\r\n") },
	{ "nothing", BYTES(OPEN ".\r\nQUIT\r\n"),
	  "220 250 250 250 354 250 221", 1, BYTES("") },
	{ "NUL and 8 bit", BYTES(OPEN "a: b\r\n\r\n\0\xff\r\n.\r\n"
	  "QUIT\r\n"), "220 250 250 250 354 250 221", 1,
	  BYTES("a: b\r\n\r\n\0\xff\r\n") },
	{ "lone LF in the body is kept", BYTES(OPEN "a: b\r\n\r\nx\ny\r\n"
	  ".\r\nQUIT\r\n"), "220 250 250 250 354 250 221", 1,
	  BYTES("a: b\r\n\r\nx\ny\r\n") },
	{ "lone LF in the header", BYTES(OPEN "a: b\nc: d\r\n\r\n.\r\n"
	  "QUIT\r\n"), "220 250 250 250 354 550 221", 0, BYTES("") },
	{ "null sender", BYTES(HI "MAIL FROM:<>\r\n" TO "DATA\r\n" TEXT
	  ".\r\nQUIT\r\n"), "220 250 250 250 354 250 221", 1,
	  BYTES(TEXT) },
	{ "small commands", BYTES("NOOP\r\nVRFY a\r\nHELP\r\nEXPN a\r\n"
	  "ETRN x\r\nBDAT 3\r\nWHAT\r\nRSET\r\nQUIT\r\n"),
	  "220 250 252 214 502 502 502 500 250 221", 0, BYTES("") },
	{ "out of order", BYTES(FROM TO "DATA\r\n" HI TO "DATA\r\n" FROM
	  FROM "DATA\r\n" TO HI TO "QUIT\r\n"), "220 503 503 503 250 503 503 "
	  "250 503 503 250 250 503 221", 0, BYTES("") },
	{ "too large by SIZE", BYTES(HI "MAIL FROM:<a@x.example> "
	  "SIZE=20001\r\n" "MAIL FROM:<a@x.example> SIZE=20000\r\nQUIT\r\n"),
	  "220 250 552 250 221", 0, BYTES("") },
	{ "too many recipients", BYTES(HI FROM TO TO TO TO "DATA\r\n" TEXT
	  ".\r\nQUIT\r\n"), "220 250 250 250 250 250 452 354 250 221", 1,
	  BYTES(TEXT) },
	{ "bare LF ends no command", BYTES(HI "NOOP\nQUIT\r\nNO\0OP\r\n"
	  "NOOP\rNOOP\r\nQUIT\r\n"), "220 250 500 500 500 221", 0,
	  BYTES("") },
	{ "smuggling LF . LF", BYTES(OPEN "a: b\r\n\r\nx\n.\n" MAIL1
	  "QUIT\r\n"), "220 250 250 250 354 550 221", 0, BYTES("") },
	{ "smuggling LF . CRLF", BYTES(OPEN "a: b\r\n\r\nx\n.\r\n" MAIL1
	  "QUIT\r\n"), "220 250 250 250 354 550 221", 0, BYTES("") },
	{ "smuggling CR . CRLF", BYTES(OPEN "a: b\r\n\r\nx\r.\r\n" MAIL1
	  "QUIT\r\n"), "220 250 250 250 354 550 221", 0, BYTES("") },
	{ "smuggling CRLF . LF", BYTES(OPEN "a: b\r\n\r\nx\r\n.\n" MAIL1
	  "QUIT\r\n"), "220 250 250 250 354 550 221", 0, BYTES("") },
	{ "smuggling CRLF . CR", BYTES(OPEN "a: b\r\n\r\nx\r\n.\r" MAIL1
	  "QUIT\r\n"), "220 250 250 250 354 550 221", 0, BYTES("") },
	{ "smuggling CRLF NUL . CRLF", BYTES(OPEN "a: b\r\n\r\nx\r\n\0.\r\n"
	  MAIL1 "QUIT\r\n"), "220 250 250 250 354 550 221", 0,
	  BYTES("") },
	{ "twenty errors", BYTES("1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n"
	  "1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n1\r\n"
	  "NOOP\r\n"), "220 500 500 500 500 500 500 500 500 500 500 500 500 "
	  "500 500 500 500 500 500 500 421", 0, BYTES("") },
};

START_TEST(dialogue)
{
	for (int drip = 0; drip < 2; drip++) {
		unsigned before = sp.n;

		t[0].fd = -1;
		start("Max_Message_Size = 20000\n"
		    "Max_Recipients_Per_Message = 3\n");
		up();
		before = sp.n;
		talker_open(&t[0], loop, port);
		t[0].drip = drip;
		talker_say(&t[0], dialogues[_i].say);
		wait_for(is_closed, NULL, dialogues[_i].name);
		ck_assert_msg(strcmp(talker_codes(&t[0]),
		    dialogues[_i].codes) == 0, "%s: %s", dialogues[_i].name,
		    talker_codes(&t[0]));
		ck_assert_uint_eq(sp.n - before, dialogues[_i].stores);
		if (sp.n > 0) {
			struct slice c = content(&sp.store[sp.n - 1]);

			ck_assert_msg(slice_eq(c, dialogues[_i].content),
			    "%s: %.*s", dialogues[_i].name, SLICE_ARG(c));
		}
		finish();
		sp.n = 0;
	}
}
END_TEST

/* What the spooler says about a message, and what the client then hears. */
static const struct {
	unsigned result;
	const char *codes, *reply;
} results[] = {
	{ STORED_OK, "220 250 250 250 354 250", "250 2.0.0 OK " },
	{ STORED_FULL, "220 250 250 250 354 452", "452 4.3.1 " },
	{ STORED_FAILED, "220 250 250 250 354 451", "451 4.3.0 " },
	{ STORED_TOO_BIG, "220 250 250 250 354 552", "552 5.3.4 " },
};

START_TEST(answers)
{
	char id[MSGID_TEXT_LEN + 1];

	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&t[0], loop, port);
	say(0, HI MAIL1);
	wait_stores(1);
	/* Another client is served meanwhile; this one hears nothing. */
	talker_open(&t[1], loop, port);
	say(1, HI "QUIT\r\n");
	while (!t[1].closed) {
		loop_turn(loop, true);
	}
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 354");
	fake_spooler_answer(&sp, 0, results[_i].result);
	wait_codes(6);
	ck_assert_str_eq(talker_codes(&t[0]), results[_i].codes);
	ck_assert(slice_starts(talker_last(&t[0]),
	    slice_of(results[_i].reply)));
	if (results[_i].result == STORED_OK) {
		msgid_format(sp.store[0].id, id);
		ck_assert(slice_eq(slice_skip(talker_last(&t[0]), 13),
		    slice_of(id)));
	} else {
		goal = 1;
		wait_for(has_rejects, NULL, "a reject");
		ck_assert_str_eq(last_reject.phase, "async body response");
	}
	/* The session goes on. */
	sp.answer = STORED_OK;
	say(0, MAIL1);
	wait_codes(10);
	ck_assert_uint_eq(t[0].code[9], 250);
	finish();
}
END_TEST

/* The spooler is away when the dot comes. */
START_TEST(dies_before_store)
{
	start("");
	up();
	talker_open(&t[0], loop, port);
	say(0, OPEN);
	wait_codes(5);
	fake_spooler_down(&sp);
	say(0, TEXT ".\r\n");
	/* It has the dot once it serves another client behind it. */
	talker_open(&t[1], loop, port);
	say(1, "QUIT\r\n");
	while (!t[1].closed) {
		loop_turn(loop, true);
	}
	up();
	wait_codes(6);
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 354 250");
	ck_assert_uint_eq(sp.n, 1);
	finish();
}
END_TEST

/* It dies with a STORE in hand, twice: the next one gets it again, marked. */
START_TEST(dies_after_store)
{
	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&t[0], loop, port);
	say(0, HI MAIL1 "NOOP\r\n");
	wait_stores(1);
	fake_spooler_down(&sp);
	up();
	wait_stores(2);
	fake_spooler_down(&sp);
	sp.answer = STORED_OK;
	up();
	wait_codes(7);
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 354 250 250");
	ck_assert_uint_eq(sp.n, 3);
	ck_assert(sp.store[1].resent && sp.store[2].resent &&
	    sp.store[0].batch == sp.store[2].batch &&
	    sp.store[0].id == sp.store[2].id);
	ck_assert(slice_eq(content(&sp.store[2]), SLICE(TEXT)));
	finish();
}
END_TEST

START_TEST(store_timeout)
{
	start("Store_Timeout = 0.2\n");
	sp.answer = ANSWER_NONE;
	sp.hold = true;
	up();
	talker_open(&t[0], loop, port);
	say(0, HI MAIL1);
	wait_codes(6);	/* it has the STORE and is slow */
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 354 451");
	ck_assert_uint_eq(sp.n, 1);
	sp.hold = false;
	fake_spooler_answer(&sp, 0, STORED_OK);	/* nobody hears it */
	fake_spooler_down(&sp);
	say(0, MAIL1);	/* there is none at all */
	wait_codes(10);
	ck_assert_uint_eq(t[0].code[9], 451);
	/* The next one sees neither. */
	sp.answer = STORED_OK;
	up();
	say(0, MAIL1);
	wait_codes(14);
	ck_assert_uint_eq(t[0].code[13], 250);
	ck_assert_uint_eq(sp.n, 2);
	finish();
}
END_TEST

/* The client is gone while its message is stored. */
START_TEST(client_gone_while_storing)
{
	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&t[0], loop, port);
	talker_open(&t[1], loop, port);
	say(0, HI MAIL1);
	say(1, HI MAIL1);
	wait_stores(2);
	if (_i == 0) {
		talker_close(&t[0]);
	} else {
		talker_reset(&t[0]);
	}
	if (_i < 2) {
		/* The new spooler hears of the living client's alone. */
		fake_spooler_down(&sp);
		sp.answer = STORED_OK;
		up();
		while (t[1].n_codes < 6) {
			loop_turn(loop, true);
		}
		ck_assert_uint_eq(sp.n, 3);
		ck_assert(sp.store[2].resent);
	} else {
		/* A late answer for nobody. */
		fake_spooler_answer(&sp, 0, STORED_OK);
		fake_spooler_answer(&sp, 1, STORED_OK);
		while (t[1].n_codes < 6) {
			loop_turn(loop, true);
		}
		ck_assert_uint_eq(sp.outstanding, 0);
	}
	ck_assert_uint_eq(t[1].code[5], 250);
	finish();
}
END_TEST

/* All is said, then the client's side is closed: it hears every answer. */
START_TEST(half_closed)
{
	char noops[6 * 9000 + 1];

	for (size_t i = 0; i < 9000; i++) {
		memcpy(noops + 6 * i, "NOOP\r\n", 7);
	}
	start("");
	sp.answer = ANSWER_NONE;
	up();
	talker_open(&t[0], loop, port);
	say(0, HI MAIL1);
	say(0, noops);
	while (t[0].out.len > 0) {
		loop_turn(loop, true);
	}
	talker_half_close(&t[0]);
	wait_stores(1);
	ck_assert(t[0].n_codes <= 5);
	fake_spooler_answer(&sp, 0, STORED_OK);
	wait_for(is_closed, NULL, "the end");
	ck_assert_uint_eq(t[0].n_codes, 9006);
	ck_assert_uint_eq(t[0].code[5], 250);
	finish();
}
END_TEST

/* Who asks and asks and does not read loses no reply. */
START_TEST(slow_reader)
{
	enum { N = 12000 };
	struct buf b;

	start("");
	up();
	buf_init(&b, 1 << 20);
	for (int i = 0; i < N; i++) {
		buf_puts(&b, i % 2 ? "NOOP\r\n" : HI);
	}
	talker_open(&t[0], loop, port);
	talker_listen(&t[0], false);
	talker_say(&t[0], buf_slice(&b));
	for (int i = 0; i < 200 && t[0].out.len > 0; i++) {
		loop_turn(loop, true);
	}
	talker_listen(&t[0], true);
	wait_codes(N + 1);
	for (int i = 1; i <= N; i++) {
		ck_assert_uint_eq(t[0].code[i], 250);
	}
	buf_fini(&b);
	finish();
}
END_TEST

/* Larger than allowed and not said so: refused behind its dot, however the dot
 * comes. */
START_TEST(too_large)
{
	char line[101];
	struct buf b;

	memset(line, 'x', 98);
	memcpy(line + 98, "\r\n", 3);
	start("Max_Message_Size = 20000\n");
	up();
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 200 + _i; i++) {
		buf_puts(&b, line);
	}
	buf_puts(&b, ".\r\n");
	talker_open(&t[0], loop, port);
	say(0, OPEN);
	wait_codes(5);
	talker_say(&t[0], buf_slice(&b));
	wait_codes(6);
	ck_assert_uint_eq(t[0].code[5], _i == 0 ? 250 : 552);
	say(0, MAIL1 "QUIT\r\n");
	wait_for(is_closed, NULL, "the end");
	ck_assert_uint_eq(t[0].code[9], 250);
	buf_fini(&b);
	finish();
}
END_TEST

/* The largest that is announced is taken; a byte more is not. */
START_TEST(largest)
{
	const char *size;
	uint64_t max;
	struct buf b;

	start("Journal_Size = 4G\n");
	up();
	talker_open(&t[0], loop, port);
	say(0, HI);
	wait_codes(2);
	ck_assert(buf_putc(&t[0].in, '\0'));
	size = strstr(t[0].in.ptr, "SIZE ");
	ck_assert(size != NULL);
	max = strtoull(size + 5, NULL, 10);
	t[0].in.len--;
	ck_assert(max > 8u << 20);
	buf_init(&b, 64u << 20);
	for (uint64_t i = 0; i < max - 2 + (uint64_t)_i; i++) {
		buf_putc(&b, (char)('a' + i % 26));
	}
	buf_puts(&b, "\r\n.\r\n");
	say(0, FROM TO "DATA\r\n");
	wait_codes(5);
	talker_say(&t[0], slice_make(b.ptr, 10));
	while (t[0].out.len > 0) {	/* so that the first piece is small */
		loop_turn(loop, true);
	}
	talker_say(&t[0], slice_skip(buf_slice(&b), 10));
	wait_codes(6);
	ck_assert_uint_eq(t[0].code[5], _i == 0 ? 250 : 552);
	if (_i == 0) {
		ck_assert(slice_eq(content(&sp.store[0]),
		    slice_make(b.ptr, b.len - 3)));
	}
	buf_fini(&b);
	finish();
}
END_TEST

/* More recipients than one envelope holds. */
START_TEST(envelope_full)
{
	enum { N = 1500 };
	char local[65];
	struct buf b;
	unsigned taken = 0;

	memset(local, 'l', 64);
	local[64] = '\0';
	start("");
	up();
	buf_init(&b, 1 << 20);
	buf_puts(&b, HI FROM);
	for (int i = 0; i < N; i++) {
		buf_printf(&b, "RCPT TO:<%s@y%d.example>\r\n", local, i);
	}
	buf_puts(&b, "DATA\r\n" TEXT ".\r\n");
	talker_open(&t[0], loop, port);
	talker_say(&t[0], buf_slice(&b));
	wait_codes(N + 5);
	while (taken < N && t[0].code[3 + taken] == 250) {
		taken++;
	}
	ck_assert_uint_gt(taken, 500);
	ck_assert_uint_lt(taken, N);
	ck_assert_uint_eq(t[0].code[3 + taken], 452);
	ck_assert_uint_eq(t[0].code[N + 3], 354);
	ck_assert_uint_eq(t[0].code[N + 4], 250);
	ck_assert_uint_eq(sp.store[0].n_rcpt, taken);
	buf_fini(&b);
	finish();
}
END_TEST

START_TEST(relay_denied)
{
	start("Relay_Domains = ( \"y.example\" )\n");
	up();
	talker_open(&t[0], loop, port);
	say(0, HI FROM "RCPT TO:<b@z.example>\r\n" TO "QUIT\r\n");
	wait_for(is_closed, NULL, "the end");
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 550 250 221");
	goal = 1;
	wait_for(has_rejects, NULL, "a reject");
	ck_assert_uint_eq(last_reject.code, 550);
	ck_assert_str_eq(last_reject.phase, "awaiting rcptto");
	finish();
}
END_TEST

START_TEST(idle)
{
	static const char *const said[] = { "", HI, HI FROM TO,
	    OPEN "a: b\r\n" };

	start("Idle_Time = 0.2\n");
	up();
	talker_open(&t[0], loop, port);
	say(0, said[_i]);
	wait_for(is_closed, NULL, "421");
	ck_assert_uint_eq(t[0].code[t[0].n_codes - 1], 421);
	finish();
}
END_TEST

START_TEST(listener_sessions)
{
	start("Listener_Sessions = 1\n");
	up();
	talker_open(&t[1], loop, port);
	while (t[1].n_codes == 0) {
		loop_turn(loop, true);
	}
	talker_open(&t[0], loop, port);
	wait_for(is_closed, NULL, "421");
	ck_assert_str_eq(talker_codes(&t[0]), "421");
	say(1, "QUIT\r\n");
	while (!t[1].closed) {
		loop_turn(loop, true);
	}
	talker_close(&t[0]);
	talker_open(&t[0], loop, port);
	wait_codes(1);
	ck_assert_str_eq(talker_codes(&t[0]), "220");
	finish();
}
END_TEST

/* No more STOREs at a time than the spooler allows. */
START_TEST(window)
{
	enum { N = 9 };
	unsigned done = 0;

	start("");
	sp.answer = ANSWER_NONE;
	sp.window = 2;
	up();
	for (unsigned i = 0; i < N; i++) {
		talker_open(&t[i], loop, port);
		say(i, HI MAIL1 "QUIT\r\n");
	}
	for (unsigned i = 0; i < N; i++) {
		wait_stores(i + 1);
		fake_spooler_answer(&sp, i, STORED_OK);
	}
	for (unsigned i = 0; i < N; i++) {
		while (!t[i].closed) {
			loop_turn(loop, true);
		}
		done += t[i].n_codes == 7 && t[i].code[5] == 250;
	}
	ck_assert_uint_eq(done, N);
	ck_assert_uint_le(sp.most, 2);
	finish();
}
END_TEST

WAIT(has_asked, sp.asked >= goal)

/* Leases that end at once: no ids, then 451, never an id twice. */
START_TEST(leases)
{
	start("");
	sp.lease_seconds = 0;
	up();
	sp.no_lease = true;
	goal = 2;	/* ahead of need, and again when there is no answer */
	wait_for(has_asked, NULL, "LEASE_ASK");
	talker_open(&t[0], loop, port);
	say(0, HI FROM TO);
	wait_codes(4);
	ck_assert_uint_eq(t[0].code[3], 451);
	sp.no_lease = false;
	sp.lease_seconds = 1000;
	fake_spooler_lease(&sp);
	do {
		say(0, TO);
		wait_codes(t[0].n_codes + 1);
	} while (t[0].code[t[0].n_codes - 1] == 451);
	say(0, "DATA\r\n" TEXT ".\r\n");
	wait_codes(t[0].n_codes + 2);
	ck_assert_uint_eq(t[0].code[t[0].n_codes - 1], 250);
	finish();
}
END_TEST

WAIT(arena_is_goal, score_get(&h.scoreboard->slot[ROLE_LISTENER][0],
    SCORE_L_ARENA_USED) == goal)

/* A new spooler keeps one of two; and what it gives back before it has said
 * all may be used again at once. */
START_TEST(keep)
{
	unsigned each;

	start("");
	sp.hold = true;
	sp.no_keep_end = true;
	up();
	fake_spooler_keep_end(&sp);
	talker_open(&t[0], loop, port);
	say(0, HI MAIL1 MAIL1 MAIL1);
	wait_codes(14);
	each = (unsigned)score_get(&h.scoreboard->slot[ROLE_LISTENER][0],
	    SCORE_L_ARENA_USED) / 3;
	ck_assert_uint_gt(each, 0);
	fake_spooler_down(&sp);
	up();
	fake_spooler_keep(&sp, 0);
	fake_spooler_release(&sp, 1);
	goal = 2 * each;
	wait_for(arena_is_goal, NULL, "the release");
	say(0, MAIL1);	/* takes the place of what was released */
	wait_codes(18);
	ck_assert_uint_eq(sp.store[3].ext[0].offset,
	    sp.store[1].ext[0].offset);
	fake_spooler_keep_end(&sp);
	goal = 2 * each;	/* the kept one and the new one */
	wait_for(arena_is_goal, NULL, "the sweep");
	ck_assert_uint_eq(goal, 2 * each);
	sp.store[2].held = false;	/* swept */
	fake_spooler_release(&sp, 0);
	fake_spooler_release(&sp, 3);
	finish();
}
END_TEST

/* DATA runs on through a drain; who does nothing goes at once. */
START_TEST(drain)
{
	start("");
	up();
	talker_open(&t[0], loop, port);
	talker_open(&t[1], loop, port);
	say(0, OPEN);
	say(1, HI);
	wait_codes(5);
	while (t[1].n_codes < 2) {
		loop_turn(loop, true);
	}
	worker_harness_drain(&h);
	while (!t[1].closed) {
		loop_turn(loop, true);
	}
	ck_assert_str_eq(talker_codes(&t[1]), "220 250 421");
	ck_assert(!t[0].closed);
	say(0, TEXT ".\r\nNOOP\r\n");
	wait_for(is_closed, NULL, "the end");
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 354 250 421");
	wait_for(worker_harness_is_gone, &h, "the exit");
	sp.up = false;
	finish();
}
END_TEST

WAIT(generation_is_goal, atomic_load(&h.scoreboard->slot[ROLE_LISTENER][0]
    .generation) == goal)

/* New limits hold from the next transaction on; nobody is cut. */
START_TEST(reload_limits)
{
	struct buf b;

	start("Max_Recipients_Per_Message = 2\n");
	up();
	talker_open(&t[0], loop, port);
	say(0, HI FROM TO);
	wait_codes(4);
	reload("Max_Recipients_Per_Message = 1\n");
	goal = 2;
	wait_for(generation_is_goal, NULL, "the reload");
	say(0, TO "DATA\r\n" TEXT ".\r\n" FROM TO TO "RSET\r\nWHAT\r\n"
	    "NOOP\r\nQUIT\r\n");
	wait_for(is_closed, NULL, "the end");
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 250 354 250 "
	    "250 250 452 250 500 250 221");
	/* An address goes, the next reload too, its session stays. */
	talker_close(&t[0]);
	talker_open(&t[0], loop, port);
	say(0, HI);
	wait_codes(2);
	buf_init(&b, 64);
	wire_put_slice(&b, SLICE(""));
	wire_put_slice(&b, SLICE("127.0.0.1:2525"));
	ipc_send_fd(&h.control, IPC_SUP_LISTEN_GONE, buf_slice(&b), NULL, 0);
	buf_fini(&b);
	reload("Idle_Time = 100\n");
	goal = 3;
	wait_for(generation_is_goal, NULL, "the reload");
	say(0, MAIL1 "QUIT\r\n");
	wait_for(is_closed, NULL, "the end");
	ck_assert_str_eq(talker_codes(&t[0]), "220 250 250 250 354 250 221");
	finish();
}
END_TEST

static void
adopt(unsigned slot, bool on)
{
	struct buf *b = ipc_begin(&h.control, IPC_SUP_ADOPT);

	wire_put_u16(b, (uint16_t)slot);
	wire_put_u8(b, on);
	ipc_end(&h.control);
}

/* A neighbour's clients are served while it is away, and kept when it comes
 * back. */
START_TEST(adoption)
{
	int fd;
	uint16_t other;

	start("");
	other = give_socket(1, &fd);
	up();
	talker_open(&t[0], loop, other);
	talker_open(&t[1], loop, port);
	say(1, "QUIT\r\n");
	while (!t[1].closed) {
		loop_turn(loop, true);
	}
	ck_assert_uint_eq(t[0].n_codes, 0);
	adopt(1, true);
	wait_codes(1);
	adopt(1, false);
	say(0, HI MAIL1);
	wait_codes(6);
	talker_open(&t[2], loop, other);
	say(0, "NOOP\r\n");
	wait_codes(7);
	ck_assert_uint_eq(t[2].n_codes, 0);
	close(fd);
	finish();
}
END_TEST

static const struct {
	const char *conf, *text, *content;	/* NULL: refused */
} repairs[] = {
	{ "RFC2822_Lone_LF_In_Headers = fix\n", "a: b\nc: d\n\nx\ny\r\n",
	  "a: b\r\nc: d\r\n\r\nx\ny\r\n" },
	{ "RFC2822_Lone_LF_In_Body = fix\n", "a: b\r\n\r\nx\ny\n..z\r\n",
	  "a: b\r\n\r\nx\r\ny\r\n..z\r\n" },
	{ "RFC2822_Lone_LF_In_Body = fix\n", "a: b\n\r\n\r\nx\ny\r\n", NULL },
	{ "RFC2822_Lone_LF_In_Headers = fix\nRFC2822_Lone_LF_In_Body = "
	  "reject\n", "a: b\nc: d\n\nx\r\n", "a: b\r\nc: d\r\n\r\nx\r\n" },
	{ "RFC2822_Lone_LF_In_Headers = fix\nRFC2822_Lone_LF_In_Body = "
	  "reject\n", "a: b\nc: d\n\nx\ny\r\n", NULL },
	{ "RFC2822_Lone_LF_In_Headers = fix\nRFC2822_Lone_LF_In_Body = fix\n"
	  "RFC2822_Max_Line_Length = 64\n"
	  "RFC2822_Max_Line_Length_Policy = reject\n",
	  "a: b\n\n1234567890123456789012345678901234567890\n"
	  "1234567890123456789012345678901234567890\r\n",
	  "a: b\r\n\r\n1234567890123456789012345678901234567890\r\n"
	  "1234567890123456789012345678901234567890\r\n" },
	{ "RFC2822_Lone_LF_In_Headers = fix\nRFC2822_Lone_LF_In_Body = fix\n",
	  "a: b\n\nx\n.\ny\r\n", NULL },
};

START_TEST(repair)
{
	start(repairs[_i].conf);
	up();
	talker_open(&t[0], loop, port);
	say(0, OPEN);
	say(0, repairs[_i].text);
	say(0, ".\r\nQUIT\r\n");
	wait_for(is_closed, NULL, "the end");
	ck_assert_str_eq(talker_codes(&t[0]), repairs[_i].content == NULL ?
	    "220 250 250 250 354 550 221" : "220 250 250 250 354 250 221");
	if (repairs[_i].content != NULL) {
		struct slice c = content(&sp.store[0]);

		ck_assert_msg(slice_eq(c, slice_of(repairs[_i].content)),
		    "%.*s", SLICE_ARG(c));
	}
	finish();
}
END_TEST

/* Room for few: the others are told to wait, and get theirs later. */
START_TEST(arena_full)
{
	enum { N = 40 };
	unsigned yes = 0, no = 0;

	start("Arena_Size = 32M\nLarge_Message_Threshold = 1M\n");
	up();
	for (unsigned i = 0; i < N; i++) {
		talker_open(&t[i], loop, port);
		say(i, OPEN);
	}
	for (unsigned i = 0; i < N; i++) {
		while (t[i].n_codes < 5) {
			loop_turn(loop, true);
		}
		yes += t[i].code[4] == 354;
		no += t[i].code[4] == 452;
	}
	ck_assert_uint_gt(yes, 10);
	ck_assert_uint_gt(no, 0);
	ck_assert_uint_eq(yes + no, N);
	for (unsigned i = 0; i < N; i++) {
		say(i, t[i].code[4] == 354 ? TEXT ".\r\nQUIT\r\n" :
		    "RSET\r\nQUIT\r\n");
		while (!t[i].closed) {
			loop_turn(loop, true);
		}
		ck_assert_uint_eq(t[i].code[5], 250);
	}
	/* No promise stayed behind. */
	talker_close(&t[0]);
	talker_open(&t[0], loop, port);
	for (int i = 0; i < 100; i++) {
		say(0, OPEN "a: b\r\n.\r\n");
	}
	wait_codes(501);
	ck_assert_uint_eq(sp.n, yes + 100);
	finish();
}
END_TEST

static void
add(Suite *s, const char *name, const TTest *test, int n)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test, 0, n);
	suite_add_tcase(s, tc);
}

int
main(void)
{
	Suite *s = suite_create("listener");
	SRunner *r;
	int failed;

	add(s, "dialogue", dialogue, ARRAY_LEN(dialogues));
	add(s, "answers", answers, ARRAY_LEN(results));
	add(s, "dies_before_store", dies_before_store, 1);
	add(s, "dies_after_store", dies_after_store, 1);
	add(s, "store_timeout", store_timeout, 1);
	add(s, "client_gone_while_storing", client_gone_while_storing, 3);
	add(s, "half_closed", half_closed, 1);
	add(s, "slow_reader", slow_reader, 1);
	add(s, "too_large", too_large, 3);
	add(s, "largest", largest, 2);
	add(s, "envelope_full", envelope_full, 1);
	add(s, "relay_denied", relay_denied, 1);
	add(s, "idle", idle, 4);
	add(s, "listener_sessions", listener_sessions, 1);
	add(s, "window", window, 1);
	add(s, "leases", leases, 1);
	add(s, "keep", keep, 1);
	add(s, "drain", drain, 1);
	add(s, "reload_limits", reload_limits, 1);
	add(s, "adoption", adoption, 1);
	add(s, "repair", repair, ARRAY_LEN(repairs));
	add(s, "arena_full", arena_full, 1);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
