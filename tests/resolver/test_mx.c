/* SPDX-License-Identifier: Apache-2.0 */
/* MX assembly, by tables of text. */
#include "resolver/mx.h"

#include <check.h>
#include <stdlib.h>

/* "10 a;20 b" as packed records. */
static unsigned
pack(const char *text, struct buf *out)
{
	struct slice left = slice_of(text);
	unsigned n = 0;

	while (left.len > 0) {
		struct slice name = slice_cut(&left, ';');
		struct slice pref = slice_cut(&name, ' ');
		char digits[8];

		slice_copy(digits, sizeof digits, pref);
		wire_put_u16(out, (uint16_t)strtoul(digits, NULL, 10));
		wire_put_u8(out, (uint8_t)name.len);
		buf_add(out, name);
		n++;
	}
	return n;
}

static void
print(const struct mx_host *hosts, size_t n, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		at += (size_t)snprintf(out + at, size - at, "%s%u %.*s",
		    i > 0 ? ";" : "", hosts[i].preference,
		    hosts[i].name_len, hosts[i].name);
	}
}

static size_t
pick(const char *mx, struct mx_host *hosts, size_t max, bool *null_mx)
{
	struct dns_answer a = { .status = DNS_ANSWER_DATA, .type = DNS_MSG_MX };
	struct buf b;
	size_t n;

	buf_init(&b, 65536);
	a.n = (uint16_t)pack(mx, &b);
	a.data = buf_slice(&b);
	n = mx_pick(&a, hosts, max, null_mx);
	buf_fini(&b);
	return n;
}

static const struct {
	const char *mx, *hosts;
	bool null_mx;
} picks[] = {
	{ "10 a.b", "10 a.b", false },
	{ "20 a.b;10 c.d", "10 c.d;20 a.b", false },
	{ "10 z.b;10 a.b;10 m.b", "10 z.b;10 a.b;10 m.b", false },
	{ "20 a.b;10 a.b", "10 a.b", false },
	{ "10 a.b;20 a.b;15 c.d", "10 a.b;15 c.d", false },
	{ "0 ", "", true },
	{ "10 ", "", true },
	{ "0 ;10 a.b", "10 a.b", false },
	{ "10 192.0.2.1;20 localhost;30 x.localhost;40 a?b;50 a.b", "50 a.b",
	    false },
	{ "1 a.a;2 b.b;3 c.c;4 d.d;5 e.e", "1 a.a;2 b.b;3 c.c;4 d.d", false },
	{ "5 e.e;4 d.d;3 c.c;2 b.b;1 a.a", "1 a.a;2 b.b;3 c.c;4 d.d", false },
	{ "9 a.a;9 b.b;9 c.c;9 d.d;9 e.e;1 a.a", "1 a.a;9 b.b;9 c.c;9 d.d",
	    false },
};

START_TEST(picking)
{
	struct mx_host hosts[4];
	char text[512];
	bool null_mx;
	size_t n = pick(picks[_i].mx, hosts, ARRAY_LEN(hosts), &null_mx);

	print(hosts, n, text, sizeof text);
	ck_assert_str_eq(text, picks[_i].hosts);
	ck_assert_int_eq(null_mx, picks[_i].null_mx);
}
END_TEST

/* Each host's first letter says what becomes of it: a has an address, n has
 * none, l is lost for now, s is ourselves. */
static const struct {
	const char *mx, *hosts;
	enum mx_verdict verdict;
} ends[] = {
	{ "10 a1.x;20 a2.x", "10 a1.x;20 a2.x", MX_USABLE },
	{ "10 n1.x;20 a2.x", "20 a2.x", MX_USABLE },
	{ "10 l1.x;20 a2.x", "20 a2.x", MX_USABLE },
	{ "10 n1.x;20 n2.x", "", MX_NONE },
	{ "10 n1.x;20 l2.x", "", MX_LOST },
	{ "10 s1.x;20 a2.x", "", MX_LOOP },
	{ "10 a1.x;10 s1.x;20 a2.x", "", MX_LOOP },
	{ "5 a0.x;10 a1.x;10 s1.x;20 a2.x", "5 a0.x", MX_USABLE },
	{ "5 l0.x;10 s1.x", "", MX_LOST },
	{ "5 n0.x;10 s1.x", "", MX_LOOP },
	{ "10 s1.x;20 l2.x", "", MX_LOOP },
};

static bool
is_self(void *arg, const struct mx_host *h)
{
	(void)arg;
	return h->name[0] == 's';
}

START_TEST(finishing)
{
	struct dns_answer yes = { .status = DNS_ANSWER_DATA,
		.type = DNS_MSG_A, .n = 1, .data = SLICE("0123456789abcdef") };
	struct dns_answer no = { .status = DNS_ANSWER_NO_DATA,
		.type = DNS_MSG_A };
	struct dns_answer lost = { .status = DNS_ANSWER_FAILED,
		.type = DNS_MSG_A };
	enum mx_verdict verdict;
	struct mx_host hosts[8];
	char text[512];
	bool null_mx;
	size_t n = pick(ends[_i].mx, hosts, ARRAY_LEN(hosts), &null_mx);

	for (size_t i = 0; i < n; i++) {
		char c = hosts[i].name[0];

		mx_add_addresses(&hosts[i], c == 'n' ? &no : c == 'l' ? &lost :
		    &yes);
	}
	n = mx_finish(hosts, n, is_self, NULL, &verdict);
	print(hosts, n, text, sizeof text);
	ck_assert_str_eq(text, ends[_i].hosts);
	ck_assert_int_eq(verdict, ends[_i].verdict);
}
END_TEST

START_TEST(addresses)
{
	struct dns_answer a = { .status = DNS_ANSWER_DATA };
	enum mx_verdict verdict;
	uint8_t v4[20][16] = { { 0 } }, v6[2][16] = { { 0x20 }, { 0x20 } };
	struct mx_host h;

	mx_implicit(&h, SLICE("Example.COM"));
	ck_assert_mem_eq(h.name, "example.com", 11);
	v6[1][15] = 1;
	a.type = DNS_MSG_AAAA;
	a.data = slice_make(v6, sizeof v6);
	mx_add_addresses(&h, &a);
	mx_add_addresses(&h, &a);	/* each once */
	ck_assert_uint_eq(h.n_addresses, 2);
	for (uint8_t i = 0; i < 20; i++) {
		memset(&v4[i][10], 0xff, 2);
		v4[i][15] = i;
	}
	a.type = DNS_MSG_A;
	a.data = slice_make(v4, sizeof v4);
	mx_add_addresses(&h, &a);
	ck_assert_uint_eq(h.n_addresses, MX_ADDRESSES_MAX);
	ck_assert_uint_eq(mx_finish(&h, 1, NULL, NULL, &verdict), 1);
	ck_assert_mem_eq(h.address[0], v4[0], 16);
	ck_assert_mem_eq(h.address[13], v4[13], 16);
	ck_assert_mem_eq(h.address[14], v6[0], 16);
	ck_assert_mem_eq(h.address[15], v6[1], 16);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mx");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, picking, 0, (int)ARRAY_LEN(picks));
	tcase_add_loop_test(t, finishing, 0, (int)ARRAY_LEN(ends));
	tcase_add_test(t, addresses);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
