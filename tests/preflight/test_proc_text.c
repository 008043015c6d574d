/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc, whole, byte by byte and cut at every place. */
#include "helpers/preflight/mountinfo.h"

#include <check.h>

#include "common/base/buf.h"

static struct proc_lines lines;

/* --- lines ---------------------------------------------------------------- */

/* What came out, each line followed by '|', a long one as "LONG|". */
static void
collect(struct slice in, size_t first, size_t step, struct buf *out)
{
	size_t at = 0, n = first, used;
	struct slice line;

	proc_lines_init(&lines);
	while (at < in.len) {
		struct slice part = slice_make(in.ptr + at,
		    EC_MIN(n, in.len - at));
		enum proc_lines_status s;

		at += part.len;
		n = step;
		while ((s = proc_lines_next(&lines, part, &used, &line)) !=
		    PROC_LINES_MORE) {
			part = slice_skip(part, used);
			buf_add(out, s == PROC_LINES_LONG ? SLICE("LONG") :
			    line);
			buf_putc(out, '|');
		}
		ck_assert_uint_eq(used, part.len);
	}
	if (proc_lines_end(&lines, &line) != PROC_LINES_MORE) {
		buf_add(out, line);
		buf_putc(out, '$');
	}
	ck_assert_int_eq(proc_lines_end(&lines, &line), PROC_LINES_MORE);
}

static const struct {
	const char *in, *out;
} line_rows[] = {
	{ "", "" }, { "a", "a$" }, { "a\n", "a|" }, { "\n", "|" },
	{ "a\n\nb\nc", "a||b|c$" }, { "one two\n\n", "one two||" },
};

START_TEST(cuts_lines)
{
	struct slice in = slice_of(line_rows[_i].in);
	struct buf out;

	buf_init(&out, 1000);
	for (size_t first = 1; first <= in.len + 1; first++) {
		for (size_t step = 1; step <= in.len + 1; step++) {
			buf_clear(&out);
			collect(in, first, step, &out);
			ck_assert(slice_eq(buf_slice(&out),
			    slice_of(line_rows[_i].out)));
		}
	}
	buf_fini(&out);
}
END_TEST

/* The longest line passes; one byte more is thrown away, the next is read. */
START_TEST(long_lines)
{
	char *text = xcalloc(1, PROC_LINE_MAX + 16);
	struct buf out;

	buf_init(&out, PROC_LINE_MAX + 64);
	memset(text, 'x', PROC_LINE_MAX + 1);
	memcpy(text + PROC_LINE_MAX, "\nb\n", 3);
	collect(slice_make(text, PROC_LINE_MAX + 3), 7, 1000, &out);
	ck_assert_uint_eq(out.len, PROC_LINE_MAX + 3);
	memset(text, 'x', PROC_LINE_MAX + 1);
	memcpy(text + PROC_LINE_MAX + 1, "\nb\n", 3);
	for (size_t step = 1; step <= PROC_LINE_MAX * 2; step *= 5) {
		buf_clear(&out);
		collect(slice_make(text, PROC_LINE_MAX + 4), 1, step, &out);
		ck_assert(slice_eq(buf_slice(&out), SLICE("LONG|b|")));
	}
	free(text);
	buf_fini(&out);
}
END_TEST

/* --- escapes -------------------------------------------------------------- */

static const struct {
	const char *in;
	enum proc_result want;
	const char *out;
} escape_rows[] = {
	{ "/plain", PROC_OK, "/plain" },
	{ "/a\\040b\\011c\\012d\\134e", PROC_OK, "/a b\tc\nd\\e" },
	{ "\\377", PROC_OK, "\377" }, { "", PROC_OK, "" },
	{ "\\", PROC_BAD_ESCAPE, "" }, { "\\04", PROC_BAD_ESCAPE, "" },
	{ "\\048", PROC_BAD_ESCAPE, "" }, { "\\400", PROC_BAD_ESCAPE, "" },
	{ "\\x41", PROC_BAD_ESCAPE, "" }, { "a\\000b", PROC_BAD_PATH, "" },
	{ "0123456789abcde", PROC_OK, "0123456789abcde" },
	{ "0123456789abcdef", PROC_BAD_PATH, "" },
};

START_TEST(escapes)
{
	char out[16];

	ck_assert_int_eq(proc_unescape(slice_of(escape_rows[_i].in), out,
	    sizeof out), escape_rows[_i].want);
	if (escape_rows[_i].want == PROC_OK) {
		ck_assert_str_eq(out, escape_rows[_i].out);
	}
}
END_TEST

/* --- mountinfo ------------------------------------------------------------ */

