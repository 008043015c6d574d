/* SPDX-License-Identifier: Apache-2.0 */
/* The file that looks at the system: mounts, swap, space, libraries. */
#include "helpers/preflight/facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "common/base/fdio.h"
#include "helpers/preflight/devices.h"
#include "helpers/preflight/judge.h"
#include "helpers/preflight/mountinfo.h"

#define MAX_LINES 200000u	/* of one file: a bound, far above any machine */

/* A reader gets each line; false ends the reading. */
struct reader {
	bool (*on_line)(void *arg, struct slice line);
	void *arg;
};

static bool
feed(struct proc_lines *l, struct slice in, const struct reader *r,
	size_t *n_lines)
{
	struct slice line;
	size_t used;

	for (;;) {
		enum proc_lines_status s = proc_lines_next(l, in, &used, &line);

		if (s == PROC_LINES_MORE) {
			return true;
		}
		in = slice_skip(in, used);
		if (++*n_lines > MAX_LINES ||
		    (s == PROC_LINES_LINE && !r->on_line(r->arg, line))) {
			return false;
		}
	}
}

/* Strings that end in NUL (environ) are lines here too. */
static int
read_lines(const char *root, const char *path, const struct reader *r)
{
	char full[PATH_MAX + 64], chunk[8192];
	struct proc_lines l;
	struct slice line;
	size_t n_lines = 0;
	ssize_t n;
	int fd;

	snprintf(full, sizeof full, "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -1;
	}
	proc_lines_init(&l);
	while ((n = read(fd, chunk, sizeof chunk)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			chunk[i] = chunk[i] == '\0' ? '\n' : chunk[i];
		}
		if (!feed(&l, slice_make(chunk, (size_t)n), r, &n_lines)) {
			break;
		}
	}
	if (n == 0 && proc_lines_end(&l, &line) == PROC_LINES_LINE) {
		r->on_line(r->arg, line);
	}
	close(fd);
	return n < 0 ? -1 : 0;
}

/* --- which mount ---------------------------------------------------------- */

struct search {
	const char *path;
	size_t best;
	dev_t device;
	struct facts_mount *out;
};

static void
take_mount(struct facts_mount *m, const struct mount_entry *e)
{
	m->known = true;
	m->major = e->major;
	m->minor = e->minor;
	slice_copy(m->type, sizeof m->type, e->type);
	slice_copy(m->point, sizeof m->point, slice_of(e->point));
	slice_copy(m->source, sizeof m->source, slice_of(e->source));
	slice_copy(m->options, sizeof m->options, e->options);
	slice_copy(m->super_options, sizeof m->super_options,
	    e->super_options);
}

static bool
on_mount(void *arg, struct slice line)
{
	struct search *s = arg;
	struct mount_entry e;
	size_t covers;

	if (mountinfo_parse(line, &e) != PROC_OK) {
		return true;
	}
	covers = mount_covers(e.point, s->path);
	if (covers > 0 && covers >= s->best) {
		s->best = covers;
		take_mount(s->out, &e);
	}
	return true;
}

/* In a chroot whose root is no mount point our own list tells nothing of it:
 * that of process 1 has its device. */
static bool
on_mount_of_device(void *arg, struct slice line)
{
	struct search *s = arg;
	struct mount_entry e;

	if (mountinfo_parse(line, &e) != PROC_OK ||
	    makedev(e.major, e.minor) != s->device) {
		return true;
	}
	take_mount(s->out, &e);
	return false;
}

static int
find_mount(const char *root, const char *path, struct facts_mount *out)
{
	struct search s = { .path = path, .out = out };
	struct reader r = { on_mount, &s }, outer = { on_mount_of_device, &s };
	struct stat st;

	memset(out, 0, sizeof *out);
	if (read_lines(root, "/proc/self/mountinfo", &r) < 0) {
		return -1;
	}
	if (!out->known && root[0] == '\0' && stat(path, &st) == 0) {
		s.device = st.st_dev;
		read_lines(root, "/proc/1/mountinfo", &outer);
	}
	return 0;
}

