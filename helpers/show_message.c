/* SPDX-License-Identifier: Apache-2.0 */
/* One message: envelope, history, then header, body or both. */
#include "helpers/show.h"

#include <arpa/inet.h>

#include "common/base/fdio.h"
#include "common/mail/esc.h"

#define CHUNK 65536u
#define HEADER_MAX (1u << 20)
#define HISTORY_MAX (16u << 20)

struct history {
	msgid id;
	struct buf text, json;	/* lines; items of an array */
	struct line_out line;	/* of the JSON form */
};

static void
put_address(struct buf *b, const uint8_t ip[16], uint16_t port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool four = memcmp(ip, mapped, sizeof mapped) == 0;
	char text[INET6_ADDRSTRLEN];

	if (memcmp(ip, &(uint8_t[16]){ 0 }, 16) == 0) {
		buf_puts(b, "-");
	} else if (inet_ntop(four ? AF_INET : AF_INET6, four ? ip + 12 : ip,
	    text, sizeof text) != NULL) {
		buf_printf(b, four ? "%s:%u" : "[%s]:%u", text, port);
	}
}

static void
on_event(void *arg, const struct event *e)
{
	struct history *h = arg;
	char kind[2] = { (char)e->kind, '\0' };
	struct buf remote;

	if (e->id != h->id) {
		return;
	}
	buf_init(&remote, 128);
	put_address(&remote, e->remote_ip, e->remote_port);
	for (int pass = 0; pass < 2; pass++) {
		struct line_out *l = &h->line;

		l->form = pass == 0 ? LINE_TABS : LINE_JSON;
		line_begin(l);
		line_time(l, "time", 0, e->time_us);
		line_text(l, "kind", 0, slice_of(kind));
		line_num(l, "attempt", 0, e->attempts + 1u);
		line_text(l, "remote", 0, buf_slice(&remote));
		line_text(l, "stage", 0, slice_of(event_stage_name(e->stage)));
		line_time(l, "next", 0, e->next_us);
		/* The reply is escaped already. */
		if (pass == 0) {
			buf_printf(&h->text, "history: %.*s\t%.*s\n",
			    SLICE_ARG(buf_slice(&l->text)),
			    SLICE_ARG(e->reply));
		} else {
			line_text(l, "reply", 0, e->reply);
			buf_printf(&h->json, "%s%.*s}", h->json.len > 0 ?
			    "," : "", SLICE_ARG(buf_slice(&l->text)));
		}
	}
	buf_fini(&remote);
}

static void
put_optional(struct line_out *l, const char *name, struct slice v)
{
	if (v.len > 0) {
		line_text(l, name, 0, v);
	}
}

static void
put_id(struct line_out *l, const char *name, msgid id)
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(id, text);
	line_text(l, name, 0, slice_of(text));
}

static void
put_peer(struct line_out *l, const char *name, const uint8_t ip[16],
    uint16_t port)
{
	struct buf b;

	buf_init(&b, 128);
	put_address(&b, ip, port);
	line_text(l, name, 0, buf_slice(&b));
	buf_fini(&b);
}

static void
print_envelope(struct show *s, const struct show_item *i, const char *state,
    const struct history *h)
{
	const struct envelope *e = &i->meta.env;
	struct line_out *l = &s->out;
	struct buf list;

	line_begin(l);
	put_id(l, "id", i->meta.rcpt.id);
	line_text(l, "state", 0, slice_of(state));
	line_text(l, "where", 0, slice_of(i->states & SHOW_JOURNAL ?
	    "journal" : "settled"));
	put_id(l, "batch", e->batch_id);
	put_id(l, "connection", e->conn_id);
	line_time(l, "received", 0, e->received_us);
	put_peer(l, "from", e->peer_ip, e->peer_port);
	put_peer(l, "via", e->local_ip, e->local_port);
	line_text(l, "protocol", 0, slice_of(envelope_protocol_name(
	    e->protocol)));
	line_num(l, "class", 0, e->class);
	line_num(l, "flags", 0, e->flags);
	line_text(l, "sender", 0, e->sender);
	line_text(l, "recipient", 0, i->meta.rcpt.addr);
	line_num(l, "notify", 0, i->meta.rcpt.notify);
	put_optional(l, "orcpt", i->meta.rcpt.orcpt);
	put_optional(l, "envid", e->envid);
	put_optional(l, "group", e->group);
	put_optional(l, "binding", e->binding);
	put_optional(l, "context", e->context);
	line_num(l, "size", 0, i->body_size);
	line_num(l, "attempts", 0, i->meta.attempts);
	line_time(l, "next", 0, i->meta.next_us);
	line_bool(l, "doubt", i->meta.doubt);
	buf_init(&list, HISTORY_MAX);
	buf_printf(&list, "[%.*s]", SLICE_ARG(buf_slice(&h->json)));
	line_raw(l, "history", buf_slice(&list));
	buf_fini(&list);
	if (l->form == LINE_LIST) {
		buf_add(&l->text, buf_slice(&h->text));
	}
	line_end(l);
}

/* What a stranger wrote shall not command a terminal. */
static void
write_bytes(struct show *s, struct slice bytes)
{
	struct buf b;

	if (!s->terminal) {
		fwrite(bytes.ptr, 1, bytes.len, s->out.to);
		return;
	}
	buf_init(&b, bytes.len * ESC_MAX_GROWTH + 1);
	while (bytes.len > 0) {
		bool more = slice_find(bytes, '\n') >= 0;
		struct slice line = slice_cut(&bytes, '\n');

		if (more && line.len > 0 && line.ptr[line.len - 1] == '\r') {
			line.len--;
		}
		esc_add(&b, line, ESC_TEXT | ESC_KEEP_UTF8, ESC_NO_MAX);
		if (more) {
			buf_putc(&b, '\n');
		}
	}
	if (b.len > 0) {
		fwrite(b.ptr, 1, b.len, s->out.to);
	}
	buf_fini(&b);
}

