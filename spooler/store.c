/* SPDX-License-Identifier: Apache-2.0 */
/* Two files a message in 256 directories. */
#include "spooler/store.h"

#include <fcntl.h>

#include "common/base/clock.h"
#include "common/base/log.h"

static const char hex[] = "0123456789ABCDEF";
static const char *const beside[] = { "journal", "quarantine", "checkpoint",
	"pickup", "large" };

static int
open_dir(struct store *s, const char *name, struct error *err_out)
{
	int fd;

	if (s->fs->mkdir_at(s->base, name, 0750) < 0 && errno != EEXIST) {
		return error_sys(err_out, "cannot make directory %s in the "
		    "spool", name);
	}
	fd = s->fs->open_at(s->base, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0) {
		return error_sys(err_out, "cannot open directory %s of the "
		    "spool", name);
	}
	return fd;
}

int
store_open(struct store *s, const struct fs *fs, const char *path, mode_t mode,
    struct error *err_out)
{
	*s = (struct store){ .fs = fs, .mode = mode,
		.at_once = fs_sync_fs_tells() };
	memset(s->dirs, 0xff, sizeof s->dirs);
	s->large = -1;
	s->base = fs->open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (s->base < 0) {
		return error_sys(err_out, "cannot open SpoolBase %s", path);
	}
	for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
		int fd = open_dir(s, beside[i], err_out);

		if (fd < 0) {
			return -1;
		}
		close(fd);
	}
	s->large = s->fs->open_at(s->base, "large", O_RDONLY | O_DIRECTORY, 0);
	if (s->large < 0) {
		return error_sys(err_out, "cannot open directory large of the "
		    "spool");
	}
	for (unsigned i = 0; i < 256; i++) {
		char name[3] = { hex[i >> 4], hex[i & 15], '\0' };

		s->dirs[i] = open_dir(s, name, err_out);
		if (s->dirs[i] < 0) {
			return -1;
		}
	}
	if (fs->sync_dir(s->base) < 0) {
		return error_sys(err_out, "cannot sync SpoolBase %s", path);
	}
	return 0;
}

void
store_close(struct store *s)
{
	for (unsigned i = 0; i < 256; i++) {
		if (s->dirs[i] >= 0) {
			close(s->dirs[i]);
		}
	}
	if (s->large >= 0) {
		close(s->large);
	}
	if (s->base >= 0) {
		close(s->base);
	}
}

void
store_name(msgid id, char out[STORE_NAME])
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(id, text);
	memcpy(out, text + 3, MSGID_TEXT_LEN - 2);	/* with the NUL */
}

static void
meta_name(msgid id, char out[STORE_NAME + 8])
{
	store_name(id, out);
	memcpy(out + MSGID_TEXT_LEN - 3, ".meta", 6);
}

/* A file that was not there: neither a link of an interrupted settle, which
 * other recipients may share, nor a name whose sync, or its directory's,
 * failed, and which may then never reach the disk. */
static int
open_new(struct store *s, unsigned dir, const char *name)
{
	int flags = O_RDWR | O_CREAT | O_EXCL;
	int fd = s->fs->open_at(s->dirs[dir], name, flags, s->mode);

	if (fd < 0 && errno == EEXIST &&
	    s->fs->unlink_at(s->dirs[dir], name) == 0) {
		fd = s->fs->open_at(s->dirs[dir], name, flags, s->mode);
	}
	return fd;
}

/* Writes parts into a new file; syncs it if nothing later will. */
static int
write_file(struct store *s, unsigned dir, const char *name,
    const struct slice *parts, unsigned n, struct store_dirty *d,
    struct error *err_out)
{
	int fd = open_new(s, dir, name);
	uint64_t at = 0;
	int r = fd < 0 ? -1 : 0;

	for (unsigned i = 0; r == 0 && i < n; i++) {
		r = fs_write_all(s->fs, fd, parts[i].ptr, parts[i].len, at);
		at += parts[i].len;
	}
	d->dirs[dir] = true;
	if (r == 0 && !s->at_once) {
		r = s->fs->sync_data(fd);
	}
	if (r < 0) {
		error_sys(err_out, "cannot write spool file %c%c/%s",
		    hex[dir >> 4], hex[dir & 15], name);
	}
	if (fd >= 0) {
		close(fd);
	}
	return r;
}

int
store_write_data(struct store *s, msgid id, const struct slice *parts,
    unsigned n, struct store_dirty *d, struct error *err_out)
{
	char name[STORE_NAME];

	store_name(id, name);
	return write_file(s, msgid_dir(id), name, parts, n, d, err_out);
}

static int
link_file(struct store *s, int from_dir, const char *from_name, msgid to,
    struct store_dirty *d)
{
	char to_name[STORE_NAME];
	int to_dir = s->dirs[msgid_dir(to)];

