/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/matrix.h"

#include "common/base/log.h"
#include "tests/crash/harm.h"

#define SECOND_POINTS 12u	/* of one recovery, that are looked at */
#define TRIES_MAX UINT64_C(400)		/* of losses at one point */

struct loss {
	enum crashfs_loss bytes, names;
	uint64_t seed;
};

static uint64_t
spread(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* First the plain ones, then all kinds in turn with new seeds. */
static struct loss
loss_of(uint64_t n)
{
	static const struct loss plain[] = {
		{ CRASHFS_DROP, CRASHFS_DROP, 0 },
		{ CRASHFS_KEEP, CRASHFS_KEEP, 0 },
		{ CRASHFS_DROP, CRASHFS_KEEP, 0 },
		{ CRASHFS_KEEP, CRASHFS_DROP, 0 },
	};
	uint64_t k = n - ARRAY_LEN(plain);

	if (n < ARRAY_LEN(plain)) {
		return plain[n];
	}
	/* The two go at different paces, so that all pairs come. */
	return (struct loss){ (enum crashfs_loss)((k + 2) % CRASHFS_LOSSES),
		(enum crashfs_loss)((k + k / CRASHFS_LOSSES + 6) %
		CRASHFS_LOSSES), k };
}

static struct ledger *
new_ledger(struct matrix *x)
{
	struct ledger *l = xcalloc(1, sizeof *l);

	l->tally = x->runs->tally;
	l->quiet = x->quiet;
	return l;
}

static void on_change(void *arg, enum crashfs_call call);
static void on_turn(void *arg);

/* In a child: the power is back, and the disk holds this. */
static void
recover(struct matrix *x, const struct crashfs_image *image, bool again,
    uint64_t key, bool harm)
{
	char what[64];

	struct machine *old = x->m;
	struct machine *m = xcalloc(1, sizeof *m);

	crashfs_leave(&old->disk);
	m->disk = crashfs_boot(image, x->seed);
	m->l = x->l;
	m->fs = x->fs;
	m->peers.incarnation = 100;
	if (harm && harm_checkpoint(m->disk, spread(key), what)) {
		size_t end = strlen(x->l->what);

		snprintf(x->l->what + end, sizeof x->l->what - end, ", %s",
		    what);
		x->l->harmed = true;
		atomic_fetch_add(&x->runs->tally->harmed, 1);
	}
	x->m = m;
	x->level++;
	x->point = 0;
	x->salt = spread(key + harm);
	x->disk_version = crashfs_version(m->disk);
	if (again) {
		crashfs_on_change(m->disk, on_change, x);
		m->on_turn = on_turn;
		m->arg = x;
	}
	atomic_fetch_add(&x->runs->tally->checks, 1);
	script_recover(m);
	crashfs_destroy(&m->disk);
}

static void
fork_recovery(struct matrix *x, const struct crashfs_image *image, bool again,
    uint64_t key, bool harm)
{
	if (runs_fork(x->runs, x->l->what)) {
		recover(x, image, again, key, harm);
		runs_wait(x->runs);
		runs_exit(x->l);
	}
}

/* Tries one loss here; true if it was a state of its own. */
static bool
try_loss(struct matrix *x, struct loss s)
{
	struct crashfs_image *image = crashfs_image_make(x->m->disk, s.bytes,
	    s.names, s.seed * 7919u + x->seed);
	uint64_t hash = crashfs_image_hash(image);
	uint64_t key = spread(hash + x->l->version * UINT64_C(0x9e3779b9) +
	    x->salt);
	bool fresh = runs_is_new(x->runs, hash);
	bool again, harm;

	/* The same disk under more promises is another question. */
	if (!runs_is_unasked(x->runs, key) && !fresh) {
		crashfs_image_free(&image);
		return false;
	}
	again = x->level == 0 && x->second_every > 0 &&
	    x->tried % x->second_every == 0;
	harm = x->level == 0 && x->harm_every > 0 && fresh &&
	    x->tried % x->harm_every == 0;
	x->tried += fresh;
	if (x->level > 0) {
		atomic_fetch_add(&x->runs->tally->second, 1);
	}
	snprintf(x->l->what + strlen(x->l->what) * (x->level > 0),
	    x->level > 0 ? sizeof x->l->what - strlen(x->l->what) :
	    sizeof x->l->what, "%spoint %llu, loss %d %d seed %llu",
	    x->level > 0 ? "; again: " : "", (unsigned long long)x->point,
	    (int)s.bytes, (int)s.names, (unsigned long long)s.seed);
	fork_recovery(x, image, again, key, false);
	if (harm) {
		fork_recovery(x, image, x->tried % 3 == 0, key, true);
	}
	crashfs_image_free(&image);
	return fresh;
}

static void
progress(struct matrix *x)
{
	struct tally *t = x->runs->tally;

	if (x->progress && x->point % 200 == 0) {
		fprintf(stderr, "crash: point %llu of %llu, %llu states, %llu "
		    "recoveries, %llu faults\n", (unsigned long long)x->point,
		    (unsigned long long)x->n_points,
		    (unsigned long long)atomic_load(&t->states),
		    (unsigned long long)atomic_load(&t->checks),
		    (unsigned long long)runs_faults(x->runs));
	}
}

/* The states are spread evenly over the points. */
static void
explore(struct matrix *x)
{
	uint64_t due = x->states * x->point / (x->n_points + 1);
	/* What a poor point could not give is not asked of the next alone. */
	uint64_t most = 4 + 2 * x->states / (x->n_points + 1);
	uint64_t want = x->level > 0 ? 3 : due > x->tried ?
	    EC_MIN(due - x->tried, most) : 0;
	uint64_t tries = EC_MIN(want * 3 + 1, TRIES_MAX);
	size_t end = x->level > 0 ? strlen(x->l->what) : 0;
	uint64_t got = 0;

	if (x->until_fault && runs_faults(x->runs) > 0) {
		return;
	}
	if (x->level == 0 && want == 0 && x->states < x->n_points) {
		return;		/* a short run */
	}
	/* Nothing kept is always tried: it is the hardest. */
	for (uint64_t n = 0; n < tries && (n == 0 || got < want); n++) {
		struct loss s = loss_of(n);

		s.seed += x->point * 131;
		got += try_loss(x, s);
		x->l->what[end] = '\0';
	}
	if (x->level > 0) {
		runs_wait(x->runs);
	}
}

static void
moment(struct matrix *x)
{
	uint64_t disk = crashfs_version(x->m->disk);

	if (disk == x->disk_version && x->l->version == x->ledger_version) {
		return;
	}
	x->disk_version = disk;
	x->ledger_version = x->l->version;
	x->point++;
	if (x->counting) {
		atomic_fetch_add(&x->runs->tally->points, 1);
		return;
	}
	if (x->level > 0 && (x->point > 400 ||
	    x->point % (1 + x->seed % 3) != 0 ||
	    x->point / (1 + x->seed % 3) > SECOND_POINTS)) {
		return;
	}
	explore(x);
	progress(x);
}

static void
on_change(void *arg, enum crashfs_call call)
{
	(void)call;
	moment(arg);
}

static void
on_turn(void *arg)
{
	struct matrix *x = arg;

	if (x->l->version != x->ledger_version) {
		moment(x);
	}
}

static void
begin(struct matrix *x)
{
	/* Another script in each mode. */
	world_seed(x->seed * 2 + !x->at_once);
	world_store(x->at_once);
	x->l = new_ledger(x);
	x->m = xcalloc(1, sizeof *x->m);
	x->m->disk = crashfs_create(x->seed);
	x->m->l = x->l;
	x->m->fs = x->fs;
	x->m->rounds = x->rounds;
	x->point = x->tried = 0;
	x->disk_version = x->ledger_version = 0;
}

/* What the script came to: a matrix over nothing finds nothing. */
static void
account(struct matrix *x)
{
	struct tally *t = x->runs->tally;

	for (unsigned i = 0; i < x->l->n; i++) {
		struct letter *m = &x->l->letter[i];

		atomic_fetch_add(&t->letters, 1);
		for (unsigned k = 0; k < m->n; k++) {
			struct rcpt *r = &m->r[k];

			atomic_fetch_add(&t->stored, m->stored);
			atomic_fetch_add(&t->deferred, r->attempts);
			atomic_fetch_add(&t->delivered, r->final && !r->failed);
			atomic_fetch_add(&t->failed, r->failed);
		}
	}
	atomic_store(&t->settled, crashfs_count(x->m->disk,
	    CRASHFS_BIT(CRASHFS_LINK)));
	atomic_store(&t->removed, crashfs_count(x->m->disk,
	    CRASHFS_BIT(CRASHFS_UNLINK)));
	atomic_store(&t->checkpoints, harm_newest(x->m->disk));
	atomic_store(&t->opened, x->m->opened);
	atomic_store(&t->given_up, x->m->given_up);
	if (x->progress) {
		fprintf(stderr, "crash: %llu letters to %llu recipients "
		    "stored, %llu deferrals, %llu delivered, %llu failed, "
		    "%llu links and %llu removals in the store, %llu "
		    "checkpoints, %llu segments opened and %llu given up with "
		    "a checkpoint\n",
		    (unsigned long long)t->letters,
		    (unsigned long long)t->stored,
		    (unsigned long long)t->deferred,
		    (unsigned long long)t->delivered,
		    (unsigned long long)t->failed,
		    (unsigned long long)t->settled,
		    (unsigned long long)t->removed,
		    (unsigned long long)t->checkpoints,
		    (unsigned long long)t->opened,
		    (unsigned long long)t->given_up);
	}
}

static void
script(struct matrix *x)
{
	begin(x);
	x->m->on_turn = on_turn;
	x->m->arg = x;
	crashfs_on_change(x->m->disk, on_change, x);
	if (!script_run(x->m)) {
		ledger_fault(x->l, FAULT_REFUSED, "in the script: %s",
		    x->m->w->why);
	}
	runs_wait(x->runs);
	if (!x->counting && x->m->w->s != NULL) {
		account(x);
	}
	crashfs_destroy(&x->m->disk);
}

static void
run_mode(struct matrix *x)
{
	unsigned jobs = x->runs->jobs;
	uint64_t before = atomic_load(&x->runs->tally->points);

	if (runs_fork(x->runs, "count")) {
		x->counting = true;
		script(x);
		runs_exit(x->l);
	}
	runs_wait(x->runs);
	x->n_points = atomic_load(&x->runs->tally->points) - before;
	/* In a child, too: it may panic as any of them. */
	if (runs_fork(x->runs, "script")) {
		x->runs->jobs = jobs;
		alarm(0);
		script(x);
		runs_exit(x->l);
	}
	runs_wait(x->runs);
}

/* Calls fn in each mode that is asked for, with its share of n. */
static void
each_mode(struct matrix *x, uint64_t n, void (*fn)(struct matrix *, uint64_t))
{
	unsigned modes = x->modes;

	if ((modes & MATRIX_AT_ONCE) != 0) {
		x->at_once = true;
		fn(x, modes == MATRIX_AT_ONCE ? n : n / 2);
	}
	if ((modes & MATRIX_BY_FILE) != 0) {
		x->at_once = false;
		fn(x, modes == MATRIX_BY_FILE ? n : n / 2);
	}
}

static void
run_states(struct matrix *x, uint64_t n)
{
	if (!x->until_fault || runs_faults(x->runs) == 0) {
		x->states = n;
		run_mode(x);
	}
}

void
matrix_run(struct matrix *x)
{
	each_mode(x, x->states, run_states);
}

/* Failing calls. */

struct failure {
	const char *name;
	unsigned calls;
	int error;
};

static const struct failure failures[] = {
	{ "EIO", CRASHFS_ANY, EIO },
	{ "ENOSPC", CRASHFS_CHANGES, ENOSPC },
	{ "EROFS", CRASHFS_CHANGES, EROFS },
	{ "short write", CRASHFS_BIT(CRASHFS_WRITE), CRASHFS_SHORT },
	{ "sync EIO", CRASHFS_SYNCS, EIO },
};

/* In a child: the script, then what the disk holds with and without what was
 * never synced. */
static void
fail_one(struct matrix *x, const struct failure *f, uint64_t n, bool for_good)
{
	static const enum crashfs_loss losses[] = { CRASHFS_KEEP,
		CRASHFS_DROP };

	begin(x);
	snprintf(x->l->what, sizeof x->l->what, "%s of call %llu%s", f->name,
	    (unsigned long long)n, for_good ? " and all after it" : "");
	x->l->unread = f->error == EIO &&
	    (f->calls & CRASHFS_BIT(CRASHFS_READ)) != 0;
	crashfs_fail(x->m->disk, f->calls, n, f->error, for_good);
	if (!script_run(x->m)) {
		atomic_fetch_add(&x->runs->tally->refusals, 1);
	}
	crashfs_fail(x->m->disk, 0, 0, 0, false);
	for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
		struct crashfs_image *image = crashfs_image_make(x->m->disk,
		    losses[i], losses[i], 0);

		if (runs_fork(x->runs, x->l->what)) {
			recover(x, image, false, 0, false);
			runs_exit(x->l);
		}
		crashfs_image_free(&image);
		runs_wait(x->runs);
	}
	crashfs_destroy(&x->m->disk);
}

