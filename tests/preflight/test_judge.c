/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about room and speed, and how findings are shown. */
#include "helpers/preflight/judge_priv.h"
#include "helpers/preflight/show.h"

#include <check.h>
#include <jansson.h>

/* An ordinary good machine; each row changes one thing. */
static void
good(struct facts *f)
{
	memset(f, 0, sizeof *f);
	snprintf(f->spool, sizeof f->spool, "/spool");
	snprintf(f->place, sizeof f->place, "/spool");
	f->exists = f->mount.known = true;
	snprintf(f->mount.type, sizeof f->mount.type, "ext4");
	snprintf(f->mount.point, sizeof f->mount.point, "/spool");
	snprintf(f->mount.source, sizeof f->mount.source, "/dev/md0");
	snprintf(f->mount.options, sizeof f->mount.options, "rw,noatime");
	snprintf(f->mount.super_options, sizeof f->mount.super_options, "rw");
	f->stack.count = 1;
	snprintf(f->stack.devices[0].name, FACTS_NAME, "md0");
	snprintf(f->stack.devices[0].level, FACTS_NAME, "raid10");
	f->stack.devices[0].kind = DEVICE_MD;
	f->stack.devices[0].above = -1;
	f->stack.devices[0].cache = CACHE_THROUGH;
	f->space = (struct facts_space){ true, 4096, 1ull << 40, 1u << 24,
	    1u << 24 };
	f->queue = 10000;
	f->journal_wanted = 1u << 30;
}

struct row {
	uint64_t queue, journal, there, free, inodes, inodes_free, block;
	uint64_t median_ns;
	enum finding_id id;
	enum finding_level level;
	const char *words;
};

/* 0 leaves what the good machine has. */
static const struct row rows[] = {
	{ .id = FINDING_SPACE, .level = LEVEL_OK, .words = "1048576 MiB" },
	{ .free = (1u << 30) - 1, .id = FINDING_SPACE, .level = LEVEL_WARN,
	    .words = "the journal needs 1024 MiB more" },
	/* What the journal has already is not wanted again. */
	{ .free = 1u << 29, .there = 1u << 30, .id = FINDING_SPACE,
	    .level = LEVEL_OK, .words = "512 MiB free" },
	{ .free = 100u << 20, .there = 1u << 30, .id = FINDING_SPACE,
	    .level = LEVEL_ADVICE, .words = "100 MiB free, 195 MiB" },
	{ .queue = UINT64_MAX, .id = FINDING_SPACE, .level = LEVEL_ADVICE,
	    .words = "MiB free" },
	{ .inodes_free = 20256, .id = FINDING_INODES, .level = LEVEL_OK,
	    .words = "20256 free, 20256 wanted" },
	{ .inodes_free = 20255, .id = FINDING_INODES, .level = LEVEL_WARN,
	    .words = "10000 queued messages need 20256" },
	{ .queue = UINT64_MAX, .id = FINDING_INODES, .level = LEVEL_WARN,
	    .words = "need 18446744073709551615" },
	{ .inodes = UINT64_MAX, .id = FINDING_INODES, .level = LEVEL_OK,
	    .words = "made on demand" },
	{ .block = 1024, .id = FINDING_BLOCK_SIZE, .level = LEVEL_ADVICE,
	    .words = "1024 bytes" },
	{ .block = 2048, .id = FINDING_BLOCK_SIZE, .level = LEVEL_ADVICE,
	    .words = "2048 bytes" },
	{ .block = 4096, .id = FINDING_BLOCK_SIZE, .level = LEVEL_OK,
	    .words = "4096 bytes" },
	{ .block = 8192, .id = FINDING_BLOCK_SIZE, .level = LEVEL_OK,
	    .words = "8192 bytes" },
	{ .id = FINDING_DIRECTORIES, .level = LEVEL_OK,
	    .words = "10000 messages are 20000 files, 78 in each of 256" },
	{ .queue = 1000000, .id = FINDING_DIRECTORIES, .level = LEVEL_OK,
	    .words = "7812 in each" },
	{ .queue = 12800127, .id = FINDING_DIRECTORIES, .level = LEVEL_OK,
	    .words = "100000 in each" },
	{ .queue = 12800128, .id = FINDING_DIRECTORIES,
	    .level = LEVEL_ADVICE, .words = "100001 in each" },
	{ .id = FINDING_SYNC_LATENCY, .level = LEVEL_OK,
	    .words = "not measured" },
	{ .median_ns = 300, .id = FINDING_SYNC_LATENCY, .level = LEVEL_WARN,
	    .words = "median 0.3 us, worst 7.0 ms: too fast to be true" },
	{ .median_ns = 7999, .id = FINDING_SYNC_LATENCY, .level = LEVEL_WARN,
	    .words = "too fast" },
	{ .median_ns = 8000, .id = FINDING_SYNC_LATENCY, .level = LEVEL_OK,
	    .words = "median 8.0 us" },
	{ .median_ns = 5000000, .id = FINDING_SYNC_LATENCY,
	    .level = LEVEL_OK, .words = "median 5000.0 us" },
	{ .median_ns = 5000001, .id = FINDING_SYNC_LATENCY,
	    .level = LEVEL_ADVICE, .words = "spinning disk" },
	{ .median_ns = 20000001, .id = FINDING_SYNC_LATENCY,
	    .level = LEVEL_WARN, .words = "very slow" },
};

