/* SPDX-License-Identifier: Apache-2.0 */
/* The console's commands. */
#include "console/commands.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/mail/esc.h"
#include "console/command_table.h"

#define QUEUE_LIMIT 100u
#define QUEUE_LIMIT_MAX 20000u
#define DOMAIN_MAX 255u

static void
fail(struct client *c, const char *fmt, ...) EC_PRINTF(2, 3);

static void
fail(struct client *c, const char *fmt, ...)
{
	char sentence[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, ap);
	va_end(ap);
	ask_end(&c->ask);
	answer_end(&c->out, sentence);
	clients_answered(c);
}

static void
succeed(struct client *c)
{
	ask_end(&c->ask);
	answer_end(&c->out, NULL);
	clients_answered(c);
}

/* ---- asking others ---- */

static uint32_t
next_number(struct service *s)
{
	s->last_number += s->last_number == UINT32_MAX ? 2 : 1;	/* never 0 */
	return s->last_number;
}

static struct client *
find_asker(struct service *s, uint32_t number, enum ipc_role role)
{
	list_each(it, next, &s->clients.list) {
		struct client *c = list_entry(it, struct client, link);

		if (c->state == CLIENT_ASKING && c->ask.number == number &&
		    c->ask.role == role) {
			return c;
		}
	}
	return NULL;
}

static void
ask_peer(struct service *s, struct client *c, enum ipc_role role,
    const char *command, const char *argument, uint32_t limit)
{
	struct ipc_link *k = worker_link(s->worker, role, 0);
	struct buf *b;

	if (k == NULL) {
		fail(c, "%s/0 is not there: it is starting, or down (see "
		    "\"workers\").", ipc_role_name(role));
		return;
	}
	ask_begin(&c->ask, next_number(s), role, 0);
	b = ipc_begin(k, IPC_ASK);
	wire_put_u32(b, c->ask.number);
	wire_put_slice(b, slice_of(command));
	wire_put_slice(b, slice_of(argument));
	wire_put_u32(b, limit);
	ipc_end(k);
}

static void
ask_supervisor(struct service *s, struct client *c, enum sup_request what)
{
	struct ipc_link *k = worker_supervisor(s->worker);
	struct buf *b;

	if (!ipc_link_is_up(k)) {
		fail(c, "The supervisor is gone, and its workers are leaving.");
		return;
	}
	log_notice("console: process %ld of user %lu asked for \"%s\"",
	    (long)c->peer.pid, (unsigned long)c->peer.uid,
	    command_row(command_find(&c->request))->name);
	ask_begin(&c->ask, next_number(s), ROLE_SUPERVISOR, 0);
	b = ipc_begin(k, IPC_SUP_REQUEST);
	wire_put_u32(b, c->ask.number);
	wire_put_u8(b, (uint8_t)what);
	ipc_end(k);
}

static void
asked_name(const struct ask *a, char *out, size_t size)
{
	if (a->role == ROLE_SUPERVISOR) {
		snprintf(out, size, "the supervisor");
	} else {
		snprintf(out, size, "%s/%u", ipc_role_name(a->role), a->index);
	}
}

void
commands_late(struct client *c)
{
	char name[40];

	asked_name(&c->ask, name, sizeof name);
	fail(c, "No answer from %s within %u seconds: it is busy or stuck "
	    "(see \"workers\").", name,
	    (unsigned)(c->all->limits.answer_us / 1000000u));
}

void
commands_link_down(struct service *s, struct ipc_link *k)
{
	list_each(it, next, &s->clients.list) {
		struct client *c = list_entry(it, struct client, link);

		if (c->state == CLIENT_ASKING && c->ask.number != 0 &&
		    c->ask.role == (enum ipc_role)k->peer &&
		    c->ask.index == k->peer_index) {
			fail(c, "%s/%u went away before it had answered: try "
			    "again in a moment.", ipc_role_name(k->peer),
			    k->peer_index);
		}
	}
}

