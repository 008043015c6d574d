/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices, from sysfs. */
#include "helpers/preflight/devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "common/base/fdio.h"
#include "common/base/num.h"
#include "common/base/slice.h"

/* The trimmed text of a small file; false if it is not there. */
static bool
read_attribute(const char *dir, const char *name, char *out, size_t size)
{
	char path[PATH_MAX + 64], text[256];
	struct slice s;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	n = fdio_read_full(fd, text, sizeof text);
	close(fd);
	if (n < 0) {
		return false;
	}
	s = slice_make(text, (size_t)n);
	slice_copy(out, size, slice_trim(slice_cut(&s, '\n')));
	return true;
}

static bool
has_entry(const char *dir, const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* DEVNAME of the uevent file: the kernel's own name, the link's aside. */
static void
read_name(const char *dir, struct facts_device *d)
{
	char path[PATH_MAX + 64];
	struct buf b;
	struct slice rest, line;

	snprintf(path, sizeof path, "%s/uevent", dir);
	buf_init(&b, 8192);
	if (fdio_slurp(path, &b, NULL) == 0) {
		rest = buf_slice(&b);
		while (rest.len > 0) {
			line = slice_cut(&rest, '\n');
			if (slice_starts(line, SLICE("DEVNAME="))) {
				slice_copy(d->name, sizeof d->name,
				    slice_skip(line, 8));
			}
		}
	}
	buf_fini(&b);
}

static void
read_cache(const char *dir, struct facts_device *d)
{
	char text[32];

	if (!read_attribute(dir, "queue/write_cache", text, sizeof text)) {
		d->cache = CACHE_UNKNOWN;
	} else if (strcmp(text, "write back") == 0) {
		d->cache = CACHE_BACK;
	} else if (strcmp(text, "write through") == 0) {
		d->cache = CACHE_THROUGH;
	}
}

static void
read_kind(const char *dir, struct facts_device *d)
{
	char text[32];
	uint64_t n;

	d->kind = DEVICE_DISK;
	if (has_entry(dir, "partition")) {
		d->kind = DEVICE_PARTITION;
	} else if (has_entry(dir, "md")) {
		d->kind = DEVICE_MD;
		read_attribute(dir, "md/level", d->level, sizeof d->level);
		if (read_attribute(dir, "md/degraded", text, sizeof text) &&
		    num_parse_max(slice_of(text), UINT32_MAX, &n)) {
			d->degraded = (uint32_t)n;
		}
	} else if (has_entry(dir, "dm")) {
		d->kind = DEVICE_DM;
		read_attribute(dir, "dm/name", d->dm_name, sizeof d->dm_name);
		read_attribute(dir, "dm/uuid", d->dm_uuid, sizeof d->dm_uuid);
	} else if (has_entry(dir, "loop")) {
		d->kind = DEVICE_LOOP;
	} else if (strncmp(d->name, "zram", 4) == 0 ||
	    strncmp(d->name, "ram", 3) == 0) {
		d->kind = DEVICE_RAM;
	}
}

/* One device at dir; its index, or -1 when the stack is full. */
static int
add_one(const char *dir, int above, struct facts_stack *out)
{
	struct facts_device *d;

	if (out->count == FACTS_DEVICES) {
		out->is_cut = true;
		return -1;
	}
	d = &out->devices[out->count];
	memset(d, 0, sizeof *d);
	d->above = above;
	read_name(dir, d);
	read_kind(dir, d);
	read_cache(dir, d);
	return (int)out->count++;
}

static void add_all(const char *dir, int above, unsigned depth,
	struct facts_stack *out);

static void
add_slaves(const char *dir, int above, unsigned depth,
	struct facts_stack *out)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	if (snprintf(path, sizeof path, "%s/slaves", dir) >= PATH_MAX) {
		return;
	}
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		char next[PATH_MAX + 300];

		if (e->d_name[0] == '.') {
			continue;
		}
		snprintf(next, sizeof next, "%s/%s", path, e->d_name);
		add_all(next, above, depth + 1, out);
	}
	if (d != NULL) {
		closedir(d);
	}
}

/* Deeper than any real machine is a loop in a recorded tree. */
static void
add_all(const char *dir, int above, unsigned depth, struct facts_stack *out)
{
	char parent[PATH_MAX];
	int me;

	if (depth > 12 || !has_entry(dir, "uevent")) {
		return;
	}
	me = add_one(dir, above, out);
	if (me < 0) {
		return;
	}
	if (out->devices[me].kind == DEVICE_PARTITION) {
		/* The link is followed first, so this is the disk's own. */
		if (snprintf(parent, sizeof parent, "%s/..", dir) < PATH_MAX) {
			add_all(parent, me, depth + 1, out);
		}
	} else if (out->devices[me].kind == DEVICE_MD ||
	    out->devices[me].kind == DEVICE_DM) {
		add_slaves(dir, me, depth, out);
	}
}

void
devices_of_path(const char *root, const char *path, struct facts_stack *out)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	memset(out, 0, sizeof *out);
	if (slash != NULL && slash[1] != '\0' && strcmp(slash + 1, "..") != 0 &&
	    snprintf(dir, sizeof dir, "%s/sys/class/block/%s", root,
	    slash + 1) < PATH_MAX) {
		add_all(dir, -1, 0, out);
	}
}

void
devices_of_mount(const char *root, const struct facts_mount *m,
	struct facts_stack *out)
{
	char dir[PATH_MAX];

	memset(out, 0, sizeof *out);
	if (snprintf(dir, sizeof dir, "%s/sys/dev/block/%u:%u", root,
	    m->major, m->minor) < PATH_MAX) {
		add_all(dir, -1, 0, out);
	}
	/* Btrfs gives its mounts a number that no device has. */
	if (out->count == 0 && strncmp(m->source, "/dev/", 5) == 0) {
		devices_of_path(root, m->source, out);
	}
}

bool
device_is_leaf(const struct facts_stack *s, unsigned index)
{
	for (unsigned i = index + 1; i < s->count; i++) {
		if (s->devices[i].above == (int)index) {
			return false;
		}
	}
	return true;
}

void
devices_shared(const struct facts_stack *a, const struct facts_stack *b,
	char *out, size_t size)
{
	out[0] = '\0';
	for (unsigned i = 0; i < a->count; i++) {
		for (unsigned k = 0; k < b->count; k++) {
			const char *name = a->devices[i].name;

			if (device_is_leaf(a, i) && device_is_leaf(b, k) &&
			    name[0] != '\0' &&
			    strcmp(name, b->devices[k].name) == 0) {
				slice_copy(out, size, slice_of(name));
				return;
			}
		}
	}
}
