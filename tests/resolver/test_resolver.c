/* SPDX-License-Identifier: Apache-2.0 */
/* The real resolver process, sandboxed, against a scripted DNS server. */
#include "resolver/resolver.h"

#include <check.h>
#include <sys/wait.h>

#include "common/base/addr.h"
#include "tests/support/fake_dns.h"
#include "tests/support/worker_harness.h"

#define SECOND 1000000u

struct answer {
	bool came;
	enum resolve_status status;
	uint32_t ttl;
	char text[512];
	unsigned n_hosts;
	/* "10 mx.example 192.0.2.1 192.0.2.2;20 ..." */
	char hosts[16384];
};

struct bed {
	struct loop *loop;
	struct fake_dns *dns;
	struct worker_harness h;
	struct ipc_link peer, console;
	struct answer answer[64];
	char told[8192];
	bool told_last;
};

static struct bed bed;

static void
read_hosts(struct wire_r *r, struct answer *a)
{
	struct buf b;

	buf_init(&b, sizeof a->hosts - 1);
	a->n_hosts = wire_u16(r);
	for (unsigned i = 0; i < a->n_hosts; i++) {
		unsigned preference = wire_u16(r), n;
		struct slice name = wire_slice(r);

		buf_printf(&b, "%s%u %.*s", i > 0 ? ";" : "", preference,
		    SLICE_ARG(name));
		n = wire_u8(r);
		for (unsigned k = 0; k < n; k++) {
			struct slice s = wire_bytes(r, 16);
			const uint8_t *p = (const uint8_t *)s.ptr;

			ck_assert(!r->bad);
			if (p[0] == 0) {
				buf_printf(&b, " %u.%u.%u.%u", p[12], p[13],
				    p[14], p[15]);
			} else {
				buf_printf(&b, " v6:%02x", p[15]);
			}
		}
	}
	slice_copy(a->hosts, sizeof a->hosts, buf_slice(&b));
	buf_fini(&b);
}

static void
on_peer(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t query = wire_u32(&r);
	struct answer *a = &bed.answer[query];

	(void)arg;
	(void)k;
	if (m->type == IPC_TOLD) {
		size_t n = strlen(bed.told);

		bed.told_last = wire_u8(&r) != 0;
		snprintf(bed.told + n, sizeof bed.told - n, "%.*s\n",
		    (int)wire_left(&r), r.p);
		return;
	}
	ck_assert_int_eq(m->type, IPC_RESOLVED);
	ck_assert_uint_lt(query, ARRAY_LEN(bed.answer));
	ck_assert(!a->came);
	a->came = true;
	a->status = (enum resolve_status)wire_u8(&r);
	a->ttl = wire_u32(&r);
	slice_copy(a->text, sizeof a->text, wire_slice(&r));
	read_hosts(&r, a);
	ck_assert(!r.bad && wire_left(&r) == 0);
}

static bool
has_come(void *arg)
{
	return ((struct answer *)arg)->came;
}

static bool
told_all(void *arg)
{
	(void)arg;
	return bed.told_last;
}

static void
conf_write(char *out, size_t size, const char *more)
{
	struct sockaddr_storage ss;
	char at[ADDR_TEXT_MAX];

	fake_dns_address(bed.dns, &ss);
	snprintf(out, size, "DNS_Servers = ( \"%s\" )\nHostname = "
	    "\"Me.example\"\nRemote_SMTP_Port = 2600\n%s\n",
	    addr_format((const struct sockaddr *)&ss, at, sizeof at), more);
}

static void
start(const char *more)
{
	struct error err = { 0 };
	char conf[4096];

	memset(&bed, 0, sizeof bed);
	bed.loop = loop_create();
	bed.dns = fake_dns_create(bed.loop);
	conf_write(conf, sizeof conf, more);
	ck_assert_msg(worker_harness_start(&bed.h, bed.loop,
	    "resolver/resolver", ROLE_RESOLVER, 0, slice_of(conf), &err) == 0,
	    "%s", err.text);
	worker_harness_wait(&bed.h, 10 * SECOND, worker_harness_is_ready,
	    &bed.h);
	ck_assert_msg(bed.h.ready, "not ready: %.*s %.*s",
	    SLICE_ARG(buf_slice(&bed.h.failed)),
	    SLICE_ARG(buf_slice(&bed.h.log)));
	ck_assert_int_eq(worker_harness_link(&bed.h, &bed.peer, ROLE_DELIVERER,
	    0, on_peer, NULL, NULL, &err), 0);
	ck_assert_int_eq(worker_harness_link(&bed.h, &bed.console,
	    ROLE_CONSOLE, 0, on_peer, NULL, NULL, &err), 0);
}