static void
told_all(struct client *c)
{
	const json_t *error = ask_error(&c->ask);

	if (error != NULL) {
		answer_end_raw(&c->out, slice_make(json_string_value(error),
		    json_string_length(error)));
		ask_end(&c->ask);
		clients_answered(c);
		return;
	}
	answer_rows(&c->out, &c->request, c->ask.rows);
	if (json_object_size(c->ask.end) > 0) {
		answer_lines(&c->out, &c->request, c->ask.end);
	}
	succeed(c);
}

void
commands_told(struct service *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t number = wire_u32(&r);
	bool last = wire_u8(&r) != 0;
	struct slice line = wire_bytes(&r, wire_left(&r));
	struct client *c;
	char name[40];

	if (r.bad || number == 0) {
		worker_bad_peer(s->worker, k, "malformed TOLD");
		return;
	}
	c = find_asker(s, number, (enum ipc_role)k->peer);
	if (c == NULL) {
		return;		/* its client left, or it came too late */
	}
	asked_name(&c->ask, name, sizeof name);
	switch (ask_take(&c->ask, last, line)) {
	case ASK_MORE:
		break;
	case ASK_DONE:
		told_all(c);
		break;
	case ASK_BAD:
		fail(c, "%s gave an answer that is no JSON.", name);
		break;
	case ASK_TOO_MUCH:
		fail(c, "The answer of %s is larger than %u MiB: ask for "
		    "less.", name, CONTROL_ANSWER_MAX >> 20);
		break;
	}
}

void
commands_sup_answer(struct service *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t number = wire_u32(&r);
	bool ok = wire_u8(&r) != 0;
	struct slice text = wire_slice(&r);
	struct client *c = find_asker(s, number, ROLE_SUPERVISOR);

	if (r.bad || number == 0) {
		worker_bad_peer(s->worker, k, "malformed SUP_ANSWER");
		return;
	}
	if (c == NULL) {
		return;
	}
	while (text.len > 0 && text.ptr[text.len - 1] == '\n') {
		text.len--;
	}
	if (ok) {
		answer_raw(&c->out, &c->request, text);
		succeed(c);
	} else {
		answer_end_raw(&c->out, text);
		ask_end(&c->ask);
		clients_answered(c);
	}
}

/* ---- the commands ---- */

static void
run_queue(struct service *s, struct client *c, unsigned first)
{
	const struct request *q = &c->request;
	unsigned n = q->n_words - first;
	const char *domain = n > 0 ? q->word[first] : "";
	uint64_t limit = QUEUE_LIMIT;

	if (n == 1 && num_parse_u64(slice_of(domain), &limit)) {
		domain = "";	/* "queue 20" */
	}
	if ((n == 2 && !num_parse_u64(slice_of(q->word[first + 1]), &limit)) ||
	    limit == 0 || limit > QUEUE_LIMIT_MAX) {
		fail(c, "LIMIT is a number from 1 to %u.", QUEUE_LIMIT_MAX);
		return;
	}
	if (strlen(domain) > DOMAIN_MAX) {
		fail(c, "A domain has at most %u bytes.", DOMAIN_MAX);
		return;
	}
	ask_peer(s, c, ROLE_SPOOLER, "queue", domain, (uint32_t)limit);
}

static void
run_dns_cache(struct service *s, struct client *c, const char *verb)
{
	const struct request *q = &c->request;
	char argument[CONTROL_WORD_MAX + 16];

	snprintf(argument, sizeof argument, "%s%s%s", verb,
	    q->n_words > 2 ? " " : "", q->n_words > 2 ? q->word[2] : "");
	ask_peer(s, c, ROLE_RESOLVER, "dns_cache", argument, QUEUE_LIMIT);
}

