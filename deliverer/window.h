/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window: a body in a file, read piece by piece into one buffer of 64 KiB, and
 * put on the wire by dot_encode_window().
 *
 *	window_open(&w, fd, size);
 *	do {
 *		st = window_encode(&w, &dot, iov, n, &used);
 *		... write all of iov[0..used) ...
 *	} while (st == WINDOW_MORE);
 *	window_close(&w);
 *
 * Each window is looked at by itself: one whose lines are clean leaves as it
 * is, others are mended.  A CR at its end is left to the next one, or hardly any
 * would be clean.  The descriptor stays the caller's.
 */
#ifndef EC_WINDOW_H
#define EC_WINDOW_H

#include "common/base/base.h"
#include "common/mail/dot.h"

#define WINDOW_BYTES 65536u

enum window_status {
	WINDOW_MORE,
	WINDOW_END,	/* with this the final dot leaves */
	WINDOW_FAILED,	/* the file cannot be read (errno), or is shorter than
			 * was said (ENODATA) */
};

struct window {
	int fd;
	char *bytes;		/* NULL: not open */
	size_t cap;
	uint64_t size, next;	/* of the file; where the next one starts */
	struct slice in;
};

void window_open(struct window *w, int fd, uint64_t size, size_t cap);
void window_close(struct window *w);
enum window_status window_encode(struct window *w, struct dot_encoder *e,
	struct iovec *iov, size_t iov_cap, size_t *iov_used_out);

#endif
