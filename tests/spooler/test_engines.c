/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One contract for all engines (Spool_Engine), with a column for what each of
 * them promises.  The real spooler between fakes, as in test_spooler.c.
 */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define MEMORY "Spool_Engine = memory\n_Unsafe_Spool = true\n" \
	"suppress_spool { num_retries = 2 }\n"
#define PASSTHROUGH "Spool_Engine = passthrough\n"

static struct rig rig;

static const struct kind {
	const char *name, *conf;
	bool survives;		/* what was answered outlives a kill -9 */
	bool in_journal;	/* the body stands there at the 250 */
	bool in_files;		/* or in two files */
} kinds[] = {
	{ "journal", "", true, true, false },
	{ "hashed", "Spool_Engine = hashed\n", true, false, true },
	{ "memory", MEMORY, false, false, false },
	{ .name = "passthrough", .conf = PASSTHROUGH },	/* its own cases */
};

static const char *const to_one[] = { "b@example.net" };
static const char *const to_three[] = { "x@example.net", "y@example.net",
	"z@example.net" };

static void
start(const struct kind *k, const char *conf)
{
	char text[512];

	snprintf(text, sizeof text, "%s%s", k->conf, conf);
	rig_start(&rig, text);
}

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

static bool
is_at_work(void *arg)
{
	return deliverer_job(&rig.deliverer[0], *(msgid *)arg) != NULL;
}

static struct job *
work_for(msgid id)
{
	rig_until(&rig, is_at_work, &id);
	return deliverer_job(&rig.deliverer[0], id);
}

static bool
no_jobs(void *arg)
{
	return ((struct fake_deliverer *)arg)->n_jobs == 0;
}

static void
wait_acked(void)
{
	rig_until(&rig, no_jobs, &rig.deliverer[0]);
}

/* What it has and what will come. */
static void
deliver_all(void)
{
	struct fake_deliverer *d = &rig.deliverer[0];

	d->on_work = job_deliver;
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			job_deliver(d, j);
		}
	}
}

/* Nothing is left of anything. */
static void
finish(void)
{
	rig_until(&rig, rig_is_drained, &rig);
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_stop(&rig);
}

/* Does a piece of its body stand in this file? */
static bool
file_has(const char *path, msgid batch, size_t size)
{
	int fd = open(path, O_RDONLY);
	bool found = false;
	struct stat st;
	char text[512];
	void *map;

	size = EC_MIN(size, sizeof text);
	for (size_t i = 0; i < size; i++) {
		text[i] = mail_byte(batch, i);
	}
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd,
		    0);
		ck_assert_ptr_ne(map, MAP_FAILED);
		found = memmem(map, (size_t)st.st_size, text, size) != NULL;
		munmap(map, (size_t)st.st_size);
	}
	if (fd >= 0) {
		close(fd);
	}
	return found;
}

static bool
in_journal(const struct mail *m)
{
	char path[128];
	bool found = false;

	for (unsigned i = 0; i < 16 && !found; i++) {
		snprintf(path, sizeof path, "%s/journal/%06u.seg", rig.dir, i);
		found = file_has(path, m->batch, m->size);
	}
	return found;
}

static bool
in_file(const struct mail *m, unsigned rcpt)
{
	char path[128], name[MSGID_TEXT_LEN + 1];

	msgid_format(m->id[rcpt], name);
	snprintf(path, sizeof path, "%s/%s", rig.dir, name);
	return file_has(path, m->batch, m->size);
}

START_TEST(where_it_is)
{
	const struct kind *k = &kinds[_i];
	struct mail *m;

	start(k, "Settle_After = 60\n");
	m = stored(3, to_three, 5000);
	ck_assert_int_eq(in_journal(m), k->in_journal);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(in_file(m, i), k->in_files);
	}
	ck_assert_uint_eq(rig_files(&rig, "[0-9A-F][0-9A-F]/*.meta"),
	    k->in_files ? 3 : 0);
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	for (unsigned i = 0; i < 3; i++) {
		logged(m->id[i], 'D', 1);
		logged(m->id[i], 'R', 1);
	}
	ck_assert_uint_eq(rig.deliverer[0].n_works, 1);	/* one body */
	finish();
}
END_TEST