static const struct {
	const char *line;
	enum proc_result want;
	const char *point, *type, *source, *options, *super_options;
	uint32_t major, minor;
} mount_rows[] = {
	{ "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root "
	    "rw,errors=continue", PROC_OK, "/mnt2", "ext3", "/dev/root",
	    "rw,noatime", "rw,errors=continue", 98, 0 },
	{ "1 0 0:21 / / rw - tmpfs none rw", PROC_OK, "/", "tmpfs", "none",
	    "rw", "rw", 0, 21 },
	{ "1 0 8:1 / /a\\040b rw shared:1 master:2 propagate_from:3 "
	    "unbindable - xfs /dev/sd\\134a rw", PROC_OK, "/a b", "xfs",
	    "/dev/sd\\a", "rw", "rw", 8, 1 },
	/* A file system may be mounted with an empty source. */
	{ "1 0 0:9 / /x rw - tmpfs  rw,size=4k", PROC_OK, "/x", "tmpfs", "",
	    "rw", "rw,size=4k", 0, 9 },
	/* A dash as a mount point is none. */
	{ "1 0 0:9 / /- rw - ext4 - rw", PROC_OK, "/-", "ext4", "-", "rw",
	    "rw", 0, 9 },
	{ "1 0 4095:1048575 / /x rw - a b c", PROC_OK, "/x", "a", "b", "rw",
	    "c", 4095, 1048575 },
	{ .line = "", .want = PROC_BAD_FIELDS },
	{ .line = "1 0 8:1 / /x", .want = PROC_BAD_FIELDS },
	{ .line = "1 0 8:1 / /x rw", .want = PROC_BAD_SEPARATOR },
	{ .line = "1 0 8:1 / /x rw shared:1", .want = PROC_BAD_SEPARATOR },
	{ .line = "1 0 8:1 / /x rw -", .want = PROC_BAD_FIELDS },
	{ .line = "1 0 8:1 / /x rw - ext4", .want = PROC_BAD_FIELDS },
	{ .line = "1 0 8:1 / /x rw - ext4 /dev/a", .want = PROC_BAD_FIELDS },
	{ .line = "1 0 8:1 / /x rw -  /dev/a rw", .want = PROC_BAD_FIELDS },
	{ .line = "x 0 8:1 / /x rw - a b c", .want = PROC_BAD_NUMBER },
	{ .line = "1 -1 8:1 / /x rw - a b c", .want = PROC_BAD_NUMBER },
	{ .line = "1 0 8 / /x rw - a b c", .want = PROC_BAD_NUMBER },
	{ .line = "1 0 8: / /x rw - a b c", .want = PROC_BAD_NUMBER },
	{ .line = "1 0 4294967296:0 / /x rw - a b c",
	    .want = PROC_BAD_NUMBER },
	{ .line = "1 0 8:1 / x rw - a b c", .want = PROC_BAD_PATH },
	{ .line = "1 0 8:1 / /x\\0 rw - a b c", .want = PROC_BAD_ESCAPE },
	{ .line = "1 0 8:1 / /x rw - a b\\9 c", .want = PROC_BAD_ESCAPE },
};

static void
check_mount(int i, const struct mount_entry *e)
{
	ck_assert_str_eq(e->point, mount_rows[i].point);
	ck_assert_str_eq(e->source, mount_rows[i].source);
	ck_assert(slice_eq(e->type, slice_of(mount_rows[i].type)));
	ck_assert(slice_eq(e->options, slice_of(mount_rows[i].options)));
	ck_assert(slice_eq(e->super_options,
	    slice_of(mount_rows[i].super_options)));
	ck_assert_uint_eq(e->major, mount_rows[i].major);
	ck_assert_uint_eq(e->minor, mount_rows[i].minor);
}

START_TEST(mounts)
{
	struct mount_entry e;

	ck_assert_int_eq(mountinfo_parse(slice_of(mount_rows[_i].line), &e),
	    mount_rows[_i].want);
	if (mount_rows[_i].want == PROC_OK) {
		check_mount(_i, &e);
	}
}
END_TEST

/* The same through the line splitter, in two parts cut anywhere and byte by
 * byte. */
START_TEST(mounts_in_parts)
{
	char text[300];
	int n = snprintf(text, sizeof text, "%s\n", mount_rows[_i].line);

	for (int cut = 0; cut <= n; cut++) {
		int step = cut == 0 ? 1 : n, at = 0, count = 0;

		proc_lines_init(&lines);
		while (at < n) {
			int end = at < cut && cut < n ? cut :
			    EC_MIN(at + step, n);
			struct slice line;
			struct mount_entry e;
			size_t used;

			if (proc_lines_next(&lines, slice_make(text + at,
			    (size_t)(end - at)), &used, &line) ==
			    PROC_LINES_LINE) {
				count++;
				ck_assert_int_eq(mountinfo_parse(line, &e),
				    mount_rows[_i].want);
				if (mount_rows[_i].want == PROC_OK) {
					check_mount(_i, &e);
				}
			}
			at = end;
		}
		ck_assert_int_eq(count, 1);
	}
}
END_TEST

/* No prefix of a good line is taken for one, but where only options end. */
START_TEST(mounts_cut_short)
{
	static const char line[] = "36 35 98:0 / /mnt rw - ext3 /dev/root rw";
	struct mount_entry e;

	for (size_t n = 0; n < sizeof line - 2; n++) {
		ck_assert_int_ne(mountinfo_parse(slice_make(line, n), &e),
		    PROC_OK);
	}
	ck_assert_int_eq(mountinfo_parse(SLICE(line), &e), PROC_OK);
}
END_TEST

