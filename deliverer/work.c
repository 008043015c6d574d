/* SPDX-License-Identifier: Apache-2.0 */
/* WORK, OUTCOME and WORK_HELD as bytes. */
#include "deliverer/work.h"

#include "common/base/fdio.h"
#include "common/ipc/ipc.h"

#define OUTCOME_TEXT_BYTES 56000u	/* of all replies together */

struct work *
work_create(void)
{
	struct work *w = xcalloc(1, sizeof *w);

	list_init(&w->link);
	w->fd = -1;
	buf_init(&w->bytes, IPC_BODY_MAX);
	buf_init(&w->outcome, IPC_BODY_MAX);
	buf_init(&w->mail.texts, SMTP_TEXTS_MAX);
	return w;
}

void
work_destroy(struct work **wp)
{
	struct work *w = *wp;

	*wp = NULL;
	if (w == NULL) {
		return;
	}
	work_close_file(w);
	buf_fini(&w->bytes);
	buf_fini(&w->outcome);
	buf_fini(&w->mail.texts);
	free(w->mail.rcpt);
	free(w->extent);
	free(w->body);
	free(w);
}

void
work_close_file(struct work *w)
{
	fdio_close(&w->fd);
}

const char *
work_status_text(enum work_status st)
{
	static const char *const texts[WORK_STATUSES] = {
		[WORK_OK] = "WORK is well",
		[WORK_MALFORMED] = "malformed WORK",
		[WORK_NO_RECIPIENTS] = "WORK without recipients",
		[WORK_TOO_MANY] = "WORK with too many recipients",
		[WORK_BAD_SLOT] = "WORK names a stage slot out of range",
		[WORK_BAD_HANDLE] = "WORK names memory that was not lent",
		[WORK_BAD_EXTENT] = "WORK names bytes outside of lent memory",
		[WORK_NO_FILE] = "WORK_FILE with no file, or not with it alone",
	};

	return (unsigned)st < WORK_STATUSES ? texts[st] : "bad WORK";
}

/*
 * In clean text "this byte is LF" and "the one before is CR" are always the
 * same answer, which finds bare LF and bare CR alike.  Blocks of a fixed
 * length, so that the compiler makes vectors of them.
 */
static unsigned
mismatches(const char *p, size_t n)
{
	unsigned char bad[16] = { 0 };
	unsigned sum = 0;
	size_t i = 1;

	for (; i + sizeof bad <= n; i += sizeof bad) {
		for (size_t j = 0; j < sizeof bad; j++) {
			bad[j] |= (unsigned char)((p[i + j] == '\n') ^
			    (p[i + j - 1] == '\r'));
		}
	}
	for (; i < n; i++) {
		sum |= (unsigned)((p[i] == '\n') ^ (p[i - 1] == '\r'));
	}
	for (size_t j = 0; j < sizeof bad; j++) {
		sum |= bad[j];
	}
	return sum;
}

bool
work_lines_are_clean(const struct slice *body, size_t n)
{
	char before = 'x';

	for (size_t i = 0; i < n; i++) {
		if (body[i].len == 0) {
			continue;
		}
		if ((body[i].ptr[0] == '\n') != (before == '\r') ||
		    mismatches(body[i].ptr, body[i].len) != 0) {
			return false;
		}
		before = body[i].ptr[body[i].len - 1];
	}
	return before != '\r';
}

static void
need_extents(struct work *w, size_t n)
{
	if (n > w->cap_extents) {
		w->extent = xrealloc(w->extent, n * sizeof *w->extent);
		w->body = xrealloc(w->body, n * sizeof *w->body);
		w->cap_extents = n;
	}
}

static enum work_status
read_extents(struct work *w, struct wire_r *r, const struct table *slabs)
{
	uint8_t n = wire_u8(r);

	need_extents(w, n);
	for (w->n_extents = 0; w->n_extents < n; w->n_extents++) {
		struct work_extent *x = &w->extent[w->n_extents];
		uint32_t handle = wire_u32(r);
		struct table_node *t;

		x->offset = wire_u32(r);
		x->length = wire_u32(r);
		if (r->bad) {
			return WORK_MALFORMED;
		}
		t = table_get(slabs, slice_make(&handle, sizeof handle));
		if (t == NULL) {
			return WORK_BAD_HANDLE;
		}
		x->slab = list_entry(t, struct slab, node);
		if (x->offset > x->slab->size ||
		    x->length > x->slab->size - x->offset) {
			return WORK_BAD_EXTENT;
		}
		w->body[w->n_extents] = slice_make(x->slab->map + x->offset,
		    x->length);
	}
	return WORK_OK;
}

