/* SPDX-License-Identifier: Apache-2.0 */
/* What the disk has for sure, and what it was told of since. */
#include "tests/support/crashfs_priv.h"

#include <fcntl.h>

uint64_t
disk_random(struct crashfs *c)
{
	uint64_t x = c->rng += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

struct inode *
disk_find(const struct crashfs *c, const struct stat *st)
{
	struct inode *i = c->inodes;

	while (i != NULL && (i->dev != st->st_dev || i->ino != st->st_ino)) {
		i = i->next;
	}
	return i;
}

struct inode *
disk_of(const struct crashfs *c, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? NULL : disk_find(c, &st);
}

struct inode *
disk_take_fd(struct crashfs *c, int fd)
{
	struct inode *i = xcalloc(1, sizeof *i);
	struct stat st;

	ec_assert(fd >= 0 && fstat(fd, &st) == 0);
	i->fd = fd;
	i->dev = st.st_dev;
	i->ino = st.st_ino;
	i->mode = st.st_mode;
	i->last = &i->first;
	i->next = c->inodes;
	c->inodes = i;
	return i;
}

struct inode *
disk_new(struct crashfs *c, int fd)
{
	return disk_take_fd(c, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

void
disk_inode_free(struct inode *i)
{
	while (i->first != NULL) {
		struct change *h = i->first;

		i->first = h->next;
		free(h);
	}
	for (unsigned n = 0; n < i->n_names; n++) {
		free(i->names[n].text);
	}
	free(i->names);
	free(i->bytes);
	close(i->fd);
	free(i);
}

/* Durable contents. */

static void
put_size(struct inode *i, uint64_t size)
{
	i->hashed = false;
	if (size != i->size) {
		i->bytes = xrealloc(i->bytes, size + 1);
	}
	if (size > i->size) {
		memset(i->bytes + i->size, 0, size - i->size);
	}
	i->size = size;
}

static void
put_bytes(struct inode *i, uint64_t at, const char *p, size_t n)
{
	put_size(i, EC_MAX(i->size, at + n));
	memcpy(i->bytes + at, p, n);
}

static void
put_change(struct inode *i, const struct change *h)
{
	if (h->truncate) {
		put_size(i, h->at);
	} else {
		put_bytes(i, h->at, h->bytes, h->len);
	}
}

static void
put_name(struct inode *dir, const char *text, struct inode *to)
{
	unsigned n = 0;

	while (n < dir->n_names && strcmp(dir->names[n].text, text) != 0) {
		n++;
	}
	if (n < dir->n_names && to == NULL) {
		free(dir->names[n].text);
		dir->names[n] = dir->names[--dir->n_names];
	} else if (n < dir->n_names) {
		dir->names[n].to = to;
	} else if (to != NULL) {
		dir->names = xrealloc(dir->names,
		    (n + 1) * sizeof *dir->names);
		dir->names[dir->n_names++] = (struct name){ xstrdup(text), to };
	}
}

static void
put_naming(const struct naming *h)
{
	for (unsigned k = 0; k < h->n; k++) {
		put_name(h->part[k].dir, h->part[k].text, h->part[k].to);
	}
}

/* Changes. */

void
disk_add_change(struct crashfs *c, struct inode *i, bool truncate, uint64_t at,
    const void *p, size_t n)
{
	struct change *h = xcalloc(1, sizeof *h + n);

	c->version++;
	h->truncate = truncate;
	h->at = at;
	h->len = n;
	if (n > 0) {
		memcpy(h->bytes, p, n);
	}
	*i->last = h;
	i->last = &h->next;
}

void
disk_add_naming(struct crashfs *c, unsigned n, const struct part *parts)
{
	struct naming *h = xcalloc(1, sizeof *h);

	c->version++;
	h->n = n;
	for (unsigned k = 0; k < n; k++) {
		h->part[k] = parts[k];
		h->part[k].text = xstrdup(parts[k].text);
	}
	*c->last_name = h;
	c->last_name = &h->next;
}

static void
naming_remove(struct crashfs *c, struct naming **at)
{
	struct naming *h = *at;

	*at = h->next;
	if (h->next == NULL) {
		c->last_name = at;
	}
	for (unsigned k = 0; k < h->n; k++) {
		free(h->part[k].text);
	}
	free(h);
}

void
disk_forget_namings(struct crashfs *c)
{
	while (c->names != NULL) {
		naming_remove(c, &c->names);
	}
}

static bool
touches(const struct naming *h, const struct inode *dir, const char *text)
{
	for (unsigned k = 0; k < h->n; k++) {
		if (h->part[k].dir == dir && (text == NULL ||
		    strcmp(h->part[k].text, text) == 0)) {
			return true;
		}
	}
	return false;
}

void
disk_file_synced(struct crashfs *c, struct inode *i, bool ok)
{
	c->version++;
	for (struct change *h = i->first; h != NULL; h = h->next) {
		if (h->state == PENDING) {
			h->state = ok ? DONE : LOST;
		}
	}
	while (i->first != NULL && i->first->state == DONE) {
		struct change *h = i->first;

		put_change(i, h);
		i->first = h->next;
		free(h);
	}
	if (i->first == NULL) {
		i->last = &i->first;
	}
}

/* Everything earlier in a directory that a marked change touches goes with
 * it: a rename out of it must not come to the disk before the create. */
static void
mark(struct crashfs *c, const struct inode *dir)
{
	bool more = true;

	for (struct naming *h = c->names; h != NULL; h = h->next) {
		h->marked = h->state == PENDING && touches(h, dir, NULL);
	}
	while (more) {
		more = false;
		for (struct naming *h = c->names; h != NULL; h = h->next) {
			for (struct naming *e = c->names; h->marked && e != h;
			    e = e->next) {
				if (!e->marked && e->state == PENDING &&
				    (touches(e, h->part[0].dir, NULL) ||
				    touches(e, h->part[h->n - 1].dir, NULL))) {
					e->marked = more = true;
				}
			}
		}
	}
}

/* A lost change of a name that a later one has settled can come no more. */
static void
supersede(struct crashfs *c, const struct naming *by)
{
	struct naming **at = &c->names;

	while (*at != by) {
		if (touches(*at, by->part[0].dir, by->part[0].text) ||
		    touches(*at, by->part[by->n - 1].dir,
		    by->part[by->n - 1].text)) {
			naming_remove(c, at);
		} else {
			at = &(*at)->next;
		}
	}
}

void
disk_dir_synced(struct crashfs *c, const struct inode *dir, bool ok)
{
	struct naming **at = &c->names;

	c->version++;
	mark(c, dir);
	while (*at != NULL) {
		struct naming *h = *at;

		if (!h->marked) {
			at = &h->next;
			continue;
		}
		if (!ok) {
			h->state = LOST;
			at = &h->next;
			continue;
		}
		put_naming(h);
		supersede(c, h);
		for (at = &c->names; *at != h; at = &(*at)->next) {
			/* removal may have moved the links before it */
		}
		naming_remove(c, at);
	}
}

void
disk_all_synced(struct crashfs *c, bool ok)
{
	for (struct inode *i = c->inodes; i != NULL; i = i->next) {
		if (S_ISDIR(i->mode)) {
			disk_dir_synced(c, i, ok);
		} else {
			disk_file_synced(c, i, ok);
		}
	}
}
