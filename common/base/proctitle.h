/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proctitle: what ps shows.  "ecelerity: listener/0 212 sessions".  Fixed part
 * once, activity as often as wanted (cheap: skipped when unchanged).  Never
 * anything secret: titles are public.
 */
#ifndef EC_PROCTITLE_H
#define EC_PROCTITLE_H

#include "common/base/base.h"

/* Before anything else in main(); keeps argv and environ usable. */
void proctitle_init(int argc, char **argv);
void proctitle_name(const char *fixed);		/* "listener/0" */
void proctitle_set(const char *fmt, ...) EC_PRINTF(1, 2);

#endif
