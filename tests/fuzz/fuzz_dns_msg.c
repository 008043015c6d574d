/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS replies.  The first byte chooses the type asked for.  Whatever the
 * bytes: an accepted reply gives records that read back in full, in bounds;
 * the same bytes give the same answer; a refused one gives nothing.
 */
#include "resolver/dns_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_records(const struct dns_answer *a)
{
	struct wire_r r = wire_reader(a->data);
	struct dns_record rec;
	unsigned n = 0;

	while (dns_record_next(a->type, &r, &rec)) {
		n++;
		for (size_t i = 0; i < rec.name.len; i++) {
			unsigned char c = (unsigned char)rec.name.ptr[i];

			ec_assert(c > 0x20 && c < 0x7f && c != '"' &&
			    c != '\\');
		}
	}
	ec_assert(!r.bad && wire_left(&r) == 0 && n == a->n);
	ec_assert(n <= DNS_RECORDS_MAX && a->data.len <= DNS_ANSWER_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_MSG_A, DNS_MSG_MX,
		DNS_MSG_AAAA };
	static char room[DNS_ANSWER_MAX], room2[DNS_ANSWER_MAX];
	struct slice name = SLICE("name.example");
	struct dns_answer a, b;
	enum dns_msg_result r;
	uint16_t type;

	if (size == 0) {
		return 0;
	}
	type = types[data[0] % ARRAY_LEN(types)];
	r = dns_msg_parse(slice_make(data + 1, size - 1), name, type, room, &a);
	ec_assert(r < DNS_MSG_RESULTS);
	ec_assert(r == DNS_MSG_OK || (a.n == 0 &&
	    a.status == DNS_ANSWER_FAILED));
	ec_assert((a.status == DNS_ANSWER_DATA) == (a.n > 0));
	check_records(&a);
	ec_assert(dns_msg_parse(slice_make(data + 1, size - 1), name, type,
	    room2, &b) == r);
	ec_assert(a.n == b.n && a.ttl == b.ttl && slice_eq(a.data, b.data));
	return 0;
}
