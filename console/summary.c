/* SPDX-License-Identifier: Apache-2.0 */
/* What the scoreboard says, for people. */
#include "console/summary.h"

#include <time.h>

#include "common/ipc/process_state.h"

void
summary_init(struct summary *s)
{
	totals_init(&s->totals);
	rates_init(&s->delivered);
	rates_init(&s->received);
	rates_init(&s->questions);
}

void
summary_sample(struct summary *s, const struct scoreboard *b, uint64_t mono_us)
{
	totals_update(&s->totals, b);
	rates_add(&s->delivered, mono_us, totals_counter(&s->totals,
	    ROLE_SPOOLER, SCORE_S_DELIVERED));
	rates_add(&s->received, mono_us, totals_counter(&s->totals,
	    ROLE_SPOOLER, SCORE_S_RECEIVED));
	rates_add(&s->questions, mono_us, totals_counter(&s->totals,
	    ROLE_RESOLVER, SCORE_R_SENT));
}

/* The lines in their order: X(JSON key, words, kind, what of it). */
#define SUMMARY_LINES(X) \
	X("outbound_concurrency", "Outbound Concurrency", \
	  GAUGE, DELIVERER, SCORE_D_CONNECTIONS) \
	X("inbound_concurrency", "Inbound Concurrency", \
	  GAUGE, LISTENER, SCORE_L_SESSIONS) \
	X("active_domains", "Active Domains", \
	  GAUGE, SPOOLER, SCORE_S_DOMAINS) \
	X("active_queue_size", "Active Queue Size", \
	  GAUGE, SPOOLER, SCORE_S_ACTIVE) \
	X("delayed_queue_size", "Delayed Queue Size", \
	  GAUGE, SPOOLER, SCORE_S_DELAYED) \
	X("in_flight", "Messages In Flight", \
	  GAUGE, SPOOLER, SCORE_S_IN_FLIGHT) \
	X("suspended", "Suspended Messages", \
	  GAUGE, SPOOLER, SCORE_S_SUSPENDED) \
	X("total_queue_size", "Total Queue Size", \
	  GAUGE, SPOOLER, SCORE_S_QUEUED) \
	X("dns_queries", "DNS Queries", \
	  COUNTER, RESOLVER, SCORE_R_SENT) \
	X("dns_cache_hits", "DNS Cache Hits", \
	  COUNTER, RESOLVER, SCORE_R_HITS) \
	X("pending_dns_queries", "Pending DNS Queries", \
	  GAUGE, RESOLVER, SCORE_R_PENDING) \
	X("successfully_delivered_messages", "Successfully Delivered Messages", \
	  COUNTER, SPOOLER, SCORE_S_DELIVERED) \
	X("failed_messages", "Failed Messages", \
	  COUNTER, SPOOLER, SCORE_S_PERMANENT) \
	X("transient_failures", "Transient Failures", \
	  COUNTER, SPOOLER, SCORE_S_TRANSIENT) \
	X("rejected_messages", "Rejected Messages", \
	  COUNTER, LISTENER, SCORE_L_REJECTED) \
	X("received_messages", "Received Messages", \
	  COUNTER, SPOOLER, SCORE_S_RECEIVED)

enum kind { KIND_GAUGE, KIND_COUNTER };

static const struct {
	const char *key, *words;
	enum kind kind;
	enum ipc_role role;
	unsigned number;
} lines[] = {
#define X(key, words, kind, role, number) \
	{ key, words, KIND_##kind, ROLE_##role, number },
	SUMMARY_LINES(X)
#undef X
};

static uint64_t
line_value(const struct summary *s, const struct scoreboard *b, size_t i)
{
	switch (lines[i].kind) {
	case KIND_GAUGE:
		return totals_gauge(b, lines[i].role, lines[i].number);
	case KIND_COUNTER:
		break;
	}
	return totals_counter(&s->totals, lines[i].role, lines[i].number);
}

/* Either list grows: data, or text if data is NULL. */
static void
put_number(json_t *data, struct buf *text, const char *key, const char *words,
    const char *unit, uint64_t n)
{
	if (data != NULL) {
		json_object_set_new(data, key, json_integer((json_int_t)n));
	} else {
		buf_printf(text, "%s: %llu%s\n", words, (unsigned long long)n,
		    unit);
	}
}

static void
put_rate(json_t *data, struct buf *text, const char *key, const char *words,
    const char *unit, const struct rates *r)
{
	double rate = rates_per_second(r);

	if (data != NULL) {
		json_object_set_new(data, key, json_real(rate));
	} else {
		buf_printf(text, "%s: %.2f (%s/second)\n", words, rate, unit);
	}
}

static void
put_all(struct summary *s, const struct scoreboard *b, uint64_t wall_us,
    json_t *data, struct buf *text)
{
	uint64_t start = atomic_load(&b->started_us);

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		put_number(data, text, lines[i].key, lines[i].words, "",
		    line_value(s, b, i));
	}
	put_rate(data, text, "delivery_rate", "Delivery Rate", "messages",
	    &s->delivered);
	put_rate(data, text, "reception_rate", "Reception Rate", "messages",
	    &s->received);
	put_rate(data, text, "query_rate", "Query Rate", "queries",
	    &s->questions);
	put_number(data, text, "uptime", "Uptime", " (seconds)",
	    start != 0 && wall_us > start ? (wall_us - start) / 1000000u : 0);
}