/* One fact: a line of text, or {"key": value}. */
static void
put_fact(struct client *c, const char *key, json_t *value, const char *text)
{
	json_t *o = json_object();

	json_object_set_new(o, key, value);
	if (c->request.json) {
		answer_data(&c->out, o);
	} else {
		answer_text(&c->out, slice_of(text));
	}
	json_decref(o);
	succeed(c);
}

static void
run_version(struct client *c)
{
	put_fact(c, "version", json_string(PACKAGE_VERSION),
	    "ecelerity version: " PACKAGE_VERSION "\n");
}

static void
run_pid(struct service *s, struct client *c)
{
	char text[32];

	snprintf(text, sizeof text, "%ld\n", (long)s->supervisor_pid);
	put_fact(c, "pid", json_integer(s->supervisor_pid), text);
}

static void
run_help(struct client *c)
{
	json_t *rows = json_array();
	char line[100];

	for (unsigned id = 0; id < COMMAND_COUNT; id++) {
		const struct command *row = command_row((enum command_id)id);
		json_t *o = json_object();

		snprintf(line, sizeof line, "%s%s%s", row->name,
		    row->usage[0] != '\0' ? " " : "", row->usage);
		json_object_set_new(o, "command", json_string(line));
		json_object_set_new(o, "what_it_does", json_string(row->doc));
		json_array_append_new(rows, o);
	}
	answer_rows(&c->out, &c->request, rows);
	json_decref(rows);
	succeed(c);
}

static void
run_unknown(struct client *c)
{
	const char *near = command_nearest(&c->request);
	char asked[100];
	size_t n = esc_write(asked, sizeof asked - 1,
	    slice_of(c->request.word[0]), ESC_TEXT, NULL);

	asked[n] = '\0';
	if (near != NULL) {
		fail(c, "There is no command \"%s\"; did you mean \"%s\"? "
		    "\"help\" lists all.", asked, near);
	} else {
		fail(c, "There is no command \"%s\"; \"help\" lists all.",
		    asked);
	}
}

static void
run(struct service *s, struct client *c, enum command_id id, unsigned first)
{
	switch (id) {
	case COMMAND_SUMMARY:
		summary_answer(&s->summary, worker_scoreboard(s->worker),
		    clock_wall_us(), &c->request, &c->out);
		succeed(c);
		return;
	case COMMAND_WORKERS:
		summary_workers(worker_scoreboard(s->worker), &c->request,
		    &c->out);
		succeed(c);
		return;
	case COMMAND_QUEUE:
		run_queue(s, c, first);
		return;
	case COMMAND_DNS_LOOKUP:
		run_dns_cache(s, c, "lookup");
		return;
	case COMMAND_DNS_STATS:
		run_dns_cache(s, c, "stats");
		return;
	case COMMAND_DNS_PURGE:
		run_dns_cache(s, c, "purge");
		return;
	case COMMAND_RELOAD:
		ask_supervisor(s, c, SUP_RELOAD);
		return;
	case COMMAND_REOPEN_LOGS:
		ask_supervisor(s, c, SUP_REOPEN_LOGS);
		return;
	case COMMAND_SHUTDOWN:
		ask_supervisor(s, c, SUP_SHUTDOWN);
		return;
	case COMMAND_VERSION:
		run_version(c);
		return;
	case COMMAND_PID:
		run_pid(s, c);
		return;
	case COMMAND_HELP:
		run_help(c);
		return;
	case COMMAND_COUNT:
		run_unknown(c);
		return;
	}
}

void
commands_run(struct service *s, struct client *c)
{
	enum command_id id = command_find(&c->request);
	unsigned first = 0, n;

	if (id != COMMAND_COUNT) {
		const struct command *row = command_row(id);

		first = command_words(id);
		n = c->request.n_words - first;
		if (n < row->least || n > row->most) {
			fail(c, "Usage: %s%s%s", row->name,
			    row->usage[0] != '\0' ? " " : "", row->usage);
			return;
		}
	}
	run(s, c, id, first);
}
