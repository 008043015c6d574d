/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about what makes a sync true or false: file system and mount. */
#include "helpers/preflight/judge_priv.h"

#include "helpers/preflight/proc_text.h"

/* The plausible times of one small synced overwrite, in nanoseconds.  Flash
 * with protected memory needs some 20 microseconds, a system call that reaches
 * no device under one. */
#define SYNC_TOO_FAST 8000u
#define SYNC_SLOW 5000000u
#define SYNC_TOO_SLOW 20000000u

const char *
finding_name(enum finding_id id)
{
	static const char *const names[FINDING_COUNT] = {
#define X(id, name) [FINDING_##id] = name,
		FINDINGS(X)
#undef X
	};

	return names[id];
}

const char *
finding_level_name(enum finding_level level)
{
	static const char *const names[LEVEL_COUNT] = {
		[LEVEL_OK] = "ok", [LEVEL_ADVICE] = "advice",
		[LEVEL_WARN] = "warn", [LEVEL_REFUSE] = "refuse",
	};

	return names[level];
}

static void
put(char *out, size_t size, const char *fmt, va_list ap)
{
	if (vsnprintf(out, size, fmt, ap) < 0) {
		out[0] = '\0';
	}
}

void
finding_say(struct finding *f, enum finding_level level, const char *fmt, ...)
{
	va_list ap;

	f->level = level;
	va_start(ap, fmt);
	put(f->what, sizeof f->what, fmt, ap);
	va_end(ap);
}

void
finding_why(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(f->why, sizeof f->why, fmt, ap);
	va_end(ap);
}

void
finding_mend(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(f->mend, sizeof f->mend, fmt, ap);
	va_end(ap);
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || strchr("/._-+:@%=,", c) != NULL;
}

const char *
shell_word(const char *text, char out[WORD_MAX])
{
	bool plain = text[0] != '\0';
	size_t n = 1;

	for (const char *p = text; *p != '\0'; p++) {
		plain = plain && is_plain(*p);
	}
	if (plain && strlen(text) < WORD_MAX) {
		snprintf(out, WORD_MAX, "%s", text);
		return out;
	}
	out[0] = '\'';
	for (const char *p = text; *p != '\0' && n + 6 < WORD_MAX; p++) {
		if (*p == '\'') {
			memcpy(out + n, "'\\''", 4);
			n += 4;
		} else {
			out[n++] = *p;
		}
	}
	out[n++] = '\'';
	out[n] = '\0';
	return out;
}

/* --- the kind of file system ---------------------------------------------- */

enum fs_group {
	FS_GOOD,	/* proven */
	FS_EXT3,
	FS_XFS,
	FS_NETWORK,
	FS_MEMORY,
	FS_OVERLAY,
	FS_COPY_ON_WRITE,
	FS_SHARE,	/* of the host of a virtual machine */
	FS_FUSE,
	FS_OTHER,
};

static const struct {
	const char *type;	/* a trailing '*' stands for anything */
	enum fs_group group;
} fs_types[] = {
	{ "ext4", FS_GOOD }, { "ext2", FS_GOOD }, { "ext3", FS_EXT3 },
	{ "xfs", FS_XFS },
	{ "nfs", FS_NETWORK }, { "nfs4", FS_NETWORK }, { "cifs", FS_NETWORK },
	{ "smb3", FS_NETWORK }, { "smbfs", FS_NETWORK },
	{ "ncpfs", FS_NETWORK }, { "afs", FS_NETWORK }, { "coda", FS_NETWORK },
	{ "ceph", FS_NETWORK }, { "lustre", FS_NETWORK },
	{ "glusterfs", FS_NETWORK }, { "beegfs", FS_NETWORK },
	{ "pvfs2", FS_NETWORK }, { "orangefs", FS_NETWORK },
	{ "fuse.sshfs", FS_NETWORK }, { "fuse.glusterfs", FS_NETWORK },
	{ "fuse.ceph*", FS_NETWORK }, { "fuse.s3*", FS_NETWORK },
	{ "fuse.rclone", FS_NETWORK }, { "fuse.davfs*", FS_NETWORK },
	{ "davfs", FS_NETWORK }, { "fuse.moosefs", FS_NETWORK },
	{ "fuse.juicefs", FS_NETWORK }, { "fuse.JuiceFS", FS_NETWORK },
	{ "tmpfs", FS_MEMORY }, { "ramfs", FS_MEMORY },
	{ "devtmpfs", FS_MEMORY }, { "rootfs", FS_MEMORY },
	{ "overlay", FS_OVERLAY }, { "aufs", FS_OVERLAY },
	{ "fuse.fuse-overlayfs", FS_OVERLAY },
	{ "btrfs", FS_COPY_ON_WRITE }, { "zfs", FS_COPY_ON_WRITE },
	{ "bcachefs", FS_COPY_ON_WRITE },
	{ "9p", FS_SHARE }, { "virtiofs", FS_SHARE }, { "vboxsf", FS_SHARE },
	{ "fuse*", FS_FUSE },
};

