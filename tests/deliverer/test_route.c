/* SPDX-License-Identifier: Apache-2.0 */
/* Every way to write the next hop. */
#include <check.h>

#include "deliverer/route.h"

static const struct {
	const char *domain, *gateway, *routes[3];
	const char *want;	/* kind name port preference, one by one */
} routes_of[] = {
	{ "example.com", "", { NULL }, "mx example.com 25 0;" },
	{ "[192.0.2.1]", "", { NULL }, "ip 192.0.2.1 25 0;" },
	{ "[IPv6:2001:db8::1]", "", { NULL }, "ip 2001:db8::1 25 0;" },
	{ "[not an address]", "", { NULL }, "" },
	{ "", "", { NULL }, "" },
	{ "example.com", "127.0.0.1:2600", { NULL }, "ip 127.0.0.1 2600 0;" },
	{ "example.com", "hub.example", { NULL }, "mx hub.example 25 0;" },
	{ "example.com", "hub.example:26", { NULL }, "mx hub.example 26 0;" },
	{ "example.com", "[::1]:2600", { NULL }, "ip ::1 2600 0;" },
	{ "example.com", "hub:x", { NULL }, "" },
	{ "example.com", "hub", { "other" }, "mx hub 25 0;" },
	{ "example.com", "", { "smtp://192.0.2.7?pref=5&ttl=60&port=2525",
	  "hub.example", "__mx__" }, "ip 192.0.2.7 2525 5;"
	  "mx hub.example 25 1;mx example.com 25 2;" },
	{ "example.com", "", { "smtp://hub.example?type=mx",
	  "smtp://hub2.example/?type=a", "smtp://hub3.example:27" },
	  "mx hub.example 25 0;host hub2.example 25 1;"
	  "host hub3.example 27 2;" },
	{ "example.com", "", { "smtp://hub?pref=x", "smtp://hub?what=1",
	  "smtp://?port=1" }, "" },
	{ "example.com", "", { "smtp://hub?port=0", "smtp://a?port=99999",
	  "smtp://a?type=txt" }, "" },
};

START_TEST(hops)
{
	static const char *const kinds[] = { "ip", "mx", "host" };

	for (size_t i = 0; i < ARRAY_LEN(routes_of); i++) {
		struct slice routes[3];
		struct route_in in = { .domain = slice_of(routes_of[i].domain),
			.gateway = slice_of(routes_of[i].gateway), .routes = routes,
			.port = 25 };
		struct hop hop[ROUTE_HOPS_MAX];
		char got[512] = "";
		size_t n, at = 0;

		while (in.n_routes < 3 && routes_of[i].routes[in.n_routes] != NULL) {
			routes[in.n_routes] =
			    slice_of(routes_of[i].routes[in.n_routes]);
			in.n_routes++;
		}
		n = route_hops(&in, hop, ROUTE_HOPS_MAX);
		for (size_t j = 0; j < n; j++) {
			at += (size_t)snprintf(got + at, sizeof got - at,
			    "%s %.*s %u %u;", kinds[hop[j].kind],
			    SLICE_ARG(hop[j].name), hop[j].port,
			    hop[j].preference);
		}
		ck_assert_str_eq(got, routes_of[i].want);
	}
}
END_TEST

START_TEST(addresses)
{
	static const char *const texts[] = { "192.0.2.1:25", "[2001:db8::1]:26" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sockaddr_storage a, b;
		uint8_t ip[16];

		ck_assert(addr_parse(slice_of(texts[i]), 1, &a));
		route_ip_of(&a, ip);
		ck_assert(route_ip_is_v4(ip) == (i == 0));
		route_sockaddr(ip, addr_port(&a), &b);
		ck_assert(addr_eq(&a, &b));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");
	SRunner *r;
	int failed;

	tcase_add_test(t, hops);
	tcase_add_test(t, addresses);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
