/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: whole sessions at every split, and the whole table. */
#include <check.h>

#include "common/mail/envelope.h"
#include "deliverer/smtp_envelope.h"

#define RCPTS 3u

static struct buf out;
static struct smtp_client c;
static struct smtp_mail mail[2];
static struct smtp_rcpt rcpts[2][RCPTS];

static void
setup(void)
{
	buf_init(&out, 1u << 20);
	for (unsigned m = 0; m < 2; m++) {
		mail[m] = (struct smtp_mail){ .sender = SLICE("s@a.example"),
			.rcpt = rcpts[m], .n_rcpt = RCPTS, .size = 321 };
		buf_init(&mail[m].texts, SMTP_TEXTS_MAX);
		for (unsigned i = 0; i < RCPTS; i++) {
			static const struct slice addr[RCPTS] = {
				{ "x@b.example", 11 }, { "y@b.example", 11 },
				{ "z@b.example", 11 },
			};

			rcpts[m][i] = (struct smtp_rcpt){ .addr = addr[i] };
		}
	}
	smtp_client_init(&c, SLICE("me.example"), false, &out);
}

static void
teardown(void)
{
	buf_fini(&out);
	buf_fini(&mail[0].texts);
	buf_fini(&mail[1].texts);
}

/*
 * A script: server bytes as they stand; "@MAIL", "@NEXT", "@DOT", "@QUIT",
 * "@CLOSED", "@TIMEOUT" are calls.  The log says what the machine did:
 * "<" what it sent, and effects.
 */
static void
note(struct buf *log, const char *what)
{
	buf_printf(log, "[%s]", what);
}

static void
note_effect(struct buf *log, enum smtp_effect eff)
{
	static const char *const ends[] = { "?", "quit", "host", "helo",
		"lost" };

	if (out.len > 0) {
		buf_printf(log, "<%.*s", SLICE_ARG(buf_slice(&out)));
		buf_clear(&out);
	}
	switch (eff) {
	case SMTP_READY:
		note(log, "ready");
		break;
	case SMTP_BODY:
		note(log, "body");
		break;
	case SMTP_DONE:
		note(log, c.done == &mail[0] ? "done 0" : "done 1");
		break;
	case SMTP_END:
		note(log, ends[c.end]);
		break;
	case SMTP_MORE:
	case SMTP_STEP:
		break;
	}
}

static void
feed(struct buf *log, struct slice in)
{
	while (in.len > 0) {
		size_t used;
		enum smtp_effect eff = smtp_client_feed(&c, in, &used);

		in = slice_skip(in, used);
		note_effect(log, eff);
		if (eff == SMTP_END) {
			return;
		}
	}
}

static void
call(struct buf *log, const char *name)
{
	if (strcmp(name, "@MAIL") == 0) {
		note_effect(log, smtp_client_mail(&c, &mail[0]));
	} else if (strcmp(name, "@NEXT") == 0) {
		note_effect(log, smtp_client_mail(&c, &mail[1]));
	} else if (strcmp(name, "@DOT") == 0) {
		smtp_client_dot_sent(&c);
	} else if (strcmp(name, "@QUIT") == 0) {
		smtp_client_quit(&c);
		note_effect(log, SMTP_STEP);
	} else if (strcmp(name, "@CLOSED") == 0) {
		note_effect(log, smtp_client_closed(&c));
	} else if (strcmp(name, "@TIMEOUT") == 0) {
		note_effect(log, smtp_client_timeout(&c));
	} else {
		ck_abort_msg("unknown call %s", name);
	}
}

static void
note_results(struct buf *log)
{
	for (unsigned m = 0; m < 2; m++) {
		if (mail[m].retry) {
			buf_printf(log, " %u:retry", m);
		}
		for (unsigned i = 0; i < RCPTS && !mail[m].retry; i++) {
			const struct smtp_result *r = &rcpts[m][i].result;

			if (r->kind != 0) {
				buf_printf(log, " %u:%c%u/%u", m, r->kind,
				    r->code, r->stage);
			}
		}
	}
}

