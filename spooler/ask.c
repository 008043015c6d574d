/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's questions, answered from memory without stopping anything:
 *
 *	queue [DOMAIN]	one line of JSON per queue, at most `limit`, then totals
 */
#include "spooler/spooler.h"

#include "common/base/wire.h"

#define ASK_LIMIT 10000u

/* A JSON string: domains are US-ASCII by the address parser, but be sure. */
static void
put_string(struct buf *b, const char *key, struct slice v)
{
	buf_printf(b, "\"%s\":\"", key);
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) {
			buf_printf(b, "\\u%04x", c);
		} else {
			buf_putc(b, (char)c);
		}
	}
	buf_puts(b, "\"");
}

static void
tell_line(struct ipc_link *k, uint32_t request, bool last, struct buf *line)
{
	struct buf *b = ipc_begin(k, IPC_TOLD);

	wire_put_u32(b, request);
	wire_put_u8(b, last);
	buf_add(b, buf_slice(line));
	ipc_end(k);
	buf_clear(line);
}

static void
tell_queue(struct ipc_link *k, uint32_t request, struct queue *q,
    struct buf *line)
{
	buf_putc(line, '{');
	put_string(line, "domain", q->domain);
	buf_putc(line, ',');
	put_string(line, "binding", q->binding.len ? q->binding :
	    SLICE("default"));
	buf_putc(line, ',');
	put_string(line, "group", q->group.len ? q->group : SLICE("default"));
	buf_printf(line, ",\"active\":%u,\"delayed\":%u,\"in_flight\":%u,"
	    "\"suspended\":%s}", q->n_active, q->n_delayed, q->n_flight,
	    q->suspended ? "true" : "false");
	tell_line(k, request, false, line);
}

static void
ask_queue(struct spooler *s, struct ipc_link *k, uint32_t request,
    struct slice domain, uint32_t limit)
{
	struct queue *q, *tmp;
	struct buf line;
	uint32_t n = 0;

	buf_init(&line, 8192);
	limit = limit == 0 ? ASK_LIMIT : EC_MIN(limit, ASK_LIMIT);
	HASH_ITER(hh, s->queues.by_key, q, tmp) {
		if (n < limit && q->n_active + q->n_delayed + q->n_flight > 0 &&
		    (domain.len == 0 || slice_eq_nocase(domain, q->domain))) {
			tell_queue(k, request, q, &line);
			n++;
		}
	}
	buf_printf(&line, "{\"total\":%u,\"active\":%u,\"delayed\":%u,"
	    "\"in_flight\":%u,\"queues\":%u}", index_count(&s->index),
	    s->queues.n_active, s->queues.n_delayed, s->queues.n_flight,
	    HASH_COUNT(s->queues.by_key));
	tell_line(k, request, true, &line);
	buf_fini(&line);
}

void
ask_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t request = wire_u32(&r);
	struct slice command = wire_slice(&r), argument = wire_slice(&r);
	uint32_t limit = wire_u32(&r);
	struct buf line;

	if (r.bad || m->type != IPC_ASK) {
		ipc_bad(k, "malformed %s", ipc_type_name(m->type));
		return;
	}
	if (slice_eq(command, SLICE("queue"))) {
		ask_queue(s, k, request, argument, limit);
		return;
	}
	buf_init(&line, 256);
	buf_puts(&line, "{\"error\":\"the spooler does not know this "
	    "question\"}");
	tell_line(k, request, true, &line);
	buf_fini(&line);
}
