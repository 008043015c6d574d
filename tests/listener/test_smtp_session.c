/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: the whole grid against its promises, then conversations with a
 * driver that is told which verdicts to give.
 */
#include "listener/smtp_session.h"

#include <check.h>

static bool
is_client_event(int ev)
{
	return ev <= SMTP_EV_SYNTAX;
}

/* The product's promise: one cell answers 250 for a message. */
START_TEST(one_250_for_a_message)
{
	const struct reply_text *stored = smtp_session_cell(SMTP_ST_STORING,
	    SMTP_EV_STORED).reply;
	int cells = 0, from_content = 0;

	ck_assert_uint_eq(stored->code, 250);
	for (int st = SMTP_ST_NONE; st < SMTP_ST_COUNT; st++) {
		for (int ev = 0; ev < SMTP_EV_COUNT; ev++) {
			struct smtp_cell c = smtp_session_cell(
			    (enum smtp_state)st, (enum smtp_event)ev);

			cells += c.reply == stored;
			/* And nothing else says 2xx once content began. */
			if ((st == SMTP_ST_DATA || st == SMTP_ST_STORING ||
			    st == SMTP_ST_DISCARD_LARGE ||
			    st == SMTP_ST_DISCARD_FULL) && c.reply != NULL) {
				from_content += c.reply->code < 400;
			}
			/* Only the dot leads to STORING, silently. */
			if (c.next == SMTP_ST_STORING &&
			    st != SMTP_ST_STORING) {
				ck_assert_int_eq(st, SMTP_ST_DATA);
				ck_assert_int_eq(ev, SMTP_EV_DOT);
				ck_assert_ptr_null(c.reply);
				ck_assert_uint_eq(c.effects, SMTP_DO_STORE);
			}
		}
	}
	ck_assert_int_eq(cells, 1);
	ck_assert_int_eq(from_content, 1);
}
END_TEST

START_TEST(whole_grid)
{
	struct smtp_limits limits = { .max_errors = 3 };
	struct smtp_syntax syntax = { .ext = SMTP_EXT_DEFAULT };

	for (int st = SMTP_ST_CONNECT; st < SMTP_ST_COUNT; st++) {
		ck_assert_ptr_nonnull(smtp_state_name((enum smtp_state)st));
		for (int ev = 0; ev < SMTP_EV_COUNT; ev++) {
			struct smtp_cell c = smtp_session_cell(
			    (enum smtp_state)st, (enum smtp_event)ev);
			bool over = st == SMTP_ST_CLOSING ||
			    st == SMTP_ST_CLOSED;
			struct smtp_session s;
			struct smtp_out o;

			smtp_session_init(&s, &syntax, &limits);
			s.state = (enum smtp_state)st;
			o = smtp_session_step(&s, (enum smtp_event)ev);
			ck_assert_ptr_nonnull(smtp_event_name(
			    (enum smtp_event)ev));
			if (c.next != SMTP_ST_NONE) {
				ck_assert_int_eq(s.state, c.next);
				ck_assert_ptr_eq(o.reply, c.reply);
				ck_assert_uint_eq(o.effects, c.effects);
			} else if (is_client_event(ev) && !over) {
				ck_assert_uint_eq(o.reply->code, 503);
				ck_assert_str_eq(o.reply->enhanced, "5.5.1");
				ck_assert_uint_eq(s.errors, 1);
			} else {
				ck_assert(o.reply == NULL && o.effects == 0);
			}
			/* Nobody speaks behind the last reply. */
			ck_assert(!over || o.reply == NULL);
			/* CLOSING is entered with CLOSE, and 421 or bye. */
			if (c.next == SMTP_ST_CLOSING && !over) {
				ck_assert(c.effects & SMTP_DO_CLOSE);
			}
			/* Each living state survives a disconnect. */
			if (ev == SMTP_EV_DISCONNECT) {
				ck_assert_int_eq(c.next, SMTP_ST_CLOSED);
			}
			if (ev == SMTP_EV_SHUTDOWN) {
				ck_assert_int_ne(c.next, SMTP_ST_NONE);
			}
		}
	}
}
END_TEST

/* ---- conversations ---- */

struct driver {
	struct smtp_session s;
	struct buf out;
	enum smtp_event rcpt;	/* verdict on each recipient */
	enum smtp_event reserve, store;
};

static void
start(struct driver *d, unsigned ext, struct smtp_limits limits)
{
	struct smtp_syntax syntax = { .ext = ext, .pedantic = true };
	struct smtp_out o;

	*d = (struct driver){ .rcpt = SMTP_EV_ACCEPT,
		.reserve = SMTP_EV_ACCEPT, .store = SMTP_EV_STORED };
	buf_init(&d->out, 65536);
	smtp_session_init(&d->s, &syntax, &limits);
	o = smtp_session_step(&d->s, SMTP_EV_ACCEPT);
	ck_assert_uint_eq(o.effects, SMTP_DO_GREET);
}