static const struct {
	const char *point, *path;
	size_t want;
} cover_rows[] = {
	{ "/", "/var", 1 }, { "/", "/", 1 }, { "/", "relative", 0 },
	{ "/var", "/var", 4 }, { "/var", "/var/spool", 4 },
	{ "/var", "/variable", 0 }, { "/var/spool", "/var", 0 },
	{ "/var/spool", "/var/spool/x/y", 10 },
};

START_TEST(covers)
{
	ck_assert_uint_eq(mount_covers(cover_rows[_i].point,
	    cover_rows[_i].path), cover_rows[_i].want);
}
END_TEST

/* --- swaps, options, libraries -------------------------------------------- */

static const struct {
	const char *line;
	enum proc_result want;
	const char *path;
	bool is_file;
	int priority;
} swap_rows[] = {
	{ "/dev/sda2                               partition\t2097148\t\t0\t"
	    "\t-2", PROC_OK, "/dev/sda2", false, -2 },
	{ "/swap\\040file file 100 7 32767", PROC_OK, "/swap file", true,
	    32767 },
	{ .line = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority",
	    .want = PROC_BAD_PATH },
	{ .line = "", .want = PROC_BAD_PATH },
	{ .line = "/a file 1 2", .want = PROC_BAD_FIELDS },
	{ .line = "/a file x 2 3", .want = PROC_BAD_NUMBER },
	{ .line = "/a file 1 -2 3", .want = PROC_BAD_NUMBER },
	{ .line = "/a file 1 2 -", .want = PROC_BAD_NUMBER },
	{ .line = "/a file 1 2 99999", .want = PROC_BAD_NUMBER },
	{ .line = "/a\\9 file 1 2 3", .want = PROC_BAD_ESCAPE },
};

START_TEST(swaps)
{
	struct swap_entry e;

	ck_assert_int_eq(swap_parse(slice_of(swap_rows[_i].line), &e),
	    swap_rows[_i].want);
	if (swap_rows[_i].want == PROC_OK) {
		ck_assert_str_eq(e.path, swap_rows[_i].path);
		ck_assert(e.is_file == swap_rows[_i].is_file);
		ck_assert_int_eq(e.priority, swap_rows[_i].priority);
	}
}
END_TEST

START_TEST(options)
{
	struct slice s = SLICE("rw,noatime,barrier=0,data=ordered");

	ck_assert(options_have(s, "rw"));
	ck_assert(options_have(s, "noatime"));
	ck_assert(options_have(s, "data=ordered"));
	ck_assert(!options_have(s, "barrier"));
	ck_assert(!options_have(s, "atime"));
	ck_assert(!options_have(s, "data"));
	ck_assert(!options_have(SLICE(""), "rw"));
}
END_TEST

static const struct {
	const char *text, *name;
} eater_rows[] = {
	{ "LD_PRELOAD=libeatmydata.so", "libeatmydata.so" },
	{ "/usr/lib/a.so:/usr/lib/libeatmydata.so.1",
	    "/usr/lib/libeatmydata.so.1" },
	{ "7f00-7f01 r-xp 0 08:01 7   /x/nosync.so", "/x/nosync.so" },
	{ "/x/eatmydata.so /y/z.so", "/x/eatmydata.so" },
	{ "/home/libeatmydata.so/libfine.so", NULL },
	{ "/usr/bin/eatmydata", NULL }, { "", NULL }, { "::: ==", NULL },
	{ "/usr/lib/mylibeatmydata.so", NULL },
};

START_TEST(eaters)
{
	struct slice name = SLICE("");
	bool found = names_sync_eater(slice_of(eater_rows[_i].text), &name);

	ck_assert(found == (eater_rows[_i].name != NULL));
	ck_assert(slice_eq(name, slice_of(eater_rows[_i].name)));
}
END_TEST

START_TEST(result_texts)
{
	for (int r = PROC_OK; r <= PROC_BAD_PATH; r++) {
		ck_assert_str_ne(proc_result_text((enum proc_result)r), "?");
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("proc_text");
	TCase *t = tcase_create("proc_text");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, cuts_lines, 0, (int)ARRAY_LEN(line_rows));
	tcase_add_test(t, long_lines);
	tcase_add_loop_test(t, escapes, 0, (int)ARRAY_LEN(escape_rows));
	tcase_add_loop_test(t, mounts, 0, (int)ARRAY_LEN(mount_rows));
	tcase_add_loop_test(t, mounts_in_parts, 0,
	    (int)ARRAY_LEN(mount_rows));
	tcase_add_test(t, mounts_cut_short);
	tcase_add_loop_test(t, covers, 0, (int)ARRAY_LEN(cover_rows));
	tcase_add_loop_test(t, swaps, 0, (int)ARRAY_LEN(swap_rows));
	tcase_add_test(t, options);
	tcase_add_loop_test(t, eaters, 0, (int)ARRAY_LEN(eater_rows));
	tcase_add_test(t, result_texts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
