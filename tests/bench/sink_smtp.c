/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink's side of SMTP (RFC 5321, 1870, 2034, 2920).
 *
 * A stage that is to be delayed leaves its command in the input buffer and
 * stops the connection; the timer runs the same command again with delay_done
 * set.  So a delayed dot is counted and ledgered when its reply is due, not
 * before.
 */
#include "tests/bench/sink_priv.h"

#include <fcntl.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/num.h"

static void
say(struct sink_conn *c, const char *text)
{
	buf_puts(&c->out, text);
}

static void
refuse(struct sink_conn *c, const char *text)
{
	c->s->stats->refused++;
	say(c, text);
}

static void
reset_mail(struct sink_conn *c)
{
	c->in_mail = false;
	c->n_rcpts = 0;
	buf_clear(&c->from);
	buf_clear(&c->rcpts);
	buf_clear(&c->copy);
}

static const char *
usual_text(unsigned code)
{
	if (code == 421) {
		return "4.3.2 closing the connection";
	}
	return code >= 500 ? "5.7.1 not here" :
	    code >= 400 ? "4.3.0 not now" : "2.0.0 ok";
}

static enum sink_fate
fate_reply(struct sink_conn *c, enum behave_stage stage, struct slice address)
{
	const struct behave_rule *r = behave_pick(&c->s->behave, BEHAVE_REPLY,
	    stage, address);

	if (r == NULL) {
		return FATE_USUAL;
	}
	buf_printf(&c->out, "%u %s\r\n", r->code,
	    r->text[0] != '\0' ? r->text : usual_text(r->code));
	if (r->code < 400) {
		return FATE_GREEN;
	}
	c->s->stats->refused++;
	if (r->code == 421 || stage == BEHAVE_CONNECT) {
		c->state = SINK_LINGER;
	}
	return FATE_REPLIED;
}

static enum sink_fate
decide(struct sink_conn *c, enum behave_stage stage, struct slice address)
{
	struct behave *b = &c->s->behave;
	const struct behave_rule *r;

	if (b->n == 0) {
		return FATE_USUAL;
	}
	r = c->delay_done ? NULL :
	    behave_pick(b, BEHAVE_DELAY, stage, address);
	if (r != NULL && r->delay_ms > 0) {
		c->waiting = true;
		loop_timer_set(&c->delay, (uint64_t)r->delay_ms * 1000u);
		return FATE_WAIT;
	}
	c->delay_done = false;
	if (behave_pick(b, BEHAVE_DROP, stage, address) != NULL) {
		c->s->stats->dropped++;
		sink_conn_close(c);
		return FATE_GONE;
	}
	return fate_reply(c, stage, address);
}