/* What exists of a path, without links: a spool not yet made lies where its
 * nearest parent does.  True if all of it is there. */
static bool
find_place(const char *root, const char *path, char *out, size_t size)
{
	char want[FACTS_PATH], full[FACTS_PATH + PATH_MAX], real[PATH_MAX];
	char real_root[PATH_MAX];
	bool whole = true;
	size_t skip;

	slice_copy(want, sizeof want, slice_of(path));
	if (realpath(root[0] == '\0' ? "/" : root, real_root) == NULL) {
		slice_copy(out, size, slice_of(path));
		return false;
	}
	skip = strcmp(real_root, "/") == 0 ? 0 : strlen(real_root);
	for (;;) {
		char *slash = strrchr(want, '/');

		snprintf(full, sizeof full, "%s%s", root, want);
		if (realpath(full, real) != NULL &&
		    strncmp(real, real_root, skip) == 0) {
			break;
		}
		whole = false;
		if (slash == NULL || slash == want) {
			slice_copy(out, size, SLICE("/"));
			return false;
		}
		*slash = '\0';
	}
	slice_copy(out, size, real[skip] == '\0' ? SLICE("/") :
	    slice_of(real + skip));
	return whole;
}

/* --- logs and swap -------------------------------------------------------- */

static void
add_log(const struct facts_request *r, struct facts *f, const char *path)
{
	struct facts_other *o = &f->logs[f->n_logs];
	struct facts_mount m;
	struct facts_stack stack;
	char place[FACTS_PATH];

	find_place(r->root, path, place, sizeof place);
	slice_copy(o->path, sizeof o->path, slice_of(path));
	if (find_mount(r->root, place, &m) < 0 || !m.known) {
		return;
	}
	o->same_mount = m.major == f->mount.major && m.minor == f->mount.minor;
	devices_of_mount(r->root, &m, &stack);
	devices_shared(&f->stack, &stack, o->shared, sizeof o->shared);
	f->n_logs++;
}

struct swap_reader {
	const struct facts_request *r;
	struct facts *f;
};

static void
find_swap_stack(const struct facts_request *r, struct facts *f,
	const struct swap_entry *e, struct facts_other *o)
{
	struct facts_stack stack;
	struct facts_mount m;

	if (e->is_file) {
		if (find_mount(r->root, e->path, &m) < 0 || !m.known) {
			return;
		}
		o->same_mount = m.major == f->mount.major &&
		    m.minor == f->mount.minor;
		devices_of_mount(r->root, &m, &stack);
	} else {
		devices_of_path(r->root, e->path, &stack);
	}
	devices_shared(&f->stack, &stack, o->shared, sizeof o->shared);
}

static bool
on_swap(void *arg, struct slice line)
{
	struct swap_reader *s = arg;
	struct swap_entry e;
	struct facts_other *o = &s->f->swaps[s->f->n_swaps];

	if (swap_parse(line, &e) != PROC_OK) {
		return true;
	}
	slice_copy(o->path, sizeof o->path, slice_of(e.path));
	find_swap_stack(s->r, s->f, &e, o);
	return ++s->f->n_swaps < FACTS_OTHERS;
}

/* --- preloaded libraries -------------------------------------------------- */

static bool
on_preload_text(void *arg, struct slice line)
{
	struct facts *f = arg;
	struct slice name;

	if (!names_sync_eater(line, &name)) {
		return true;
	}
	slice_copy(f->preload, sizeof f->preload, name);
	return false;
}

static bool
on_preload_file(void *arg, struct slice line)
{
	/* A # starts a comment there. */
	return on_preload_text(arg, slice_cut(&line, '#'));
}

static bool
on_environ(void *arg, struct slice line)
{
	return !slice_starts(line, SLICE("LD_PRELOAD=")) ||
	    on_preload_text(arg, line);
}

