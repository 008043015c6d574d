/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight: asks bin/ec_check, as the spooler's user, whether SpoolBase is a
 * place that keeps what a 250 promises.  What it refuses ends the start; what
 * it warns of is logged.  A helper that is missing, fails or does not answer
 * in time is logged and hinders nothing: it may be what is broken.
 *
 *	if (preflight_check(s, &err) < 0) { ... err.text says why not ... }
 */
#ifndef EC_SUPERVISOR_PREFLIGHT_H
#define EC_SUPERVISOR_PREFLIGHT_H

#include "common/base/error.h"
#include "supervisor/supervisor.h"

int preflight_check(struct supervisor *s, struct error *err_out);
/* Its answer, line by line: "refuse SENTENCE", "warn SENTENCE".  -1 and the
 * first refusal's sentence if there is one; anything else is logged. */
int preflight_judge(struct slice answer, struct error *err_out);

#endif
