/* SPDX-License-Identifier: Apache-2.0 */
/* .meta files: text with a checksum. */
#include "common/spool/meta.h"

#include <arpa/inet.h>

#include "common/base/crc.h"
#include "common/base/num.h"
#include "common/mail/esc.h"

#define MAGIC_LINE "ecelerity-meta: 1\n"
#define CRC_LINE 14u	/* "crc: " + 8 + newline */

enum key {
	KEY_ID, KEY_BATCH, KEY_CONNECTION, KEY_RECEIVED, KEY_SIZE,
	KEY_PROTOCOL, KEY_CLASS, KEY_FLAGS, KEY_FROM, KEY_FROM_PORT, KEY_VIA,
	KEY_VIA_PORT, KEY_SENDER, KEY_RECIPIENT, KEY_NOTIFY, KEY_ORCPT,
	KEY_ENVID, KEY_GROUP, KEY_BINDING, KEY_CONTEXT, KEY_ATTEMPTS, KEY_NEXT,
	KEY_DOUBT, KEY_COUNT
};

static const char *const keys[KEY_COUNT] = {
	[KEY_ID] = "id", [KEY_BATCH] = "batch", [KEY_CONNECTION] = "connection",
	[KEY_RECEIVED] = "received", [KEY_SIZE] = "size",
	[KEY_PROTOCOL] = "protocol", [KEY_CLASS] = "class",
	[KEY_FLAGS] = "flags", [KEY_FROM] = "from-ip",
	[KEY_FROM_PORT] = "from-port", [KEY_VIA] = "via-ip",
	[KEY_VIA_PORT] = "via-port", [KEY_SENDER] = "sender",
	[KEY_RECIPIENT] = "recipient", [KEY_NOTIFY] = "notify",
	[KEY_ORCPT] = "orcpt", [KEY_ENVID] = "envid", [KEY_GROUP] = "group",
	[KEY_BINDING] = "binding", [KEY_CONTEXT] = "context",
	[KEY_ATTEMPTS] = "attempts", [KEY_NEXT] = "next",
	[KEY_DOUBT] = "doubt",
};

/* Without these a message cannot be delivered. */
static const enum key needed[] = { KEY_ID, KEY_BATCH, KEY_RECEIVED, KEY_SIZE,
	KEY_SENDER, KEY_RECIPIENT, KEY_ATTEMPTS, KEY_NEXT };

static void
put_key(struct buf *b, enum key k)
{
	buf_puts(b, keys[k]);
	buf_append(b, ": ", 2);
}

static void
put_text(struct buf *b, enum key k, struct slice v)
{
	put_key(b, k);
	esc_add(b, v, ESC_TEXT, ESC_NO_MAX);
	buf_putc(b, '\n');
}

static void
put_optional(struct buf *b, enum key k, struct slice v)
{
	if (v.len > 0) {
		put_text(b, k, v);
	}
}

static void
put_num(struct buf *b, enum key k, uint64_t v)
{
	char text[24], *p = text + sizeof text;

	/* Not by printf: a good part of settling was spent there. */
	*--p = '\n';
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	put_key(b, k);
	buf_append(b, p, (size_t)(text + sizeof text - p));
}

static void
put_id(struct buf *b, enum key k, msgid id)
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(id, text);
	put_key(b, k);
	text[MSGID_TEXT_LEN] = '\n';
	buf_append(b, text, sizeof text);
}

static void
put_ip(struct buf *b, enum key k, enum key port_key, const uint8_t ip[16],
    uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(AF_INET6, ip, text, sizeof text) != NULL) {
		put_key(b, k);
		buf_puts(b, text);
		buf_putc(b, '\n');
		put_num(b, port_key, port);
	}
}

bool
meta_write(const struct meta *m, struct buf *out)
{
	const struct envelope *e = &m->env;
	size_t start = out->len;

	buf_puts(out, MAGIC_LINE);
	put_id(out, KEY_ID, m->rcpt.id);
	put_id(out, KEY_BATCH, e->batch_id);
	put_id(out, KEY_CONNECTION, e->conn_id);
	put_num(out, KEY_RECEIVED, e->received_us);
	put_num(out, KEY_SIZE, m->size);
	put_num(out, KEY_PROTOCOL, e->protocol);
	put_num(out, KEY_CLASS, e->class);
	put_num(out, KEY_FLAGS, e->flags);
	put_ip(out, KEY_FROM, KEY_FROM_PORT, e->peer_ip, e->peer_port);
	put_ip(out, KEY_VIA, KEY_VIA_PORT, e->local_ip, e->local_port);
	put_text(out, KEY_SENDER, e->sender);
	put_text(out, KEY_RECIPIENT, m->rcpt.addr);
	if (m->rcpt.notify != 0) {
		put_num(out, KEY_NOTIFY, m->rcpt.notify);
	}
	put_optional(out, KEY_ORCPT, m->rcpt.orcpt);
	put_optional(out, KEY_ENVID, e->envid);
	put_optional(out, KEY_GROUP, e->group);
	put_optional(out, KEY_BINDING, e->binding);
	put_optional(out, KEY_CONTEXT, e->context);
	put_num(out, KEY_ATTEMPTS, m->attempts);
	put_num(out, KEY_NEXT, m->next_us);
	put_num(out, KEY_DOUBT, m->doubt);
	if (out->full) {
		return false;
	}
	return buf_printf(out, "crc: %08x\n",
	    crc32c(0, out->ptr + start, out->len - start));
}

