/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became durable, told to the logger in journal order.
 *
 *	DOWN	no link
 *	BEHIND	a reader goes through the segments from the last position sent
 *	LIVE	each durable record is sent as it comes
 *
 * LIVE falls back to BEHIND when the logger does not take packets any more: so
 * nothing gathers in memory, the segments are the buffer.  They are kept until
 * the logger has acknowledged.
 */
#include "spooler/spooler.h"

#include "common/base/log.h"
#include "common/base/wire.h"
#include "spooler/segment_image.h"

#define BACKLOG_MAX (4u << 20)	/* bytes waiting in the link */
#define CHUNK_BYTES (1u << 20)	/* of events read at once */

enum feed_state { FEED_DOWN, FEED_BEHIND, FEED_LIVE };

struct feed_read {		/* a reader's job */
	struct workq_job job;
	struct spooler *s;
	uint32_t epoch;
	unsigned feed;		/* for whom: logfeed.feed */
	uint64_t from;		/* file offset to scan from, 0: the start */
	uint64_t size, after;	/* file size; positions up to this are known */
	uint64_t limit;		/* bytes behind it never became durable */
	uint64_t until;		/* what is behind it may not be durable yet */
	int fd;
	struct segment_use use;
	struct segment_image *image;
	bool have;		/* the image has all of it already */
	/* Result: */
	struct buf events;	/* u64 position, u32 length, event */
	uint64_t next;		/* file offset to go on from */
	uint64_t last;		/* position of the last record seen */
	bool end;		/* nothing more in this segment now */
	uint64_t unreadable;	/* bytes that were skipped */
};

struct logfeed {
	struct spooler *s;
	struct workq *reader;
	enum feed_state state;
	struct ipc_link *link;
	unsigned feed;		/* grows with each link and hello: what was read
				 * for an earlier one is not sent */
	uint64_t sent, acked;
	uint64_t told;		/* position of the last event sent */
	uint32_t epoch;		/* being read */
	uint64_t offset;
	bool reading;
	struct segment_image image;	/* the reader's, while BEHIND */
	uint32_t image_epoch;	/* a full segment it has all of, 0 none */
};

static void
send_event(struct ipc_link *k, uint64_t position, struct slice bytes)
{
	struct buf *b = ipc_begin(k, IPC_LOG_EVENT);

	wire_put_u64(b, position);
	buf_add(b, bytes);
	ipc_end(k);
}

/* Appends one R event per recipient of a message record, or of one that stands
 * for a body elsewhere. */
static void
receptions(enum journal_type type, struct slice payload,
    void (*fn)(void *arg, struct slice event), void *arg)
{
	struct wire_r r = wire_reader(payload);
	uint64_t size = type == JOURNAL_LARGE ? wire_u64(&r) : 0;
	struct slice encoded = wire_bytes(&r, wire_u32(&r));
	struct scratch scratch;
	struct envelope env;

	if (type != JOURNAL_LARGE) {
		size = type == JOURNAL_RECEIVED ? wire_u64(&r) :
		    wire_left(&r);
	}
	scratch_init(&scratch, 1 << 20);
	if (!r.bad && envelope_decode(encoded, &scratch, &env) &&
	    (env.flags & ENVELOPE_LOGGED) == 0) {
		for (uint32_t i = 0; i < env.n_rcpt; i++) {
			struct event e = { .kind = EVENT_RECEPTION,
				.protocol = env.protocol,
				.id = env.rcpt[i].id,
				.batch_id = env.batch_id,
				.conn_id = env.conn_id,
				.time_us = env.received_us,
				.received_us = env.received_us,
				.size = size,
				.remote_port = env.peer_port,
				.sender = env.sender, .rcpt = env.rcpt[i].addr,
				.domain = spooler_domain(env.rcpt[i].addr),
				.group = env.group, .binding = env.binding };
			struct buf b;

			memcpy(e.remote_ip, env.peer_ip, sizeof e.remote_ip);
			buf_init(&b, 8192);
			event_encode(&e, &b);
			fn(arg, buf_slice(&b));
			buf_fini(&b);
		}
	}
	scratch_fini(&scratch);
}

/* The logger knows positions of events only: what follows the last one that it
 * has acknowledged needs no line.  Else a segment that ends with such a record
 * would wait for an event behind it, for which a full journal has no room. */
static void
logged(struct logfeed *f)
{
	journal_logged(f->s->journal, f->state != FEED_DOWN &&
	    f->acked >= f->told ? EC_MAX(f->acked, f->sent) : f->acked);
}

struct live {
	struct ipc_link *link;
	uint64_t position;
};

