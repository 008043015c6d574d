/* SPDX-License-Identifier: Apache-2.0 */
/* Process titles by libbsd. */
#include "common/base/proctitle.h"

#include <bsd/unistd.h>

/* The title is the process's own, hence state of the process. */
static char fixed_part[48];
static char last[160];
/* Bytes of the command line as it was.  A shorter title is filled up with
 * blanks: else libbsd marks its end with a dot that ps shows. */
static int original_len;

void
proctitle_init(int argc, char **argv)
{
	extern char **environ;

	original_len = argc < 1 ? 0 : (int)EC_MIN(argv[argc - 1] +
	    strlen(argv[argc - 1]) - argv[0], 1024);
	setproctitle_init(argc, argv, environ);
}

void
proctitle_name(const char *fixed)
{
	snprintf(fixed_part, sizeof fixed_part, "%s", fixed);
	proctitle_set("%s", "");
}

void
proctitle_set(const char *fmt, ...)
{
	char now[sizeof last], whole[sizeof last + sizeof fixed_part + 16];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(now, sizeof now, fmt, ap);
	va_end(ap);
	if (strcmp(now, last) == 0 && now[0] != '\0') {
		return;
	}
	memcpy(last, now, sizeof last);
	snprintf(whole, sizeof whole, "ecelerity: %s%s%s", fixed_part,
	    now[0] ? " " : "", now);
	/* A leading '-' tells libbsd to leave the program's name away. */
	setproctitle("-%-*s", original_len, whole);
}
