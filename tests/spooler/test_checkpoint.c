/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: their bytes, and starts of the real spooler from them: the same
 * queue to the attempt, whatever is missing or damaged.
 */
#include "tests/spooler/rig.h"

#include <check.h>
#include <fcntl.h>
#include <glob.h>

#include "common/base/clock.h"

#define N 40u
#define GONE 4u

static struct rig rig;
static struct mail *mail[N];

/* Bytes */

static struct slice
filled(struct checkpoint_block *b, unsigned n)
{
	struct checkpoint_item q = { .op = CHECKPOINT_QUEUE, .queue = 7,
		.group = SLICE("g"), .binding = SLICE("b"),
		.domain = SLICE("example.com") };

	checkpoint_block_init(b, 3);
	checkpoint_put(b, &q);
	for (unsigned i = 0; i < n; i++) {
		struct checkpoint_item p = { .op = CHECKPOINT_PUT,
			.id = 1000 + i, .next_us = 5000000u * i,
			.received_s = 77 + i, .queue = 7,
			.attempts = (uint16_t)i, .doubt = i % 2 == 1 };
		struct checkpoint_item g = { .op = CHECKPOINT_GONE,
			.id = 9000 + i };

		checkpoint_put(b, i % 3 == 2 ? &g : &p);
	}
	return checkpoint_block_seal(b);
}

START_TEST(items_come_back)
{
	struct checkpoint_block_head h;
	struct checkpoint_item i;
	struct checkpoint_block b;
	struct slice bytes = filled(&b, 30);
	struct wire_r r;
	unsigned n = 0;

	memcpy(&h, bytes.ptr, sizeof h);
	ck_assert_int_eq(checkpoint_block_length(&h, 3),
	    (ssize_t)(bytes.len - sizeof h));
	ck_assert_int_eq(checkpoint_block_length(&h, 4), -1);
	ck_assert(checkpoint_block_valid(&h, bytes.ptr + sizeof h));
	r = wire_reader(slice_skip(bytes, sizeof h));
	ck_assert(checkpoint_next(&r, &i));
	ck_assert_int_eq(i.op, CHECKPOINT_QUEUE);
	ck_assert(slice_eq(i.domain, SLICE("example.com")));
	ck_assert(slice_eq(i.group, SLICE("g")));
	ck_assert(slice_eq(i.binding, SLICE("b")));
	for (; checkpoint_next(&r, &i); n++) {
		if (n % 3 == 2) {
			ck_assert_int_eq(i.op, CHECKPOINT_GONE);
			ck_assert_uint_eq(i.id, 9000 + n);
			continue;
		}
		ck_assert_int_eq(i.op, CHECKPOINT_PUT);
		ck_assert_uint_eq(i.id, 1000 + n);
		ck_assert_uint_eq(i.next_us, UINT64_C(5000000) * n);
		ck_assert_uint_eq(i.received_s, 77 + n);
		ck_assert_uint_eq(i.queue, 7);
		ck_assert_uint_eq(i.attempts, n);
		ck_assert_int_eq(i.doubt, n % 2 == 1);
	}
	ck_assert(!r.bad);
	ck_assert_uint_eq(n, 30);
	checkpoint_block_fini(&b);
}
END_TEST

/* No byte of a block or a head can change unseen. */
START_TEST(every_byte_counts)
{
	struct checkpoint_head head = { .generation = 9, .base = 9,
		.kind = CHECKPOINT_BASE, .lsn = 12345, .count = 6 };
	struct checkpoint_block b;
	struct slice bytes = filled(&b, 5);
	char *copy = xmalloc(bytes.len);

	for (size_t at = 0; at < bytes.len; at++) {
		struct checkpoint_block_head h;

		memcpy(copy, bytes.ptr, bytes.len);
		copy[at] ^= 0x10;
		memcpy(&h, copy, sizeof h);
		ck_assert(checkpoint_block_length(&h, 3) !=
		    (ssize_t)(bytes.len - sizeof h) ||
		    !checkpoint_block_valid(&h, copy + sizeof h));
	}
	free(copy);
	checkpoint_block_fini(&b);
	checkpoint_head_seal(&head);
	ck_assert(checkpoint_head_valid(&head));
	for (size_t at = 0; at < sizeof head; at++) {
		((char *)&head)[at] ^= 4;
		ck_assert(!checkpoint_head_valid(&head));
		((char *)&head)[at] ^= 4;
	}
}
END_TEST

