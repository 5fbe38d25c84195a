/*
 * Tables for people: columns as wide as their widest cell, numbers to the right, a line of headings. Cells are copied; a
 * table is printed at once or, for lists without end, in pieces that keep their widths. On a terminal that is too narrow,
 * columns that can be spared are left out, and said to be. Main thread.
 */
#ifndef WEIR_PIPELINE_CLI_TABLE_H
#define WEIR_PIPELINE_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WEIR_COLUMNS_MAX 16

struct weir_column {
	const char *heading; /* NULL ends the list */
	char align;          /* 'l' or 'r' */
};

struct weir_table {
	const struct weir_column *columns; /* borrowed */
	uint32_t column_count;
	uint32_t widths[WEIR_COLUMNS_MAX];
	const char *spare; /* headings with commas between, the first to go first; NULL = none */
	bool left_out[WEIR_COLUMNS_MAX];
	bool printed; /* its headings are: what is left out stays so */
	char **cells; /* rows one after the other */
	uint32_t cell_count, cell_cap;
};

void weir_table_init(struct weir_table *table, const struct weir_column *columns);
/* Columns that a narrow terminal may do without. The text is borrowed. */
void weir_table_spare(struct weir_table *table, const char *headings);
/* The next cell, left to right, row by row. */
void weir_table_cell(struct weir_table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Leaves out spare columns, in their order, until `columns` places suffice or none is left; returns how many. For
 * weir_table_print, which knows the terminal.
 */
uint32_t weir_table_fit(struct weir_table *table, uint32_t columns);
/* Headings and rows; nothing when there are no rows. Empties the table. */
void weir_table_print(struct weir_table *table, FILE *out);
void weir_table_free(struct weir_table *table);

/* The text, or "-" for an empty one. */
const char *weir_text_or_dash(const char *text);

/* Places on a terminal that a UTF-8 text takes, as far as that can be told: wide East Asian characters are two. */
uint32_t weir_text_width(const char *text);

#endif
