/* SPDX-License-Identifier: Apache-2.0 */
/* Servers, resolvers and machines at their worst, and what becomes of mail. */
#include <check.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/fdio.h"
#include "common/mail/event.h"
#include "tests/deliverer/process.h"

/* A server whose banner never ends: a byte every DRIP_US. */
#define DRIP_US 50000u

static struct {
	int listener, fd;
	uint16_t port;
	struct loop_fd watch;
	struct loop_timer timer;
	unsigned said;
} drip;

static void
on_drip(void *arg)
{
	static const char head[] = "220-";

	(void)arg;
	if (drip.fd >= 0) {
		if (send(drip.fd, drip.said < 4 ? head + drip.said : "x", 1,
		    MSG_NOSIGNAL) < 0) {
			return;
		}
		drip.said++;
	}
	loop_timer_set(&drip.timer, DRIP_US);
}

static void
on_drip_accept(void *arg, unsigned ready)
{
	(void)arg;
	(void)ready;
	fdio_close(&drip.fd);
	drip.fd = accept(drip.listener, NULL, NULL);
	drip.said = 0;
}

static void
drip_listen(loop_fd_fn on_accept)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;
	int little = 4096;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	drip.fd = -1;
	drip.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(drip.listener, SOL_SOCKET, SO_RCVBUF, &little,
	    sizeof little);
	ck_assert_int_eq(bind(drip.listener, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(drip.listener, 8), 0);
	ck_assert_int_eq(getsockname(drip.listener, (struct sockaddr *)&a,
	    &len), 0);
	drip.port = ntohs(a.sin_port);
	loop_fd_init(&drip.watch, loop, drip.listener, on_accept, NULL);
	loop_fd_want(&drip.watch, LOOP_READ);
}

static void
drip_open(void)
{
	drip_listen(on_drip_accept);
	loop_timer_init(&drip.timer, loop, on_drip, NULL);
	loop_timer_set(&drip.timer, DRIP_US);
}

static void
drip_close(void)
{
	loop_timer_stop(&drip.timer);
	loop_fd_stop(&drip.watch);
	fdio_close(&drip.fd);
	fdio_close(&drip.listener);
}

/* A server that takes a little of a content, refuses it and hangs up with the
 * rest unread. */
static struct loop_fd rude_conn;

static void
on_rude_end(void *arg)
{
	(void)arg;
	ck_assert_int_gt(send(drip.fd, "552 5.3.4 too big\r\n", 19,
	    MSG_NOSIGNAL), 0);
	fdio_close(&drip.fd);
}

static void
on_rude_line(void *arg, unsigned ready)
{
	char line[512];
	ssize_t n = read(drip.fd, line, sizeof line);
	const char *reply = "250 ok\r\n";

	(void)arg;
	(void)ready;
	ck_assert_int_gt(n, 0);
	if (line[0] == 'D') {
		reply = "354 go\r\n";
		loop_fd_stop(&rude_conn);
		loop_timer_init(&drip.timer, loop, on_rude_end, NULL);
		loop_timer_set(&drip.timer, 300000);
	}
	ck_assert_int_gt(send(drip.fd, reply, strlen(reply), MSG_NOSIGNAL),
	    0);
}

static void
on_rude_accept(void *arg, unsigned ready)
{
	(void)arg;
	(void)ready;
	drip.fd = accept(drip.listener, NULL, NULL);
	loop_fd_init(&rude_conn, loop, drip.fd, on_rude_line, NULL);
	loop_fd_want(&rude_conn, LOOP_READ);
	ck_assert_int_gt(send(drip.fd, "220 hi\r\n", 8, MSG_NOSIGNAL), 0);
}

