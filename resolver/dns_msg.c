/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages.  Inside, names are kept as lower-case labels (wire form), for
 * a label may hold a dot; text is made only for what leaves this file.
 */
#include "resolver/dns_msg.h"

#define HEADER 12u
#define FLAG_QR 0x8000u
#define FLAG_OPCODE 0x7800u
#define FLAG_TC 0x0200u
#define FLAG_RD 0x0100u
#define FLAG_AD 0x0020u
#define RCODE 0x000fu
#define CLASS_IN 1u
#define TYPE_OPT 41u
#define POINTERS_MAX 32u	/* in one name: compressors make one or two */

struct name {
	uint8_t b[DNS_WIRE_NAME_MAX];
	size_t len;	/* with the root's zero byte */
};

struct reader {
	const uint8_t *p;	/* the whole message */
	size_t len, at;
	enum dns_msg_result bad;
};

struct rr {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t data, data_len;	/* position in the message */
};

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool
fail(struct reader *r, enum dns_msg_result why)
{
	if (r->bad == DNS_MSG_OK) {
		r->bad = why;
	}
	return false;
}

static unsigned
get16_at(const struct reader *r, size_t at)
{
	return (unsigned)r->p[at] << 8 | r->p[at + 1];
}

static uint32_t
get32_at(const struct reader *r, size_t at)
{
	return (uint32_t)get16_at(r, at) << 16 | get16_at(r, at + 2);
}

/* One label at *at onto out. */
static bool
label_read(struct reader *r, size_t *at, struct name *out)
{
	size_t n = r->p[*at];

	if (*at + 1 + n > r->len) {
		return fail(r, DNS_MSG_BAD_SHORT);
	}
	if (out->len + 1 + n > DNS_WIRE_NAME_MAX) {
		return fail(r, DNS_MSG_BAD_NAME);
	}
	out->b[out->len++] = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		out->b[out->len++] = lower(r->p[*at + 1 + i]);
	}
	*at += 1 + n;
	return true;
}

/* Reads the name at r->at and stands behind it.  A pointer must go to before
 * the start of the piece it ends, so that reading always comes to an end. */
static bool
name_read(struct reader *r, struct name *out, bool may_point)
{
	size_t at = r->at, start = r->at, hops = 0;

	out->len = 0;
	for (;;) {
		if (at >= r->len) {
			return fail(r, DNS_MSG_BAD_SHORT);
		}
		if ((r->p[at] & 0xc0) == 0xc0) {
			size_t to;

			if (at + 2 > r->len) {
				return fail(r, DNS_MSG_BAD_SHORT);
			}
			to = get16_at(r, at) & 0x3fff;
			if (!may_point || to >= start || to < HEADER ||
			    ++hops > POINTERS_MAX) {
				return fail(r, DNS_MSG_BAD_NAME);
			}
			r->at = hops == 1 ? at + 2 : r->at;
			at = start = to;
			continue;
		}
		if ((r->p[at] & 0xc0) != 0) {
			return fail(r, DNS_MSG_BAD_NAME);
		}
		if (r->p[at] != 0) {
			if (!label_read(r, &at, out)) {
				return false;
			}
			continue;
		}
		if (!label_read(r, &at, out)) {
			return false;
		}
		r->at = hops == 0 ? at : r->at;
		return true;
	}
}

static bool
name_eq(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static bool
is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '_' || c == '*';
}

/* Without the last dot; strange bytes become '?'.  Gives the length. */
static size_t
name_text(const struct name *n, char out[DNS_NAME_TEXT_MAX])
{
	size_t at = 0, len = 0;

	while (n->b[at] != 0) {
		size_t k = n->b[at++];

		if (len > 0) {
			out[len++] = '.';
		}
		for (; k > 0; k--, at++) {
			out[len++] = is_name_byte(n->b[at]) ?
			    (char)n->b[at] : '?';
		}
	}
	return len;
}

static bool
name_from_text(struct slice text, struct name *out)
{
	struct slice left = text;

	out->len = 0;
	if (left.len > 0 && left.ptr[left.len - 1] == '.') {
		left.len--;
	}
	while (left.len > 0) {
		ssize_t dot = slice_find(left, '.');
		size_t n = dot < 0 ? left.len : (size_t)dot;

		/* 2: its own length byte and the root's at the end */
		if (n == 0 || n > 63 || (dot >= 0 && left.len == n + 1) ||
		    out->len + n + 2 > DNS_WIRE_NAME_MAX) {
			return false;
		}
		out->b[out->len++] = (uint8_t)n;
		for (size_t i = 0; i < n; i++) {
			out->b[out->len++] = lower((uint8_t)left.ptr[i]);
		}
		left = slice_skip(left, n + 1);
	}
	if (out->len == 0) {
		return false;
	}
	out->b[out->len++] = 0;
	return true;
}

