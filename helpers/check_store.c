/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of files against the journal.  A lone file is damage only when the
 * journal knows nothing of its id: what the journal holds may be half settled,
 * and what it ended may be half removed.  Of a live spool, whatever looks wrong
 * is judged once more at the end, by a journal read later than the files.
 */
#include "helpers/check_spool.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/fdio.h"

struct verdict {
	bool sound;
	bool mail;		/* one message, or what is left of one */
	enum check_kind kind;
	const char *why;
	bool data, meta;	/* files that are there */
	char text[160];
};

static void
blame(struct verdict *v, enum check_kind kind, const char *why)
{
	v->sound = false;
	v->kind = kind;
	v->why = why;
}

static void
note_link(struct check *c, msgid id, const struct stat *st)
{
	struct check_inode *n;

	if (st->st_nlink < 2) {
		return;
	}
	n = id_map_add(&c->inodes, st->st_ino);
	n->expected = st->st_nlink;
	n->seen++;
	n->first = n->first == MSGID_NONE ? id : n->first;
}

static void
judge_data(struct check *c, msgid id, struct verdict *v, struct stat *st,
    int *error)
{
	char path[SPOOL_NAME];
	int fd;

	spool_name_of(id, false, path);
	fd = spool_file_open(&c->dir, path, st);
	*error = fd < 0 ? errno : 0;
	v->data = fd >= 0 || errno != ENOENT;
	fdio_close(&fd);
}

static void
judge_sizes(struct verdict *v, const struct meta *m, const struct stat *st)
{
	if (m->size == (uint64_t)st->st_size) {
		return;
	}
	snprintf(v->text, sizeof v->text, "its .meta says %llu bytes, the file "
	    "has %llu", (unsigned long long)m->size,
	    (unsigned long long)st->st_size);
	blame(v, CHECK_BODY_SIZE, v->text);
}

/* What its two files come to, without the journal. */
static void
judge_files(struct check *c, msgid id, struct verdict *v)
{
	char path[SPOOL_NAME];
	struct stat st = { 0 };
	struct meta m;
	const char *why;
	enum spool_meta got;
	int error;

	spool_name_of(id, true, path);
	scratch_reset(&c->mem);
	got = spool_meta_load(&c->dir, path, id, &c->mem, &m, &why);
	*v = (struct verdict){ .sound = true, .mail = true,
		.meta = got != SPOOL_META_GONE };
	judge_data(c, id, v, &st, &error);
	if (error == 0) {
		note_link(c, id, &st);
	}
	if (!v->meta && !v->data) {
		v->mail = false;	/* gone meanwhile */
	} else if (!v->meta) {
		blame(v, CHECK_ORPHAN_BODY, "a data file without .meta, and "
		    "the journal does not know it");
	} else if (got == SPOOL_META_UNREADABLE) {
		blame(v, CHECK_META_UNREADABLE, why);
	} else if (got == SPOOL_META_BAD) {
		blame(v, CHECK_META_DAMAGED, why);
	} else if (!v->data) {
		blame(v, CHECK_BODY_MISSING, "a .meta without data file");
	} else if (error != 0) {
		snprintf(v->text, sizeof v->text, "%s", error == EINVAL ?
		    "not a regular file" : strerror(error));
		blame(v, CHECK_BODY_UNREADABLE, v->text);
	} else {
		judge_sizes(v, &m, &st);
	}
}

static void
judge(struct check *c, const struct spool_journal *j, msgid id,
    struct verdict *v)
{
	struct journal_entry *e = spool_journal_find(j, id);

	judge_files(c, id, v);
	if (e == NULL) {
		return;
	}
	e->flags |= ENTRY_SEEN;
	if ((e->flags & ENTRY_DONE) != 0 || journal_entry_is_mail(e)) {
		/* Half removed, or half settled: the spooler sees to it. */
		c->leftovers += v->mail;
		v->mail = false;
		v->sound = true;
	}
}

static void
report(struct check *c, msgid id, const struct verdict *v)
{
	char data[SPOOL_NAME], meta[SPOOL_NAME];
	bool by_data = v->kind == CHECK_ORPHAN_BODY ||
	    v->kind == CHECK_BODY_SIZE || v->kind == CHECK_BODY_UNREADABLE;

	spool_name_of(id, false, data);
	spool_name_of(id, true, meta);
	if (by_data) {
		check_found(c, v->kind, data, v->meta ? meta : NULL, v->why);
	} else {
		check_found(c, v->kind, meta, v->data ? data : NULL, v->why);
	}
}

