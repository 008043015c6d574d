/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: which messages are settled and in what state, so that a start
 * reads one file and the journal behind it instead of a directory tree.
 *
 *	note	a settled message changes -> its id goes into a list
 *	begin	position L = what is durable and applied; the list is taken
 *	write	base: every settled message; delta: those of the list; as they
 *		stand when their turn comes (fuzzy: whatever changed since L is
 *		in the journal behind L, and comes on top)
 *	end	synced, renamed, directory synced -> the journal is told: what
 *		stands up to L is needed no more
 *
 * The loop's thread fills a block, a thread writes it, and so on: no turn takes
 * long.  A file that cannot be written is given up; its list joins the next
 * one.  checkpoint/reserve keeps room for the next base on a full disk.
 */
#include "spooler/spooler.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define AGAIN_US 5000000u
#define MANY_CHANGES (1u << 18)	/* then at once: 2 MiB of ids */
#define MAX_DELTAS 64u
#define SMALL_BASE (1u << 20)
#define NEW_NAME "new"
#define RESERVE_NAME "reserve"
#define RESERVE_STEP (4u << 20)

struct id_list {
	msgid *id;
	size_t n, cap;
};

struct writer {			/* one file being written */
	struct workq_job job;
	struct spooler *s;
	struct checkpoint_head head;
	struct checkpoint_block block;
	struct id_list list;	/* a delta's; of a base what it stands for */
	size_t pos;		/* in the list, or the slot */
	uint64_t puts, gones;
	bool ended;		/* the block in hand is the last */
	int fd;
	uint64_t at;		/* bytes written */
	int error;
	const char *what;	/* that failed */
};

struct checkpoint {
	struct workq *thread;
	int dir;
	struct id_list changed;
	struct writer *writer;	/* NULL: none is on the way */
	uint32_t generation, base, taken;
	unsigned deltas;
	uint64_t base_bytes, delta_bytes;
	uint64_t last_us, not_before_us;
	bool wanted;
};

static void
list_add(struct id_list *l, msgid id)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 256;
		l->id = xrealloc(l->id, l->cap * sizeof *l->id);
	}
	l->id[l->n++] = id;
}

void
checkpoint_note(struct spooler *s, struct msg *m, uint32_t epoch)
{
	journal_needs_cover(s->journal, epoch);
	if ((m->flags & MSG_CHANGED) == 0) {
		m->flags |= MSG_CHANGED;
		list_add(&s->checkpoint->changed, m->id);
	}
}

void
checkpoint_note_gone(struct spooler *s, msgid id)
{
	list_add(&s->checkpoint->changed, id);
}

void
checkpoint_want(struct spooler *s)
{
	s->checkpoint->wanted = true;
}

void
checkpoint_item_of(const struct msg *m, struct checkpoint_item *out)
{
	*out = (struct checkpoint_item){ .op = CHECKPOINT_PUT, .id = m->id,
		.next_us = m->next_us, .received_s = m->received_s,
		.queue = m->queue, .attempts = m->attempts,
		.doubt = (m->flags & MSG_DOUBT) != 0, .deaths = m->deaths };
}

void
checkpoint_item_of_queue(const struct queue *q, struct checkpoint_item *out)
{
	*out = (struct checkpoint_item){ .op = CHECKPOINT_QUEUE,
		.queue = q->number, .group = q->group, .binding = q->binding,
		.domain = q->domain };
}

static void
put(struct writer *w, struct msg *m)
{
	struct queue *q = queue_at(&w->s->queues, m->queue);
	struct checkpoint_item i;

	if (q->in_checkpoint != w->head.generation) {
		q->in_checkpoint = w->head.generation;
		checkpoint_item_of_queue(q, &i);
		checkpoint_put(&w->block, &i);
	}
	checkpoint_item_of(m, &i);
	checkpoint_put(&w->block, &i);
	m->flags &= (uint8_t)~MSG_CHANGED;
	w->puts++;
}

/* The next message of a delta; false when there is none. */
static bool
add_changed(struct writer *w)
{
	struct checkpoint_item gone = { .op = CHECKPOINT_GONE };
	uint32_t slot;

	if (w->pos == w->list.n) {
		return false;
	}
	gone.id = w->list.id[w->pos++];
	slot = index_find(&w->s->index, gone.id);
	if (slot != 0 && (index_at(&w->s->index, slot)->flags &
	    (MSG_SETTLED | MSG_GONE)) == MSG_SETTLED) {
		put(w, index_at(&w->s->index, slot));
	} else {
		checkpoint_put(&w->block, &gone);
		w->gones++;
	}
	return true;
}

/* The next slot of a base; false behind the last. */
static bool
add_slot(struct writer *w)
{
	struct index *x = &w->s->index;
	struct msg *m;

	if (w->pos >= x->msgs.fresh) {
		return false;
	}
	m = index_at(x, (uint32_t)w->pos);
	if (index_is_live(x, (uint32_t)w->pos) && m->queue != 0 &&
	    (m->flags & (MSG_SETTLED | MSG_GONE)) == MSG_SETTLED) {
		put(w, m);
	}
	w->pos++;
	return true;
}

