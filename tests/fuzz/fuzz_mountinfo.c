/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of mountinfo: the same mounts for any split, and what is accepted can
 * be written down and is read the same again. */
#include "helpers/preflight/mountinfo.h"

#include "common/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_LINES 256

struct answer {
	enum proc_lines_status status;
	enum proc_result result;
	size_t len;
};

static void
add_escaped(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == ' ' || c == '\n' || c == '\\' || c > 126) {
			buf_printf(b, "\\%03o", c);
		} else {
			buf_putc(b, *text);
		}
	}
}

static void
check_round_trip(const struct mount_entry *e)
{
	static struct mount_entry again;
	struct buf b;

	buf_init(&b, 8 * PROC_LINE_MAX);
	buf_printf(&b, "1 0 %u:%u / ", e->major, e->minor);
	add_escaped(&b, e->point);
	buf_printf(&b, " %.*s - %.*s ", SLICE_ARG(e->options),
	    SLICE_ARG(e->type));
	add_escaped(&b, e->source);
	buf_printf(&b, " %.*s", SLICE_ARG(e->super_options));
	ec_assert(!b.full);
	ec_assert(mountinfo_parse(buf_slice(&b), &again) == PROC_OK);
	ec_assert(strcmp(again.point, e->point) == 0);
	ec_assert(strcmp(again.source, e->source) == 0);
	ec_assert(slice_eq(again.type, e->type));
	ec_assert(slice_eq(again.options, e->options));
	ec_assert(slice_eq(again.super_options, e->super_options));
	ec_assert(again.major == e->major && again.minor == e->minor);
	ec_assert(e->point[0] == '/');
	ec_assert(mount_covers(e->point, e->point) > 0);
	buf_fini(&b);
}

static struct answer
judge_line(enum proc_lines_status status, struct slice line, bool deep)
{
	static struct mount_entry e;
	static struct swap_entry s;
	struct answer a = { status, PROC_OK, line.len };
	struct slice name;

	a.result = mountinfo_parse(line, &e);
	if (a.result == PROC_OK && deep && e.super_options.len > 0 &&
	    memchr(line.ptr, '\0', line.len) == NULL) {
		check_round_trip(&e);
	}
	if (swap_parse(line, &s) == PROC_OK) {
		ec_assert(s.path[0] == '/');
	}
	if (names_sync_eater(line, &name)) {
		ec_assert(name.ptr >= line.ptr &&
		    name.ptr + name.len <= line.ptr + line.len);
	}
	return a;
}

static size_t
split(struct slice in, size_t step, struct answer *out)
{
	static struct proc_lines l;
	struct slice line;
	size_t n = 0, used;

	proc_lines_init(&l);
	while (in.len > 0) {
		struct slice part = slice_make(in.ptr, EC_MIN(step, in.len));

		in = slice_skip(in, part.len);
		for (;;) {
			enum proc_lines_status s = proc_lines_next(&l, part,
			    &used, &line);

			ec_assert(used <= part.len);
			part = slice_skip(part, used);
			if (s == PROC_LINES_MORE) {
				ec_assert(part.len == 0);
				break;
			}
			if (n < MAX_LINES) {
				out[n++] = judge_line(s, line, step > in.len);
			}
		}
	}
	if (proc_lines_end(&l, &line) != PROC_LINES_MORE && n < MAX_LINES) {
		out[n++] = judge_line(PROC_LINES_LINE, line, true);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer whole[MAX_LINES], part[MAX_LINES];
	struct slice in = slice_make(data, size);
	size_t n = split(in, size + 1, whole);

	for (size_t step = 1; step <= 7; step += 3) {
		ec_assert(split(in, step, part) == n);
		for (size_t i = 0; i < n; i++) {
			ec_assert(whole[i].status == part[i].status);
			ec_assert(whole[i].result == part[i].result);
			ec_assert(whole[i].len == part[i].len);
		}
	}
	return 0;
}