START_TEST(tried_again)
{
	const struct seen *r, *t, *d;
	struct mail *m;

	start(&kinds[_i], "Retry_Interval = 0.2\n");
	m = stored(1, to_one, 3000);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	t = logged(m->id[0], 'T', 1);
	ck_assert_uint_eq(t->e.next_us - t->e.time_us, 200000);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	t = logged(m->id[0], 'T', 2);
	ck_assert_uint_eq(t->e.attempts, 1);
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	d = logged(m->id[0], 'D', 1);
	ck_assert_uint_eq(d->e.attempts, 2);
	r = logger_find(&rig, m->id[0], 'R', 0);
	t = logger_find(&rig, m->id[0], 'T', 0);
	ck_assert(r != NULL && r < t && t < d);
	ck_assert_uint_eq(r->e.size, 3000);
	ck_assert_uint_eq(r->e.batch_id, m->batch);
	ck_assert_str_eq(r->rcpt, "b@example.net");
	ck_assert_str_eq(r->sender, "a@example.com");
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'R'), 1);
	finish();
}
END_TEST

static void
refuse_mail_deliver_bounce(struct fake_deliverer *d, struct job *j)
{
	if (j->sender[0] == '\0') {
		job_deliver(d, j);
	} else {
		job_refuse(d, j);
	}
}

START_TEST(refused)
{
	const struct seen *p;
	struct mail *m;

	start(&kinds[_i], "");
	rig.deliverer[0].on_work = refuse_mail_deliver_bounce;
	m = stored(1, to_one, 2000);
	p = logged(m->id[0], 'P', 1);
	ck_assert(p->e.flags & EVENT_BOUNCED);
	logged(MSGID_NONE, 'D', 1);
	ck_assert_str_eq(logger_find(&rig, MSGID_NONE, 'D', 0)->rcpt,
	    "a@example.com");
	logged(MSGID_NONE, 'R', 2);
	finish();
}
END_TEST

START_TEST(each_its_own_end)
{
	struct mail *m;

	start(&kinds[_i], "Retry_Interval = 0.2\n");
	m = stored(3, to_three, 2000);
	job_outcome(&rig.deliverer[0], work_for(m->id[0]), "DTP");
	logged(m->id[0], 'D', 1);
	logged(m->id[1], 'T', 1);
	logged(m->id[2], 'P', 1);
	deliver_all();
	logged(m->id[1], 'D', 1);
	logged(MSGID_NONE, 'D', 3);	/* the bounce */
	finish();
}
END_TEST

/* The log is written from the journal, too, by a logger that comes late. */
START_TEST(late_logger)
{
	struct mail *m;

	start(&kinds[_i], "Retry_Interval = 0.1\n");
	rig_unlink_logger(&rig, false);
	m = stored(3, to_three, 2000);
	job_outcome(&rig.deliverer[0], work_for(m->id[0]), "DTD");
	wait_acked();
	job_deliver(&rig.deliverer[0], work_for(m->id[1]));
	wait_acked();
	rig_until(&rig, rig_is_drained, &rig);
	rig_link_logger(&rig);
	for (unsigned i = 0; i < 3; i++) {
		logged(m->id[i], 'R', 1);
		logged(m->id[i], 'D', 1);
	}
	logged(m->id[1], 'T', 1);
	ck_assert_uint_eq(logger_find(&rig, m->id[0], 'R', 0)->e.size, 2000);
	finish();
}
END_TEST

enum point {
	BEFORE_ANSWER, AFTER_STORED, AFTER_WORK, AFTER_RETRY, AFTER_OUTCOME,
	AFTER_ACK, POINTS
};

/* What was answered and went with the process: whoever has it may end it, and
 * nothing comes of that. */
static void
is_lost(struct mail *m)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct job *j = deliverer_job(d, m->id[0]);
	unsigned works = d->n_works;

	if (j != NULL && !j->told) {
		job_deliver(d, j);
	}
	wait_acked();
	rig_turn(&rig, 400000);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(d->n_works, works);
	ck_assert_uint_le(logger_count(&rig, m->id[0], 'R'), 1);
	ck_assert_uint_le(logger_count(&rig, m->id[0], 'D'), 1);
	finish();
}

static bool was_answered;	/* when the spooler was dead */

static void
note_answered(struct rig *r)
{
	was_answered = r->mail[0]->answered;
}

