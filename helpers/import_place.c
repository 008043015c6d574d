/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the server's pickup/: made aside, then renamed into place. */
#include "helpers/spool_import.h"

#include <fcntl.h>

#include "common/base/fdio.h"

#define CHUNK (256u << 10)

static void
entry_name(const struct import_place *p, msgid id, bool ready,
    char out[IMPORT_NAME])
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(id, text);
	text[2] = '-';
	snprintf(out, IMPORT_NAME, "%simport-%s-%s", ready ? "" : ".",
	    p->ledger->key, text);
}

int
import_place_open(struct import_place *p, const struct spool_dir *to,
    const struct import_ledger *l, struct error *err_out)
{
	struct stat st;

	*p = (struct import_place){ .ledger = l };
	p->pickup = openat(to->base, "pickup", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	if (p->pickup < 0 || fstat(p->pickup, &st) < 0) {
		return error_sys(err_out, "cannot open %s/pickup", to->path);
	}
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	return 0;
}

void
import_place_close(struct import_place *p)
{
	fdio_close(&p->pickup);
}

enum import_state
import_place_state(const struct import_place *p, msgid id)
{
	char name[IMPORT_NAME], path[IMPORT_NAME + 8];
	struct stat st;

	entry_name(p, id, true, name);
	snprintf(path, sizeof path, "%s/meta", name);
	if (fstatat(p->pickup, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		return IMPORT_PLACED;
	}
	/* Only the taking takes meta away. */
	return fstatat(p->pickup, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
	    IMPORT_TAKEN : IMPORT_ABSENT;
}

static void
clear(const struct import_place *p, const char *name)
{
	static const char *const files[] = { "data", "meta", "meta.new" };
	int dir = openat(p->pickup, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);

	if (dir >= 0) {
		for (size_t i = 0; i < ARRAY_LEN(files); i++) {
			unlinkat(dir, files[i], 0);
		}
		close(dir);
		unlinkat(p->pickup, name, AT_REMOVEDIR);
	}
}

void
import_place_clear(const struct import_place *p, msgid id)
{
	char name[IMPORT_NAME];

	entry_name(p, id, true, name);
	clear(p, name);
}

static int
new_file(const struct import_place *p, int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0640);

	if (fd >= 0 && geteuid() == 0 && fchown(fd, p->uid, p->gid) < 0) {
		fdio_close(&fd);
	}
	return fd;
}

static int
write_data(const struct import_place *p, int dir, int from, uint64_t at,
    uint64_t left)
{
	int fd = new_file(p, dir, "data"), r = fd < 0 ? -1 : 0;
	char *chunk = xmalloc(CHUNK);

	while (r == 0 && left > 0) {
		size_t want = (size_t)EC_MIN(left, (uint64_t)CHUNK);
		ssize_t got = fdio_pread_full(from, chunk, want, at);

		if (got != (ssize_t)want) {
			errno = got < 0 ? errno : EIO;
			r = -1;
		} else {
			r = fdio_write_all(fd, chunk, want);
			at += want;
			left -= want;
		}
	}
	if (r == 0) {
		r = fdatasync(fd);
	}
	free(chunk);
	fdio_close(&fd);
	return r;
}

static int
write_meta(const struct import_place *p, int dir, const struct meta *m)
{
	int fd = new_file(p, dir, "meta"), r = -1;
	struct buf text;

	buf_init(&text, META_MAX_BYTES);
	if (fd >= 0) {
		errno = EFBIG;
		if (meta_write(m, &text) && fdio_write_all(fd, text.ptr,
		    text.len) == 0) {
			r = fdatasync(fd);
		}
	}
	buf_fini(&text);
	fdio_close(&fd);
	return r;
}

int
import_place_put(const struct import_place *p, const struct meta *m,
    int body_fd, uint64_t body_at, struct error *err_out)
{
	char aside[IMPORT_NAME], ready[IMPORT_NAME];
	int dir = -1, r = -1;

	entry_name(p, m->rcpt.id, false, aside);
	entry_name(p, m->rcpt.id, true, ready);
	clear(p, aside);	/* of an import that was cut short */
	if (mkdirat(p->pickup, aside, 0750) == 0) {
		dir = openat(p->pickup, aside, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
	}
	if (dir >= 0 && (geteuid() != 0 || fchown(dir, p->uid, p->gid) == 0) &&
	    write_data(p, dir, body_fd, body_at, m->size) == 0 &&
	    write_meta(p, dir, m) == 0 && fsync(dir) == 0) {
		r = renameat(p->pickup, aside, p->pickup, ready);
	}
	if (r < 0) {
		error_sys(err_out, "cannot put a message into pickup");
		clear(p, aside);
	}
	fdio_close(&dir);
	return r;
}

int
import_place_sync(const struct import_place *p, struct error *err_out)
{
	return fsync(p->pickup) == 0 ? 0 : error_sys(err_out, "cannot sync "
	    "pickup");
}
