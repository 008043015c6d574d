/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout (little-endian):
 *	u8 version, u8 protocol, u8 class, u8 0, u32 flags,
 *	u64 batch_id, conn_id, received_us, 16 bytes peer ip, 16 local ip,
 *	u16 peer port, local port, u32 recipients,
 *	u16+bytes sender,
 *	per recipient: u64 id, u8 notify, u16+bytes addr, u16+bytes orcpt,
 *	then tagged fields: u8 tag, u16+bytes, until the end.
 */
#include "common/mail/envelope.h"

#include "common/base/wire.h"

#define ENVELOPE_VERSION 1u
#define FIXED_BYTES 72u		/* all before the sender */
#define RECIPIENT_FIXED 13u	/* id, notify, two lengths */

enum tag { TAG_ENVID = 1, TAG_GROUP, TAG_BINDING, TAG_CONTEXT };

static void
put_tagged(struct buf *b, enum tag tag, struct slice s)
{
	if (s.len > 0) {
		wire_put_u8(b, (uint8_t)tag);
		wire_put_slice(b, s);
	}
}

void
envelope_encode(const struct envelope *e, struct buf *b)
{
	wire_put_u8(b, ENVELOPE_VERSION);
	wire_put_u8(b, e->protocol);
	wire_put_u8(b, e->class);
	wire_put_u8(b, 0);
	wire_put_u32(b, e->flags);
	wire_put_u64(b, e->batch_id);
	wire_put_u64(b, e->conn_id);
	wire_put_u64(b, e->received_us);
	buf_append(b, e->peer_ip, sizeof e->peer_ip);
	buf_append(b, e->local_ip, sizeof e->local_ip);
	wire_put_u16(b, e->peer_port);
	wire_put_u16(b, e->local_port);
	wire_put_u32(b, e->n_rcpt);
	wire_put_slice(b, e->sender);
	for (uint32_t i = 0; i < e->n_rcpt; i++) {
		wire_put_u64(b, e->rcpt[i].id);
		wire_put_u8(b, e->rcpt[i].notify);
		wire_put_slice(b, e->rcpt[i].addr);
		wire_put_slice(b, e->rcpt[i].orcpt);
	}
	put_tagged(b, TAG_ENVID, e->envid);
	put_tagged(b, TAG_GROUP, e->group);
	put_tagged(b, TAG_BINDING, e->binding);
	put_tagged(b, TAG_CONTEXT, e->context);
}

static bool
decode_recipients(struct wire_r *r, struct scratch *s, struct envelope *e)
{
	/* A count that cannot fit what is left is a lie; do not allocate it. */
	if (r->bad || e->n_rcpt == 0 ||
	    e->n_rcpt > wire_left(r) / RECIPIENT_FIXED) {
		return false;
	}
	e->rcpt = scratch_alloc(s, e->n_rcpt * sizeof *e->rcpt);
	if (e->rcpt == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < e->n_rcpt; i++) {
		struct recipient *t = &e->rcpt[i];

		t->id = wire_u64(r);
		t->notify = wire_u8(r);
		t->addr = wire_slice(r);
		t->orcpt = wire_slice(r);
		if (t->id == MSGID_NONE || t->addr.len == 0) {
			return false;
		}
	}
	return !r->bad;
}

static bool
decode_tagged(struct wire_r *r, struct envelope *e)
{
	while (!r->bad && wire_left(r) > 0) {
		unsigned tag = wire_u8(r);
		struct slice v = wire_slice(r);

		if (tag == TAG_ENVID) {
			e->envid = v;
		} else if (tag == TAG_GROUP) {
			e->group = v;
		} else if (tag == TAG_BINDING) {
			e->binding = v;
		} else if (tag == TAG_CONTEXT) {
			e->context = v;
		}
	}
	return !r->bad;
}

bool
envelope_decode(struct slice bytes, struct scratch *s, struct envelope *e)
{
	struct wire_r r = wire_reader(bytes);

	memset(e, 0, sizeof *e);
	if (wire_u8(&r) != ENVELOPE_VERSION) {
		return false;
	}
	e->protocol = wire_u8(&r);
	e->class = wire_u8(&r);
	wire_u8(&r);
	e->flags = wire_u32(&r);
	e->batch_id = wire_u64(&r);
	e->conn_id = wire_u64(&r);
	e->received_us = wire_u64(&r);
	wire_get(&r, e->peer_ip, sizeof e->peer_ip);
	wire_get(&r, e->local_ip, sizeof e->local_ip);
	e->peer_port = wire_u16(&r);
	e->local_port = wire_u16(&r);
	e->n_rcpt = wire_u32(&r);
	e->sender = wire_slice(&r);
	return e->protocol < ENVELOPE_PROTOCOLS &&
	    decode_recipients(&r, s, e) && decode_tagged(&r, e);
}

size_t
envelope_first_recipient(struct slice encoded)
{
	uint16_t sender;

	ec_assert(encoded.len >= FIXED_BYTES + sizeof sender);
	memcpy(&sender, encoded.ptr + FIXED_BYTES, sizeof sender);
	return FIXED_BYTES + sizeof sender + sender;
}

size_t
envelope_recipient_bytes(const struct recipient *t)
{
	return RECIPIENT_FIXED + t->addr.len + t->orcpt.len;
}

const char *
envelope_protocol_name(unsigned protocol)
{
	static const char *const names[ENVELOPE_PROTOCOLS] = {
		[ENVELOPE_SMTP] = "smtp", [ENVELOPE_ESMTP] = "esmtp",
		[ENVELOPE_INTERNAL] = "internal",
	};

	return protocol < ENVELOPE_PROTOCOLS ? names[protocol] : "unknown";
}
