/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers: append, parse, hold one against the other. */
#include "tests/bench/ledger.h"

#include <fcntl.h>

#include "common/base/fdio.h"

#define PENDING_MAX ((size_t)64 << 20)

int
ledger_open(struct ledger *l, const char *path, struct error *err_out)
{
	l->fd = -1;
	buf_init(&l->pending, PENDING_MAX);
	if (path == NULL) {
		return 0;
	}
	l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return l->fd < 0 ? error_sys(err_out, "cannot open %s", path) : 0;
}

void
ledger_close(struct ledger *l)
{
	fdio_close(&l->fd);
	buf_fini(&l->pending);
}

/* A field is one word: what would break the line is shown as %XX. */
static void
put_word(struct buf *b, struct slice s)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c <= 0x20 || c == 0x7f) {
			buf_append(b, s.ptr + plain, i - plain);
			buf_printf(b, "%%%02X", c);
			plain = i + 1;
		}
	}
	buf_append(b, s.ptr + plain, s.len - plain);
	if (s.len == 0) {
		buf_puts(b, "<>");
	}
}

void
ledger_add(struct ledger *l, bool doubt, struct slice id, struct slice rcpt,
    struct slice rest)
{
	struct buf *b = &l->pending;

	if (l->fd < 0) {
		return;
	}
	if (doubt) {
		buf_append(b, "? ", 2);
	}
	put_word(b, id);
	buf_putc(b, ' ');
	put_word(b, rcpt);
	if (rest.len > 0) {
		buf_putc(b, ' ');
		for (size_t i = 0; i < rest.len; i++) {
			char c = rest.ptr[i];

			buf_putc(b, (unsigned char)c < 0x20 ? ' ' : c);
		}
	}
	buf_putc(b, '\n');
}

int
ledger_flush(struct ledger *l, struct error *err_out)
{
	if (l->pending.len == 0) {
		return 0;
	}
	if (l->pending.full) {
		return error_set(err_out, ERROR_LIMIT,
		    "more ledger lines in one turn than fit");
	}
	if (fdio_write_all(l->fd, l->pending.ptr, l->pending.len) < 0) {
		return error_sys(err_out, "cannot write the ledger");
	}
	buf_clear(&l->pending);
	return 0;
}

enum ledger_parse
ledger_next(struct slice *text, struct ledger_line *out)
{
	ssize_t lf = slice_find(*text, '\n');
	struct slice line, key;

	if (text->len == 0) {
		return LEDGER_END;
	}
	if (lf < 0) {
		*text = slice_skip(*text, text->len);
		return LEDGER_TORN;
	}
	line = slice_cut(text, '\n');
	out->doubt = slice_starts(line, SLICE("? "));
	line = slice_skip(line, out->doubt ? 2 : 0);
	key = line;
	out->id = slice_cut(&line, ' ');
	out->rcpt = slice_cut(&line, ' ');
	out->rest = line;
	if (out->id.len == 0 || out->rcpt.len == 0) {
		return LEDGER_BAD;
	}
	out->key = slice_make(key.ptr, out->id.len + 1 + out->rcpt.len);
	return LEDGER_LINE;
}

enum event_kind {
	EVENT_PROMISE,
	EVENT_DOUBT,
	EVENT_ARRIVAL,
	EVENT_KINDS
};

struct event_rec {
	struct slice key;
	enum event_kind kind;
};

struct event_list {
	struct event_rec *at;
	size_t n, cap;
};

static void
collect(struct event_list *e, struct slice text, bool arrived,
    struct ledger_sums *out)
{
	struct ledger_line line;
	enum ledger_parse r;

	while ((r = ledger_next(&text, &line)) != LEDGER_END) {
		if (r != LEDGER_LINE) {
			out->bad_lines++;
			continue;
		}
		if (e->n == e->cap) {
			e->cap = e->cap ? e->cap * 2 : 1024;
			e->at = xrealloc(e->at, e->cap * sizeof *e->at);
		}
		e->at[e->n++] = (struct event_rec){ line.key, arrived ?
		    EVENT_ARRIVAL : line.doubt ? EVENT_DOUBT : EVENT_PROMISE };
	}
}

static int
compare_keys(const void *va, const void *vb)
{
	const struct event_rec *a = va, *b = vb;
	int c = memcmp(a->key.ptr, b->key.ptr, EC_MIN(a->key.len, b->key.len));

	if (c != 0 || a->key.len == b->key.len) {
		return c;
	}
	return a->key.len < b->key.len ? -1 : 1;
}

static void
judge(struct slice key, const uint64_t count[EVENT_KINDS],
    struct ledger_sums *out)
{
	uint64_t promised = count[EVENT_PROMISE], came = count[EVENT_ARRIVAL];
	uint64_t doubts = count[EVENT_DOUBT], extra, excused;

	out->accepted += promised;
	out->doubtful += doubts;
	out->delivered += EC_MIN(promised, came);
	if (came < promised) {
		out->lost += promised - came;
		if (out->n_shown < LEDGER_SHOWN) {
			out->shown[out->n_shown++] = key;
		}
		return;
	}
	extra = came - promised;
	if (promised == 0 && extra > 0) {
		out->unexpected++;
		extra--;
		doubts -= doubts > 0;
	}
	excused = EC_MIN(extra, doubts);
	out->excused += excused;
	out->duplicates += extra - excused;
}

void
ledger_reconcile(struct slice accepted, struct slice arrived,
    struct ledger_sums *out)
{
	struct event_list e = { NULL, 0, 0 };

	*out = (struct ledger_sums){ 0 };
	collect(&e, accepted, false, out);
	collect(&e, arrived, true, out);
	if (e.n > 0) {
		qsort(e.at, e.n, sizeof *e.at, compare_keys);
	}
	for (size_t i = 0, j; i < e.n; i = j) {
		uint64_t count[EVENT_KINDS] = { 0 };

		for (j = i; j < e.n && compare_keys(&e.at[i], &e.at[j]) == 0;
		    j++) {
			count[e.at[j].kind]++;
		}
		judge(e.at[i].key, count, out);
	}
	free(e.at);
}
