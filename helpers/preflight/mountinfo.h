/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountinfo: one line of /proc/self/mountinfo, and which mount a path is on.
 *
 * Pure: the line was cut by proc_lines.  Slices of an entry point into the
 * line; point and source are unescaped copies.  Format, by field: id, parent,
 * major:minor, root, mount point, options, optional fields, "-", type, source,
 * options of the file system.
 *
 *	struct mount_entry e;
 *	if (mountinfo_parse(line, &e) == PROC_OK &&
 *	    mount_covers(e.point, "/var/spool/ecelerity") > best) { ... }
 */
#ifndef EC_PREFLIGHT_MOUNTINFO_H
#define EC_PREFLIGHT_MOUNTINFO_H

#include "helpers/preflight/proc_text.h"

#define MOUNT_PATH_MAX 4096u

struct mount_entry {
	uint32_t major, minor;
	struct slice options;		/* of the mount: noatime, ro */
	struct slice type;
	struct slice super_options;	/* of the file system: nobarrier */
	char point[MOUNT_PATH_MAX];
	char source[MOUNT_PATH_MAX];	/* "/dev/md0", "server:/export" */
};

enum proc_result mountinfo_parse(struct slice line, struct mount_entry *out);
/* How many bytes of path the mount point covers, 0 for not at all; the root
 * covers 1.  Of several mounts that cover the same the last one counts. */
size_t mount_covers(const char *point, const char *path);

#endif