/* Fills the block in hand; the last one ends with what there was. */
static void
fill(struct writer *w)
{
	struct checkpoint_item end = { .op = CHECKPOINT_END };
	bool more = true;

	checkpoint_block_reset(&w->block);
	while (more && checkpoint_block_has_room(&w->block)) {
		more = w->head.kind == CHECKPOINT_BASE ? add_slot(w) :
		    add_changed(w);
	}
	if (!more) {
		end.puts = w->puts;
		end.gones = w->gones;
		checkpoint_put(&w->block, &end);
		w->ended = true;
	}
}

static bool
failed(struct writer *w, const char *what)
{
	w->error = errno;
	w->what = what;
	return false;
}

static bool
write_some(struct writer *w)
{
	const struct fs *fs = w->s->fs;
	struct slice bytes = checkpoint_block_seal(&w->block);

	if (w->fd < 0) {
		w->fd = fs->open_at(w->s->checkpoint->dir, NEW_NAME,
		    O_RDWR | O_CREAT | O_TRUNC, 0640);
		if (w->fd < 0 || fs_write_all(fs, w->fd, &w->head,
		    sizeof w->head, 0) < 0) {
			return failed(w, "write");
		}
		w->at = sizeof w->head;
	}
	if (fs_write_all(fs, w->fd, bytes.ptr, bytes.len, w->at) < 0) {
		return failed(w, "write");
	}
	w->at += bytes.len;
	return true;
}

/* A base makes all before it worthless, and says how much room to keep. */
static void
tidy(struct writer *w)
{
	static const char zeros[1 << 16];
	const struct fs *fs = w->s->fs;
	int dir = w->s->checkpoint->dir, fd = fs->open_at(dir, ".",
	    O_RDONLY | O_DIRECTORY, 0);
	uint64_t step = w->s->checkpoint_limits.reserve_step;
	uint64_t want = (w->at * 5 / 4 / step + 1) * step;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	enum checkpoint_kind kind;
	uint32_t generation;
	struct dirent *e;
	struct stat st;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (checkpoint_name_parse(e->d_name, &generation, &kind) &&
		    generation < w->head.base) {
			fs->unlink_at(dir, e->d_name);
		}
	}
	if (d != NULL) {
		closedir(d);
	}
	fd = fs->open_at(dir, RESERVE_NAME, O_RDWR | O_CREAT, 0640);
	if (fd < 0 || fs->stat_fd(fd, &st) < 0) {
		st.st_size = (off_t)want;
	}
	for (uint64_t at = (uint64_t)st.st_size; at < want;
	    at += sizeof zeros) {
		if (fs_write_all(fs, fd, zeros, sizeof zeros, at) < 0) {
			break;	/* the disk is full: what is there is kept */
		}
	}
	if (fd >= 0) {
		fs->sync_data(fd);
		close(fd);
	}
}

static bool
finish_file(struct writer *w)
{
	const struct fs *fs = w->s->fs;
	int dir = w->s->checkpoint->dir;
	char name[CHECKPOINT_NAME];

	checkpoint_name(w->head.generation, w->head.kind, name);
	if (fs->sync_data(w->fd) < 0) {
		return failed(w, "sync");
	}
	if (fs->rename_at(dir, NEW_NAME, name) < 0) {
		return failed(w, "rename");
	}
	if (fs->sync_dir(dir) < 0) {
		/* Whether it is there is not known: let it not be. */
		failed(w, "sync the directory of");
		fs->unlink_at(dir, name);
		return false;
	}
	if (w->head.kind == CHECKPOINT_BASE) {
		tidy(w);
	}
	return true;
}

static void
writer_run(struct workq_job *job)
{
	struct writer *w = container_of(job, struct writer, job);

	if (!write_some(w) || (w->ended && !finish_file(w))) {
		if (w->error == ENOSPC || w->error == EDQUOT) {
			w->s->fs->unlink_at(w->s->checkpoint->dir,
			    RESERVE_NAME);
		}
		w->s->fs->unlink_at(w->s->checkpoint->dir, NEW_NAME);
	}
}

static void
writer_free(struct writer *w)
{
	if (w->fd >= 0) {
		close(w->fd);
	}
	checkpoint_block_fini(&w->block);
	free(w->list.id);
	w->s->checkpoint->writer = NULL;
	free(w);
}

