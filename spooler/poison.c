/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convicted message goes to quarantine.
 *
 *	thread	quarantine/CC-NAME.TIME, CC-NAME.meta.TIME, each with its
 *		.why, all synced
 *	loop	its P record: nobody hands it out again, also after a crash
 *
 * Until that record is durable it is mail and in nobody's list; a crash before
 * makes it a suspect again.  What fails (a full disk) is tried again.
 */
#include "spooler/suspects.h"

#include "common/base/clock.h"
#include "common/base/log.h"

#define AGAIN_US 5000000u

struct convict {
	struct workq_job job;
	struct list_node link;
	struct spooler *s;
	uint32_t slot, txn;
	msgid id;
	char why[160];
	char name[STORE_NAME];
	struct slice *parts;	/* of the body, in memory held for us, or */
	char file[64];		/* below SpoolBase, that has it: a large one */
	unsigned n_parts;
	struct buf meta;
	bool running, copied;
	uint64_t not_before_us;
	struct error err;
};

struct poison {
	struct workq *thread;
	struct list_node list;
};

static void
copy_run(struct workq_job *job)
{
	struct convict *v = container_of(job, struct convict, job);

	v->copied = store_quarantine_copy(&v->s->store, v->id, v->parts,
	    v->n_parts, v->file[0] != '\0' ? v->file : NULL,
	    buf_slice(&v->meta), v->why, &v->err) == 0;
}

static void
convict_free(struct convict *v)
{
	list_remove(&v->link);
	buf_fini(&v->meta);
	free(v->parts);
	free(v);
}

static void
end(struct convict *v)
{
	struct spooler *s = v->s;
	struct txn *x = txn_at(&s->txns, v->txn);

	if (!outcome_poison(s, v->slot)) {
		return;		/* no room just now */
	}
	x->holds--;
	txn_put(&s->txns, x);
	convict_free(v);
}

static void
copy_done(struct workq_job *job)
{
	static struct log_rate rate;
	struct convict *v = container_of(job, struct convict, job);
	struct spooler *s = v->s;
	char text[MSGID_TEXT_LEN + 1];

	v->running = false;
	if (!v->copied) {
		log_limited(&rate, EC_ERROR, "poison: %s; tried again, the "
		    "message stays", v->err.text);
		v->not_before_us = spooler_now(s) + AGAIN_US;
		return;
	}
	msgid_format(v->id, text);
	log_critical("message %s ended a deliverer %u times, the last time "
	    "alone: it is in quarantine/ with its envelope, and not delivered",
	    text, (unsigned)index_at(&s->index, v->slot)->deaths);
	end(v);
}

void
poison_tick(struct spooler *s)
{
	list_each(n, tmp, &s->poison->list) {
		struct convict *v = list_entry(n, struct convict, link);

		if (v->copied) {
			end(v);
		} else if (!v->running && spooler_now(s) >= v->not_before_us) {
			v->running = true;
			workq_submit(s->poison->thread, &v->job);
		}
	}
}

/* Its envelope as settling would write it. */
static bool
make_meta(struct convict *v, const struct msg *m, const struct txn *x)
{
	struct scratch scratch;
	struct meta meta;
	bool found = false;

	memset(&meta, 0, sizeof meta);
	scratch_init(&scratch, 1 << 20);
	ec_assert(envelope_decode(slice_make(x->env, x->env_len), &scratch,
	    &meta.env));
	for (uint32_t i = 0; i < meta.env.n_rcpt && !found; i++) {
		meta.rcpt = meta.env.rcpt[i];
		found = meta.rcpt.id == m->id;
	}
	meta.size = x->size;
	meta.attempts = m->attempts;
	meta.next_us = m->next_us;
	meta.doubt = (m->flags & MSG_DOUBT) != 0;
	found = found && meta_write(&meta, &v->meta);
	scratch_fini(&scratch);
	return found;
}

/* A body that is in no memory: of a large message. */
static void
body_file(const struct txn *x, char out[64])
{
	char name[STORE_NAME];

	if (x->n_pieces > 0 || x->size == 0) {
		return;
	}
	if (x->large) {
		store_large_name(x->batch_id, name);
		snprintf(out, 64, "large/%s", name);
	} else {
		char text[MSGID_TEXT_LEN + 1];

		msgid_format(x->file, text);
		snprintf(out, 64, "%s", text);
	}
}

void
poison_convict(struct spooler *s, uint32_t slot)
{
	struct convict *v = xcalloc(1, sizeof *v);
	struct msg *m = index_at(&s->index, slot);
	struct txn *x = txn_at(&s->txns, m->txn);

	v->job.run = copy_run;
	v->job.done = copy_done;
	v->s = s;
	v->slot = slot;
	v->txn = m->txn;
	v->id = m->id;
	buf_init(&v->meta, META_MAX_BYTES);
	snprintf(v->why, sizeof v->why, "%u deliverers in a row ended while "
	    "they were at work on it, the last one with nothing else begun%s\n",
	    (unsigned)m->deaths, (m->flags & MSG_DOUBT) != 0 ?
	    "; it may have been delivered once" : "");
	if (!make_meta(v, m, x)) {
		panic("a message in flight is in its own envelope");
	}
	v->n_parts = x->n_pieces;
	v->parts = xcalloc(EC_MAX(v->n_parts, 1u), sizeof *v->parts);
	for (unsigned i = 0; i < v->n_parts; i++) {
		v->parts[i] = slice_make(slabs_at(&s->slabs, x->pieces[i]),
		    x->pieces[i].length);
	}
	body_file(x, v->file);
	x->holds++;
	queue_flight(&s->queues, slot, MSG_ENDING);
	list_push_back(&s->poison->list, &v->link);
	v->running = true;
	workq_submit(s->poison->thread, &v->job);
}

struct poison *
poison_create(struct spooler *s)
{
	struct poison *p = xcalloc(1, sizeof *p);

	list_init(&p->list);
	p->thread = workq_create(s->loop, "quarantine", 1);
	return p;
}

void
poison_destroy(struct poison **pp)
{
	struct poison *p = *pp;

	*pp = NULL;
	if (p != NULL) {
		workq_destroy(&p->thread);
		while (!list_is_empty(&p->list)) {
			convict_free(list_entry(list_first(&p->list),
			    struct convict, link));
		}
		free(p);
	}
}