/* Every cut of the items is told from a whole. */
START_TEST(items_cut_short)
{
	struct checkpoint_block b;
	struct slice all = slice_skip(filled(&b, 3),
	    sizeof(struct checkpoint_block_head));

	for (size_t len = 0; len < all.len; len++) {
		struct wire_r r = wire_reader(slice_make(all.ptr, len));
		struct checkpoint_item i;
		size_t used = 0;

		while (checkpoint_next(&r, &i)) {
			used = len - wire_left(&r);
		}
		ck_assert(r.bad || used == len);
	}
	checkpoint_block_fini(&b);
}
END_TEST

START_TEST(names)
{
	enum checkpoint_kind kind;
	char name[CHECKPOINT_NAME];
	uint32_t g;

	checkpoint_name(0xAB12, CHECKPOINT_BASE, name);
	ck_assert_str_eq(name, "0000AB12.base");
	ck_assert(checkpoint_name_parse(name, &g, &kind));
	ck_assert_uint_eq(g, 0xAB12);
	ck_assert_int_eq(kind, CHECKPOINT_BASE);
	checkpoint_name(1, CHECKPOINT_DELTA, name);
	ck_assert(checkpoint_name_parse(name, &g, &kind));
	ck_assert_int_eq(kind, CHECKPOINT_DELTA);
	ck_assert(!checkpoint_name_parse("new", &g, &kind));
	ck_assert(!checkpoint_name_parse("reserve", &g, &kind));
	ck_assert(!checkpoint_name_parse("00000001.basement", &g, &kind));
	ck_assert(!checkpoint_name_parse("0000001.base", &g, &kind));
	ck_assert(!checkpoint_name_parse("00000000.base", &g, &kind));
}
END_TEST

/* Starts */

struct waiting {
	msgid id;
	int kind;
};

static bool
is_logged(void *arg)
{
	struct waiting *w = arg;

	return logger_count(&rig, w->id, w->kind) >= 1;
}

static void
logged(msgid id, int kind)
{
	struct waiting w = { id, kind };

	rig_until(&rig, is_logged, &w);
}

static bool
has_file(void *pattern)
{
	return rig_files(&rig, pattern) > 0;
}

static bool
all_settled(void *arg)
{
	(void)arg;
	return rig_files(&rig, "[0-9A-F][0-9A-F]/*.meta") == N;
}

static void
deliver_few(struct fake_deliverer *d, struct job *j)
{
	for (unsigned i = 0; i < GONE; i++) {
		if (j->id[0] == mail[i]->id[0]) {
			job_deliver(d, j);
			return;
		}
	}
	job_defer(d, j);
}

/* Messages that were tried, settled and stand in a base; four of them gone
 * after it, in a delta. */
static void
settled_queue(void)
{
	static const char *const to[2][1] = { { "b@example.net" },
		{ "c@example.org" } };
	struct fake_deliverer *d = &rig.deliverer[0];

	rig_start(&rig, "Settle_After = 0.1\nRetry_Interval = 0.7\n"
	    "Checkpoint_Interval = 0.1\n");
	d->on_work = job_defer;
	for (unsigned i = 0; i < N; i++) {
		mail[i] = rig_store(&rig, 0, "a@example.com", 1, to[i % 2],
		    100 + i);
		rig_until(&rig, mail_is_answered, mail[i]);
		ck_assert_int_eq(mail[i]->result, STORED_OK);
	}
	for (unsigned i = 0; i < N; i++) {
		logged(mail[i]->id[0], 'T');
	}
	rig_until(&rig, all_settled, NULL);
	rig_until_at(&rig, has_file, "checkpoint/*.base", "a base");
	d->on_work = deliver_few;
	for (unsigned i = 0; i < GONE; i++) {
		logged(mail[i]->id[0], 'D');
	}
	d->on_work = job_defer;
	rig_until_at(&rig, has_file, "checkpoint/*.delta", "a delta");
}

/* Each that is left is delivered once, not before its time, and its attempts
 * are as many as were logged. */
