/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the session machine asks for, done: verdicts on HELO, MAIL, RCPT and
 * DATA, the content's verdict after the dot, the message on its way to the
 * spooler.
 */
#include "listener/transaction.h"

#include "common/base/addr.h"
#include "common/base/clock.h"
#include "common/mail/received.h"

#define RECEIVED_LIMIT 100u	/* RFC 5321 6.3: more is a loop */
/* An envelope's fixed part, names and room to spare. */
#define ENVELOPE_FIXED 1024u

static struct smtp_out
given(struct session *s, enum smtp_event ev, unsigned code, const char *enh,
    const char *text)
{
	s->given = (struct reply_text){ (uint16_t)code, enh, text };
	return smtp_session_step(&s->sm, ev);
}

void
transaction_reset(struct session *s)
{
	body_drop(s);
	scratch_reset(&s->scratch);
	s->sender = slice_make(NULL, 0);
	s->envid = slice_make(NULL, 0);
	s->env_flags = 0;
	s->declared = 0;
	s->n_rcpt = 0;
	s->env_bytes = ENVELOPE_FIXED;
	s->batch_id = MSGID_NONE;
}

void
transaction_fini(struct session *s)
{
	body_drop(s);
	scratch_fini(&s->scratch);
	free(s->rcpt);
	s->rcpt = NULL;
}

static struct smtp_out
check_hello(struct session *s, const struct smtp_command *cmd)
{
	slice_copy(s->helo, sizeof s->helo, cmd->arg);
	return smtp_session_step(&s->sm, SMTP_EV_ACCEPT);
}

/* local@domain into the session's memory. */
static struct slice
keep_address(struct session *s, const struct address *a, struct slice domain)
{
	char *p;

	if (a->is_null) {
		return SLICE("");
	}
	p = scratch_alloc(&s->scratch, a->local.len + domain.len + 1);
	if (p == NULL) {
		return slice_make(NULL, 0);
	}
	memcpy(p, a->local.ptr, a->local.len);
	p[a->local.len] = '@';
	memcpy(p + a->local.len + 1, domain.ptr, domain.len);
	return slice_make(p, a->local.len + 1 + domain.len);
}

static struct smtp_out
check_mail(struct session *s, const struct smtp_command *cmd)
{
	if (cmd->address.is_null && !s->set.null_sender) {
		return given(s, SMTP_EV_REFUSE, 550, "5.7.1",
		    "null sender not taken here");
	}
	s->sender = keep_address(s, &cmd->address, cmd->address.domain);
	s->envid = scratch_copy(&s->scratch, cmd->params.envid);
	if (s->sender.ptr == NULL || s->envid.ptr == NULL) {
		return smtp_session_step(&s->sm, SMTP_EV_NO_ROOM);
	}
	s->declared = cmd->params.size;
	s->env_flags = cmd->params.body == SMTP_BODY_8BITMIME ?
	    ENVELOPE_8BITMIME : 0;
	s->env_flags |= cmd->params.smtputf8 ? ENVELOPE_SMTPUTF8 : 0;
	s->env_flags |= cmd->params.ret == SMTP_RET_FULL ? ENVELOPE_RET_FULL :
	    cmd->params.ret == SMTP_RET_HDRS ? ENVELOPE_RET_HDRS : 0;
	s->env_bytes = ENVELOPE_FIXED + s->sender.len + s->envid.len;
	return smtp_session_step(&s->sm, SMTP_EV_ACCEPT);
}

static struct recipient *
next_recipient(struct session *s)
{
	if (s->n_rcpt == s->cap_rcpt) {
		s->cap_rcpt = s->cap_rcpt ? s->cap_rcpt * 2 : 4;
		s->rcpt = xrealloc(s->rcpt, s->cap_rcpt * sizeof *s->rcpt);
	}
	return &s->rcpt[s->n_rcpt];
}

static struct smtp_out
check_rcpt(struct session *s, const struct smtp_command *cmd)
{
	struct slice domain = cmd->address.domain.len > 0 ?
	    cmd->address.domain : slice_of(s->l->host);
	struct recipient *r = next_recipient(s);

	if (s->l->passthrough && s->n_rcpt > 0) {
		return given(s, SMTP_EV_REFUSE, 452, "4.5.3",
		    "one recipient at a time here");
	}
	if (cmd->address.literal && !s->set.ip_literal) {
		return given(s, SMTP_EV_REFUSE, 550, "5.1.2",
		    "address literals not taken here");
	}
	if (!policy_may_send_to(s, domain)) {
		return smtp_session_step(&s->sm, SMTP_EV_RELAY_DENIED);
	}
	*r = (struct recipient){
		.addr = keep_address(s, &cmd->address, domain),
		.notify = (uint8_t)cmd->params.notify };
	if (r->addr.ptr == NULL || s->env_bytes + envelope_recipient_bytes(r) >
	    ENVELOPE_MAX_BYTES) {
		return smtp_session_step(&s->sm, SMTP_EV_TOO_MANY_RCPTS);
	}
	r->id = store_new_id(s->l);
	if (r->id == MSGID_NONE) {
		return given(s, SMTP_EV_REFUSE, 451, "4.3.0",
		    "no message ids now, try again later");
	}
	s->env_bytes += envelope_recipient_bytes(r);
	s->n_rcpt++;
	return smtp_session_step(&s->sm, SMTP_EV_ACCEPT);
}