static bool
type_matches(const char *pattern, const char *type)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*') {
		return strncmp(pattern, type, n - 1) == 0;
	}
	return strcmp(pattern, type) == 0;
}

static enum fs_group
group_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(fs_types); i++) {
		if (type_matches(fs_types[i].type, type)) {
			return fs_types[i].group;
		}
	}
	return FS_OTHER;
}

bool
judge_is_network(const char *type)
{
	return group_of(type) == FS_NETWORK;
}

static void
judge_xfs(const struct facts *f, struct finding *out)
{
	finding_say(out, f->allow_xfs ? LEVEL_WARN : LEVEL_REFUSE, "XFS%s",
	    f->allow_xfs ? ", allowed by Allow_XFS" : "");
	finding_why(out, "the spool's order of writes and syncs is proven on "
	    "ext4, and operators know XFS as unsupported for this job");
	finding_mend(out, "use ext4%s", f->allow_xfs ? "" :
	    "; or set Allow_XFS = true and answer for it");
}

static void
judge_other_group(enum fs_group group, const struct facts *f,
	struct finding *out)
{
	const char *type = f->mount.type;

	switch (group) {
	case FS_MEMORY:
		finding_say(out, LEVEL_WARN, "%s: NOTHING HERE SURVIVES A "
		    "REBOOT OR A LOSS OF POWER", type);
		finding_why(out, "it is memory: the 250 promises what it "
		    "cannot keep; for tests and demonstrations only");
		break;
	case FS_OVERLAY:
		finding_say(out, LEVEL_WARN, "%s: the writable layer of a "
		    "container", type);
		finding_why(out, "it goes when the container is removed, and "
		    "adds a layer to each sync");
		break;
	case FS_COPY_ON_WRITE:
		finding_say(out, LEVEL_WARN, "%s copies on write", type);
		finding_why(out, "each synced write moves blocks and rewrites "
		    "their tree, so a journal that is overwritten in place "
		    "gains nothing; slower, and free space is hard to tell");
		break;
	case FS_SHARE:
		finding_say(out, LEVEL_WARN, "%s: a folder of the host", type);
		finding_why(out, "what a sync means there is the host's "
		    "choice, which cannot be seen from here");
		break;
	case FS_FUSE:
		finding_say(out, LEVEL_WARN, "%s: a process serves it", type);
		finding_why(out, "what a sync means is that process's choice");
		break;
	case FS_GOOD:
	case FS_EXT3:
	case FS_XFS:
	case FS_NETWORK:
	case FS_OTHER:
		finding_say(out, LEVEL_WARN, "%s is not known to this check",
		    type);
		finding_why(out, "nobody has proven the spool's order of "
		    "writes and syncs on it");
		break;
	}
	finding_mend(out, "give SpoolBase an ext4 file system of its own");
}

