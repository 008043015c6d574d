/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/preflight/tree.h"

#include <limits.h>
#include <sys/stat.h>

#include "common/base/fdio.h"
#include "common/base/slice.h"

#define PARTS "/sys/devices/pci/"	/* disks and partitions */
#define VIRTUAL "/sys/devices/virtual/"
/* From VIRTUAL/NAME/slaves and from /sys/dev/block to /sys. */
#define UP_SLAVES "../../../../"
#define UP_LINKS "../../"

static void
in_tree(const struct tree *t, char out[PATH_MAX], const char *fmt, ...)
	EC_PRINTF(3, 4);

static void
in_tree(const struct tree *t, char out[PATH_MAX], const char *fmt, ...)
{
	int n = snprintf(out, PATH_MAX, "%s", t->root);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, PATH_MAX - (size_t)n, fmt, ap);
	va_end(ap);
}

static void
make_parents(const char *path)
{
	char part[PATH_MAX];

	for (size_t i = 1; path[i] != '\0'; i++) {
		if (path[i] == '/') {
			slice_copy(part, sizeof part, slice_make(path, i));
			ec_assert(mkdir(part, 0755) == 0 || errno == EEXIST);
		}
	}
}

static void
write_file(const char *path, struct slice text)
{
	FILE *f;

	make_parents(path);
	f = fopen(path, "we");
	ec_assert(f != NULL);
	ec_assert(text.len == 0 || fwrite(text.ptr, 1, text.len, f) ==
	    text.len);
	ec_assert(fclose(f) == 0);
}

static void
put(const struct tree *t, const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX], line[300];

	in_tree(t, path, "%s/%s", dir, name);
	snprintf(line, sizeof line, "%s\n", text);
	write_file(path, slice_of(line));
}

static void
link_to(const struct tree *t, const char *from, const char *target)
{
	char path[PATH_MAX];

	in_tree(t, path, "%s", from);
	make_parents(path);
	ec_assert(symlink(target, path) == 0);
}

/* uevent, and the two links by which a device is found. */
static void
add_device(const struct tree *t, const char *dir, const char *name,
	const char *number)
{
	char text[200], from[200], to[PATH_MAX];

	snprintf(text, sizeof text, "DEVTYPE=disk\nDEVNAME=%s", name);
	put(t, dir, "uevent", text);
	snprintf(to, sizeof to, "%s%s", UP_LINKS, dir + strlen("/sys/"));
	snprintf(from, sizeof from, "/sys/dev/block/%s", number);
	link_to(t, from, to);
	snprintf(from, sizeof from, "/sys/class/block/%s", name);
	link_to(t, from, to);
}

/* At most n words of a line; the rest of the array is empty. */
static unsigned
split(struct slice line, char words[][128], unsigned n)
{
	unsigned count = 0;

	while (line.len > 0 && count < n) {
		struct slice word = slice_cut(&line, ' ');

		if (word.len > 0) {
			ec_assert(slice_copy(words[count++], 128, word));
		}
	}
	return count;
}

static void
add_disk(const struct tree *t, char w[][128])
{
	char dir[200];

	snprintf(dir, sizeof dir, PARTS "%s", w[1]);
	add_device(t, dir, w[1], w[2]);
	if (strcmp(w[3], "-") != 0) {
		put(t, dir, "queue/write_cache", strcmp(w[3], "back") == 0 ?
		    "write back" : "write through");
	}
}

static void
add_part(const struct tree *t, char w[][128])
{
	char dir[300];

	snprintf(dir, sizeof dir, PARTS "%s/%s", w[1], w[2]);
	add_device(t, dir, w[2], w[3]);
	put(t, dir, "partition", "1");
}

/* The links under slaves, by way of what class/block already knows. */
static void
add_members(const struct tree *t, const char *name, char w[][128],
	unsigned from, unsigned n)
{
	char link[400], to[200];

	for (unsigned i = from; i < n; i++) {
		snprintf(link, sizeof link, VIRTUAL "%s/slaves/%s", name,
		    w[i]);
		snprintf(to, sizeof to, UP_SLAVES "class/block/%s", w[i]);
		link_to(t, link, to);
	}
}