static void
effects(struct driver *d, struct smtp_out o)
{
	enum smtp_event next;

	smtp_session_put(&d->s, &d->out, &o, SLICE(""));
	if (o.effects & (SMTP_DO_CHECK_HELLO | SMTP_DO_CHECK_MAIL)) {
		next = SMTP_EV_ACCEPT;
	} else if (o.effects & SMTP_DO_CHECK_RCPT) {
		next = d->rcpt;
	} else if (o.effects & SMTP_DO_RESERVE) {
		next = d->reserve;
	} else if (o.effects & SMTP_DO_STORE) {
		next = d->store;
	} else if (o.effects & SMTP_DO_RECEIVE) {
		next = SMTP_EV_DOT;
	} else {
		if (o.effects & SMTP_DO_SAY_HELLO) {
			buf_puts(&d->out, d->s.esmtp ? "ehlo" : "helo");
		}
		return;
	}
	effects(d, smtp_session_step(&d->s, next));
}

/* Gives one line; the codes answered stand in the buffer as "250 354 250". */
static const char *
say(struct driver *d, const char *line)
{
	static char codes[64];
	struct smtp_command cmd;
	struct slice rest;

	buf_clear(&d->out);
	effects(d, smtp_session_line(&d->s, SMTP_LINE_OK, slice_of(line),
	    &cmd));
	codes[0] = '\0';
	rest = buf_slice(&d->out);
	while (rest.len > 0) {
		struct slice l = slice_cut(&rest, '\n');

		snprintf(codes + strlen(codes), sizeof(codes) - strlen(codes),
		    "%s%.*s", codes[0] == '\0' ? "" : " ", (int)EC_MIN(l.len,
		    (size_t)9), l.ptr);
		for (char *p = codes; *p != '\0'; p++) {
			*p = *p == '\r' ? '\0' : *p;
		}
	}
	return codes;
}

START_TEST(one_message)
{
	struct driver d;

	start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b>"), "503 5.5.1");
	ck_assert_str_eq(say(&d, "EHLO x"), "ehlo");
	ck_assert_uint_eq(d.s.syntax.ext, SMTP_EXT_DEFAULT);
	ck_assert_str_eq(say(&d, "DATA"), "503 5.5.1");
	ck_assert_str_eq(say(&d, "RCPT TO:<c@d>"), "503 5.5.1");
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b> SIZE=10"), "250 2.1.0");
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b>"), "503 5.5.1");
	ck_assert_str_eq(say(&d, "DATA"), "503 5.5.1");
	d.rcpt = SMTP_EV_RELAY_DENIED;
	ck_assert_str_eq(say(&d, "RCPT TO:<c@d>"), "550 5.7.1");
	ck_assert_int_eq(d.s.state, SMTP_ST_MAIL);
	ck_assert(slice_eq(buf_slice(&d.out),
	    SLICE("550 5.7.1 relaying denied\r\n")));
	d.rcpt = SMTP_EV_ACCEPT;
	ck_assert_str_eq(say(&d, "RCPT TO:<c@d>"), "250 2.1.5");
	d.rcpt = SMTP_EV_RELAY_DENIED;
	ck_assert_str_eq(say(&d, "RCPT TO:<e@d>"), "550 5.7.1");
	ck_assert_int_eq(d.s.state, SMTP_ST_RCPT);
	ck_assert_uint_eq(d.s.recipients, 1);
	ck_assert_str_eq(say(&d, "NOOP"), "250 2.0.0");
	ck_assert_str_eq(say(&d, "VRFY x"), "252 2.5.2");
	ck_assert_str_eq(say(&d, "EXPN x"), "502 5.5.1");
	ck_assert_str_eq(say(&d, "DATA"), "354 go ah 250 2.0.0");
	ck_assert_int_eq(d.s.state, SMTP_ST_READY);
	ck_assert_uint_eq(d.s.messages, 1);
	ck_assert_uint_eq(d.s.recipients, 0);
	ck_assert_str_eq(say(&d, "QUIT"), "221 2.0.0");
	ck_assert_str_eq(say(&d, "NOOP"), "");
	buf_fini(&d.out);
}
END_TEST