static void
suspect(struct check *c, msgid id)
{
	if (c->n_suspects == c->cap_suspects) {
		c->cap_suspects = c->cap_suspects * 2 + 64;
		c->suspects = xrealloc(c->suspects,
		    c->cap_suspects * sizeof *c->suspects);
	}
	c->suspects[c->n_suspects++] = id;
}

static void
check_pair(struct check *c, msgid id)
{
	struct verdict v;

	judge(c, &c->journal, id, &v);
	c->scanned += v.mail;
	c->ok += v.mail && v.sound;
	if (v.mail && !v.sound) {
		if (c->live) {
			suspect(c, id);
		} else {
			report(c, id, &v);
		}
	}
}

static void
check_dir(struct check *c, unsigned d)
{
	struct spool_list l;
	char path[300];

	snprintf(path, sizeof path, "%02X", d);
	if (spool_dir_list(&c->dir, d, &l) < 0) {
		/* The spooler makes what is not there. */
		if (errno != ENOENT) {
			check_found(c, CHECK_DIRECTORY, path, NULL,
			    strerror(errno));
		}
		return;
	}
	for (size_t i = 0; i < l.n; i++) {
		check_pair(c, l.pairs[i].id);
		check_progress(c, d, SPOOL_DIRS);
	}
	for (size_t i = 0; i < l.n_foreign; i++) {
		snprintf(path, sizeof path, "%02X/%.255s", d, l.foreign[i]);
		check_found(c, CHECK_FOREIGN, path, NULL, "none of the "
		    "spool's names");
	}
	spool_list_fini(&l);
}

static bool
is_lost(const struct check *c, const struct journal_entry *e, msgid id)
{
	return e != NULL && (e->flags & (ENTRY_SETTLED | ENTRY_DONE)) ==
	    ENTRY_SETTLED && id_map_find(&c->kept, id) == NULL;
}

static void
report_lost(struct check *c, msgid id)
{
	char path[SPOOL_NAME];

	spool_name_of(id, true, path);
	check_found(c, CHECK_LOST, path, NULL, "the journal says that it was "
	    "settled; neither of its files is there");
}

/* The settled whose files are not there: with the journal's entries that no
 * file was met for. */
static void
find_lost(struct check *c)
{
	struct journal_entry *e;
	size_t at = 0;
	uint64_t id;

	while ((e = id_map_next(&c->journal.ids, &at, &id)) != NULL) {
		if ((e->flags & ENTRY_SEEN) != 0 || !is_lost(c, e, id)) {
			continue;
		}
		if (c->live) {
			suspect(c, id);
		} else {
			report_lost(c, id);
		}
	}
}

static void
judge_again(struct check *c, const struct spool_journal *j, msgid id)
{
	const struct journal_entry *e = spool_journal_find(j, id);
	struct verdict v;

	judge(c, j, id, &v);
	if (v.mail && !v.sound) {
		report(c, id, &v);
	} else if (v.mail) {
		c->ok++;
	} else if (!v.data && !v.meta && is_lost(c, e, id)) {
		report_lost(c, id);
	}
}

static int
check_suspects(struct check *c, struct error *err_out)
{
	struct spool_journal later;

	if (c->n_suspects == 0) {
		return 0;
	}
	if (spool_journal_open(&later, &c->dir, err_out) < 0) {
		return -1;
	}
	spool_journal_read(&later, NULL);
	for (size_t i = 0; i < c->n_suspects; i++) {
		judge_again(c, &later, c->suspects[i]);
	}
	spool_journal_close(&later);
	return 0;
}

/* Bodies with more names than messages: somebody outside could write them. */
static void
check_links(struct check *c)
{
	struct check_inode *n;
	char path[SPOOL_NAME], why[160];
	size_t at = 0;
	uint64_t inode;

	while (!c->live && (n = id_map_next(&c->inodes, &at, &inode)) != NULL) {
		if (n->seen == n->expected || n->first == MSGID_NONE) {
			continue;
		}
		spool_name_of(n->first, false, path);
		snprintf(why, sizeof why, "%llu links, of which %llu are known "
		    "here: something outside the spool shares this file",
		    (unsigned long long)n->expected,
		    (unsigned long long)n->seen);
		check_found(c, CHECK_LINKS, path, NULL, why);
	}
}

