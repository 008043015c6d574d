/* SPDX-License-Identifier: Apache-2.0 */
/* Findings for people, machines and the supervisor. */
#include "helpers/preflight/show.h"

#include <jansson.h>

#include "common/mail/esc.h"

static const char *
colour_of(enum finding_level level)
{
	switch (level) {
	case LEVEL_OK:
		return "\033[32m";
	case LEVEL_ADVICE:
		return "\033[36m";
	case LEVEL_WARN:
		return "\033[33m";
	case LEVEL_REFUSE:
		return "\033[1;31m";
	case LEVEL_COUNT:
		break;
	}
	return "";
}

static void
add_text(struct buf *out, const char *text)
{
	esc_add(out, slice_of(text), ESC_TEXT, ESC_NO_MAX);
}

/* The backslashes of a command are the shell's and must stand. */
static void
add_note(struct buf *out, const char *head, const char *text, unsigned how)
{
	if (text[0] != '\0') {
		buf_printf(out, "                         %s: ", head);
		esc_add(out, slice_of(text), how, ESC_NO_MAX);
		buf_putc(out, '\n');
	}
}

static void
show_row(const struct finding *f, bool colour, struct buf *out)
{
	buf_printf(out, "  %s%-7s%s %-14s ", colour ? colour_of(f->level) : "",
	    finding_level_name(f->level), colour ? "\033[0m" : "",
	    finding_name(f->id));
	add_text(out, f->what);
	buf_putc(out, '\n');
	add_note(out, "why", f->why, ESC_TEXT);
	add_note(out, "mend", f->mend, ESC_AGAIN);
}

void
show_table(const struct facts *f, const struct findings *found, bool colour,
	struct buf *out)
{
	buf_puts(out, "SpoolBase ");
	add_text(out, f->spool);
	buf_puts(out, f->exists ? " on " : " (not made yet) on ");
	add_text(out, f->mount.source);
	buf_puts(out, " (");
	add_text(out, f->mount.type);
	buf_puts(out, "), mounted at ");
	add_text(out, f->mount.point);
	buf_puts(out, "\n\n");
	for (int i = 0; i < FINDING_COUNT; i++) {
		show_row(&found->of[i], colour, out);
	}
	buf_printf(out, "\n%u refuse, %u warn, %u advice, %u ok\n",
	    found->counts[LEVEL_REFUSE], found->counts[LEVEL_WARN],
	    found->counts[LEVEL_ADVICE], found->counts[LEVEL_OK]);
}

/* Paths are bytes, JSON is Unicode: what is no UTF-8 is escaped first. */
static json_t *
json_text(const char *text, unsigned how)
{
	json_t *j;
	struct buf b;

	buf_init(&b, 64 * 1024);
	esc_add(&b, slice_of(text), how | ESC_KEEP_UTF8, ESC_NO_MAX);
	j = json_stringn(b.len > 0 ? b.ptr : "", b.len);
	buf_fini(&b);
	return j;
}

static json_t *
json_finding(const struct finding *f)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o}",
	    "id", finding_name(f->id),
	    "level", finding_level_name(f->level),
	    "what", json_text(f->what, ESC_TEXT),
	    "why", json_text(f->why, ESC_TEXT),
	    "mend", json_text(f->mend, ESC_AGAIN));
}

static json_t *
json_syncs(const struct facts_syncs *s)
{
	if (!s->measured) {
		return json_null();
	}
	return json_pack("{s:I, s:f, s:f}", "count", (json_int_t)s->count,
	    "median_us", (double)s->median_ns / 1e3,
	    "worst_us", (double)s->worst_ns / 1e3);
}

void
show_json(const struct facts *f, const struct findings *found,
	struct buf *out)
{
	json_t *list = json_array(), *all;
	char *text;

	for (int i = 0; i < FINDING_COUNT; i++) {
		json_array_append_new(list, json_finding(&found->of[i]));
	}
	all = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:s, s:o}",
	    "version", 1, "spool", json_text(f->spool, ESC_TEXT),
	    "mount", json_text(f->mount.point, ESC_TEXT),
	    "source", json_text(f->mount.source, ESC_TEXT),
	    "type", json_text(f->mount.type, ESC_TEXT),
	    "syncs", json_syncs(&f->syncs),
	    "verdict", finding_level_name(found->worst), "findings", list);
	text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(1));
	if (text != NULL) {
		buf_puts(out, text);
		buf_putc(out, '\n');
	} else {
		out->full = true;
	}
	free(text);
	json_decref(all);
}

static void
start_line(const struct facts *f, const struct finding *one, struct buf *out)
{
	buf_printf(out, "%s SpoolBase ", finding_level_name(one->level));
	esc_add(out, slice_of(f->spool), ESC_TEXT, 100);
	buf_printf(out, ": %s: ", finding_name(one->id));
	esc_add(out, slice_of(one->what), ESC_TEXT, 120);
	buf_puts(out, ": ");
	esc_add(out, slice_of(one->why), ESC_TEXT, 160);
	if (one->mend[0] != '\0') {
		buf_puts(out, "; mend: ");
		esc_add(out, slice_of(one->mend), ESC_AGAIN, 160);
	}
	buf_putc(out, '\n');
}

void
show_start(const struct facts *f, const struct findings *found,
	struct buf *out)
{
	for (int level = LEVEL_REFUSE; level >= LEVEL_WARN; level--) {
		for (int i = 0; i < FINDING_COUNT; i++) {
			if ((int)found->of[i].level == level) {
				start_line(f, &found->of[i], out);
			}
		}
	}
}
