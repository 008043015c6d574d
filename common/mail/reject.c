/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout (little-endian): u8 version, 0; u16 code, remote port, local port;
 * u64 time, connection id; 16 bytes remote ip, 16 local ip; pathway, group,
 * phase, module, text as u16+bytes; then per context u8 count and as many
 * keys and values.  Later versions append; readers ignore what follows.
 */
#include "common/mail/reject.h"

#include "common/base/wire.h"

#define REJECT_VERSION 1u
#define REJECT_FIXED (2u + 6u + 16u + 32u)

_Static_assert(REJECT_FIXED + 4 * (2 + REJECT_NAME_MAX) + 2 + REJECT_TEXT_MAX +
    2 * (1 + REJECT_PAIRS_MAX * (4 + REJECT_KEY_MAX + REJECT_VALUE_MAX)) <=
    REJECT_MAX_BYTES, "a reject fits one message");

bool
reject_pair_add(struct reject_pairs *p, struct slice key, struct slice value)
{
	if (p->n >= REJECT_PAIRS_MAX) {
		return false;
	}
	p->pair[p->n++] = (struct reject_pair){ key, value };
	return true;
}

static void
put_cut(struct buf *b, struct slice s, size_t max)
{
	s.len = EC_MIN(s.len, max);
	wire_put_slice(b, s);
}

static void
put_pairs(struct buf *b, const struct reject_pairs *p)
{
	unsigned n = EC_MIN(p->n, REJECT_PAIRS_MAX);

	wire_put_u8(b, (uint8_t)n);
	for (unsigned i = 0; i < n; i++) {
		put_cut(b, p->pair[i].key, REJECT_KEY_MAX);
		put_cut(b, p->pair[i].value, REJECT_VALUE_MAX);
	}
}

void
reject_encode(const struct reject *r, struct buf *b)
{
	wire_put_u8(b, REJECT_VERSION);
	wire_put_u8(b, 0);
	wire_put_u16(b, r->code);
	wire_put_u16(b, r->remote_port);
	wire_put_u16(b, r->local_port);
	wire_put_u64(b, r->time_us);
	wire_put_u64(b, r->conn_id);
	buf_append(b, r->remote_ip, sizeof r->remote_ip);
	buf_append(b, r->local_ip, sizeof r->local_ip);
	put_cut(b, r->pathway, REJECT_NAME_MAX);
	put_cut(b, r->pathway_group, REJECT_NAME_MAX);
	put_cut(b, r->phase, REJECT_NAME_MAX);
	put_cut(b, r->module, REJECT_NAME_MAX);
	put_cut(b, r->text, REJECT_TEXT_MAX);
	put_pairs(b, &r->conn);
	put_pairs(b, &r->mess);
}

static bool
get_pairs(struct wire_r *r, struct reject_pairs *out)
{
	unsigned n = wire_u8(r);

	if (n > REJECT_PAIRS_MAX) {
		return false;
	}
	out->n = n;
	for (unsigned i = 0; i < n; i++) {
		out->pair[i].key = wire_slice(r);
		out->pair[i].value = wire_slice(r);
	}
	return true;
}

bool
reject_decode(struct slice bytes, struct reject *out)
{
	struct wire_r r = wire_reader(bytes);

	memset(out, 0, sizeof *out);
	if (wire_u8(&r) != REJECT_VERSION) {
		return false;
	}
	wire_u8(&r);
	out->code = wire_u16(&r);
	out->remote_port = wire_u16(&r);
	out->local_port = wire_u16(&r);
	out->time_us = wire_u64(&r);
	out->conn_id = wire_u64(&r);
	wire_get(&r, out->remote_ip, sizeof out->remote_ip);
	wire_get(&r, out->local_ip, sizeof out->local_ip);
	out->pathway = wire_slice(&r);
	out->pathway_group = wire_slice(&r);
	out->phase = wire_slice(&r);
	out->module = wire_slice(&r);
	out->text = wire_slice(&r);
	return get_pairs(&r, &out->conn) && get_pairs(&r, &out->mess) &&
	    !r.bad;
}