/* Runs steps with their bytes cut at each place by step bytes at once. */
static void
run(const char *const *steps, size_t step, struct buf *log)
{
	setup();
	for (; *steps != NULL; steps++) {
		struct slice s = slice_of(*steps);

		if (s.ptr[0] == '@') {
			call(log, *steps);
			continue;
		}
		while (s.len > 0 && c.state != SMTP_STATE_CLOSED) {
			size_t n = EC_MIN(step, s.len);

			feed(log, slice_make(s.ptr, n));
			s = slice_skip(s, n);
		}
	}
	note_results(log);
	teardown();
}

#define HELLO "220 hi\r\n", "250-p\r\n250-PIPELINING\r\n250-SIZE 99\r\n" \
	"250 8BITMIME\r\n"
#define PLAIN "220 hi\r\n", "250 p\r\n"
#define GREETED "<EHLO me.example\r\n[ready]"
#define GROUP "<MAIL FROM:<s@a.example> SIZE=321\r\n" \
	"RCPT TO:<x@b.example>\r\nRCPT TO:<y@b.example>\r\n" \
	"RCPT TO:<z@b.example>\r\nDATA\r\n"
#define ONE "<MAIL FROM:<s@a.example>\r\n"

static const struct {
	const char *name;
	const char *steps[16];
	const char *log;
} sessions[] = {
	{ "pipelined, a second behind the dot, quit", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "@NEXT", "@DOT",
	  "250 f\r\n250 g\r\n250 h\r\n550 i\r\n250 j\r\n354 k\r\n", "@DOT",
	  "450 l\r\n", "@QUIT", "221 m\r\n", NULL },
	  GREETED GROUP "[body]" GROUP "[done 0][body][done 1]<QUIT\r\n[quit]"
	  " 0:D250/9 0:D250/9 0:D250/9 1:T450/9 1:P550/4 1:T450/9" },
	{ "one by one", { PLAIN, "@MAIL", "250 a\r\n", "250 b\r\n",
	  "452 c\r\n", "250 d\r\n", "354 e\r\n", "@DOT", "250 f\r\n", NULL },
	  GREETED ONE "<RCPT TO:<x@b.example>\r\n<RCPT TO:<y@b.example>\r\n"
	  "<RCPT TO:<z@b.example>\r\n<DATA\r\n[body][done 0]"
	  " 0:D250/9 0:T452/4 0:D250/9" },
	{ "one by one, nobody left: RSET before the next", { PLAIN, "@MAIL",
	  "250 a\r\n", "550 b\r\n", "550 c\r\n", "550 d\r\n", "@NEXT",
	  "250 e\r\n", "550 f\r\n", NULL },
	  GREETED ONE "<RCPT TO:<x@b.example>\r\n<RCPT TO:<y@b.example>\r\n"
	  "<RCPT TO:<z@b.example>\r\n[done 0]<RSET\r\n" ONE "[done 1]"
	  " 0:P550/4 0:P550/4 0:P550/4 1:P550/2 1:P550/2 1:P550/2" },
	{ "group, nobody left, DATA taken: an empty one", { HELLO, "@MAIL",
	  "250 a\r\n550 b\r\n450 c\r\n552 d\r\n354 e\r\n", "554 none\r\n",
	  NULL },
	  GREETED GROUP "<.\r\n[done 0] 0:P550/4 0:T450/4 0:T552/4" },
	{ "group, DATA refused: RSET with the next group", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n451 e\r\n", "@NEXT",
	  "250 r\r\n", "250 a\r\n", "@CLOSED", NULL },
	  GREETED GROUP "[done 0]<RSET\r\n"
	  "MAIL FROM:<s@a.example> SIZE=321\r\n"
	  "RCPT TO:<x@b.example>\r\nRCPT TO:<y@b.example>\r\n"
	  "RCPT TO:<z@b.example>\r\nDATA\r\n[lost]"
	  " 0:T451/6 0:T451/6 0:T451/6 1:T451/4 1:T451/4 1:T451/4" },
	{ "group, MAIL refused: the rest is consumed", { HELLO, "@MAIL",
	  "550 a\r\n503 b\r\n503 c\r\n250 d\r\n503 e\r\n", NULL },
	  GREETED GROUP "[done 0] 0:P550/2 0:P550/2 0:P550/2" },
	{ "group, MAIL refused and DATA taken", { HELLO, "@MAIL",
	  "450 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "250 f\r\n", NULL },
	  GREETED GROUP "<.\r\n[done 0] 0:T450/2 0:T450/2 0:T450/2" },
	{ "lost behind the dot: the second goes elsewhere", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "@NEXT", "@DOT",
	  "@CLOSED", NULL },
	  GREETED GROUP "[body]" GROUP "[lost]"
	  " 0:T451/9 0:T451/9 0:T451/9 1:retry" },
	{ "accepted, then lost: the second goes elsewhere", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "@NEXT", "@DOT",
	  "250 f\r\n", "@CLOSED", NULL },
	  GREETED GROUP "[body]" GROUP "[done 0][lost]"
	  " 0:D250/9 0:D250/9 0:D250/9 1:retry" },
	{ "421 to the dot", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "@NEXT", "@DOT",
	  "421 f\r\n", NULL },
	  GREETED GROUP "[body]" GROUP "[lost]"
	  " 0:T421/9 0:T421/9 0:T421/9 1:retry" },
	{ "a verdict before the dot", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n", NULL },
	  GREETED GROUP "[body][lost] 0:T451/8 0:T451/8 0:T451/8" },
	{ "refused while sending", { HELLO, "@MAIL",
	  "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n552 big\r\n", NULL },
	  GREETED GROUP "[body][lost] 0:P552/8 0:P552/8 0:P552/8" },
	{ "an extra reply while idle", { PLAIN, "250 what\r\n", NULL },
	  GREETED "[lost]" },
	{ "EHLO unknown", { "220 hi\r\n", "502 no\r\n", "250 p\r\n", NULL },
	  "<EHLO me.example\r\n<HELO me.example\r\n[ready]" },
	{ "hangs up at EHLO", { "220 hi\r\n", "@CLOSED", NULL },
	  "<EHLO me.example\r\n[helo]" },
	{ "greets with garbage", { "SSH-2.0\r\n", NULL }, "[host]" },
	{ "mute at EHLO", { "220 hi\r\n", "@TIMEOUT", NULL },
	  "<EHLO me.example\r\n[host]" },
};

