/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay's first part: the newest base and the deltas that follow it, each the
 * one before.  A thread reads a block, the loop's thread applies it, and so on.
 *
 * What was read is of use only if it is at least as new as the checkpoint for
 * which segments of the journal were given up; else, and after damage, all of
 * it is forgotten and the .meta files serve.
 */
#include "spooler/replay.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define FILES_MAX 1024u

enum got { GOT_BLOCK, GOT_OTHER, GOT_DAMAGE, GOT_ERROR };

struct load_file {
	uint32_t generation;
	enum checkpoint_kind kind;
};

struct checkpoint_load {
	struct workq_job job;
	struct spooler *s;
	int dir;
	struct load_file files[FILES_MAX];	/* by generation */
	unsigned n_files, at_file;
	uint32_t base, last;	/* generations: of the base, applied whole */
	uint64_t lsn;
	uint32_t *queues;	/* number in the file -> ours */
	/* The file in hand: */
	int fd;
	uint64_t at;
	struct checkpoint_head head;
	char *bytes;
	struct slice payload;
	enum got got;
	struct error err;
	bool ended;
	uint64_t puts, gones;
};

static void next_file(struct checkpoint_load *l);

static int
by_generation(const void *a, const void *b)
{
	const struct load_file *x = a, *y = b;

	return x->generation < y->generation ? -1 :
	    x->generation > y->generation;
}

/* A file that was not seen may be a base newer than the next one would be, and
 * be taken for the newest one day: then none is written. */
static void
list_failed(struct checkpoint_load *l)
{
	log_critical("cannot list the checkpoints: %s; none is written until "
	    "this is mended and ecelerity restarted", strerror(errno));
	l->s->incomplete = true;
}