START_TEST(not_stored)
{
	static const struct {
		enum smtp_event reserve, store;
		const char *codes;
		enum smtp_state state;
	} t[] = {
		{ SMTP_EV_NO_ROOM, SMTP_EV_STORED, "452 4.3.1", SMTP_ST_RCPT },
		{ SMTP_EV_TOO_LARGE, SMTP_EV_STORED, "552 5.3.4",
		    SMTP_ST_RCPT },
		{ SMTP_EV_ACCEPT, SMTP_EV_LOST, "354 go ah 451 4.3.0",
		    SMTP_ST_READY },
		{ SMTP_EV_ACCEPT, SMTP_EV_NO_ROOM, "354 go ah 452 4.3.1",
		    SMTP_ST_READY },
	};
	struct driver d;

	start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
	say(&d, "EHLO x");
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		d.reserve = t[i].reserve;
		d.store = t[i].store;
		say(&d, "MAIL FROM:<a@b>");
		say(&d, "RCPT TO:<c@d>");
		ck_assert_str_eq(say(&d, "DATA"), t[i].codes);
		ck_assert_int_eq(d.s.state, t[i].state);
		say(&d, "RSET");
	}
	ck_assert_uint_eq(d.s.messages, 0);
	buf_fini(&d.out);
}
END_TEST

/* Over the limit in the middle of the content: silent up to the dot. */
START_TEST(discard)
{
	static const struct {
		enum smtp_event why;
		unsigned code;
	} t[] = { { SMTP_EV_TOO_LARGE, 552 }, { SMTP_EV_NO_ROOM, 452 } };
	struct driver d;
	struct smtp_out o;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
		d.s.state = SMTP_ST_DATA;
		o = smtp_session_step(&d.s, t[i].why);
		ck_assert_ptr_null(o.reply);
		ck_assert_uint_eq(o.effects, SMTP_DO_DISCARD);
		o = smtp_session_step(&d.s, SMTP_EV_DOT);
		ck_assert_uint_eq(o.reply->code, t[i].code);
		ck_assert_int_eq(d.s.state, SMTP_ST_READY);
		buf_fini(&d.out);
	}
}
END_TEST

START_TEST(limits)
{
	struct smtp_limits l = { .max_size = 1000, .max_recipients = 2,
		.max_messages = 1, .max_errors = 3, .require_ehlo = true };
	struct driver d;

	start(&d, SMTP_EXT_DEFAULT, l);
	ck_assert_str_eq(say(&d, "HELO x"), "550 5.7.1");
	ck_assert_int_eq(d.s.state, SMTP_ST_GREETED);
	say(&d, "EHLO x");
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b> SIZE=1001"), "552 5.3.4");
	ck_assert(slice_eq(buf_slice(&d.out),
	    SLICE("552 5.3.4 message size limit exceeded\r\n")));
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b> SIZE=1000"), "250 2.1.0");
	say(&d, "RCPT TO:<c@d>");
	say(&d, "RCPT TO:<e@d>");
	ck_assert_str_eq(say(&d, "RCPT TO:<f@d>"), "452 4.5.3");
	ck_assert_int_eq(d.s.state, SMTP_ST_RCPT);
	/* EHLO in a transaction ends it (RFC 5321 4.1.4). */
	say(&d, "EHLO x");
	ck_assert_uint_eq(d.s.recipients, 0);
	say(&d, "MAIL FROM:<a@b>");
	say(&d, "RCPT TO:<c@d>");
	ck_assert_str_eq(say(&d, "DATA"), "354 go ah 250 2.0.0");
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b>"), "421 4.5.3");
	ck_assert_int_eq(d.s.state, SMTP_ST_CLOSING);
	buf_fini(&d.out);
}
END_TEST

START_TEST(too_many_errors)
{
	struct driver d;

	start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
	for (int i = 1; i < SMTP_ERRORS_DEFAULT; i++) {
		/* Syntax, sequence and unknown ones count alike. */
		ck_assert_str_eq(say(&d, i % 3 == 0 ? "FOO" : i % 3 == 1 ?
		    "DATA" : "MAIL"), i % 3 == 0 ? "500 5.5.1" : i % 3 == 1 ?
		    "503 5.5.1" : "501 5.5.2");
	}
	ck_assert_str_eq(say(&d, "FOO"), "421 4.7.0");
	ck_assert_int_eq(d.s.state, SMTP_ST_CLOSING);
	buf_fini(&d.out);
}
END_TEST

START_TEST(bad_lines)
{
	static const enum smtp_line_status st[] = { SMTP_LINE_BARE_LF,
		SMTP_LINE_BARE_CR, SMTP_LINE_NUL, SMTP_LINE_TOO_LONG };
	struct smtp_command cmd;
	struct driver d;

	start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		struct smtp_out o = smtp_session_line(&d.s, st[i],
		    SLICE("EHLO x"), &cmd);

		ck_assert_uint_eq(o.reply->code, 500);
		ck_assert_str_eq(o.reply->enhanced, "5.5.2");
		ck_assert_int_eq(d.s.state, SMTP_ST_GREETED);
	}
	ck_assert_uint_eq(d.s.errors, ARRAY_LEN(st));
	buf_fini(&d.out);
}
END_TEST

