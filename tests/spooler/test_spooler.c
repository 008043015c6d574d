/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real spooler between fakes: what it accepts is durable, is handed out
 * once, ends once, is logged once; also when it, its peers, or all of them are
 * killed at the worst moment.
 */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/base/clock.h"

static struct rig rig;

static const char *const to_net[] = { "b@example.net" };
static const char *const to_three[] = { "x@example.net", "y@example.net",
	"z@example.net" };

static struct mail *
stored(unsigned n, const char *const *rcpts, size_t size)
{
	struct mail *m = rig_store(&rig, 0, "a@example.com", n, rcpts, size);

	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	return m;
}

struct waiting {
	msgid id;
	int kind;
	unsigned n;
};

static bool
is_logged(void *arg)
{
	struct waiting *w = arg;

	return logger_count(&rig, w->id, w->kind) >= w->n;
}

static const struct seen *
logged(msgid id, int kind, unsigned n)
{
	struct waiting w = { id, kind, n };

	rig_until(&rig, is_logged, &w);
	ck_assert_uint_eq(logger_count(&rig, id, kind), n);
	return logger_find(&rig, id, kind, n - 1);
}

struct at_work {
	unsigned deliverer;
	msgid id;
};

static bool
is_at_work(void *arg)
{
	struct at_work *w = arg;

	return deliverer_job(&rig.deliverer[w->deliverer], w->id) != NULL;
}

static struct job *
work_for(msgid id)
{
	struct at_work w = { 0, id };

	rig_until(&rig, is_at_work, &w);
	return deliverer_job(&rig.deliverer[0], id);
}

static bool
no_jobs(void *arg)
{
	struct fake_deliverer *d = arg;

	return d->n_jobs == 0;
}

static void
deliver_held(struct fake_deliverer *d)
{
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			job_deliver(d, j);
		}
	}
}

static bool
is_settled(void *arg)
{
	unsigned *n = arg;

	return rig_files(&rig, "[0-9A-F][0-9A-F]/*.meta") == *n;
}

/* Do these bytes stand in a segment file? */
static bool
in_file(const char *text, size_t size)
{
	char path[128];
	bool found = false;

	for (unsigned i = 0; i < 16 && !found; i++) {
		struct stat st;
		void *map;
		int fd;

		snprintf(path, sizeof path, "%s/journal/%06u.seg", rig.dir, i);
		fd = open(path, O_RDONLY);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
			continue;
		}
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd,
		    0);
		ck_assert_ptr_ne(map, MAP_FAILED);
		found = memmem(map, (size_t)st.st_size, text, size) != NULL;
		munmap(map, (size_t)st.st_size);
		close(fd);
	}
	return found;
}

static bool
in_journal(msgid batch)
{
	return in_file((const char *)&batch, sizeof batch);
}

