/* SPDX-License-Identifier: Apache-2.0 */
/* Segments, and what their records come to. */
#include "helpers/spool_journal.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/fdio.h"
#include "common/base/num.h"
#include "common/base/wire.h"
#include "common/spool/checkpoint_file.h"

/* In a record: the envelope's length, of a large one the body's size. */
#define BEFORE_ENVELOPE (sizeof(uint32_t) + sizeof(uint64_t))
#define STATE_DOUBT 8u		/* flag of a state record */

static bool
all_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Its head, and whether there was ever something in it: a batch comes behind
 * the head, and would stand in the second block. */
static void
look_at(struct spool_segment *s)
{
	char block[2 * JOURNAL_BLOCK];
	struct stat st;
	ssize_t got;

	if (s->fd < 0 || fstat(s->fd, &st) < 0 ||
	    (got = fdio_pread_full(s->fd, block, sizeof block, 0)) < 0) {
		s->error = errno;
		s->kind = SEGMENT_CLOSED;
		return;
	}
	s->size = (uint64_t)st.st_size;
	if ((size_t)got == sizeof block) {
		memcpy(&s->head, block, sizeof s->head);
		if (segment_head_valid(&s->head)) {
			s->kind = SEGMENT_LIVE;	/* or free: seen later */
			return;
		}
		memset(&s->head, 0, sizeof s->head);
	}
	s->kind = all_zero(block, (size_t)got) ? SEGMENT_FREE :
	    SEGMENT_HEADLESS;
}

static int
by_use(const void *a, const void *b)
{
	const struct spool_segment *x = a, *y = b;

	if (x->kind != y->kind) {
		return x->kind < y->kind ? -1 : 1;
	}
	return x->head.epoch < y->head.epoch ? -1 :
	    x->head.epoch > y->head.epoch;
}

/* The newest head says which are live; each says where its elder ends. */
static void
sort_out(struct spool_journal *j)
{
	const struct spool_segment *newest = NULL;

	for (size_t i = 0; i < j->n; i++) {
		if (j->segments[i].kind == SEGMENT_LIVE && (newest == NULL ||
		    j->segments[i].head.epoch > newest->head.epoch)) {
			newest = &j->segments[i];
		}
	}
	if (newest != NULL) {
		j->oldest = newest->head.oldest;
		j->newest = newest->head.epoch;
	}
	for (size_t i = 0; i < j->n; i++) {
		struct spool_segment *s = &j->segments[i];

		if (s->kind == SEGMENT_LIVE && s->head.epoch < j->oldest) {
			s->kind = SEGMENT_FREE;
		}
		for (size_t k = 0; k < j->n; k++) {
			const struct segment_head *h = &j->segments[k].head;

			if (h->epoch != 0 && h->prev == s->head.epoch &&
			    s->head.epoch != 0) {
				s->limit = h->prev_end;
			}
		}
		j->n_live += s->kind == SEGMENT_LIVE;
	}
	if (j->n > 1) {
		qsort(j->segments, j->n, sizeof *j->segments, by_use);
	}
}

