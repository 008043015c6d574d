/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups against a scripted server: retries, health, TCP, hostile replies. */
#include "resolver/lookup.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>

#include "common/base/clock.h"
#include "tests/support/fake_dns.h"

#define MS 1000u

struct got {
	enum dns_answer_status status;
	unsigned n;
	uint32_t ttl;
	bool has_ttl;
	char why[512];
	struct dns_record first;
};

struct bed {
	struct loop *loop;
	struct fake_dns *dns[2];
	struct lookup *lookup;
	struct got got[4096];
	unsigned n_got, ask_again;
	uint64_t deadline_us;
};

static struct bed bed;

static void
on_answer(void *arg, struct slice name, uint16_t type,
    const struct dns_answer *a)
{
	struct bed *b = arg;
	struct got *g = &b->got[b->n_got++];
	struct wire_r r = wire_reader(a->data);

	ck_assert_uint_le(b->n_got, ARRAY_LEN(b->got));
	g->status = a->status;
	g->n = a->n;
	g->ttl = a->ttl;
	g->has_ttl = a->has_ttl;
	slice_copy(g->why, sizeof g->why, a->why);
	dns_record_next(type, &r, &g->first);
	if (b->ask_again > 0) {
		b->ask_again--;
		lookup_ask(b->lookup, name, type);
	}
}

static void
set_up(void)
{
	memset(&bed, 0, sizeof bed);
	bed.loop = loop_create();
	bed.deadline_us = 1000 * MS;
	for (int i = 0; i < 2; i++) {
		bed.dns[i] = fake_dns_create(bed.loop);
	}
}

static void
tear_down(void)
{
	lookup_destroy(&bed.lookup);
	fake_dns_destroy(&bed.dns[0]);
	fake_dns_destroy(&bed.dns[1]);
	loop_destroy(&bed.loop);
}

static void
start(unsigned n_servers)
{
	struct lookup_options o;

	lookup_defaults(&o);
	o.first_us = 200 * MS;
	o.deadline_us = bed.deadline_us;
	o.probe_us = 50 * MS;
	o.n_servers = n_servers;
	for (unsigned i = 0; i < n_servers; i++) {
		fake_dns_address(bed.dns[i], &o.server[i]);
	}
	bed.lookup = lookup_create(bed.loop, &o, on_answer, &bed);
}

static void
wait_for(unsigned n)
{
	uint64_t end = clock_mono_us() + 5000 * MS;

	while (bed.n_got < n) {
		ck_assert_msg(clock_mono_us() < end, "only %u of %u answers",
		    bed.n_got, n);
		loop_turn(bed.loop, true);
	}
}

static struct got *
ask(const char *name, uint16_t type)
{
	unsigned n = bed.n_got;

	lookup_ask(bed.lookup, slice_of(name), type);
	wait_for(n + 1);
	return &bed.got[n];
}

static void
turn_for(uint64_t us)
{
	uint64_t end = clock_mono_us() + us;

	while (clock_mono_us() < end) {
		loop_turn(bed.loop, false);
	}
}

