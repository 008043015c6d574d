/* SPDX-License-Identifier: Apache-2.0 */
/* The whole process between a fake spooler, a fake resolver and servers. */
#include <check.h>

#include "common/mail/event.h"
#include "tests/deliverer/process.h"

/* One mail of three recipients against each behaviour of a server. */
static const struct {
	const char *name, *caps;
	struct peer_rule rule[3];
	const char *kinds;	/* of the recipients */
	unsigned stage[3], code[3];
	const char *reply;	/* of the first one, its start */
	unsigned conns;
	enum stage_point point;
} cases[] = {
	{ "plain", "", { { .verb = NULL } }, "DDD", { 9, 9, 9 },
	  { 250, 250, 250 }, "", 1, STAGE_ACCEPTED },
	{ "pipelined", "PIPELINING\nSIZE 1000000\n8BITMIME", { { 0 } }, "DDD",
	  { 9, 9, 9 }, { 250, 250, 250 }, "", 1, STAGE_ACCEPTED },
	{ "helo", "", { { .verb = "EHLO", .reply = "500 what\r\n" } }, "DDD",
	  { 9, 9, 9 }, { 250, 250, 250 }, "", 1, STAGE_ACCEPTED },
	{ "closes at ehlo", "", { { .conn = 1, .verb = "EHLO",
	  .then = PEER_CLOSE } }, "DDD", { 9, 9, 9 }, { 250, 250, 250 }, "", 2,
	  STAGE_ACCEPTED },
	{ "one rcpt refused", "", { { .verb = "RCPT", .nth = 2,
	  .reply = "550-5.1.1 no\r\n550 5.1.1 such user\r\n" } }, "DPD",
	  { 9, 4, 9 }, { 250, 550, 250 }, "", 1, STAGE_ACCEPTED },
	{ "one rcpt refused in a group", "PIPELINING", { { .verb = "RCPT",
	  .nth = 1, .reply = "450 4.2.1 later\r\n" } }, "TDD", { 4, 9, 9 },
	  { 450, 250, 250 }, "450 4.2.1 later", 1, STAGE_ACCEPTED },
	{ "552 at rcpt", "", { { .verb = "RCPT", .nth = 3,
	  .reply = "552 too many\r\n" } }, "DDT", { 9, 9, 4 },
	  { 250, 250, 552 }, "", 1, STAGE_ACCEPTED },
	{ "no rcpt left, abort", "PIPELINING", { { .verb = "RCPT",
	  .reply = "550 no\r\n" } }, "PPP", { 4, 4, 4 }, { 550, 550, 550 },
	  "550 no", 1, STAGE_NOTHING },
	{ "mail refused", "", { { .verb = "MAIL", .reply = "550 5.1.8 s\r\n" } },
	  "PPP", { 2, 2, 2 }, { 550, 550, 550 }, "550 5.1.8 s", 1,
	  STAGE_NOTHING },
	{ "mail refused in a group", "PIPELINING", { { .verb = "MAIL",
	  .reply = "451 4.1.8 s\r\n" } }, "TTT", { 2, 2, 2 },
	  { 451, 451, 451 }, "451 4.1.8 s", 1, STAGE_NOTHING },
	{ "data refused", "PIPELINING", { { .verb = "DATA",
	  .reply = "554 5.7.1 never\r\n" } }, "PPP", { 6, 6, 6 },
	  { 554, 554, 554 }, "554 5.7.1 never", 1, STAGE_NOTHING },
	{ "dot refused", "", { { .verb = ".", .reply = "452 4.3.1 full\r\n" } },
	  "TTT", { 9, 9, 9 }, { 452, 452, 452 }, "452 4.3.1 full", 1,
	  STAGE_REFUSED },
	{ "dot refused for good", "PIPELINING", { { .verb = ".",
	  .reply = "550 5.7.1 spam\r\n" } }, "PPP", { 9, 9, 9 },
	  { 550, 550, 550 }, "550 5.7.1 spam", 1, STAGE_REFUSED },
	{ "closed at mail", "", { { .verb = "MAIL", .then = PEER_CLOSE } },
	  "TTT", { 2, 2, 2 }, { 451, 451, 451 },
	  "451 4.4.2 [internal] connection closed by remote host", 1,
	  STAGE_NOTHING },
	{ "closed at second rcpt", "", { { .verb = "RCPT", .nth = 1,
	  .reply = "550 no\r\n" }, { .verb = "RCPT", .nth = 2,
	  .then = PEER_CLOSE } }, "PTT", { 4, 4, 4 }, { 550, 451, 451 },
	  "550 no", 1, STAGE_NOTHING },
	{ "closed at data", "", { { .verb = "DATA", .then = PEER_CLOSE } },
	  "TTT", { 6, 6, 6 }, { 451, 451, 451 },
	  "451 4.4.2 [internal] connection closed by remote host", 1,
	  STAGE_NOTHING },
	{ "closed at dot", "", { { .verb = ".", .then = PEER_CLOSE } }, "TTT",
	  { 9, 9, 9 }, { 451, 451, 451 },
	  "451 4.4.2 [internal] connection closed by remote host", 1,
	  STAGE_DOT },
	{ "421 at rcpt", "", { { .verb = "RCPT", .nth = 2,
	  .reply = "421 4.3.2 going\r\n", .then = PEER_CLOSE } }, "TTT",
	  { 4, 4, 4 }, { 421, 421, 421 }, "421 4.3.2 going", 1,
	  STAGE_NOTHING },
	{ "banner 554", "", { { .verb = "BANNER", .reply = "554 5.7.1 go\r\n",
	  .then = PEER_CLOSE } }, "TTT", { 12, 12, 12 }, { 554, 554, 554 },
	  "554 5.7.1 go", 1, STAGE_NOTHING },
	{ "banner closed", "", { { .verb = "BANNER", .then = PEER_CLOSE } },
	  "TTT", { 12, 12, 12 }, { 451, 451, 451 },
	  "451 4.4.2 [internal] no banner", 1, STAGE_NOTHING },
	{ "garbage", "", { { .verb = "MAIL", .reply = "hello there\r\n" } },
	  "TTT", { 2, 2, 2 }, { 451, 451, 451 },
	  "451 4.5.0 [internal] the remote host broke", 1, STAGE_NOTHING },
	{ "mute at rcpt", "", { { .verb = "RCPT", .then = PEER_MUTE } }, "TTT",
	  { 4, 4, 4 }, { 451, 451, 451 },
	  "451 4.4.2 [internal] no RCPT TO response", 1, STAGE_NOTHING },
	{ "mute at dot", "", { { .verb = ".", .then = PEER_MUTE } }, "TTT",
	  { 9, 9, 9 }, { 451, 451, 451 },
	  "451 4.4.2 [internal] no BODY response", 1, STAGE_DOT },
};