/* Before the directories: what is moved there now is counted as moved.  Whoever
 * is in there is not lost. */
static void
look_into_quarantine(struct check *c)
{
	int fd = c->dir.quarantine < 0 ? -1 : openat(c->dir.quarantine, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	msgid id;

	if (d == NULL) {
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || slice_ends_nocase(slice_of(
		    e->d_name), SLICE(".why"))) {
			continue;
		}
		c->in_quarantine++;
		id = spool_quarantined_id(e->d_name);
		if (id != MSGID_NONE) {
			*(bool *)id_map_add(&c->kept, id) = true;
		}
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		    0 && S_ISREG(st.st_mode)) {
			note_link(c, MSGID_NONE, &st);
		}
	}
	closedir(d);
}

/* Entries of an import: one that was taken shares its body with the store until
 * the importer takes it away. */
static void
look_into_pickup(struct check *c)
{
	int fd = openat(c->dir.base, "pickup", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	char path[300];

	if (d == NULL) {
		fdio_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (!slice_starts(slice_of(e->d_name), SLICE("import-"))) {
			continue;
		}
		c->in_pickup++;
		snprintf(path, sizeof path, "%.255s/data", e->d_name);
		if (fstatat(dirfd(d), path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode)) {
			note_link(c, MSGID_NONE, &st);
		}
	}
	closedir(d);
}

/* Bodies of large messages: their records are live, or a settle or removal of
 * them was under way. */
static void
list_large(struct check *c, struct id_map *sizes)
{
	int fd = openat(c->dir.base, "large", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	char path[300];
	msgid batch;

	if (d == NULL) {
		fdio_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.') {
			continue;
		}
		if (!spool_large_parse(e->d_name, &batch)) {
			snprintf(path, sizeof path, "large/%.255s", e->d_name);
			check_found(c, CHECK_FOREIGN, path, NULL, "none of "
			    "the spool's names");
		} else if (fstatat(dirfd(d), e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			note_link(c, MSGID_NONE, &st);
			*(uint64_t *)id_map_add(sizes, batch) =
			    (uint64_t)st.st_size;
			c->leftovers++;		/* unless a record has it */
		}
	}
	closedir(d);
}

static bool
has_mail(const struct check *c, size_t record, const struct envelope *env)
{
	for (uint32_t n = 0; n < env->n_rcpt; n++) {
		const struct journal_entry *e = spool_journal_find(&c->journal,
		    env->rcpt[n].id);

		if (journal_entry_is_mail(e) && e->record == record) {
			return true;
		}
	}
	return false;
}

static void
check_body(struct check *c, size_t record, const struct id_map *sizes)
{
	char path[SPOOL_NAME + 8];
	uint64_t at, size;
	const uint64_t *is;
	struct envelope env;

	scratch_reset(&c->mem);
	if (!spool_journal_envelope(&c->journal, record, &c->mem, &env, &at,
	    &size) || !has_mail(c, record, &env)) {
		return;
	}
	spool_large_name(env.batch_id, path);
	is = id_map_find(sizes, env.batch_id);
	c->leftovers -= is != NULL;
	if (c->live) {
		return;		/* it may come and go meanwhile */
	}
	if (is == NULL) {
		check_found(c, CHECK_LOST, path, NULL, "the journal has this "
		    "message, and its body is not there");
	} else if (*is != size) {
		check_found(c, CHECK_BODY_UNREADABLE, path, NULL, "it has not "
		    "the size that the journal states");
	}
}

static void
look_into_large(struct check *c)
{
	struct id_map sizes;

	id_map_init(&sizes, sizeof(uint64_t));
	list_large(c, &sizes);
	for (size_t i = 0; i < c->journal.n_records; i++) {
		if (c->journal.records[i].large) {
			check_body(c, i, &sizes);
		}
	}
	id_map_fini(&sizes);
}

int
check_store(struct check *c, struct error *err_out)
{
	id_map_init(&c->inodes, sizeof(struct check_inode));
	id_map_init(&c->kept, sizeof(bool));
	look_into_quarantine(c);
	look_into_pickup(c);
	look_into_large(c);
	for (unsigned d = 0; d < SPOOL_DIRS; d++) {
		check_dir(c, d);
		check_progress(c, d + 1, SPOOL_DIRS);
	}
	check_links(c);
	find_lost(c);
	return check_suspects(c, err_out);
}