static enum work_status
read_recipients(struct work *w, struct wire_r *r)
{
	uint16_t n = wire_u16(r);
	struct smtp_mail *m = &w->mail;

	if (r->bad) {
		return WORK_MALFORMED;
	}
	if (n == 0 || n > STAGE_RCPTS) {
		return n == 0 ? WORK_NO_RECIPIENTS : WORK_TOO_MANY;
	}
	if (n > w->cap_rcpt) {
		m->rcpt = xrealloc(m->rcpt, n * sizeof *m->rcpt);
		w->cap_rcpt = n;
	}
	for (m->n_rcpt = 0; m->n_rcpt < n; m->n_rcpt++) {
		struct smtp_rcpt *c = &m->rcpt[m->n_rcpt];

		c->id = wire_u64(r);
		c->notify = wire_u8(r);
		c->addr = wire_slice(r);
		c->orcpt = wire_slice(r);
		c->accepted = false;
		c->result = (struct smtp_result){ 0 };
	}
	return r->bad || wire_left(r) > 0 ? WORK_MALFORMED : WORK_OK;
}

enum work_status
work_decode(struct work *w, struct slice body, int fd,
    const struct table *slabs, struct work_head *head_out)
{
	struct wire_r r;
	enum work_status st;

	buf_clear(&w->bytes);
	buf_clear(&w->outcome);
	buf_add(&w->bytes, body);
	r = wire_reader(buf_slice(&w->bytes));
	w->n_extents = 0;
	w->retries = 0;
	w->state = WORK_WAITING;
	w->number = wire_u64(&r);
	head_out->queue = wire_u32(&r);
	head_out->left = wire_u32(&r);
	w->slot = wire_u16(&r);
	w->mail.flags = wire_u32(&r);
	w->mail.size = wire_u64(&r);
	st = r.bad || w->bytes.full ? WORK_MALFORMED :
	    read_extents(w, &r, slabs);
	if (st != WORK_OK) {
		return st;
	}
	w->mail.sender = wire_slice(&r);
	w->mail.envid = wire_slice(&r);
	st = read_recipients(w, &r);
	if (st == WORK_OK && fd >= 0 && w->n_extents > 0) {
		st = WORK_NO_FILE;
	}
	if (st == WORK_OK && w->slot >= STAGE_SLOTS) {
		st = WORK_BAD_SLOT;
	}
	if (st != WORK_OK) {
		return st;
	}
	for (size_t i = 0; i < w->n_extents; i++) {
		w->extent[i].slab->refs++;
	}
	w->clean_lines = fd < 0 && work_lines_are_clean(w->body,
	    w->n_extents);
	w->fd = fd;
	return WORK_OK;
}

void
work_encode_outcome(struct work *w, const struct work_remote *remote)
{
	struct smtp_mail *m = &w->mail;
	struct buf *b = &w->outcome;
	size_t text_max = OUTCOME_TEXT_BYTES / m->n_rcpt;
	struct slice name = remote->name;

	text_max = EC_MIN(text_max, (size_t)EVENT_REPLY_MAX);
	name.len = EC_MIN(name.len, (size_t)255);
	buf_clear(b);
	wire_put_u64(b, w->number);
	wire_put_u64(b, remote->sent);
	buf_append(b, remote->ip, 16);
	wire_put_u16(b, remote->port);
	wire_put_slice(b, name);
	wire_put_u16(b, (uint16_t)m->n_rcpt);
	for (uint32_t i = 0; i < m->n_rcpt; i++) {
		const struct smtp_result *r = &m->rcpt[i].result;
		struct slice text = smtp_mail_text(m, r);

		ec_assert(r->kind != 0);
		text.len = EC_MIN(text.len, text_max);
		wire_put_u64(b, m->rcpt[i].id);
		wire_put_u8(b, r->kind);
		wire_put_u8(b, r->stage);
		wire_put_u16(b, r->code);
		wire_put_slice(b, text);
	}
	ec_assert(!b->full);
}

void
work_encode_held(const struct work *w, struct buf *b)
{
	wire_put_u64(b, w->number);
	wire_put_u16(b, w->slot);
	wire_put_u16(b, (uint16_t)w->mail.n_rcpt);
	for (uint32_t i = 0; i < w->mail.n_rcpt; i++) {
		wire_put_u64(b, w->mail.rcpt[i].id);
	}
	wire_put_u8(b, (uint8_t)w->n_extents);
	for (size_t i = 0; i < w->n_extents; i++) {
		const struct work_extent *x = &w->extent[i];

		wire_put_u8(b, x->slab->role);
		wire_put_u8(b, x->slab->index);
		wire_put_u32(b, x->slab->incarnation);
		wire_put_u32(b, x->slab->number);
		wire_put_u32(b, x->offset);
		wire_put_u32(b, x->length);
	}
}