static void
add_virtual(const struct tree *t, char w[][128], unsigned n)
{
	char dir[200];

	snprintf(dir, sizeof dir, VIRTUAL "%s", w[1]);
	add_device(t, dir, w[1], w[2]);
	if (strcmp(w[0], "md") == 0) {
		put(t, dir, "md/level", w[3]);
		put(t, dir, "md/degraded", w[4]);
		add_members(t, w[1], w, 5, n);
	} else if (strcmp(w[0], "dm") == 0) {
		put(t, dir, "dm/name", w[3]);
		put(t, dir, "dm/uuid", strcmp(w[4], "-") == 0 ? "" : w[4]);
		add_members(t, w[1], w, 5, n);
	} else if (strcmp(w[0], "loop") == 0) {
		put(t, dir, "loop/backing_file", "/image");
	}
}

static void
add_expect(struct tree *t, struct slice line)
{
	struct tree_expect *e = &t->expects[t->n_expects++];
	char path[PATH_MAX];

	ec_assert(t->n_expects <= TREE_EXPECTS);
	slice_cut(&line, ' ');
	slice_copy(e->spool, sizeof e->spool, slice_cut(&line, ' '));
	slice_copy(e->finding, sizeof e->finding, slice_cut(&line, ' '));
	slice_copy(e->level, sizeof e->level, slice_cut(&line, ' '));
	slice_copy(e->words, sizeof e->words, line);
	/* A place that is missing would be looked for in its parents. */
	in_tree(t, path, "%s/", e->spool);
	make_parents(path);
}

static void
allow(struct tree *t, const char *what)
{
	t->request.allow_xfs |= strcmp(what, "xfs") == 0;
	t->request.allow_no_barrier |= strcmp(what, "barrier") == 0;
	t->request.allow_no_sync |= strcmp(what, "sync") == 0;
}

static void
do_line(struct tree *t, struct slice line)
{
	char w[16][128] = { { 0 } };
	unsigned n = split(line, w, ARRAY_LEN(w));

	if (strcmp(w[0], "disk") == 0) {
		add_disk(t, w);
	} else if (strcmp(w[0], "part") == 0) {
		add_part(t, w);
	} else if (strcmp(w[0], "log") == 0) {
		slice_copy(t->logs[t->request.n_logs],
		    sizeof t->logs[0], slice_of(w[1]));
		t->request.logs[t->request.n_logs] =
		    t->logs[t->request.n_logs];
		t->request.n_logs++;
	} else if (strcmp(w[0], "allow") == 0) {
		allow(t, w[1]);
	} else if (strcmp(w[0], "expect") == 0) {
		add_expect(t, line);
	} else if (strcmp(w[0], "md") == 0 || strcmp(w[0], "dm") == 0 ||
	    strcmp(w[0], "loop") == 0 || strcmp(w[0], "ram") == 0) {
		add_virtual(t, w, n);
	} else {
		panic("tree: unknown line: %.*s", SLICE_ARG(line));
	}
}

/* *rest begins behind the "file" line; a NUL is written as a bar in environ. */
static void
do_file(const struct tree *t, struct slice name, struct slice *rest)
{
	char path[PATH_MAX];
	struct slice body = *rest;
	size_t len = 0;
	char *copy;

	for (;;) {
		struct slice line = slice_cut(rest, '\n');

		if (slice_eq(line, SLICE("."))) {
			break;
		}
		len += line.len + 1;
		ec_assert(rest->len > 0);
	}
	copy = slice_dup(slice_make(body.ptr, len));
	for (size_t i = 0; i < len && slice_eq(name,
	    SLICE("/proc/self/environ")); i++) {
		copy[i] = copy[i] == '\n' ? '\0' : copy[i];
	}
	in_tree(t, path, "%.*s", SLICE_ARG(name));
	write_file(path, slice_make(copy, len));
	free(copy);
}

void
tree_build(struct tree *t, const char *path)
{
	struct error err;
	struct buf text;
	struct slice rest;

	memset(t, 0, sizeof *t);
	snprintf(t->root, sizeof t->root, "/tmp/ec-tree-XXXXXX");
	ec_assert(mkdtemp(t->root) != NULL);
	t->request.root = t->root;
	t->request.queue = 1000;
	buf_init(&text, 1u << 20);
	if (fdio_slurp(path, &text, &err) < 0) {
		panic("%s", err.text);
	}
	rest = buf_slice(&text);
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');

		if (slice_starts(line, SLICE("file "))) {
			do_file(t, slice_skip(line, 5), &rest);
		} else if (line.len > 0 && line.ptr[0] != '#') {
			do_line(t, line);
		}
	}
	buf_fini(&text);
}

void
tree_remove(struct tree *t)
{
	char command[sizeof t->root + 16];

	snprintf(command, sizeof command, "rm -rf %s", t->root);
	ec_assert(system(command) == 0);
}
