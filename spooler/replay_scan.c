/* SPDX-License-Identifier: Apache-2.0 */
/* Old segments read, and what is wrong with them kept for people. */
#include "spooler/replay_scan.h"

#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define WHY_BYTES (64u << 10)

void
replay_scan_again(const struct replay_scan *r, struct journal_scan *out)
{
	journal_scan_init(out, r->image->bytes, r->image->upto,
	    (struct segment_use){ r->old.epoch, r->old.key }, r->old.limit);
}

/* Sums up what is no batch and should be one. */
static void
find_damage(struct replay_scan *r, struct buf *why)
{
	uint64_t valid_end = JOURNAL_BLOCK;
	enum journal_scan_result got;
	struct journal_scan scan;

	replay_scan_again(r, &scan);
	while ((got = journal_scan_next(&scan)) != SCAN_END) {
		if (got == SCAN_DAMAGE) {
			r->damaged_bytes += scan.resume - scan.at;
			buf_printf(why, "bytes %llu to %llu are no batch, and "
			    "a sound one follows\n",
			    (unsigned long long)scan.at,
			    (unsigned long long)scan.resume - 1);
		} else {
			valid_end = scan.resume;
		}
	}
	if (r->old.limit > valid_end) {
		r->damaged_bytes += r->old.limit - valid_end;
		buf_printf(why, "bytes %llu to %llu are no batch, and the next "
		    "segment's head says that some were\n",
		    (unsigned long long)valid_end,
		    (unsigned long long)r->old.limit - 1);
	}
	/* Most of these were counted above; those at the end were not. */
	r->damaged_bytes = EC_MAX(r->damaged_bytes,
	    segment_image_unreadable(r->image, r->old.limit));
}

static int
write_new(struct replay_scan *r, const char *name, const void *p, size_t n)
{
	int fd = r->fs->open_at(r->base, name, O_WRONLY | O_CREAT | O_EXCL,
	    0640);
	int result = fd < 0 ? -1 : fs_write_all(r->fs, fd, p, n, 0);

	if (fd >= 0) {
		close(fd);
	}
	return result;
}

static void
keep_damage(struct replay_scan *r, const struct buf *why)
{
	char name[80], note[96];

	log_critical("replay: %llu bytes of the journal (epoch %u) are damaged; "
	    "sound mail before and behind them is delivered; a copy of the "
	    "segment is in quarantine", (unsigned long long)r->damaged_bytes,
	    r->old.epoch);
	snprintf(name, sizeof name, "quarantine/journal-%u.%llu", r->old.epoch,
	    (unsigned long long)clock_wall_us());
	snprintf(note, sizeof note, "%s.why", name);
	r->copied = write_new(r, name, r->image->bytes, r->image->upto) == 0 &&
	    write_new(r, note, why->ptr, why->len) == 0;
	r->error = errno;
}

static int
write_synced(const struct fs *fs, int base, const char *name,
    struct slice bytes)
{
	int fd = fs->open_at(base, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	int result = fd < 0 || fs_write_all(fs, fd, bytes.ptr, bytes.len, 0) <
	    0 || fs->sync_data(fd) < 0 ? -1 : 0;

	if (fd >= 0) {
		close(fd);
	}
	return result;
}

int
replay_scan_keep_record(const struct fs *fs, int base, uint64_t lsn,
    struct slice payload, struct slice why)
{
	char name[96], note[104];
	int dir, result;

	snprintf(name, sizeof name, "quarantine/record-%u-%u.%llu",
	    (unsigned)(lsn >> 32), (unsigned)lsn,
	    (unsigned long long)clock_wall_us());
	snprintf(note, sizeof note, "%s.why", name);
	if (write_synced(fs, base, name, payload) < 0 ||
	    write_synced(fs, base, note, why) < 0) {
		return -1;
	}
	log_critical("replay: %.*s: it is left out, a copy is %s",
	    (int)(why.len - 1), why.ptr, name);
	dir = fs->open_at(base, "quarantine", O_RDONLY | O_DIRECTORY, 0);
	result = dir < 0 ? -1 : fs->sync_dir(dir);
	if (dir >= 0) {
		close(dir);
	}
	return result;
}

void
replay_scan_run(struct replay_scan *r)
{
	struct buf why;

	r->damaged_bytes = 0;
	r->copied = true;
	segment_image_load(r->image, r->fs, r->fd, 0, r->old.size);
	if (r->image->read == 0) {
		r->failed = true;
		r->error = r->image->holes[0].error;
		return;
	}
	buf_init(&why, WHY_BYTES);
	segment_image_describe(r->image, &why);
	find_damage(r, &why);
	if (r->damaged_bytes > 0) {
		keep_damage(r, &why);
	}
	buf_fini(&why);
}