/* To the point where it is killed; false if the mail went with it. */
static bool
kill_at(const struct kind *k, enum point point, struct mail **out)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;

	if (point == BEFORE_ANSWER) {
		m = rig_store(&rig, 0, "a@example.com", 1, to_one, 9000);
		loop_turn(rig.loop, false);
	} else {
		m = stored(1, to_one, 9000);
	}
	*out = m;
	if (point >= AFTER_WORK) {
		work_for(m->id[0]);
	}
	if (point == AFTER_RETRY) {
		job_defer(d, work_for(m->id[0]));
		wait_acked();
	}
	if (point >= AFTER_OUTCOME) {
		job_deliver(d, work_for(m->id[0]));
		if (point == AFTER_ACK) {
			wait_acked();
		} else {
			loop_turn(rig.loop, false);
		}
	}
	rig.between = note_answered;
	rig_kill(&rig);
	rig.between = NULL;
	return k->survives || !was_answered;
}

/* Killed after each step: what was answered is delivered once, or (where that
 * is not promised) not again. */
START_TEST(killed_at)
{
	const struct kind *k = &kinds[(unsigned)_i / POINTS];
	enum point point = (enum point)((unsigned)_i % POINTS);
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;

	start(k, "Retry_Interval = 0.3\n");
	if (!kill_at(k, point, &m)) {
		is_lost(m);
		return;
	}
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	if (point < AFTER_OUTCOME) {
		job_deliver(d, work_for(m->id[0]));
		ck_assert_uint_eq(d->n_works, point == AFTER_RETRY ||
		    point == AFTER_STORED ? d->n_works : 1);
	}
	wait_acked();
	logged(m->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	rig_kill(&rig);
	rig_turn(&rig, 300000);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(d->n_jobs, 0);
	logged(m->id[0], 'D', 1);	/* told again, maybe */
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'R'), 1);
	ck_assert_uint_eq(logger_count(&rig, m->id[0], 'T'),
	    point == AFTER_RETRY);
	finish();
}
END_TEST

static bool
all_answered(void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < r->n_mails; i++) {
		if (!r->mail[i]->answered) {
			return false;
		}
	}
	return true;
}

static bool
all_delivered(void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < r->n_mails; i++) {
		for (unsigned j = 0; j < r->mail[i]->n_rcpt; j++) {
			if (logger_count(r, r->mail[i]->id[j], 'D') == 0) {
				return false;
			}
		}
	}
	return true;
}

/* Killed a little later each time, in the middle of storing. */
START_TEST(killed_while_storing)
{
	unsigned kills = 12;

	start(&kinds[_i], "");
	for (unsigned i = 0; i < kills; i++) {
		for (unsigned n = 0; n < 8; n++) {
			rig_store(&rig, 0, "a@example.com", n % 3 + 1,
			    to_three, 1000 + n * 700);
		}
		rig_turn(&rig, i * 400);
		rig_kill(&rig);
	}
	rig_until(&rig, all_answered, &rig);
	deliver_all();
	for (unsigned i = 0; i < rig.n_mails; i++) {
		ck_assert_int_eq(rig.mail[i]->result, STORED_OK);
	}
	if (kinds[_i].survives) {
		rig_until(&rig, all_delivered, &rig);
	}
	rig_until(&rig, rig_is_drained, &rig);
	rig_kill(&rig);
	if (kinds[_i].survives) {
		rig_until(&rig, all_delivered, &rig);	/* told again */
	}
	rig_turn(&rig, 200000);
	for (unsigned i = 0; i < rig.n_mails; i++) {
		for (unsigned j = 0; j < rig.mail[i]->n_rcpt; j++) {
			msgid id = rig.mail[i]->id[j];

			ck_assert_uint_le(logger_count(&rig, id, 'D'), 1);
			ck_assert_uint_le(logger_count(&rig, id, 'R'), 1);
			ck_assert(!kinds[_i].survives || logger_count(&rig,
			    id, 'D') + logger_count(&rig, id, 'R') == 2);
		}
	}
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), 0);
	finish();
}
END_TEST

/* A .meta in each of the first directories that is read only when somebody
 * writes: the listing of the store stands still until then. */
static char stops[4][160];