bool
dns_msg_name(struct slice text, uint8_t out[DNS_WIRE_NAME_MAX], size_t *len_out)
{
	struct name n;

	if (!name_from_text(text, &n)) {
		return false;
	}
	memcpy(out, n.b, n.len);
	*len_out = n.len;
	return true;
}

bool
dns_msg_is_host(struct slice text)
{
	struct name n;
	struct slice last;
	bool number = true;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = lower((uint8_t)text.ptr[i]);

		if (c != '.' && (c == '*' || !is_name_byte(c))) {
			return false;
		}
	}
	if (!name_from_text(text, &n)) {
		return false;
	}
	if (text.ptr[text.len - 1] == '.') {
		text.len--;
	}
	last = slice_skip(text, (size_t)(slice_rfind(text, '.') + 1));
	for (size_t i = 0; i < last.len; i++) {
		number = number && last.ptr[i] >= '0' && last.ptr[i] <= '9';
	}
	return !number;
}

static uint8_t *
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

size_t
dns_msg_query(uint8_t out[DNS_MSG_QUERY_MAX], uint16_t id, struct slice name,
    uint16_t type, uint16_t edns_size)
{
	struct name n;
	uint8_t *p = out;

	if (!name_from_text(name, &n)) {
		return 0;
	}
	p = put16(p, id);
	p = put16(p, FLAG_RD | FLAG_AD);
	p = put16(p, 1);
	p = put16(p, 0);
	p = put16(p, 0);
	p = put16(p, edns_size != 0);
	memcpy(p, n.b, n.len);
	p += n.len;
	p = put16(p, type);
	p = put16(p, CLASS_IN);
	if (edns_size != 0) {
		*p++ = 0;	/* the root */
		p = put16(p, TYPE_OPT);
		p = put16(p, edns_size);
		memset(p, 0, 6);	/* rcode, version, flags, no options */
		p += 6;
	}
	return (size_t)(p - out);
}

/* The head and data bounds of the record at r->at; stands behind it. */
static bool
rr_read(struct reader *r, struct rr *out)
{
	if (!name_read(r, &out->owner, true)) {
		return false;
	}
	if (r->at + 10 > r->len) {
		return fail(r, DNS_MSG_BAD_SHORT);
	}
	out->type = (uint16_t)get16_at(r, r->at);
	out->class = (uint16_t)get16_at(r, r->at + 2);
	out->ttl = get32_at(r, r->at + 4);
	if (out->ttl > INT32_MAX) {
		out->ttl = 0;	/* RFC 2181 8 */
	}
	out->data_len = get16_at(r, r->at + 8);
	out->data = r->at + 10;
	if (out->data + out->data_len > r->len) {
		return fail(r, DNS_MSG_BAD_SHORT);
	}
	r->at = out->data + out->data_len;
	return true;
}

/* The name that stands skip bytes into the record's data and ends with it, or
 * with tail bytes behind it. */
static bool
rr_name(struct reader *r, const struct rr *rr, size_t skip, size_t tail,
    struct name *out)
{
	struct reader in = *r;

	in.at = rr->data + skip;
	if (rr->data_len < skip || !name_read(&in, out, true)) {
		return fail(r, in.bad == DNS_MSG_OK ? DNS_MSG_BAD_RECORD :
		    in.bad);
	}
	if (in.at + tail != rr->data + rr->data_len) {
		return fail(r, DNS_MSG_BAD_RECORD);
	}
	return true;
}

static bool
header_read(struct reader *r, const struct name *want, uint16_t type,
    struct dns_answer *out)
{
	struct name asked;
	unsigned flags;