int
spool_journal_open(struct spool_journal *j, const struct spool_dir *d,
    struct error *err_out)
{
	int fd = openat(d->journal, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	*j = (struct spool_journal){ .dir = d };
	if (dir == NULL) {
		return error_sys(err_out, "cannot list %s/journal", d->path);
	}
	id_map_init(&j->ids, sizeof(struct journal_entry));
	j->segments = xcalloc(SPOOL_MAX_SEGMENTS, sizeof *j->segments);
	while ((e = readdir(dir)) != NULL && j->n < SPOOL_MAX_SEGMENTS) {
		size_t n = strlen(e->d_name);
		struct spool_segment *s = &j->segments[j->n];
		uint64_t number;

		if (n < 5 || n >= sizeof s->name ||
		    strcmp(e->d_name + n - 4, ".seg") != 0 || !num_parse_max(
		    slice_make(e->d_name, n - 4), UINT32_MAX - 1, &number)) {
			continue;
		}
		slice_copy(s->name, sizeof s->name, slice_of(e->d_name));
		s->fd = openat(d->journal, s->name, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC);
		if (s->fd < 0 && errno == ENOENT) {
			continue;
		}
		look_at(s);
		j->n++;
	}
	closedir(dir);
	sort_out(j);
	return 0;
}

void
spool_journal_close(struct spool_journal *j)
{
	for (size_t i = 0; i < j->n; i++) {
		fdio_close(&j->segments[i].fd);
	}
	free(j->segments);
	free(j->records);
	free(j->block);
	id_map_fini(&j->ids);
	*j = (struct spool_journal){ 0 };
}

static struct journal_entry *
entry_of(struct spool_journal *j, msgid id)
{
	return id == MSGID_NONE ? NULL : id_map_add(&j->ids, id);
}

static bool
on_message(struct spool_journal *j, uint32_t segment,
    const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	bool large = rec->type == JOURNAL_LARGE;
	struct slice encoded;
	struct scratch mem;
	struct envelope env;
	bool ok;

	if (large) {
		wire_u64(&r);
	}
	encoded = wire_bytes(&r, wire_u32(&r));
	scratch_init(&mem, 1 << 20);
	ok = !r.bad && envelope_decode(encoded, &mem, &env);
	if (ok) {
		if (j->n_records == j->cap_records) {
			j->cap_records = j->cap_records * 2 + 256;
			j->records = xrealloc(j->records,
			    j->cap_records * sizeof *j->records);
		}
		j->records[j->n_records] = (struct journal_place){ segment,
			large, (uint32_t)rec->payload.len, rec->offset };
		for (uint32_t i = 0; i < env.n_rcpt; i++) {
			struct journal_entry *e = entry_of(j, env.rcpt[i].id);

			/* Stored twice after a failed batch: the first
			 * counts. */
			if ((e->flags & ENTRY_RECORD) == 0) {
				e->flags |= ENTRY_RECORD;
				e->record = (uint32_t)j->n_records;
			}
		}
		j->n_records++;
	}
	scratch_fini(&mem);
	return ok;
}

static bool
on_event(struct spool_journal *j, const struct journal_record *rec)
{
	struct journal_entry *e;
	struct event ev;

	if (!event_decode(rec->payload, &ev) ||
	    (e = entry_of(j, ev.id)) == NULL) {
		return false;
	}
	if (j->ears.event != NULL) {
		j->ears.event(j->ears.arg, &ev);
	}
	if (rec->type == JOURNAL_DONE) {
		e->flags |= ENTRY_DONE;
		e->flags &= (uint16_t)~ENTRY_BEGUN;
	} else if (ev.next_us != 0) {
		e->flags = (uint16_t)((e->flags & ~ENTRY_DOUBT) | ENTRY_STATE);
		e->attempts = (uint16_t)EC_MIN(ev.attempts + 1u, UINT16_MAX);
		e->next_us = ev.next_us;
	}
	return true;
}

static bool
on_settled(struct spool_journal *j, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	struct checkpoint_item i;

	while (checkpoint_next(&r, &i)) {
		struct journal_entry *e = i.op == CHECKPOINT_PUT ?
		    entry_of(j, i.id) : NULL;

		if (e == NULL) {
			continue;
		}
		if ((e->flags & ENTRY_BEGUN) != 0) {
			e->flags &= (uint16_t)~(ENTRY_BEGUN | ENTRY_DONE);
		}
		e->flags |= ENTRY_SETTLED;
		if ((e->flags & ENTRY_STATE) == 0) {
			/* Records that say more are newer. */
			e->flags |= ENTRY_STATE | (i.doubt ? ENTRY_DOUBT : 0);
			e->attempts = i.attempts;
			e->next_us = i.next_us;
		}
	}
	return !r.bad;
}

static bool
on_begun(struct spool_journal *j, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);

	while (wire_left(&r) >= sizeof(uint64_t)) {
		struct journal_entry *e = entry_of(j, wire_u64(&r));

		if (e != NULL && e->flags == 0) {
			e->flags = ENTRY_BEGUN | ENTRY_DONE;
		}
	}
	return wire_left(&r) == 0;
}

static bool
on_state(struct spool_journal *j, const struct journal_record *rec)
{
	struct wire_r r = wire_reader(rec->payload);
	struct journal_entry *e = entry_of(j, wire_u64(&r));
	uint16_t attempts = wire_u16(&r), flags = wire_u16(&r);
	uint64_t next;

	wire_u32(&r);
	next = wire_u64(&r);
	if (r.bad || e == NULL) {
		return false;
	}
	e->flags = (uint16_t)((e->flags & ~ENTRY_DOUBT) | ENTRY_STATE |
	    (flags & STATE_DOUBT ? ENTRY_DOUBT : 0));
	e->attempts = attempts;
	e->next_us = next;
	return true;
}