static void
stop_listing(struct rig *r)
{
	uint64_t id = (uint64_t)time(NULL) << 32 | 0xffff0000u;

	for (unsigned dir = 0; dir < ARRAY_LEN(stops); id++) {
		char text[MSGID_TEXT_LEN + 1];

		if (msgid_dir(id) == dir) {
			msgid_format(id, text);
			snprintf(stops[dir], sizeof stops[dir],
			    "%s/%s.meta", r->dir, text);
			ck_assert_int_eq(mkfifo(stops[dir], 0666), 0);
			dir++;
		}
	}
}

/* A round was cut by a kill; its mail, sent again and answered while the
 * directories are still being listed, keeps its new files. */
START_TEST(hashed_again_while_listing)
{
	unsigned n = 100;

	rig_start(&rig, "Spool_Engine = hashed\nSuspend_Delivery = true\n");
	for (unsigned i = 0; i < n; i++) {
		rig_store(&rig, 0, "a@example.com", 1, to_one, 3000);
	}
	while (rig_files(&rig, "[0-9A-F][0-9A-F]/*.meta") == 0) {
		loop_turn(rig.loop, false);
	}
	rig.between = stop_listing;
	rig_kill(&rig);
	rig.between = NULL;
	rig_until(&rig, all_answered, &rig);
	for (unsigned i = 0; i < ARRAY_LEN(stops); i++) {
		int fd = open(stops[i], O_RDWR | O_NONBLOCK);

		ck_assert_int_ge(fd, 0);
		rig_turn(&rig, 50000);
		close(fd);
	}
	rig_turn(&rig, 700000);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(rig.mail[i]->result, STORED_OK);
		ck_assert(in_file(rig.mail[i], 0));
	}
}
END_TEST

/* A graceful end, and the next process. */
static void
leave(void)
{
	struct error err = { 0 };

	listener_unlink(&rig.listener[0]);
	deliverer_unlink(&rig.deliverer[0]);
	ipc_say(&rig.h.control, IPC_SUP_DRAIN);
	rig_until(&rig, worker_harness_is_gone, &rig.h);
	rig_unlink_logger(&rig, false);
	ck_assert_msg(worker_harness_restart(&rig.h, slice_of(rig.conf), NULL,
	    NULL, &err) == 0, "%s", err.text);
	rig_until(&rig, worker_harness_is_ready, &rig.h);
	rig_link_logger(&rig);
	deliverer_link(&rig.deliverer[0]);
	listener_link(&rig.listener[0]);
}

START_TEST(memory_leaves)
{
	struct mail *m[20];

	rig_start(&rig, MEMORY "Suspend_Delivery = true\n");
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = stored(i % 3 + 1, to_three, 500 + i * 400);
		ck_assert(!in_journal(m[i]));
	}
	snprintf(strstr(rig.conf, "Suspend"), 10, "\n");
	leave();
	deliver_all();
	rig_until(&rig, all_delivered, &rig);
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		ck_assert_uint_eq(logger_count(&rig, m[i]->id[0], 'R'), 1);
		ck_assert_uint_eq(logger_count(&rig, m[i]->id[0], 'D'), 1);
	}
	finish();
}
END_TEST

/* After the second failure it is in the journal with its attempts; the one
 * that was delivered before is not. */
START_TEST(memory_spills)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;

	rig_start(&rig, MEMORY "Retry_Interval = 0.2\n"
	    "Max_Retry_Interval = 2\n");
	m = stored(3, to_three, 5000);
	job_outcome(d, work_for(m->id[0]), "DTT");
	wait_acked();
	ck_assert(!in_journal(m));
	job_outcome(d, work_for(m->id[1]), "TT");
	wait_acked();
	logged(m->id[2], 'T', 2);
	rig_turn(&rig, 100000);
	ck_assert(in_journal(m));
	rig_until(&rig, listener_is_empty, &rig.listener[0]);
	rig_kill(&rig);
	job_outcome(d, work_for(m->id[1]), "DD");
	ck_assert_uint_eq(logged(m->id[1], 'D', 1)->e.attempts, 2);
	logged(m->id[0], 'D', 1);
	logged(m->id[2], 'D', 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(logger_count(&rig, m->id[i], 'R'), 1);
	}
	finish();
}
END_TEST

