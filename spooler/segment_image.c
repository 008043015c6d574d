/* SPDX-License-Identifier: Apache-2.0 */
/* A segment read around its bad sectors. */
#include "spooler/segment_image.h"

#include <sys/mman.h>

#include "common/spool/journal_rec.h"

#define CHUNK_BYTES (1u << 20)

void
segment_image_init(struct segment_image *m)
{
	*m = (struct segment_image){ .bytes = NULL };
}

void
segment_image_fini(struct segment_image *m)
{
	if (m->bytes != NULL) {
		munmap(m->bytes, SEGMENT_IMAGE_MAX);
	}
	m->bytes = NULL;
}

static void
add_hole(struct segment_image *m, uint64_t at, uint64_t bytes, int error)
{
	struct segment_hole *last = m->n_holes > 0 ?
	    &m->holes[m->n_holes - 1] : NULL;

	memset(m->bytes + at, 0, bytes);
	if (last != NULL && (m->n_holes == SEGMENT_HOLES_MAX ||
	    (last->at + last->bytes == at && last->error == error))) {
		last->bytes = at + bytes - last->at;
	} else {
		m->holes[m->n_holes++] = (struct segment_hole){ at, bytes,
			error };
	}
}

void
segment_image_load(struct segment_image *m, const struct fs *fs, int fd,
    uint64_t from, uint64_t upto)
{
	uint64_t at = from;
	size_t want = CHUNK_BYTES;

	if (m->bytes == NULL) {
		/* Pages that are never touched cost nothing. */
		m->bytes = mmap(NULL, SEGMENT_IMAGE_MAX, PROT_READ |
		    PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
		if (m->bytes == MAP_FAILED) {
			panic("no memory to read a journal segment");
		}
	}
	m->from = from;
	m->upto = upto = EC_MIN(upto, SEGMENT_IMAGE_MAX);
	m->read = 0;
	m->n_holes = 0;
	while (at < upto) {
		ssize_t r = fs->pread_fd(fd, m->bytes + at,
		    (size_t)EC_MIN((uint64_t)want, upto - at), at);

		if (r > 0) {
			at += (uint64_t)r;
			m->read += (uint64_t)r;
			want = EC_MIN(want * 2, (size_t)CHUNK_BYTES);
		} else if (r == 0) {
			add_hole(m, at, upto - at, 0);
			at = upto;
		} else if (errno != EINTR && want > JOURNAL_BLOCK) {
			want = JOURNAL_BLOCK;	/* what of it is sound? */
		} else if (errno != EINTR) {
			uint64_t end = EC_MIN((at / JOURNAL_BLOCK + 1) *
			    JOURNAL_BLOCK, upto);

			add_hole(m, at, end - at, errno);
			at = end;
		}
	}
}

uint64_t
segment_image_unreadable(const struct segment_image *m, uint64_t limit)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->n_holes; i++) {
		const struct segment_hole *h = &m->holes[i];

		if (limit == 0 || h->at < limit) {
			sum += limit == 0 ? h->bytes :
			    EC_MIN(h->bytes, limit - h->at);
		}
	}
	return sum;
}

void
segment_image_describe(const struct segment_image *m, struct buf *out)
{
	for (unsigned i = 0; i < m->n_holes; i++) {
		const struct segment_hole *h = &m->holes[i];

		buf_printf(out, "bytes %llu to %llu cannot be read (%s): zeros "
		    "in this copy\n", (unsigned long long)h->at,
		    (unsigned long long)(h->at + h->bytes - 1),
		    h->error == 0 ? "the file is shorter" :
		    strerror(h->error));
	}
}