static void
change(struct facts *f, const struct row *r)
{
	f->queue = r->queue != 0 ? r->queue : f->queue;
	f->journal_there = r->there;
	f->space.bytes_free = r->free != 0 ? r->free : f->space.bytes_free;
	f->space.inodes = r->inodes == UINT64_MAX ? 0 : f->space.inodes;
	f->space.inodes_free = r->inodes_free != 0 ? r->inodes_free :
	    f->space.inodes_free;
	f->space.block_size = r->block != 0 ? r->block : f->space.block_size;
	f->syncs = (struct facts_syncs){ r->median_ns != 0, 1000,
	    r->median_ns, 7000000, "" };
}

START_TEST(judges)
{
	struct facts *f = xcalloc(1, sizeof *f);
	struct findings found;
	const struct finding *one;

	good(f);
	change(f, &rows[_i]);
	judge_facts(f, &found);
	one = &found.of[rows[_i].id];
	ck_assert_int_eq(one->id, rows[_i].id);
	ck_assert_msg(one->level == rows[_i].level &&
	    strstr(one->what, rows[_i].words) != NULL, "%s: %s",
	    finding_level_name(one->level), one->what);
	/* Nothing else is worse than on the good machine. */
	for (int i = 0; i < FINDING_COUNT; i++) {
		ck_assert(i == (int)rows[_i].id || rows[_i].queue != 0 ||
		    found.of[i].level == LEVEL_OK);
	}
	ck_assert(found.worst >= one->level);
	free(f);
}
END_TEST

START_TEST(directories_of_ext2)
{
	struct facts *f = xcalloc(1, sizeof *f);
	struct findings found;

	good(f);
	snprintf(f->mount.type, sizeof f->mount.type, "ext2");
	f->queue = 1280127;
	judge_facts(f, &found);
	ck_assert_int_eq(found.of[FINDING_DIRECTORIES].level, LEVEL_OK);
	f->queue = 1280128;
	judge_facts(f, &found);
	ck_assert_int_eq(found.of[FINDING_DIRECTORIES].level, LEVEL_ADVICE);
	free(f);
}
END_TEST

START_TEST(not_measurable)
{
	struct facts *f = xcalloc(1, sizeof *f);
	struct findings found;

	good(f);
	snprintf(f->syncs.why_not, sizeof f->syncs.why_not, "no room");
	judge_facts(f, &found);
	ck_assert_int_eq(found.of[FINDING_SYNC_LATENCY].level, LEVEL_ADVICE);
	ck_assert_ptr_nonnull(strstr(found.of[FINDING_SYNC_LATENCY].what,
	    "no room"));
	free(f);
}
END_TEST

static const struct {
	const char *in, *out;
} word_rows[] = {
	{ "/var/spool", "/var/spool" }, { "", "''" }, { "a b", "'a b'" },
	{ "it's", "'it'\\''s'" }, { "$(reboot)", "'$(reboot)'" },
	{ "a;b", "'a;b'" }, { "h:/e", "h:/e" },
};

START_TEST(shell_words)
{
	char out[WORD_MAX];

	ck_assert_str_eq(shell_word(word_rows[_i].in, out), word_rows[_i].out);
}
END_TEST

/* However long, a word stays closed and within its room. */
START_TEST(long_shell_words)
{
	char in[1000], out[WORD_MAX];

	memset(in, '\'', sizeof in - 1);
	in[sizeof in - 1] = '\0';
	for (size_t n = 0; n < sizeof in; n += 13) {
		shell_word(in + n, out);
		ck_assert_uint_lt(strlen(out), sizeof out);
		ck_assert_int_eq(out[strlen(out) - 1], '\'');
	}
}
END_TEST

/* --- showing -------------------------------------------------------------- */

static void
hostile(struct facts *f, struct findings *found)
{
	good(f);
	snprintf(f->mount.point, sizeof f->mount.point,
	    "/sp\033[31mool\n\377\xc3\xa4");
	snprintf(f->mount.super_options, sizeof f->mount.super_options,
	    "rw,nobarrier");
	snprintf(f->mount.options, sizeof f->mount.options, "rw");
	judge_facts(f, found);
}

