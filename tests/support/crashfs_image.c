/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the disk may hold after the power was lost.  An image borrows what is
 * durable and untouched, and has copies of the rest; nothing of the disk it is
 * made of changes.
 */
#include "tests/support/crashfs_priv.h"

#include <fcntl.h>
#include <ftw.h>
#include <xxhash.h>

struct image_name {
	const char *text;
	unsigned to;
};

struct image_inode {
	mode_t mode;
	char *bytes;
	uint64_t size;
	bool owned;		/* bytes */
	struct inode *of;	/* while the image is made */
	uint64_t known_hash;	/* if hashed */
	bool hashed;
	struct image_name *names;
	unsigned n_names;
	/* While its tree is made: */
	struct inode *made;
	char *path;
};

struct crashfs_image {
	struct crashfs dice;	/* only its random numbers */
	enum crashfs_loss bytes;
	uint64_t open, nth;	/* for one kept or lost: changes passed, which */
	struct image_inode *i;
	unsigned n;
};

/* Bytes. */

static void
image_size(struct image_inode *i, uint64_t size)
{
	char *to;

	i->hashed = false;
	if (i->owned && size <= i->size) {
		i->size = size;
		return;
	}
	to = xcalloc(1, size + 1);
	if (i->size > 0) {
		memcpy(to, i->bytes, EC_MIN(size, i->size));
	}
	if (i->owned) {
		free(i->bytes);
	}
	i->bytes = to;
	i->size = size;
	i->owned = true;
}

static void
image_bytes(struct image_inode *i, uint64_t at, const char *p, size_t n)
{
	i->hashed = false;
	if (!i->owned || at + n > i->size) {
		image_size(i, EC_MAX(i->size, at + n));
	}
	memcpy(i->bytes + at, p, n);
}

static void
image_change(struct image_inode *i, const struct change *h)
{
	if (h->truncate) {
		image_size(i, h->at);
	} else {
		image_bytes(i, h->at, h->bytes, h->len);
	}
}

static void
mix_bytes(struct crashfs_image *m, struct image_inode *i,
    const struct change *h, uint64_t block)
{
	uint64_t at = h->at, end = h->at + h->len;

	if (h->truncate) {
		if (disk_random(&m->dice) & 1) {
			image_size(i, h->at);
		}
		return;
	}
	while (at < end) {
		uint64_t next = EC_MIN(end, (at / block + 1) * block);

		if (disk_random(&m->dice) & 1) {
			image_bytes(i, at, h->bytes + (at - h->at), next - at);
		}
		at = next;
	}
}

static void
tear_bytes(struct crashfs_image *m, struct image_inode *i,
    const struct change *h, uint64_t block)
{
	uint64_t cut = h->at + (h->len == 0 ? 0 :
	    disk_random(&m->dice) % h->len);

	cut = cut / block * block;
	if (!h->truncate && cut > h->at) {
		image_bytes(i, h->at, h->bytes, cut - h->at);
	}
}

/* One open change as this kind of loss has it; kept: how many more are whole
 * when torn. */
static void
lose_change(struct crashfs_image *m, struct image_inode *i,
    const struct change *h, uint64_t *kept, bool *torn)
{
	switch (m->bytes) {
	case CRASHFS_KEEP:
		image_change(i, h);
		break;
	case CRASHFS_TORN_512:
	case CRASHFS_TORN_4096:
		if (*kept > 0) {
			(*kept)--;
			image_change(i, h);
		} else if (!*torn) {
			*torn = true;
			tear_bytes(m, i, h, m->bytes == CRASHFS_TORN_512 ?
			    512 : 4096);
		}
		break;
	case CRASHFS_MIXED_512:
	case CRASHFS_MIXED_4096:
		mix_bytes(m, i, h, m->bytes == CRASHFS_MIXED_512 ? 512 : 4096);
		break;
	case CRASHFS_ONE_KEPT:
	case CRASHFS_ONE_LOST:
		if ((m->open == m->nth) == (m->bytes == CRASHFS_ONE_KEPT)) {
			image_change(i, h);
		}
		break;
	case CRASHFS_DROP:
	case CRASHFS_LOSSES:
		break;
	}
	m->open++;
}

static void
lose_file(struct crashfs_image *m, struct image_inode *i)
{
	uint64_t open = 0, kept;
	bool torn = false;

	for (const struct change *h = i->of->first; h != NULL; h = h->next) {
		open += h->state != DONE;
	}
	kept = disk_random(&m->dice) % (open + 1);
	for (const struct change *h = i->of->first; h != NULL; h = h->next) {
		if (h->state == DONE) {
			image_change(i, h);
		} else {
			lose_change(m, i, h, &kept, &torn);
		}
	}
}