static void
stop(void)
{
	int status = worker_harness_stop(&bed.h, 10 * SECOND);

	ipc_link_close(&bed.peer);
	ipc_link_close(&bed.console);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "wait status %x", (unsigned)status);
	fake_dns_destroy(&bed.dns);
	loop_destroy(&bed.loop);
}

static void
send_ask(unsigned query, enum resolve_kind kind, const char *name)
{
	struct buf *b = ipc_begin(&bed.peer, IPC_RESOLVE);

	bed.answer[query].came = false;
	wire_put_u32(b, query);
	wire_put_u8(b, (uint8_t)kind);
	wire_put_slice(b, slice_of(name));
	ipc_end(&bed.peer);
}

static struct answer *
ask_kind(enum resolve_kind kind, const char *name)
{
	send_ask(0, kind, name);
	ck_assert_msg(worker_harness_wait(&bed.h, 15 * SECOND, has_come,
	    &bed.answer[0]), "no answer for %s", name);
	return &bed.answer[0];
}

static struct answer *
ask(const char *name)
{
	return ask_kind(RESOLVE_MX, name);
}

static const char *
console(const char *argument)
{
	struct buf *b = ipc_begin(&bed.console, IPC_ASK);

	bed.told[0] = '\0';
	bed.told_last = false;
	wire_put_u32(b, 7);
	wire_put_slice(b, SLICE("dns_cache"));
	wire_put_slice(b, slice_of(argument));
	wire_put_u32(b, 100);
	ipc_end(&bed.console);
	ck_assert(worker_harness_wait(&bed.h, 5 * SECOND, told_all, NULL));
	return bed.told;
}

START_TEST(zone)
{
	struct fake_dns *d;
	struct answer *a;

	start("Use_IPv6 = true");
	d = bed.dns;
	fake_dns_soa(d, "example", 300, 60);
	fake_dns_mx(d, "a.example", 300, 20, "mx2.example");
	fake_dns_mx(d, "a.example", 300, 10, "MX1.example");
	fake_dns_mx(d, "a.example", 300, 5, "nowhere.example");
	fake_dns_a(d, "mx1.example", 120, "192.0.2.1");
	fake_dns_aaaa(d, "mx1.example", 300, "2001:db8::1");
	fake_dns_a(d, "mx2.example", 300, "192.0.2.2");
	fake_dns_mx(d, "null.example", 300, 0, ".");
	fake_dns_a(d, "plain.example", 90, "192.0.2.3");
	fake_dns_mx(d, "gone.example", 300, 10, "nowhere.example");
	fake_dns_mx(d, "odd.example", 300, 10, "192.0.2.1");
	fake_dns_mx(d, "odd.example", 300, 10, "localhost");
	fake_dns_cname(d, "alias.example", 30, "a.example");
	a = ask("A.Example.");
	ck_assert_int_eq(a->status, RESOLVE_OK);
	ck_assert_str_eq(a->hosts,
	    "10 mx1.example 192.0.2.1 v6:01;20 mx2.example 192.0.2.2");
	ck_assert_uint_eq(a->ttl, 60);	/* the denial of nowhere */
	ck_assert_str_eq(ask("alias.example")->hosts,
	    "10 mx1.example 192.0.2.1 v6:01;20 mx2.example 192.0.2.2");
	ck_assert_uint_le(bed.answer[0].ttl, 30);
	a = ask("null.example");
	ck_assert_int_eq(a->status, RESOLVE_NULL_MX);
	ck_assert_str_eq(a->text, "null.example takes no mail (null MX)");
	a = ask("plain.example");
	ck_assert_int_eq(a->status, RESOLVE_OK);
	ck_assert_str_eq(a->hosts, "0 plain.example 192.0.2.3");
	ck_assert_int_eq(ask("gone.example")->status, RESOLVE_NO_DATA);
	ck_assert_int_eq(ask("odd.example")->status, RESOLVE_NO_DATA);
	a = ask("none.example");
	ck_assert_int_eq(a->status, RESOLVE_NO_NAME);
	ck_assert_str_eq(a->text, "none.example does not exist (NXDOMAIN)");
	ck_assert_int_eq(ask("mail..example")->status, RESOLVE_NO_NAME);
	ck_assert_int_eq(ask("b\xc3\xbc.example")->status, RESOLVE_NO_NAME);
	a = ask_kind(RESOLVE_HOST, "a.example");
	ck_assert_int_eq(a->status, RESOLVE_NO_DATA);
	stop();
}
END_TEST