START_TEST(answers_and_denials)
{
	struct got *g;

	start(1);
	fake_dns_a(bed.dns[0], "a.example", 77, "192.0.2.1");
	fake_dns_aaaa(bed.dns[0], "a.example", 78, "2001:db8::1");
	fake_dns_mx(bed.dns[0], "example", 79, 5, "a.example");
	fake_dns_cname(bed.dns[0], "c.example", 10, "a.example");
	fake_dns_soa(bed.dns[0], "example", 300, 60);
	g = ask("a.example", DNS_MSG_A);
	ck_assert_int_eq(g->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(g->n, 1);
	ck_assert_uint_eq(g->ttl, 77);
	ck_assert_mem_eq(g->first.addr + 10, "\xff\xff\xc0\x00\x02\x01", 6);
	g = ask("a.example", DNS_MSG_AAAA);
	ck_assert_int_eq(g->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(g->first.addr[0], 0x20);
	g = ask("example", DNS_MSG_MX);
	ck_assert_uint_eq(g->first.preference, 5);
	g = ask("c.example", DNS_MSG_A);
	ck_assert_int_eq(g->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(g->ttl, 10);
	g = ask("a.example", DNS_MSG_MX);
	ck_assert_int_eq(g->status, DNS_ANSWER_NO_DATA);
	ck_assert(g->has_ttl);
	ck_assert_uint_eq(g->ttl, 60);
	g = ask("no.example", DNS_MSG_A);
	ck_assert_int_eq(g->status, DNS_ANSWER_NO_NAME);
	ck_assert_uint_eq(g->ttl, 60);
	ck_assert_uint_eq(fake_dns_asked(bed.dns[0], NULL), 6);
}
END_TEST

START_TEST(truncated_goes_to_tcp)
{
	struct got *g;

	start(1);
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_TRUNCATED);
	for (unsigned i = 0; i < 200; i++) {
		char host[64];

		snprintf(host, sizeof host, "mx%u.some.where.example", i);
		fake_dns_mx(bed.dns[0], "big.example", 60, i, host);
	}
	g = ask("big.example", DNS_MSG_MX);
	ck_assert_int_eq(g->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(g->n, 200);
	ck_assert_uint_eq(fake_dns_asked_tcp(bed.dns[0]), 1);
	ck_assert_uint_eq(fake_dns_asked(bed.dns[0], NULL), 2);
}
END_TEST

START_TEST(formerr_goes_to_tcp)
{
	start(1);
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_FORMERR);
	fake_dns_a(bed.dns[0], "old.example", 60, "192.0.2.9");
	ck_assert_int_eq(ask("old.example", DNS_MSG_A)->status,
	    DNS_ANSWER_DATA);
	ck_assert_uint_eq(fake_dns_asked_tcp(bed.dns[0]), 1);
}
END_TEST

START_TEST(tcp_failure_is_said)
{
	struct got *g;

	start(1);
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_TCP_CLOSES);
	g = ask("x.example", DNS_MSG_A);
	ck_assert_int_eq(g->status, DNS_ANSWER_FAILED);
	ck_assert_ptr_nonnull(strstr(g->why, "over TCP failed (x.example A)"));
}
END_TEST

/* What the first server says, and whether the second one then helps. */
static const struct {
	enum fake_dns_mode mode;
	const char *why;
} bad[] = {
	{ FAKE_DNS_SERVFAIL, "answered SERVFAIL (x.example A)" },
	{ FAKE_DNS_REFUSED, "answered REFUSED (x.example A)" },
	{ FAKE_DNS_COMPRESSED_QUESTION, "compressed question (x.example A)" },
	{ FAKE_DNS_GARBAGE, "sent a malformed reply: malformed name" },
	{ FAKE_DNS_TCP_CLOSES, "over TCP failed" },
};

START_TEST(bad_reply_alone)
{
	struct got *g;

	start(1);
	fake_dns_mode(bed.dns[0], NULL, bad[_i].mode);
	g = ask("x.example", DNS_MSG_A);
	ck_assert_int_eq(g->status, DNS_ANSWER_FAILED);
	ck_assert_msg(strstr(g->why, bad[_i].why) != NULL, "%s", g->why);
}
END_TEST

START_TEST(bad_reply_then_other_server)
{
	struct lookup_stats s;

	start(2);
	fake_dns_mode(bed.dns[0], NULL, bad[_i].mode);
	fake_dns_a(bed.dns[1], "x.example", 60, "192.0.2.1");
	ck_assert_int_eq(ask("x.example", DNS_MSG_A)->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(fake_dns_asked(bed.dns[1], NULL), 1);
	lookup_stats(bed.lookup, &s);
	ck_assert_uint_eq(s.timeouts, 0);
	ck_assert_uint_eq(s.pending, 0);
}
END_TEST

START_TEST(dead_server_is_remembered)
{
	struct lookup_stats s;
	struct slice text;
	unsigned in_flight;
	bool dead;

	start(2);
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_SILENT);
	fake_dns_a(bed.dns[0], "x.example", 60, "192.0.2.1");
	fake_dns_a(bed.dns[1], "x.example", 60, "192.0.2.1");
	ck_assert_int_eq(ask("x.example", DNS_MSG_A)->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(fake_dns_asked(bed.dns[0], NULL), 1);
	lookup_stats(bed.lookup, &s);
	ck_assert_uint_eq(s.timeouts, 1);
	/* At once afterwards: the dead one is not asked at all. */
	ck_assert_int_eq(ask("x.example", DNS_MSG_A)->status, DNS_ANSWER_DATA);
	ck_assert_uint_eq(fake_dns_asked(bed.dns[0], NULL), 1);
	lookup_stats(bed.lookup, &s);
	ck_assert_uint_eq(s.timeouts, 1);
	ck_assert(lookup_server(bed.lookup, 0, &text, &dead, &in_flight));
	ck_assert(dead);
	/* Later a probe finds it alive, and nobody waits for the probe. */
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_NORMAL);
	turn_for(60 * MS);
	ck_assert_int_eq(ask("x.example", DNS_MSG_A)->status, DNS_ANSWER_DATA);
	turn_for(20 * MS);
	lookup_server(bed.lookup, 0, &text, &dead, &in_flight);
	ck_assert(!dead);
	lookup_stats(bed.lookup, &s);
	ck_assert_uint_eq(s.probes, 1);
	ck_assert_uint_eq(s.timeouts, 1);
	ck_assert_uint_eq(s.pending, 0);
}
END_TEST

START_TEST(silence_ends_at_the_deadline)
{
	uint64_t before = clock_mono_us(), took;
	struct got *g;

	start(1);
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_SILENT);
	g = ask("x.example", DNS_MSG_MX);
	took = clock_mono_us() - before;
	ck_assert_int_eq(g->status, DNS_ANSWER_FAILED);
	ck_assert_ptr_nonnull(strstr(g->why, "no answer from 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(g->why,
	    "within 1 s (x.example MX)"));
	ck_assert_uint_ge(took, 990 * MS);
	ck_assert_uint_ge(fake_dns_asked(bed.dns[0], NULL), 3);
}
END_TEST