static uint64_t
count_calls(struct matrix *x, unsigned calls)
{
	if (runs_fork(x->runs, "count calls")) {
		begin(x);
		script_run(x->m);
		atomic_store(&x->runs->tally->calls,
		    crashfs_count(x->m->disk, calls));
		crashfs_destroy(&x->m->disk);
		runs_exit(x->l);
	}
	runs_wait(x->runs);
	return atomic_load(&x->runs->tally->calls);
}

static void
fail_mode(struct matrix *x, uint64_t limit)
{
	uint64_t each = limit / (ARRAY_LEN(failures) * 2);

	for (size_t i = 0; i < ARRAY_LEN(failures) && each > 0; i++) {
		const struct failure *f = &failures[i];
		uint64_t calls = count_calls(x, f->calls);
		uint64_t runs = EC_MIN(each, calls);

		for (uint64_t k = 0; k < runs * 2; k++) {
			/* Spread evenly, a little beside the grid. */
			uint64_t n = 1 + (k / 2 * calls + x->seed % calls) /
			    runs % calls;

			atomic_fetch_add(&x->runs->tally->fail_runs, 1);
			if (runs_fork(x->runs, f->name)) {
				fail_one(x, f, n, k % 2 != 0);
				runs_exit(x->l);
			}
		}
		runs_wait(x->runs);
		if (x->progress) {
			fprintf(stderr, "crash: %s at %llu of %llu calls, once "
			    "and for good, store %s: %llu faults so far\n",
			    f->name,
			    (unsigned long long)runs, (unsigned long long)calls,
			    x->at_once ? "at once" : "by file",
			    (unsigned long long)runs_faults(x->runs));
		}
	}
}

void
matrix_fail(struct matrix *x, uint64_t limit)
{
	each_mode(x, limit, fail_mode);
}
