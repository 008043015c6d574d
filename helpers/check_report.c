/* SPDX-License-Identifier: Apache-2.0 */
/* Findings: said, counted, and with -x moved to quarantine. */
#include "helpers/check_spool.h"

#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"

#define SECOND_US 1000000u

static const struct {
	const char *name;
	enum check_group group;
	bool moved;
} kinds[CHECK_KIND_COUNT] = {
#define X(id, name, group, moved) [CHECK_##id] = { name, GROUP_##group, moved },
	CHECK_KINDS(X)
#undef X
};

/* The reason is durable before the file is where only it explains it. */
static int
write_why(struct check *c, const char *to, const char *why)
{
	char name[340];
	struct stat st;
	int fd, r = -1;

	snprintf(name, sizeof name, "%s.why", to);
	fd = openat(c->dir.quarantine, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -1;
	}
	if (fdio_write_all(fd, why, strlen(why)) == 0 &&
	    fdio_write_all(fd, "\n", 1) == 0 && fdatasync(fd) == 0) {
		r = 0;
	}
	/* Root does not leave files that the server cannot read. */
	if (geteuid() == 0 && fstat(c->dir.quarantine, &st) == 0 &&
	    fchown(fd, st.st_uid, st.st_gid) < 0) {
		r = -1;
	}
	close(fd);
	return r;
}

/* "F9/4B-..." goes to quarantine/F9-4B-....TIME, as the spooler's do. */
static bool
move_away(struct check *c, const char *file, const char *why, char *to,
    size_t size)
{
	char dir[3] = { file[0], file[1], '\0' };
	int fd;
	bool ok;

	snprintf(to, size, "%s-%s.%llu", dir, file + 3,
	    (unsigned long long)clock_wall_us());
	if (c->dir.quarantine < 0 || write_why(c, to, why) < 0 || renameat(
	    c->dir.base, file, c->dir.quarantine, to) < 0) {
		fprintf(stderr, "ec_spool_check: cannot move %s to quarantine:"
		    " %s\n", file, strerror(errno));
		c->move_failed++;
		return false;
	}
	fd = openat(c->dir.base, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0 && fsync(c->dir.quarantine) == 0;
	fdio_close(&fd);
	c->moved++;
	c->move_failed += !ok;
	return true;
}

void
check_found(struct check *c, enum check_kind kind, const char *file,
    const char *also, const char *why)
{
	char to[320] = "", second[320];
	bool moved = false;

	c->found[kind]++;
	if (c->repair && kinds[kind].moved) {
		moved = move_away(c, file, why, to, sizeof to);
		if (also != NULL) {
			moved = move_away(c, also, why, second,
			    sizeof second) && moved;
		}
	}
	if (c->quiet) {
		return;
	}
	line_begin(&c->out);
	line_text(&c->out, "finding", 18, slice_of(kinds[kind].name));
	line_text(&c->out, "file", 32, slice_of(file));
	line_text(&c->out, "moved_to", 0, slice_of(moved ? to : ""));
	line_text(&c->out, "why", 0, slice_of(why));
	if (c->json) {
		line_end(&c->out);
		return;
	}
	printf("%s: %s%s%s\n", file, why, moved ? ": moved to quarantine/" :
	    "", moved ? to : "");
}

uint64_t
check_findings(const struct check *c)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < CHECK_KIND_COUNT; k++) {
		n += c->found[k];
	}
	return n;
}

static void
total(struct check *c, const char *name, const char *text, uint64_t n)
{
	if (c->json) {
		line_num(&c->out, name, 0, n);
	} else {
		printf("%s: %llu\n", text, (unsigned long long)n);
	}
}

void
check_totals(struct check *c)
{
	uint64_t groups[GROUP_COUNT] = { 0 };

	for (unsigned k = 0; k < CHECK_KIND_COUNT; k++) {
		groups[kinds[k].group] += c->found[k];
	}
	line_begin(&c->out);
	if (c->json) {
		line_text(&c->out, "verdict", 0, slice_of(check_findings(c) ==
		    0 ? "sound" : "damaged"));
		line_bool(&c->out, "live", c->live);
	}
	total(c, "scanned", "Total scanned", c->scanned);
	total(c, "ok", "Total ok", c->ok);
	total(c, "meta_failures", "Meta failures", groups[GROUP_META]);
	total(c, "body_failures", "Body failures", groups[GROUP_BODY]);
	total(c, "orphan_bodies", "Orphan bodies", groups[GROUP_ORPHAN]);
	total(c, "journal_failures", "Journal failures",
	    groups[GROUP_JOURNAL]);
	total(c, "foreign", "Foreign files and links",
	    groups[GROUP_FOREIGN]);
	total(c, "in_journal", "Messages in the journal", c->in_journal);
	total(c, "segments", "Live segments", c->journal.n_live);
	total(c, "batches", "Batches", c->journal.batches);
	total(c, "records", "Records", c->journal.total_records);
	total(c, "leftovers", "Leftovers the spooler removes", c->leftovers);
	total(c, "pickup", "Entries in pickup", c->in_pickup);
	total(c, "quarantined", "Files in quarantine", c->in_quarantine);
	total(c, "moved", "Moved to quarantine now", c->moved);
	if (c->json) {
		line_end(&c->out);
	}
}

void
check_progress(struct check *c, unsigned done, unsigned of)
{
	uint64_t now = clock_mono_us();

	if (!c->progress || now - c->told_us < SECOND_US) {
		return;
	}
	c->told_us = now;
	fprintf(stderr, "ec_spool_check: %u of %u directories, %llu messages, "
	    "%llu findings\n", done, of, (unsigned long long)c->scanned,
	    (unsigned long long)check_findings(c));
}