void
judge_filesystem(const struct facts *f, struct finding *out)
{
	enum fs_group group = group_of(f->mount.type);
	char word[WORD_MAX];

	if (group == FS_GOOD) {
		finding_say(out, LEVEL_OK, "%s", f->mount.type);
	} else if (group == FS_EXT3) {
		finding_say(out, LEVEL_WARN, "ext3 is discouraged");
		finding_why(out, "its way of journalling makes syncs wait for "
		    "unrelated writes");
		finding_mend(out, "umount it; tune2fs -O extents,uninit_bg,"
		    "dir_index %s; e2fsck -fDp; mount it as ext4",
		    shell_word(f->mount.source, word));
	} else if (group == FS_XFS) {
		judge_xfs(f, out);
	} else if (group == FS_NETWORK) {
		finding_say(out, LEVEL_REFUSE, "%s is a network file system",
		    f->mount.type);
		finding_why(out, "locks, syncs and names are another machine's "
		    "promise: mail is lost or stands still when it is away");
		finding_mend(out, "put SpoolBase on a local ext4");
	} else {
		judge_other_group(group, f, out);
	}
}

void
judge_fs_journal(const struct facts *f, struct finding *out)
{
	if (f->ext_journal == EXT_JOURNAL_PRESENT) {
		finding_say(out, LEVEL_OK, "the file system has a journal");
	} else if (f->ext_journal == EXT_JOURNAL_UNKNOWN) {
		finding_say(out, LEVEL_OK, "not told for %s", f->mount.type);
	} else {
		bool ext2 = strcmp(f->mount.type, "ext2") == 0;
		char word[WORD_MAX];

		finding_say(out, ext2 ? LEVEL_ADVICE : LEVEL_WARN,
		    "%s without a journal", f->mount.type);
		finding_why(out, ext2 ? "after a crash it needs a full e2fsck "
		    "before the server can start; some find it faster" :
		    "after a crash it needs a full e2fsck before the server "
		    "can start, and few run it that way");
		finding_mend(out, "umount it; tune2fs -j %s; mount it as ext4",
		    shell_word(f->mount.source, word));
	}
}

/* --- what voids a sync ---------------------------------------------------- */

static const char *
barrier_word(const struct facts *f)
{
	static const char *const words[] = { "nobarrier", "barrier=0",
		"barrier=none", "barrier=off" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (options_have(slice_of(f->mount.super_options), words[i]) ||
		    options_have(slice_of(f->mount.options), words[i])) {
			return words[i];
		}
	}
	return NULL;
}

void
judge_barrier(const struct facts *f, struct finding *out)
{
	const char *found = barrier_word(f);
	char word[WORD_MAX];

	if (found == NULL) {
		finding_say(out, LEVEL_OK, "write barriers are on");
		return;
	}
	finding_say(out, f->allow_no_barrier ? LEVEL_WARN : LEVEL_REFUSE,
	    "mounted with %s%s", found, f->allow_no_barrier ?
	    ", allowed by Allow_No_Barrier" : "");
	finding_why(out, "a sync then ends in the drive's volatile memory: "
	    "a loss of power loses mail whose 250 was given");
	finding_mend(out, "mount -o remount,barrier=1 %s",
	    shell_word(f->mount.point, word));
}

void
judge_preload(const struct facts *f, struct finding *out)
{
	if (f->preload[0] == '\0') {
		finding_say(out, LEVEL_OK, "no library swallows syncs");
		return;
	}
	finding_say(out, f->allow_no_sync ? LEVEL_WARN : LEVEL_REFUSE,
	    "%.120s is preloaded by %s%s", f->preload, f->preload_from,
	    f->allow_no_sync ? ", allowed by Allow_No_Sync" : "");
	finding_why(out, "it turns every sync into nothing: a crash of the "
	    "machine loses mail whose 250 was given");
	if (strcmp(f->preload_from, "/etc/ld.so.preload") == 0) {
		finding_mend(out, "take its line out of /etc/ld.so.preload");
	} else {
		finding_mend(out, "unset LD_PRELOAD");
	}
}

