/* SPDX-License-Identifier: Apache-2.0 */
/* Questions under way. */
#include "console/ask.h"

#include "console/control.h"

void
ask_begin(struct ask *a, uint32_t number, enum ipc_role role, unsigned index)
{
	*a = (struct ask){ .number = number, .role = role, .index = index,
		.rows = json_array() };
}

void
ask_end(struct ask *a)
{
	json_decref(a->rows);
	json_decref(a->end);
	*a = (struct ask){ 0 };
}

enum ask_status
ask_take(struct ask *a, bool last, struct slice line)
{
	json_error_t why;
	json_t *o;

	line = slice_trim(line);
	if (last && line.len == 0) {
		return ASK_DONE;
	}
	a->bytes += line.len;
	if (a->bytes > CONTROL_ANSWER_MAX) {
		return ASK_TOO_MUCH;
	}
	o = json_loadb(line.len > 0 ? line.ptr : "", line.len, 0, &why);
	if (!json_is_object(o)) {
		json_decref(o);
		return ASK_BAD;
	}
	if (last) {
		a->end = o;
		return ASK_DONE;
	}
	json_array_append_new(a->rows, o);
	return ASK_MORE;
}

const json_t *
ask_error(const struct ask *a)
{
	const json_t *e = json_object_get(a->end, "error");

	return json_is_string(e) ? e : NULL;
}
