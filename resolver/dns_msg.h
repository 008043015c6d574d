/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_msg: reads DNS replies and writes DNS questions (RFC 1035, 2308, 3596).
 * Pure: no I/O, no memory of its own, no clock.  It judges bytes of strangers:
 * every length is bounded, pointers only go backwards, and the reason of a
 * refusal is an enum.
 *
 *	char room[DNS_ANSWER_MAX];
 *	struct dns_answer a;
 *	if (dns_msg_parse(packet, SLICE("example.com"), DNS_MSG_MX, room,
 *	    &a) == DNS_MSG_OK) {
 *		struct dns_record r;
 *		for (struct wire_r w = wire_reader(a.data);
 *		    dns_record_next(a.type, &w, &r);) { ... }
 *	}
 *
 * Names are text without the last dot, lower case; the root is the empty
 * name.  Bytes that no host name has are shown as '?', so that a name is safe
 * in logs and JSON and never passes for a host name.
 *
 * The question in the reply must stand uncompressed and be the one asked.
 * CNAMEs may stand in any order.
 */
#ifndef EC_RESOLVER_DNS_MSG_H
#define EC_RESOLVER_DNS_MSG_H

#include "common/base/base.h"
#include "common/base/slice.h"
#include "common/base/wire.h"

#define DNS_NAME_TEXT_MAX 254u	/* 253 characters and a NUL */
#define DNS_WIRE_NAME_MAX 255u
#define DNS_MSG_QUERY_MAX 288u	/* header, name, type, class, OPT */
#define DNS_CNAME_MAX 12u	/* hops followed */
#define DNS_ANSWER_MAX 16384u	/* bytes of packed records kept */
#define DNS_RECORDS_MAX 256u	/* records kept; more are left out */

enum dns_msg_type {
	DNS_MSG_A = 1, DNS_MSG_CNAME = 5, DNS_MSG_SOA = 6, DNS_MSG_MX = 15,
	DNS_MSG_AAAA = 28,
};

enum dns_msg_rcode {
	DNS_MSG_NOERROR, DNS_MSG_FORMERR, DNS_MSG_SERVFAIL, DNS_MSG_NXDOMAIN,
	DNS_MSG_NOTIMP, DNS_MSG_REFUSED,
};

enum dns_msg_result {
	DNS_MSG_OK,
	DNS_MSG_BAD_SHORT,	/* ends in the middle of something */
	DNS_MSG_BAD_HEADER,	/* not a reply to one plain question */
	DNS_MSG_BAD_QUESTION,	/* compressed, or not what was asked */
	DNS_MSG_BAD_NAME,	/* unknown label, pointer forwards, too long */
	DNS_MSG_BAD_RECORD,	/* the data does not fit the type */
	DNS_MSG_BAD_CHAIN,	/* CNAMEs in a circle or too many */
	DNS_MSG_RESULTS
};

enum dns_answer_status {
	DNS_ANSWER_DATA,	/* records */
	DNS_ANSWER_NO_NAME,	/* NXDOMAIN */
	DNS_ANSWER_NO_DATA,	/* the name is there, such records are not */
	DNS_ANSWER_FAILED,	/* no usable answer; see rcode, truncated, why */
	DNS_ANSWER_STATUSES
};

/* What is known about (name, type).  Borrows data and why. */
struct dns_answer {
	enum dns_answer_status status;
	uint16_t id, type;
	uint8_t rcode;
	bool truncated;		/* TC: ask again over TCP */
	bool authentic;		/* AD */
	bool has_ttl;		/* false: negative without SOA, or failed */
	uint32_t ttl;		/* seconds */
	uint16_t n;		/* records in data */
	struct slice data;	/* packed: see dns_record_next() */
	struct slice why;	/* failures: a sentence for people */
};

struct dns_record {
	uint16_t preference;	/* MX */
	struct slice name;	/* MX; borrowed */
	uint8_t addr[16];	/* A (IPv4-mapped), AAAA */
};

/* A text name as labels, lower case.  False if it breaks the lengths of RFC
 * 1035 (one dot at the end is allowed). */
bool dns_msg_name(struct slice text, uint8_t out[DNS_WIRE_NAME_MAX],
	size_t *len_out);
/* Is it a name that a host may have: letters, digits, '-', '_', dots, lengths
 * of RFC 1035, not a number in the last label. */
bool dns_msg_is_host(struct slice text);
/* Writes a question with RD and AD set (RFC 6840 5.7); edns_size 0: no OPT.
 * Its length, 0 if name is none. */
size_t dns_msg_query(uint8_t out[DNS_MSG_QUERY_MAX], uint16_t id,
	struct slice name, uint16_t type, uint16_t edns_size);
/* Reads a reply to (name, type).  Packed records go to room.  With TC set, or
 * an rcode beyond NXDOMAIN, the status is DNS_ANSWER_FAILED and no record is
 * read. */
enum dns_msg_result dns_msg_parse(struct slice packet, struct slice name,
	uint16_t type, char room[DNS_ANSWER_MAX], struct dns_answer *out);
/* The next record of packed data of this type; false at the end. */
bool dns_record_next(uint16_t type, struct wire_r *r, struct dns_record *out);

const char *dns_msg_result_text(enum dns_msg_result r);
/* "SERVFAIL", "rcode 11" */
const char *dns_msg_rcode_text(unsigned rcode);
const char *dns_msg_type_text(unsigned type);

#endif
