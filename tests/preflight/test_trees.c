/* SPDX-License-Identifier: Apache-2.0 */
/* What is found on the machines described in trees/. */
#include "helpers/preflight/judge.h"
#include "tests/preflight/tree.h"

#include <check.h>
#include <limits.h>

static const char *const trees[] = { "allowed", "arrays", "filesystems",
	"mapper", "neighbours", "options", "preload-file", "preload-maps",
	"preload-none", "swap-elsewhere" };

static const struct finding *
find(const struct findings *all, const char *name)
{
	for (int i = 0; i < FINDING_COUNT; i++) {
		if (strcmp(finding_name((enum finding_id)i), name) == 0) {
			return &all->of[i];
		}
	}
	ck_abort_msg("no finding is named %s", name);
	return NULL;
}

static void
check_one(const struct tree *t, const struct tree_expect *e)
{
	struct facts_request r = t->request;
	struct facts *facts = xcalloc(1, sizeof *facts);
	struct findings *found = xcalloc(1, sizeof *found);
	const struct finding *f;
	struct error err;

	r.spool = e->spool;
	ck_assert_msg(facts_gather(&r, facts, &err) == 0, "%s", err.text);
	judge_facts(facts, found);
	f = find(found, e->finding);
	ck_assert_msg(strcmp(finding_level_name(f->level), e->level) == 0 &&
	    strstr(f->what, e->words) != NULL,
	    "%s: %s is %s: %s (wanted: %s: %s)", e->spool, e->finding,
	    finding_level_name(f->level), f->what, e->level, e->words);
	/* Whatever is not in order says why that matters. */
	for (int i = 0; i < FINDING_COUNT; i++) {
		const struct finding *one = &found->of[i];

		ck_assert_str_ne(one->what, "");
		ck_assert_msg((one->why[0] == '\0') ==
		    (one->level == LEVEL_OK), "%s", one->what);
	}
	free(found);
	free(facts);
}

START_TEST(tree)
{
	const char *src = getenv("srcdir");
	char path[PATH_MAX];
	struct tree *t = xcalloc(1, sizeof *t);

	snprintf(path, sizeof path, "%s/tests/preflight/trees/%s.tree",
	    src != NULL ? src : ".", trees[_i]);
	tree_build(t, path);
	ck_assert_uint_gt(t->n_expects, 0);
	for (unsigned i = 0; i < t->n_expects; i++) {
		check_one(t, &t->expects[i]);
	}
	tree_remove(t);
	free(t);
}
END_TEST

/* No list of mounts, or none that covers the spool: nothing is claimed. */
START_TEST(no_mounts)
{
	struct facts_request r = { .root = "/nonexistent", .spool = "/x" };
	struct facts *facts = xcalloc(1, sizeof *facts);
	char root[] = "/tmp/ec-trees-XXXXXX", path[PATH_MAX];
	struct error err;
	FILE *f;

	ck_assert_int_eq(facts_gather(&r, facts, &err), -1);
	ck_assert_int_eq(err.code, ERROR_SYSTEM);
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(path, sizeof path, "mkdir -p %s/proc/self", root);
	ck_assert_int_eq(system(path), 0);
	snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs("1 0 8:0 / /elsewhere rw - ext4 /dev/sda rw\nnonsense\n", f);
	fclose(f);
	r.root = root;
	ck_assert_int_eq(facts_gather(&r, facts, &err), -1);
	ck_assert_int_eq(err.code, ERROR_DAMAGE);
	snprintf(path, sizeof path, "rm -rf %s", root);
	ck_assert_int_eq(system(path), 0);
	free(facts);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("trees");
	TCase *t = tcase_create("trees");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, tree, 0, (int)ARRAY_LEN(trees));
	tcase_add_test(t, no_mounts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
