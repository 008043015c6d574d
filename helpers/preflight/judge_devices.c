/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about the devices below the spool. */
#include "helpers/preflight/devices.h"
#include "helpers/preflight/judge_priv.h"

#include "common/base/slice.h"

/* What is left when one disk fails.  In ascending order of ignorance and
 * badness: of several devices side by side the greatest holds. */
enum safety {
	SAFETY_MIRROR,
	SAFETY_UNKNOWN,
	SAFETY_SINGLE,
	SAFETY_PARITY,
	SAFETY_STRIPE,	/* several, and any of them takes all along */
};

static enum safety safety_of(const struct facts_stack *s, unsigned i);

/* Of what index i is spread over without redundancy of its own. */
static enum safety
safety_below(const struct facts_stack *s, unsigned i)
{
	enum safety worst = SAFETY_MIRROR, one;
	unsigned n = 0;

	for (unsigned k = i + 1; k < s->count; k++) {
		if (s->devices[k].above == (int)i) {
			one = safety_of(s, k);
			worst = EC_MAX(worst, one);
			n++;
		}
	}
	if (n == 0) {
		return SAFETY_UNKNOWN;
	}
	return worst == SAFETY_SINGLE && n > 1 ? SAFETY_STRIPE : worst;
}

static enum safety
safety_of_md(const struct facts_stack *s, unsigned i)
{
	const char *level = s->devices[i].level;

	if (strcmp(level, "raid1") == 0 || strcmp(level, "raid10") == 0) {
		return SAFETY_MIRROR;
	}
	if (strcmp(level, "raid4") == 0 || strcmp(level, "raid5") == 0 ||
	    strcmp(level, "raid6") == 0) {
		return SAFETY_PARITY;
	}
	if (strcmp(level, "raid0") == 0 || strcmp(level, "linear") == 0) {
		/* Striped mirrors are RAID 10 by another road. */
		return safety_below(s, i);
	}
	return SAFETY_UNKNOWN;
}

/* LVM keeps the halves of a mirror and the legs of a RAID in volumes of their
 * own, whose names tell; the level of the latter stands in no file. */
static enum safety
safety_of_dm(const struct facts_stack *s, unsigned i)
{
	const char *uuid = s->devices[i].dm_uuid;

	if (strncmp(uuid, "mpath-", 6) == 0 ||
	    strncmp(uuid, "DMRAID-", 7) == 0) {
		return SAFETY_UNKNOWN;
	}
	for (unsigned k = i + 1; k < s->count; k++) {
		const struct facts_device *d = &s->devices[k];

		if (d->above != (int)i) {
			continue;
		}
		if (strstr(d->dm_name, "_mimage_") != NULL) {
			return SAFETY_MIRROR;
		}
		if (strstr(d->dm_name, "_rimage_") != NULL) {
			return SAFETY_UNKNOWN;
		}
	}
	return safety_below(s, i);
}

static enum safety
safety_of(const struct facts_stack *s, unsigned i)
{
	switch (s->devices[i].kind) {
	case DEVICE_MD:
		return safety_of_md(s, i);
	case DEVICE_DM:
		return safety_of_dm(s, i);
	case DEVICE_PARTITION:
		return safety_below(s, i);
	case DEVICE_LOOP:
	case DEVICE_RAM:
		return SAFETY_UNKNOWN;
	case DEVICE_DISK:
		break;
	}
	return SAFETY_SINGLE;
}

/* "md0 (raid10)", or the device itself when no md is in the stack. */
static void
name_raid(const struct facts_stack *s, char *out, size_t size)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->devices[i].kind == DEVICE_MD) {
			snprintf(out, size, "%s (%s)", s->devices[i].name,
			    s->devices[i].level);
			return;
		}
	}
	snprintf(out, size, "%s", s->devices[0].name);
}

static const struct facts_device *
find_degraded(const struct facts_stack *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->devices[i].degraded > 0) {
			return &s->devices[i];
		}
	}
	return NULL;
}

static bool
has_kind(const struct facts_stack *s, enum device_kind kind)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->devices[i].kind == kind) {
			return true;
		}
	}
	return false;
}

static void
judge_unknown_raid(const struct facts *f, const char *name,
	struct finding *out)
{
	if (has_kind(&f->stack, DEVICE_LOOP)) {
		finding_say(out, LEVEL_ADVICE, "%s is a file seen as a device",
		    name);
		finding_why(out, "what lies below that file was not looked "
		    "at, and each sync passes two file systems");
		finding_mend(out, "losetup -l  # and run ec_check on the "
		    "folder of its file");
		return;
	}
	finding_say(out, LEVEL_ADVICE, "%s: its RAID level is not told", name);
	finding_why(out, "only RAID 10 and RAID 1 suit a spool: levels with "
	    "parity read before each small write");
	finding_mend(out, "lvs -a -o lv_name,segtype,devices; dmsetup table");
}

