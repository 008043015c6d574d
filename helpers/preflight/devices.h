/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: the block devices below a mount or a path, down to the disks, as
 * sysfs tells: partitions stand on disks, md and device mapper on their
 * slaves.  A stack is empty where the kernel names no device (tmpfs, overlay).
 *
 *	devices_of_mount("", &mount, &stack);
 */
#ifndef EC_PREFLIGHT_DEVICES_H
#define EC_PREFLIGHT_DEVICES_H

#include "helpers/preflight/facts.h"

void devices_of_mount(const char *root, const struct facts_mount *m,
	struct facts_stack *out);
/* "/dev/sda2", "/dev/dm-1": by its last component. */
void devices_of_path(const char *root, const char *path,
	struct facts_stack *out);
/* The first disk both stand on; out is empty if there is none. */
void devices_shared(const struct facts_stack *a, const struct facts_stack *b,
	char *out, size_t size);
/* Does nothing of the stack stand below it? */
bool device_is_leaf(const struct facts_stack *s, unsigned index);

#endif
