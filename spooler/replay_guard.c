/* SPDX-License-Identifier: Apache-2.0 */
/* journal/replaying and journal/skipped. */
#include "spooler/replay_guard.h"

#include <fcntl.h>

#include "common/base/crc.h"
#include "common/base/log.h"

#define MAGIC "ECRPLY1\n"
#define MARKER_NAME "replaying"
#define SKIPPED_NAME "skipped"

static void
mark(struct replay_guard *g, uint64_t lsn, uint32_t deaths, bool sync)
{
	struct replay_marker m = { .lsn = lsn, .deaths = deaths };

	if (g->fd < 0) {
		return;
	}
	memcpy(m.magic, MAGIC, sizeof m.magic);
	m.crc = crc32c(0, &m, offsetof(struct replay_marker, crc));
	if (fs_write_all(g->fs, g->fd, &m, sizeof m, 0) < 0 ||
	    (sync && g->fs->sync_data(g->fd) < 0)) {
		log_error("replay: journal/replaying cannot be written: %s; a "
		    "record that kills would not be found",
		    strerror(errno));
		close(g->fd);
		g->fd = -1;
	}
}

static void
read_marker(struct replay_guard *g)
{
	struct replay_marker m;

	if (g->fd >= 0 && fs_read_full(g->fs, g->fd, &m, sizeof m, 0) ==
	    (ssize_t)sizeof m && memcmp(m.magic, MAGIC, sizeof m.magic) == 0 &&
	    m.crc == crc32c(0, &m, offsetof(struct replay_marker, crc))) {
		g->died_at = m.lsn;
		g->deaths = EC_MIN(m.deaths, GUARD_DEATHS) + 1;
		log_error("replay: the spooler before this one ended while it "
		    "read the journal, epoch %u, record %u",
		    (unsigned)(m.lsn >> 32), (unsigned)m.lsn);
	}
}

void
replay_guard_open(struct replay_guard *g, const struct fs *fs, int dir)
{
	ssize_t n;

	*g = (struct replay_guard){ .fs = fs, .dir = dir };
	g->skipped = xcalloc(GUARD_SKIPPED_MAX, sizeof *g->skipped);
	g->fd = fs->open_at(dir, MARKER_NAME, O_RDWR | O_CREAT, 0640);
	read_marker(g);
	g->skipped_fd = fs->open_at(dir, SKIPPED_NAME, O_RDWR | O_CREAT, 0640);
	n = g->skipped_fd < 0 ? 0 : fs_read_full(fs, g->skipped_fd, g->skipped,
	    GUARD_SKIPPED_MAX * sizeof *g->skipped, 0);
	g->n_skipped = n <= 0 ? 0 : (unsigned)((size_t)n / sizeof *g->skipped);
}

void
replay_guard_segment(struct replay_guard *g, uint32_t epoch)
{
	g->fine = g->died_at != 0 && g->died_at >> 32 == epoch;
	/* In the one where it died its records say more. */
	if (!g->fine) {
		mark(g, (uint64_t)epoch << 32, 0, true);
	}
}

enum guard_verdict
replay_guard_record(struct replay_guard *g, uint64_t lsn)
{
	for (unsigned i = 0; i < g->n_skipped; i++) {
		if (g->skipped[i] == lsn) {
			return GUARD_SKIP;
		}
	}
	if (!g->fine) {
		return GUARD_APPLY;
	}
	if (lsn == g->died_at && g->deaths >= GUARD_DEATHS) {
		return GUARD_POISON;
	}
	/* The first death in this segment named none of its records. */
	mark(g, lsn, lsn == g->died_at ? g->deaths : 1, false);
	return GUARD_APPLY;
}

void
replay_guard_skip(struct replay_guard *g, uint64_t lsn)
{
	if (g->n_skipped == GUARD_SKIPPED_MAX) {
		/* The oldest is surely in a segment long reused. */
		memmove(g->skipped, g->skipped + 1, (GUARD_SKIPPED_MAX - 1) *
		    sizeof *g->skipped);
		g->n_skipped--;
	}
	g->skipped[g->n_skipped++] = lsn;
	if (g->skipped_fd < 0 || fs_write_all(g->fs, g->skipped_fd, g->skipped,
	    g->n_skipped * sizeof *g->skipped, 0) < 0 ||
	    g->fs->sync_data(g->skipped_fd) < 0 || g->fs->sync_dir(g->dir) <
	    0) {
		log_error("replay: journal/skipped cannot be written: the next "
		    "start will find that record anew");
	}
}

void
replay_guard_fini(struct replay_guard *g)
{
	if (g->fs == NULL) {
		return;
	}
	if (g->fd >= 0) {
		close(g->fd);
	}
	if (g->skipped_fd >= 0) {
		close(g->skipped_fd);
	}
	free(g->skipped);
	*g = (struct replay_guard){ .fd = -1, .skipped_fd = -1 };
}

void
replay_guard_close(struct replay_guard *g)
{
	if (g->fs != NULL) {
		g->fs->unlink_at(g->dir, MARKER_NAME);
	}
	replay_guard_fini(g);
}
