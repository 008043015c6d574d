/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and blocks of them as text. */
#include "common/base/addr.h"
#include "common/base/cidr.h"

#include <check.h>
#include <netinet/in.h>

START_TEST(parse)
{
	static const struct { const char *text, *want; } t[] = {
		{ "1.2.3.4", "1.2.3.4:25" }, { "1.2.3.4:26", "1.2.3.4:26" },
		{ "1.2.3.4:0", "1.2.3.4:0" }, { "::1", "[::1]:25" },
		{ "[::1]", "[::1]:25" }, { "[::1]:65535", "[::1]:65535" },
		{ ":2525", "0.0.0.0:2525" }, { "*:2525", "0.0.0.0:2525" },
		{ "*", "0.0.0.0:25" }, { "::ffff:1.2.3.4", "1.2.3.4:25" },
		{ "", NULL }, { ":", NULL }, { "1.2.3.4:", NULL },
		{ "1.2.3.4:65536", NULL }, { "1.2.3.4:-1", NULL },
		{ "1.2.3.4:025x", NULL }, { "1.2.3", NULL },
		{ "[1.2.3.4]:25", NULL }, { "[::1", NULL },
		{ "[::1]25", NULL }, { "[]:25", NULL }, { "[[::1]]", NULL },
		{ "host:25", NULL }, { "1.2.3.4 :25", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL }, { "*:", NULL },
	};
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sockaddr_storage ss;
		bool ok = addr_parse(slice_of(t[i].text), 25, &ss);

		ck_assert_msg(ok == (t[i].want != NULL), "%s", t[i].text);
		if (ok) {
			ck_assert_str_eq(addr_format((struct sockaddr *)&ss,
			    text, sizeof text), t[i].want);
		}
	}
}
END_TEST

START_TEST(parts)
{
	struct sockaddr_storage a, b;
	char text[ADDR_TEXT_MAX];
	struct slice host;
	uint16_t port;

	ck_assert(addr_parse_ip(SLICE("::1"), &a));
	ck_assert_uint_eq(addr_len(&a), sizeof(struct sockaddr_in6));
	addr_set_port(&a, 7);
	ck_assert_uint_eq(addr_port(&a), 7);
	ck_assert(!addr_eq(&a, &(struct sockaddr_storage){ 0 }));
	ck_assert(addr_parse(SLICE("[::1]:7"), 0, &b));
	ck_assert(addr_eq(&a, &b));
	addr_set_port(&b, 8);
	ck_assert(!addr_eq(&a, &b));
	ck_assert(addr_parse(SLICE("10.0.0.1:9"), 0, &b));
	ck_assert_uint_eq(addr_len(&b), sizeof(struct sockaddr_in));
	ck_assert_str_eq(addr_format_ip((struct sockaddr *)&b, text,
	    sizeof text), "10.0.0.1");
	ck_assert(addr_eq(&b, &b));
	ck_assert(!addr_parse_ip(slice_make("::1\0x", 5), &a));
	ck_assert(!addr_parse_ip(SLICE(""), &a));
	ck_assert(addr_split(SLICE("mx.example.com:99"), 25, &host, &port));
	ck_assert(slice_eq(host, SLICE("mx.example.com")) && port == 99);
	ck_assert(addr_split(SLICE("[2001:db8::1]"), 25, &host, &port));
	ck_assert(slice_eq(host, SLICE("2001:db8::1")) && port == 25);
	ck_assert(addr_split(SLICE("2001:db8::1"), 25, &host, &port));
	ck_assert(slice_eq(host, SLICE("2001:db8::1")) && port == 25);
	ck_assert(!addr_split(SLICE(":25"), 25, &host, &port));
	ck_assert(!addr_split(SLICE("a\tb"), 25, &host, &port));
	a.ss_family = AF_UNIX;
	ck_assert_str_eq(addr_format_ip((struct sockaddr *)&a, text,
	    sizeof text), "unknown");
}
END_TEST

START_TEST(blocks)
{
	static const struct { const char *block, *ip; bool want; } t[] = {
		{ "10.0.0.0/8", "10.255.1.2", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.1.2.3/8", "10.9.9.9", true },
		{ "10.0.0.0/8", "::ffff:10.1.1.1", true },
		{ "192.168.1.128/25", "192.168.1.127", false },
		{ "192.168.1.128/25", "192.168.1.129", true },
		{ "192.168.1.4/31", "192.168.1.5", true },
		{ "192.168.1.4/31", "192.168.1.6", false },
		{ "192.168.1.4", "192.168.1.4", true },
		{ "192.168.1.4", "192.168.1.5", false },
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "::/0", "1.2.3.4", false },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
	};
	static const char *const bad[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0/8", "::/129", "::ffff:1.2.3.4/95",
		"a/8", "10.0.0.0/8/8", "10.0.0.0 /8" };
	struct cidr two[2], c;
	struct sockaddr_storage ss;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ck_assert(cidr_parse(slice_of(t[i].block), &c));
		ck_assert(addr_parse_ip(slice_of(t[i].ip), &ss));
		ck_assert_msg(cidr_has(&c, (struct sockaddr *)&ss) ==
		    t[i].want, "%s %s", t[i].block, t[i].ip);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(!cidr_parse(slice_of(bad[i]), &c), "%s", bad[i]);
	}
	ck_assert(cidr_parse(SLICE("10.0.0.0/8"), &two[0]));
	ck_assert(cidr_parse(SLICE("::1"), &two[1]));
	ck_assert(addr_parse_ip(SLICE("::1"), &ss));
	ck_assert(cidr_list_has((struct cidr_list){ two, 2 },
	    (struct sockaddr *)&ss));
	ck_assert(!cidr_list_has((struct cidr_list){ two, 1 },
	    (struct sockaddr *)&ss));
	ss.ss_family = AF_UNIX;
	ck_assert(!cidr_has(&two[0], (struct sockaddr *)&ss));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("addr");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, parse);
	tcase_add_test(tc, parts);
	tcase_add_test(tc, blocks);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