void
summary_answer(struct summary *s, const struct scoreboard *b,
    uint64_t wall_us, const struct request *how, struct buf *out)
{
	json_t *data = how->json ? json_object() : NULL;
	struct buf text;

	totals_update(&s->totals, b);
	buf_init(&text, CONTROL_TEXT_MAX);
	put_all(s, b, wall_us, data, &text);
	if (data != NULL) {
		answer_data(out, data);
		json_decref(data);
	} else {
		answer_text(out, buf_slice(&text));
	}
	buf_fini(&text);
}

static json_t *
worker_data(const struct scoreboard *b, unsigned role, unsigned index)
{
	const struct score_process *p = &b->process[role][index];
	const struct score_slot *slot = &b->slot[role][index];
	json_t *o = json_object(), *numbers = json_object();
	const struct score_name *names;
	unsigned count = 0;
	char name[32];

	snprintf(name, sizeof name, "%s/%u", ipc_role_name(role), index);
	json_object_set_new(o, "worker", json_string(name));
	json_object_set_new(o, "pid", json_integer(atomic_load(&p->pid)));
	json_object_set_new(o, "state", json_string(
	    process_state_name(atomic_load(&p->state))));
	json_object_set_new(o, "restarts",
	    json_integer(atomic_load(&p->restarts)));
	json_object_set_new(o, "since", json_integer((json_int_t)(
	    atomic_load(&p->since_us) / 1000000u)));
	json_object_set_new(o, "generation",
	    json_integer(atomic_load(&slot->generation)));
	names = score_names(role, &count);
	for (unsigned n = 0; n < count; n++) {
		json_object_set_new(numbers, names[n].name,
		    json_integer((json_int_t)score_get(slot, n)));
	}
	json_object_set_new(o, "numbers", numbers);
	return o;
}

static void
time_cell(struct table *t, uint64_t wall_us)
{
	time_t when = (time_t)(wall_us / 1000000u);
	char text[32] = "";
	struct tm tm;

	if (wall_us != 0 && localtime_r(&when, &tm) != NULL) {
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	}
	table_cell(t, slice_of(text));
}

/* What stands at nothing is left away: most numbers of a quiet server. */
static void
numbers_cell(struct table *t, const struct score_slot *slot, unsigned role)
{
	const struct score_name *names;
	unsigned count = 0;
	char text[TABLE_CELL_MAX] = "";
	size_t len = 0;

	names = score_names(role, &count);
	for (unsigned n = 0; n < count && len < sizeof text; n++) {
		uint64_t v = score_get(slot, n);

		if (v != 0) {
			len += (size_t)snprintf(text + len, sizeof text - len,
			    "%s%s=%llu", len > 0 ? " " : "", names[n].name,
			    (unsigned long long)v);
		}
	}
	table_cell(t, slice_of(text));
}

static void
worker_row(struct table *t, const struct scoreboard *b, unsigned role,
    unsigned index)
{
	const struct score_process *p = &b->process[role][index];
	char name[32];

	snprintf(name, sizeof name, "%s/%u", ipc_role_name(role), index);
	table_cell(t, slice_of(name));
	table_number(t, atomic_load(&p->pid));
	table_cell(t, slice_of(process_state_name(atomic_load(&p->state))));
	table_number(t, atomic_load(&p->restarts));
	time_cell(t, atomic_load(&p->since_us));
	numbers_cell(t, &b->slot[role][index], role);
	table_row(t);
}

static void
table_head(struct table *t)
{
	static const char *const head[] = { "WORKER", "PID", "STATE",
		"RESTARTS", "SINCE", "NUMBERS" };

	for (size_t i = 0; i < ARRAY_LEN(head); i++) {
		table_cell(t, slice_of(head[i]));
	}
	table_row(t);
}

static bool
is_there(const struct scoreboard *b, unsigned role, unsigned index)
{
	return index < atomic_load(&b->n_workers[role]) ||
	    atomic_load(&b->process[role][index].pid) != 0 ||
	    atomic_load(&b->process[role][index].state) != PROCESS_DEAD;
}

void
summary_workers(const struct scoreboard *b, const struct request *how,
    struct buf *out)
{
	struct table t;

	table_init(&t, CONTROL_ANSWER_MAX);
	table_head(&t);
	for (unsigned role = ROLE_SUPERVISOR + 1; role < ROLE_COUNT; role++) {
		for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
			if (!is_there(b, role, i)) {
				continue;
			}
			if (how->json) {
				json_t *o = worker_data(b, role, i);

				answer_data(out, o);
				json_decref(o);
			} else {
				worker_row(&t, b, role, i);
			}
		}
	}
	answer_table(out, how, &t);
	table_fini(&t);
}