static void
judge_speed(const struct facts_syncs *s, struct finding *out)
{
	char times[120];

	snprintf(times, sizeof times, "%llu syncs, median %.1f us, worst "
	    "%.1f ms", (unsigned long long)s->count,
	    (double)s->median_ns / 1e3, (double)s->worst_ns / 1e6);
	if (s->median_ns < SYNC_TOO_FAST) {
		finding_say(out, LEVEL_WARN, "%s: too fast to be true", times);
		finding_why(out, "no device answers so quickly: something "
		    "between here and it swallows syncs");
		finding_mend(out, "look for tmpfs, a preloaded library, a "
		    "host's cache=unsafe");
	} else if (s->median_ns > SYNC_TOO_SLOW) {
		finding_say(out, LEVEL_WARN, "%s: very slow", times);
		finding_why(out, "every 250 waits for a sync");
		finding_mend(out, "use a faster device, alone for the spool");
	} else if (s->median_ns > SYNC_SLOW) {
		finding_say(out, LEVEL_ADVICE, "%s: a spinning disk's pace",
		    times);
		finding_why(out, "every 250 waits for a sync; many share one, "
		    "so the rate stays good with many sessions only");
		finding_mend(out, "use flash with power-loss protection");
	} else {
		finding_say(out, LEVEL_OK, "%s", times);
	}
}

void
judge_sync_latency(const struct facts *f, struct finding *out)
{
	if (f->syncs.measured) {
		judge_speed(&f->syncs, out);
	} else if (f->syncs.why_not[0] != '\0') {
		finding_say(out, LEVEL_ADVICE, "cannot be measured: %s",
		    f->syncs.why_not);
		finding_why(out, "the speed of a sync bounds that of the "
		    "server");
	} else {
		finding_say(out, LEVEL_OK, "not measured");
	}
}

void
judge_noatime(const struct facts *f, struct finding *out)
{
	struct slice options = slice_of(f->mount.options);
	bool relatime = options_have(options, "relatime");
	char word[WORD_MAX];

	if (options_have(options, "noatime")) {
		finding_say(out, LEVEL_OK, "mounted with noatime");
		return;
	}
	finding_say(out, relatime ? LEVEL_ADVICE : LEVEL_WARN,
	    "mounted with %s", relatime ? "relatime, without noatime" :
	    "strictatime");
	finding_why(out, "reading a message writes its inode%s, and nobody "
	    "uses that time", relatime ? " the first time" : " each time");
	finding_mend(out, "mount -o remount,noatime %s  # and in /etc/fstab",
	    shell_word(f->mount.point, word));
}

/* --- all of them ---------------------------------------------------------- */

static void
judge_one(enum finding_id id, const struct facts *f, struct finding *out)
{
	switch (id) {
	case FINDING_FILESYSTEM:
		judge_filesystem(f, out);
		break;
	case FINDING_FS_JOURNAL:
		judge_fs_journal(f, out);
		break;
	case FINDING_BARRIER:
		judge_barrier(f, out);
		break;
	case FINDING_PRELOAD:
		judge_preload(f, out);
		break;
	case FINDING_SYNC_LATENCY:
		judge_sync_latency(f, out);
		break;
	case FINDING_RAID:
		judge_raid(f, out);
		break;
	case FINDING_WRITE_CACHE:
		judge_write_cache(f, out);
		break;
	case FINDING_NOATIME:
		judge_noatime(f, out);
		break;
	case FINDING_LOG_DEVICE:
		judge_log_device(f, out);
		break;
	case FINDING_SWAP_DEVICE:
		judge_swap_device(f, out);
		break;
	case FINDING_SPACE:
		judge_space(f, out);
		break;
	case FINDING_INODES:
		judge_inodes(f, out);
		break;
	case FINDING_BLOCK_SIZE:
		judge_block_size(f, out);
		break;
	case FINDING_DIRECTORIES:
		judge_directories(f, out);
		break;
	case FINDING_COUNT:
		break;
	}
}

void
judge_facts(const struct facts *f, struct findings *out)
{
	memset(out, 0, sizeof *out);
	for (int i = 0; i < FINDING_COUNT; i++) {
		struct finding *one = &out->of[i];

		one->id = (enum finding_id)i;
		judge_one(one->id, f, one);
		out->counts[one->level]++;
		out->worst = EC_MAX(out->worst, one->level);
	}
}