START_TEST(stored_means_durable)
{
	struct mail *m;

	rig_start(&rig, "");
	m = rig_store(&rig, 0, "a@example.com", 1, to_net, 5000);
	ck_assert(!in_journal(m->batch));	/* nothing has run yet */
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	ck_assert(in_journal(m->batch));
	work_for(m->id[0]);
	rig_kill(&rig);
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	logged(m->id[0], 'D', 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(events_in_order)
{
	const struct seen *r, *t, *d;
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.2\n");
	m = stored(1, to_net, 1000);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	t = logged(m->id[0], 'T', 1);
	ck_assert_uint_eq(t->e.next_us - t->e.time_us, 200000);
	ck_assert_uint_eq(t->e.attempts, 0);
	ck_assert_uint_eq(t->e.code, 451);
	ck_assert_str_eq(t->reply, "451 4.2.0 later");
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	logged(m->id[0], 'D', 1);
	r = logger_find(&rig, m->id[0], 'R', 0);
	t = logger_find(&rig, m->id[0], 'T', 0);
	d = logger_find(&rig, m->id[0], 'D', 0);
	ck_assert(r < t && t < d);
	ck_assert_uint_eq(r->e.size, 1000);
	ck_assert_uint_eq(r->e.batch_id, m->batch);
	ck_assert_str_eq(r->rcpt, "b@example.net");
	ck_assert_str_eq(r->sender, "a@example.com");
	ck_assert_uint_eq(d->e.attempts, 1);
	ck_assert_uint_eq(d->e.sent, 1000);
	ck_assert_uint_eq(d->e.remote_port, 25);
	ck_assert_int_eq(d->e.flags, 0);
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(delays_grow)
{
	uint64_t want = 100000;
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.1\nMax_Retry_Interval = 0.5\n");
	rig.deliverer[0].on_work = job_defer;
	m = stored(1, to_net, 100);
	for (unsigned i = 1; i <= 5; i++) {
		const struct seen *t = logged(m->id[0], 'T', i);

		ck_assert_uint_eq(t->e.attempts, i - 1);
		ck_assert_uint_eq(t->e.next_us - t->e.time_us, want);
		if (i > 1) {
			const struct seen *was = logger_find(&rig, m->id[0],
			    'T', i - 2);

			ck_assert_uint_ge(t->e.time_us, was->e.next_us);
		}
		want = EC_MIN(want * 2, (uint64_t)500000);
	}
	rig_stop(&rig);
}
END_TEST

/* A failure told to the sender: null sender, from the spooler's own memory. */
static void
check_bounce(const struct mail *m, const char *reply, unsigned flags)
{
	const struct seen *p = logged(m->id[0], 'P', 1), *r;
	struct job *j;

	ck_assert_str_eq(p->reply, reply);
	ck_assert_uint_eq(p->e.flags, flags);
	while ((j = deliverer_first(&rig.deliverer[0])) == NULL ||
	    strcmp(j->rcpt[0], "a@example.com") != 0) {
		rig_turn(&rig, 10000);
	}
	ck_assert_str_eq(j->sender, "");
	ck_assert(j->flags & ENVELOPE_BOUNCE);
	ck_assert_uint_eq(j->piece[0].at.role, ROLE_SPOOLER);
	ck_assert_ptr_nonnull(memmem(j->piece[0].bytes.ptr,
	    j->piece[0].bytes.len, "b@example.net", 13));
	r = logged(j->id[0], 'R', 1);
	/* In one batch: nothing between them. */
	ck_assert_uint_eq(r->position, p->position + 1);
}

START_TEST(refused_bounces)
{
	struct mail *m;
	struct job *j;
	msgid id;

	rig_start(&rig, "");
	m = stored(1, to_net, 3000);
	job_refuse(&rig.deliverer[0], work_for(m->id[0]));
	check_bounce(m, "550 5.1.1 nobody", EVENT_BOUNCED);
	/* The bounce of the bounce is dropped, and that is logged. */
	j = deliverer_first(&rig.deliverer[0]);
	id = j->id[0];
	job_refuse(&rig.deliverer[0], j);
	ck_assert_uint_eq(logged(id, 'P', 1)->e.flags, EVENT_NO_BOUNCE);
	ck_assert(rig_log_has(&rig, "dropped without a bounce"));
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_BOUNCES), 1);
	rig_stop(&rig);
}
END_TEST

START_TEST(too_many_retries)
{
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.1\nMax_Retries = 2\n");
	m = stored(1, to_net, 100);
	for (unsigned i = 0; i < 3; i++) {
		job_defer(&rig.deliverer[0], work_for(m->id[0]));
	}
	check_bounce(m, "554 5.4.7 [internal] exceeded max retries without "
	    "delivery", EVENT_EXPIRED | EVENT_BOUNCED);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'T'), 3);
	rig_stop(&rig);
}
END_TEST

START_TEST(expiry)
{
	struct mail *m;

	/* Settled meanwhile: its header is read back for the bounce. */
	rig_start(&rig, "Retry_Interval = 60\nMessage_Expiration = 3\n"
	    "Settle_After = 0.2\n");
	m = stored(1, to_net, 100);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	check_bounce(m, "554 5.4.7 [internal] exceeded max time without "
	    "delivery", EVENT_EXPIRED | EVENT_BOUNCED);
	rig_stop(&rig);
}
END_TEST

/* Never tried, or tried and due again: what waits in a suspended queue ends
 * when its time is over. */
