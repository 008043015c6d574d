/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/spooler/journal_rig.h"

#include <check.h>
#include <fcntl.h>

#include "spooler/replay_scan.h"
#include "tests/spooler/temp_dir.h"

/* number, length, then bytes that follow from both */
size_t
rig_payload(unsigned n, size_t bytes, char *out)
{
	uint32_t head[2] = { n, (uint32_t)bytes };

	ck_assert_uint_ge(bytes, sizeof head);
	memcpy(out, head, sizeof head);
	for (size_t i = sizeof head; i < bytes; i++) {
		out[i] = (char)(n * 7 + i * 31 + (i >> 8));
	}
	return bytes;
}

static unsigned
number_of(struct slice p)
{
	static char want[1 << 20];
	uint32_t head[2];

	ck_assert_uint_ge(p.len, sizeof head);
	memcpy(head, p.ptr, sizeof head);
	ck_assert_uint_eq(head[1], p.len);
	rig_payload(head[0], p.len, want);
	ck_assert(memcmp(want, p.ptr, p.len) == 0);
	return head[0];
}

static ino_t
ino_of(const struct rig *g, uint32_t epoch)
{
	struct stat st;

	ck_assert_int_eq(fstat(journal_segment_fd(g->j, epoch), &st), 0);
	return st.st_ino;
}

static void
check_in_file(const struct rig *g, const struct journal_note *n)
{
	static char bytes[1 << 20];
	int fd = journal_segment_fd(g->j, n->epoch);

	ck_assert_uint_le(n->offset + n->length, g->limits.segment_bytes);
	ck_assert_int_eq(pread(fd, bytes, n->length, (off_t)n->offset),
	    (ssize_t)n->length);
	ck_assert(memcmp(bytes, n->payload, n->length) == 0);
}

static void
note_failed(struct rig *g, struct rig_record *r, const struct journal_note *n)
{
	/* Important ones are never told to have failed. */
	ck_assert(!r->important);
	r->fate = RIG_FAILED;
	g->failed_epoch = n->epoch;
	ck_assert_uint_lt(g->n_failed_ino, ARRAY_LEN(g->failed_ino));
	if (g->n_failed_ino == 0 ||
	    g->failed_ino[g->n_failed_ino - 1] != ino_of(g, n->epoch)) {
		g->failed_ino[g->n_failed_ino++] = ino_of(g, n->epoch);
	}
	if (g->fail_next > 0) {
		g->fail_next--;
		/* Nothing of it comes to the disk. */
		crashfs_fail(g->c, CRASHFS_BIT(CRASHFS_WRITE), 1, EIO, false);
	}
}

static void
on_note(void *arg, const struct journal_note *n)
{
	struct rig *g = arg;
	struct rig_record *r = &g->rec[n->a];
	struct segment_head h;

	ck_assert_uint_eq(number_of(slice_make(n->payload, n->length)), n->a);
	ck_assert_uint_eq(n->what, 77);
	if (!n->ok) {
		note_failed(g, r, n);
		return;
	}
	ck_assert_uint_ne(n->epoch, g->failed_epoch);
	ck_assert_uint_gt(n->lsn, g->last_lsn);
	ck_assert_uint_eq(n->lsn >> 32, n->epoch);
	g->last_lsn = n->lsn;
	check_in_file(g, n);
	if (n->epoch != g->last_epoch) {
		g->last_epoch = n->epoch;
		ck_assert_int_eq(pread(journal_segment_fd(g->j, n->epoch), &h,
		    sizeof h, 0), sizeof h);
		ck_assert(segment_head_valid(&h));
		ck_assert_uint_eq(h.epoch, n->epoch);
		g->floor = h.oldest;
		for (unsigned i = 0; i < g->n_failed_ino; i++) {
			ck_assert_uint_ne(g->failed_ino[i], ino_of(g, n->epoch));
		}
	}
	if (r->state) {
		journal_needs_cover(g->j, n->epoch);
	} else {
		journal_pin(g->j, n->epoch);
	}
	r->lsn = n->lsn;
	r->fate = RIG_OK;
	r->live = true;
	r->epoch = n->epoch;
}