static void
rest_is_delivered(void)
{
	struct fake_deliverer *d = &rig.deliverer[0];

	d->on_work = job_deliver;
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			job_deliver(d, j);
		}
	}
	for (unsigned i = 0; i < N; i++) {
		const struct seen *end, *last;
		unsigned tried;

		logged(mail[i]->id[0], 'D');
		tried = logger_count(&rig, mail[i]->id[0], 'T');
		end = logger_find(&rig, mail[i]->id[0], 'D', 0);
		ck_assert_uint_eq(end->e.attempts, tried);
		last = logger_find(&rig, mail[i]->id[0], 'T', tried - 1);
		ck_assert_uint_ge(end->e.time_us, last->e.next_us);
	}
	rig_until(&rig, rig_is_drained, &rig);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_eq(logger_count(&rig, mail[i]->id[0], 'D'), 1);
	}
}

START_TEST(start_from_a_checkpoint)
{
	settled_queue();
	rig_kill(&rig);
	rig_kill(&rig);		/* what it read it can read again */
	ck_assert(!rig_log_has(&rig, "serve instead"));
	rest_is_delivered();
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), 0);
	rig_stop(&rig);
}
END_TEST

enum harm { REMOVED, HEAD, ITEM, CUT, UNREADABLE, HARMS };
static const struct {
	const char *files;
	enum harm how;
	unsigned put_away;	/* files in quarantine */
} harms[] = {
	{ "checkpoint/*", REMOVED, 0 },
	{ "checkpoint/*.base", REMOVED, 0 },
	{ "checkpoint/*.delta", REMOVED, 0 },
	{ "checkpoint/*.base", HEAD, 1 },
	{ "checkpoint/*.base", ITEM, 1 },
	{ "checkpoint/*.base", CUT, 1 },
	{ "checkpoint/*.delta", HEAD, 1 },
	{ "checkpoint/*.delta", ITEM, 1 },
	{ "checkpoint/*.delta", CUT, 1 },
	{ "checkpoint/*.base", UNREADABLE, 0 },
	{ "checkpoint/*.delta", UNREADABLE, 0 },
};
static unsigned harm;

