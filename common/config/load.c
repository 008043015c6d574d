/* SPDX-License-Identifier: Apache-2.0 */
/* Files: reading, includes and their search path. */
#include "common/base/fdio.h"
#include "common/config/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define REPORT_MAX (1u << 20)	/* bytes of messages of one kind */

/* The files that are being read, innermost first. */
struct open_file {
	const struct open_file *outer;
	dev_t dev;
	ino_t ino;
	const char *path;
};

struct loader {
	const struct open_file *innermost;
	unsigned depth;
	size_t total_bytes;
};

void
config_report_init(struct config_report *r)
{
	*r = (struct config_report){ 0 };
	buf_init(&r->errors, REPORT_MAX);
	buf_init(&r->warnings, REPORT_MAX);
}

void
config_report_fini(struct config_report *r)
{
	buf_fini(&r->errors);
	buf_fini(&r->warnings);
	r->n_errors = r->n_warnings = 0;
}

static bool
is_open(const struct loader *l, const struct stat *st)
{
	for (const struct open_file *f = l->innermost; f; f = f->outer) {
		if (f->dev == st->st_dev && f->ino == st->st_ino) {
			return true;
		}
	}
	return false;
}

static void
parse_file(struct builder *b, const char *path, const struct stat *st,
	struct slice text)
{
	struct loader *l = b->include_ctx;
	struct open_file me = { .outer = l->innermost, .dev = st->st_dev,
		.ino = st->st_ino, .path = path };
	uint32_t file = b->file, line = b->line;

	l->innermost = &me;
	l->depth++;
	b->file = builder_add_file(b, slice_of(path));
	grammar_read(b, text, false);
	b->file = file;
	b->line = line;
	l->depth--;
	l->innermost = me.outer;
}

static void
read_file(struct builder *b, const char *path, const struct stat *st)
{
	struct loader *l = b->include_ctx;
	struct error err;
	struct buf text;

	if (is_open(l, st)) {
		builder_error(b, "%s includes itself", path);
		return;
	}
	if (l->depth >= CONFIG_MAX_INCLUDE) {
		builder_error(b, "%s: files are included more than %u deep",
		    path, CONFIG_MAX_INCLUDE);
		return;
	}
	if (st->st_size > (off_t)CONFIG_MAX_FILE) {
		builder_error(b, "%s is larger than %u bytes", path,
		    CONFIG_MAX_FILE);
		return;
	}
	/* One more, so that end of file is seen at exactly the bound. */
	buf_init(&text, CONFIG_MAX_FILE + 1u);
	if (fdio_slurp(path, &text, &err) < 0) {
		builder_error(b, "%s", err.text);
	} else if (text.len > CONFIG_MAX_TOTAL - l->total_bytes) {
		builder_error(b, "%s: the files are larger than %u bytes "
		    "together", path, CONFIG_MAX_TOTAL);
		b->stop = true;
	} else {
		l->total_bytes += text.len;
		parse_file(b, path, st, buf_slice(&text));
	}
	buf_fini(&text);
}

static int
is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* Bytewise, whatever the locale: the same order on every machine. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_directory(struct builder *b, const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, is_visible, by_name);

	if (n < 0) {
		builder_error(b, "cannot read directory %s: %s", path,
		    strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];
		struct stat st;
		int len = snprintf(file, sizeof file, "%s/%s", path,
		    names[i]->d_name);

		if (len < (int)sizeof file && stat(file, &st) == 0 &&
		    S_ISREG(st.st_mode) && !b->stop) {
			read_file(b, file, &st);
		}
		free(names[i]);
	}
	free(names);
}

/* False if nothing is there; errors of what is there are reported. */
static bool
read_path(struct builder *b, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR) {
			return false;
		}
		builder_error(b, "cannot open %s: %s", path, strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		read_directory(b, path);
	} else if (S_ISREG(st.st_mode)) {
		read_file(b, path, &st);
	} else {
		builder_error(b, "%s is neither a file nor a directory", path);
	}
	return true;
}

static bool
read_below(struct builder *b, struct slice dir, struct slice name)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%.*s/%.*s", SLICE_ARG(dir),
	    SLICE_ARG(name));

	return len < (int)sizeof path && read_path(b, path);
}

static bool
read_searched(struct builder *b, struct slice name)
{
	const char *env = getenv("EC_CONF_SEARCH_PATH");
	struct slice rest = slice_of(env && env[0] ? env : EC_SYSCONFDIR ":"
	    EC_SYSCONFDIR "/conf/global:" EC_SYSCONFDIR "/conf/default");

	while (rest.len > 0) {
		struct slice dir = slice_cut(&rest, ':');

		if (dir.len > 0 && read_below(b, dir, name)) {
			return true;
		}
	}
	return false;
}

/* Absolute; else beside the including file; else along the search path. */
static void
include(struct builder *b, struct slice name)
{
	struct loader *l = b->include_ctx;
	struct slice dir = slice_of(l->innermost->path);
	ssize_t slash = slice_rfind(dir, '/');
	bool found;

	if (name.len == 0) {
		builder_error(b, "include needs the name of a file or "
		    "directory");
		return;
	}
	dir = slash < 0 ? SLICE(".") : slice_make(dir.ptr, (size_t)slash);
	if (name.ptr[0] == '/') {
		found = read_path(b, name.ptr);
	} else if (slash < 0) {
		found = read_path(b, name.ptr) || read_searched(b, name);
	} else {
		found = read_below(b, dir, name) || read_searched(b, name);
	}
	if (!found) {
		builder_error(b, "cannot open included \"%.*s\": there is no "
		    "such file%s", SLICE_ARG(name), name.ptr[0] == '/' ? "" :
		    " beside this one or in the search path");
	}
}

struct config *
config_load(const char *path, struct config_report *report)
{
	struct loader loader = { 0 };
	struct builder b;

	builder_init(&b, report);
	b.include = include;
	b.include_ctx = &loader;
	b.file = NO_FILE;	/* a message about the file itself */
	if (!read_path(&b, path)) {
		builder_error(&b, "cannot open %s: %s", path, strerror(ENOENT));
	}
	return builder_finish(&b);
}

struct config *
config_parse(struct slice text, const char *name, struct config_report *report)
{
	bool is_frozen = slice_starts(text, SLICE(FROZEN_HEAD));
	struct builder b;

	builder_init(&b, report);
	b.file = is_frozen ? NO_FILE : builder_add_file(&b, slice_of(name));
	if (text.len > CONFIG_MAX_TOTAL) {
		builder_error(&b, "%s is larger than %u bytes", name,
		    CONFIG_MAX_TOTAL);
	} else {
		grammar_read(&b, text, is_frozen);
	}
	return builder_finish(&b);
}

void
config_destroy(struct config **cfg)
{
	if (*cfg == NULL) {
		return;
	}
	free((*cfg)->slots);
	free((*cfg)->files);
	scratch_fini(&(*cfg)->mem);
	free(*cfg);
	*cfg = NULL;
}