/* A checkpoint, as far as the journal is concerned. */
static void
cover(struct rig *g)
{
	if (!g->cover_wanted || g->mute) {
		return;
	}
	g->cover_wanted = false;
	g->n_covers++;
	g->covered = journal_durable(g->j);
	for (unsigned i = 0; i < g->n; i++) {
		struct rig_record *r = &g->rec[i];

		if (r->state && r->fate == RIG_OK && r->lsn <= g->covered) {
			r->covered = true;
		}
	}
	journal_covered(g->j, g->covered, g->n_covers);
}

static void
on_batch(void *arg, bool ok, uint64_t took_us)
{
	struct rig *g = arg;

	(void)took_us;
	g->n_batches += ok;
	if (!g->mute) {
		journal_logged(g->j, journal_durable(g->j));
	}
	cover(g);
}

static void
on_room(void *arg)
{
	struct rig *g = arg;

	g->n_rooms++;
}

static enum journal_room
append(struct rig *g, unsigned n, size_t bytes)
{
	static char p[1 << 20];
	struct journal_note note = { .what = 77, .a = n };
	struct slice parts[2];
	size_t cut = bytes / 3;

	loop_again(g->loop);	/* as if in a callback of this turn */
	rig_payload(n, bytes, p);
	parts[0] = slice_make(p, cut);
	parts[1] = slice_make(p + cut, bytes - cut);
	return journal_append(g->j, g->rec[n].state ? JOURNAL_STATE :
	    g->rec[n].important ? JOURNAL_DONE : JOURNAL_MESSAGE, parts, 2,
	    g->rec[n].important, &note);
}

static void
on_cover(void *arg)
{
	struct rig *g = arg;

	g->cover_wanted = true;
}

enum journal_room
rig_append(struct rig *g, size_t bytes, bool important, bool state)
{
	struct rig_record *r = &g->rec[g->n];
	enum journal_room room;

	ck_assert_uint_lt(g->n, RIG_MAX);
	*r = (struct rig_record){ .fate = RIG_WAITING,
		.important = important || state,
		.state = state, .group = g->n_groups };
	room = append(g, g->n, bytes);
	if (room == JOURNAL_OK) {
		g->n++;
	} else {
		r->fate = RIG_NONE;
	}
	return room;
}

void
rig_group(struct rig *g)
{
	g->n_groups++;
}

void
rig_init(struct rig *g, bool crashing, uint64_t seed)
{
	memset(g, 0, sizeof *g);
	g->loop = loop_create();
	g->limits = (struct journal_limits){ 6 << 16, 1 << 16 };
	if (crashing) {
		g->c = crashfs_create(seed);
	}
}

void
rig_fini(struct rig *g)
{
	rig_close(g);
	if (g->c != NULL) {
		crashfs_destroy(&g->c);
	}
	loop_destroy(&g->loop);
}

static void
on_second(void *arg)
{
	struct rig *g = arg;

	journal_poke(g->j);
	cover(g);
	loop_timer_set(&g->second, 50000);	/* a short one */
}

bool
rig_open(struct rig *g)
{
	struct journal_hooks hooks = { on_note, on_batch, on_room, on_cover, g };
	struct error err = { 0 };

	if (g->c != NULL) {
		close(crashfs_dir(g->c, "quarantine"));
		g->dir = crashfs_dir(g->c, "journal");
		g->base = crashfs_dir(g->c, ".");
	}
	g->j = journal_open(g->loop, g->fs != NULL ? g->fs :
	    g->c != NULL ? &crashfs_fs : &fs_real, g->dir, &g->limits, &hooks, &err);
	g->last_epoch = 0;
	g->failed_epoch = 0;
	g->n_failed_ino = 0;
	if (g->j == NULL && g->c != NULL) {
		close(g->dir);
		close(g->base);
	}
	if (g->j != NULL) {
		loop_timer_init(&g->second, g->loop, on_second, g);
		loop_timer_set(&g->second, 50000);
	}
	return g->j != NULL;
}

void
rig_close(struct rig *g)
{
	if (g->j != NULL) {
		loop_timer_stop(&g->second);
		journal_close(&g->j);
		close(g->dir);
		if (g->c != NULL) {
			close(g->base);
		}
	}
}

