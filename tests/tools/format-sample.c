/* SPDX-License-Identifier: Apache-2.0 */
/* Text for check-format: never compiled. */
#include "common/base/base.h"

#include <stdio.h>

#define SAMPLE_MAX 10

struct sample {
	int number; /* how many */
	const char *name;
};

static int
sample_count(const struct sample *s, size_t n, int *out)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i].number > SAMPLE_MAX && s[i].name != NULL &&
		    s[i].name[0] != '\0') {
			sum += s[i].number;
		} else {
			sum--;
		}
	}
	switch (sum) {
	case 0:
		return -1;
	default:
		break;
	}
	*out = sum;
	return 0;
}
