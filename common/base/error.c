/* SPDX-License-Identifier: Apache-2.0 */
/* A code and one sentence. */
#include "common/base/error.h"

int
error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL) {
		return -1;
	}
	err->code = code;
	err->sys_errno = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	return -1;
}

int
error_sys(struct error *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	int n;

	if (err == NULL) {
		return -1;
	}
	err->code = ERROR_SYSTEM;
	err->sys_errno = saved;
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof err->text) {
		snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s",
		    strerror(saved));
	}
	errno = saved;
	return -1;
}
