/* SPDX-License-Identifier: Apache-2.0 */
/* What clients say and hear: whole dialogues, limits, reload, drain. */
#include "tests/listener/rig.h"

#include <netinet/in.h>
#include <sys/socket.h>

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
	for (size_t drip = 0; drip < 2; drip++) {
		unsigned before = sp.n;

		client[0].fd = -1;
		start("Max_Message_Size = 20000\n"
		    "Max_Recipients_Per_Message = 3\n");
		up();
		before = sp.n;
		talker_open(&client[0], loop, port);
		client[0].drip = drip;
		talker_say(&client[0], dialogues[_i].say);
		wait_end(0);
		ck_assert_msg(strcmp(talker_codes(&client[0]),
		    dialogues[_i].codes) == 0, "%s: %s", dialogues[_i].name,
		    talker_codes(&client[0]));
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
	talker_open(&client[0], loop, port);
	say(0, HI MAIL1);
	say(0, noops);
	while (client[0].out.len > 0) {
		loop_turn(loop, true);
	}
	talker_half_close(&client[0]);
	wait_stores(1);
	ck_assert(client[0].n_codes <= 5);
	fake_spooler_answer(&sp, 0, STORED_OK);
	wait_end(0);
	ck_assert_uint_eq(client[0].n_codes, 9006);
	ck_assert_uint_eq(client[0].code[5], 250);
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
	talker_open(&client[0], loop, port);
	talker_listen(&client[0], false);
	talker_say(&client[0], buf_slice(&b));
	for (int i = 0; i < 200 && client[0].out.len > 0; i++) {
		loop_turn(loop, true);
	}
	talker_listen(&client[0], true);
	wait_codes(N + 1);
	for (int i = 1; i <= N; i++) {
		ck_assert_uint_eq(client[0].code[i], 250);
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
	talker_open(&client[0], loop, port);
	say(0, OPEN);
	wait_codes(5);
	talker_say(&client[0], buf_slice(&b));
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], _i == 0 ? 250 : 552);
	say(0, MAIL1 "QUIT\r\n");
	wait_end(0);
	ck_assert_uint_eq(client[0].code[9], 250);
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

	start("Journal_Size = 4G\nMax_Message_Size = 12M\n");
	up();
	talker_open(&client[0], loop, port);
	say(0, HI);
	wait_codes(2);
	ck_assert(buf_putc(&client[0].in, '\0'));
	size = strstr(client[0].in.ptr, "SIZE ");
	ck_assert(size != NULL);
	max = strtoull(size + 5, NULL, 10);
	client[0].in.len--;
	ck_assert(max > 8u << 20);
	buf_init(&b, 64u << 20);
	for (uint64_t i = 0; i < max - 2 + (uint64_t)_i; i++) {
		buf_putc(&b, (char)('a' + i % 26));
	}
	buf_puts(&b, "\r\n.\r\n");
	say(0, FROM TO "DATA\r\n");
	wait_codes(5);
	talker_say(&client[0], slice_make(b.ptr, 10));
	while (client[0].out.len > 0) {	/* so that the first piece is small */
		loop_turn(loop, true);
	}
	talker_say(&client[0], slice_skip(buf_slice(&b), 10));
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], _i == 0 ? 250 : 552);
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
	talker_open(&client[0], loop, port);
	talker_say(&client[0], buf_slice(&b));
	wait_codes(N + 5);
	while (taken < N && client[0].code[3 + taken] == 250) {
		taken++;
	}
	ck_assert_uint_gt(taken, 500);
	ck_assert_uint_lt(taken, N);
	ck_assert_uint_eq(client[0].code[3 + taken], 452);
	ck_assert_uint_eq(client[0].code[N + 3], 354);
	ck_assert_uint_eq(client[0].code[N + 4], 250);
	ck_assert_uint_eq(sp.store[0].n_rcpt, taken);
	buf_fini(&b);
	finish();
}
END_TEST

START_TEST(relay_denied)
{
	start("Relay_Domains = ( \"y.example\" )\n");
	up();
	talker_open(&client[0], loop, port);
	say(0, HI FROM "RCPT TO:<b@z.example>\r\n" TO "QUIT\r\n");
	wait_end(0);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 550 250 221");
	wait_rejects(1);
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
	talker_open(&client[0], loop, port);
	say(0, said[_i]);
	wait_end(0);
	ck_assert_uint_eq(client[0].code[client[0].n_codes - 1], 421);
	finish();
}
END_TEST

START_TEST(listener_sessions)
{
	start("Listener_Sessions = 1\n");
	up();
	talker_open(&client[1], loop, port);
	while (client[1].n_codes == 0) {
		loop_turn(loop, true);
	}
	talker_open(&client[0], loop, port);
	wait_end(0);
	ck_assert_str_eq(talker_codes(&client[0]), "421");
	say(1, "QUIT\r\n");
	wait_end(1);
	talker_close(&client[0]);
	talker_open(&client[0], loop, port);
	wait_codes(1);
	ck_assert_str_eq(talker_codes(&client[0]), "220");
	finish();
}
END_TEST

