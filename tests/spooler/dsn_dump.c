/* SPDX-License-Identifier: Apache-2.0 */
/* dsn_dump N: writes the report of case N to stdout. */
#include "tests/spooler/dsn_cases.h"

#include "common/base/fdio.h"
#include "common/base/num.h"

int
main(int argc, char **argv)
{
	struct dsn_case_data d;
	struct dsn_info info;
	struct buf b;
	uint64_t n;
	int rc;

	if (argc != 2 || !num_parse_max(slice_of(argv[1]), CASE_COUNT - 1, &n)) {
		return 64;
	}
	dsn_case_fill(&d, (enum dsn_case)n);
	buf_init(&b, DSN_MAX_BYTES);
	if (dsn_build(&d.req, &b, &info) != DSN_OK) {
		return 1;
	}
	rc = fdio_write_all(STDOUT_FILENO, b.ptr, b.len);
	buf_fini(&b);
	return rc == 0 ? 0 : 1;
}