static void
list_files(struct checkpoint_load *l)
{
	int fd = l->s->fs->open_at(l->dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	/* Who wrote the newest may have died before it synced its name; what
	 * is recycled on the strength of it would be lost with the power. */
	if (d == NULL || l->s->fs->sync_dir(l->dir) < 0) {
		list_failed(l);
	}
	if (d == NULL) {
		return;
	}
	errno = 0;
	while ((e = readdir(d)) != NULL) {
		struct load_file *f = &l->files[l->n_files];

		if (l->n_files < FILES_MAX && checkpoint_name_parse(e->d_name,
		    &f->generation, &f->kind)) {
			l->n_files++;
		}
		errno = 0;
	}
	if (errno != 0) {
		list_failed(l);
	}
	closedir(d);
	if (l->n_files > 1) {
		qsort(l->files, l->n_files, sizeof l->files[0], by_generation);
	}
}

static enum got
damaged(struct checkpoint_load *l, const char *what)
{
	error_set(&l->err, ERROR_DAMAGE, "%s", what);
	return GOT_DAMAGE;
}

/* That is no damage: another start may be able to. */
static enum got
unread(struct checkpoint_load *l)
{
	error_set(&l->err, ERROR_SYSTEM, "it cannot be read (%s)",
	    strerror(errno));
	return GOT_ERROR;
}

static enum got
open_file(struct checkpoint_load *l)
{
	const struct load_file *f = &l->files[l->at_file];
	char name[CHECKPOINT_NAME];

	checkpoint_name(f->generation, f->kind, name);
	l->fd = l->s->fs->open_at(l->dir, name, O_RDONLY, 0);
	if (l->fd < 0 || fs_read_full(l->s->fs, l->fd, &l->head,
	    sizeof l->head, 0) < 0) {
		return unread(l);
	}
	if (!checkpoint_head_valid(&l->head) ||
	    l->head.generation != f->generation || l->head.kind != f->kind) {
		return damaged(l, "its head is damaged");
	}
	l->at = sizeof l->head;
	return f->kind == CHECKPOINT_DELTA && (l->head.base != l->base ||
	    l->head.prev != l->last) ? GOT_OTHER : GOT_BLOCK;
}

static enum got
read_block(struct checkpoint_load *l)
{
	struct checkpoint_block_head h = { 0 };
	ssize_t n, length;

	n = fs_read_full(l->s->fs, l->fd, l->bytes, CHECKPOINT_BLOCK, l->at);
	if (n < 0) {
		return unread(l);
	}
	memcpy(&h, l->bytes, EC_MIN((size_t)n, sizeof h));
	length = checkpoint_block_length(&h, l->head.generation);
	if (length < 0 || length + (ssize_t)sizeof h > n) {
		return damaged(l, "it ends too early");
	}
	if (!checkpoint_block_valid(&h, l->bytes + sizeof h)) {
		return damaged(l, "a checksum is wrong");
	}
	l->payload = slice_make(l->bytes + sizeof h, (size_t)length);
	l->at += sizeof h + (size_t)length;
	return GOT_BLOCK;
}

static void
load_run(struct workq_job *job)
{
	struct checkpoint_load *l = container_of(job, struct checkpoint_load,
	    job);

	l->got = l->fd < 0 ? open_file(l) : GOT_BLOCK;
	if (l->got == GOT_BLOCK) {
		l->got = read_block(l);
	}
}

static void
put(struct checkpoint_load *l, const struct checkpoint_item *i)
{
	struct spooler *s = l->s;
	uint32_t slot = index_add(&s->index, i->id);
	struct msg *m;

	if (slot == 0) {
		slot = index_find(&s->index, i->id);
	}
	m = index_at(&s->index, slot);
	m->attempts = i->attempts;
	m->next_us = i->next_us;
	m->received_s = i->received_s;
	m->queue = l->queues[i->queue];
	m->flags = (uint8_t)((m->flags & MSG_SETTLED) |
	    (i->doubt ? MSG_DOUBT : 0));
	m->deaths = i->deaths & MSG_DEATHS_MAX;
	index_set_settled(&s->index, m);
}

/* False when it makes no sense: a checksum was right all the same. */
static bool
apply(struct checkpoint_load *l, const struct checkpoint_item *i)
{
	struct spooler *s = l->s;
	struct queue *q;
	uint32_t slot;

	switch (i->op) {
	case CHECKPOINT_QUEUE:
		if (i->queue >= BUDGET_ROWS) {
			return false;
		}
		q = spooler_queue(s, i->group, i->binding, i->domain);
		if (q == NULL) {
			replay_no_queue();
		}
		l->queues[i->queue] = q == NULL ? 0 : q->number;
		break;
	case CHECKPOINT_PUT:
		if (i->queue >= BUDGET_ROWS) {
			return false;
		}
		l->puts++;
		s->replay->loaded++;
		put(l, i);
		break;
	case CHECKPOINT_GONE:
		l->gones++;
		slot = index_find(&s->index, i->id);
		if (slot != 0 && index_at(&s->index, slot)->txn == 0) {
			index_remove(&s->index, slot);
		}
		break;
	case CHECKPOINT_END:
		l->ended = true;
		return i->puts == l->puts && i->gones == l->gones;
	}
	return true;
}

static bool
apply_block(struct checkpoint_load *l)
{
	struct wire_r r = wire_reader(l->payload);
	struct checkpoint_item i;

	while (!l->ended && checkpoint_next(&r, &i)) {
		if (!apply(l, &i)) {
			return false;
		}
	}
	return !r.bad;
}

static void
finish(struct checkpoint_load *l, bool usable)
{
	struct spooler *s = l->s;
	uint32_t taken = l->n_files == 0 ? 0 :
	    l->files[l->n_files - 1].generation;

	if (usable) {
		s->replay->lsn = l->lsn;
		checkpoint_resume(s, l->last, l->base, l->lsn, taken);
	} else {
		s->replay->damage = true;
		checkpoint_resume(s, 0, 0, 0, taken);
	}
	log_info("replay: checkpoint %u: %u settled messages after %llu ms",
	    usable ? l->last : 0, index_count(&s->index),
	    (unsigned long long)(loop_refresh_us(s->loop) -
	    s->replay->began_us) / 1000u);
	close(l->dir);
	free(l->queues);
	free(l->bytes);
	free(l);
	replay_journal_start(s);
}

/* All that was loaded is forgotten. */
static void
purge(struct spooler *s)
{
	for (uint32_t slot = 1; slot < s->index.msgs.fresh; slot++) {
		struct msg *m = index_at(&s->index, slot);

		if (index_is_live(&s->index, slot) && m->txn == 0 &&
		    m->state == MSG_NEW) {
			index_remove(&s->index, slot);
		}
	}
}

static void
close_file(struct checkpoint_load *l)
{
	if (l->fd >= 0) {
		close(l->fd);
		l->fd = -1;
	}
	l->ended = false;
	l->puts = l->gones = 0;
	l->at_file++;
}

/* Damaged ones are kept for people.  One that cannot be read stays: all that
 * came since is still in the journal at the next start. */
static void
give_up(struct checkpoint_load *l)
{
	const struct load_file *f = &l->files[l->at_file];
	char name[CHECKPOINT_NAME], from[64], to[96];
	struct spooler *s = l->s;
	bool moved = false;

	checkpoint_name(f->generation, f->kind, name);
	if (l->got == GOT_DAMAGE) {
		snprintf(from, sizeof from, "checkpoint/%s", name);
		snprintf(to, sizeof to, "quarantine/checkpoint-%s.%llu", name,
		    (unsigned long long)clock_wall_us());
		moved = s->fs->rename_at(s->store.base, from, to) == 0;
	}
	log_critical("checkpoint %s: %s: %s%s; the .meta files serve "
	    "instead: attempts are those at settling where the journal says "
	    "nothing newer", name, l->err.text, moved ? "moved to " :
	    "left where it is", moved ? to : "");
	close_file(l);
	purge(s);
	finish(l, false);
}

static void
load_done(struct workq_job *job)
{
	struct checkpoint_load *l = container_of(job, struct checkpoint_load,
	    job);
	struct spooler *s = l->s;

	if (l->got == GOT_OTHER) {
		close_file(l);	/* of an older base, or never finished */
		next_file(l);
		return;
	}
	if (l->got == GOT_BLOCK && l->at == sizeof l->head + l->payload.len +
	    sizeof(struct checkpoint_block_head)) {
		s->replay->to_load += l->head.count;
		if (l->head.kind == CHECKPOINT_BASE) {
			index_reserve(&s->index, l->head.count);
		}
	}
	if (l->got == GOT_BLOCK && !apply_block(l)) {
		l->got = damaged(l, "an item makes no sense");
	}
	if (l->got != GOT_BLOCK) {
		give_up(l);
	} else if (l->ended) {
		l->last = l->head.generation;
		l->lsn = l->head.lsn;
		s->replay->born_s = (uint32_t)(l->head.created_us / 1000000u);
		close_file(l);
		next_file(l);
	} else {
		workq_submit(s->replay->reader, &l->job);
	}
}

static void
next_file(struct checkpoint_load *l)
{
	uint32_t wanted = journal_checkpoint(l->s->journal);

	if (l->at_file < l->n_files) {
		workq_submit(l->s->replay->reader, &l->job);
		return;
	}
	if (l->last < wanted) {
		log_critical("checkpoint %u is missing (the newest is %u): the "
		    ".meta files serve instead: attempts are those at settling "
		    "where the journal says nothing newer", wanted, l->last);
		purge(l->s);
		finish(l, false);
		return;
	}
	finish(l, l->last != 0);
}

void
replay_checkpoint_start(struct spooler *s)
{
	struct checkpoint_load *l = xcalloc(1, sizeof *l);

	l->s = s;
	l->fd = -1;
	l->job.run = load_run;
	l->job.done = load_done;
	l->dir = s->fs->open_at(s->store.base, "checkpoint",
	    O_RDONLY | O_DIRECTORY, 0);
	l->queues = xcalloc(BUDGET_ROWS, sizeof *l->queues);
	l->bytes = xmalloc(CHECKPOINT_BLOCK);
	list_files(l);
	/* The newest base; what is older is left over. */
	for (unsigned i = 0; i < l->n_files; i++) {
		if (l->files[i].kind == CHECKPOINT_BASE) {
			l->base = l->files[i].generation;
			l->at_file = i;
		}
	}
	if (l->base == 0) {
		l->at_file = l->n_files;
	}
	next_file(l);
}
