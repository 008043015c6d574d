/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec_spool_check: is what lies in a SpoolBase sound?  Beside a running server
 * it only looks; with -x, and the server stopped, what no message can be made
 * of goes to quarantine.  doc/SPOOL.md has the states that are legal.
 */
#include "helpers/check_spool.h"

#include <getopt.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"

#define MEM_MAX (16u << 20)

enum {	/* the reference's codes */
	EXIT_SOUND = 0,
	EXIT_FOUND = 1,
	EXIT_COULD_NOT = 2,
};

static const char usage[] =
	"usage: ec_spool_check [-c FILE] [-x] [-q] [--json] [DIR]\n"
	"Verifies a spool: every message's two files, their checksums, sizes and\n"
	"links, the journal, the lease of ids, names that are none of ours.\n"
	"  -c, --config FILE  whose SpoolBase (" EC_SYSCONFDIR
	"/ecelerity.conf)\n"
	"  -x, --repair       moves orphans and damaged pairs to quarantine, each\n"
	"                     with its reason; the server must be stopped.\n"
	"                     Nothing is ever deleted\n"
	"  -q, --quiet        only the totals\n"
	"  -j, --json         one JSON object a line: findings, then the totals\n"
	"  -p, --progress     a line a second on standard error (when that is a\n"
	"                     terminal: always)\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version of this program\n"
	"Exit status: 0 all is sound, 1 something was found (and with -x moved,\n"
	"as far as it says so), 2 the check could not be made.\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "repair", no_argument, NULL, 'x' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "json", no_argument, NULL, 'j' },
	{ "progress", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

/* -1 to go on, or an exit code. */
static int
take_options(struct check *c, const char **config, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "c:xqjphV", long_options,
	    NULL)) != -1) {
		if (opt == 'c') {
			*config = optarg;
		} else if (opt == 'x') {
			c->repair = true;
		} else if (opt == 'q') {
			c->quiet = true;
		} else if (opt == 'j') {
			c->json = true;
		} else if (opt == 'p') {
			c->progress = true;
		} else if (opt == 'h') {
			fputs(usage, stdout);
			return EXIT_SOUND;
		} else if (opt == 'V') {
			puts("ec_spool_check " PACKAGE_VERSION);
			return EXIT_SOUND;
		} else {
			fputs("try ec_spool_check --help\n", stderr);
			return EXIT_COULD_NOT;
		}
	}
	if (argc - optind > 1) {
		fprintf(stderr, "ec_spool_check: '%s' is one argument too "
		    "many\n", argv[optind + 1]);
		return EXIT_COULD_NOT;
	}
	return -1;
}

static int
check_all(struct check *c, struct error *err_out)
{
	if (check_journal(c, err_out) < 0) {
		return -1;
	}
	check_checkpoint(c);
	check_names(c);
	if (check_store(c, err_out) < 0) {
		return -1;
	}
	check_totals(c);
	return 0;
}

static int
run(struct check *c, const char *path)
{
	struct error err = { 0 };
	int lock = -1, result;

	if (spool_dir_open(&c->dir, path, &err) < 0) {
		fprintf(stderr, "ec_spool_check: %s\n", err.text);
		return EXIT_COULD_NOT;
	}
	if (c->repair && c->dir.quarantine < 0) {
		fprintf(stderr, "ec_spool_check: %s/quarantine cannot be "
		    "opened, and there damage would go: make that directory\n",
		    path);
		spool_dir_close(&c->dir);
		return EXIT_COULD_NOT;
	}
	if (c->repair && (lock = spool_dir_lock(&c->dir, &err)) < 0) {
		fprintf(stderr, "ec_spool_check: %s\n", err.text);
		spool_dir_close(&c->dir);
		return EXIT_COULD_NOT;
	}
	c->live = !c->repair && spool_dir_is_live(&c->dir);
	c->told_us = clock_mono_us();
	scratch_init(&c->mem, MEM_MAX);
	line_init(&c->out, c->json ? LINE_JSON : LINE_TABS, stdout);
	if (check_all(c, &err) < 0) {
		fprintf(stderr, "ec_spool_check: %s\n", err.text);
		result = EXIT_COULD_NOT;
	} else {
		result = check_findings(c) > 0 ? EXIT_FOUND : EXIT_SOUND;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "ec_spool_check: cannot write the output\n");
		result = EXIT_COULD_NOT;
	} else if (c->move_failed > 0) {
		result = EXIT_COULD_NOT;
	}
	line_fini(&c->out);
	scratch_fini(&c->mem);
	free(c->suspects);
	id_map_fini(&c->inodes);
	id_map_fini(&c->kept);
	spool_journal_close(&c->journal);
	spool_dir_close(&c->dir);
	fdio_close(&lock);
	return result;
}

int
main(int argc, char **argv)
{
	const char *config = EC_SYSCONFDIR "/ecelerity.conf";
	struct check c = { .progress = isatty(STDERR_FILENO) };
	char base[512];
	int result = take_options(&c, &config, argc, argv);

	if (result >= 0) {
		return result;
	}
	if (optind == argc && !spool_dir_of_config("ec_spool_check", config,
	    base, sizeof base)) {
		return EXIT_COULD_NOT;
	}
	return run(&c, optind < argc ? argv[optind] : base);
}