/* More than the memory is meant for goes to the journal before its answer. */
START_TEST(memory_is_full)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct waiting all = { MSGID_NONE, 'D', 1 };
	unsigned written = 0;
	struct mail *m[24], *large;

	rig_start(&rig, MEMORY "Arena_Size = 1M\nSuspend_Delivery = true\n");
	large = stored(1, to_one, 200000);
	ck_assert(in_journal(large));
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = stored(1, to_one, 60000);
		written += in_journal(m[i]);
	}
	ck_assert_uint_gt(written, 5);
	ck_assert_uint_lt(written, ARRAY_LEN(m));
	ck_assert(in_journal(m[23]) && !in_journal(m[0]));
	snprintf(strstr(rig.conf, "Suspend"), 10, "\n");
	d->on_work = job_deliver;
	rig_kill(&rig);
	all.n += written;
	rig_until(&rig, is_logged, &all);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(logger_count(&rig, MSGID_NONE, 'D'), written + 1);
	finish();
}
END_TEST

/* One sentence says what is missing. */
START_TEST(memory_refused)
{
	static const struct {
		const char *conf, *says;
	} cases[] = {
		{ "Spool_Engine = memory\nsuppress_spool { num_retries = 2 }\n",
		    "set _Unsafe_Spool = true" },
		{ "Spool_Engine = memory\n_Unsafe_Spool = true\n",
		    "needs suppress_spool { num_retries = N }" },
	};
	struct error err = { 0 };
	struct slice said;

	rig_prepare(&rig, cases[_i].conf);
	ck_assert_int_eq(worker_harness_start(&rig.h, rig.loop,
	    "spooler/spooler", ROLE_SPOOLER, 0, slice_of(rig.conf), &err), 0);
	rig_until(&rig, worker_harness_is_gone, &rig.h);
	said = buf_slice(&rig.h.failed);
	ck_assert_msg(memmem(said.ptr, said.len, cases[_i].says,
	    strlen(cases[_i].says)) != NULL, "%.*s", SLICE_ARG(said));
	ck_assert_uint_eq(rig_files(&rig, "*"), 0);
}
END_TEST

/* What the client of passthrough hears is what the next host said. */
static const struct said {
	const char *kinds;
	unsigned code;
	const char *reply;
	int logged;
} said[] = {
	{ "D", 250, "", 'D' },
	{ "T", 451, "451 4.2.0 later", 'T' },
	{ "P", 550, "550 5.1.1 nobody", 'P' },
};

START_TEST(passes_on)
{
	const struct said *c = &said[_i];
	const struct seen *e;
	struct mail *m;

	rig_start(&rig, PASSTHROUGH);
	m = rig_store(&rig, 0, "a@example.com", 1, to_one, 5000);
	work_for(m->id[0]);
	ck_assert(!m->answered && !in_journal(m));
	ck_assert_uint_eq(rig_files(&rig, "[0-9A-F][0-9A-F]/*"), 0);
	job_outcome(&rig.deliverer[0], work_for(m->id[0]), c->kinds);
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_REMOTE);
	ck_assert_uint_eq(m->code, c->code);
	ck_assert_str_eq(m->reply, c->reply);
	e = logged(m->id[0], c->logged, 1);
	ck_assert(!(e->e.flags & EVENT_BOUNCED) && e->e.next_us == 0);
	ck_assert_uint_eq(logged(m->id[0], 'R', 1)->e.size, 5000);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(logger_count(&rig, MSGID_NONE, 'R'), 1);
	ck_assert_uint_eq(rig.deliverer[0].n_works, 1);
	/* The journal tells a new process nothing of it. */
	rig_kill(&rig);
	rig_turn(&rig, 300000);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert(!rig_log_has(&rig, "have a state in the journal"));
	finish();
}
END_TEST

/* No 250 but the next host's own, whenever the spooler is killed; and no second
 * delivery by us. */
START_TEST(passthrough_killed_at)
{
	enum point point = (enum point)_i;
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;

	rig_start(&rig, PASSTHROUGH);
	m = rig_store(&rig, 0, "a@example.com", 1, to_one, 9000);
	loop_turn(rig.loop, false);
	if (point >= AFTER_WORK) {
		work_for(m->id[0]);
	}
	if (point >= AFTER_OUTCOME) {
		job_outcome(d, work_for(m->id[0]), "D");
		if (point == AFTER_ACK) {
			wait_acked();
		} else {
			loop_turn(rig.loop, false);
		}
	}
	rig.between = note_answered;
	rig_kill(&rig);
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, was_answered ? STORED_REMOTE :
	    STORED_FAILED);
	if (point < AFTER_OUTCOME && deliverer_first(d) != NULL) {
		job_deliver(d, deliverer_first(d));
	}
	wait_acked();
	rig_turn(&rig, 300000);
	ck_assert_uint_le(d->n_works, 1);
	ck_assert_uint_le(logger_count(&rig, m->id[0], 'R'), 1);
	finish();
}
END_TEST

