/* SPDX-License-Identifier: Apache-2.0 */
/* One line at a time. */
#include "helpers/line_out.h"

#include <time.h>

#include "common/mail/esc.h"

#define LINE_MAX_BYTES (1u << 20)

void
line_init(struct line_out *l, enum line_form form, FILE *to)
{
	*l = (struct line_out){ .form = form, .to = to };
	buf_init(&l->text, LINE_MAX_BYTES);
	buf_init(&l->heading, LINE_MAX_BYTES);
}

void
line_fini(struct line_out *l)
{
	buf_fini(&l->text);
	buf_fini(&l->heading);
}

void
line_begin(struct line_out *l)
{
	buf_clear(&l->text);
	buf_clear(&l->heading);
	l->fields = 0;
	if (l->form == LINE_JSON) {
		buf_putc(&l->text, '{');
	}
}

/* Escaped as in text, but for UTF-8; JSON then doubles the backslashes. */
void
line_json_string(struct buf *b, struct slice value)
{
	struct buf text;

	buf_init(&text, LINE_MAX_BYTES);
	esc_add(&text, value, ESC_TEXT | ESC_KEEP_UTF8, ESC_NO_MAX);
	buf_putc(b, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\') {
			buf_putc(b, '\\');
		}
		buf_putc(b, text.ptr[i]);
	}
	buf_putc(b, '"');
	buf_fini(&text);
}

static void
put(struct line_out *l, const char *name, unsigned width, struct slice value,
    bool quoted)
{
	if (l->form == LINE_JSON) {
		buf_printf(&l->text, "%s\"%s\":", l->fields > 0 ? "," : "",
		    name);
		if (quoted) {
			line_json_string(&l->text, value);
		} else {
			buf_add(&l->text, value);
		}
	} else if (l->form == LINE_LIST) {
		buf_printf(&l->text, "%s: ", name);
		esc_add(&l->text, value, ESC_TEXT, ESC_NO_MAX);
		buf_putc(&l->text, '\n');
	} else {
		size_t start;

		if (l->fields > 0) {
			buf_putc(&l->text, l->form == LINE_TABS ? '\t' : ' ');
			buf_putc(&l->heading, ' ');
		}
		start = l->text.len;
		esc_add(&l->text, value, ESC_TEXT, ESC_NO_MAX);
		if (l->form == LINE_TABLE) {
			while (l->text.len - start < width &&
			    buf_putc(&l->text, ' ')) {
				continue;
			}
			buf_printf(&l->heading, "%-*s", (int)width, name);
		}
	}
	l->fields++;
}

void
line_text(struct line_out *l, const char *name, unsigned width,
    struct slice value)
{
	put(l, name, width, value, true);
}

void
line_num(struct line_out *l, const char *name, unsigned width, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	put(l, name, width, slice_of(text), false);
}

void
line_bool(struct line_out *l, const char *name, bool value)
{
	put(l, name, 5, slice_of(value ? "true" : "false"), false);
}

void
line_time(struct line_out *l, const char *name, unsigned width,
    uint64_t wall_us)
{
	time_t t = (time_t)(wall_us / 1000000u);
	char text[64] = "-";
	struct tm tm;

	if (l->form == LINE_JSON) {
		line_num(l, name, width, wall_us);
		return;
	}
	if (wall_us != 0 && gmtime_r(&t, &tm) != NULL) {
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
	put(l, name, width, slice_of(text), true);
}

void
line_raw(struct line_out *l, const char *name, struct slice json)
{
	if (l->form == LINE_JSON) {
		put(l, name, 0, json, false);
	}
}

static void
write_trimmed(FILE *to, struct slice s)
{
	while (s.len > 0 && s.ptr[s.len - 1] == ' ') {
		s.len--;
	}
	if (s.len > 0) {
		fwrite(s.ptr, 1, s.len, to);
	}
	fputc('\n', to);
}

void
line_end(struct line_out *l)
{
	if (l->form == LINE_JSON) {
		buf_putc(&l->text, '}');
	}
	if (l->form == LINE_TABLE && l->lines == 0) {
		for (size_t i = 0; i < l->heading.len; i++) {
			char *c = &l->heading.ptr[i];

			*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
		}
		write_trimmed(l->to, buf_slice(&l->heading));
	}
	l->lines++;
	if (l->form == LINE_TABLE) {
		write_trimmed(l->to, buf_slice(&l->text));
	} else {
		if (l->text.len > 0) {
			fwrite(l->text.ptr, 1, l->text.len, l->to);
		}
		fputc('\n', l->to);
	}
}
