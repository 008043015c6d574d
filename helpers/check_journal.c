/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: files, batches, records, lease. */
#include "helpers/check_spool.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/fdio.h"
#include "common/spool/lease_file.h"

static void
name_segment(const struct spool_segment *s, char out[40])
{
	snprintf(out, 40, "journal/%s", s->name);
}

static void
on_damage(void *arg, const struct spool_segment *s, uint64_t from, uint64_t to,
    int error)
{
	struct check *c = arg;
	char file[40], why[200];

	name_segment(s, file);
	if (error != 0) {
		snprintf(why, sizeof why, "bytes %llu to %llu cannot be read: "
		    "%s", (unsigned long long)from, (unsigned long long)to,
		    strerror(error));
	} else {
		snprintf(why, sizeof why, "epoch %u: bytes %llu to %llu are no "
		    "sound batch; the spooler keeps a copy and delivers what "
		    "is around them", s->head.epoch, (unsigned long long)from,
		    (unsigned long long)to);
	}
	check_found(c, error != 0 ? CHECK_SEGMENT_UNREADABLE :
	    CHECK_JOURNAL_DAMAGED, file, NULL, why);
}

static void
on_bad_record(void *arg, const struct spool_segment *s,
    const struct journal_record *rec)
{
	char file[40], why[120];

	name_segment(s, file);
	snprintf(why, sizeof why, "record %u at %llu (type %u) has a sound "
	    "checksum and no sound content", (unsigned)rec->lsn,
	    (unsigned long long)rec->offset, (unsigned)rec->type);
	check_found(arg, CHECK_RECORD, file, NULL, why);
}

/* Each live head names the one before it, which must be there. */
static void
check_chain(struct check *c, const struct spool_segment *s)
{
	const struct spool_journal *j = &c->journal;
	char file[40], why[120];

	if (s->head.prev < j->oldest || s->head.prev == 0) {
		return;
	}
	for (size_t i = 0; i < j->n_live; i++) {
		if (j->segments[i].head.epoch == s->head.prev) {
			return;
		}
	}
	name_segment(s, file);
	snprintf(why, sizeof why, "the segment before it (epoch %u) is not "
	    "there", s->head.prev);
	check_found(c, CHECK_SEGMENT_MISSING, file, NULL, why);
}

static void
check_segment(struct check *c, const struct spool_segment *s)
{
	char file[40], why[160];

	name_segment(s, file);
	switch (s->kind) {
	case SEGMENT_LIVE:
		check_chain(c, s);
		break;
	case SEGMENT_FREE:
		break;
	case SEGMENT_HEADLESS:
		check_found(c, CHECK_SEGMENT_HEAD, file, NULL, "no sound head: "
		    "the spooler moves it to quarantine when it starts");
		break;
	case SEGMENT_CLOSED:
		snprintf(why, sizeof why, "cannot be read: %s",
		    strerror(s->error));
		check_found(c, CHECK_SEGMENT_UNREADABLE, file, NULL, why);
		break;
	}
}

static void
check_lease(struct check *c)
{
	char bytes[LEASE_FILE_BYTES + 1];
	struct lease_file lease;
	struct stat st;
	ssize_t got;
	int fd = spool_file_open(&c->dir, "journal/lease", &st);

	if (fd < 0) {
		/* There is none before the first start. */
		if (errno != ENOENT || c->journal.n_live > 0) {
			check_found(c, CHECK_LEASE, "journal/lease", NULL,
			    errno == ENOENT ? "it is not there: the spooler "
			    "would start numbering anew" : strerror(errno));
		}
		return;
	}
	got = fdio_pread_full(fd, bytes, sizeof bytes, 0);
	close(fd);
	if (got < 0 || !lease_file_decode(slice_make(bytes, (size_t)got),
	    &lease)) {
		check_found(c, CHECK_LEASE, "journal/lease", NULL, got < 0 ?
		    strerror(errno) : "damaged: the spooler will number ahead "
		    "of the clock");
	}
}

/* A folder that was read while segments came and went is read once more. */
static bool
again(struct check *c, struct error *err_out)
{
	if (!c->live) {
		return true;
	}
	spool_journal_close(&c->journal);
	return spool_journal_open(&c->journal, &c->dir, err_out) == 0;
}

static bool
is_whole(const struct check *c)
{
	const struct spool_journal *j = &c->journal;

	for (size_t i = 0; i < j->n; i++) {
		if (j->segments[i].kind == SEGMENT_HEADLESS) {
			return false;
		}
	}
	for (size_t i = 1; i < j->n_live; i++) {
		if (j->segments[i].head.prev != j->segments[i - 1].head.epoch) {
			return false;
		}
	}
	return true;
}

int
check_journal(struct check *c, struct error *err_out)
{
	struct journal_ears ears = { .arg = c, .damage = on_damage,
		.bad_record = on_bad_record };
	struct journal_entry *e;
	size_t at = 0;
	uint64_t id;

	if (spool_journal_open(&c->journal, &c->dir, err_out) < 0 ||
	    (!is_whole(c) && !again(c, err_out))) {
		return -1;
	}
	for (size_t i = 0; i < c->journal.n; i++) {
		check_segment(c, &c->journal.segments[i]);
	}
	spool_journal_read(&c->journal, &ears);
	while ((e = id_map_next(&c->journal.ids, &at, &id)) != NULL) {
		c->in_journal += journal_entry_is_mail(e);
	}
	check_lease(c);
	return 0;
}

static bool
is_hex(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'F');
}

static bool
is_top_name(const char *n)
{
	static const char *const ours[] = { "journal", "quarantine",
		"checkpoint", "pickup", "large", "journal.imported" };

	if (strlen(n) == 2 && is_hex(n[0]) && is_hex(n[1])) {
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (strcmp(n, ours[i]) == 0) {
			return true;
		}
	}
	return false;
}

static bool
is_journal_name(const char *n)
{
	size_t len = strlen(n);

	return strcmp(n, "lock") == 0 || strcmp(n, "lease") == 0 ||
	    strcmp(n, "lease.new") == 0 || strcmp(n, "replaying") == 0 ||
	    strcmp(n, "skipped") == 0 || (len > 4 && len < 24 &&
	    strcmp(n + len - 4, ".seg") == 0 &&
	    strspn(n, "0123456789") == len - 4);
}

static void
names_of(struct check *c, const char *folder, bool (*is_ours)(const char *))
{
	int fd = openat(c->dir.base, folder, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	char path[300];

	if (d == NULL) {
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 || is_ours(e->d_name)) {
			continue;
		}
		snprintf(path, sizeof path, "%s%s%s", folder[0] == '.' ? "" :
		    folder, folder[0] == '.' ? "" : "/", e->d_name);
		check_found(c, CHECK_FOREIGN, path, NULL, "none of the "
		    "spool's names");
	}
	closedir(d);
}

void
check_names(struct check *c)
{
	names_of(c, ".", is_top_name);
	names_of(c, "journal", is_journal_name);
}