void
rig_drain(struct rig *g)
{
	while (!journal_is_idle(g->j) &&
	    (g->c == NULL || !crashfs_has_crashed(g->c))) {
		loop_turn(g->loop, true);
	}
}

void
rig_keep(struct rig *g, unsigned live)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->n; i++) {
		n += g->rec[i].live && !g->rec[i].state;
	}
	for (unsigned i = 0; i < g->n && n > live; i++) {
		struct rig_record *r = &g->rec[i];

		if (r->live && !r->state) {
			r->live = false;
			journal_unpin(g->j, r->epoch);
			n--;
		}
	}
}

void
rig_work(struct rig *g, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		unsigned in_group = 1 + i % 5;

		rig_group(g);
		for (unsigned k = 0; k < in_group; k++) {
			rig_append(g, 100 + (i * 37 + k * 911) % 5000,
			    (i + k) % 3 == 0, i % 11 == 0 && k == 0);
		}
		if (i % 4 != 3) {
			rig_drain(g);
		} else {
			loop_turn(g->loop, false);	/* more gathers behind */
		}
		if (g->c != NULL && crashfs_has_crashed(g->c)) {
			return;
		}
		rig_keep(g, 12);
	}
	rig_drain(g);
}

static void
replay_batch(struct rig *g, const struct journal_scan *s, const char *bytes,
    unsigned *last)
{
	uint32_t pos = 0, n = 0;
	struct journal_record rec;

	while (journal_scan_record(s, &pos, &n, &rec)) {
		unsigned i = number_of(rec.payload);

		ck_assert_ptr_eq(rec.payload.ptr, bytes + rec.offset);
		ck_assert_uint_lt(i, g->n);
		if (!g->rec[i].state) {
			/* Never twice, never out of order. */
			ck_assert(!g->rec[i].found);
			ck_assert(*last == 0 || i > *last || g->n_failed_ino);
			*last = i;
		}
		g->rec[i].found = true;
	}
}

void
rig_replay(struct rig *g)
{
	struct segment_image image;
	struct journal_old old;
	uint32_t before = 0;
	unsigned last = 0;

	segment_image_init(&image);
	for (unsigned i = 0; i < g->n; i++) {
		g->rec[i].found = false;
	}
	for (unsigned k = 0; journal_old(g->j, k, &old); k++) {
		struct replay_scan r = { .fs = g->c != NULL ? &crashfs_fs :
			&fs_real, .base = g->base, .old = old,
			.fd = journal_segment_fd(g->j, old.epoch),
			.image = &image };
		struct journal_scan s;
		enum journal_scan_result got;

		ck_assert_uint_gt(old.epoch, before);
		before = old.epoch;
		replay_scan_run(&r);
		ck_assert(!r.failed);
		ck_assert(r.copied);
		ck_assert(g->damage || r.damaged_bytes == 0);
		g->n_damaged += r.damaged_bytes > 0;
		replay_scan_again(&r, &s);
		while ((got = journal_scan_next(&s)) != SCAN_END) {
			ck_assert(g->damage || got == SCAN_BATCH);
			if (got == SCAN_BATCH) {
				replay_batch(g, &s, image.bytes, &last);
			}
		}
		journal_old_end(g->j, old.epoch, s.next_index == 0 ? 0 :
		    journal_lsn(old.epoch, s.next_index - 1), true);
	}
	segment_image_fini(&image);
}

void
rig_check_live(struct rig *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		struct rig_record *r = &g->rec[i];

		ck_assert_msg(!r->live || r->found || r->covered,
		    "record %u is lost", i);
		if (r->live && !r->state && journal_has(g->j, r->epoch)) {
			journal_pin(g->j, r->epoch);
		} else if (!r->state) {
			r->live = false;
		}
	}
	/* Segments were given up only for a checkpoint that is known of. */
	ck_assert_uint_le(journal_checkpoint(g->j), g->n_covers);
	if (g->n_covers > 0) {
		journal_covered(g->j, g->covered, g->n_covers);
	}
	/* What is free durably does not come back. */
	ck_assert_uint_ge(journal_oldest(g->j), g->floor);
}