static void
judge_safety(const struct facts *f, const char *name, struct finding *out)
{
	switch (safety_of(&f->stack, 0)) {
	case SAFETY_MIRROR:
		finding_say(out, LEVEL_OK, "%s: mirrored", name);
		break;
	case SAFETY_UNKNOWN:
		judge_unknown_raid(f, name, out);
		break;
	case SAFETY_SINGLE:
		finding_say(out, LEVEL_ADVICE, "%s: one disk, or a controller "
		    "that hides its disks", name);
		finding_why(out, "if it is one disk, its failure loses the "
		    "queue; if a controller, the kernel cannot tell its level");
		finding_mend(out, "mdadm --create /dev/md0 --level=10 "
		    "--raid-devices=4 DISK...  # or ask the controller's tool");
		break;
	case SAFETY_PARITY:
		finding_say(out, LEVEL_WARN, "%s has parity", name);
		finding_why(out, "each small synced write first reads data "
		    "and parity: a spool's pattern is its worst case");
		finding_mend(out, "mdadm --create /dev/md0 --level=10 "
		    "--raid-devices=4 DISK...");
		break;
	case SAFETY_STRIPE:
		finding_say(out, LEVEL_WARN, "%s spreads the spool over disks "
		    "without redundancy", name);
		finding_why(out, "the failure of any one of them loses the "
		    "queue");
		finding_mend(out, "mdadm --create /dev/md0 --level=10 "
		    "--raid-devices=4 DISK...");
		break;
	}
}

void
judge_raid(const struct facts *f, struct finding *out)
{
	const struct facts_device *d = find_degraded(&f->stack);
	char name[2 * FACTS_NAME + 8];

	if (f->stack.count == 0) {
		finding_say(out, LEVEL_OK, "the kernel names no block device "
		    "for %s", f->mount.type);
		return;
	}
	name_raid(&f->stack, name, sizeof name);
	if (has_kind(&f->stack, DEVICE_RAM)) {
		finding_say(out, LEVEL_WARN, "%s is memory: NOTHING HERE "
		    "SURVIVES A REBOOT OR A LOSS OF POWER", name);
		finding_why(out, "the 250 promises what it cannot keep; for "
		    "tests only");
		finding_mend(out, "put SpoolBase on a disk");
		return;
	}
	judge_safety(f, name, out);
	if (d != NULL && out->level < LEVEL_WARN) {
		finding_say(out, LEVEL_WARN, "%s (%s) lacks %u of its members",
		    d->name, d->level, d->degraded);
		finding_why(out, "one more failure may lose the queue");
		finding_mend(out, "mdadm --manage /dev/%s --add DISK", d->name);
	}
}

/* --- write cache ---------------------------------------------------------- */

void
judge_write_cache(const struct facts *f, struct finding *out)
{
	unsigned n_back = 0, n_unknown = 0, first = 0;

	for (unsigned i = 0; i < f->stack.count; i++) {
		if (!device_is_leaf(&f->stack, i)) {
			continue;
		}
		if (f->stack.devices[i].cache == CACHE_BACK) {
			first = n_back++ == 0 ? i : first;
		} else if (f->stack.devices[i].cache == CACHE_UNKNOWN) {
			n_unknown++;
		}
	}
	if (n_back > 0) {
		finding_say(out, LEVEL_ADVICE, "%s has a volatile write "
		    "cache", f->stack.devices[first].name);
		finding_why(out, "each sync must flush it: safe while write "
		    "barriers are on and the drive is honest, and slower than "
		    "one that survives a loss of power");
		finding_mend(out, "hdparm -W 0 /dev/%s  # or a drive with "
		    "power-loss protection", f->stack.devices[first].name);
	} else if (f->stack.count == 0 || n_unknown > 0) {
		finding_say(out, LEVEL_OK, "not told for this device");
	} else {
		finding_say(out, LEVEL_OK, "no volatile write cache");
	}
}

/* --- neighbours ----------------------------------------------------------- */

static const struct facts_other *
find_shared(const struct facts_other *of, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (of[i].same_mount || of[i].shared[0] != '\0') {
			return &of[i];
		}
	}
	return NULL;
}

static void
say_where(const struct facts_other *o, char *out, size_t size)
{
	if (o->shared[0] != '\0') {
		snprintf(out, size, "share %s", o->shared);
	} else {
		snprintf(out, size, "share a file system");
	}
}

void
judge_log_device(const struct facts *f, struct finding *out)
{
	const struct facts_other *o = find_shared(f->logs, f->n_logs);
	char where[FACTS_NAME + 16];

	if (f->n_logs == 0) {
		finding_say(out, LEVEL_OK, "no log directory was named");
		return;
	}
	if (o == NULL) {
		finding_say(out, LEVEL_OK, "logs are on other disks");
		return;
	}
	say_where(o, where, sizeof where);
	finding_say(out, LEVEL_WARN, "the spool and the logs in %.200s %s",
	    o->path, where);
	finding_why(out, "log writes make the spool's syncs wait, and a full "
	    "log disk is a full spool");
	finding_mend(out, "give SpoolBase or the logs a device of its own");
}

void
judge_swap_device(const struct facts *f, struct finding *out)
{
	const struct facts_other *o = find_shared(f->swaps, f->n_swaps);
	char where[FACTS_NAME + 16], word[WORD_MAX];

	if (f->n_swaps == 0) {
		finding_say(out, LEVEL_OK, "no swap is in use");
		return;
	}
	if (o == NULL) {
		finding_say(out, LEVEL_OK, "swap is on other disks");
		return;
	}
	say_where(o, where, sizeof where);
	finding_say(out, LEVEL_WARN, "the spool and swap %.200s %s", o->path,
	    where);
	finding_why(out, "when memory is short, paging makes the spool's "
	    "syncs wait just then");
	finding_mend(out, "swapoff %s  # and another device in /etc/fstab",
	    shell_word(o->path, word));
}
