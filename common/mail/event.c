/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout (little-endian): u8 version, kind, flags, stage, protocol, 0;
 * u16 attempts, code, remote_port; u64 id, batch, conn, time, received, next,
 * size, sent; 16 bytes remote ip; then sender, rcpt, domain, group, binding,
 * reply as u16+bytes.  Later versions append; readers ignore what follows.
 */
#include "common/mail/event.h"

#include "common/base/wire.h"
#include "common/mail/esc.h"

#define EVENT_VERSION 1u

void
event_encode(const struct event *e, struct buf *b)
{
	/* Never inside an escape, which readers could not undo. */
	struct slice reply = esc_cut(e->reply, EVENT_REPLY_MAX);

	wire_put_u8(b, EVENT_VERSION);
	wire_put_u8(b, e->kind);
	wire_put_u8(b, e->flags);
	wire_put_u8(b, e->stage);
	wire_put_u8(b, e->protocol);
	wire_put_u8(b, 0);
	wire_put_u16(b, e->attempts);
	wire_put_u16(b, e->code);
	wire_put_u16(b, e->remote_port);
	wire_put_u64(b, e->id);
	wire_put_u64(b, e->batch_id);
	wire_put_u64(b, e->conn_id);
	wire_put_u64(b, e->time_us);
	wire_put_u64(b, e->received_us);
	wire_put_u64(b, e->next_us);
	wire_put_u64(b, e->size);
	wire_put_u64(b, e->sent);
	buf_append(b, e->remote_ip, sizeof e->remote_ip);
	wire_put_slice(b, e->sender);
	wire_put_slice(b, e->rcpt);
	wire_put_slice(b, e->domain);
	wire_put_slice(b, e->group);
	wire_put_slice(b, e->binding);
	wire_put_slice(b, reply);
}

bool
event_decode(struct slice bytes, struct event *e)
{
	struct wire_r r = wire_reader(bytes);

	memset(e, 0, sizeof *e);
	if (wire_u8(&r) != EVENT_VERSION) {
		return false;
	}
	e->kind = wire_u8(&r);
	e->flags = wire_u8(&r);
	e->stage = wire_u8(&r);
	e->protocol = wire_u8(&r);
	wire_u8(&r);
	e->attempts = wire_u16(&r);
	e->code = wire_u16(&r);
	e->remote_port = wire_u16(&r);
	e->id = wire_u64(&r);
	e->batch_id = wire_u64(&r);
	e->conn_id = wire_u64(&r);
	e->time_us = wire_u64(&r);
	e->received_us = wire_u64(&r);
	e->next_us = wire_u64(&r);
	e->size = wire_u64(&r);
	e->sent = wire_u64(&r);
	wire_get(&r, e->remote_ip, sizeof e->remote_ip);
	e->sender = wire_slice(&r);
	e->rcpt = wire_slice(&r);
	e->domain = wire_slice(&r);
	e->group = wire_slice(&r);
	e->binding = wire_slice(&r);
	e->reply = wire_slice(&r);
	return !r.bad && (e->kind == EVENT_RECEPTION ||
	    e->kind == EVENT_DELIVERY || e->kind == EVENT_TRANSIENT ||
	    e->kind == EVENT_PERMANENT);
}

const char *
event_stage_name(unsigned stage)
{
	static const char *const names[EVENT_STAGE_COUNT] = {
#define X(n, id, text) [n] = (text),
		EVENT_STAGES(X)
#undef X
	};

	return stage < EVENT_STAGE_COUNT ? names[stage] : "in unknown state";
}
