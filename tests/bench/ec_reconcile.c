/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec_reconcile ACCEPTED ARRIVED: holds the generator's ledger against the
 * sink's, prints one line of JSON, and the first ten lost messages on stderr.
 * 0: nothing lost; 1: something was; 2: could not be told.
 */
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "tests/bench/ledger.h"

#define EXIT_UNKNOWN 2
#define LEDGER_MAX ((size_t)8 << 30)

static void
load(const char *path, struct buf *b)
{
	struct error err;

	buf_init(b, LEDGER_MAX);
	if (fdio_slurp(path, b, &err) < 0) {
		fatal(EXIT_UNKNOWN, "%s", err.text);
	}
}

int
main(int argc, char **argv)
{
	struct ledger_sums s;
	struct buf accepted, arrived;

	log_init("ec_reconcile", -1, EC_NOTICE, false);
	if (argc != 3) {
		fprintf(stderr, "usage: ec_reconcile ACCEPTED ARRIVED\n");
		return EXIT_UNKNOWN;
	}
	load(argv[1], &accepted);
	load(argv[2], &arrived);
	ledger_reconcile(buf_slice(&accepted), buf_slice(&arrived), &s);
	for (size_t i = 0; i < s.n_shown; i++) {
		fprintf(stderr, "lost: %.*s\n", SLICE_ARG(s.shown[i]));
	}
	printf("{\"accepted\":%llu,\"delivered\":%llu,\"lost\":%llu,"
	    "\"duplicates\":%llu,\"excused\":%llu,\"unexpected\":%llu,"
	    "\"doubtful\":%llu,\"bad_lines\":%llu}\n",
	    (unsigned long long)s.accepted, (unsigned long long)s.delivered,
	    (unsigned long long)s.lost, (unsigned long long)s.duplicates,
	    (unsigned long long)s.excused, (unsigned long long)s.unexpected,
	    (unsigned long long)s.doubtful, (unsigned long long)s.bad_lines);
	buf_fini(&accepted);
	buf_fini(&arrived);
	return s.lost > 0;
}