START_TEST(literals_ask_nobody)
{
	static const char *const names[][2] = {
		{ "192.0.2.7", "0 192.0.2.7 192.0.2.7" },
		{ "[192.0.2.7]", "0 [192.0.2.7] 192.0.2.7" },
		{ "[IPv6:2001:db8::7]", "0 [ipv6:2001:db8::7] v6:07" },
		{ "localhost", "0 localhost 127.0.0.1" },
	};

	start("");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ck_assert_str_eq(ask(names[i][0])->hosts, names[i][1]);
	}
	ck_assert_uint_eq(fake_dns_asked(bed.dns, NULL), 0);
	stop();
}
END_TEST

START_TEST(loops)
{
	struct answer *a;

	start("ESMTP_Listener { Listen \"127.0.0.9:2600\" { } "
	    "Banner_Hostname = \"banner.example\" }");
	fake_dns_mx(bed.dns, "by-name.example", 300, 10, "me.EXAMPLE");
	fake_dns_a(bed.dns, "me.example", 300, "192.0.2.1");
	a = ask("by-name.example");
	ck_assert_int_eq(a->status, RESOLVE_LOOP);
	ck_assert_uint_eq(a->n_hosts, 0);
	fake_dns_mx(bed.dns, "by-ip.example", 300, 10, "x.example");
	fake_dns_mx(bed.dns, "by-ip.example", 300, 10, "y.example");
	fake_dns_mx(bed.dns, "by-ip.example", 300, 5, "z.example");
	fake_dns_a(bed.dns, "x.example", 300, "192.0.2.4");
	fake_dns_a(bed.dns, "y.example", 300, "127.0.0.9");
	fake_dns_a(bed.dns, "z.example", 300, "192.0.2.5");
	a = ask("by-ip.example");	/* better than we: kept */
	ck_assert_int_eq(a->status, RESOLVE_OK);
	ck_assert_str_eq(a->hosts, "5 z.example 192.0.2.5");
	ck_assert_int_eq(ask("banner.example")->status, RESOLVE_NO_NAME);
	ck_assert_int_eq(ask("127.0.0.9")->status, RESOLVE_LOOP);
	ck_assert_int_eq(ask("127.0.0.8")->status, RESOLVE_OK);
	ck_assert_int_eq(ask_kind(RESOLVE_HOST, "y.example")->status,
	    RESOLVE_OK);	/* a smart host is the operator's word */
	stop();
}
END_TEST