/* What it was to say is for the next one to say. */
static void
give_up(struct writer *w)
{
	static struct log_rate rate;
	struct checkpoint *c = w->s->checkpoint;
	bool full = w->error == ENOSPC || w->error == EDQUOT;

	log_limited(&rate, EC_ERROR, "checkpoint: cannot %s the file: %s; tried "
	    "again, nothing is lost by it", w->what, strerror(w->error));
	for (size_t i = 0; i < w->list.n; i++) {
		uint32_t slot = index_find(&w->s->index, w->list.id[i]);

		if (slot != 0) {
			index_at(&w->s->index, slot)->flags |= MSG_CHANGED;
		}
		list_add(&c->changed, w->list.id[i]);
	}
	c->wanted = true;
	/* The reserve has just been given up for it. */
	c->not_before_us = spooler_now(w->s) + (full ? AGAIN_US / 10 :
	    AGAIN_US);
	if (w->head.kind == CHECKPOINT_BASE) {
		c->base = 0;	/* flags were cleared that a delta needs */
	}
}

static void
succeed(struct writer *w)
{
	struct checkpoint *c = w->s->checkpoint;

	c->generation = w->head.generation;
	if (w->head.kind == CHECKPOINT_BASE) {
		c->base = w->head.generation;
		c->base_bytes = w->at;
		c->delta_bytes = 0;
		c->deltas = 0;
	} else {
		c->delta_bytes += w->at;
		c->deltas++;
	}
	c->last_us = spooler_now(w->s);
	log_info("checkpoint %u (%s): %llu messages, %llu gone, %llu bytes",
	    w->head.generation, w->head.kind == CHECKPOINT_BASE ? "base" :
	    "delta", (unsigned long long)w->puts,
	    (unsigned long long)w->gones, (unsigned long long)w->at);
	journal_covered(w->s->journal, w->head.lsn, w->head.generation);
}

static void
writer_done(struct workq_job *job)
{
	struct writer *w = container_of(job, struct writer, job);
	struct checkpoint *c = w->s->checkpoint;

	if (w->error != 0) {
		give_up(w);
		writer_free(w);
	} else if (w->ended) {
		succeed(w);
		writer_free(w);
	} else {
		fill(w);
		workq_submit(c->thread, &w->job);
	}
}

static void
begin(struct spooler *s)
{
	struct checkpoint *c = s->checkpoint;
	struct writer *w = xcalloc(1, sizeof *w);
	bool base = c->base == 0 || c->deltas >= s->checkpoint_limits.deltas ||
	    c->delta_bytes + c->changed.n * 32 > c->base_bytes / 2 +
	    SMALL_BASE;

	c->wanted = false;
	w->s = s;
	w->fd = -1;
	w->job.run = writer_run;
	w->job.done = writer_done;
	w->list = c->changed;
	c->changed = (struct id_list){ 0 };
	w->pos = base ? 1 : 0;
	w->head = (struct checkpoint_head){ .generation = ++c->taken,
		.kind = base ? CHECKPOINT_BASE : CHECKPOINT_DELTA,
		.base = base ? c->taken : c->base,
		.prev = base ? 0 : c->generation,
		.lsn = journal_durable(s->journal),
		.created_us = clock_wall_us(), .count = index_count(&s->index) };
	checkpoint_head_seal(&w->head);
	checkpoint_block_init(&w->block, w->head.generation);
	c->writer = w;
	fill(w);
	workq_submit(c->thread, &w->job);
}

void
checkpoint_tick(struct spooler *s)
{
	struct checkpoint *c = s->checkpoint;
	uint64_t now = spooler_now(s);
	bool due = now - c->last_us >= s->set.checkpoint_us && (c->changed.n > 0 ||
	    journal_is_uncovered(s->journal));

	if (c->writer == NULL && replay_is_complete(s) && !s->incomplete &&
	    now >= c->not_before_us && (c->wanted || due ||
	    c->changed.n >= MANY_CHANGES)) {
		begin(s);
	}
}

void
checkpoint_resume(struct spooler *s, uint32_t generation, uint32_t base,
    uint64_t lsn, uint32_t taken)
{
	struct checkpoint *c = s->checkpoint;

	c->generation = generation;
	c->base = base;
	c->taken = EC_MAX(taken, journal_checkpoint(s->journal));
	c->last_us = spooler_now(s);
	if (generation != 0 && !s->incomplete) {
		journal_covered(s->journal, lsn, generation);
	}
}

struct checkpoint *
checkpoint_create(struct spooler *s)
{
	struct checkpoint *c = xcalloc(1, sizeof *c);
	struct checkpoint_limits *l = &s->checkpoint_limits;

	l->deltas = l->deltas == 0 ? MAX_DELTAS : l->deltas;
	l->reserve_step = l->reserve_step == 0 ? RESERVE_STEP :
	    l->reserve_step;
	c->dir = s->fs->open_at(s->store.base, "checkpoint",
	    O_RDONLY | O_DIRECTORY, 0);
	c->thread = workq_create(s->loop, "checkpoint", 1);
	return c;
}

void
checkpoint_destroy(struct checkpoint **cp)
{
	struct checkpoint *c = *cp;

	*cp = NULL;
	if (c != NULL) {
		workq_destroy(&c->thread);
		if (c->writer != NULL) {
			writer_free(c->writer);
		}
		free(c->changed.id);
		close(c->dir);
		free(c);
	}
}
