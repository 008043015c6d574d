/* SPDX-License-Identifier: Apache-2.0 */
/* One line of mountinfo. */
#include "helpers/preflight/mountinfo.h"

#include "common/base/num.h"

/* Fields stand between single blanks; an empty one is kept (a source may be
 * the empty string). */
static bool
take_field(struct slice *line, struct slice *out)
{
	if (line->ptr == NULL || line->len == 0) {
		return false;
	}
	*out = slice_cut(line, ' ');
	return true;
}

static enum proc_result
parse_device(struct slice s, struct mount_entry *e)
{
	struct slice major = slice_cut(&s, ':');
	uint64_t a, b;

	if (!num_parse_max(major, UINT32_MAX, &a) ||
	    !num_parse_max(s, UINT32_MAX, &b)) {
		return PROC_BAD_NUMBER;
	}
	e->major = (uint32_t)a;
	e->minor = (uint32_t)b;
	return PROC_OK;
}

static bool
skip_optional(struct slice *line)
{
	struct slice field;

	while (take_field(line, &field)) {
		if (slice_eq(field, SLICE("-"))) {
			return true;
		}
	}
	return false;
}

static enum proc_result
parse_tail(struct slice line, struct mount_entry *out)
{
	struct slice source;

	if (!take_field(&line, &out->type) || out->type.len == 0 ||
	    !take_field(&line, &source) ||
	    !take_field(&line, &out->super_options)) {
		return PROC_BAD_FIELDS;
	}
	return proc_unescape(source, out->source, sizeof out->source);
}

enum proc_result
mountinfo_parse(struct slice line, struct mount_entry *out)
{
	struct slice id, parent, device, root, point;
	enum proc_result r;
	uint64_t number;

	if (!take_field(&line, &id) || !take_field(&line, &parent) ||
	    !take_field(&line, &device) || !take_field(&line, &root) ||
	    !take_field(&line, &point) ||
	    !take_field(&line, &out->options)) {
		return PROC_BAD_FIELDS;
	}
	if (!num_parse_u64(id, &number) || !num_parse_u64(parent, &number)) {
		return PROC_BAD_NUMBER;
	}
	r = parse_device(device, out);
	if (r == PROC_OK) {
		r = proc_unescape(point, out->point, sizeof out->point);
	}
	if (r != PROC_OK) {
		return r;
	}
	if (out->point[0] != '/') {
		return PROC_BAD_PATH;
	}
	if (!skip_optional(&line)) {
		return PROC_BAD_SEPARATOR;
	}
	return parse_tail(line, out);
}

size_t
mount_covers(const char *point, const char *path)
{
	size_t n = strlen(point);

	if (n == 1 && point[0] == '/') {
		return path[0] == '/' ? 1 : 0;
	}
	if (strncmp(point, path, n) != 0 ||
	    (path[n] != '/' && path[n] != '\0')) {
		return 0;
	}
	return n;
}