static bool
check_crc(struct slice *text)
{
	char want[CRC_LINE + 1];
	size_t body;

	if (text->len < CRC_LINE) {
		return false;
	}
	body = text->len - CRC_LINE;
	snprintf(want, sizeof want, "crc: %08x\n", crc32c(0, text->ptr, body));
	if (memcmp(text->ptr + body, want, CRC_LINE) != 0) {
		return false;
	}
	text->len = body;
	return true;
}

/* The value unescaped into s. */
static bool
take_text(struct scratch *s, struct slice v, struct slice *out)
{
	struct buf b;
	bool ok;

	buf_init(&b, META_MAX_BYTES);
	ok = esc_undo(&b, v);
	if (ok) {
		*out = scratch_copy(s, buf_slice(&b));
		ok = out->ptr != NULL;
	}
	buf_fini(&b);
	return ok;
}

static bool
take_ip(struct slice v, uint8_t ip[16])
{
	char text[INET6_ADDRSTRLEN];

	return slice_copy(text, sizeof text, v) &&
	    inet_pton(AF_INET6, text, ip) == 1;
}

static bool
take_num(struct slice v, uint64_t max, uint64_t *out)
{
	return num_parse_max(v, max, out);
}

static bool
take_strings(struct scratch *s, enum key k, struct slice v, struct meta *m,
    bool *mine)
{
	struct slice *to = k == KEY_SENDER ? &m->env.sender :
	    k == KEY_RECIPIENT ? &m->rcpt.addr :
	    k == KEY_ORCPT ? &m->rcpt.orcpt :
	    k == KEY_ENVID ? &m->env.envid :
	    k == KEY_GROUP ? &m->env.group :
	    k == KEY_BINDING ? &m->env.binding :
	    k == KEY_CONTEXT ? &m->env.context : NULL;

	*mine = to != NULL;
	return to == NULL || take_text(s, v, to);
}

static bool
take_value(struct scratch *s, enum key k, struct slice v, struct meta *m)
{
	struct envelope *e = &m->env;
	bool mine;
	uint64_t n = 0;

	if (!take_strings(s, k, v, m, &mine)) {
		return false;
	}
	if (mine) {
		return k != KEY_RECIPIENT || m->rcpt.addr.len > 0;
	}
	if (k == KEY_ID) {
		return msgid_parse(v, &m->rcpt.id) && m->rcpt.id != MSGID_NONE;
	}
	if (k == KEY_BATCH) {
		return msgid_parse(v, &e->batch_id);
	}
	if (k == KEY_CONNECTION) {
		return msgid_parse(v, &e->conn_id);
	}
	if (k == KEY_FROM) {
		return take_ip(v, e->peer_ip);
	}
	if (k == KEY_VIA) {
		return take_ip(v, e->local_ip);
	}
	if (!take_num(v, k == KEY_PROTOCOL ? ENVELOPE_PROTOCOLS - 1 :
	    k == KEY_RECEIVED || k == KEY_SIZE || k == KEY_NEXT ? UINT64_MAX :
	    k == KEY_FLAGS ? UINT32_MAX : k == KEY_CLASS || k == KEY_NOTIFY ?
	    UINT8_MAX : UINT16_MAX, &n)) {
		return false;
	}
	m->env.protocol = k == KEY_PROTOCOL ? (uint8_t)n : e->protocol;
	e->class = k == KEY_CLASS ? (uint8_t)n : e->class;
	e->flags = k == KEY_FLAGS ? (uint32_t)n : e->flags;
	e->received_us = k == KEY_RECEIVED ? n : e->received_us;
	e->peer_port = k == KEY_FROM_PORT ? (uint16_t)n : e->peer_port;
	e->local_port = k == KEY_VIA_PORT ? (uint16_t)n : e->local_port;
	m->size = k == KEY_SIZE ? n : m->size;
	m->rcpt.notify = k == KEY_NOTIFY ? (uint8_t)n : m->rcpt.notify;
	m->attempts = k == KEY_ATTEMPTS ? (uint16_t)n : m->attempts;
	m->next_us = k == KEY_NEXT ? n : m->next_us;
	m->doubt = k == KEY_DOUBT ? n != 0 : m->doubt;
	return true;
}

enum meta_result
meta_read(struct slice text, struct scratch *s, struct meta *m)
{
	bool seen[KEY_COUNT] = { false };

	memset(m, 0, sizeof *m);
	if (text.len == 0) {
		return META_EMPTY;
	}
	if (!slice_starts(text, SLICE(MAGIC_LINE))) {
		return META_NO_MAGIC;
	}
	if (!check_crc(&text)) {
		return META_BAD_CRC;
	}
	text = slice_skip(text, sizeof MAGIC_LINE - 1);
	while (text.len > 0) {
		struct slice v = slice_cut(&text, '\n'), k = slice_cut(&v, ':');

		v = slice_skip(v, 1);	/* the blank */
		for (unsigned i = 0; i < KEY_COUNT; i++) {
			if (!slice_eq(k, slice_of(keys[i]))) {
				continue;
			}
			if (seen[i] || !take_value(s, (enum key)i, v, m)) {
				return META_BAD_FIELD;
			}
			seen[i] = true;
		}
	}
	for (unsigned i = 0; i < ARRAY_LEN(needed); i++) {
		if (!seen[needed[i]]) {
			return META_BAD_FIELD;
		}
	}
	m->env.n_rcpt = 1;
	m->env.rcpt = &m->rcpt;
	return META_OK;
}

const char *
meta_result_text(enum meta_result r)
{
	static const char *const texts[META_RESULTS] = {
		[META_OK] = "sound", [META_EMPTY] = "empty file",
		[META_NO_MAGIC] = "not a .meta file",
		[META_BAD_CRC] = "checksum does not match",
		[META_BAD_FIELD] = "a field is missing or malformed",
	};

	return r < META_RESULTS ? texts[r] : "unknown";
}