START_TEST(expiry_while_suspended)
{
	struct error err = { 0 };
	struct mail *m[5], *tried;

	rig_start(&rig, "Retry_Interval = 0.2\nMessage_Expiration = 3\n"
	    "Domain \"example.net\" { Suspend_Delivery = false }\n");
	tried = stored(1, to_net, 100);
	job_defer(&rig.deliverer[0], work_for(tried->id[0]));
	memcpy(strstr(rig.conf, "false }"), " true", 5);
	ck_assert_int_eq(worker_harness_config(&rig.h, slice_of(rig.conf),
	    &err), 0);
	logged(tried->id[0], 'T', 1);
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = stored(1, to_net, 100);
	}
	rig.deliverer[0].on_work = job_deliver;		/* of bounces only */
	ck_assert_uint_eq(logged(tried->id[0], 'P', 1)->e.flags,
	    EVENT_EXPIRED | EVENT_BOUNCED);
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		ck_assert_uint_eq(logged(m[i]->id[0], 'P', 1)->e.flags,
		    EVENT_EXPIRED | EVENT_BOUNCED);
		ck_assert_uint_eq(logger_count(&rig, m[i]->id[0], 'D'), 0);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

static bool
is_cut_off(void *arg)
{
	struct fake_listener *l = arg;

	return !l->up;
}

/* A listener that says more than its credit loses its link; what came before
 * and whoever else is there are not touched. */
START_TEST(beyond_the_credit)
{
	struct fake_listener *l = &rig.listener[0];

	rig_prepare(&rig, "");
	rig.n_listeners = 2;
	rig.n_deliverers = 1;
	rig_run(&rig);
	rig.deliverer[0].on_work = job_deliver;
	ck_assert_uint_eq(l->window, STORE_WINDOW);
	/* It finds all of it at once. */
	ck_assert_int_eq(kill(rig.h.pid, SIGSTOP), 0);
	for (unsigned i = 0; i < 3 * STORE_WINDOW; i++) {
		rig_store(&rig, 0, "a@example.com", 1, to_net, 50);
	}
	ck_assert_int_eq(kill(rig.h.pid, SIGCONT), 0);
	rig_until(&rig, is_cut_off, l);
	ck_assert(rig_log_has(&rig, "STORE beyond its credit"));
	ck_assert(rig.listener[1].up);
	ck_assert_uint_eq(logged(rig_store(&rig, 1, "a@example.com", 1, to_net,
	    50)->id[0], 'D', 1)->e.flags, 0);
	rig_stop(&rig);
}
END_TEST

/* Mail that waits makes the window smaller; when it has gone it grows. */
static bool
has_window(void *arg)
{
	const uint32_t *window = arg;

	return rig.listener[0].window == *window;
}

START_TEST(window_follows_the_backlog)
{
	struct fake_listener *l = &rig.listener[0];
	uint32_t half = STORE_WINDOW / 2, whole = STORE_WINDOW;
	const char *rcpts[RIG_RCPTS];

	for (unsigned i = 0; i < RIG_RCPTS; i++) {
		rcpts[i] = to_net[0];
	}
	rig_start(&rig, "");
	rig.deliverer[0].credit = 0;
	for (unsigned n = 0; n <= STORE_BACKLOG; n += RIG_RCPTS) {
		rig_store(&rig, 0, "a@example.com", RIG_RCPTS, rcpts, 50);
		while (l->outstanding > 100) {
			rig_turn(&rig, 1000);
		}
	}
	rig_until(&rig, has_window, &half);
	rig.deliverer[0].on_work = job_deliver;
	rig.deliverer[0].credit = 100;
	deliverer_die(&rig.deliverer[0], true);
	rig_until(&rig, has_window, &whole);
	rig_stop(&rig);
}
END_TEST

