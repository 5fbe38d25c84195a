/*
 * Tables for people: columns as wide as their widest cell, numbers to the right, a line of headings. Cells are copied; a
 * table is printed at once or, for lists without end, in pieces that keep their widths. Main thread.
 */
#ifndef WEIR_PIPELINE_CLI_TABLE_H
#define WEIR_PIPELINE_CLI_TABLE_H

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
	char **cells; /* rows one after the other */
	uint32_t cell_count, cell_cap;
};

void weir_table_init(struct weir_table *table, const struct weir_column *columns);
/* The next cell, left to right, row by row. */
void weir_table_cell(struct weir_table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Headings and rows; nothing when there are no rows. Empties the table. */
void weir_table_print(struct weir_table *table, FILE *out);
void weir_table_free(struct weir_table *table);

/* Places on a terminal that a UTF-8 text takes, as far as that can be told: wide East Asian characters are two. */
uint32_t weir_text_width(const char *text);

#endif