/* Its deliverer dies: the client is told to try again, and nobody else does. */
START_TEST(passthrough_deliverer_dies)
{
	static const enum stage_point points[] = { STAGE_NOTHING, STAGE_DOT,
		STAGE_ACCEPTED };
	struct fake_deliverer *d = &rig.deliverer[0];
	const struct seen *e;
	struct mail *m;

	rig_start(&rig, PASSTHROUGH);
	m = rig_store(&rig, 0, "a@example.com", 1, to_one, 700);
	job_stage(d, work_for(m->id[0]), points[_i]);
	deliverer_die(d, true);
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_REMOTE);
	if (points[_i] == STAGE_ACCEPTED) {
		ck_assert_uint_eq(m->code, 250);
		logged(m->id[0], 'D', 1);
	} else {
		ck_assert_uint_eq(m->code, 451);
		ck_assert_str_eq(m->reply,
		    "451 4.4.1 [internal] the delivery was cut off");
		e = logged(m->id[0], 'T', 1);
		ck_assert_int_eq((e->e.flags & EVENT_POSSIBLE_DUPLICATE) != 0,
		    points[_i] == STAGE_DOT);
	}
	rig_turn(&rig, 200000);
	ck_assert_uint_eq(d->n_works, 1);
	finish();
}
END_TEST

START_TEST(passthrough_nobody_takes_it)
{
	struct mail *m;

	rig_start(&rig, PASSTHROUGH "Passthrough_Timeout = 0.3\n"
	    "Suspend_Delivery = true\n");
	m = rig_store(&rig, 0, "a@example.com", 1, to_one, 700);
	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_REMOTE);
	ck_assert_uint_eq(m->code, 451);
	ck_assert_str_eq(m->reply,
	    "451 4.4.1 [internal] no host took it in time");
	logged(m->id[0], 'T', 1);
	finish();
}
END_TEST

/* What another engine stored stays what it was: tried again, bounced. */
START_TEST(engines_change)
{
	struct fake_deliverer *d = &rig.deliverer[0];
	struct mail *m;

	rig_start(&rig, "Retry_Interval = 0.1\n");
	m = stored(3, to_three, 3000);
	job_outcome(d, work_for(m->id[0]), "TTT");
	wait_acked();
	snprintf(rig.conf + strlen(rig.conf), sizeof rig.conf -
	    strlen(rig.conf), "%s", kinds[_i].conf);
	rig_kill(&rig);
	job_outcome(d, work_for(m->id[0]), "DTP");
	/* (After a start they may come in another order.) */
	logged(MSGID_NONE, 'P', 1);
	deliver_all();
	logged(MSGID_NONE, 'D', 3);
	finish();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("engines");
	TCase *t = tcase_create("contract");
	int n = (int)ARRAY_LEN(kinds) - 1;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, where_it_is, 0, n);
	tcase_add_loop_test(t, tried_again, 0, n);
	tcase_add_loop_test(t, refused, 0, n);
	tcase_add_loop_test(t, each_its_own_end, 0, n);
	tcase_add_loop_test(t, late_logger, 0, n);
	tcase_add_loop_test(t, killed_at, 0, n * POINTS);
	tcase_add_loop_test(t, killed_while_storing, 0, n);
	suite_add_tcase(s, t);
	t = tcase_create("hashed");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, hashed_again_while_listing);
	suite_add_tcase(s, t);
	t = tcase_create("memory");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, memory_leaves);
	tcase_add_test(t, memory_spills);
	tcase_add_test(t, memory_is_full);
	tcase_add_loop_test(t, memory_refused, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("passthrough");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, passes_on, 0, (int)ARRAY_LEN(said));
	tcase_add_loop_test(t, passthrough_killed_at, 0, POINTS);
	tcase_add_loop_test(t, passthrough_deliverer_dies, 0, 3);
	tcase_add_test(t, passthrough_nobody_takes_it);
	tcase_add_loop_test(t, engines_change, 0, n + 1);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	n = srunner_ntests_failed(r);
	srunner_free(r);
	return n != 0;
}