static uint64_t
open_changes(const struct crashfs *c)
{
	uint64_t n = 0;

	for (const struct inode *i = c->inodes; i != NULL; i = i->next) {
		for (const struct change *h = i->first; h != NULL;
		    h = h->next) {
			n += h->state != DONE;
		}
	}
	return n;
}

/* Names. */

static void
image_name(struct crashfs_image *m, const struct part *p)
{
	struct image_inode *dir = &m->i[p->dir->in_image];
	unsigned n = 0;

	while (n < dir->n_names && strcmp(dir->names[n].text, p->text) != 0) {
		n++;
	}
	if (n < dir->n_names && p->to == NULL) {
		dir->names[n] = dir->names[--dir->n_names];
	} else if (n < dir->n_names) {
		dir->names[n].to = p->to->in_image;
	} else if (p->to != NULL) {
		dir->names = xrealloc(dir->names,
		    (n + 1) * sizeof *dir->names);
		dir->names[dir->n_names++] = (struct image_name){ p->text,
			p->to->in_image };
	}
}

/* Names come in order up to somewhere (torn), as from a file system's own
 * journal, or any of them. */
static void
lose_names(const struct crashfs *c, struct crashfs_image *m,
    enum crashfs_loss how, uint64_t seed)
{
	uint64_t n = 0, kept, nth;

	for (const struct naming *h = c->names; h != NULL; h = h->next) {
		n++;
	}
	kept = disk_random(&m->dice) % (n + 1);
	nth = n == 0 ? 0 : seed % n;
	n = 0;
	for (const struct naming *h = c->names; h != NULL; h = h->next, n++) {
		bool keep = false;

		switch (how) {
		case CRASHFS_KEEP:
			keep = true;
			break;
		case CRASHFS_TORN_512:
		case CRASHFS_TORN_4096:
			keep = n < kept;
			break;
		case CRASHFS_MIXED_512:
		case CRASHFS_MIXED_4096:
			keep = (disk_random(&m->dice) & 1) != 0;
			break;
		case CRASHFS_ONE_KEPT:
			keep = n == nth;
			break;
		case CRASHFS_ONE_LOST:
			keep = n != nth;
			break;
		case CRASHFS_DROP:
		case CRASHFS_LOSSES:
			break;
		}
		for (unsigned k = 0; keep && k < h->n; k++) {
			image_name(m, &h->part[k]);
		}
	}
}

struct crashfs_image *
crashfs_image_make(struct crashfs *c, enum crashfs_loss bytes,
    enum crashfs_loss names, uint64_t seed)
{
	struct crashfs_image *m = xcalloc(1, sizeof *m);
	uint64_t open = open_changes(c);

	m->dice.rng = seed;
	m->bytes = bytes;
	m->nth = open == 0 ? 0 : seed % open;
	for (struct inode *i = c->inodes; i != NULL; i = i->next) {
		i->in_image = m->n++;
	}
	m->i = xcalloc(m->n, sizeof *m->i);
	for (struct inode *i = c->inodes; i != NULL; i = i->next) {
		struct image_inode *to = &m->i[i->in_image];

		if (!i->hashed && S_ISREG(i->mode)) {
			i->hash = XXH3_64bits(i->bytes, i->size);
			i->hashed = true;
		}
		*to = (struct image_inode){ .mode = i->mode, .bytes = i->bytes,
			.size = i->size, .of = i, .known_hash = i->hash,
			.hashed = i->hashed, .n_names = i->n_names,
			.names = xcalloc(i->n_names + 1, sizeof *to->names) };
		for (unsigned n = 0; n < i->n_names; n++) {
			to->names[n] = (struct image_name){ i->names[n].text,
				i->names[n].to->in_image };
		}
		lose_file(m, to);
	}
	lose_names(c, m, names, seed);
	m->nth = c->root->in_image;	/* from here on: where the root is */
	return m;
}

void
crashfs_image_free(struct crashfs_image **mp)
{
	struct crashfs_image *m = *mp;

	for (unsigned n = 0; n < m->n; n++) {
		if (m->i[n].owned) {
			free(m->i[n].bytes);
		}
		free(m->i[n].names);
		free(m->i[n].path);
	}
	free(m->i);
	free(m);
	*mp = NULL;
}