START_TEST(session)
{
	for (size_t step = 1; step <= 64; step = step < 8 ? step + 1 :
	    step * 2) {
		struct buf log;

		buf_init(&log, 65536);
		run(sessions[_i].steps, step, &log);
		ck_assert_msg(slice_eq(buf_slice(&log),
		    slice_of(sessions[_i].log)),
		    "%s in steps of %zu:\n%.*s\nnot\n%s", sessions[_i].name,
		    step, SLICE_ARG(buf_slice(&log)), sessions[_i].log);
		buf_fini(&log);
	}
}
END_TEST

/* Brings the machine into a state, by replies alone. */
static void
bring_to(unsigned state)
{
	static const char *const way[SMTP_STATE_COUNT] = {
		[SMTP_STATE_BANNER] = "",
		[SMTP_STATE_EHLO] = "220 a\r\n",
		[SMTP_STATE_HELO] = "220 a\r\n500 b\r\n",
		[SMTP_STATE_IDLE] = "220 a\r\n250 b\r\n",
		[SMTP_STATE_RSET] = "220 a\r\n250 b\r\nM",
		[SMTP_STATE_MAIL] = "220 a\r\n250 b\r\nM",
		[SMTP_STATE_RCPT] = "220 a\r\n250 b\r\nM250 c\r\n",
		[SMTP_STATE_DATA] = "220 a\r\n250 b\r\nM250 c\r\n250 d\r\n"
		    "250 d\r\n250 d\r\n",
		[SMTP_STATE_BODY] = "220 a\r\n250 b\r\nM250 c\r\n250 d\r\n"
		    "250 d\r\n250 d\r\n354 e\r\n",
		[SMTP_STATE_DOT] = "220 a\r\n250 b\r\nM250 c\r\n250 d\r\n"
		    "250 d\r\n250 d\r\n354 e\r\nD",
		[SMTP_STATE_ABORT] = "220 a\r\n250-b\r\n250 PIPELINING\r\nM"
		    "550 c\r\n250 d\r\n250 d\r\n250 d\r\n354 e\r\n",
		[SMTP_STATE_QUIT] = "220 a\r\n250 b\r\nQ",
		[SMTP_STATE_CLOSED] = "554 a\r\n",
	};
	struct slice in = slice_of(way[state]);
	size_t used;

	while (in.len > 0) {
		char first = in.ptr[0];

		if (first == 'M') {
			c.dirty = state == SMTP_STATE_RSET;
			smtp_client_mail(&c, &mail[0]);
			in = slice_skip(in, 1);
		} else if (first == 'D') {
			smtp_client_dot_sent(&c);
			in = slice_skip(in, 1);
		} else if (first == 'Q') {
			smtp_client_quit(&c);
			in = slice_skip(in, 1);
		} else {
			smtp_client_feed(&c, in, &used);
			in = slice_skip(in, used);
		}
	}
	ck_assert_uint_eq(c.state, state);
}

