/* SPDX-License-Identifier: Apache-2.0 */
/* The files that log modules write. */
#include "logger/logfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/base/fdio.h"
#include "common/base/log.h"

void
logfile_set_init(struct logfile_set *s)
{
	memset(s, 0, sizeof *s);
	list_init(&s->files);
}

static void
file_free(struct logger_file *f)
{
	list_remove(&f->link);
	if (f->fd >= 0) {
		close(f->fd);
	}
	buf_fini(&f->pending);
	free(f->path);
	free(f);
}

void
logfile_set_fini(struct logfile_set *s)
{
	struct list_node *n;

	while ((n = list_first(&s->files)) != NULL) {
		file_free(list_entry(n, struct logger_file, link));
	}
}

static struct logger_file *
find(struct logfile_set *s, const char *path)
{
	list_each(n, next, &s->files) {
		struct logger_file *f = list_entry(n, struct logger_file, link);

		if (strcmp(f->path, path) == 0) {
			return f;
		}
	}
	return NULL;
}

/* The descriptor at path, with its mode; -1 with a sentence. */
static int
open_path(const char *path, unsigned mode, struct error *err_out)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK, (mode_t)mode);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		return error_sys(err_out, "cannot create the log file %s: its "
		    "directory is missing", path);
	}
	if (fd < 0) {
		return error_sys(err_out, "cannot open the log file %s as "
		    "user %u", path, (unsigned)geteuid());
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return error_set(err_out, ERROR_CONFIG,
		    "the log file %s is not a regular file", path);
	}
	if ((st.st_mode & 07777) != mode && fchmod(fd, (mode_t)mode) < 0) {
		/* Somebody else's file that we may write: as it is. */
		log_info("cannot set the mode of %s: %s", path,
		    strerror(errno));
	}
	return fd;
}

static int
cut(int fd, const char *path, const struct sidecar_file *was, uint64_t now,
    struct error *err_out)
{
	if (ftruncate(fd, (off_t)was->size) < 0 || fsync(fd) < 0) {
		return error_sys(err_out, "cannot cut %s to %llu bytes", path,
		    (unsigned long long)was->size);
	}
	log_notice("%s: %llu bytes behind the last position cut off; they "
	    "are written again", path, (unsigned long long)(now - was->size));
	return 0;
}

/* The recorded file under another name in its directory: renamed by rotation,
 * and a crash came before the reopening.  What was written to it since the
 * last checkpoint comes again, too. */
static int
restore_renamed(const char *path, const struct sidecar_file *was,
    struct error *err_out)
{
	const char *base = strrchr(path, '/');
	char other[PATH_MAX];
	struct dirent *d;
	int result = 0;
	DIR *dir;

	snprintf(other, sizeof other, "%.*s/", (int)(base - path), path);
	dir = opendir(other);
	while (dir != NULL && result == 0 && (d = readdir(dir)) != NULL) {
		struct sidecar_file now = { 0 };
		struct stat st;
		int fd;

		if (d->d_ino != was->inode ||
		    (was->size == 0 && was->born_ns == 0) ||
		    snprintf(other, sizeof other, "%.*s/%s",
		    (int)(base - path), path, d->d_name) >=
		    (int)sizeof other || lstat(other, &st) < 0 ||
		    !S_ISREG(st.st_mode)) {
			continue;
		}
		fd = open(other, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && sidecar_look(fd, was->size, &now, NULL) == 0 &&
		    sidecar_decide(was, &now) == SIDECAR_CUT) {
			result = cut(fd, other, was, now.size, err_out);
		}
		fdio_close(&fd);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return result;
}

/* Cuts a journal file to what the last run had made durable. */
static int
restore(struct logfile_set *s, struct logger_file *f, struct error *err_out)
{
	const struct sidecar_file *was;
	struct sidecar_file now = { 0 };

	if (!f->journal || s->recorded == NULL) {
		return 0;
	}
	was = sidecar_find(s->recorded, slice_of(f->path));
	if (was == NULL) {
		return 0;
	}
	if (sidecar_look(f->fd, was->size, &now, err_out) < 0) {
		return -1;
	}
	switch (sidecar_decide(was, &now)) {
	case SIDECAR_CUT:
		return cut(f->fd, f->path, was, now.size, err_out);
	case SIDECAR_OTHER:
		return restore_renamed(f->path, was, err_out);
	case SIDECAR_UNKNOWN:
	case SIDECAR_SHORT:
	case SIDECAR_SAME:
		break;
	}
	return 0;
}

/* A torn last line of an earlier crash is ended, so that ours stand alone. */
static void
end_torn_line(struct logger_file *f)
{
	struct stat st;
	char c = '\n';

	if (fstat(f->fd, &st) == 0 && st.st_size > 0 &&
	    pread(f->fd, &c, 1, st.st_size - 1) == 1 && c != '\n') {
		buf_putc(&f->pending, '\n');
	}
}

static bool
path_is_good(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)path[i] < 0x20) {
			return false;
		}
	}
	return path[0] == '/' && n < PATH_MAX;
}

