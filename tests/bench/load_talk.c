/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dialogue: EHLO, and for each message MAIL, RCPT..., DATA, the message,
 * the dot.
 *
 * With pipelining MAIL, RCPT... and DATA leave in one write, so when one of
 * them is refused the replies to the others are still to come: `refused` is
 * remembered and judged at the end.  If DATA was answered 354 although no
 * recipient stands, an empty message ends it (RFC 2920 section 3.1).
 */
#include "tests/bench/load_priv.h"

static struct slice
id_of(const struct load_conn *c, char out[128])
{
	int n = snprintf(out, 128, "%s-%llu", c->l->o.run,
	    (unsigned long long)c->seq);

	return slice_make(out, EC_MIN((size_t)n, 127));
}

static struct slice
rcpt_of(const struct load_conn *c, size_t i, char out[320])
{
	const struct load_opts *o = &c->l->o;
	uint64_t n = c->seq * o->rcpts + i;
	int len;

	if (o->to != NULL) {
		return slice_of(o->to);
	}
	len = snprintf(out, 320, "u%llu@d%llu.example", (unsigned long long)n,
	    (unsigned long long)(n % o->domains));
	return slice_make(out, EC_MIN((size_t)len, 319));
}

void
load_talk_doubt(struct load_conn *c, const char *why)
{
	char id[128], rcpt[320];

	for (size_t i = 0; i < c->l->o.rcpts; i++) {
		if (c->rcpts[i] == RCPT_OFFERED) {
			c->l->t.doubtful++;
			ledger_add(&c->l->ledger, true, id_of(c, id),
			    rcpt_of(c, i, rcpt), slice_of(why));
		}
	}
}

static void
put_mail(struct load_conn *c)
{
	buf_printf(&c->head, "MAIL FROM:<%s>", c->l->o.from);
	if (c->can_size) {
		buf_printf(&c->head, " SIZE=%zu", c->item_bytes);
	}
	buf_puts(&c->head, "\r\n");
}

static void
put_rcpt(struct load_conn *c, size_t i)
{
	char rcpt[320];

	buf_printf(&c->head, "RCPT TO:<%.*s>\r\n",
	    SLICE_ARG(rcpt_of(c, i, rcpt)));
}

static void
compose(struct load_conn *c, struct slice *rest_out)
{
	char rcpt[320];
	struct load_item it = {
		.seq = c->seq,
		.run = slice_of(c->l->o.run),
		.from = slice_of(c->l->o.from),
		.first_rcpt = rcpt_of(c, 0, rcpt),
	};

	load_msgs_compose(&c->l->msgs, &it, &c->head, rest_out);
}

/* The first recipient from i on that still needs a 250. */
static size_t
open_rcpt(const struct load_conn *c, size_t i)
{
	while (i < c->l->o.rcpts && c->rcpts[i] == RCPT_DONE) {
		i++;
	}
	return i;
}

void
load_talk_begin(struct load_conn *c)
{
	struct load *l = c->l;
	struct slice rest;

	buf_clear(&c->head);
	compose(c, &rest);
	c->item_bytes = c->head.len + rest.len;
	buf_clear(&c->head);
	for (size_t i = 0; i < l->o.rcpts; i++) {
		if (c->rcpts[i] == RCPT_OFFERED) {
			c->rcpts[i] = RCPT_OPEN;
		}
	}
	c->rcpt_i = open_rcpt(c, 0);
	c->n_offered = 0;
	c->refused = c->empty = false;
	c->piped = l->o.pipelining && c->can_pipeline;
	l->t.retries += c->again;
	c->again = false;
	if (l->t.first_us == 0) {
		l->t.first_us = loop_now_us(l->loop);
	}
	if (l->o.rate == 0) {
		c->begin_us = loop_now_us(l->loop);
	}
	put_mail(c);
	if (c->piped) {
		for (size_t i = c->rcpt_i; i < l->o.rcpts;
		    i = open_rcpt(c, i + 1)) {
			put_rcpt(c, i);
		}
		buf_puts(&c->head, "DATA\r\n");
	}
	load_conn_send(c, LOAD_MAIL);
}

static void
after_message(struct load_conn *c)
{
	if (c->l->o.keep) {
		c->state = LOAD_READY;
		load_conn_next(c);
	} else {
		load_conn_say(c, LOAD_QUIT, "QUIT\r\n");
	}
}

/* A refused transaction, cleaned up: wait before the same is tried again. */
static void
after_refusal(struct load_conn *c)
{
	load_conn_fail_message(c);
	c->state = LOAD_READY;
	if (c->seq != LOAD_NO_MESSAGE) {
		load_conn_back_off(c);
	} else {
		after_message(c);
	}
}

