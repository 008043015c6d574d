/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of mainlog, rejectlog and paniclog. */
#include "logger/mainlog_format.h"

#include "common/mail/envelope.h"

void
mainlog_head(struct logline *l, const struct event *e, char letter)
{
	logline_epoch(l, e->time_us);
	logline_char(l, '@');
	logline_msgid(l, e->id);
	logline_char(l, '@');
	logline_msgid(l, e->batch_id);
	logline_char(l, '@');
	logline_msgid(l, e->conn_id);
	logline_char(l, '@');
	logline_char(l, letter);
}

static void
put_name(struct logline *l, struct slice name)
{
	if (name.len == 0) {
		logline_raw(l, SLICE("default"));
	} else {
		logline_text(l, name, LOGLINE_LOCAL);
	}
}

void
mainlog_group_binding(struct logline *l, const struct event *e)
{
	logline_char(l, '@');
	put_name(l, e->group);
	logline_char(l, '@');
	put_name(l, e->binding);
}

static void
put_number(struct logline *l, uint64_t n)
{
	logline_char(l, '@');
	logline_u64(l, n);
}

static void
put_reception(struct logline *l, const struct event *e)
{
	mainlog_head(l, e, 'R');
	logline_char(l, '@');
	logline_address(l, e->rcpt);
	logline_char(l, '@');
	logline_address(l, e->sender);
	logline_char(l, '@');
	if (logline_ip_is_zero(e->remote_ip)) {
		logline_raw(l, SLICE("unknown"));
	} else {
		logline_ip(l, e->remote_ip);
	}
	put_number(l, e->size);
	logline_char(l, '@');
	logline_raw(l, slice_of(envelope_protocol_name(e->protocol)));
	mainlog_group_binding(l, e);
}

/* What D, T and P begin with. */
static void
put_attempt(struct logline *l, const struct event *e)
{
	mainlog_head(l, e, (char)e->kind);
	logline_char(l, '@');
	logline_text(l, e->domain, LOGLINE_LOCAL);
	put_number(l, e->sent);
	mainlog_group_binding(l, e);
}

static void
put_delivery(struct logline *l, const struct event *e)
{
	put_attempt(l, e);
	put_number(l, e->attempts);
	logline_char(l, '@');
	logline_span(l, e->received_us, e->time_us, 3);
	logline_char(l, '@');
	logline_ip(l, e->remote_ip);
}

static void
put_failure(struct logline *l, const struct event *e)
{
	put_attempt(l, e);
	put_number(l, e->stage);
	put_number(l, e->attempts);
	logline_char(l, '@');
	logline_span(l, e->received_us, e->time_us, 2);
	logline_char(l, '@');
	logline_ip(l, e->remote_ip);
	logline_char(l, '@');
	/* The last field: '@' may stand in it. */
	logline_text(l, e->reply, LOGLINE_KEPT);
}

struct slice
mainlog_event(char *bytes, size_t size, const struct event *e)
{
	struct logline l = logline_make(bytes, size);

	if (e->kind == EVENT_RECEPTION) {
		put_reception(&l, e);
	} else if (e->kind == EVENT_DELIVERY) {
		put_delivery(&l, e);
	} else {
		put_failure(&l, e);
	}
	return logline_end(&l);
}

struct slice
mainlog_heartbeat(char *bytes, size_t size, uint64_t wall_us)
{
	struct logline l = logline_make(bytes, size);

	logline_epoch(&l, wall_us);
	logline_raw(&l, SLICE("@@@@M1"));
	return logline_end(&l);
}

static void
put_quoted(struct logline *l, struct slice s)
{
	logline_char(l, '"');
	logline_text(l, s, LOGLINE_QUOTED);
	logline_char(l, '"');
}

static void
put_endpoint(struct logline *l, const uint8_t ip[16], uint16_t port)
{
	char bytes[48];
	struct logline a = logline_make(bytes, sizeof bytes);
	struct slice text;

	logline_ip(&a, ip);
	text = slice_make(a.start, (size_t)(a.p - a.start));
	logline_char(l, '"');
	if (slice_find(text, ':') >= 0) {
		logline_char(l, '[');
		logline_raw(l, text);
		logline_char(l, ']');
	} else {
		logline_raw(l, text);
	}
	logline_char(l, ':');
	logline_u64(l, port);
	logline_char(l, '"');
}

/* Bare where that can be read back: no blank, and nothing that ends a value
 * or a list. */
static void
put_value(struct logline *l, struct slice v)
{
	bool bare = true;

	for (size_t i = 0; i < v.len && bare; i++) {
		bare = memchr(" \",=[]", v.ptr[i], 6) == NULL;
	}
	if (bare) {
		logline_text(l, v, LOGLINE_TEXT);
	} else {
		put_quoted(l, v);
	}
}

static void
put_context(struct logline *l, struct slice name, const struct reject_pairs *p)
{
	logline_char(l, ' ');
	logline_raw(l, name);
	logline_raw(l, SLICE("=["));
	for (unsigned i = 0; i < p->n; i++) {
		if (i > 0) {
			logline_char(l, ',');
		}
		put_value(l, p->pair[i].key);
		logline_char(l, '=');
		put_value(l, p->pair[i].value);
	}
	logline_char(l, ']');
}

static struct slice
or_default(struct slice s)
{
	return s.len == 0 ? SLICE("default") : s;
}

struct slice
rejectlog_line(char *bytes, size_t size, const struct reject *r)
{
	struct logline l = logline_make(bytes, size);

	logline_epoch(&l, r->time_us);
	logline_raw(&l, SLICE(": R="));
	put_endpoint(&l, r->remote_ip, r->remote_port);
	logline_raw(&l, SLICE(" L="));
	put_endpoint(&l, r->local_ip, r->local_port);
	logline_raw(&l, SLICE(" C=\""));
	logline_msgid(&l, r->conn_id);
	logline_raw(&l, SLICE("\" PATH="));
	put_quoted(&l, or_default(r->pathway));
	logline_raw(&l, SLICE(" PATH_GRP="));
	put_quoted(&l, or_default(r->pathway_group));
	logline_raw(&l, SLICE(" P="));
	put_quoted(&l, r->phase);
	logline_raw(&l, SLICE(" E="));
	logline_u64(&l, r->code);
	logline_raw(&l, SLICE(" M="));
	put_value(&l, r->module);
	put_context(&l, SLICE("CTXCONN"), &r->conn);
	put_context(&l, SLICE("CTXMESS"), &r->mess);
	logline_char(&l, ' ');
	logline_text(&l, r->text, LOGLINE_TEXT);
	return logline_end(&l);
}

struct slice
rejectlog_heartbeat(char *bytes, size_t size, uint64_t wall_us)
{
	struct logline l = logline_make(bytes, size);

	logline_epoch(&l, wall_us);
	logline_raw(&l, SLICE(": Marker 1"));
	return logline_end(&l);
}

struct slice
paniclog_line(char *bytes, size_t size, uint64_t wall_us, struct slice text)
{
	struct logline l = logline_make(bytes, size);

	logline_epoch(&l, wall_us);
	logline_char(&l, ':');
	logline_text(&l, text, LOGLINE_KEPT);
	return logline_end(&l);
}