START_TEST(mixed_outcomes)
{
	struct mail *m;
	struct job *j;

	rig_start(&rig, "Retry_Interval = 0.2\n");
	m = stored(3, to_three, 40000);
	j = work_for(m->id[0]);
	ck_assert_uint_eq(j->n, 3);
	job_outcome(&rig.deliverer[0], j, "DTP");
	logged(m->id[0], 'D', 1);
	logged(m->id[1], 'T', 1);
	logged(m->id[2], 'P', 1);
	j = work_for(m->id[1]);
	ck_assert_uint_eq(j->n, 1);
	job_deliver(&rig.deliverer[0], j);
	logged(m->id[1], 'D', 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(suspended)
{
	struct error err = { 0 };
	struct mail *m;

	rig_start(&rig, "Domain \"example.net\" { Suspend_Delivery = true }\n");
	m = stored(1, to_net, 100);
	stored(1, (const char *const[]){ "c@example.org" }, 100);
	rig_turn(&rig, 300000);
	ck_assert_ptr_null(deliverer_job(&rig.deliverer[0], m->id[0]));
	ck_assert_uint_eq(rig.deliverer[0].n_works, 1);
	snprintf(strstr(rig.conf, "Domain"), 10, "\n");
	ck_assert_int_eq(worker_harness_config(&rig.h, slice_of(rig.conf),
	    &err), 0);
	work_for(m->id[0]);
	rig_stop(&rig);
}
END_TEST

/* Killed after each step of a message's life; what follows is as if nothing
 * had happened. */
enum point {
	AFTER_STORED, AFTER_WORK, AFTER_OUTCOME, AFTER_ACK, AFTER_RETRY,
	AFTER_SETTLED, AFTER_SETTLED_RETRY, BEFORE_ANSWER, POINTS
};

static void
wait_acked(struct job *j)
{
	(void)j;
	rig_until(&rig, no_jobs, &rig.deliverer[0]);
}

START_TEST(killed_at)
{
	enum point point = (enum point)_i;
	struct fake_deliverer *d = &rig.deliverer[0];
	unsigned one = 1, attempts = 0;
	struct mail *m;

	rig_start(&rig, point < AFTER_SETTLED ? "Retry_Interval = 0.3\n" :
	    "Retry_Interval = 1.5\nSettle_After = 0.1\n");
	if (point == BEFORE_ANSWER) {
		m = rig_store(&rig, 0, "a@example.com", 1, to_net, 9000);
		loop_turn(rig.loop, false);	/* it is on its way */
		rig_kill(&rig);
		rig_until(&rig, mail_is_answered, m);
		ck_assert_int_eq(m->result, STORED_OK);
	} else {
		m = stored(1, to_net, 9000);
	}
	if (point == AFTER_STORED) {
		rig_kill(&rig);
	}
	work_for(m->id[0]);
	if (point == AFTER_WORK) {
		rig_kill(&rig);
		ck_assert_uint_eq(d->n_works, 1);
	}
	if (point == AFTER_RETRY || point >= AFTER_SETTLED) {
		job_defer(d, work_for(m->id[0]));
		wait_acked(NULL);
		attempts = 1;
	}
	if (point == AFTER_RETRY) {
		rig_kill(&rig);
	}
	if (point == AFTER_SETTLED || point == AFTER_SETTLED_RETRY) {
		rig_until(&rig, is_settled, &one);
		rig_turn(&rig, 400000);		/* SETTLED, too */
		if (point == AFTER_SETTLED_RETRY) {
			job_defer(d, work_for(m->id[0]));
			wait_acked(NULL);
			attempts = 2;
		}
		rig_kill(&rig);
	}
	work_for(m->id[0]);
	if (attempts > 0) {
		ck_assert_uint_ge(clock_wall_us(), logged(m->id[0], 'T',
		    attempts)->e.next_us);
	}
	job_deliver(d, work_for(m->id[0]));
	if (point == AFTER_OUTCOME) {
		loop_turn(rig.loop, false);
		rig_kill(&rig);
	}
	wait_acked(NULL);
	if (point == AFTER_ACK) {
		rig_kill(&rig);
	}
	ck_assert_uint_eq(logged(m->id[0], 'D', 1)->e.attempts, attempts);
	rig_until(&rig, rig_is_drained, &rig);
	rig_kill(&rig);
	rig_turn(&rig, 300000);
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_QUEUED), 0);
	ck_assert_uint_eq(d->n_jobs, 0);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'R'), 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'T'), attempts);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'D'), 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

/* An outcome that is durable, and whose ack was lost, is said again: it counts
 * once.  One that was not durable counts, too. */
START_TEST(outcome_said_twice)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;
	struct job *j;

	rig_start(&rig, "Retry_Interval = 0.4\n");
	m = stored(3, to_three, 100);
	j = work_for(m->id[0]);
	/* Said, durable, logged; its ack never read. */
	job_outcome(d, j, "DTP");
	loop_turn(rig.loop, false);
	while (!in_file("451 4.2.0 later", 15)) {
		ck_assert_int_eq(usleep(1000), 0);	/* our loop stands */
	}
	rig_kill(&rig);
	job_deliver(d, work_for(m->id[1]));
	ck_assert_uint_eq(logged(m->id[1], 'D', 1)->e.attempts, 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[1], 'T'), 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'D'), 1);
	rig_stop(&rig);
}
END_TEST

