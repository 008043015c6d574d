/* SPDX-License-Identifier: Apache-2.0 */
/* What every test of the whole process starts with. */
#include "tests/deliverer/process.h"

#include <check.h>

/* The one process under test of a forked test. */
struct loop *loop;
struct worker_harness h;
struct fake_spooler sp;
struct scripted_peer peer, other;
struct fake_resolver dns;

static void
fail_with_log(const char *what)
{
	ck_abort_msg("%s; log: %.*s %.*s", what, SLICE_ARG(buf_slice(&h.log)),
	    SLICE_ARG(buf_slice(&h.failed)));
}

/* What stands in shared memory makes no event: the loop looks often. */
static struct loop_timer glance;

static void
on_glance(void *arg)
{
	(void)arg;
	loop_timer_set(&glance, 5000);
}

void
start(const char *caps, const struct peer_rule *rules, size_t n_rules,
    const char *more)
{
	struct error err = { 0 };
	char conf[2048];

	signal(SIGPIPE, SIG_IGN);
	loop = loop_create();
	loop_timer_init(&glance, loop, on_glance, NULL);
	on_glance(NULL);
	scripted_peer_open(&peer, loop, caps, rules, n_rules);
	scripted_peer_open(&other, loop, caps, NULL, 0);
	snprintf(conf, sizeof conf, "Gateway = \"127.0.0.1:%u\"\n"
	    "EHLO_Hostname = \"me.example.com\"\n"
	    "Host_Failure_Retry = 60\n%s", peer.port, more);
	ck_assert_msg(worker_harness_start(&h, loop, "deliverer/deliverer",
	    ROLE_DELIVERER, 0, slice_of(conf), &err) == 0, "%s", err.text);
	worker_harness_wait(&h, PATIENCE_US, worker_harness_is_ready, &h);
	if (!h.ready) {
		fail_with_log("not ready");
	}
	fake_spooler_init(&sp, &h);
	fake_spooler_up(&sp, 9);
}

static void
stop(void)
{
	int status = worker_harness_stop(&h, PATIENCE_US);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "wait status %x", status);
	fake_spooler_fini(&sp);
}

static void
tidy(void)
{
	scripted_peer_close(&other);
	loop_timer_stop(&glance);
	loop_destroy(&loop);
}

void
finish_without_peer(void)
{
	stop();
	tidy();
}

void
finish(void)
{
	stop();
	scripted_peer_close(&peer);
	tidy();
}

void
configure(const char *conf)
{
	struct error err = { 0 };

	ck_assert_msg(worker_harness_config(&h, slice_of(conf), &err) == 0,
	    "%s", err.text);
}

void
wait_for(bool (*done)(void *), void *arg)
{
	if (!worker_harness_wait(&h, PATIENCE_US, done, arg)) {
		fail_with_log("waited in vain");
	}
}

static bool
is_later(void *arg)
{
	return loop_now_us(loop) >= *(uint64_t *)arg;
}

void
let_pass(uint64_t us)
{
	uint64_t until = loop_refresh_us(loop) + us;

	wait_for(is_later, &until);
}

void
add_many(unsigned n, uint32_t queue)
{
	for (unsigned i = 0; i < n; i++) {
		fake_spooler_add(&sp, queue, 1, SLICE(BODY));
	}
}

bool
all_budgets_are_back(void *arg)
{
	(void)arg;
	return budget_used(h.budget, BUDGET_SERVER) == 0 &&
	    budget_used(h.budget, 1) == 0 && budget_used(h.budget, 2) == 0;
}

static void
put_host(struct buf *b, unsigned preference, const char *name, unsigned last)
{
	static const uint8_t ip[16] = { [10] = 0xff, 0xff, 127 };

	wire_put_u16(b, (uint16_t)preference);
	wire_put_slice(b, slice_of(name));
	wire_put_u8(b, 1);
	buf_append(b, ip, 15);
	wire_put_u8(b, (uint8_t)last);
}

/* By default two exchangers, the better one said last. */
static void
answer(uint32_t query, unsigned kind)
{
	enum resolve_status status = kind == RESOLVE_MX ? dns.status :
	    RESOLVE_OK;
	unsigned hosts = kind == RESOLVE_HOST || dns.host[1] == 0 ? 1 : 2;
	struct buf *b = ipc_begin(&dns.link, IPC_RESOLVED);

	wire_put_u32(b, query);
	wire_put_u8(b, (uint8_t)status);
	wire_put_u32(b, dns.ttl);
	wire_put_slice(b, SLICE(""));
	wire_put_u16(b, (uint16_t)(status == RESOLVE_OK ? hosts : 0));
	if (status == RESOLVE_OK && kind == RESOLVE_HOST) {
		put_host(b, 0, "example.net", 1);
	} else if (status == RESOLVE_OK) {
		if (hosts == 2) {
			put_host(b, 20, "mx2.example.net", dns.host[1]);
		}
		put_host(b, 10, "mx1.example.net", dns.host[0]);
	}
	ipc_end(&dns.link);
}

static void
on_question(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	struct held_question q = { .query = wire_u32(&r),
		.kind = wire_u8(&r) };

	(void)arg;
	(void)k;
	ck_assert_int_eq(m->type, IPC_RESOLVE);
	ck_assert_uint_lt(q.kind, RESOLVE_KINDS);
	slice_copy(q.name, sizeof q.name, wire_slice(&r));
	ck_assert(!r.bad && wire_left(&r) == 0 && q.name[0] != '\0');
	dns.n_questions++;
	if (!dns.mute) {
		answer(q.query, q.kind);
		return;
	}
	ck_assert_uint_lt(dns.n_held, ARRAY_LEN(dns.held));
	dns.held[dns.n_held++] = q;
}

bool
answer_held(const char *name)
{
	for (unsigned i = 0; i < dns.n_held; i++) {
		struct held_question q = dns.held[i];

		if (strcmp(q.name, name) == 0) {
			dns.held[i] = dns.held[--dns.n_held];
			answer(q.query, q.kind);
			return true;
		}
	}
	return false;
}

void
link_resolver(void)
{
	struct error err = { 0 };

	dns.n_questions = 0;
	dns.ttl = 300;
	dns.host[0] = 2;
	dns.host[1] = 3;
	ck_assert_msg(worker_harness_link(&h, &dns.link, ROLE_RESOLVER, 0,
	    on_question, NULL, NULL, &err) == 0, "%s", err.text);
}
