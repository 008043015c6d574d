/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages: good ones, each kind of bad one, cut at every byte. */
#include "resolver/dns_msg.h"

#include <check.h>

#define B(lit) { (lit), sizeof(lit) - 1 }
/* id 0x1234, QR RD RA, one question */
#define HEAD(flags2, an, ns) "\x12\x34\x81" flags2 "\0\1\0" an "\0" ns "\0\0"
#define Q_A "\4name\7example\0\0\1\0\1"	/* name.example A, at 12 */
#define Q_MX "\4name\7example\0\0\x0f\0\1"
#define OWNER "\xc0\x0c"
#define A_RR(ttl) OWNER "\0\1\0\1\0\0\0" ttl "\0\4\xc0\0\2\1"
#define SOA_RR "\xc0\x11\0\6\0\1\0\0\1\0\0\x1a\2ns\xc0\x11\0" \
	"\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x3c"

static const struct {
	const char *what;
	struct slice packet;
	uint16_t type;
	enum dns_msg_result result;
	enum dns_answer_status status;
	unsigned n;
	uint32_t ttl;
} rows[] = {
	{ "one A", B(HEAD("\x80", "\1", "\0") Q_A A_RR("\x4d")), DNS_MSG_A,
	    DNS_MSG_OK, DNS_ANSWER_DATA, 1, 77 },
	{ "lesser TTL of two", B(HEAD("\x80", "\2", "\0") Q_A A_RR("\x4d")
	    A_RR("\x4c")), DNS_MSG_A, DNS_MSG_OK, DNS_ANSWER_DATA, 2, 76 },
	{ "name written otherwise", B(HEAD("\x80", "\1", "\0")
	    "\4NAME\7exAMple\0\0\1\0\1" A_RR("\1")), DNS_MSG_A, DNS_MSG_OK,
	    DNS_ANSWER_DATA, 1, 1 },
	{ "TTL beyond 31 bits is 0", B(HEAD("\x80", "\1", "\0") Q_A OWNER
	    "\0\1\0\1\x80\0\0\1\0\4\1\2\3\4"), DNS_MSG_A, DNS_MSG_OK,
	    DNS_ANSWER_DATA, 1, 0 },
	{ "MX", B(HEAD("\x80", "\1", "\0") Q_MX OWNER "\0\x0f\0\1\0\0\0\5"
	    "\0\7\0\x0a\2mx\xc0\x0c"), DNS_MSG_MX, DNS_MSG_OK,
	    DNS_ANSWER_DATA, 1, 5 },
	{ "null MX", B(HEAD("\x80", "\1", "\0") Q_MX OWNER "\0\x0f\0\1\0\0\0\5"
	    "\0\3\0\0\0"), DNS_MSG_MX, DNS_MSG_OK, DNS_ANSWER_DATA, 1, 5 },
	{ "CNAME after its target", B(HEAD("\x80", "\2", "\0") Q_A
	    "\1x\xc0\x11\0\1\0\1\0\0\0\x10\0\4\xc0\0\2\1"
	    OWNER "\0\5\0\1\0\0\0\2\0\4\1x\xc0\x11"), DNS_MSG_A, DNS_MSG_OK,
	    DNS_ANSWER_DATA, 1, 2 },
	{ "CNAME to nothing", B(HEAD("\x80", "\1", "\0") Q_A
	    OWNER "\0\5\0\1\0\0\0\2\0\4\1x\xc0\x11"), DNS_MSG_A, DNS_MSG_OK,
	    DNS_ANSWER_NO_DATA, 0, 0 },
	{ "no data with SOA", B(HEAD("\x80", "\0", "\1") Q_A SOA_RR),
	    DNS_MSG_A, DNS_MSG_OK, DNS_ANSWER_NO_DATA, 0, 60 },
	{ "NXDOMAIN with SOA", B(HEAD("\x83", "\0", "\1") Q_A SOA_RR),
	    DNS_MSG_A, DNS_MSG_OK, DNS_ANSWER_NO_NAME, 0, 60 },
	{ "NXDOMAIN without", B(HEAD("\x83", "\0", "\0") Q_A), DNS_MSG_A,
	    DNS_MSG_OK, DNS_ANSWER_NO_NAME, 0, 0 },
	{ "SERVFAIL", B(HEAD("\x82", "\0", "\0") Q_A), DNS_MSG_A, DNS_MSG_OK,
	    DNS_ANSWER_FAILED, 0, 0 },
	{ "truncated", B("\x12\x34\x83\x80\0\1\0\1\0\0\0\0" Q_A), DNS_MSG_A,
	    DNS_MSG_OK, DNS_ANSWER_FAILED, 0, 0 },
	{ "other owners and types are passed over", B(HEAD("\x80", "\3", "\0")
	    Q_A "\0\0\1\0\1\0\0\0\1\0\4\1\1\1\1"
	    OWNER "\0\x10\0\1\0\0\0\1\0\1\0" A_RR("\x09")), DNS_MSG_A,
	    DNS_MSG_OK, DNS_ANSWER_DATA, 1, 9 },

	{ "header alone", B("\x12\x34\x81\x80\0\1\0\1\0\0\0"), DNS_MSG_A,
	    DNS_MSG_BAD_SHORT, DNS_ANSWER_FAILED, 0, 0 },
	{ "a question, not a reply", B("\x12\x34\1\0\0\1\0\0\0\0\0\0" Q_A),
	    DNS_MSG_A, DNS_MSG_BAD_HEADER, DNS_ANSWER_FAILED, 0, 0 },
	{ "another opcode", B("\x12\x34\xa9\x80\0\1\0\0\0\0\0\0" Q_A),
	    DNS_MSG_A, DNS_MSG_BAD_HEADER, DNS_ANSWER_FAILED, 0, 0 },
	{ "two questions", B("\x12\x34\x81\x80\0\2\0\0\0\0\0\0" Q_A),
	    DNS_MSG_A, DNS_MSG_BAD_HEADER, DNS_ANSWER_FAILED, 0, 0 },
	{ "another question", B(HEAD("\x80", "\0", "\0")
	    "\4nome\7example\0\0\1\0\1"), DNS_MSG_A, DNS_MSG_BAD_QUESTION,
	    DNS_ANSWER_FAILED, 0, 0 },
	{ "another type", B(HEAD("\x80", "\0", "\0") Q_MX), DNS_MSG_A,
	    DNS_MSG_BAD_QUESTION, DNS_ANSWER_FAILED, 0, 0 },
	{ "compressed question", B(HEAD("\x80", "\1", "\0")
	    "\xc0\x12\0\1\0\1" "\4name\7example\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4"),
	    DNS_MSG_A, DNS_MSG_BAD_QUESTION, DNS_ANSWER_FAILED, 0, 0 },
	{ "pointer to itself", B(HEAD("\x80", "\1", "\0") Q_A
	    "\xc0\x1e\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_MSG_A,
	    DNS_MSG_BAD_NAME, DNS_ANSWER_FAILED, 0, 0 },
	{ "pointer forwards", B(HEAD("\x80", "\1", "\0") Q_A
	    "\xc0\x20\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_MSG_A,
	    DNS_MSG_BAD_NAME, DNS_ANSWER_FAILED, 0, 0 },
	{ "pointer into the header", B(HEAD("\x80", "\1", "\0") Q_A
	    "\xc0\x02\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_MSG_A,
	    DNS_MSG_BAD_NAME, DNS_ANSWER_FAILED, 0, 0 },
	{ "reserved label type", B(HEAD("\x80", "\1", "\0") Q_A
	    "\x80\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_MSG_A,
	    DNS_MSG_BAD_NAME, DNS_ANSWER_FAILED, 0, 0 },
	{ "A of 3 bytes", B(HEAD("\x80", "\1", "\0") Q_A OWNER
	    "\0\1\0\1\0\0\0\1\0\3\1\2\3"), DNS_MSG_A, DNS_MSG_BAD_RECORD,
	    DNS_ANSWER_FAILED, 0, 0 },
	{ "MX with bytes behind its name", B(HEAD("\x80", "\1", "\0") Q_MX
	    OWNER "\0\x0f\0\1\0\0\0\5\0\4\0\0\0x"), DNS_MSG_MX,
	    DNS_MSG_BAD_RECORD, DNS_ANSWER_FAILED, 0, 0 },
	{ "SOA of another length", B(HEAD("\x80", "\0", "\1") Q_A
	    "\xc0\x11\0\6\0\1\0\0\1\0\0\4\0\0\0\0"), DNS_MSG_A,
	    DNS_MSG_BAD_RECORD, DNS_ANSWER_FAILED, 0, 0 },
	{ "CNAME to itself", B(HEAD("\x80", "\1", "\0") Q_A
	    OWNER "\0\5\0\1\0\0\0\2\0\2\xc0\x0c"), DNS_MSG_A,
	    DNS_MSG_BAD_CHAIN, DNS_ANSWER_FAILED, 0, 0 },
};

static char room[DNS_ANSWER_MAX];

static enum dns_msg_result
parse(struct slice packet, uint16_t type, struct dns_answer *out)
{
	/* On the heap, exact, so that a checker sees every byte too far. */
	char *copy = malloc(packet.len + (packet.len == 0));
	enum dns_msg_result r;

	memcpy(copy, packet.ptr, packet.len);
	r = dns_msg_parse(slice_make(copy, packet.len),
	    SLICE("name.example"), type, room, out);
	free(copy);
	return r;
}

START_TEST(whole)
{
	struct dns_answer a;

	ck_assert_msg(parse(rows[_i].packet, rows[_i].type, &a) ==
	    rows[_i].result, "%s", rows[_i].what);
	ck_assert_msg(a.status == rows[_i].status, "%s: status %d",
	    rows[_i].what, a.status);
	ck_assert_msg(a.n == rows[_i].n && a.ttl == rows[_i].ttl,
	    "%s: %u records, ttl %u", rows[_i].what, a.n, a.ttl);
	ck_assert_str_ne(dns_msg_result_text(rows[_i].result), "unknown");
}
END_TEST

START_TEST(cut_anywhere)
{
	struct dns_answer a;

	for (size_t n = 0; n < rows[_i].packet.len; n++) {
		enum dns_msg_result r = parse(slice_make(rows[_i].packet.ptr,
		    n), rows[_i].type, &a);

		/* A denial may lose what it need not have. */
		ck_assert_msg(r != DNS_MSG_OK || rows[_i].result != DNS_MSG_OK
		    || a.n == 0, "%s at %zu", rows[_i].what, n);
	}
}
END_TEST

/* A chain of n CNAMEs, last hop first, then the address. */
static enum dns_msg_result
chain(unsigned n, struct dns_answer *a)
{
	char p[2048];
	size_t len = sizeof(HEAD("\x80", "\0", "\0") Q_A) - 1;

	memcpy(p, HEAD("\x80", "\0", "\0") Q_A, len);
	p[7] = (char)(n + 1);
	for (unsigned i = n + 1; i-- > 0; ) {
		/* owner: the name itself, or one letter */
		char rr[] = { 1, (char)('a' + i), 0, 0, 5, 0, 1, 0, 0, 0, 9,
			0, 3, 1, (char)('a' + i + 1), 0 };

		if (i == 0) {
			memcpy(p + len, OWNER, 2);
			len += 2;
		} else {
			memcpy(p + len, rr, 3);
			len += 3;
		}
		if (i == n) {
			memcpy(p + len, "\0\1\0\1\0\0\0\x63\0\4\1\2\3\4", 14);
			len += 14;
		} else {
			memcpy(p + len, rr + 3, sizeof rr - 3);
			len += sizeof rr - 3;
		}
	}
	return parse(slice_make(p, len), DNS_MSG_A, a);
}

START_TEST(chains)
{
	struct dns_answer a;

	for (unsigned n = 0; n <= DNS_CNAME_MAX; n++) {
		ck_assert_int_eq(chain(n, &a), DNS_MSG_OK);
		ck_assert_uint_eq(a.n, 1);
		ck_assert_uint_eq(a.ttl, n == 0 ? 99 : 9);
	}
	ck_assert_int_eq(chain(DNS_CNAME_MAX + 1, &a), DNS_MSG_BAD_CHAIN);
}
END_TEST

START_TEST(names)
{
	static const struct {
		const char *text;
		bool name, host;
	} n[] = {
		{ "example.com", true, true }, { "example.com.", true, true },
		{ "A-1._x.b", true, true }, { "", false, false },
		{ ".", false, false }, { "a..b", false, false },
		{ ".a", false, false }, { "a..", false, false },
		{ "a b", true, false }, { "192.0.2.1", true, false },
		{ "b\xc3\xbc", true, false }, { "*.a", true, false },
		{ "a.1b", true, true },
	};
	uint8_t out[DNS_WIRE_NAME_MAX];
	char text[300];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		ck_assert_msg(dns_msg_name(slice_of(n[i].text), out, &len) ==
		    n[i].name, "%s", n[i].text);
		ck_assert_msg(dns_msg_is_host(slice_of(n[i].text)) ==
		    n[i].host, "%s", n[i].text);
	}
	memset(text, 'a', sizeof text);
	ck_assert(dns_msg_name(slice_make(text, 63), out, &len));
	ck_assert(!dns_msg_name(slice_make(text, 64), out, &len));
	for (size_t i = 1; i < sizeof text; i += 2) {
		text[i] = '.';
	}
	ck_assert(dns_msg_name(slice_make(text, 253), out, &len));
	ck_assert_uint_eq(len, 255);
	ck_assert(!dns_msg_name(slice_make(text, 255), out, &len));
}
END_TEST

START_TEST(strange_labels_are_no_hosts)
{
	struct dns_answer a;
	struct dns_record r;
	struct wire_r w;

	ck_assert_int_eq(parse((struct slice)B(HEAD("\x80", "\1", "\0") Q_MX
	    OWNER "\0\x0f\0\1\0\0\0\5\0\x0b\0\1\4a.\"b\2cd\0"), DNS_MSG_MX,
	    &a), DNS_MSG_OK);
	w = wire_reader(a.data);
	ck_assert(dns_record_next(DNS_MSG_MX, &w, &r));
	ck_assert(slice_eq(r.name, SLICE("a??b.cd")));
	ck_assert(!dns_msg_is_host(r.name));
	ck_assert(!dns_record_next(DNS_MSG_MX, &w, &r));
}
END_TEST

START_TEST(questions)
{
	uint8_t out[DNS_MSG_QUERY_MAX];
	static const char plain[] =
	    "\x12\x34\1\x20\0\1\0\0\0\0\0\0" "\1a\1b\0\0\x0f\0\1";
	size_t n = dns_msg_query(out, 0x1234, SLICE("A.b."), DNS_MSG_MX, 0);

	ck_assert_uint_eq(n, sizeof plain - 1);
	ck_assert_mem_eq(out, plain, n);
	n = dns_msg_query(out, 0x1234, SLICE("a.b"), DNS_MSG_MX, 1232);
	ck_assert_uint_eq(n, sizeof plain - 1 + 11);
	ck_assert_mem_eq(out + sizeof plain - 1,
	    "\0\0\x29\4\xd0\0\0\0\0\0\0", 11);
	ck_assert_uint_eq(dns_msg_query(out, 1, SLICE("a..b"), 1, 0), 0);
}
END_TEST

START_TEST(words)
{
	ck_assert_str_eq(dns_msg_rcode_text(2), "SERVFAIL");
	ck_assert_str_eq(dns_msg_rcode_text(15), "rcode 15");
	ck_assert_str_eq(dns_msg_type_text(DNS_MSG_AAAA), "AAAA");
	ck_assert_str_eq(dns_msg_result_text(DNS_MSG_RESULTS), "unknown");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dns_msg");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, whole, 0, (int)ARRAY_LEN(rows));
	tcase_add_loop_test(t, cut_anywhere, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, chains);
	tcase_add_test(t, names);
	tcase_add_test(t, strange_labels_are_no_hosts);
	tcase_add_test(t, questions);
	tcase_add_test(t, words);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