/* Each state with each event: a delivery is believed in one cell alone, and
 * whatever ends the connection leaves every recipient judged or the whole
 * mail to be retried. */
START_TEST(grid)
{
	static const char *const said[SMTP_EV_COUNT] = {
		[SMTP_EV_DONE] = "250 x\r\n", [SMTP_EV_GO_ON] = "354 x\r\n",
		[SMTP_EV_TRANSIENT] = "450 x\r\n",
		[SMTP_EV_PERMANENT] = "550 x\r\n",
		[SMTP_EV_SHUT] = "421 x\r\n", [SMTP_EV_GARBAGE] = "x\r\n",
	};

	for (unsigned state = 0; state < SMTP_STATE_COUNT; state++) {
		for (unsigned ev = 0; ev < SMTP_EV_COUNT; ev++) {
			enum smtp_effect eff;
			bool delivered = false;
			size_t used;

			setup();
			bring_to(state);
			eff = ev == SMTP_EV_CLOSED ? smtp_client_closed(&c) :
			    ev == SMTP_EV_TIMEOUT ? smtp_client_timeout(&c) :
			    smtp_client_feed(&c, slice_of(said[ev]), &used);
			for (unsigned i = 0; i < RCPTS; i++) {
				const struct smtp_result *r =
				    &rcpts[0][i].result;

				delivered |= r->kind == EVENT_DELIVERY;
				ck_assert_msg((eff != SMTP_END &&
				    eff != SMTP_DONE) || mail[0].retry ||
				    r->kind != 0 || state <= SMTP_STATE_IDLE ||
				    state >= SMTP_STATE_QUIT,
				    "%s, event %u: recipient %u unjudged",
				    smtp_state_name(state), ev, i);
			}
			ck_assert_msg(delivered == (state == SMTP_STATE_DOT &&
			    ev == SMTP_EV_DONE), "%s, event %u",
			    smtp_state_name(state), ev);
			ck_assert_msg(eff == SMTP_END ||
			    state == SMTP_STATE_CLOSED ||
			    (ev != SMTP_EV_CLOSED && ev != SMTP_EV_TIMEOUT &&
			    ev != SMTP_EV_GARBAGE),
			    "%s, event %u: goes on", smtp_state_name(state),
			    ev);
			ck_assert_uint_eq(c.state == SMTP_STATE_CLOSED,
			    eff == SMTP_END || state == SMTP_STATE_CLOSED);
			teardown();
		}
	}
}
END_TEST