	if (r->len < HEADER) {
		return fail(r, DNS_MSG_BAD_SHORT);
	}
	out->id = (uint16_t)get16_at(r, 0);
	flags = get16_at(r, 2);
	out->rcode = flags & RCODE;
	out->truncated = (flags & FLAG_TC) != 0;
	out->authentic = (flags & FLAG_AD) != 0;
	if ((flags & FLAG_QR) == 0 || (flags & FLAG_OPCODE) != 0 ||
	    get16_at(r, 4) != 1) {
		return fail(r, DNS_MSG_BAD_HEADER);
	}
	r->at = HEADER;
	if (!name_read(r, &asked, false)) {
		return r->bad == DNS_MSG_BAD_NAME ?
		    (r->bad = DNS_MSG_BAD_QUESTION, false) : false;
	}
	if (r->at + 4 > r->len) {
		return fail(r, DNS_MSG_BAD_SHORT);
	}
	if (!name_eq(&asked, want) || get16_at(r, r->at) != type ||
	    get16_at(r, r->at + 2) != CLASS_IN) {
		return fail(r, DNS_MSG_BAD_QUESTION);
	}
	r->at += 4;
	return true;
}

/* Follows CNAMEs from *target to the end of the chain, whatever their order.
 * Each hop reads the section again: it is at most 64 KiB, 13 times. */
static bool
chain_follow(struct reader *r, size_t start, unsigned count,
    struct name *target, uint32_t *ttl)
{
	struct rr rr;
	struct name next;

	for (unsigned hop = 0; ; hop++) {
		bool found = false;

		r->at = start;
		for (unsigned i = 0; i < count; i++) {
			if (!rr_read(r, &rr)) {
				return false;
			}
			if (found || rr.type != DNS_MSG_CNAME ||
			    rr.class != CLASS_IN ||
			    !name_eq(&rr.owner, target)) {
				continue;
			}
			if (!rr_name(r, &rr, 0, 0, &next)) {
				return false;
			}
			found = true;
			*ttl = EC_MIN(*ttl, rr.ttl);
		}
		if (!found) {
			return true;
		}
		if (hop == DNS_CNAME_MAX) {
			return fail(r, DNS_MSG_BAD_CHAIN);
		}
		*target = next;
	}
}

/* Packs one record.  What finds no room is left out. */
static bool
record_pack(struct reader *r, const struct rr *rr, char *room,
    struct dns_answer *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *d = r->p + rr->data;
	char text[DNS_NAME_TEXT_MAX];
	struct name mx;
	size_t len = 0, need = 16;
	char *p = room + out->data.len;

	if ((rr->type == DNS_MSG_A && rr->data_len != 4) ||
	    (rr->type == DNS_MSG_AAAA && rr->data_len != 16)) {
		return fail(r, DNS_MSG_BAD_RECORD);
	}
	if (rr->type == DNS_MSG_MX) {
		if (!rr_name(r, rr, 2, 0, &mx)) {
			return false;
		}
		len = name_text(&mx, text);
		need = 3 + len;
	}
	if (out->n == DNS_RECORDS_MAX ||
	    out->data.len + need > DNS_ANSWER_MAX) {
		return true;
	}
	if (rr->type == DNS_MSG_MX) {
		uint16_t preference = (uint16_t)get16_at(r, rr->data);

		memcpy(p, &preference, 2);
		p[2] = (char)len;
		memcpy(p + 3, text, len);
	} else if (rr->type == DNS_MSG_A) {
		memcpy(p, mapped, 12);
		memcpy(p + 12, d, 4);
	} else {
		memcpy(p, d, 16);
	}
	out->data.len += need;
	out->n++;
	return true;
}

static bool
records_read(struct reader *r, size_t start, unsigned count,
    const struct name *owner, char *room, struct dns_answer *out)
{
	struct rr rr;

	r->at = start;
	for (unsigned i = 0; i < count; i++) {
		if (!rr_read(r, &rr)) {
			return false;
		}
		if (rr.type != out->type || rr.class != CLASS_IN ||
		    !name_eq(&rr.owner, owner)) {
			continue;
		}
		if (!record_pack(r, &rr, room, out)) {
			return false;
		}
		out->ttl = EC_MIN(out->ttl, rr.ttl);
	}
	return true;
}

