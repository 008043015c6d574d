/* SPDX-License-Identifier: Apache-2.0 */
/* All messages that match: the journal's first, as it is read first, so that
 * what settles meanwhile is found in the store. */
#include "helpers/show.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/base/fdio.h"

#define REASON_MAX 200u

static bool
is_enough(const struct show *s)
{
	return (s->filter.limit != 0 && s->out.lines >= s->filter.limit) ||
	    ferror(s->out.to);
}

static const char *
state_word(const struct show_item *i)
{
	return i->states & SHOW_QUARANTINED ? "quarantined" :
	    i->states & SHOW_DELAYED ? "delayed" : "active";
}

static void
print_item(struct show *s, const struct show_item *i)
{
	const struct meta *m = &i->meta;
	char id[MSGID_TEXT_LEN + 1];
	bool in_quarantine = (i->states & SHOW_QUARANTINED) != 0;

	msgid_format(m->rcpt.id, id);
	line_begin(&s->out);
	line_text(&s->out, "id", 20, slice_of(id));
	line_text(&s->out, "state", 7, slice_of(state_word(i)));
	if (in_quarantine) {
		line_text(&s->out, "file", 20, slice_of(i->file));
		line_text(&s->out, "reason", 20, slice_of(i->why != NULL ?
		    i->why : ""));
	} else {
		line_text(&s->out, "where", 7, slice_of(i->states &
		    SHOW_JOURNAL ? "journal" : "settled"));
	}
	line_time(&s->out, "received", 20, m->env.received_us);
	line_time(&s->out, "next", 20, m->next_us);
	line_num(&s->out, "tries", 5, m->attempts);
	line_num(&s->out, "size", 8, i->body_size);
	line_text(&s->out, "sender", 32, m->env.sender);
	line_text(&s->out, "recipient", 0, m->rcpt.addr);
	line_end(&s->out);
}

static void
offer(struct show *s, struct show_item *i)
{
	if ((i->states & SHOW_QUARANTINED) == 0) {
		show_set_due(i, s->now_us);
	}
	if (show_matches(&s->filter, i)) {
		print_item(s, i);
	}
}

static void
list_record(struct show *s, size_t record)
{
	uint64_t body_at, body_size;
	struct envelope env;

	scratch_reset(&s->mem);
	if (!spool_journal_envelope(&s->journal, record, &s->mem, &env,
	    &body_at, &body_size)) {
		return;
	}
	for (uint32_t n = 0; n < env.n_rcpt && !is_enough(s); n++) {
		struct journal_entry *e = spool_journal_find(&s->journal,
		    env.rcpt[n].id);
		struct show_item i = { .states = SHOW_JOURNAL,
			.body_size = body_size };

		if (!journal_entry_is_mail(e) || e->record != record) {
			continue;
		}
		e->flags |= ENTRY_SEEN;
		i.meta.env = env;
		i.meta.rcpt = env.rcpt[n];
		show_apply_entry(&i, e);
		offer(s, &i);
	}
}

static void
list_pair(struct show *s, const struct spool_pair *p)
{
	struct journal_entry *e = spool_journal_find(&s->journal, p->id);
	struct show_item i = { .states = SHOW_SETTLED };
	char path[SPOOL_NAME];
	const char *why;

	/* Without .meta it is being settled, or removed, or an orphan. */
	if (!p->meta || (e != NULL && (e->flags & (ENTRY_DONE |
	    ENTRY_SEEN)) != 0)) {
		return;
	}
	spool_name_of(p->id, true, path);
	scratch_reset(&s->mem);
	switch (spool_meta_load(&s->dir, path, p->id, &s->mem, &i.meta,
	    &why)) {
	case SPOOL_META_OK:
		i.body_size = i.meta.size;
		show_apply_entry(&i, e);
		offer(s, &i);
		break;
	case SPOOL_META_GONE:
		break;
	case SPOOL_META_BAD:
	case SPOOL_META_UNREADABLE:
		if (journal_entry_is_mail(e)) {
			break;	/* half a settle */
		}
		fprintf(stderr, "ec_show: %s: %s\n", path, why);
		s->skipped++;
		break;
	}
}

static void
list_store(struct show *s)
{
	for (unsigned d = 0; d < SPOOL_DIRS && !is_enough(s); d++) {
		struct spool_list l;

		if (spool_dir_list(&s->dir, d, &l) < 0) {
			if (errno != ENOENT) {
				fprintf(stderr, "ec_show: %s/%02X: %s\n",
				    s->dir.path, d, strerror(errno));
				s->skipped++;
			}
			continue;
		}
		for (size_t i = 0; i < l.n && !is_enough(s); i++) {
			list_pair(s, &l.pairs[i]);
		}
		spool_list_fini(&l);
	}
}

/* The first line of NAME.why. */
static void
read_reason(struct show *s, const char *path, char *out, size_t size)
{
	char name[320];
	struct stat st;
	ssize_t got = -1;
	int fd;

	snprintf(name, sizeof name, "%s.why", path);
	fd = spool_file_open(&s->dir, name, &st);
	if (fd >= 0) {
		got = fdio_pread_full(fd, out, size - 1, 0);
		close(fd);
	}
	out[got > 0 ? got : 0] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
}

static void
list_quarantined(struct show *s, const char *name)
{
	struct show_item i = { .states = SHOW_QUARANTINED };
	char path[300], reason[REASON_MAX];
	struct stat st;
	const char *why;
	int fd;

	snprintf(path, sizeof path, "quarantine/%.255s", name);
	fd = spool_file_open(&s->dir, path, &st);
	if (fd < 0) {
		return;
	}
	close(fd);
	scratch_reset(&s->mem);
	if (strstr(name, ".meta.") == NULL || spool_meta_load(&s->dir, path,
	    MSGID_NONE, &s->mem, &i.meta, &why) != SPOOL_META_OK) {
		memset(&i.meta, 0, sizeof i.meta);
	}
	i.meta.rcpt.id = spool_quarantined_id(name);
	i.body_size = (uint64_t)st.st_size;
	i.file = path;
	read_reason(s, path, reason, sizeof reason);
	i.why = reason;
	offer(s, &i);
}

static void
list_quarantine(struct show *s)
{
	int fd = s->dir.quarantine < 0 ? -1 : openat(s->dir.quarantine, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		return;
	}
	while ((e = readdir(d)) != NULL && !is_enough(s)) {
		if (e->d_name[0] != '.' && !slice_ends_nocase(
		    slice_of(e->d_name), SLICE(".why"))) {
			list_quarantined(s, e->d_name);
		}
	}
	closedir(d);
}

int
show_list(struct show *s)
{
	unsigned where = s->filter.states & (SHOW_JOURNAL | SHOW_SETTLED |
	    SHOW_QUARANTINED);

	if (where != SHOW_QUARANTINED) {
		spool_journal_read(&s->journal, NULL);
		for (size_t i = 0; i < s->journal.n_records &&
		    !is_enough(s); i++) {
			list_record(s, i);
		}
	}
	if (where == 0 || (where & SHOW_SETTLED) != 0) {
		list_store(s);
	}
	if ((where & SHOW_QUARANTINED) != 0) {
		list_quarantine(s);
	}
	return 0;
}