START_TEST(table)
{
	struct facts *f = xcalloc(1, sizeof *f);
	struct findings found;
	struct buf out;

	buf_init(&out, 65536);
	hostile(f, &found);
	finding_mend(&found.of[FINDING_NOATIME], "mount 'it'\\''s\033'");
	show_table(f, &found, false, &out);
	buf_putc(&out, '\0');
	ck_assert(!out.full);
	ck_assert_ptr_null(strchr(out.ptr, '\033'));
	ck_assert_ptr_nonnull(strstr(out.ptr, "\\x1B[31mool\\x0A\\xFF"));
	/* A command can be pasted as it stands. */
	ck_assert_ptr_nonnull(strstr(out.ptr, "mount 'it'\\''s\\x1B'"));
	ck_assert_ptr_nonnull(strstr(out.ptr,
	    "  refuse  barrier        mounted with nobarrier\n"));
	ck_assert_ptr_nonnull(strstr(out.ptr,
	    "\n1 refuse, 1 warn, 0 advice, 12 ok\n"));
	buf_clear(&out);
	show_table(f, &found, true, &out);
	ck_assert_int_ge(slice_find(buf_slice(&out), '\033'), 0);
	buf_fini(&out);
	free(f);
}
END_TEST

START_TEST(json)
{
	struct facts *f = xcalloc(1, sizeof *f);
	struct findings found;
	struct buf out;
	json_t *all, *one;
	json_error_t error;

	buf_init(&out, 65536);
	hostile(f, &found);
	show_json(f, &found, &out);
	all = json_loadb(out.ptr, out.len, 0, &error);
	ck_assert_msg(all != NULL, "%s", error.text);
	ck_assert_str_eq(json_string_value(json_object_get(all, "verdict")),
	    "refuse");
	ck_assert_str_eq(json_string_value(json_object_get(all, "mount")),
	    "/sp\\x1B[31mool\\x0A\\xFF\xc3\xa4");
	ck_assert(json_is_null(json_object_get(all, "syncs")));
	one = json_object_get(all, "findings");
	ck_assert_uint_eq(json_array_size(one), FINDING_COUNT);
	one = json_array_get(one, FINDING_BARRIER);
	ck_assert_str_eq(json_string_value(json_object_get(one, "id")),
	    "barrier");
	ck_assert_str_eq(json_string_value(json_object_get(one, "level")),
	    "refuse");
	json_decref(all);
	buf_clear(&out);
	f->syncs = (struct facts_syncs){ true, 10, 20000, 30000, "" };
	show_json(f, &found, &out);
	all = json_loadb(out.ptr, out.len, 0, &error);
	one = json_object_get(json_object_get(all, "syncs"), "median_us");
	ck_assert(json_number_value(one) > 19.9 &&
	    json_number_value(one) < 20.1);
	json_decref(all);
	buf_fini(&out);
	free(f);
}
END_TEST

START_TEST(start_lines)
{
	struct facts *f = xcalloc(1, sizeof *f);
	struct findings found;
	struct slice rest, line;
	struct buf out;

	buf_init(&out, 65536);
	hostile(f, &found);
	show_start(f, &found, &out);
	rest = buf_slice(&out);
	line = slice_cut(&rest, '\n');
	ck_assert(slice_starts(line, SLICE("refuse SpoolBase /spool: barrier: "
	    "mounted with nobarrier: ")));
	ck_assert_uint_lt(line.len, 480);
	line = slice_cut(&rest, '\n');
	ck_assert(slice_starts(line, SLICE("warn SpoolBase /spool: noatime: ")));
	ck_assert_uint_eq(rest.len, 0);
	buf_clear(&out);
	good(f);
	judge_facts(f, &found);
	show_start(f, &found, &out);
	ck_assert_uint_eq(out.len, 0);
	buf_fini(&out);
	free(f);
}
END_TEST

/* One window, however short, gives numbers in their order, or a reason. */
START_TEST(measures)
{
	struct facts *f = xcalloc(1, sizeof *f);
	char dir[] = "/tmp/ec-syncs-XXXXXX";

	good(f);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(f->place, sizeof f->place, "%s", dir);
	facts_measure(f, "/", 50000);
	ck_assert(f->syncs.measured || f->syncs.why_not[0] != '\0');
	if (f->syncs.measured) {
		ck_assert_uint_ge(f->syncs.count, 3);
		ck_assert_uint_gt(f->syncs.median_ns, 0);
		ck_assert_uint_ge(f->syncs.worst_ns, f->syncs.median_ns);
	}
	/* Nothing is left behind. */
	ck_assert_int_eq(rmdir(dir), 0);
	memset(&f->syncs, 0, sizeof f->syncs);
	facts_measure(f, "/", 1000);
	ck_assert(!f->syncs.measured);
	ck_assert_str_eq(f->syncs.why_not, strerror(ENOENT));
	free(f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("judge");
	TCase *t = tcase_create("judge");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, judges, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(t, directories_of_ext2);
	tcase_add_test(t, not_measurable);
	tcase_add_loop_test(t, shell_words, 0, (int)ARRAY_LEN(word_rows));
	tcase_add_test(t, long_shell_words);
	tcase_add_test(t, table);
	tcase_add_test(t, json);
	tcase_add_test(t, start_lines);
	tcase_add_test(t, measures);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
