/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver's messages: RESOLVE and ASK in, RESOLVED and TOLD out. */
#include "resolver/resolver.h"

#include "resolver/servers.h"

#define TICK_US 1000000u
#define TOLD_MAX (IPC_BODY_MAX / 2)	/* one answer to the console */

static void
put_hosts(struct buf *b, const struct resolve_result *res)
{
	_Static_assert(MX_HOSTS_MAX * (2 + 2 + DNS_NAME_TEXT_MAX + 1 +
	    MX_ADDRESSES_MAX * 16) + 1024 < 60000, "RESOLVED fits a packet");
	wire_put_u16(b, (uint16_t)res->n_hosts);
	for (size_t i = 0; i < res->n_hosts; i++) {
		const struct mx_host *h = &res->hosts[i];

		wire_put_u16(b, h->preference);
		wire_put_slice(b, slice_make(h->name, h->name_len));
		wire_put_u8(b, h->n_addresses);
		buf_append(b, h->address, h->n_addresses * 16u);
	}
}

static void
on_resolved(void *arg, void *owner, uint32_t query,
    const struct resolve_result *res)
{
	struct resolver *r = arg;
	struct ipc_link *k = owner;
	struct buf *b = ipc_begin(k, IPC_RESOLVED);

	wire_put_u32(b, query);
	wire_put_u8(b, (uint8_t)res->status);
	wire_put_u32(b, res->ttl);
	wire_put_slice(b, res->text);
	put_hosts(b, res);
	ipc_end(k);
	r->open--;
	if (worker_is_draining(r->worker) && r->open == 0) {
		/* Not now: this packet must leave first. */
		loop_timer_set(&r->tick, 0);
	}
}

static void
publish(struct resolver *r)
{
	struct score_slot *s = worker_score(r->worker);
	struct resolve_stats rs;
	struct dns_cache_stats c;
	struct lookup_stats l;

	resolve_stats(r->resolve, &rs);
	dns_cache_stats(resolve_cache(r->resolve), &c);
	lookup_stats(resolve_lookup(r->resolve), &l);
	score_set(s, SCORE_R_QUESTIONS, rs.questions);
	score_set(s, SCORE_R_HITS, c.hits);
	score_set(s, SCORE_R_SENT, l.sent + l.tcp);
	score_set(s, SCORE_R_FAILURES, l.failures);
	score_set(s, SCORE_R_TCP, l.tcp);
	score_set(s, SCORE_R_CACHED, c.entries - c.pending);
	score_set(s, SCORE_R_PENDING, rs.jobs);
}

static void
on_tick(void *arg)
{
	struct resolver *r = arg;

	loop_refresh_us(worker_loop(r->worker));
	resolve_tick(r->resolve);
	publish(r);
	loop_timer_set(&r->tick, TICK_US);
	if (worker_is_draining(r->worker) && r->open == 0) {
		worker_finished(r->worker);
	}
}

int
resolver_start(struct worker *w, int *exit_code_out, struct error *err_out)
{
	struct resolver *r = worker_ctx(w);
	const struct config *cfg = worker_config(w);

	(void)exit_code_out;	/* 71 is right: only the system can fail us */
	r->worker = w;
	lookup_defaults(&r->options);
	if (self_read_addresses(&r->own, err_out) < 0) {
		return -1;
	}
	servers_read_file(config_string(cfg, NULL, OPT_RESOLV_CONF).ptr,
	    &r->from_file);
	servers_choose(cfg, &r->from_file, &r->options);
	r->resolve = resolve_create(worker_loop(w), cfg, &r->own, &r->options,
	    on_resolved, r);
	loop_timer_init(&r->tick, worker_loop(w), on_tick, r);
	on_tick(r);
	return 0;
}

void
resolver_reconfigure(struct worker *w)
{
	struct resolver *r = worker_ctx(w);

	servers_choose(worker_config(w), &r->from_file, &r->options);
	resolve_configure(r->resolve, worker_config(w), &r->options);
}

static void
on_resolve(struct resolver *r, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r in = wire_reader(m->body);
	uint32_t query = wire_u32(&in);
	uint8_t kind = wire_u8(&in);
	struct slice name = wire_slice(&in);

	if (in.bad || wire_left(&in) != 0 || kind >= RESOLVE_KINDS) {
		worker_bad_peer(r->worker, k, "malformed RESOLVE");
		return;
	}
	r->open++;
	resolve_ask(r->resolve, (enum resolve_kind)kind, name, k, query);
}

static void
tell(struct ipc_link *k, uint32_t request, bool last, struct slice line)
{
	struct buf *b = ipc_begin(k, IPC_TOLD);

	wire_put_u32(b, request);
	wire_put_u8(b, last);
	buf_add(b, line);
	ipc_end(k);
}

static void
on_ask(struct resolver *r, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r in = wire_reader(m->body);
	uint32_t request = wire_u32(&in);
	struct slice command = wire_slice(&in), argument = wire_slice(&in);
	struct slice left;
	struct buf out;

	wire_u32(&in);	/* limit: an answer is a few lines */
	if (in.bad) {
		worker_bad_peer(r->worker, k, "malformed ASK");
		return;
	}
	if (!slice_eq(command, SLICE("dns_cache"))) {
		tell(k, request, true,
		    SLICE("{\"error\":\"the resolver knows dns_cache\"}"));
		return;
	}
	buf_init(&out, TOLD_MAX);
	cache_ask(r->resolve, argument, loop_now_us(worker_loop(r->worker)),
	    &out);
	left = buf_slice(&out);
	if (out.full) {
		left = SLICE("{\"error\":\"the answer is too long\"}\n");
	}
	while (left.len > 0) {
		struct slice line = slice_cut(&left, '\n');

		tell(k, request, left.len == 0, line);
	}
	buf_fini(&out);
}

void
resolver_message(struct worker *w, struct ipc_link *k, struct ipc_msg *m)
{
	if (m->type == IPC_RESOLVE) {
		on_resolve(worker_ctx(w), k, m);
	} else if (m->type == IPC_ASK) {
		on_ask(worker_ctx(w), k, m);
	}
	/* The supervisor's others (a peer died) need nothing: the link went
	 * down, or will. */
}

void
resolver_link_down(struct worker *w, struct ipc_link *k, const char *reason)
{
	struct resolver *r = worker_ctx(w);

	(void)reason;
	r->open -= resolve_forget(r->resolve, k);
	if (worker_is_draining(w) && r->open == 0) {
		worker_finished(w);
	}
}

void
resolver_drain(struct worker *w)
{
	struct resolver *r = worker_ctx(w);

	/* Deliverers drain before us and may still ask: each answer looks
	 * whether it was the last. */
	if (r->open == 0) {
		worker_finished(w);
	}
}

void
resolver_title(struct worker *w, char *out, size_t size)
{
	struct score_slot *s = worker_score(w);

	snprintf(out, size, "%llu cached, %llu pending",
	    (unsigned long long)score_get(s, SCORE_R_CACHED),
	    (unsigned long long)score_get(s, SCORE_R_PENDING));
}
