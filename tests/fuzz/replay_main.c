/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target once over each file of the directories given, so that the
 * seeds are tests in a build without a fuzzer.  Fails when there was no file.
 */
#include "common/base/base.h"

#include <dirent.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (f == NULL || fstat(fileno(f), &st) < 0) {
		panic("%s: %s", path, strerror(errno));
	}
	/* Exactly as large as the file: a read behind it must be seen. */
	n = (size_t)st.st_size;
	data = xmalloc(n > 0 ? n : 1);
	if (fread(data, 1, n, f) != n) {
		panic("%s: short read", path);
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
}

static int
run_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];
	int n = 0;

	if (d == NULL) {
		panic("%s: %s", dir, strerror(errno));
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.') {
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		run_file(path);
		n++;
	}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		/* Options are for libFuzzer, which takes our place. */
		if (argv[i][0] != '-') {
			n += run_dir(argv[i]);
		}
	}
	printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