START_TEST(behaviours)
{
	enum stage_point point;
	struct fake_work *w;
	size_t n = 0;

	while (n < 3 && cases[_i].rule[n].verb != NULL) {
		n++;
	}
	start(cases[_i].caps, cases[_i].rule, n,
	    "RCPTTO_Timeout = 0.3\nBody_Timeout = 0.3\nIdle_Timeout = 0.2\n");
	w = fake_spooler_add(&sp, 1, 3, SLICE(BODY));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_msg(w->result[i].kind == cases[_i].kinds[i] &&
		    w->result[i].stage == cases[_i].stage[i] &&
		    w->result[i].code == cases[_i].code[i],
		    "%s, recipient %u: %c stage %u code %u \"%s\"",
		    cases[_i].name, i, w->result[i].kind, w->result[i].stage,
		    w->result[i].code, w->result[i].reply);
	}
	ck_assert_msg(strncmp(w->result[0].reply, cases[_i].reply,
	    strlen(cases[_i].reply)) == 0, "%s: \"%s\"", cases[_i].name,
	    w->result[0].reply);
	ck_assert_uint_eq(peer.n_conns, cases[_i].conns);
	point = stage_get(&h.stages->slot[0][0], w->number);
	/* Begun and without a dot is as good as nothing sent. */
	ck_assert_uint_eq(point == STAGE_BEGUN ? STAGE_NOTHING : point,
	    cases[_i].point);
	if (strchr(cases[_i].kinds, 'D') != NULL) {
		ck_assert_uint_eq(peer.content.len, sizeof BODY - 1 + 1 + 3);
		ck_assert_mem_eq(peer.content.ptr,
		    "Subject: x\r\n\r\n..dot\r\nline\r\n.\r\n",
		    peer.content.len);
		ck_assert_uint_eq(w->sent, peer.content.len);
		ck_assert_uint_eq(w->port, peer.port);
	}
	/* The idle connection ends and everything counted is given back. */
	wait_for(all_budgets_are_back, NULL);
	finish();
}
END_TEST

/* Idle_Timeout 0 is a connection a message, not one that leaves before its
 * message has come. */