/* HELO: no extension is in force; parameters are refused. */
START_TEST(helo)
{
	struct driver d;

	start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
	ck_assert_str_eq(say(&d, "HELO x"), "helo");
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b> SIZE=1"), "555 5.5.4");
	ck_assert_str_eq(say(&d, "STARTTLS"), "502 5.5.1");
	ck_assert_str_eq(say(&d, "AUTH PLAIN"), "502 5.5.1");
	buf_fini(&d.out);
}
END_TEST

START_TEST(tls_and_auth)
{
	struct driver d;
	struct smtp_out o;

	start(&d, SMTP_EXT_STARTTLS | SMTP_EXT_AUTH, (struct smtp_limits){ 0 });
	say(&d, "EHLO x");
	ck_assert_str_eq(say(&d, "STARTTLS"), "220 ready");
	ck_assert(!smtp_session_wants_line(&d.s));
	o = smtp_session_step(&d.s, SMTP_EV_OK);
	ck_assert_ptr_null(o.reply);
	ck_assert(d.s.tls && d.s.syntax.ext == 0);
	ck_assert_int_eq(d.s.state, SMTP_ST_GREETED);
	say(&d, "EHLO x");
	ck_assert_str_eq(say(&d, "STARTTLS"), "502 comma");
	ck_assert_str_eq(say(&d, "AUTH PLAIN"), "");
	ck_assert_int_eq(d.s.state, SMTP_ST_AUTH);
	o = smtp_session_step(&d.s, SMTP_EV_FAILED);
	ck_assert_uint_eq(o.reply->code, 535);
	say(&d, "AUTH PLAIN");
	o = smtp_session_step(&d.s, SMTP_EV_OK);
	ck_assert_uint_eq(o.reply->code, 235);
	ck_assert(d.s.authenticated);
	ck_assert_str_eq(say(&d, "AUTH PLAIN"), "503 alrea");
	buf_fini(&d.out);
}
END_TEST

/* Never in the middle of a message, but right after it. */
START_TEST(shutdown_waits)
{
	struct driver d;
	struct smtp_out o;

	start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
	say(&d, "EHLO x");
	d.s.state = SMTP_ST_STORING;
	o = smtp_session_step(&d.s, SMTP_EV_SHUTDOWN);
	ck_assert(o.reply == NULL && o.effects == 0);
	ck_assert(!smtp_session_wants_shutdown(&d.s));
	o = smtp_session_step(&d.s, SMTP_EV_STORED);
	ck_assert_uint_eq(o.reply->code, 250);
	ck_assert(smtp_session_wants_shutdown(&d.s));
	ck_assert_str_eq(say(&d, "MAIL FROM:<a@b>"), "421 4.3.2");
	ck_assert(slice_eq(buf_slice(&d.out),
	    SLICE("421 4.3.2 Reconfiguration in progress\r\n")));
	buf_fini(&d.out);
}
END_TEST

/* The texts that others' programs look for. */
START_TEST(known_texts)
{
	static const struct {
		enum smtp_state st;
		enum smtp_event ev;
		const char *text;
	} t[] = {
		{ SMTP_ST_CONNECT, SMTP_EV_BUSY, "421 4.4.5 Service "
		    "unavailable, concurrency limit reached\r\n" },
		{ SMTP_ST_READY, SMTP_EV_RESOURCES,
		    "421 4.3.4 allocated resources exceeded\r\n" },
		{ SMTP_ST_RCPT_CHECK, SMTP_EV_RELAY_DENIED,
		    "550 5.7.1 relaying denied\r\n" },
	};
	struct driver d;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		start(&d, SMTP_EXT_DEFAULT, (struct smtp_limits){ 0 });
		d.s.state = t[i].st;
		effects(&d, smtp_session_step(&d.s, t[i].ev));
		ck_assert(slice_eq(buf_slice(&d.out), slice_of(t[i].text)));
		buf_fini(&d.out);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtp_session");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(t, one_250_for_a_message);
	tcase_add_test(t, whole_grid);
	tcase_add_test(t, one_message);
	tcase_add_test(t, not_stored);
	tcase_add_test(t, discard);
	tcase_add_test(t, limits);
	tcase_add_test(t, too_many_errors);
	tcase_add_test(t, bad_lines);
	tcase_add_test(t, helo);
	tcase_add_test(t, tls_and_auth);
	tcase_add_test(t, shutdown_waits);
	tcase_add_test(t, known_texts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
