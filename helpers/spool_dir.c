/* SPDX-License-Identifier: Apache-2.0 */
/* Folders and files of a SpoolBase. */
#include "helpers/spool_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

#include "common/base/fdio.h"
#include "common/config/config.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DATA_NAME (MSGID_TEXT_LEN - 3)	/* without "CC/" */

int
spool_dir_open(struct spool_dir *d, const char *path, struct error *err_out)
{
	*d = (struct spool_dir){ .journal = -1, .quarantine = -1 };
	slice_copy(d->path, sizeof d->path, slice_of(path));
	d->base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->base < 0) {
		return error_sys(err_out, "cannot open the spool %s", path);
	}
	d->journal = openat(d->base, "journal", DIR_FLAGS);
	if (d->journal < 0) {
		error_sys(err_out, "cannot open %s/journal (is that a "
		    "SpoolBase?)", path);
		fdio_close(&d->base);
		return -1;
	}
	d->quarantine = openat(d->base, "quarantine", DIR_FLAGS);
	return 0;
}

void
spool_dir_close(struct spool_dir *d)
{
	fdio_close(&d->base);
	fdio_close(&d->journal);
	fdio_close(&d->quarantine);
}

bool
spool_dir_of_config(const char *program, const char *file, char *out,
    size_t size)
{
	struct config_report report;
	struct config *cfg;
	bool ok;

	config_report_init(&report);
	cfg = config_load(file, &report);
	if (cfg == NULL) {
		fprintf(stderr, "%.*s%s: %s has errors: mend it, or name the "
		    "spool's directory\n", SLICE_ARG(buf_slice(
		    &report.errors)), program, file);
	}
	ok = cfg != NULL && slice_copy(out, size, config_string(cfg, NULL,
	    OPT_SPOOLBASE));
	config_destroy(&cfg);
	config_report_fini(&report);
	return ok;
}

static int
open_lock(const struct spool_dir *d)
{
	return openat(d->journal, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
}

bool
spool_dir_is_live(const struct spool_dir *d)
{
	int fd = open_lock(d);
	bool live = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK;

	fdio_close(&fd);
	return live;
}

int
spool_dir_lock(const struct spool_dir *d, struct error *err_out)
{
	int fd = open_lock(d);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		fd = openat(d->journal, "lock", O_RDWR | O_CREAT | O_NOFOLLOW |
		    O_CLOEXEC, 0640);
		/* Made by root it would keep the server out. */
		if (fd >= 0 && geteuid() == 0 && (fstat(d->journal, &st) < 0 ||
		    fchown(fd, st.st_uid, st.st_gid) < 0)) {
			fdio_close(&fd);
		}
	}
	if (fd < 0) {
		return error_sys(err_out, "cannot open %s/journal/lock",
		    d->path);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return error_set(err_out, ERROR_SYSTEM, "a spooler runs on %s: "
		    "stop the server first; without -x it may run on", d->path);
	}
	return fd;
}

enum spool_name
spool_name_kind(const char *name, unsigned dir, msgid *id_out)
{
	char text[MSGID_TEXT_LEN + 1];
	size_t n = strlen(name);
	bool meta = n == DATA_NAME + 5 &&
	    strcmp(name + DATA_NAME, ".meta") == 0;

	if (n != DATA_NAME && !meta) {
		return SPOOL_NAME_FOREIGN;
	}
	snprintf(text, sizeof text, "%02X/%.17s", dir & 0xff, name);
	if (!msgid_parse(slice_of(text), id_out) || *id_out == MSGID_NONE ||
	    msgid_dir(*id_out) != dir) {
		return SPOOL_NAME_FOREIGN;
	}
	return meta ? SPOOL_NAME_META : SPOOL_NAME_DATA;
}

void
spool_name_of(msgid id, bool meta, char out[SPOOL_NAME])
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(id, text);
	snprintf(out, SPOOL_NAME, "%s%s", text, meta ? ".meta" : "");
}

msgid
spool_quarantined_id(const char *name)
{
	char text[MSGID_TEXT_LEN + 1];
	msgid id;

	snprintf(text, sizeof text, "%.20s", name);
	if (strlen(text) != MSGID_TEXT_LEN || text[2] != '-') {
		return MSGID_NONE;
	}
	text[2] = '/';
	return msgid_parse(slice_of(text), &id) ? id : MSGID_NONE;
}

static void
add_pair(struct spool_list *l, msgid id, bool meta)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->pairs = xrealloc(l->pairs, l->cap * sizeof *l->pairs);
	}
	l->pairs[l->n++] = (struct spool_pair){ id, !meta, meta };
}

