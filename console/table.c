/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned or tab-separated columns. */
#include "console/table.h"

#include "common/mail/esc.h"

#define BOLD "\033[1m"
#define PLAIN "\033[0m"

void
table_init(struct table *t, size_t max_bytes)
{
	*t = (struct table){ 0 };
	buf_init(&t->cells, max_bytes);
}

void
table_fini(struct table *t)
{
	buf_fini(&t->cells);
}

static bool
is_number(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((s[i] < '0' || s[i] > '9') && s[i] != '.' &&
		    s[i] != '-') {
			return false;
		}
	}
	return true;	/* so is "-", an empty cell */
}

void
table_cell(struct table *t, struct slice raw)
{
	unsigned limit = t->rows == 0 ? TABLE_COLUMNS : t->columns;
	unsigned at = t->in_row;
	size_t start = t->cells.len, len;

	if (at >= limit) {
		return;
	}
	if (raw.len == 0) {
		raw = SLICE("-");
	}
	/* Cut at the maximum, never inside an escape. */
	esc_add(&t->cells, raw, ESC_TEXT, TABLE_CELL_MAX);
	len = t->cells.len - start;
	if (!buf_putc(&t->cells, '\0')) {
		return;
	}
	t->in_row++;
	t->width[at] = EC_MAX(t->width[at], (unsigned)len);
	if (t->rows == 0) {
		t->numeric[at] = true;
	} else if (!is_number(t->cells.ptr + start, len)) {
		t->numeric[at] = false;
	}
}

void
table_number(struct table *t, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	table_cell(t, slice_of(text));
}

void
table_row(struct table *t)
{
	if (t->rows == 0) {
		t->columns = t->in_row;
	}
	while (t->in_row < t->columns && !t->cells.full) {
		table_cell(t, SLICE(""));
	}
	t->in_row = 0;
	t->rows++;
}

static void
print_cell(const struct table *t, struct buf *out, const char *cell,
    unsigned column, bool terminal)
{
	int pad = (int)t->width[column] - (int)strlen(cell);
	bool last = column + 1 == t->columns;

	if (!terminal) {
		buf_puts(out, cell);
	} else if (t->numeric[column]) {
		buf_printf(out, "%*s%s", pad, "", cell);
	} else {
		buf_printf(out, "%s%*s", cell, last ? 0 : pad, "");
	}
	buf_puts(out, last ? "" : terminal ? "  " : "\t");
}

bool
table_print(const struct table *t, struct buf *out, bool terminal, bool colour)
{
	const char *cell = t->cells.ptr;

	if (t->columns == 0 || t->cells.full) {
		return !t->cells.full;
	}
	for (unsigned row = 0; row < t->rows; row++) {
		if (row == 0 && colour) {
			buf_puts(out, BOLD);
		}
		for (unsigned i = 0; i < t->columns; i++) {
			print_cell(t, out, cell, i, terminal);
			cell += strlen(cell) + 1;
		}
		buf_puts(out, row == 0 && colour ? PLAIN "\n" : "\n");
	}
	return !out->full;
}