/* The trace header stands first in the body. */
static bool
put_received(struct session *s)
{
	char text[RECEIVED_MAX];
	struct received r = { .peer_ip = s->peer_ip,
		.peer_port = s->peer_port,
		.flags = (s->sm.esmtp ? RECEIVED_ESMTP : 0) |
		((s->env_flags & ENVELOPE_SMTPUTF8) ? RECEIVED_UTF8 : 0),
		.helo = slice_of(s->helo), .by = slice_of(s->set.received),
		.sender = s->sender, .version = SLICE(PACKAGE_VERSION),
		.batch_id = s->batch_id,
		.date = date_cached_local(&s->l->date, clock_wall_us()) };

	return !s->set.trace_headers || body_put(s, slice_make(text,
	    received_write(&r, text, sizeof text)));
}

static struct smtp_out
reserve(struct session *s)
{
	if (s->declared > s->sm.limits.max_size) {
		return smtp_session_step(&s->sm, SMTP_EV_TOO_LARGE);
	}
	s->batch_id = store_new_id(s->l);
	if (s->batch_id == MSGID_NONE) {
		return given(s, SMTP_EV_REFUSE, 451, "4.3.0",
		    "no message ids now, try again later");
	}
	if (!body_begin(s)) {
		return smtp_session_step(&s->sm, SMTP_EV_NO_ROOM);
	}
	if (!put_received(s)) {
		body_drop(s);
		return smtp_session_step(&s->sm, SMTP_EV_NO_ROOM);
	}
	return smtp_session_step(&s->sm, SMTP_EV_ACCEPT);
}

/* What the content itself forbids; NULL: nothing. */
static const char *
content_fault(const struct session *s, const char **enh_out)
{
	const struct dot_decoder *d = &s->body.dot;
	const struct mend *m = &s->body.mend;
	bool mending = s->body.mending;
	bool header = mending ? m->bare_header :
	    d->bare_lf_header || d->bare_cr_header;
	bool body = mending ? m->bare_body :
	    d->bare_lf_body || d->bare_cr_body;
	uint64_t longest = mending ? m->longest_line : d->longest_line;

	*enh_out = "5.6.0";
	if (d->lax_end) {
		return "a line of only dots between bare line ends: "
		    "smuggling is not taken";
	}
	if (d->received > RECEIVED_LIMIT) {
		*enh_out = "5.4.6";
		return "too many hops: this message loops";
	}
	if (header && s->set.lone_lf_header == CONFIG_LONE_LF_REJECT) {
		return "header lines must end in CRLF";
	}
	if (body && s->set.lone_lf_body == CONFIG_LONE_LF_REJECT) {
		return "body lines must end in CRLF";
	}
	if (s->set.max_line > 0 && longest > s->set.max_line) {
		return "a line is too long";
	}
	return NULL;
}

struct smtp_out
transaction_dot(struct session *s)
{
	const char *enh, *fault = content_fault(s, &enh);
	bool discard = s->sm.state != SMTP_ST_DATA;

	if (!discard && fault != NULL) {
		return given(s, SMTP_EV_REFUSE,
		    strcmp(enh, "5.4.6") == 0 ? 554 : 550, enh, fault);
	}
	return smtp_session_step(&s->sm, SMTP_EV_DOT);
}

static struct smtp_out
store(struct session *s)
{
	uint64_t size = body_end(s);

	if (s->body.broken) {
		return smtp_session_step(&s->sm, SMTP_EV_LOST);
	}
	score_add(worker_score(s->l->w), SCORE_L_BYTES, size);
	s->store_deadline_us = loop_now_us(s->l->loop) +
	    s->l->store_timeout_us;
	if (!store_begin(s, size)) {
		return smtp_session_step(&s->sm, SMTP_EV_LOST);
	}
	return (struct smtp_out){ NULL, 0 };
}

struct smtp_out
transaction_effect(struct session *s, unsigned effects,
    const struct smtp_command *cmd)
{
	if ((effects & (SMTP_DO_RESET | SMTP_DO_ABORT)) != 0) {
		transaction_reset(s);
	}
	if ((effects & SMTP_DO_DISCARD) != 0) {
		body_drop(s);
		s->body.discard = true;
	}
	if ((effects & SMTP_DO_CHECK_HELLO) != 0) {
		return check_hello(s, cmd);
	}
	if ((effects & SMTP_DO_CHECK_MAIL) != 0) {
		return check_mail(s, cmd);
	}
	if ((effects & SMTP_DO_CHECK_RCPT) != 0) {
		return check_rcpt(s, cmd);
	}
	if ((effects & SMTP_DO_RESERVE) != 0) {
		return reserve(s);
	}
	if ((effects & SMTP_DO_STORE) != 0) {
		return store(s);
	}
	return (struct smtp_out){ NULL, 0 };
}
