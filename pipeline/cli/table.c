/* Tables for people; see table.h. */
#include "pipeline/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "config/base/check.h"
#include "config/base/vec.h"

/* Wide ranges as terminals have them; the rest counts one. */
static uint32_t
char_width(uint32_t c)
{
	bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf && c != 0x303f) ||
		    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) ||
		    (c >= 0xff00 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
		    (c >= 0x20000 && c <= 0x3fffd);
	bool none = (c >= 0x300 && c <= 0x36f) || c == 0x200b || c == 0xfeff;
	return none ? 0 : wide ? 2 : 1;
}

uint32_t
weir_text_width(const char *text)
{
	uint32_t width = 0;
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
		unsigned more = *at < 0xc0 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
		uint32_t c = more == 0 ? *at : *at & (0x3fu >> more);
		for (at++; more > 0 && (*at & 0xc0) == 0x80; more--, at++)
			c = c << 6 | (*at & 0x3f);
		width += char_width(c);
	}
	return width;
}

void
weir_table_init(struct weir_table *table, const struct weir_column *columns)
{
	*table = (struct weir_table){.columns = columns};
	for (; columns->heading != NULL; columns++) {
		WEIR_CHECK(table->column_count < WEIR_COLUMNS_MAX);
		table->widths[table->column_count++] = weir_text_width(columns->heading);
	}
}

void
weir_table_cell(struct weir_table *table, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* What is stored may hold a terminal's control characters. */
	for (char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	WEIR_VEC_ROOM(table->cells, table->cell_count, table->cell_cap, 64);
	uint32_t column = table->cell_count % table->column_count, width = weir_text_width(text);
	if (width > table->widths[column])
		table->widths[column] = width;
	table->cells[table->cell_count++] = weir_strdup(text);
}

/* ---- narrow terminals ---- */

void
weir_table_spare(struct weir_table *table, const char *headings)
{
	table->spare = headings;
}

/* Of the columns that are shown, with two places between. */
static uint32_t
width_of(const struct weir_table *table)
{
	uint32_t width = 0;
	for (uint32_t i = 0; i < table->column_count; i++)
		width += table->left_out[i] ? 0 : table->widths[i] + (width > 0 ? 2 : 0);
	return width;
}

uint32_t
weir_table_fit(struct weir_table *table, uint32_t columns)
{
	uint32_t count = 0;
	for (const char *at = table->spare; at != NULL && width_of(table) > columns;) {
		size_t len = strcspn(at, ",");
		for (uint32_t i = 0; i < table->column_count; i++) {
			const char *heading = table->columns[i].heading;
			if (strlen(heading) != len || memcmp(heading, at, len) != 0)
				continue;
			table->left_out[i] = true;
			count++;
		}
		at = at[len] == ',' ? at + len + 1 : NULL;
	}
	return count;
}

/* Before the headings. On stderr, because it is not of what was asked for. */
static void
fit_to_terminal(struct weir_table *table, FILE *out)
{
	struct winsize size;
	if (isatty(fileno(out)) != 1 || ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < 20 ||
	    weir_table_fit(table, size.ws_col) == 0)
		return;
	const char *between = "not shown, to fit this terminal: ";
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (!table->left_out[i])
			continue;
		(void)fprintf(stderr, "%s%s", between, table->columns[i].heading);
		between = ", ";
	}
	(void)fprintf(stderr, " (--json shows all)\n");
}

/* ---- printing ---- */

static uint32_t
last_shown(const struct weir_table *table)
{
	uint32_t last = table->column_count - 1;
	while (last > 0 && table->left_out[last])
		last--;
	return last;
}

static void
print_cell(const struct weir_table *table, uint32_t column, const char *text, FILE *out)
{
	uint32_t gap = table->widths[column] - weir_text_width(text);
	bool last = column == last_shown(table);
	if (table->left_out[column])
		return;
	if (column > 0)
		(void)fputs("  ", out);
	if (table->columns[column].align == 'r')
		(void)fprintf(out, "%*s", (int)gap, "");
	(void)fputs(text, out);
	if (table->columns[column].align != 'r' && !last)
		(void)fprintf(out, "%*s", (int)gap, "");
	if (last)
		(void)fputc('\n', out);
}

void
weir_table_print(struct weir_table *table, FILE *out)
{
	if (table->cell_count > 0 && !table->printed)
		fit_to_terminal(table, out);
	table->printed |= table->cell_count > 0;
	for (uint32_t i = 0; table->cell_count > 0 && i < table->column_count; i++)
		print_cell(table, i, table->columns[i].heading, out);
	for (uint32_t i = 0; i < table->cell_count; i++) {
		print_cell(table, i % table->column_count, table->cells[i], out);
		free(table->cells[i]);
	}
	table->cell_count = 0;
}

void
weir_table_free(struct weir_table *table)
{
	for (uint32_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct weir_table){0};
}

const char *
weir_text_or_dash(const char *text)
{
	return text[0] == '\0' ? "-" : text;
}