/* Does anybody listen there? */
static bool
is_listening(uint16_t at)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(at),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0;

	close(fd);
	return yes;
}

/* DATA runs on through a drain; who does nothing goes at once, and so do the
 * sockets: a client that would wait there for nobody is refused instead, and
 * the next supervisor finds its port free. */
START_TEST(drain)
{
	uint16_t other;
	int fd;

	start("");
	up();
	other = give_socket(1, &fd);
	close(fd);
	talker_open(&client[0], loop, port);
	talker_open(&client[1], loop, port);
	say(0, OPEN);
	say(1, HI);
	wait_codes(5);
	while (client[1].n_codes < 2) {
		loop_turn(loop, true);
	}
	worker_harness_drain(&h);
	wait_end(1);
	ck_assert_str_eq(talker_codes(&client[1]), "220 250 421");
	ck_assert(!client[0].closed);
	ck_assert(!is_listening(other));
	say(0, TEXT ".\r\nNOOP\r\n");
	wait_end(0);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 354 250 421");
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
	talker_open(&client[0], loop, port);
	say(0, HI FROM TO);
	wait_codes(4);
	reload("Max_Recipients_Per_Message = 1\n");
	goal = 2;
	wait_for(generation_is_goal, NULL, "the reload");
	say(0, TO "DATA\r\n" TEXT ".\r\n" FROM TO TO "RSET\r\nWHAT\r\n"
	    "NOOP\r\nQUIT\r\n");
	wait_end(0);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 250 354 250 "
	    "250 250 452 250 500 250 221");
	/* An address goes, the next reload too, its session stays. */
	talker_close(&client[0]);
	talker_open(&client[0], loop, port);
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
	wait_end(0);
	ck_assert_str_eq(talker_codes(&client[0]), "220 250 250 250 354 250 221");
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
	talker_open(&client[0], loop, other);
	talker_open(&client[1], loop, port);
	say(1, "QUIT\r\n");
	wait_end(1);
	ck_assert_uint_eq(client[0].n_codes, 0);
	adopt(1, true);
	wait_codes(1);
	adopt(1, false);
	say(0, HI MAIL1);
	wait_codes(6);
	talker_open(&client[2], loop, other);
	say(0, "NOOP\r\n");
	wait_codes(7);
	ck_assert_uint_eq(client[2].n_codes, 0);
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
	talker_open(&client[0], loop, port);
	say(0, OPEN);
	say(0, repairs[_i].text);
	say(0, ".\r\nQUIT\r\n");
	wait_end(0);
	ck_assert_str_eq(talker_codes(&client[0]), repairs[_i].content == NULL ?
	    "220 250 250 250 354 550 221" : "220 250 250 250 354 250 221");
	if (repairs[_i].content != NULL) {
		struct slice c = content(&sp.store[0]);

		ck_assert_msg(slice_eq(c, slice_of(repairs[_i].content)),
		    "%.*s", SLICE_ARG(c));
	}
	finish();
}
END_TEST

static unsigned
greeted(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		n += client[i].n_codes > 0;
	}
	return n;
}
WAIT(greeted_is_goal, greeted() == goal)

/* More clients than descriptors: the others wait in the backlog. */
START_TEST(crowded)
{
	start("Server_Max_File_Descriptors = 100\n");
	up();
	for (unsigned i = 0; i < CLIENTS; i++) {
		talker_open(&client[i], loop, port);
	}
	goal = 50;	/* half of them are not for clients */
	wait_for(greeted_is_goal, NULL, "greetings");
	for (unsigned i = 0; i < CLIENTS; i++) {
		say(i, "QUIT\r\n");
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		wait_end(i);
		ck_assert_str_eq(talker_codes(&client[i]), "220 221");
	}
	finish();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listener");

	add(s, "dialogue", dialogue, ARRAY_LEN(dialogues));
	add(s, "half_closed", half_closed, 1);
	add(s, "slow_reader", slow_reader, 1);
	add(s, "too_large", too_large, 3);
	add(s, "largest", largest, 2);
	add(s, "envelope_full", envelope_full, 1);
	add(s, "relay_denied", relay_denied, 1);
	add(s, "idle", idle, 4);
	add(s, "listener_sessions", listener_sessions, 1);
	add(s, "drain", drain, 1);
	add(s, "reload_limits", reload_limits, 1);
	add(s, "adoption", adoption, 1);
	add(s, "repair", repair, ARRAY_LEN(repairs));
	add(s, "crowded", crowded, 1);
	return run(s);
}
