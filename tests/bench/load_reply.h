/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_reply: SMTP replies as a client reads them, a line at a time.  Pure.
 */
#ifndef EC_BENCH_LOAD_REPLY_H
#define EC_BENCH_LOAD_REPLY_H

#include "common/base/base.h"
#include "common/base/slice.h"

enum load_reply_result {
	LOAD_REPLY_MORE,	/* no whole line yet */
	LOAD_REPLY_PART,	/* "250-...": another line follows */
	LOAD_REPLY_LAST,	/* "250 ..." */
	LOAD_REPLY_BAD,		/* not a reply */
};

struct load_reply {
	unsigned code;
	struct slice text;	/* behind the code, without line end; borrowed */
};

/* Takes a line off *in, if there is one. */
enum load_reply_result load_reply_next(struct slice *in,
	struct load_reply *out);

#endif