/* Where the body begins: behind the first empty line. */
static uint64_t
header_end(int fd, uint64_t at, uint64_t size)
{
	size_t want = (size_t)EC_MIN(size, (uint64_t)HEADER_MAX);
	char *p = xmalloc(want + 1);
	ssize_t got = fdio_pread_full(fd, p, want, at);
	uint64_t end = size;

	if (got >= 0 && (size_t)got < want) {
		want = (size_t)got;
	}
	for (size_t i = 0; i + 1 < want; i++) {
		if (p[i] == '\n' && (p[i + 1] == '\n' || (i + 2 < want &&
		    p[i + 1] == '\r' && p[i + 2] == '\n'))) {
			end = i + (p[i + 1] == '\n' ? 2 : 3);
			break;
		}
	}
	free(p);
	return end;
}

static int
print_part(struct show *s, const struct show_item *i)
{
	uint64_t cut = header_end(i->body_fd, i->body_at, i->body_size);
	uint64_t at = s->part == SHOW_BODY ? cut : 0;
	uint64_t end = s->part == SHOW_HEADER ? cut : i->body_size;
	char *chunk = xmalloc(CHUNK);
	int result = 0;

	while (at < end && result == 0) {
		size_t want = (size_t)EC_MIN(end - at, (uint64_t)CHUNK);
		ssize_t got = fdio_pread_full(i->body_fd, chunk, want,
		    i->body_at + at);

		if (got <= 0) {
			fprintf(stderr, "ec_show: the message ends %llu bytes "
			    "too early: %s\n", (unsigned long long)(end - at),
			    got < 0 ? strerror(errno) : "its file is short");
			result = 1;
		} else {
			write_bytes(s, slice_make(chunk, (size_t)got));
			at += (uint64_t)got;
		}
	}
	free(chunk);
	return result;
}

/* In the journal; also one that has ended, as long as its record is there. */
static bool
find_in_journal(struct show *s, const struct journal_entry *e, msgid id,
    struct show_item *out)
{
	struct envelope env;

	if (e == NULL || (e->flags & ENTRY_RECORD) == 0 ||
	    !spool_journal_envelope(&s->journal, e->record, &s->mem, &env,
	    &out->body_at, &out->body_size)) {
		return false;
	}
	out->meta.env = env;
	for (uint32_t n = 0; n < env.n_rcpt; n++) {
		if (env.rcpt[n].id == id) {
			out->meta.rcpt = env.rcpt[n];
		}
	}
	out->states = SHOW_JOURNAL;
	out->body_fd = spool_journal_body(&s->journal, e->record,
	    env.batch_id, out->body_size);
	return out->body_fd >= 0;
}

static bool
find_in_store(struct show *s, msgid id, struct show_item *out)
{
	char path[SPOOL_NAME];
	struct stat st;
	const char *why;
	enum spool_meta r;

	spool_name_of(id, true, path);
	r = spool_meta_load(&s->dir, path, id, &s->mem, &out->meta, &why);
	if (r != SPOOL_META_OK) {
		if (r != SPOOL_META_GONE) {
			fprintf(stderr, "ec_show: %s: %s\n", path, why);
		}
		return false;
	}
	spool_name_of(id, false, path);
	out->body_fd = spool_file_open(&s->dir, path, &st);
	if (out->body_fd < 0) {
		fprintf(stderr, "ec_show: %s: %s\n", path, strerror(errno));
	}
	out->states = SHOW_SETTLED;
	out->body_size = out->meta.size;
	return true;
}

static int
print_message(struct show *s, struct show_item *i, bool ended,
    const struct history *h)
{
	const char *state = ended ? "ended" : i->states & SHOW_DELAYED ?
	    "delayed" : "active";
	int result = 0;

	if (s->out.form == LINE_JSON || s->part == SHOW_HEADER) {
		print_envelope(s, i, state, h);
	}
	if (i->body_fd < 0) {
		result = 1;
	} else if (s->out.form != LINE_JSON) {
		result = print_part(s, i);
	}
	return result;
}

int
show_message(struct show *s, msgid id)
{
	struct history h = { .id = id };
	struct journal_ears ears = { .arg = &h, .event = on_event };
	struct show_item i = { .body_fd = -1 };
	struct journal_entry *e;
	bool ended, found;
	int result = 1;

	buf_init(&h.text, HISTORY_MAX);
	buf_init(&h.json, HISTORY_MAX);
	line_init(&h.line, LINE_TABS, s->out.to);
	spool_journal_read(&s->journal, &ears);
	e = spool_journal_find(&s->journal, id);
	ended = e != NULL && (e->flags & ENTRY_DONE) != 0;
	found = journal_entry_is_mail(e) && find_in_journal(s, e, id, &i);
	/* Settled, or it was while we read; its record may serve still. */
	found = found || (!ended && find_in_store(s, id, &i)) ||
	    find_in_journal(s, e, id, &i);
	if (found) {
		show_apply_entry(&i, e);
		show_set_due(&i, s->now_us);
		result = print_message(s, &i, ended, &h);
	} else {
		fprintf(stderr, "ec_show: no such message in %s\n",
		    s->dir.path);
	}
	fdio_close(&i.body_fd);
	line_fini(&h.line);
	buf_fini(&h.text);
	buf_fini(&h.json);
	return result;
}