static void
do_harm(struct rig *r)
{
	char path[160];
	glob_t g;

	snprintf(path, sizeof path, "%s/%s", r->dir, harms[harm].files);
	ck_assert_int_eq(glob(path, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		int fd = open(g.gl_pathv[i], O_RDWR);

		ck_assert_int_ge(fd, 0);
		switch (harms[harm].how) {
		case REMOVED:
			ck_assert_int_eq(unlink(g.gl_pathv[i]), 0);
			break;
		case HEAD:
			ck_assert_int_eq(pwrite(fd, "x", 1, 20), 1);
			break;
		case ITEM:
			ck_assert_int_eq(pwrite(fd, "x", 1, 85), 1);
			break;
		case CUT:
			ck_assert_int_eq(ftruncate(fd, 90), 0);
			break;
		case UNREADABLE:	/* by whomsoever: EISDIR */
			ck_assert_int_eq(unlink(g.gl_pathv[i]), 0);
			ck_assert_int_eq(mkdir(g.gl_pathv[i], 0700), 0);
			break;
		case HARMS:
			break;
		}
		close(fd);
	}
	globfree(&g);
}

/* Whatever becomes of the files: each message once, none forgotten. */
START_TEST(start_after_harm)
{
	harm = (unsigned)_i;
	settled_queue();
	rig.between = do_harm;
	rig_kill(&rig);
	rig.between = NULL;
	rest_is_delivered();
	ck_assert_uint_eq(rig_files(&rig, "quarantine/checkpoint-*"),
	    harms[harm].put_away);
	rig_stop(&rig);
}
END_TEST

static bool
is_back(void *arg)
{
	(void)arg;
	return rig_score(&rig, SCORE_S_REPLAY_PERCENT) == 100;
}

/* 100 % is said when all is back, also of mail that only the store knows. */
START_TEST(percent_counts_the_store)
{
	settled_queue();
	rig.deliverer[0].on_work = NULL;
	harm = 0;
	rig.between = do_harm;
	rig_kill(&rig);
	rig.between = NULL;
	rig_until(&rig, is_back, NULL);
	ck_assert_uint_eq(rig_score(&rig, SCORE_S_QUEUED), N - GONE);
	rig_stop(&rig);
}
END_TEST

static void
add_stranger(struct rig *r)
{
	char from[MSGID_TEXT_LEN + 1], command[512];

	/* A pair that nobody knows, as a file system's repair may leave it. */
	msgid_format(mail[N - 1]->id[0], from);
	snprintf(command, sizeof command, "cd %s && cp %s 00/00-00001-11111111 "
	    "&& cp %s.meta 00/00-00001-11111111.meta", r->dir, from, from);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_stranger_is_no_mail)
{
	settled_queue();
	rig.between = add_stranger;
	rig_kill(&rig);
	rig_until_at(&rig, has_file, "quarantine/00-*.meta.*.why",
	    "the stranger's quarantine");
	rest_is_delivered();
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*.why"), 2);
	rig_stop(&rig);
}
END_TEST

static msgid young;

/* A pair as an import puts it there just before a crash. */
static void
add_young(struct rig *r)
{
	char from[MSGID_TEXT_LEN + 1], to[MSGID_TEXT_LEN + 1], path[160];
	static char bytes[1 << 16];
	struct scratch mem;
	struct meta meta;
	struct buf text;
	ssize_t n;
	int fd;

	young = clock_wall_us() / 1000000u << 32 | 60001u << 16 | 7u;
	msgid_format(mail[N - 1]->id[0], from);
	msgid_format(young, to);
	snprintf(path, sizeof path, "%s/%s.meta", r->dir, from);
	fd = open(path, O_RDONLY);
	n = read(fd, bytes, sizeof bytes);
	ck_assert_int_gt(n, 0);
	close(fd);
	scratch_init(&mem, META_MAX_BYTES);
	ck_assert_int_eq(meta_read(slice_make(bytes, (size_t)n), &mem, &meta),
	    META_OK);
	meta.rcpt.id = young;
	meta.env.rcpt = &meta.rcpt;
	buf_init(&text, META_MAX_BYTES);
	ck_assert(meta_write(&meta, &text));
	snprintf(path, sizeof path, "%s/%s.meta", r->dir, to);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	ck_assert_int_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
	close(fd);
	buf_fini(&text);
	scratch_fini(&mem);
	snprintf(bytes, sizeof bytes, "cd %s && cp %s %s", r->dir, from, to);
	ck_assert_int_eq(system(bytes), 0);
}

static bool
is_put(void *arg)
{
	char path[160], item[1 + sizeof young] = { CHECKPOINT_PUT };
	struct rig *r = arg;
	bool found = false;
	glob_t g;

	memcpy(item + 1, &young, sizeof young);
	snprintf(path, sizeof path, "%s/checkpoint/0*", r->dir);
	ck_assert_int_eq(glob(path, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		static char bytes[1 << 16];
		int fd = open(g.gl_pathv[i], O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);

		found = found || (n > 0 && memmem(bytes, (size_t)n, item,
		    sizeof item) != NULL);
		if (fd >= 0) {
			close(fd);
		}
	}
	globfree(&g);
	return found;
}

/* What only its files told of is told of by the next checkpoint: in an hour it
 * is young no more. */
START_TEST(young_mail_is_remembered)
{
	settled_queue();
	rig.deliverer[0].on_work = NULL;
	rig.between = add_young;
	rig_kill(&rig);
	rig.between = NULL;
	rig_until(&rig, is_put, &rig);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), 0);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("checkpoint");
	TCase *t = tcase_create("bytes"), *b = tcase_create("starts"),
	    *y = tcase_create("young");
	SRunner *r;
	int failed;

	tcase_add_test(t, items_come_back);
	tcase_add_test(t, every_byte_counts);
	tcase_add_test(t, items_cut_short);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	tcase_set_timeout(b, 60);
	tcase_add_test(b, start_from_a_checkpoint);
	tcase_add_loop_test(b, start_after_harm, 0, ARRAY_LEN(harms));
	tcase_add_test(b, percent_counts_the_store);
	tcase_add_test(b, a_stranger_is_no_mail);
	suite_add_tcase(s, b);
	tcase_set_timeout(y, 60);
	tcase_add_test(y, young_mail_is_remembered);
	suite_add_tcase(s, y);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