static void
send_live(void *arg, struct slice event)
{
	struct live *v = arg;

	send_event(v->link, v->position, event);
}

void
logfeed_durable(struct spooler *s, const struct journal_note *n)
{
	struct logfeed *f = s->log;
	struct live v = { f->link, n->lsn };

	if (f->state != FEED_LIVE) {
		return;
	}
	f->sent = n->lsn;
	if (n->type == JOURNAL_MESSAGE || n->type == JOURNAL_LARGE ||
	    n->type == JOURNAL_RECEIVED) {
		f->told = n->lsn;
		receptions(n->type, slice_make(n->payload, n->length),
		    send_live, &v);
	} else if (n->type == JOURNAL_RETRY || n->type == JOURNAL_DONE) {
		f->told = n->lsn;
		send_live(&v, slice_make(n->payload, n->length));
	}
	logged(f);
}

static void
keep_event(void *arg, struct slice event)
{
	struct feed_read *r = arg;

	wire_put_u64(&r->events, r->last);
	wire_put_u32(&r->events, (uint32_t)event.len);
	buf_add(&r->events, event);
}

static void
read_records(struct feed_read *r, struct journal_scan *scan)
{
	struct journal_record rec;
	uint32_t pos = 0, n = 0;

	while (journal_scan_record(scan, &pos, &n, &rec)) {
		if (rec.lsn <= r->after) {
			continue;
		}
		r->last = rec.lsn;
		if (rec.type == JOURNAL_MESSAGE ||
		    rec.type == JOURNAL_LARGE ||
		    rec.type == JOURNAL_RECEIVED) {
			receptions(rec.type, rec.payload, keep_event, r);
		} else if (rec.type == JOURNAL_RETRY ||
		    rec.type == JOURNAL_DONE) {
			keep_event(r, rec.payload);
		}
	}
}

static void
read_run(struct workq_job *job)
{
	struct feed_read *r = container_of(job, struct feed_read, job);
	struct journal_scan scan;
	uint64_t from = EC_MAX(r->from, (uint64_t)JOURNAL_BLOCK);

	if (!r->have) {
		segment_image_load(r->image, r->s->fs, r->fd, from, r->size);
		r->unreadable = segment_image_unreadable(r->image, r->limit);
	}
	journal_scan_init(&scan, r->image->bytes, r->image->upto, r->use,
	    r->limit);
	scan.resume = from;
	while (r->events.len < CHUNK_BYTES) {
		enum journal_scan_result got = journal_scan_next(&scan);

		if (got == SCAN_END) {
			r->end = true;
			break;
		}
		if (got == SCAN_BATCH) {
			if (journal_lsn(r->epoch, scan.head->first +
			    scan.head->count - 1) > r->until) {
				r->end = true;
				break;
			}
			read_records(r, &scan);
			r->next = scan.resume;
		}
	}
}

static void read_more(struct logfeed *f);

static void
send_read(struct logfeed *f, struct feed_read *r)
{
	struct wire_r w = wire_reader(buf_slice(&r->events));

	while (wire_left(&w) > 0) {
		uint64_t position = wire_u64(&w);
		uint32_t len = wire_u32(&w);

		f->told = position;
		send_event(f->link, position, wire_bytes(&w, len));
	}
	f->offset = r->next;
	f->sent = EC_MAX(f->sent, r->last);
	logged(f);
}

/* Its memory goes when nothing more is to be read. */
static void
drop_image(struct logfeed *f)
{
	if (!f->reading && f->state != FEED_BEHIND) {
		segment_image_fini(&f->image);
		f->image_epoch = 0;
	}
}

static void
read_done(struct workq_job *job)
{
	struct feed_read *r = container_of(job, struct feed_read, job);
	struct spooler *s = r->s;
	struct logfeed *f = s->log;

	f->reading = false;
	journal_unpin(s->journal, r->epoch);
	if (r->unreadable > 0) {
		log_critical("%llu bytes of the journal (epoch %u) cannot be "
		    "read: the log has no lines of them",
		    (unsigned long long)r->unreadable, r->epoch);
	}
	f->image_epoch = r->until == UINT64_MAX ? r->epoch : 0;
	if (f->state == FEED_BEHIND && f->feed == r->feed &&
	    f->epoch == r->epoch) {
		send_read(f, r);
		if (r->end && r->until == UINT64_MAX &&
		    r->epoch < journal_newest(s->journal)) {
			/* It was full before this was read, or its last
			 * records would be passed by. */
			do {
				f->epoch++;
			} while (!journal_has(s->journal, f->epoch));
			f->offset = 0;
		} else if (r->end && f->sent >= journal_durable(s->journal)) {
			f->state = FEED_LIVE;
		}
	}
	drop_image(f);
	buf_fini(&r->events);
	free(r);
	read_more(f);
}