START_TEST(single_flight_and_cache)
{
	struct score_slot *s;

	start("");
	fake_dns_soa(bed.dns, "example", 300, 60);
	fake_dns_mx(bed.dns, "a.example", 300, 10, "mx.example");
	fake_dns_a(bed.dns, "mx.example", 300, "192.0.2.1");
	for (unsigned i = 0; i < 10; i++) {
		send_ask(i, RESOLVE_MX, "a.example");
	}
	for (unsigned i = 0; i < 10; i++) {
		ck_assert(worker_harness_wait(&bed.h, 5 * SECOND, has_come,
		    &bed.answer[i]));
		ck_assert_int_eq(bed.answer[i].status, RESOLVE_OK);
	}
	ck_assert_uint_eq(fake_dns_asked(bed.dns, NULL), 2);
	ask("no.example");
	ask("no.example");
	ck_assert_uint_eq(fake_dns_asked(bed.dns, "no.example"), 1);
	fake_dns_mode(bed.dns, "bad.example", FAKE_DNS_SERVFAIL);
	ck_assert_int_eq(ask("bad.example")->status, RESOLVE_TEMPORARY);
	ck_assert_ptr_nonnull(strstr(bed.answer[0].text,
	    "answered SERVFAIL (bad.example MX)"));
	ask("bad.example");
	ck_assert_uint_eq(fake_dns_asked(bed.dns, "bad.example"), 1);
	ck_assert_ptr_nonnull(strstr(console("lookup a.example"),
	    "{\"name\":\"a.example\",\"type\":\"MX\",\"status\":\"data\","));
	ck_assert_ptr_nonnull(strstr(bed.told, "\"10 mx.example\""));
	ck_assert_ptr_nonnull(strstr(console("lookup bad.example"), "why"));
	ck_assert_ptr_nonnull(strstr(console("stats"), "\"dead\":false"));
	ck_assert_str_eq(console("purge A.example"), "{\"purged\":1}\n");
	ck_assert_ptr_nonnull(strstr(console("purge"), "\"error\""));
	ask("a.example");
	ck_assert_uint_eq(fake_dns_asked(bed.dns, "a.example"), 2);
	ck_assert_str_eq(console("purge *"), "{\"purged\":4}\n");
	s = &bed.h.scoreboard->slot[ROLE_RESOLVER][0];
	ck_assert_uint_eq(atomic_load(&s->state), SCORE_RUNNING);
	stop();
}
END_TEST

START_TEST(hostile_reply_and_reload)
{
	struct error err = { 0 };
	struct fake_dns *other;
	char conf[4096];

	start("");
	fake_dns_mode(bed.dns, NULL, FAKE_DNS_COMPRESSED_QUESTION);
	ck_assert_int_eq(ask("a.example")->status, RESOLVE_TEMPORARY);
	/* A reload brings another server. */
	other = bed.dns;
	bed.dns = fake_dns_create(bed.loop);
	fake_dns_a(bed.dns, "b.example", 300, "192.0.2.1");
	conf_write(conf, sizeof conf, "");
	ck_assert_int_eq(worker_harness_config(&bed.h, slice_of(conf), &err),
	    0);
	ipc_flush(&bed.h.control);
	while (atomic_load(&bed.h.scoreboard->slot[ROLE_RESOLVER][0]
	    .generation) < 2) {
		loop_turn(bed.loop, false);
	}
	ck_assert_int_eq(ask("b.example")->status, RESOLVE_OK);
	fake_dns_destroy(&other);
	stop();
}
END_TEST

START_TEST(drain_answers_first)
{
	start("");
	fake_dns_mx(bed.dns, "a.example", 300, 10, "mx.example");
	fake_dns_a(bed.dns, "mx.example", 300, "192.0.2.1");
	send_ask(0, RESOLVE_MX, "a.example");
	ipc_flush(&bed.peer);
	while (fake_dns_asked(bed.dns, NULL) == 0) {
		loop_turn(bed.loop, true);
	}
	worker_harness_drain(&bed.h);
	ck_assert(worker_harness_wait(&bed.h, 5 * SECOND, has_come,
	    &bed.answer[0]));
	ck_assert_int_eq(bed.answer[0].status, RESOLVE_OK);
	ck_assert(worker_harness_wait(&bed.h, 5 * SECOND,
	    worker_harness_is_gone, &bed.h));
	stop();
}
END_TEST

START_TEST(bad_peer_is_dropped)
{
	struct buf *b;

	start("");
	b = ipc_begin(&bed.peer, IPC_RESOLVE);
	wire_put_u32(b, 1);
	wire_put_u8(b, 99);
	wire_put_slice(b, SLICE("a.example"));
	ipc_end(&bed.peer);
	ipc_flush(&bed.peer);
	while (ipc_link_is_up(&bed.peer)) {
		loop_turn(bed.loop, true);
	}
	ck_assert_ptr_nonnull(strstr(console("stats"), "\"entries\":0"));
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("resolver");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, zone);
	tcase_add_test(t, literals_ask_nobody);
	tcase_add_test(t, loops);
	tcase_add_test(t, single_flight_and_cache);
	tcase_add_test(t, hostile_reply_and_reload);
	tcase_add_test(t, drain_answers_first);
	tcase_add_test(t, bad_peer_is_dropped);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
