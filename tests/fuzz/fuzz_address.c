/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Envelope addresses: what is taken, written in the strict form, is taken again
 * and gives the same parts; and it holds nothing that could break a line.
 */
#include "common/mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct slice in, unsigned rules)
{
	struct address a, again;
	struct slice parts[2];
	char text[600];
	size_t used;
	int n;

	if (address_parse_path(in, rules, &a, &used) != ADDRESS_OK) {
		return;
	}
	ec_assert(used <= in.len);
	parts[0] = a.local;
	parts[1] = a.domain;
	for (int p = 0; p < 2; p++) {
		for (size_t i = 0; i < parts[p].len; i++) {
			unsigned char c = (unsigned char)parts[p].ptr[i];

			ec_assert(c >= 0x20 && c != 0x7f);
			ec_assert(c < 0x80 || (rules & ADDRESS_UTF8));
		}
	}
	n = snprintf(text, sizeof(text), "<%.*s%s%.*s>", SLICE_ARG(a.local),
	    a.domain.len > 0 ? "@" : "", SLICE_ARG(a.domain));
	ec_assert(address_parse_path(slice_make(text, (size_t)n),
	    rules & ~(unsigned)ADDRESS_BLANKS, &again, &used) == ADDRESS_OK);
	ec_assert(used == (size_t)n);
	ec_assert(slice_eq(a.local, again.local));
	ec_assert(slice_eq(a.domain, again.domain));
	ec_assert(a.quoted == again.quoted && a.literal == again.literal);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct address a;

	for (unsigned rules = 0; rules < 64; rules++) {
		check(in, rules);
		if (address_parse(in, rules, &a) == ADDRESS_OK) {
			ec_assert(a.local.len > 0);
		}
		address_check_domain(in, rules);
	}
	return 0;
}