static void
read_more(struct logfeed *f)
{
	struct spooler *s = f->s;
	struct feed_read *r;
	struct stat st;

	if (f->state != FEED_BEHIND || f->reading ||
	    ipc_backlog(f->link) > BACKLOG_MAX / 4) {
		return;
	}
	if (f->epoch < journal_oldest(s->journal)) {
		f->epoch = journal_oldest(s->journal);
		f->offset = 0;
	}
	/* One without a sound head leaves a gap. */
	while (!journal_has(s->journal, f->epoch)) {
		f->epoch++;
		f->offset = 0;
	}
	r = xcalloc(1, sizeof *r);
	r->job.run = read_run;
	r->job.done = read_done;
	r->s = s;
	r->epoch = f->epoch;
	r->feed = f->feed;
	r->limit = journal_limit(s->journal, f->epoch);
	r->from = f->offset;
	r->next = f->offset;
	r->after = f->sent;
	r->until = f->epoch == journal_newest(s->journal) ?
	    journal_durable(s->journal) : UINT64_MAX;
	r->fd = journal_segment_fd(s->journal, f->epoch);
	r->use = journal_use(s->journal, f->epoch);
	r->image = &f->image;
	/* It may hold less than all: what is before was sent. */
	r->have = f->image_epoch == f->epoch && f->image.from <= EC_MAX(
	    r->from, (uint64_t)JOURNAL_BLOCK);
	buf_init(&r->events, SIZE_MAX / 4);
	if (s->fs->stat_fd(r->fd, &st) < 0) {
		log_error("cannot stat a journal segment: %s",
		    strerror(errno));
		free(r);
		return;
	}
	r->size = (uint64_t)st.st_size;
	journal_pin(s->journal, f->epoch);
	f->reading = true;
	workq_submit(f->reader, &r->job);
}

void
logfeed_run(struct spooler *s)
{
	struct logfeed *f = s->log;

	if (f->state == FEED_LIVE && ipc_backlog(f->link) > BACKLOG_MAX) {
		log_warning("the logger is slow: it will be fed from the "
		    "journal until it has caught up");
		f->state = FEED_BEHIND;
		f->epoch = (uint32_t)(f->sent >> 32);
		f->offset = 0;
	}
	read_more(f);
}

void
logfeed_message(struct spooler *s, struct ipc_link *k, struct ipc_msg *m)
{
	struct logfeed *f = s->log;
	struct wire_r r = wire_reader(m->body);
	uint64_t position = wire_u64(&r);

	if (r.bad) {
		ipc_bad(k, "malformed %s", ipc_type_name(m->type));
	} else if (m->type == IPC_LOG_ACK) {
		f->acked = EC_MAX(f->acked, position);
		logged(f);
	} else if (m->type == IPC_LOG_HELLO) {
		f->feed++;
		f->acked = position;
		f->sent = f->told = position;
		f->epoch = EC_MIN((uint32_t)(position >> 32),
		    journal_newest(s->journal));
		f->offset = 0;
		f->state = FEED_BEHIND;
		logged(f);
		read_more(f);
	} else {
		ipc_bad(k, "unexpected %s", ipc_type_name(m->type));
	}
}

void
logfeed_link_up(struct spooler *s, struct ipc_link *k)
{
	s->log->link = k;
	s->log->feed++;
	s->log->state = FEED_DOWN;	/* until it says from where */
}

void
logfeed_link_down(struct spooler *s)
{
	s->log->link = NULL;
	s->log->state = FEED_DOWN;
	drop_image(s->log);
}

uint64_t
logfeed_lag(const struct spooler *s)
{
	uint64_t durable = journal_durable(s->journal);

	/* Across segments positions are not dense: say at least something. */
	return durable <= s->log->acked ? 0 :
	    (uint32_t)durable >= (uint32_t)s->log->acked ?
	    (uint32_t)durable - (uint32_t)s->log->acked : (uint32_t)durable;
}

struct logfeed *
logfeed_create(struct spooler *s)
{
	struct logfeed *f = xcalloc(1, sizeof *f);

	f->s = s;
	f->reader = workq_create(s->loop, "logfeed", 1);
	segment_image_init(&f->image);
	return f;
}

void
logfeed_destroy(struct logfeed **fp)
{
	struct logfeed *f = *fp;

	if (f != NULL) {
		f->state = FEED_DOWN;
		workq_destroy(&f->reader);
		segment_image_fini(&f->image);
		free(f);
	}
	*fp = NULL;
}