START_TEST(held_over_restarts)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m[20];
	unsigned works;

	rig_start(&rig, "Settle_After = 0.1\n");
	d->credit = 100;
	for (unsigned i = 0; i < 20; i++) {
		m[i] = stored(1, to_net, 2000);
		work_for(m[i]->id[0]);
	}
	works = d->n_works;
	for (unsigned n = 0; n < 3; n++) {
		rig_kill(&rig);
		rig_turn(&rig, 300000);
	}
	ck_assert_uint_eq(d->n_works, works);	/* none handed out again */
	/* Their memory is still theirs: new mail goes elsewhere. */
	for (unsigned i = 0; i < 20; i++) {
		stored(1, (const char *const[]){ "o@example.org" }, 2000);
	}
	for (unsigned i = 0; i < 20; i++) {
		struct job *j = deliverer_job(d, m[i]->id[0]);

		ck_assert(mail_is_whole(m[i]->batch, 0, j->piece[0].bytes));
		job_deliver(d, j);
	}
	for (unsigned i = 0; i < 20; i++) {
		logged(m[i]->id[0], 'D', 1);
	}
	d->on_work = job_deliver;
	deliver_held(d);
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

#define STUCK "FF/00-00001-00000001.meta"
#define SCANNED "messages found in the journal"

/* The store's scan does not come to its end while nobody writes this pipe:
 * without a checkpoint it reads all .meta files. */
static void
block_scan(struct rig *r)
{
	char path[128];

	snprintf(path, sizeof path, "rm -f %s/checkpoint/*", r->dir);
	ck_assert_int_eq(system(path), 0);
	snprintf(path, sizeof path, "%s/" STUCK, r->dir);
	ck_assert_int_eq(mkfifo(path, 0640), 0);
}