START_TEST(no_idle_connections)
{
	start("PIPELINING", NULL, 0, "Idle_Timeout = 0\n");
	for (unsigned i = 1; i <= 3; i++) {
		fake_spooler_add(&sp, 1, 1, SLICE(BODY));
		fake_spooler_ready(&sp, 1, "example.net");
		wait_for(fake_spooler_all_acked, &sp);
		wait_for(all_budgets_are_back, NULL);
		ck_assert_uint_eq(sp.work[i - 1].result[0].kind, 'D');
		ck_assert_uint_eq(peer.n_mails, i);
		ck_assert_uint_eq(peer.n_conns, i);
	}
	finish();
}
END_TEST

START_TEST(many_over_few_connections)
{
	start("PIPELINING", NULL, 0, "Max_Outbound_Connections = 3\n");
	add_many(500, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	for (unsigned i = 0; i < sp.n_works; i++) {
		ck_assert_uint_eq(sp.work[i].result[0].kind, 'D');
	}
	ck_assert_uint_eq(peer.n_mails, 500);
	ck_assert_uint_le(peer.n_conns, 3);
	/* Most envelopes left right behind the dot before them. */
	ck_assert_uint_gt(peer.n_piped, 250);
	ck_assert_uint_le(budget_used(h.budget, 1), 3);
	finish();
	ck_assert_uint_eq(sp.n_again, 0);
}
END_TEST

START_TEST(slow_and_byte_by_byte)
{
	start("PIPELINING\nSIZE", NULL, 0, "");
	peer.slow = true;
	add_many(20, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(peer.n_mails, 20);
	finish();
}
END_TEST

static bool
all_have_left(void *arg)
{
	(void)arg;
	return peer.n_open == 0;
}

START_TEST(limits_of_a_connection)
{
	start("PIPELINING", NULL, 0, "Max_Outbound_Connections = 1\n"
	    "Max_Deliveries_Per_Connection = 4\n");
	add_many(20, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(peer.n_mails, 20);
	wait_for(all_have_left, NULL);
	ck_assert_uint_eq(peer.n_conns, 5);
	ck_assert_uint_eq(scripted_peer_count(&peer, "QUIT"), 5);
	finish();
}
END_TEST

/* Two queues behind one gateway share its connection. */
START_TEST(siblings_share)
{
	start("", NULL, 0, "Max_Outbound_Connections = 1\n"
	    "Server_Max_Outbound_Connections = 1\n");
	fake_spooler_add(&sp, 1, 1, SLICE(BODY));
	fake_spooler_ready(&sp, 1, "a.example");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(budget_used(h.budget, 1), 1);
	fake_spooler_add(&sp, 2, 1, SLICE(BODY));
	fake_spooler_ready(&sp, 2, "b.example");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(peer.n_conns, 1);
	ck_assert_uint_eq(budget_used(h.budget, 1), 0);
	ck_assert_uint_eq(budget_used(h.budget, 2), 1);
	ck_assert_uint_eq(budget_used(h.budget, BUDGET_SERVER), 1);
	finish();
}
END_TEST

/* A kept connection that the server has closed costs no attempt. */
START_TEST(stale_connection_is_no_failure)
{
	static const struct peer_rule rules[] = {
		{ .conn = 1, .verb = "MAIL", .nth = 2, .then = PEER_CLOSE },
	};

	start("", rules, 1, "Max_Outbound_Connections = 1\n");
	add_many(2, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[0].result[0].kind, 'D');
	ck_assert_uint_eq(sp.work[1].result[0].kind, 'D');
	ck_assert_uint_eq(peer.n_conns, 2);
	finish();
}
END_TEST

static const struct {
	enum resolve_status status;
	char kind;
	const char *reply;
} dns_cases[] = {
	{ RESOLVE_NO_NAME, 'P', "554 5.4.4 [internal] Domain Lookup Failed" },
	{ RESOLVE_NO_DATA, 'T', "454 4.4.4 [internal] no MX or A for domain" },
	{ RESOLVE_NULL_MX, 'P',
	  "550 5.4.4 [internal] NULL MX domain does not accept mail" },
	{ RESOLVE_LOOP, 'P',
	  "554 5.4.6 [internal] mail loops back to this host" },
	{ RESOLVE_TEMPORARY, 'T', "451 4.4.3 [internal] temporary failure" },
	/* Nobody listens on port 1 of either host. */
	{ RESOLVE_OK, 'T', "451 4.4.1 [internal] No valid hosts (unable to "
	  "make any connections)" },
};

START_TEST(dns_failures)
{
	struct error err = { 0 };

	dns.status = dns_cases[_i].status;
	start("", NULL, 0, "");
	ck_assert_int_eq(worker_harness_config(&h,
	    SLICE("Remote_SMTP_Port = 1\n"), &err), 0);
	link_resolver();
	add_many(200, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	for (unsigned i = 0; i < sp.n_works; i++) {
		ck_assert_msg(sp.work[i].result[0].kind == dns_cases[_i].kind &&
		    strncmp(sp.work[i].result[0].reply, dns_cases[_i].reply,
		    strlen(dns_cases[_i].reply)) == 0, "%c %s",
		    sp.work[i].result[0].kind, sp.work[i].result[0].reply);
	}
	ck_assert_uint_eq(dns.n_questions, 1);
	finish();
	ipc_link_close(&dns.link);
}
END_TEST

/* MX look-ups keep failing: the domain's own address is tried. */
START_TEST(mx_failures_fall_back)
{
	struct error err = { 0 };
	char conf[128];

	dns.status = RESOLVE_TEMPORARY;
	start("", NULL, 0, "");
	link_resolver();
	snprintf(conf, sizeof conf, "Remote_SMTP_Port = %u\n"
	    "MX_Failures_Fallback_To_A = 1\n", other.port);
	ck_assert_int_eq(worker_harness_config(&h, slice_of(conf), &err), 0);
	add_many(2, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[1].result[0].code, 451);
	/* A reload looks for the route anew. */
	ck_assert_int_eq(worker_harness_config(&h, slice_of(conf), &err), 0);
	add_many(2, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[3].result[0].kind, 'D');
	ck_assert_uint_eq(other.n_mails, 2);
	ck_assert_uint_eq(dns.n_questions, 2);
	finish();
	ipc_link_close(&dns.link);
}
END_TEST

/* The first exchanger refuses, the second takes it. */
START_TEST(next_host)
{
	struct error err = { 0 };
	char conf[512];

	start("", NULL, 0, "");
	snprintf(conf, sizeof conf, "Routes = (\"smtp://127.0.0.1?port=1\" "
	    "\"smtp://127.0.0.2?port=1&pref=7\" "
	    "\"smtp://127.0.0.1?port=%u&pref=9\")\n", other.port);
	ck_assert_int_eq(worker_harness_config(&h, slice_of(conf), &err), 0);
	add_many(10, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(other.n_mails, 10);
	ck_assert_uint_eq(peer.n_mails, 0);
	finish();
}
END_TEST

static bool
one_is_in_flight(void *arg)
{
	(void)arg;
	return scripted_peer_count(&peer, "DATA") > 0;
}

static bool
has_spoken(void *arg)
{
	(void)arg;
	return sp.hello_end;
}

/* The spooler goes while one work is with a mute server, others are told but
 * not acknowledged. */
START_TEST(spooler_restart)
{
	static const struct peer_rule rules[] = {
		{ .conn = 1, .verb = ".", .nth = 3, .then = PEER_MUTE },
	};

	start("PIPELINING", rules, 1, "Max_Outbound_Connections = 1\n"
	    "Body_Timeout = 1\n");
	sp.hold_acks = true;
	add_many(3, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	while (sp.n_done < 2 || peer.n_mails < 3) {
		loop_turn(loop, true);
	}
	wait_for(one_is_in_flight, NULL);
	fake_spooler_down(&sp);
	fake_spooler_up(&sp, 4);
	sp.hold_acks = false;
	wait_for(has_spoken, NULL);
	ck_assert_uint_eq(sp.n_held, 1);
	ck_assert_uint_eq(sp.n_again, 2);
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[2].result[0].kind, 'T');
	ck_assert_uint_eq(sp.work[2].result[0].stage, 9);
	/* The new spooler's numbers are its own. */
	fake_spooler_add(&sp, 2, 1, SLICE(BODY));
	fake_spooler_ready(&sp, 2, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[3].result[0].kind, 'D');
	ck_assert_uint_eq(budget_used(h.budget, 1), 0);
	ck_assert_uint_eq(budget_used(h.budget, 2), 1);
	finish();
}
END_TEST

static bool
is_down(void *arg)
{
	(void)arg;
	return sp.down;
}

START_TEST(bad_extent_costs_the_link)
{
	struct fake_work *w;

	start("", NULL, 0, "");
	w = fake_spooler_add(&sp, 1, 1, SLICE(BODY));
	w->body.len = FAKE_SLAB;
	w = fake_spooler_add(&sp, 1, 1, SLICE(BODY));
	fake_spooler_ready(&sp, 1, "example.net");
	sp.work[0].body.ptr = sp.slab + 1;
	wait_for(is_down, NULL);
	ck_assert(!h.gone);
	/* Another one is served. */
	sp.n_works = 0;
	fake_spooler_up(&sp, 1);
	fake_spooler_add(&sp, 1, 1, SLICE(BODY));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	finish();
}
END_TEST

/* What is in hand is finished and acknowledged before the process ends. */
START_TEST(drain_finishes_work)
{
	start("PIPELINING", NULL, 0, "Max_Outbound_Connections = 2\n");
	peer.slow = true;
	add_many(40, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(one_is_in_flight, NULL);
	worker_harness_drain(&h);
	wait_for(worker_harness_is_gone, &h);
	ck_assert_uint_gt(sp.n_done, 0);
	for (unsigned i = 0; i < sp.n_works; i++) {
		ck_assert(sp.work[i].handed == sp.work[i].acked);
		ck_assert(!sp.work[i].done ||
		    sp.work[i].result[0].kind == 'D');
	}
	ck_assert_uint_eq(sp.credit[1], 0);
	ck_assert_uint_eq(budget_used(h.budget, BUDGET_SERVER), 0);
	finish();
}
END_TEST

START_TEST(prohibited_hosts)
{
	start("", NULL, 0, "Prohibited_Hosts = (\"127.0.0.0/8\")\n");
	add_many(3, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[0].result[0].kind, 'P');
	ck_assert_str_eq(sp.work[0].result[0].reply,
	    "551 5.4.6 [internal] Private/Loopback Address");
	ck_assert_uint_eq(peer.n_conns, 0);
	finish();
}
END_TEST

/* Our own address is not there: no server is blamed. */
START_TEST(bad_bind_address)
{
	start("", NULL, 0, "Bind_Address = \"192.0.2.77\"\n");
	add_many(3, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[2].result[0].kind, 'T');
	ck_assert_uint_eq(sp.work[2].result[0].stage, 0);
	finish();
}
END_TEST

/* More than the socket takes at once, in pieces, with dots to be doubled. */
START_TEST(large_body)
{
	static char body[400000];

	for (size_t i = 0; i < sizeof body; i += 4) {
		memcpy(body + i, i % 64 == 0 ? ".x\r\n" : "xy\r\n", 4);
	}
	start("PIPELINING", NULL, 0, "Max_Outbound_Connections = 1\n");
	fake_spooler_add(&sp, 1, 1, slice_make(body, sizeof body));
	fake_spooler_add(&sp, 1, 1, SLICE(BODY));
	fake_spooler_add(&sp, 1, 1, slice_make(body, sizeof body));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(peer.n_mails, 3);
	ck_assert_uint_eq(sp.work[2].result[0].kind, 'D');
	ck_assert_uint_eq(sp.work[2].sent, sizeof body + sizeof body / 64 + 3);
	ck_assert_uint_eq(peer.content.len, sp.work[2].sent);
	finish();
}
END_TEST

START_TEST(bare_line_feeds_are_mended)
{
	start("", NULL, 0, "");
	fake_spooler_add(&sp, 1, 1, SLICE("a\n.\nb\r\n"));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(peer.content.len, 13);
	ck_assert_mem_eq(peer.content.ptr, "a\r\n..\r\nb\r\n.\r\n", 13);
	finish();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("deliverer");
	TCase *t = tcase_create("process");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, behaviours, 0, (int)ARRAY_LEN(cases));
	tcase_add_loop_test(t, dns_failures, 0, (int)ARRAY_LEN(dns_cases));
	tcase_add_test(t, no_idle_connections);
	tcase_add_test(t, many_over_few_connections);
	tcase_add_test(t, slow_and_byte_by_byte);
	tcase_add_test(t, limits_of_a_connection);
	tcase_add_test(t, siblings_share);
	tcase_add_test(t, stale_connection_is_no_failure);
	tcase_add_test(t, next_host);
	tcase_add_test(t, mx_failures_fall_back);
	tcase_add_test(t, spooler_restart);
	tcase_add_test(t, bad_extent_costs_the_link);
	tcase_add_test(t, drain_finishes_work);
	tcase_add_test(t, prohibited_hosts);
	tcase_add_test(t, bad_bind_address);
	tcase_add_test(t, large_body);
	tcase_add_test(t, bare_line_feeds_are_mended);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