static void
apply(struct spool_journal *j, uint32_t segment,
    const struct journal_record *rec)
{
	bool ok = true;

	j->total_records++;
	if (rec->type == JOURNAL_MESSAGE || rec->type == JOURNAL_LARGE) {
		ok = on_message(j, segment, rec);
	} else if (rec->type == JOURNAL_RETRY || rec->type == JOURNAL_DONE) {
		ok = on_event(j, rec);
	} else if (rec->type == JOURNAL_SETTLED) {
		ok = on_settled(j, rec);
	} else if (rec->type == JOURNAL_BEGUN) {
		ok = on_begun(j, rec);
	} else if (rec->type == JOURNAL_STATE) {
		ok = on_state(j, rec);
	}
	if (!ok && j->ears.bad_record != NULL) {
		j->ears.bad_record(j->ears.arg, &j->segments[segment], rec);
	}
}

/* Is it still the use that was opened? */
static bool
is_same_use(const struct spool_segment *s)
{
	struct segment_head h;

	return fdio_pread_full(s->fd, &h, sizeof h, 0) ==
	    (ssize_t)sizeof h && memcmp(&h, &s->head, sizeof h) == 0;
}

static void
read_segment(struct spool_journal *j, uint32_t number)
{
	struct spool_segment *s = &j->segments[number];
	struct journal_record rec;
	struct segment_reader r;
	enum segment_read got;
	uint64_t end;

	segment_reader_init(&r, s->fd, s->size,
	    (struct segment_use){ s->head.epoch, s->head.key }, s->limit);
	while ((got = segment_reader_next(&r)) != SEGMENT_END) {
		if (got == SEGMENT_BATCH) {
			j->batches++;
			while (segment_reader_record(&r, &rec)) {
				apply(j, number, &rec);
			}
			continue;
		}
		if (!is_same_use(s)) {
			break;
		}
		if (j->ears.damage != NULL) {
			j->ears.damage(j->ears.arg, s, r.at, r.resume,
			    got == SEGMENT_UNREADABLE ? r.error : 0);
		}
	}
	end = EC_MAX(r.valid_end, r.at);
	if (got == SEGMENT_END && s->limit > end && is_same_use(s) &&
	    j->ears.damage != NULL) {
		/* The next head says that more was durable. */
		j->ears.damage(j->ears.arg, s, end, s->limit, 0);
	}
	segment_reader_fini(&r);
}

void
spool_journal_read(struct spool_journal *j, const struct journal_ears *ears)
{
	j->ears = ears != NULL ? *ears : (struct journal_ears){ 0 };
	for (uint32_t i = 0; i < j->n_live; i++) {
		read_segment(j, i);
	}
}

int
spool_journal_body(const struct spool_journal *j, size_t record, msgid batch,
    uint64_t size)
{
	const struct journal_place *p = &j->records[record];
	char path[SPOOL_NAME + 8];
	struct stat st;
	int fd;

	if (!p->large) {
		return dup(j->segments[p->segment].fd);
	}
	spool_large_name(batch, path);
	fd = spool_file_open(j->dir, path, &st);
	if (fd >= 0 && (uint64_t)st.st_size != size) {
		fdio_close(&fd);
		errno = ENODATA;
	}
	return fd;
}

bool
spool_journal_envelope(struct spool_journal *j, size_t record,
    struct scratch *mem, struct envelope *out, uint64_t *body_at_out,
    uint64_t *body_size_out)
{
	const struct journal_place *p = &j->records[record];
	const struct spool_segment *s = &j->segments[p->segment];
	size_t want = JOURNAL_RECORD_HEAD + EC_MIN((size_t)p->length,
	    (size_t)BEFORE_ENVELOPE + ENVELOPE_MAX_BYTES);
	uint64_t large_size = 0;
	struct record_head h;
	struct slice encoded;
	struct wire_r r;

	if (j->block == NULL) {
		j->block = xmalloc(JOURNAL_RECORD_HEAD + BEFORE_ENVELOPE +
		    ENVELOPE_MAX_BYTES);
	}
	if (fdio_pread_full(s->fd, j->block, want, p->offset -
	    JOURNAL_RECORD_HEAD) != (ssize_t)want) {
		return false;
	}
	memcpy(&h, j->block, sizeof h);
	if (h.epoch != s->head.epoch || h.length != p->length ||
	    h.type != (p->large ? JOURNAL_LARGE : JOURNAL_MESSAGE)) {
		return false;	/* the segment was reused */
	}
	r = wire_reader(slice_make(j->block + sizeof h, want - sizeof h));
	if (p->large) {
		large_size = wire_u64(&r);
	}
	encoded = wire_bytes(&r, wire_u32(&r));
	if (r.bad || !envelope_decode(encoded, mem, out)) {
		return false;
	}
	if (p->large) {
		*body_at_out = 0;
		*body_size_out = large_size;
		return true;
	}
	*body_at_out = p->offset + sizeof(uint32_t) + encoded.len;
	*body_size_out = p->length - sizeof(uint32_t) - encoded.len;
	return true;
}
