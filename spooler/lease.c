/* SPDX-License-Identifier: Apache-2.0 */
/* The durable counter of allocator numbers. */
#include "spooler/lease.h"

#include <fcntl.h>

#include "common/base/log.h"
#include "common/spool/lease_file.h"

#define LEASE_BLOCK 1024u
#define LEASE_AHEAD (24u * 3600u)
/* Beyond what any holder could have used, also soon after a wrap. */
#define LEASE_DAMAGED_AHEAD (7u * 24u * 3600u)

static int
save(struct lease *l, uint64_t limit, uint32_t last_second,
    struct error *err_out)
{
	struct buf b;
	int fd, r = -1;

	buf_init(&b, LEASE_FILE_BYTES);
	lease_file_encode(&(struct lease_file){ limit, last_second,
	    l->wrap_second }, &b);
	fd = l->fs->open_at(l->dir, "lease.new", O_RDWR | O_CREAT | O_TRUNC,
	    0640);
	if (fd < 0 || fs_write_all(l->fs, fd, b.ptr, b.len, 0) < 0 ||
	    l->fs->sync_data(fd) < 0 ||
	    l->fs->rename_at(l->dir, "lease.new", "lease") < 0 ||
	    l->fs->sync_dir(l->dir) < 0) {
		error_sys(err_out, "cannot write the id lease file");
	} else {
		l->limit = limit;
		l->last_second = last_second;
		r = 0;
	}
	if (fd >= 0) {
		close(fd);
	}
	buf_fini(&b);
	return r;
}

static bool
load(struct lease *l, const char *p, size_t n)
{
	struct lease_file f;
	bool ok = lease_file_decode(slice_make(p, n), &f);

	l->next = f.next;
	l->last_second = (uint32_t)f.last_second;
	l->wrap_second = (uint32_t)f.wrap_second;
	return ok;
}

/* At the first number of a new round: its seconds start after all that the
 * round before could use.  Before that number's block is saved, so that a crash
 * cannot pass it by. */
static void
check_wrap(struct lease *l)
{
	if (l->next != 0 && (l->next & UINT16_MAX) == 0 &&
	    l->wrapped_at != l->next) {
		l->wrapped_at = l->next;
		l->wrap_second = EC_MAX(l->wrap_second, l->last_second);
	}
}

int
lease_open(struct lease *l, const struct fs *fs, int dir,
    uint32_t wall_seconds, struct error *err_out)
{
	char bytes[LEASE_FILE_BYTES] = { 0 };
	int fd;
	ssize_t n;
	bool found = false;

	*l = (struct lease){ .fs = fs, .dir = dir };
	fd = fs->open_at(dir, "lease", O_RDONLY, 0);
	if (fd < 0 && errno != ENOENT) {
		return error_sys(err_out, "cannot open the id lease file");
	}
	if (fd >= 0) {
		n = fs_read_full(fs, fd, bytes, sizeof bytes, 0);
		if (n < 0) {
			error_sys(err_out, "cannot read the id lease file");
			close(fd);
			return -1;
		}
		close(fd);
		found = true;
	}
	if (found && !load(l, bytes, (size_t)n)) {
		/* Numbers may repeat, so the seconds must not: start a week
		 * ahead of anything a holder could have used. */
		log_critical("the id lease file is damaged: ids start a week "
		    "ahead of the clock so that none is made twice");
		l->next = l->last_second = 0;
		l->wrap_second = wall_seconds + LEASE_DAMAGED_AHEAD;
	}
	check_wrap(l);
	return save(l, l->next + LEASE_BLOCK, EC_MAX(l->last_second,
	    wall_seconds + LEASE_AHEAD), err_out);
}

int
lease_take(struct lease *l, uint32_t wall_seconds, uint16_t *allocator_out,
    uint32_t *first_out, uint32_t *last_out, struct error *err_out)
{
	uint32_t first;

	check_wrap(l);
	first = EC_MAX(wall_seconds, l->wrap_second + 1);
	if (l->next >= l->limit || first + LEASE_SECONDS > l->last_second) {
		if (save(l, l->next + LEASE_BLOCK, EC_MAX(l->last_second,
		    first + LEASE_SECONDS + LEASE_AHEAD), err_out) < 0) {
			return -1;
		}
	}
	*allocator_out = (uint16_t)l->next++;
	*first_out = first;
	*last_out = first + LEASE_SECONDS;
	return 0;
}
