/* SPDX-License-Identifier: Apache-2.0 */
/* Windows on a body's file. */
#include "deliverer/window.h"

#include "common/base/fdio.h"
#include "deliverer/work.h"

void
window_open(struct window *w, int fd, uint64_t size, size_t cap)
{
	ec_assert(cap >= 2);	/* a CR may be left over */
	window_close(w);
	*w = (struct window){ .fd = fd, .size = size, .cap = cap,
		.bytes = xmalloc(cap) };
}

void
window_close(struct window *w)
{
	free(w->bytes);
	w->bytes = NULL;
}

static bool
read_next(struct window *w, struct dot_encoder *e)
{
	size_t n = (size_t)EC_MIN(w->size - w->next, (uint64_t)w->cap);
	ssize_t got = fdio_pread_full(w->fd, w->bytes, n, w->next);

	if (got < 0) {
		return false;
	}
	if ((size_t)got < n) {
		errno = ENODATA;
		return false;
	}
	if (w->next + n < w->size && w->bytes[n - 1] == '\r') {
		n--;
	}
	w->next += n;
	w->in = slice_make(w->bytes, n);
	dot_window_next(e, work_lines_are_clean(&w->in, 1) ?
	    DOT_LINES_AS_IS : DOT_LINES_FIX);
	return true;
}

enum window_status
window_encode(struct window *w, struct dot_encoder *e, struct iovec *iov,
    size_t iov_cap, size_t *iov_used_out)
{
	bool first = w->next == 0;

	*iov_used_out = 0;
	while (*iov_used_out == 0) {
		if ((first || dot_window_is_used(e)) && w->next < w->size &&
		    !read_next(w, e)) {
			return WINDOW_FAILED;
		}
		first = false;
		if (dot_encode_window(e, w->in, w->next == w->size, iov,
		    iov_cap, iov_used_out) == DOT_END) {
			return WINDOW_END;
		}
	}
	return WINDOW_MORE;
}