struct logger_file *
logfile_open(struct logfile_set *s, const char *path, unsigned mode,
    bool journal, struct error *err_out)
{
	struct logger_file *f = find(s, path);

	if (f != NULL) {
		if (f->journal != journal) {
			error_set(err_out, ERROR_CONFIG, "%s cannot be both a "
			    "mail log and another log", path);
			return NULL;
		}
		f->users++;
		return f;
	}
	if (!path_is_good(path)) {
		error_set(err_out, ERROR_CONFIG, "the log file %s needs a "
		    "path that starts with / and has no control characters",
		    path);
		return NULL;
	}
	f = xcalloc(1, sizeof *f);
	f->path = xstrdup(path);
	f->mode = mode;
	f->journal = journal;
	f->users = 1;
	buf_init(&f->pending, 4 * LOGFILE_PENDING_MAX);
	list_push_back(&s->files, &f->link);
	f->fd = open_path(path, mode, err_out);
	if (f->fd < 0 || restore(s, f, err_out) < 0) {
		file_free(f);
		return NULL;
	}
	end_torn_line(f);
	return f;
}

void
logfile_release(struct logger_file *f)
{
	ec_assert(f->users > 0);
	f->users--;
}

/* What the file takes of what waits. */
static bool
write_file(struct logfile_set *s, struct logger_file *f)
{
	size_t done = 0;

	while (done < f->pending.len) {
		ssize_t n = write(f->fd, f->pending.ptr + done,
		    f->pending.len - done);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			error_sys(&s->error, "cannot write %s", f->path);
			s->write_errors++;
			break;
		}
		done += (size_t)n;
		f->dirty = true;
		s->unsynced += (uint64_t)n;
	}
	if (done > 0) {
		buf_consume(&f->pending, done);
	}
	f->failing = f->pending.len > 0;
	return !f->failing;
}

void
logfile_append(struct logfile_set *s, struct logger_file *f,
    struct slice lines)
{
	if (!f->journal &&
	    f->pending.len + lines.len > LOGFILE_PENDING_MAX) {
		f->dropped++;
		return;
	}
	/* A journal line has room: events stop at LOGFILE_STUCK_AT, and what
	 * one turn still brings is far less than the buffer's cap. */
	if (!buf_add(&f->pending, lines)) {
		panic("%zu bytes wait for %s", f->pending.len, f->path);
	}
	if (f->pending.len >= LOGFILE_WRITE_AT && !f->failing) {
		write_file(s, f);
	}
}

bool
logfile_write(struct logfile_set *s)
{
	bool all = true;

	list_each(n, next, &s->files) {
		struct logger_file *f = list_entry(n, struct logger_file, link);

		if (f->pending.len > 0 && !write_file(s, f)) {
			all = false;
		} else if (f->dropped > 0) {
			log_error("%s: %llu lines lost while it could not be "
			    "written", f->path, (unsigned long long)f->dropped);
			f->dropped = 0;
		}
	}
	return all;
}

bool
logfile_is_stuck(const struct logfile_set *s)
{
	list_each(n, next, &s->files) {
		const struct logger_file *f = list_entry(n, struct logger_file,
		    link);

		if (f->journal &&
		    f->pending.len >= LOGFILE_STUCK_AT) {
			return true;
		}
	}
	return false;
}

static enum logfile_synced
sync_file(struct logfile_set *s, struct logger_file *f)
{
	if (f->dirty && fdatasync(f->fd) < 0) {
		error_sys(&s->error, "cannot sync %s", f->path);
		s->write_errors++;
		if (f->journal) {
			return LOGFILE_LOST;
		}
	}
	f->dirty = false;
	return f->journal && f->pending.len > 0 ?
	    LOGFILE_WAITING : LOGFILE_DURABLE;
}

enum logfile_synced
logfile_sync(struct logfile_set *s)
{
	enum logfile_synced worst = LOGFILE_DURABLE;

	logfile_write(s);
	list_each(n, next, &s->files) {
		struct logger_file *f = list_entry(n, struct logger_file, link);
		enum logfile_synced r = sync_file(s, f);

		worst = EC_MAX(worst, r);
		if (f->users == 0 && f->pending.len == 0) {
			file_free(f);
		}
	}
	s->unsynced = 0;
	return worst;
}

int
logfile_reopen(struct logfile_set *s, struct error *err_out)
{
	int result = 0;

	list_each(n, next, &s->files) {
		struct logger_file *f = list_entry(n, struct logger_file, link);
		int fd = open_path(f->path, f->mode, err_out);

		if (fd < 0) {
			result = -1;
			continue;
		}
		close(f->fd);
		f->fd = fd;
	}
	return result;
}

int
logfile_describe(const struct logfile_set *s, struct sidecar *out,
    struct error *err_out)
{
	list_each(n, next, &s->files) {
		const struct logger_file *f = list_entry(n, struct logger_file,
		    link);
		struct sidecar_file now = { .path = slice_of(f->path) };

		if (!f->journal) {
			continue;
		}
		if (sidecar_look(f->fd, UINT64_MAX, &now, err_out) < 0) {
			return -1;
		}
		if (!sidecar_add_file(out, &now)) {
			return error_set(err_out, ERROR_LIMIT,
			    "more than %u mail logs", SIDECAR_FILES_MAX);
		}
	}
	return 0;
}