static void
message_accepted(struct load_conn *c, struct slice text)
{
	struct load *l = c->l;
	uint64_t now = loop_now_us(l->loop);
	char id[128], rcpt[320];

	for (size_t i = 0; i < l->o.rcpts; i++) {
		if (c->rcpts[i] == RCPT_OFFERED) {
			c->rcpts[i] = RCPT_DONE;
			l->t.rcpts_ok++;
			ledger_add(&l->ledger, false, id_of(c, id),
			    rcpt_of(c, i, rcpt), text);
		}
	}
	l->t.last_us = now;
	hist_add(&l->t.dot, now - c->dot_us);
	c->backoff_us = LOAD_BACKOFF_MIN_US;
	if (open_rcpt(c, 0) < l->o.rcpts) {
		after_refusal(c);	/* some recipients were refused */
		return;
	}
	hist_add(&l->t.whole, now - c->begin_us);
	l->t.ok++;
	l->t.bytes += c->item_bytes;
	c->seq = LOAD_NO_MESSAGE;
	after_message(c);
}

static void
send_body(struct load_conn *c)
{
	buf_clear(&c->head);
	if (c->empty) {
		buf_puts(&c->head, ".\r\n");
	} else {
		compose(c, &c->out[1]);
		c->out[2] = SLICE(".\r\n");
	}
	load_conn_send(c, LOAD_DOT);
}

static void
on_mail_or_rcpt(struct load_conn *c, bool good)
{
	if (c->state == LOAD_RCPT) {
		if (good) {
			c->rcpts[c->rcpt_i] = RCPT_OFFERED;
			c->n_offered++;
		} else if (!c->refused) {
			c->l->t.rejects++;
		}
		c->rcpt_i = open_rcpt(c, c->rcpt_i + 1);
	} else if (!good) {
		c->l->t.rejects++;
		c->refused = true;
	}
	c->state = c->rcpt_i < c->l->o.rcpts ? LOAD_RCPT : LOAD_DATA;
	if (c->piped) {
		return;		/* the next reply is on its way */
	}
	buf_clear(&c->head);
	if (c->refused || (c->state == LOAD_DATA && c->n_offered == 0)) {
		load_conn_say(c, LOAD_RSET, "RSET\r\n");
	} else if (c->state == LOAD_RCPT) {
		put_rcpt(c, c->rcpt_i);
		load_conn_send(c, LOAD_RCPT);
	} else {
		load_conn_say(c, LOAD_DATA, "DATA\r\n");
	}
}

static void
on_data(struct load_conn *c, unsigned code)
{
	c->empty = c->refused || c->n_offered == 0;
	if (code == 354) {
		send_body(c);
		return;
	}
	/* With nobody to send to, this refusal was counted already. */
	c->l->t.rejects += !c->empty;
	load_conn_say(c, LOAD_RSET, "RSET\r\n");
}

void
load_talk_ehlo_line(struct load_conn *c, struct slice text)
{
	struct slice word = slice_cut(&text, ' ');

	if (slice_eq_nocase(word, SLICE("PIPELINING"))) {
		c->can_pipeline = true;
	} else if (slice_eq_nocase(word, SLICE("SIZE"))) {
		c->can_size = true;
	}
}

/* Before the first message: the greeting and the names. */
static void
on_opening(struct load_conn *c, bool good)
{
	char line[300];

	if (c->state == LOAD_EHLO && !good) {
		snprintf(line, sizeof line, "HELO %s\r\n", c->l->o.helo);
		load_conn_say(c, LOAD_HELO, line);
	} else if (!good) {
		c->l->t.rejects++;
		load_conn_close(c);
		load_conn_back_off(c);
	} else if (c->state == LOAD_GREETING) {
		snprintf(line, sizeof line, "EHLO %s\r\n", c->l->o.helo);
		load_conn_say(c, LOAD_EHLO, line);
	} else {
		c->state = LOAD_READY;
		load_conn_next(c);
	}
}

static void
on_dot(struct load_conn *c, const struct load_reply *r)
{
	if (r->code < 300 && !c->empty) {
		message_accepted(c, r->text);
		return;
	}
	c->l->t.rejects += !c->empty;
	after_refusal(c);
}

void
load_talk_reply(struct load_conn *c, const struct load_reply *r)
{
	bool good = r->code < 300;

	if ((r->code == 421 && c->state != LOAD_QUIT) ||
	    (c->state == LOAD_DOT && !load_conn_all_sent(c))) {
		/* The end is announced, or the reply came in the middle of the
		 * message.  Either way it was not taken: no doubt here. */
		c->l->t.rejects++;
		load_conn_close(c);
		load_conn_fail_message(c);
		load_conn_back_off(c);
		return;
	}
	switch (c->state) {
	case LOAD_GREETING:
	case LOAD_EHLO:
	case LOAD_HELO:
		on_opening(c, good);
		break;
	case LOAD_MAIL:
	case LOAD_RCPT:
		on_mail_or_rcpt(c, good);
		break;
	case LOAD_DATA:
		on_data(c, r->code);
		break;
	case LOAD_DOT:
		on_dot(c, r);
		break;
	case LOAD_RSET:
		after_refusal(c);
		break;
	case LOAD_QUIT:
		load_conn_close(c);
		load_conn_next(c);
		break;
	case LOAD_READY:
	case LOAD_CLOSED:
	case LOAD_FINISHED:
		load_conn_lost(c, "reply without command");
		break;
	}
}
