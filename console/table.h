/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: rows of cells as text.  On a terminal columns are aligned (numbers to
 * the right) and the first row, the header, stands out; else cells are
 * separated by tabs.  Cells are escaped when they are put in, so whatever
 * strangers named their domains, a line is a line and no terminal control
 * comes through; an empty cell is shown as "-".
 *
 *	table_init(&t, max_bytes);
 *	table_cell(&t, SLICE("domain")); table_cell(&t, SLICE("active"));
 *	table_row(&t);
 *	...
 *	table_print(&t, &out, terminal, colour);
 *	table_fini(&t);
 *
 * All rows have as many cells as the first: missing ones are filled, more are
 * left away.  What passes max_bytes is refused: t.cells.full is set.
 */
#ifndef EC_TABLE_H
#define EC_TABLE_H

#include "common/base/buf.h"

#define TABLE_COLUMNS 32u
#define TABLE_CELL_MAX 400u	/* bytes of one, escaped */

struct table {
	struct buf cells;	/* each with a NUL, row after row */
	unsigned columns;	/* of the first row, once it is complete */
	unsigned in_row;	/* cells of the open row */
	unsigned rows;
	unsigned width[TABLE_COLUMNS];
	bool numeric[TABLE_COLUMNS];	/* below the header only digits */
};

void table_init(struct table *t, size_t max_bytes);
void table_fini(struct table *t);
void table_cell(struct table *t, struct slice raw);
void table_number(struct table *t, uint64_t n);
/* Ends the row. */
void table_row(struct table *t);
/* Appends the text; false if it passes out's cap. */
bool table_print(const struct table *t, struct buf *out, bool terminal,
	bool colour);

#endif