/* RFC 2308 5: a denial holds for the lesser of the SOA's TTL and MINIMUM. */
static bool
soa_read(struct reader *r, unsigned count, struct dns_answer *out)
{
	struct rr rr;
	struct name mname, rname;

	for (unsigned i = 0; i < count; i++) {
		struct reader in;

		if (!rr_read(r, &rr)) {
			return false;
		}
		if (rr.type != DNS_MSG_SOA || rr.class != CLASS_IN) {
			continue;
		}
		in = *r;
		in.at = rr.data;
		if (!name_read(&in, &mname, true) ||
		    !name_read(&in, &rname, true)) {
			return fail(r, in.bad);
		}
		if (in.at + 20 != rr.data + rr.data_len) {
			return fail(r, DNS_MSG_BAD_RECORD);
		}
		out->ttl = EC_MIN(out->ttl, EC_MIN(rr.ttl,
		    get32_at(r, in.at + 16)));
		out->has_ttl = true;
		return true;
	}
	return true;
}

static bool
body_read(struct reader *r, struct name *target, char *room,
    struct dns_answer *out)
{
	unsigned answers = get16_at(r, 6), authority = get16_at(r, 8);
	size_t start = r->at;

	out->ttl = UINT32_MAX;
	if (!chain_follow(r, start, answers, target, &out->ttl) ||
	    !records_read(r, start, answers, target, room, out)) {
		return false;
	}
	if (out->n > 0 && out->rcode == DNS_MSG_NOERROR) {
		out->status = DNS_ANSWER_DATA;
		out->has_ttl = true;
		return true;
	}
	out->n = 0;
	out->data.len = 0;
	out->status = out->rcode == DNS_MSG_NXDOMAIN ? DNS_ANSWER_NO_NAME :
	    DNS_ANSWER_NO_DATA;
	return soa_read(r, authority, out);
}

enum dns_msg_result
dns_msg_parse(struct slice packet, struct slice name, uint16_t type,
    char room[DNS_ANSWER_MAX], struct dns_answer *out)
{
	struct reader r = { (const uint8_t *)packet.ptr, packet.len, 0,
		DNS_MSG_OK };
	struct name want;

	*out = (struct dns_answer){ .status = DNS_ANSWER_FAILED, .type = type };
	out->data = slice_make(room, 0);
	if (!name_from_text(name, &want)) {
		return DNS_MSG_BAD_QUESTION;
	}
	if (header_read(&r, &want, type, out) && !out->truncated &&
	    (out->rcode == DNS_MSG_NOERROR || out->rcode == DNS_MSG_NXDOMAIN)) {
		body_read(&r, &want, room, out);
	}
	if (r.bad != DNS_MSG_OK) {
		out->status = DNS_ANSWER_FAILED;
		out->n = 0;
		out->data.len = 0;
	}
	if (out->status == DNS_ANSWER_FAILED || !out->has_ttl) {
		out->ttl = 0;
		out->has_ttl = false;
	}
	return r.bad;
}

bool
dns_record_next(uint16_t type, struct wire_r *r, struct dns_record *out)
{
	*out = (struct dns_record){ 0 };
	if (wire_left(r) == 0) {
		return false;
	}
	if (type == DNS_MSG_MX) {
		out->preference = wire_u16(r);
		out->name = wire_bytes(r, wire_u8(r));
	} else {
		wire_get(r, out->addr, sizeof out->addr);
	}
	return !r->bad;
}

const char *
dns_msg_result_text(enum dns_msg_result r)
{
	static const char *const text[DNS_MSG_RESULTS] = {
		[DNS_MSG_OK] = "well formed",
		[DNS_MSG_BAD_SHORT] = "cut off in the middle",
		[DNS_MSG_BAD_HEADER] = "not a reply to one question",
		[DNS_MSG_BAD_QUESTION] = "another or a compressed question",
		[DNS_MSG_BAD_NAME] = "malformed name",
		[DNS_MSG_BAD_RECORD] = "malformed record",
		[DNS_MSG_BAD_CHAIN] = "endless or too long chain of CNAMEs",
	};

	return (unsigned)r < DNS_MSG_RESULTS ? text[r] : "unknown";
}

const char *
dns_msg_rcode_text(unsigned rcode)
{
	static const char *const text[16] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
		"NOTZONE", "rcode 11", "rcode 12", "rcode 13", "rcode 14",
		"rcode 15",
	};

	return text[rcode & RCODE];
}

const char *
dns_msg_type_text(unsigned type)
{
	return type == DNS_MSG_A ? "A" : type == DNS_MSG_AAAA ? "AAAA" :
	    type == DNS_MSG_MX ? "MX" : type == DNS_MSG_CNAME ? "CNAME" :
	    type == DNS_MSG_SOA ? "SOA" : "record";
}