static uint64_t
hash_of(struct crashfs_image *m, unsigned n)
{
	struct image_inode *i = &m->i[n];
	uint64_t sum = 1;

	if (S_ISREG(i->mode)) {
		if (!i->hashed) {
			i->known_hash = XXH3_64bits(i->bytes, i->size);
			i->hashed = true;
		}
		return i->known_hash;
	}
	for (unsigned k = 0; k < i->n_names; k++) {
		/* A sum: the order of names means nothing. */
		sum += XXH3_64bits_withSeed(i->names[k].text,
		    strlen(i->names[k].text), hash_of(m, i->names[k].to));
	}
	return XXH3_64bits(&sum, sizeof sum);
}

uint64_t
crashfs_image_hash(struct crashfs_image *m)
{
	return hash_of(m, (unsigned)m->nth);
}

/* The tree. */

static void
write_file(const struct image_inode *i, int fd)
{
	uint64_t at = 0;

	while (at < i->size) {
		ssize_t n = pwrite(fd, i->bytes + at, i->size - at, (off_t)at);

		ec_assert(n > 0);
		at += (uint64_t)n;
	}
}

static struct inode *
take_one(struct crashfs *c, struct image_inode *i, const char *path)
{
	int fd;

	if (S_ISDIR(i->mode)) {
		ec_assert(mkdir(path, 0700) == 0);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    i->mode & 0777);
		ec_assert(fd >= 0);
		write_file(i, fd);
	}
	i->path = xstrdup(path);
	i->made = disk_take_fd(c, fd);
	i->made->bytes = xmalloc(i->size + 1);
	if (i->size > 0) {
		memcpy(i->made->bytes, i->bytes, i->size);
	}
	i->made->size = i->size;
	return i->made;
}

static struct inode *
take(struct crashfs *c, const struct crashfs_image *m, unsigned n,
    const char *path)
{
	struct image_inode *i = &m->i[n];
	struct inode *made = take_one(c, i, path);

	if (i->n_names > 0) {
		made->names = xcalloc(i->n_names, sizeof *made->names);
	}
	for (unsigned k = 0; k < i->n_names; k++) {
		struct image_inode *to = &m->i[i->names[k].to];
		char below[4096];

		snprintf(below, sizeof below, "%s/%s", path, i->names[k].text);
		if (to->made != NULL) {
			ec_assert(link(to->path, below) == 0);
		}
		made->names[made->n_names++] = (struct name){
			xstrdup(i->names[k].text), to->made != NULL ?
			to->made : take(c, m, i->names[k].to, below) };
	}
	return made;
}

void
disk_take(struct crashfs *c, const struct crashfs_image *m)
{
	struct inode *old = c->inodes;

	c->inodes = NULL;
	c->root = take(c, m, (unsigned)m->nth, c->path);
	disk_forget_namings(c);
	while (old != NULL) {
		struct inode *i = old;

		old = i->next;
		disk_inode_free(i);
	}
	c->version++;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
disk_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* By the names that are known, which is quicker than listing hundreds of
 * directories; where others stand they are listed after all. */
static void
remove_known(struct crashfs_image *m, unsigned n, const char *path)
{
	struct image_inode *i = &m->i[n];

	for (unsigned k = 0; k < i->n_names; k++) {
		char below[4096];

		snprintf(below, sizeof below, "%s/%s", path, i->names[k].text);
		if (S_ISDIR(m->i[i->names[k].to].mode)) {
			remove_known(m, i->names[k].to, below);
		} else {
			unlink(below);
		}
	}
	if (rmdir(path) < 0) {
		disk_remove_tree(path);
	}
}

void
disk_remove(struct crashfs *c)
{
	struct crashfs_image *m = crashfs_image_make(c, CRASHFS_KEEP,
	    CRASHFS_KEEP, 0);

	remove_known(m, (unsigned)m->nth, c->path);
	crashfs_image_free(&m);
	if (rmdir(c->base) < 0) {
		disk_remove_tree(c->base);
	}
}

unsigned
crashfs_image_files(const struct crashfs_image *m, const char *dir)
{
	const struct image_inode *root = &m->i[m->nth];
	unsigned n = 0;

	for (unsigned k = 0; k < root->n_names; k++) {
		const struct image_inode *in = &m->i[root->names[k].to];

		if (strlen(root->names[k].text) == strlen(dir) &&
		    (dir[0] == '?' || strcmp(root->names[k].text, dir) == 0)) {
			n += in->n_names;
		}
	}
	return n;
}