static void
say_ehlo(struct sink_conn *c)
{
	struct sink *s = c->s;

	say(c, "250-sink.example\r\n");
	if (!s->no_pipelining) {
		say(c, "250-PIPELINING\r\n");
	}
	if (s->size_limit > 0) {
		buf_printf(&c->out, "250-SIZE %llu\r\n",
		    (unsigned long long)s->size_limit);
	} else {
		say(c, "250-SIZE\r\n");
	}
	buf_add(&c->out, s->extensions);
	say(c, "250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
}

static enum sink_fate
do_helo(struct sink_conn *c, bool ehlo)
{
	enum sink_fate f;

	if (ehlo && c->s->no_ehlo) {
		refuse(c, "502 5.5.1 EHLO is not known here\r\n");
		return FATE_REPLIED;
	}
	f = decide(c, BEHAVE_HELO, SLICE(""));
	if (f == FATE_USUAL) {
		if (ehlo) {
			say_ehlo(c);
		} else {
			say(c, "250 sink.example\r\n");
		}
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		c->greeted = true;
		reset_mail(c);
	}
	return f;
}

/* "FROM:<a@b> X=Y" without its first word: the address, and in *rest what
 * follows.  The quoting of local parts is respected as far as '>' goes. */
static bool
take_path(struct slice arg, struct slice *address, struct slice *rest)
{
	bool quoted = false;

	arg = slice_trim(arg);
	if (arg.len == 0 || arg.ptr[0] != '<') {
		return false;
	}
	for (size_t i = 1; i < arg.len; i++) {
		if (arg.ptr[i] == '\\' && quoted) {
			i++;
		} else if (arg.ptr[i] == '"') {
			quoted = !quoted;
		} else if (arg.ptr[i] == '>' && !quoted) {
			*address = slice_make(arg.ptr + 1, i - 1);
			*rest = slice_skip(arg, i + 1);
			return rest->len == 0 || rest->ptr[0] == ' ';
		}
	}
	return false;
}

/* The parameters behind a path; says why not. */
static bool
params_are_fine(struct sink_conn *c, struct slice rest)
{
	while ((rest = slice_trim(rest)).len > 0) {
		struct slice word = slice_cut(&rest, ' ');
		struct slice value = word, name = slice_cut(&value, '=');
		uint64_t size;

		if (slice_eq_nocase(name, SLICE("SIZE"))) {
			if (!num_parse_u64(value, &size)) {
				refuse(c, "501 5.5.4 bad SIZE\r\n");
				return false;
			}
			if (c->s->size_limit > 0 && size > c->s->size_limit) {
				refuse(c, "552 5.3.4 message too large\r\n");
				return false;
			}
		} else if (!slice_eq_nocase(name, SLICE("BODY")) &&
		    c->s->extensions.len == 0) {
			refuse(c, "555 5.5.4 parameter not known\r\n");
			return false;
		}
	}
	return true;
}

static enum sink_fate
do_mail(struct sink_conn *c, struct slice arg)
{
	struct slice address, rest;
	enum sink_fate f;

	if (!c->greeted || c->in_mail) {
		refuse(c, c->greeted ? "503 5.5.1 nested MAIL\r\n" :
		    "503 5.5.1 HELO first\r\n");
		return FATE_REPLIED;
	}
	if (!slice_starts_nocase(arg, SLICE("FROM:")) ||
	    !take_path(slice_skip(arg, 5), &address, &rest)) {
		refuse(c, "501 5.5.4 MAIL FROM:<address>\r\n");
		return FATE_REPLIED;
	}
	f = decide(c, BEHAVE_MAIL, address);
	if (f == FATE_USUAL) {
		if (!params_are_fine(c, rest)) {
			return FATE_REPLIED;
		}
		say(c, "250 2.1.0 ok\r\n");
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		reset_mail(c);
		c->in_mail = true;
		buf_add(&c->from, address);
	}
	return f;
}

static enum sink_fate
do_rcpt(struct sink_conn *c, struct slice arg)
{
	struct slice address, rest;
	enum sink_fate f;

	if (!c->in_mail) {
		refuse(c, "503 5.5.1 MAIL first\r\n");
		return FATE_REPLIED;
	}
	if (!slice_starts_nocase(arg, SLICE("TO:")) ||
	    !take_path(slice_skip(arg, 3), &address, &rest) ||
	    address.len == 0) {
		refuse(c, "501 5.5.4 RCPT TO:<address>\r\n");
		return FATE_REPLIED;
	}
	if (c->n_rcpts == SINK_RCPT_COUNT_MAX ||
	    !buf_reserve(&c->rcpts, address.len + 1)) {
		refuse(c, "452 4.5.3 too many recipients\r\n");
		return FATE_REPLIED;
	}
	f = decide(c, BEHAVE_RCPT, address);
	if (f == FATE_USUAL) {
		if (!params_are_fine(c, rest)) {
			return FATE_REPLIED;
		}
		say(c, "250 2.1.5 ok\r\n");
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		c->n_rcpts++;
		buf_add(&c->rcpts, address);
		buf_putc(&c->rcpts, '\n');
	}
	return f;
}

static enum sink_fate
do_data(struct sink_conn *c)
{
	enum sink_fate f;

	if (!c->in_mail || c->n_rcpts == 0) {
		refuse(c, c->in_mail ? "554 5.5.1 no valid recipients\r\n" :
		    "503 5.5.1 MAIL first\r\n");
		return FATE_REPLIED;
	}
	f = decide(c, BEHAVE_DATA, SLICE(""));
	if (f == FATE_USUAL) {
		say(c, "354 go on\r\n");
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		c->drop_body = behave_pick(&c->s->behave, BEHAVE_DROP,
		    BEHAVE_BODY, SLICE("")) != NULL;
		sink_data_init(&c->data, c->s->store_dir >= 0 ? &c->copy :
		    NULL);
		c->state = SINK_BODY;
	}
	return f;
}

static enum sink_fate
do_rset(struct sink_conn *c)
{
	enum sink_fate f = decide(c, BEHAVE_RSET, SLICE(""));

	if (f == FATE_USUAL) {
		say(c, "250 2.0.0 ok\r\n");
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		reset_mail(c);
	}
	return f;
}

static enum sink_fate
do_quit(struct sink_conn *c)
{
	enum sink_fate f = decide(c, BEHAVE_QUIT, SLICE(""));

	if (f == FATE_USUAL) {
		say(c, "221 2.0.0 bye\r\n");
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		c->state = SINK_LINGER;
	}
	return f;
}

enum sink_fate
sink_smtp_command(struct sink_conn *c, struct slice line)
{
	struct slice arg = line, verb = slice_cut(&arg, ' ');

	if (slice_eq_nocase(verb, SLICE("MAIL"))) {
		return do_mail(c, arg);
	} else if (slice_eq_nocase(verb, SLICE("RCPT"))) {
		return do_rcpt(c, arg);
	} else if (slice_eq_nocase(verb, SLICE("DATA"))) {
		return do_data(c);
	} else if (slice_eq_nocase(verb, SLICE("EHLO"))) {
		return do_helo(c, true);
	} else if (slice_eq_nocase(verb, SLICE("HELO"))) {
		return do_helo(c, false);
	} else if (slice_eq_nocase(verb, SLICE("RSET"))) {
		return do_rset(c);
	} else if (slice_eq_nocase(verb, SLICE("QUIT"))) {
		return do_quit(c);
	} else if (slice_eq_nocase(verb, SLICE("NOOP"))) {
		say(c, "250 2.0.0 ok\r\n");
		return FATE_GREEN;
	} else if (slice_eq_nocase(verb, SLICE("VRFY"))) {
		say(c, "252 2.5.0 try it\r\n");
		return FATE_GREEN;
	}
	refuse(c, "500 5.5.2 command not known\r\n");
	return FATE_REPLIED;
}

static void
store_file(struct sink *s, const char *kind, const struct buf *b)
{
	char name[40];
	int fd;

	snprintf(name, sizeof name, "%08llu.%s",
	    (unsigned long long)s->n_stored, kind);
	fd = openat(s->store_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0644);
	if (fd < 0 || fdio_write_all(fd, b->ptr, b->len) < 0) {
		fatal(71, "cannot store %s: %s", name, strerror(errno));
	}
	close(fd);
}

/* NNNNNNNN.env: sender, then recipients, a line each; NNNNNNNN.eml: the
 * message as on the wire, dots unstuffed.  The .eml comes last, so whoever
 * sees it can read both. */
static void
store_message(struct sink_conn *c)
{
	struct buf env;

	c->s->n_stored++;
	buf_init(&env, SINK_RCPTS_MAX + SINK_COMMAND_MAX);
	buf_add(&env, buf_slice(&c->from));
	buf_putc(&env, '\n');
	buf_add(&env, buf_slice(&c->rcpts));
	store_file(c->s, "env", &env);
	store_file(c->s, "eml", &c->copy);
	buf_fini(&env);
}

/* So that a script can wait for the last message without polling. */
static void
tell_counts(struct sink *s)
{
	while (s->n_told < SINK_TELL_MAX && s->tell_at[s->n_told] != 0 &&
	    s->stats->messages >= s->tell_at[s->n_told]) {
		printf("reached %llu\n",
		    (unsigned long long)s->tell_at[s->n_told++]);
		fflush(stdout);
	}
}

static void
count_message(struct sink_conn *c)
{
	struct sink *s = c->s;
	struct slice rest = buf_slice(&c->rcpts), key;

	key = sink_data_key(&c->data);
	while (rest.len > 0) {
		ledger_add(&s->ledger, false, key, slice_cut(&rest, '\n'),
		    SLICE(""));
	}
	if (s->store_dir >= 0) {
		store_message(c);
	}
	s->stats->last_us = loop_now_us(s->loop);
	if (s->stats->messages == 0) {
		s->stats->first_us = s->stats->last_us;
	}
	s->stats->bytes += c->data.bytes;
	s->stats->rcpts += c->n_rcpts;
	s->stats->messages++;
	tell_counts(s);
}

enum sink_fate
sink_smtp_dot(struct sink_conn *c)
{
	struct sink *s = c->s;
	enum sink_fate f;

	if (s->size_limit > 0 && c->data.bytes > s->size_limit) {
		refuse(c, "552 5.3.4 message too large\r\n");
		c->state = SINK_COMMAND;
		reset_mail(c);
		return FATE_REPLIED;
	}
	f = decide(c, BEHAVE_DOT, buf_slice(&c->from));
	if (f == FATE_WAIT || f == FATE_GONE) {
		return f;
	}
	if (f == FATE_USUAL || f == FATE_GREEN) {
		count_message(c);
		if (behave_pick(&s->behave, BEHAVE_DROP, BEHAVE_ACK,
		    buf_slice(&c->from)) != NULL) {
			c->state = SINK_COMMAND;
			s->stats->dropped++;
			sink_conn_close(c);
			return FATE_GONE;
		}
		if (f == FATE_USUAL) {
			say(c, "250 2.0.0 ok\r\n");
		}
		if (s->ledger.fd >= 0 && list_is_empty(&c->held)) {
			list_push_back(&s->held_replies, &c->held);
		}
		f = FATE_GREEN;
	}
	if (c->state != SINK_LINGER) {
		c->state = SINK_COMMAND;
	}
	reset_mail(c);
	return f;
}

enum sink_fate
sink_smtp_greeting(struct sink_conn *c)
{
	struct sink *s = c->s;
	enum sink_fate f;

	if (s->max_conns > 0 && s->stats->open > s->max_conns) {
		refuse(c, "421 4.3.2 too many connections\r\n");
		c->state = SINK_LINGER;
		return FATE_REPLIED;
	}
	f = decide(c, BEHAVE_CONNECT, SLICE(""));
	if (f == FATE_USUAL) {
		say(c, "220 sink.example ESMTP\r\n");
		f = FATE_GREEN;
	}
	if (f == FATE_GREEN) {
		c->state = SINK_COMMAND;
	}
	return f;
}

void
sink_smtp_too_long(struct sink_conn *c)
{
	refuse(c, "500 5.5.2 line too long\r\n");
	c->state = SINK_LINGER;
}