START_TEST(burst_keeps_the_cap)
{
	struct slice text;
	unsigned in_flight;
	bool dead;

	bed.deadline_us = 10000 * MS;
	start(1);
	fake_dns_a(bed.dns[0], "x.example", 60, "192.0.2.1");
	for (unsigned i = 0; i < 2000; i++) {
		lookup_ask(bed.lookup, SLICE("x.example"), DNS_MSG_A);
	}
	loop_turn(bed.loop, false);
	lookup_server(bed.lookup, 0, &text, &dead, &in_flight);
	ck_assert_uint_le(in_flight, LOOKUP_IN_FLIGHT);
	wait_for(2000);
	for (unsigned i = 0; i < 2000; i++) {
		ck_assert_int_eq(bed.got[i].status, DNS_ANSWER_DATA);
	}
}
END_TEST

START_TEST(asking_again_from_the_answer)
{
	start(1);
	fake_dns_mode(bed.dns[0], NULL, FAKE_DNS_SERVFAIL);
	bed.ask_again = 50;
	ask("x.example", DNS_MSG_A);
	wait_for(51);
	ck_assert_uint_eq(fake_dns_asked(bed.dns[0], NULL), 51);
}
END_TEST

START_TEST(ports_rotate)
{
	struct lookup_options o;

	lookup_defaults(&o);
	o.rotate_us = 1;
	o.n_servers = 1;
	fake_dns_address(bed.dns[0], &o.server[0]);
	bed.lookup = lookup_create(bed.loop, &o, on_answer, &bed);
	for (int i = 0; i < 8; i++) {
		ask("x.example", DNS_MSG_A);
	}
	ck_assert_uint_ge(fake_dns_ports(bed.dns[0]), 4);
}
END_TEST

START_TEST(retired_answers_and_goes)
{
	start(1);
	fake_dns_a(bed.dns[0], "x.example", 60, "192.0.2.1");
	lookup_ask(bed.lookup, SLICE("x.example"), DNS_MSG_A);
	lookup_retire(&bed.lookup);
	ck_assert_ptr_null(bed.lookup);
	wait_for(1);
	ck_assert_int_eq(bed.got[0].status, DNS_ANSWER_DATA);
	turn_for(5 * MS);
}
END_TEST

START_TEST(unsendable)
{
	struct lookup_options o;
	struct sockaddr_in6 *to;
	struct got *g;

	lookup_defaults(&o);
	o.n_servers = 1;
	/* A port of IPv6 documentation space: no route here. */
	to = (struct sockaddr_in6 *)&o.server[0];
	to->sin6_family = AF_INET6;
	to->sin6_port = htons(53);
	ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::53", &to->sin6_addr),
	    1);
	o.deadline_us = 200 * MS;
	o.first_us = 50 * MS;
	bed.lookup = lookup_create(bed.loop, &o, on_answer, &bed);
	g = ask("x.example", DNS_MSG_A);
	ck_assert_int_eq(g->status, DNS_ANSWER_FAILED);
	ck_assert_ptr_nonnull(strstr(g->why, "[2001:db8::53]:53"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lookup");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, answers_and_denials);
	tcase_add_test(t, truncated_goes_to_tcp);
	tcase_add_test(t, formerr_goes_to_tcp);
	tcase_add_test(t, tcp_failure_is_said);
	tcase_add_loop_test(t, bad_reply_alone, 0, (int)ARRAY_LEN(bad));
	tcase_add_loop_test(t, bad_reply_then_other_server, 0,
	    (int)ARRAY_LEN(bad));
	tcase_add_test(t, dead_server_is_remembered);
	tcase_add_test(t, silence_ends_at_the_deadline);
	tcase_add_test(t, burst_keeps_the_cap);
	tcase_add_test(t, asking_again_from_the_answer);
	tcase_add_test(t, ports_rotate);
	tcase_add_test(t, retired_answers_and_goes);
	tcase_add_test(t, unsendable);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