	store_name(to, to_name);
	d->dirs[msgid_dir(to)] = true;
	if (s->fs->link_at(from_dir, from_name, to_dir, to_name) == 0) {
		return 0;
	}
	if (errno != EEXIST) {
		return -1;
	}
	/* What an interrupted settle left. */
	s->fs->unlink_at(to_dir, to_name);
	return s->fs->link_at(from_dir, from_name, to_dir, to_name);
}

int
store_link_data(struct store *s, msgid from, msgid to, struct store_dirty *d)
{
	char name[STORE_NAME];

	store_name(from, name);
	return link_file(s, s->dirs[msgid_dir(from)], name, to, d);
}

int
store_link_large(struct store *s, msgid batch, msgid to, struct store_dirty *d)
{
	char name[STORE_NAME];

	store_large_name(batch, name);
	return link_file(s, s->large, name, to, d);
}

void
store_large_name(msgid batch, char out[STORE_NAME])
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(batch, text);
	text[2] = '-';
	memcpy(out, text, sizeof text);
}

bool
store_large_parse(const char *name, msgid *batch_out)
{
	char text[MSGID_TEXT_LEN + 1];

	if (strlen(name) != MSGID_TEXT_LEN || name[2] != '-') {
		return false;
	}
	memcpy(text, name, sizeof text);
	text[2] = '/';
	return msgid_parse(slice_of(text), batch_out);
}

int
store_open_large(struct store *s, msgid batch, bool make)
{
	char name[STORE_NAME];

	store_large_name(batch, name);
	return s->fs->open_at(s->large, name, make ? O_WRONLY | O_CREAT |
	    O_EXCL : O_RDONLY, s->mode);
}

int
store_remove_large(struct store *s, msgid batch)
{
	char name[STORE_NAME];

	store_large_name(batch, name);
	return s->fs->unlink_at(s->large, name);
}

int
store_write_meta(struct store *s, const struct meta *m, struct store_dirty *d,
    struct error *err_out)
{
	char name[STORE_NAME + 8];
	struct slice text;
	struct buf b;
	int r;

	buf_init(&b, META_MAX_BYTES);
	if (!meta_write(m, &b)) {
		buf_fini(&b);
		return error_set(err_out, ERROR_LIMIT, "envelope too large for "
		    "a .meta file");
	}
	text = buf_slice(&b);
	meta_name(m->rcpt.id, name);
	r = write_file(s, msgid_dir(m->rcpt.id), name, &text, 1, d,
	    err_out);
	buf_fini(&b);
	return r;
}

int
store_sync(struct store *s, const struct store_dirty *d,
    struct error *err_out)
{
	if (s->at_once) {
		if (s->fs->sync_fs(s->base) < 0) {
			return error_sys(err_out, "cannot sync the spool");
		}
		return 0;
	}
	for (unsigned i = 0; i < 256; i++) {
		if (d->dirs[i] && s->fs->sync_dir(s->dirs[i]) < 0) {
			return error_sys(err_out, "cannot sync spool "
			    "directory %c%c", hex[i >> 4], hex[i & 15]);
		}
	}
	return 0;
}

int
store_remove(struct store *s, msgid id, struct store_dirty *d,
    struct error *err_out)
{
	char name[STORE_NAME + 8];
	int dir = s->dirs[msgid_dir(id)], n = 0;

	/* .meta first: a lone data file is an orphan, never mail. */
	meta_name(id, name);
	if (s->fs->unlink_at(dir, name) == 0) {
		n++;
	} else if (errno != ENOENT) {
		/* Then the data must stay, too. */
		return error_sys(err_out, "cannot remove spool file %s", name);
	}
	store_name(id, name);
	if (s->fs->unlink_at(dir, name) == 0) {
		n++;
	} else if (errno != ENOENT) {
		return error_sys(err_out, "cannot remove spool file %s", name);
	}
	d->dirs[msgid_dir(id)] |= n > 0;
	return n;
}

int
store_remove_again(struct store *s, msgid id, struct store_dirty *d,
    struct error *err_out)
{
	char name[STORE_NAME + 8];
	int dir = s->dirs[msgid_dir(id)];

	for (int meta = 0; meta < 2; meta++) {
		int fd;

		if (meta) {
			meta_name(id, name);
		} else {
			store_name(id, name);
		}
		fd = s->fs->open_at(dir, name, O_WRONLY | O_CREAT, s->mode);
		if (fd < 0) {
			return error_sys(err_out, "cannot remove spool file %s",
			    name);
		}
		close(fd);
	}
	return store_remove(s, id, d, err_out);
}

int
store_read_meta(struct store *s, msgid id, struct buf *out,
    struct error *err_out)
{
	char name[STORE_NAME + 8];
	struct stat st;
	ssize_t n = -1;
	int fd;