static void
find_preload(const char *root, struct facts *f)
{
	static const struct {
		const char *path, *words;
		bool (*on_line)(void *arg, struct slice line);
	} places[] = {
		{ "/etc/ld.so.preload", "/etc/ld.so.preload", on_preload_file },
		{ "/proc/self/environ", "LD_PRELOAD", on_environ },
		{ "/proc/self/maps", "the process itself", on_preload_text },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct reader r = { places[i].on_line, f };

		read_lines(root, places[i].path, &r);
		if (f->preload[0] != '\0') {
			slice_copy(f->preload_from, sizeof f->preload_from,
			    slice_of(places[i].words));
			return;
		}
	}
}

/* --- the file system ------------------------------------------------------ */

static void
find_space(const char *root, struct facts *f)
{
	char full[FACTS_PATH + PATH_MAX];
	struct statvfs v;

	snprintf(full, sizeof full, "%s%s", root, f->place);
	if (statvfs(full, &v) < 0) {
		return;
	}
	f->space.known = true;
	f->space.block_size = v.f_frsize != 0 ? v.f_frsize : v.f_bsize;
	f->space.bytes_free = (uint64_t)v.f_bavail * f->space.block_size;
	f->space.inodes = v.f_files;
	f->space.inodes_free = v.f_favail;
}

/* Segments are allocated already: their room is not needed once more. */
static void
find_journal(const char *root, struct facts *f)
{
	char full[FACTS_PATH + PATH_MAX];
	struct dirent *e;
	struct stat st;
	DIR *dir;

	snprintf(full, sizeof full, "%s%s/journal", root, f->place);
	dir = f->exists ? opendir(full) : NULL;
	if (dir == NULL) {
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		    0 && S_ISREG(st.st_mode)) {
			f->journal_there += (uint64_t)st.st_blocks * 512;
		}
	}
	closedir(dir);
}

/* The kernel names the journal's thread, or says that there is none. */
static bool
on_journal_task(void *arg, struct slice line)
{
	struct facts *f = arg;

	f->ext_journal = slice_starts(line, SLICE("<none>")) ?
	    EXT_JOURNAL_NONE : EXT_JOURNAL_PRESENT;
	return false;
}

static void
find_ext_journal(const char *root, struct facts *f)
{
	char path[FACTS_NAME + 64];
	struct reader r = { on_journal_task, f };

	if (strcmp(f->mount.type, "ext2") == 0) {
		f->ext_journal = EXT_JOURNAL_NONE;
	} else if (f->stack.count > 0) {
		snprintf(path, sizeof path, "/sys/fs/ext4/%s/journal_task",
		    f->stack.devices[0].name);
		read_lines(root, path, &r);
	}
}

int
facts_gather(const struct facts_request *r, struct facts *out,
	struct error *err_out)
{
	const char *root = strcmp(r->root, "/") == 0 ? "" : r->root;
	struct facts_request below = *r;
	struct swap_reader swaps = { &below, out };
	struct reader swap_lines = { on_swap, &swaps };

	below.root = root;
	memset(out, 0, sizeof *out);
	slice_copy(out->spool, sizeof out->spool, slice_of(r->spool));
	out->exists = find_place(root, r->spool, out->place,
	    sizeof out->place);
	if (find_mount(root, out->place, &out->mount) < 0) {
		return error_sys(err_out, "cannot read %s/proc/self/mountinfo "
		    "(is /proc mounted?)", root);
	}
	if (!out->mount.known) {
		return error_set(err_out, ERROR_DAMAGE, "no line of "
		    "%s/proc/self/mountinfo covers %s: in a chroot run it as "
		    "root", root, out->place);
	}
	out->journal_wanted = r->journal_wanted;
	out->queue = r->queue;
	out->allow_xfs = r->allow_xfs;
	out->allow_no_barrier = r->allow_no_barrier;
	out->allow_no_sync = r->allow_no_sync;
	devices_of_mount(root, &out->mount, &out->stack);
	for (unsigned i = 0; i < r->n_logs && i < FACTS_OTHERS; i++) {
		add_log(&below, out, r->logs[i]);
	}
	read_lines(root, "/proc/swaps", &swap_lines);
	find_preload(root, out);
	find_ext_journal(root, out);
	/* A server that is away would make us wait: it is refused anyway. */
	if (!judge_is_network(out->mount.type)) {
		find_space(root, out);
		find_journal(root, out);
	}
	return 0;
}