static void
add_foreign(struct spool_list *l, const char *name)
{
	if (l->n_foreign == l->cap_foreign) {
		l->cap_foreign = l->cap_foreign * 2 + 16;
		l->foreign = xrealloc(l->foreign,
		    l->cap_foreign * sizeof *l->foreign);
	}
	l->foreign[l->n_foreign++] = xstrdup(name);
}

static int
by_id(const void *a, const void *b)
{
	const struct spool_pair *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Data and .meta of one id become one entry. */
static void
join_pairs(struct spool_list *l)
{
	size_t kept = 0;

	if (l->n > 1) {
		qsort(l->pairs, l->n, sizeof *l->pairs, by_id);
	}
	for (size_t i = 0; i < l->n; i++) {
		if (kept > 0 && l->pairs[kept - 1].id == l->pairs[i].id) {
			l->pairs[kept - 1].data |= l->pairs[i].data;
			l->pairs[kept - 1].meta |= l->pairs[i].meta;
		} else {
			l->pairs[kept++] = l->pairs[i];
		}
	}
	l->n = kept;
}

int
spool_dir_list(const struct spool_dir *d, unsigned dir, struct spool_list *l)
{
	char name[3];
	struct dirent *e;
	DIR *open_dir;
	int fd;

	*l = (struct spool_list){ 0 };
	snprintf(name, sizeof name, "%02X", dir & 0xff);
	fd = openat(d->base, name, DIR_FLAGS);
	open_dir = fd < 0 ? NULL : fdopendir(fd);
	if (open_dir == NULL) {
		return -1;
	}
	while ((e = readdir(open_dir)) != NULL) {
		msgid id;
		enum spool_name kind = spool_name_kind(e->d_name, dir, &id);

		if (kind != SPOOL_NAME_FOREIGN) {
			add_pair(l, id, kind == SPOOL_NAME_META);
		} else if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0) {
			add_foreign(l, e->d_name);
		}
	}
	closedir(open_dir);
	join_pairs(l);
	return 0;
}

void
spool_list_fini(struct spool_list *l)
{
	for (size_t i = 0; i < l->n_foreign; i++) {
		free(l->foreign[i]);
	}
	free(l->foreign);
	free(l->pairs);
	*l = (struct spool_list){ 0 };
}

int
spool_file_open(const struct spool_dir *d, const char *path,
    struct stat *st_out)
{
	int fd = openat(d->base, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, st_out) < 0 || !S_ISREG(st_out->st_mode))) {
		close(fd);
		errno = EINVAL;
		fd = -1;
	} else if (fd < 0 && errno == ELOOP) {
		errno = EINVAL;		/* a symbolic link */
	}
	return fd;
}

enum spool_meta
spool_meta_load(const struct spool_dir *d, const char *path, msgid id,
    struct scratch *mem, struct meta *out, const char **why_out)
{
	struct stat st;
	int fd = spool_file_open(d, path, &st);
	enum meta_result r = META_OK;
	struct buf text;
	ssize_t got = -1;

	*why_out = NULL;
	if (fd < 0) {
		*why_out = errno == EINVAL ? "not a regular file" :
		    strerror(errno);
		return errno == ENOENT ? SPOOL_META_GONE :
		    SPOOL_META_UNREADABLE;
	}
	buf_init(&text, META_MAX_BYTES + 1);
	if (st.st_size <= META_MAX_BYTES && buf_reserve(&text,
	    (size_t)st.st_size + 1)) {
		got = fdio_pread_full(fd, text.ptr, (size_t)st.st_size, 0);
		*why_out = got < 0 ? strerror(errno) : NULL;
	} else {
		*why_out = "larger than any .meta file of ours";
	}
	close(fd);
	if (got >= 0) {
		text.len = (size_t)got;
		r = meta_read(buf_slice(&text), mem, out);
		*why_out = r != META_OK ? meta_result_text(r) :
		    id != MSGID_NONE && out->rcpt.id != id ?
		    "it has the id of another message" : NULL;
	}
	buf_fini(&text);
	return *why_out == NULL ? SPOOL_META_OK : got < 0 && st.st_size <=
	    META_MAX_BYTES ? SPOOL_META_UNREADABLE : SPOOL_META_BAD;
}

void
spool_large_name(msgid batch, char out[SPOOL_NAME + 8])
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(batch, text);
	text[2] = '-';
	snprintf(out, SPOOL_NAME + 8, "large/%s", text);
}

bool
spool_large_parse(const char *name, msgid *batch_out)
{
	char text[MSGID_TEXT_LEN + 1];

	if (strlen(name) != MSGID_TEXT_LEN || name[2] != '-') {
		return false;
	}
	memcpy(text, name, sizeof text);
	text[2] = '/';
	return msgid_parse(slice_of(text), batch_out);
}