static void
unblock_scan(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/" STUCK, rig.dir);
	fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* However long the scan of the store takes: what a deliverer held is written
 * when it says so (0: from the journal, 1: settled; 2, 3: or when it dies),
 * and the journal's segments are used again. */
START_TEST(nothing_waits_for_the_scan)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m, *last;
	unsigned n = 1, scans;

	rig_start(&rig, _i % 2 == 0 ? "" : "Settle_After = 0.1\n");
	m = last = stored(1, to_net, 2000);
	work_for(m->id[0]);
	if (_i % 2 == 1) {
		rig_until(&rig, is_settled, &n);
	}
	while ((scans = rig_log_count(&rig, SCANNED)) == 0) {
		rig_turn(&rig, 10000);
	}
	rig.between = block_scan;
	rig_kill(&rig);
	rig.between = NULL;
	if (_i < 2) {
		job_deliver(d, work_for(m->id[0]));
	} else {
		job_stage(d, work_for(m->id[0]), STAGE_ACCEPTED);
		deliverer_die(d, true);
	}
	logged(m->id[0], 'D', 1);
	d->on_work = job_deliver;
	for (unsigned i = 0; _i == 0 && i < 350; i++) {
		/* 70 MB, more than the journal holds */
		last = stored(1, to_net, 200000);
	}
	logged(last->id[0], 'D', 1);
	ck_assert_uint_eq(rig_log_count(&rig, SCANNED), scans);
	unblock_scan();
	while (rig_log_count(&rig, SCANNED) == scans) {
		rig_turn(&rig, 10000);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

static const struct {
	enum stage_point point;
	bool told_first;
} deaths[] = {
	{ STAGE_NOTHING, true }, { STAGE_NOTHING, false },
	{ STAGE_DOT, true }, { STAGE_DOT, false },
	{ STAGE_ACCEPTED, true }, { STAGE_ACCEPTED, false },
	{ STAGE_REFUSED, true }, { STAGE_REFUSED, false },
};

/* Deaths: twice as many cases, the second half with a spooler that was
 * restarted before. */
START_TEST(deliverer_dies)
{
	unsigned n = (unsigned)_i % ARRAY_LEN(deaths);
	struct fake_deliverer *d = &rig.deliverer[0];
	const struct seen *e;
	struct mail *m;

	rig_start(&rig, "Settle_After = 0.1\n");
	m = stored(1, to_net, 7000);
	work_for(m->id[0]);
	if ((unsigned)_i >= ARRAY_LEN(deaths)) {
		rig_turn(&rig, 600000);		/* settled while held */
		rig_kill(&rig);
		rig_turn(&rig, 300000);
	}
	job_stage(d, work_for(m->id[0]), deaths[n].point);
	deliverer_die(d, deaths[n].told_first);
	if (deaths[n].point == STAGE_ACCEPTED) {
		e = logged(m->id[0], 'D', 1);
		ck_assert_uint_eq(e->e.sent, 7000);
		ck_assert_uint_eq(e->e.remote_ip[0], 7);
		rig_turn(&rig, 200000);
		ck_assert_uint_eq(d->n_works, 1);	/* not again */
	} else {
		job_deliver(d, work_for(m->id[0]));
		e = logged(m->id[0], 'D', 1);
		ck_assert_uint_eq(e->e.flags, deaths[n].point == STAGE_DOT ?
		    EVENT_POSSIBLE_DUPLICATE : 0);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

static void
deliverer_is_gone(struct rig *r)
{
	deliverer_close(&r->deliverer[0]);
	r->deliverer[0].incarnation++;
}

/* Spooler and deliverer die together, and nobody is left who could say what
 * was in flight: the stage table can.  The second half with settled mail, of
 * which the journal knows nothing. */
START_TEST(both_die)
{
	unsigned n = (unsigned)_i % 4;
	const enum stage_point point = (enum stage_point[]){ STAGE_NOTHING,
		STAGE_DOT, STAGE_ACCEPTED, STAGE_REFUSED }[n];
	struct fake_deliverer *d = &rig.deliverer[0];
	unsigned works, files = 3;
	struct mail *m, *other;

	rig_start(&rig, _i >= 4 ? "Settle_After = 0.1\n" : "");
	other = stored(1, (const char *const[]){ "o@example.org" }, 100);
	job_deliver(d, work_for(other->id[0]));	/* its slot says so, too */
	rig_until(&rig, no_jobs, d);
	m = stored(3, to_three, 7000);
	work_for(m->id[0]);
	if (_i >= 4) {
		rig_until(&rig, is_settled, &files);
	}
	/* The first two recipients were taken by RCPT. */
	job_stage_of(d, work_for(m->id[0]), point, "DDT");
	works = d->n_works;
	rig.between = deliverer_is_gone;
	rig_kill(&rig);
	rig.between = NULL;
	d->on_work = job_deliver;
	deliver_held(d);
	for (unsigned i = 0; i < 3; i++) {
		const struct seen *e = logged(m->id[i], 'D', 1);

		ck_assert_uint_eq(e->e.flags, point == STAGE_DOT && i < 2 ?
		    EVENT_POSSIBLE_DUPLICATE : 0);
		ck_assert_uint_eq(e->e.remote_ip[0], point == STAGE_ACCEPTED &&
		    i < 2 ? 7 : 0);
	}
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_POSSIBLE_DUPLICATES),
	    point == STAGE_DOT ? 2 : 0);
	ck_assert_uint_gt(d->n_works, works);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(logger_count(&rig, other->id[0], 'D'), 1);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(listener_dies)
{
	struct mail *m[10], *last;

	rig_start(&rig, "");
	rig.deliverer[0].credit = 4;
	for (unsigned i = 0; i < 10; i++) {
		m[i] = stored(1, to_net, 30000);
	}
	work_for(m[0]->id[0]);
	listener_die(&rig.listener[0]);
	last = stored(1, to_net, 500);
	/* What was at the deliverer goes on in the dead one's memory; the rest
	 * comes from the journal. */
	rig.deliverer[0].on_work = job_deliver;
	deliver_held(&rig.deliverer[0]);
	for (unsigned i = 0; i < 10; i++) {
		logged(m[i]->id[0], 'D', 1);
	}
	logged(last->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	for (unsigned i = 0; i < RIG_SLABS; i++) {
		const struct lent *s = &rig.deliverer[0].lent[i];

		ck_assert(s->map == NULL || s->gone ||
		    s->role == ROLE_SPOOLER || s->incarnation == 2);
	}
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}
END_TEST

START_TEST(logger_comes_late)
{
	struct mail *m[60];

	rig_start(&rig, "");
	rig.deliverer[0].on_work = job_deliver;
	rig_unlink_logger(&rig, true);
	for (unsigned i = 0; i < 30; i++) {
		m[i] = stored(1, to_net, 100);
	}
	rig_turn(&rig, 100000);
	rig_link_logger(&rig);
	for (unsigned i = 30; i < 60; i++) {
		m[i] = stored(1, to_net, 100);
		if (i % 10 == 5) {
			/* It dies with what it had not made durable, while a
			 * reader may be at work for it. */
			rig_unlink_logger(&rig, true);
			rig_link_logger(&rig);
		}
	}
	for (unsigned i = 0; i < 60; i++) {
		logged(m[i]->id[0], 'D', 1);
		ck_assert_uint_eq(logger_count(&rig, m[i]->id[0], 'R'), 1);
	}
	rig_stop(&rig);
}
END_TEST

/* Files of a settle that was cut short: message in the journal, delivered
 * before it settles again.  They must go with it, or they are mail once the
 * journal has forgotten. */
static char left_data[128], left_meta[128];

static void
leave_files(struct rig *r)
{
	char name[MSGID_TEXT_LEN + 1];
	int fd;

	msgid_format(r->mail[0]->id[0], name);
	snprintf(left_data, sizeof left_data, "%s/%s", r->dir, name);
	snprintf(left_meta, sizeof left_meta, "%s/%s.meta", r->dir, name);
	fd = open(left_data, O_WRONLY | O_CREAT, 0640);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "half", 4), 4);
	close(fd);
	if (r->n_mails == 1) {	/* else the data alone */
		fd = open(left_meta, O_WRONLY | O_CREAT, 0640);
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
}

START_TEST(half_a_settle)
{
	struct mail *m;

	rig_start(&rig, "Settle_After = 1000\n");
	m = stored(1, to_net, 100);
	if (_i == 1) {
		stored(1, to_net, 100);
	}
	rig.between = leave_files;
	rig_kill(&rig);
	rig.between = NULL;
	rig_turn(&rig, 200000);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), 0);
	rig.deliverer[0].on_work = job_deliver;
	deliver_held(&rig.deliverer[0]);
	logged(m->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_int_ne(access(left_data, F_OK), 0);
	ck_assert_int_ne(access(left_meta, F_OK), 0);
	rig_stop(&rig);
}
END_TEST

/* Spools as people and disks leave them. */
static void
write_file(const struct rig *r, const char *name, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/%s", r->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
spoil_store(struct rig *r)
{
	write_file(r, "00/00-00001-11111111.meta", "");
	write_file(r, "00/00-00001-11111111", "data of an empty meta");
	write_file(r, "01/01-00001-11111111.meta", "garbage\n");
	write_file(r, "02/02-00001-11111111", "data alone");
	write_file(r, "03/README", "a foreign file");
	write_file(r, "03/03-00001-1111111x.meta", "foreign too");
	write_file(r, "journal/notes.txt", "foreign");
	write_file(r, "journal/x.seg", "foreign");
}

START_TEST(spoiled_store)
{
	struct mail *m;

	rig_start(&rig, "Settle_After = 0.1\n");
	m = stored(1, to_net, 100);
	work_for(m->id[0]);
	rig.between = spoil_store;
	rig_kill(&rig);
	rig_turn(&rig, 300000);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/00-*.why"), 2);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/01-*.meta.*.why"), 1);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/02-*.why"), 1);
	ck_assert_uint_eq(rig_files(&rig, "03/README"), 1);
	ck_assert_uint_eq(rig_files(&rig, "03/03-*"), 1);
	ck_assert_uint_eq(rig_files(&rig, "journal/notes.txt"), 1);
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	logged(m->id[0], 'D', 1);
	rig_stop(&rig);
}
END_TEST

static void
remove_data(struct rig *r)
{
	char name[MSGID_TEXT_LEN + 1], path[160];

	msgid_format(r->mail[0]->id[0], name);
	snprintf(path, sizeof path, "%s/%s", r->dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(meta_without_data)
{
	unsigned two = 2;
	struct mail *m, *o;

	rig_start(&rig, "Settle_After = 0.1\nRetry_Interval = 1\n");
	m = stored(1, to_net, 100);
	o = stored(1, to_net, 100);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	job_defer(&rig.deliverer[0], work_for(o->id[0]));
	rig_until(&rig, is_settled, &two);
	rig_turn(&rig, 300000);
	rig.between = remove_data;
	rig_kill(&rig);
	/* The sound one is delivered, the other is laid aside. */
	job_deliver(&rig.deliverer[0], work_for(o->id[0]));
	logged(o->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*.meta.*.why"), 1);
	rig_stop(&rig);
}
END_TEST

/* Overwrites the body of the n-th mail where it stands in the journal. */
static unsigned spoiled_mail;

static void
spoil_journal(struct rig *r)
{
	const struct mail *m = r->mail[spoiled_mail];
	char head[64], path[160];
	size_t hits = 0;

	for (size_t i = 0; i < sizeof head; i++) {
		head[i] = mail_byte(m->batch, i);
	}
	for (unsigned i = 0; i < 16; i++) {
		struct stat st;
		char *map, *at;
		int fd;

		snprintf(path, sizeof path, "%s/journal/%06u.seg", r->dir, i);
		fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
			continue;
		}
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
		ck_assert_ptr_ne(map, MAP_FAILED);
		at = memmem(map, (size_t)st.st_size, head, sizeof head);
		if (at != NULL) {
			at[20] ^= 1;
			hits++;
		}
		munmap(map, (size_t)st.st_size);
		close(fd);
	}
	ck_assert_uint_eq(hits, 1);
}

START_TEST(damaged_journal)
{
	bool is_tail = _i == 1;
	struct mail *m[9];

	rig_prepare(&rig, "Domain \"example.net\" { "
	    "Suspend_Delivery = true }\n");
	rig_run(&rig);
	for (unsigned i = 0; i < 9; i++) {
		m[i] = stored(1, to_net, 5000);
	}
	spoiled_mail = is_tail ? 8 : 4;
	rig.between = spoil_journal;
	snprintf(strstr(rig.conf, "Domain"), 10, "\n");
	rig.deliverer[0].on_work = job_deliver;
	rig_kill(&rig);
	for (unsigned i = 0; i < 9; i++) {
		if (i != spoiled_mail) {
			logged(m[i]->id[0], 'D', 1);
		}
	}
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/journal-*.why"), !is_tail);
	ck_assert_uint_eq(logger_count(&rig, m[spoiled_mail]->id[0], 'D'), 0);
	rig_stop(&rig);
}
END_TEST

START_TEST(malformed_outcome_loses_nothing)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;
	struct job *j;

	rig_start(&rig, "");
	m = stored(3, to_three, 100);
	j = work_for(m->id[0]);
	j->n = 2;	/* says nothing of the third */
	job_outcome(d, j, "TT");
	while (d->up) {
		rig_turn(&rig, 10000);
	}
	deliverer_die(d, true);
	j = work_for(m->id[0]);
	ck_assert_uint_eq(j->n, 3);
	job_deliver(d, j);
	logged(m->id[2], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	rig_stop(&rig);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("spooler");
	TCase *t = tcase_create("life");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, stored_means_durable);
	tcase_add_test(t, events_in_order);
	tcase_add_test(t, delays_grow);
	tcase_add_test(t, refused_bounces);
	tcase_add_test(t, too_many_retries);
	tcase_add_test(t, expiry);
	tcase_add_test(t, expiry_while_suspended);
	tcase_add_test(t, beyond_the_credit);
	tcase_add_test(t, window_follows_the_backlog);
	tcase_add_test(t, mixed_outcomes);
	tcase_add_test(t, suspended);
	tcase_add_test(t, listener_dies);
	tcase_add_test(t, logger_comes_late);
	tcase_add_test(t, malformed_outcome_loses_nothing);
	suite_add_tcase(s, t);
	t = tcase_create("kill");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, killed_at, 0, POINTS);
	tcase_add_test(t, outcome_said_twice);
	tcase_add_test(t, held_over_restarts);
	tcase_add_loop_test(t, nothing_waits_for_the_scan, 0, 4);
	tcase_add_loop_test(t, both_die, 0, 8);
	tcase_add_loop_test(t, deliverer_dies, 0, 2 * ARRAY_LEN(deaths));
	suite_add_tcase(s, t);
	t = tcase_create("spools");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, half_a_settle, 0, 2);
	tcase_add_test(t, spoiled_store);
	tcase_add_test(t, meta_without_data);
	tcase_add_loop_test(t, damaged_journal, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
