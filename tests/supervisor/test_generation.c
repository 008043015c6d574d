/* SPDX-License-Identifier: Apache-2.0 */
/* A generation of the configuration, and the shared tables. */
#include "supervisor/config_reload.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "supervisor/budgets.h"

static char path[] = "/tmp/ec-generation-XXXXXX";

static void
write_file(const char *text)
{
	int fd;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fdio_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static bool
load(struct generation *g, const char *text, uint32_t number, struct buf *out)
{
	bool ok;

	write_file(text);
	ok = generation_load(g, path, number, out);
	unlink(path);
	return ok;
}

/* What workers get parses to the same, and nobody can change it. */
START_TEST(frozen_bytes_are_equal_and_sealed)
{
	struct generation g;
	struct config_report rep;
	struct config *again;
	struct buf text, names;
	struct stat st;
	char *bytes;

	buf_init(&text, 65536);
	buf_init(&names, 65536);
	ck_assert_msg(load(&g, "Listeners = 3\nSpoolBase = \"/srv/x\"\n"
	    "ESMTP_Listener { Listen \"127.0.0.1:2525\" { } }\n", 7, &text),
	    "%.*s", SLICE_ARG(buf_slice(&text)));
	ck_assert_uint_eq(g.number, 7);
	ck_assert_int_eq(fstat(g.fd, &st), 0);
	bytes = xmalloc((size_t)st.st_size);
	ck_assert_int_eq(fdio_pread_full(g.fd, bytes, (size_t)st.st_size, 0),
	    st.st_size);
	config_report_init(&rep);
	again = config_parse(slice_make(bytes, (size_t)st.st_size), "x", &rep);
	ck_assert_ptr_nonnull(again);
	ck_assert_uint_eq(config_diff_restart(g.cfg, again, &names), 0);
	ck_assert_int_eq(config_int(again, NULL, OPT_LISTENERS), 3);
	ck_assert_int_eq(pwrite(g.fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(g.fd, 0), -1);
	config_report_fini(&rep);
	config_destroy(&again);
	free(bytes);
	generation_fini(&g);
	ck_assert_int_eq(g.fd, -1);
	buf_fini(&names);
	buf_fini(&text);
}
END_TEST

START_TEST(a_bad_file_makes_no_generation)
{
	struct generation g = { NULL, 99, 5 };
	struct buf text;

	buf_init(&text, 65536);
	ck_assert(!load(&g, "\nNo_Such_Thing = 1\n", 6, &text));
	ck_assert(g.cfg == NULL && g.fd == 99 && g.number == 5);
	buf_putc(&text, '\0');
	ck_assert_msg(strstr(text.ptr, ":2: ") != NULL &&
	    strstr(text.ptr, "No_Such_Thing") != NULL, "%s", text.ptr);
	buf_clear(&text);
	ck_assert(!generation_load(&g, "/nonexistent/file", 6, &text));
	ck_assert_uint_gt(text.len, 0);
	buf_fini(&text);
}
END_TEST

START_TEST(counts_and_paths)
{
	struct generation a, b;
	struct buf text;
	unsigned cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	char spool[8], large[64];

	buf_init(&text, 65536);
	ck_assert(load(&a, "SpoolBase = \"/srv/a\"\n", 1, &text));
	ck_assert(load(&b, "SpoolBase = \"/srv/b\"\nDeliverers = 40\n"
	    "Listeners = 1\nLog_Level = \"warning\"\n", 2, &text));
	ck_assert_uint_eq(generation_count(&a, OPT_LISTENERS, 64),
	    EC_MIN(cores, 64u));
	ck_assert_uint_eq(generation_count(&a, OPT_DELIVERERS, 1), 1);
	ck_assert_uint_eq(generation_count(&b, OPT_LISTENERS, 64), 1);
	ck_assert_uint_eq(generation_count(&b, OPT_DELIVERERS,
	    BUDGET_DELIVERERS), BUDGET_DELIVERERS);
	ck_assert_int_eq(generation_log_level(&a), EC_NOTICE);
	ck_assert_int_eq(generation_log_level(&b), EC_WARNING);
	ck_assert(generation_path(&a, OPT_SPOOLBASE, large, sizeof large));
	ck_assert_str_eq(large, "/srv/a");
	ck_assert(!generation_path(&a, OPT_SPOOLBASE, spool, 4));
	generation_fini(&a);
	generation_fini(&b);
	buf_fini(&text);
}
END_TEST

/* The sealed bytes as a worker reads them. */
static struct config *
as_a_worker(const struct generation *g)
{
	struct config_report rep;
	struct config *cfg;
	struct stat st;
	char *bytes;

	ck_assert_int_eq(fstat(g->fd, &st), 0);
	bytes = xmalloc((size_t)st.st_size);
	ck_assert_int_eq(fdio_pread_full(g->fd, bytes, (size_t)st.st_size, 0),
	    st.st_size);
	config_report_init(&rep);
	cfg = config_parse(slice_make(bytes, (size_t)st.st_size), "x", &rep);
	ck_assert_ptr_nonnull(cfg);
	config_report_fini(&rep);
	free(bytes);
	return cfg;
}

#define LISTEN(backlog) "ESMTP_Listener { Listen \":1\" { " backlog " } }\n"

/* What needs a restart is as it was at the start, in the supervisor and in the
 * bytes for workers; the rest is new, and people are told. */
START_TEST(a_reload_keeps_what_a_start_fixed)
{
	static const struct {
		const char *was, *is, *waits;
		const char *spool;	/* as it holds afterwards */
		uint64_t journal;
	} rows[] = {
		{ "SpoolBase = \"/a\"", "SpoolBase = \"/b\"", "SpoolBase: ",
		    "/a", 1u << 30 },
		{ "SpoolBase = \"/a\"", "SpoolBase = \"/a\"", NULL, "/a",
		    1u << 30 },
		{ "SpoolBase = \"/a\"\nJournal_Size = \"64M\"",
		    "SpoolBase = \"/a\"", "Journal_Size: ", "/a", 64u << 20 },
		{ "SpoolBase = \"/a\"",
		    "SpoolBase = \"/a\"\nJournal_Size = \"64M\"",
		    "Journal_Size: ", "/a", 1u << 30 },
		{ LISTEN("Listen_Backlog = 5000") "SpoolBase = \"/a\"",
		    LISTEN("Listen_Backlog = 6000") "SpoolBase = \"/a\"",
		    "Listen_Backlog in ", "/a", 1u << 30 },
		{ LISTEN("Listen_Backlog = 5000") "SpoolBase = \"/a\"",
		    LISTEN("") "SpoolBase = \"/a\"", "Listen_Backlog in ",
		    "/a", 1u << 30 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct generation a, b;
		struct config *seen;
		struct buf text, again;
		char is[256], origin[256];

		snprintf(is, sizeof is, "Log_Level = \"debug\"\n%s\n",
		    rows[i].is);
		buf_init(&text, 65536);
		buf_init(&again, 65536);
		ck_assert_msg(load(&a, rows[i].was, 1, &text), "row %zu", i);
		ck_assert_msg(load(&b, is, 2, &text), "row %zu: %.*s", i,
		    SLICE_ARG(buf_slice(&text)));
		buf_clear(&text);
		ck_assert(generation_keep(&b, a.cfg, &text));
		buf_putc(&text, '\0');
		ck_assert_msg(rows[i].waits == NULL ? text.len == 1 :
		    strstr(text.ptr, rows[i].waits) != NULL, "row %zu: %s", i,
		    text.ptr);
		ck_assert_ptr_null(strstr(text.ptr, "Log_Level"));
		seen = as_a_worker(&b);
		ck_assert_uint_eq(config_diff_restart(a.cfg, b.cfg, &again), 0);
		ck_assert_uint_eq(config_diff_restart(a.cfg, seen, &again), 0);
		ck_assert(slice_eq(config_string(seen, NULL, OPT_SPOOLBASE),
		    slice_of(rows[i].spool)));
		ck_assert_uint_eq(config_size(seen, NULL, OPT_JOURNAL_SIZE),
		    rows[i].journal);
		ck_assert_int_eq(generation_log_level(&b), EC_DEBUG);
		ck_assert_uint_eq(b.number, 2);
		config_origin(seen, NULL, OPT_LOG_LEVEL, origin, sizeof origin);
		ck_assert_ptr_nonnull(strstr(origin, "ec-generation-"));
		ck_assert_str_eq(strrchr(origin, ':'), ":1");
		config_destroy(&seen);
		generation_fini(&a);
		generation_fini(&b);
		buf_fini(&text);
		buf_fini(&again);
	}
}
END_TEST

/* Listeners that came with the reload have nothing to keep. */
START_TEST(a_new_scope_is_taken_as_it_is)
{
	struct generation a, b;
	struct config_where w = { 0 };
	struct buf text;

	buf_init(&text, 65536);
	ck_assert(load(&a, "Listeners = 2\n", 1, &text));
	ck_assert(load(&b, "Listeners = 3\n" LISTEN("Listen_Backlog = 6000"),
	    2, &text));
	ck_assert(generation_keep(&b, a.cfg, &text));
	w.listener = config_first(b.cfg, NULL, SCOPE_ESMTP_LISTENER);
	ck_assert_ptr_nonnull(w.listener);
	w.listen = config_first(b.cfg, w.listener, SCOPE_LISTEN);
	ck_assert_int_eq(config_int(b.cfg, &w, OPT_LISTEN_BACKLOG), 6000);
	ck_assert_int_eq(config_int(b.cfg, NULL, OPT_LISTENERS), 2);
	generation_fini(&a);
	generation_fini(&b);
	buf_fini(&text);
}
END_TEST

/* A dead deliverer gives back its own share and nobody else's. */
START_TEST(the_dead_hold_nothing)
{
	struct tables t;
	struct error err = { 0 };

	ck_assert_msg(tables_create(&t, &err) == 0, "%s", err.text);
	for (unsigned row = 0; row < 3; row++) {
		ck_assert(budget_take(t.budget, row, 1, 10));
		ck_assert(budget_take(t.budget, row, 1, 10));
		ck_assert(budget_take(t.budget, row, 2, 10));
	}
	stage_set(&t.stages->slot[1][0], 42, STAGE_DOT);
	tables_clear_dead(&t, ROLE_LISTENER, 1);
	ck_assert_uint_eq(budget_used(t.budget, 0), 3);
	tables_clear_dead(&t, ROLE_DELIVERER, 1);
	for (unsigned row = 0; row < 3; row++) {
		ck_assert_uint_eq(budget_used(t.budget, row), 1);
	}
	/* Where its transactions stood is still to be read. */
	ck_assert_int_eq(stage_get(&t.stages->slot[1][0], 42), STAGE_DOT);
	close(t.scoreboard_fd);
	close(t.budget_fd);
	close(t.stage_fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("generation");
	TCase *t = tcase_create("generation");
	SRunner *r;
	int failed;

	tcase_add_test(t, frozen_bytes_are_equal_and_sealed);
	tcase_add_test(t, a_bad_file_makes_no_generation);
	tcase_add_test(t, counts_and_paths);
	tcase_add_test(t, a_reload_keeps_what_a_start_fixed);
	tcase_add_test(t, a_new_scope_is_taken_as_it_is);
	tcase_add_test(t, the_dead_hold_nothing);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