	meta_name(id, name);
	fd = s->fs->open_at(s->dirs[msgid_dir(id)], name, O_RDONLY, 0);
	if (fd >= 0 && s->fs->stat_fd(fd, &st) == 0 &&
	    st.st_size <= META_MAX_BYTES &&
	    buf_reserve(out, (size_t)st.st_size)) {
		n = fs_read_full(s->fs, fd, out->ptr + out->len,
		    (size_t)st.st_size, 0);
	}
	if (n < 0) {
		error_sys(err_out, "cannot read spool file %s", name);
	} else {
		out->len += (size_t)n;
	}
	if (fd >= 0) {
		close(fd);
	}
	return n < 0 ? -1 : 0;
}

int
store_open_data(struct store *s, msgid id)
{
	char name[STORE_NAME];

	store_name(id, name);
	return s->fs->open_at(s->dirs[msgid_dir(id)], name, O_RDONLY, 0);
}

static int
quarantine(struct store *s, const char *from, const char *as, const char *why)
{
	char to[300], note[320];
	struct slice text;
	int fd;

	snprintf(to, sizeof to, "quarantine/%.220s.%llu", as,
	    (unsigned long long)clock_wall_us());
	snprintf(note, sizeof note, "%s.why", to);
	fd = s->fs->open_at(s->base, note, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (fd >= 0) {
		text = slice_of(why);
		fs_write_all(s->fs, fd, text.ptr, text.len, 0);
		close(fd);
	}
	log_error("spool file %s: %s: moved to %s", from, why, to);
	return s->fs->rename_at(s->base, from, to);
}

int
store_quarantine(struct store *s, unsigned dir, const char *name,
    const char *why)
{
	char from[300], as[300];

	snprintf(from, sizeof from, "%c%c/%.255s", hex[dir >> 4], hex[dir & 15],
	    name);
	snprintf(as, sizeof as, "%c%c-%.200s", hex[dir >> 4], hex[dir & 15],
	    name);
	return quarantine(s, from, as, why);
}

int
store_quarantine_large(struct store *s, msgid batch, const char *why)
{
	char name[STORE_NAME], from[STORE_NAME + 8], as[STORE_NAME + 8];

	store_large_name(batch, name);
	snprintf(from, sizeof from, "large/%s", name);
	snprintf(as, sizeof as, "large-%s", name);
	return quarantine(s, from, as, why);
}

static int
write_beside(struct store *s, const char *path, const struct slice *parts,
    unsigned n, struct error *err_out)
{
	int fd = s->fs->open_at(s->base, path, O_RDWR | O_CREAT | O_TRUNC,
	    s->mode);
	int r = fd < 0 ? -1 : 0;
	uint64_t at = 0;

	for (unsigned i = 0; r == 0 && i < n; i++) {
		r = fs_write_all(s->fs, fd, parts[i].ptr, parts[i].len, at);
		at += parts[i].len;
	}
	if (r < 0 || s->fs->sync_data(fd) < 0) {
		r = error_sys(err_out, "cannot write %s", path);
	}
	if (fd >= 0) {
		close(fd);
	}
	return r;
}

int
store_quarantine_copy(struct store *s, msgid id, const struct slice *body,
    unsigned n, const char *file, struct slice meta, const char *why,
    struct error *err_out)
{
	unsigned dir = msgid_dir(id);
	struct slice reason = slice_of(why);
	char name[STORE_NAME], kept[64], path[4][128];
	unsigned long long now = clock_wall_us();
	int fd, r;

	store_name(id, name);
	snprintf(kept, sizeof kept, "quarantine/%c%c-%s", hex[dir >> 4],
	    hex[dir & 15], name);
	snprintf(path[0], sizeof path[0], "%s.%llu", kept, now);
	snprintf(path[1], sizeof path[1], "%s.meta.%llu", kept, now);
	snprintf(path[2], sizeof path[2], "%s.%llu.why", kept, now);
	snprintf(path[3], sizeof path[3], "%s.meta.%llu.why", kept, now);
	if (file != NULL) {
		r = s->fs->link_at(s->base, file, s->base, path[0]) == 0 ? 0 :
		    error_sys(err_out, "cannot link %s to quarantine", file);
	} else {
		r = write_beside(s, path[0], body, n, err_out);
	}
	if (r < 0 || write_beside(s, path[1], &meta, 1, err_out) < 0 ||
	    write_beside(s, path[2], &reason, 1, err_out) < 0 ||
	    write_beside(s, path[3], &reason, 1, err_out) < 0) {
		for (unsigned i = 0; i < ARRAY_LEN(path); i++) {
			s->fs->unlink_at(s->base, path[i]);
		}
		return -1;
	}
	fd = s->fs->open_at(s->base, "quarantine", O_RDONLY | O_DIRECTORY, 0);
	r = fd < 0 ? -1 : s->fs->sync_dir(fd);
	if (r < 0) {
		error_sys(err_out, "cannot sync quarantine");
	}
	if (fd >= 0) {
		close(fd);
	}
	return r;
}
