/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mend: lone line feeds and carriage returns of a message become CRLF, in the
 * header, in the body, or in both.  Where they are not mended they are kept
 * and noted.  Pure; any split of the input gives the same bytes.
 *
 *	mend_init(&m, true, false);
 *	n = mend_run(&m, in, &used, out, room);		until in is used up
 *
 * The header ends at the first empty line as it stands in what is given out.
 * Content as SMTP brings it ends in CRLF, so nothing is held back at its end.
 */
#ifndef EC_MEND_H
#define EC_MEND_H

#include "common/base/slice.h"

#define MEND_ROOM 3u	/* the least room that gets on: CRLF and one byte */

struct mend {
	bool fix_header, fix_body;
	bool bare_header, bare_body;	/* seen there, mended or not */
	uint64_t longest_line;		/* given out, without its CRLF */
	/* Private. */
	bool in_body;
	bool held_cr;		/* not given out yet */
	uint64_t line_bytes;
};

void mend_init(struct mend *m, bool fix_header, bool fix_body);
/* The count of bytes given out, at most room (at least MEND_ROOM). */
size_t mend_run(struct mend *m, struct slice in, size_t *used_out, char *out,
	size_t room);

#endif