/* The refusal counts, even if our next bytes find nobody. */
START_TEST(last_words_in_the_content)
{
	static char body[12000000];
	char conf[256];

	for (size_t i = 0; i < sizeof body; i += 4) {
		memcpy(body + i, "xy\r\n", 4);
	}
	start("", NULL, 0, "");
	drip_listen(on_rude_accept);
	snprintf(conf, sizeof conf, "Gateway = \"127.0.0.1:%u\"\n"
	    "Max_Outbound_Connections = 1\n", drip.port);
	configure(conf);
	fake_spooler_add(&sp, 1, 1, slice_make(body, sizeof body));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[0].result[0].stage, STAGE_BODY);
	ck_assert_str_eq(sp.work[0].result[0].reply, "552 5.3.4 too big");
	ck_assert_uint_eq(sp.work[0].result[0].kind, 'P');
	finish();
	drip_close();
}
END_TEST

/* Time is given for a reply, not for each of its bytes. */
START_TEST(a_reply_may_not_drip)
{
	char conf[256];

	start("", NULL, 0, "");
	drip_open();
	snprintf(conf, sizeof conf, "Gateway = \"127.0.0.1:%u\"\n"
	    "EHLO_Timeout = 0.4\n", drip.port);
	configure(conf);
	add_many(1, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_gt(drip.said, 2);
	ck_assert_str_eq(sp.work[0].result[0].reply,
	    "451 4.4.2 [internal] no banner");
	finish();
	drip_close();
}
END_TEST

/* A queue that always has mail hears no READY, and follows the DNS all the
 * same. */
START_TEST(a_busy_queue_asks_again)
{
	char conf[128];

	start("", NULL, 0, "");
	link_resolver();
	dns.ttl = 1;
	dns.host[0] = 1;
	dns.host[1] = 0;
	snprintf(conf, sizeof conf, "Remote_SMTP_Port = %u\n", peer.port);
	configure(conf);
	add_many(1, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(dns.n_questions, 1);
	ck_assert_uint_gt(sp.credit[1], 0);
	let_pass(1100000);
	add_many(20, 1);
	fake_spooler_push(&sp);
	wait_for(fake_spooler_all_acked, &sp);
	/* Asked again, but not for each message. */
	ck_assert_uint_eq(dns.n_questions, 2);
	ck_assert_uint_eq(sp.work[20].result[0].kind, 'D');
	finish();
	ipc_link_close(&dns.link);
}
END_TEST

/* The same for a queue whose look-up failed: as soon as the DNS is well, the
 * rest of the queue is delivered. */
START_TEST(a_long_queue_outlives_a_failed_lookup)
{
	char conf[128];

	start("", NULL, 0, "");
	link_resolver();
	dns.status = RESOLVE_TEMPORARY;
	dns.ttl = 1;
	dns.host[0] = 1;
	dns.host[1] = 0;
	snprintf(conf, sizeof conf, "Remote_SMTP_Port = %u\n", peer.port);
	configure(conf);
	sp.hold_acks = true;	/* the rest of the queue stays there */
	add_many(100, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	while (sp.n_done < 64) {
		loop_turn(loop, true);
	}
	ck_assert_uint_eq(sp.work[63].result[0].kind, 'T');
	dns.status = RESOLVE_OK;
	let_pass(5100000);
	sp.hold_acks = false;
	sp.out[1] = 0;
	fake_spooler_push(&sp);
	wait_for(fake_spooler_all_done, &sp);
	ck_assert_uint_eq(sp.work[99].result[0].kind, 'D');
	fake_spooler_down(&sp);
	fake_spooler_up(&sp, 2);	/* the 64 are told and acknowledged */
	wait_for(fake_spooler_all_acked, &sp);
	finish();
	ipc_link_close(&dns.link);
}
END_TEST

static bool
two_are_held(void *arg)
{
	(void)arg;
	return dns.n_held == 2;
}

/* A route of two names: the second one's answer is known when the queue comes,
 * and another queue asks for it anew before the first one's is there. */
START_TEST(an_answer_wakes_who_waits_for_it)
{
	char conf[256];

	start("", NULL, 0, "");
	link_resolver();
	dns.host[0] = 1;
	dns.host[1] = 0;
	dns.ttl = 1;
	snprintf(conf, sizeof conf, "Remote_SMTP_Port = %u\n"
	    "Domain \"two.example\" {\n"
	    "Routes = (\"a.example\" \"b.example\")\n}\n", peer.port);
	configure(conf);
	add_many(1, 1);
	fake_spooler_ready(&sp, 1, "b.example");
	wait_for(fake_spooler_all_acked, &sp);
	dns.mute = true;
	add_many(1, 2);
	fake_spooler_ready(&sp, 2, "two.example");
	let_pass(1100000);
	fake_spooler_ready(&sp, 1, "b.example");
	wait_for(two_are_held, NULL);
	ck_assert(answer_held("a.example"));
	let_pass(50000);
	ck_assert(answer_held("b.example"));
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[1].result[0].kind, 'D');
	finish();
	ipc_link_close(&dns.link);
}
END_TEST

/* One hop may not be talked to, the other could not be looked up: that is not
 * for good. */
START_TEST(prohibited_but_not_all_known)
{
	start("", NULL, 0, "");
	link_resolver();
	dns.status = RESOLVE_TEMPORARY;
	configure("Prohibited_Hosts = (\"127.0.0.0/8\")\n"
	    "Routes = (\"127.0.0.1\" \"a.example\")\n");
	add_many(1, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[0].result[0].kind, 'T');
	finish();
	ipc_link_close(&dns.link);
}
END_TEST

static bool
limit_is_reached(void *arg)
{
	struct slice left = buf_slice(&h.log);

	(void)arg;
	while (left.len > 0 && !slice_starts(left,
	    SLICE("cannot make an outbound socket"))) {
		left = slice_skip(left, 1);
	}
	return left.len > 0;
}

/* No descriptor left is our trouble: mail waits for one, it does not fail. */
START_TEST(out_of_descriptors)
{
	static const struct peer_rule rules[] = {
		{ .verb = "MAIL", .then = PEER_MUTE },
	};
	char conf[512];

	snprintf(conf, sizeof conf, "Server_Max_File_Descriptors = 64\n"
	    "Max_Outbound_Connections = 100\nMAILFROM_Timeout = 2\n"
	    "Idle_Timeout = 0\n");
	start("", rules, 1, conf);
	snprintf(conf, sizeof conf, "Gateway = \"127.0.0.1:%u\"\n"
	    "Max_Outbound_Connections = 100\nMAILFROM_Timeout = 2\n"
	    "Domain \"b.example\" {\nGateway = \"127.0.0.1:%u\"\n}\n",
	    peer.port, other.port);
	configure(conf);
	add_many(300, 1);
	fake_spooler_ready(&sp, 1, "a.example");
	wait_for(limit_is_reached, NULL);
	add_many(1, 2);
	fake_spooler_ready(&sp, 2, "b.example");
	/* Nothing more for the first queue, so that its places come free. */
	for (unsigned i = 0; i < 300; i++) {
		sp.work[i].handed = true;
	}
	while (!sp.work[300].acked) {
		loop_turn(loop, true);
	}
	ck_assert_msg(sp.work[300].result[0].kind == 'D', "%c %s",
	    sp.work[300].result[0].kind, sp.work[300].result[0].reply);
	/* The rest fails at once: the drain is short. */
	scripted_peer_close(&peer);
	finish_without_peer();
}
END_TEST

/* A connection with too few recipients left for the next mail leaves at once;
 * it does not keep the mail waiting for its idle time. */
START_TEST(no_room_for_recipients_is_used_up)
{
	uint64_t from;

	start("", NULL, 0, "Max_Recipients_Per_Connection = 4\n"
	    "Max_Outbound_Connections = 1\nIdle_Timeout = 6\n");
	fake_spooler_add(&sp, 1, 3, SLICE(BODY));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	from = loop_refresh_us(loop);
	fake_spooler_add(&sp, 1, 3, SLICE(BODY));
	fake_spooler_push(&sp);
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[1].result[0].kind, 'D');
	ck_assert_uint_lt(loop_refresh_us(loop) - from, 4000000);
	ck_assert_uint_eq(peer.n_conns, 2);
	finish();
}
END_TEST

/* 421 is a reply to the dot like any other: there is no doubt then. */
START_TEST(shut_after_dot_is_an_answer)
{
	static const struct peer_rule rules[] = {
		{ .verb = ".", .reply = "421 4.3.2 going\r\n",
		  .then = PEER_CLOSE },
	};

	start("PIPELINING", rules, 1, "Idle_Timeout = 0.2\n");
	fake_spooler_add(&sp, 1, 2, SLICE(BODY));
	fake_spooler_ready(&sp, 1, "example.net");
	wait_for(fake_spooler_all_acked, &sp);
	ck_assert_uint_eq(sp.work[0].result[1].kind, 'T');
	ck_assert_uint_eq(sp.work[0].result[1].code, 421);
	ck_assert_uint_eq(stage_get(&h.stages->slot[0][0],
	    sp.work[0].number), STAGE_REFUSED);
	finish();
}
END_TEST

/* Slow domains that hold all the credit there is give some of it to a queue
 * that comes later. */
START_TEST(slow_domains_starve_nobody)
{
	static const struct peer_rule rules[] = {
		{ .verb = "MAIL", .then = PEER_MUTE },
	};
	const unsigned slow = 70, last = slow + 1;
	char conf[512];

	start("", rules, 1, "");
	snprintf(conf, sizeof conf, "Gateway = \"127.0.0.1:%u\"\n"
	    "Max_Outbound_Connections = 1\n"
	    "Migrate_Connections_Between_Sibling_Domains = false\n"
	    "Domain \"last.example\" {\nGateway = \"127.0.0.1:%u\"\n}\n",
	    peer.port, other.port);
	configure(conf);
	for (unsigned i = 1; i <= slow; i++) {
		char domain[32];

		snprintf(domain, sizeof domain, "slow%u.example", i);
		add_many(1, i);
		fake_spooler_ready(&sp, i, domain);
	}
	while (scripted_peer_count(&peer, "MAIL") < 64) {
		loop_turn(loop, true);
	}
	add_many(1, last);
	fake_spooler_ready(&sp, last, "last.example");
	ck_assert_uint_eq(other.n_conns, 0);
	while (!sp.work[slow].acked) {
		loop_turn(loop, true);
	}
	ck_assert_uint_eq(sp.work[slow].result[0].kind, 'D');
	ck_assert_uint_eq(other.n_conns, 1);
	/* The first ones come to be served, too. */
	while (scripted_peer_count(&peer, "MAIL") < slow) {
		loop_turn(loop, true);
	}
	scripted_peer_close(&peer);	/* they all fail: the drain is short */
	wait_for(fake_spooler_all_acked, &sp);
	finish_without_peer();
}
END_TEST

/* "Too many connections" from a server that serves us on another one is no
 * reason to fail its mail when that one has served its number. */
START_TEST(a_connection_limit_is_no_failure)
{
	static struct peer_rule rule = { .verb = "none",
		.reply = "421 4.7.0 too many\r\n", .then = PEER_CLOSE };

	start("", &rule, 1, "Max_Deliveries_Per_Connection = 20\n");
	add_many(60, 1);
	fake_spooler_ready(&sp, 1, "example.net");
	while (!fake_spooler_all_acked(&sp)) {
		loop_turn(loop, true);
		rule.verb = peer.n_open > 0 ? "BANNER" : "none";
	}
	ck_assert_uint_gt(peer.n_conns, 5);
	for (unsigned i = 0; i < sp.n_works; i++) {
		ck_assert_msg(sp.work[i].result[0].kind == 'D', "%u: %s", i,
		    sp.work[i].result[0].reply);
	}
	finish();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("hostile");
	TCase *t = tcase_create("process");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_reply_may_not_drip);
	tcase_add_test(t, a_busy_queue_asks_again);
	tcase_add_test(t, a_long_queue_outlives_a_failed_lookup);
	tcase_add_test(t, an_answer_wakes_who_waits_for_it);
	tcase_add_test(t, prohibited_but_not_all_known);
	tcase_add_test(t, out_of_descriptors);
	tcase_add_test(t, no_room_for_recipients_is_used_up);
	tcase_add_test(t, shut_after_dot_is_an_answer);
	tcase_add_test(t, last_words_in_the_content);
	tcase_add_test(t, slow_domains_starve_nobody);
	tcase_add_test(t, a_connection_limit_is_no_failure);
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