START_TEST(parameters)
{
	static const struct {
		uint32_t flags, caps;
		uint8_t notify;
		const char *orcpt, *mail, *rcpt;
	} t[] = {
		{ 0, 0, NOTIFY_SUCCESS, "rfc822;x", "MAIL FROM:<s@a.example>\r\n",
		  "RCPT TO:<x@b.example>\r\n" },
		{ ENVELOPE_8BIT_DATA, SMTP_CAP_8BITMIME | SMTP_CAP_SIZE, 0, "",
		  "MAIL FROM:<s@a.example> SIZE=321 BODY=8BITMIME\r\n",
		  "RCPT TO:<x@b.example>\r\n" },
		{ ENVELOPE_8BIT_DATA, SMTP_CAP_SIZE, 0, "",
		  "MAIL FROM:<s@a.example> SIZE=321\r\n",
		  "RCPT TO:<x@b.example>\r\n" },
		{ ENVELOPE_RET_HDRS, SMTP_CAP_DSN, NOTIFY_SUCCESS |
		  NOTIFY_DELAY, "rfc822;q+40b",
		  "MAIL FROM:<s@a.example> RET=HDRS ENVID=e+20f\r\n",
		  "RCPT TO:<x@b.example> NOTIFY=SUCCESS,DELAY "
		  "ORCPT=rfc822;q+40b\r\n" },
		{ ENVELOPE_RET_FULL | ENVELOPE_SMTPUTF8,
		  SMTP_CAP_DSN | SMTP_CAP_SMTPUTF8, NOTIFY_NEVER, "",
		  "MAIL FROM:<s@a.example> SMTPUTF8 RET=FULL ENVID=e+20f\r\n",
		  "RCPT TO:<x@b.example> NOTIFY=NEVER\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		setup();
		mail[0].flags = t[i].flags;
		mail[0].envid = SLICE("e+20f");
		rcpts[0][0].notify = t[i].notify;
		rcpts[0][0].orcpt = slice_of(t[i].orcpt);
		smtp_put_mail(&out, &mail[0], t[i].caps);
		ck_assert(slice_eq(buf_slice(&out), slice_of(t[i].mail)));
		buf_clear(&out);
		smtp_put_rcpt(&out, &rcpts[0][0], t[i].caps);
		ck_assert(slice_eq(buf_slice(&out), slice_of(t[i].rcpt)));
		teardown();
	}
}
END_TEST

START_TEST(keywords)
{
	uint64_t size;

	ck_assert_uint_eq(smtp_read_caps(SLICE("DSN greets\nsize 1000\n"
	    "pipelining\nDSNX\nENHANCEDSTATUSCODES\n8BITMIME x\n"), &size),
	    SMTP_CAP_SIZE | SMTP_CAP_PIPELINING | SMTP_CAP_ENHANCED |
	    SMTP_CAP_8BITMIME);
	ck_assert_uint_eq(size, 1000);
	ck_assert_uint_eq(smtp_read_caps(SLICE("x\nSIZE\nSMTPUTF8\nDSN\n"),
	    &size), SMTP_CAP_SIZE | SMTP_CAP_SMTPUTF8 | SMTP_CAP_DSN);
	ck_assert_uint_eq(size, 0);
}
END_TEST

/* What is never sent has its results at once. */
START_TEST(unsendable)
{
	static const struct {
		uint32_t flags;
		const char *addr;
		unsigned code;
	} t[] = {
		{ ENVELOPE_SMTPUTF8, "x@b.example", 550 },
		{ 0, "x@b>\r\nDATA", 553 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t used;

		setup();
		smtp_client_feed(&c, SLICE("220 a\r\n"), &used);
		smtp_client_feed(&c, SLICE("250 b\r\n"), &used);
		buf_clear(&out);
		mail[0].flags = t[i].flags;
		rcpts[0][1].addr = slice_of(t[i].addr);
		ck_assert_int_eq(smtp_client_mail(&c, &mail[0]), SMTP_DONE);
		ck_assert_ptr_eq(c.done, &mail[0]);
		ck_assert_uint_eq(out.len, 0);
		ck_assert_int_eq(c.state, SMTP_STATE_IDLE);
		for (unsigned r = 0; r < RCPTS; r++) {
			ck_assert_uint_eq(rcpts[0][r].result.code, t[i].code);
			ck_assert_uint_eq(rcpts[0][r].result.kind,
			    EVENT_PERMANENT);
		}
		teardown();
	}
}
END_TEST

/* A mail refused by 421 or hung up on at its first command goes elsewhere
 * when the connection had served one before. */
START_TEST(reused)
{
	static const char *const first[] = { "421 x\r\n", NULL };

	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		size_t used;

		setup();
		bring_to(SMTP_STATE_DOT);
		smtp_client_feed(&c, SLICE("250 x\r\n"), &used);
		smtp_client_mail(&c, &mail[1]);
		if (first[i] != NULL) {
			smtp_client_feed(&c, slice_of(first[i]), &used);
		} else {
			smtp_client_closed(&c);
		}
		ck_assert_int_eq(c.end, SMTP_END_LOST);
		ck_assert(mail[1].retry);
		teardown();
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("smtp_client");
	TCase *t = tcase_create("machine");

	tcase_add_loop_test(t, session, 0, (int)ARRAY_LEN(sessions));
	tcase_add_test(t, grid);
	tcase_add_test(t, parameters);
	tcase_add_test(t, keywords);
	tcase_add_test(t, unsendable);
	tcase_add_test(t, reused);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
