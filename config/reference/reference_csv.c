/*
 * Rows of a CSV reference file (RFC 4180): a header that names members of cards, then one card a row. Read in a stream, a
 * row at a time, so that a file of millions of cards needs no more memory than one row. An empty cell without quotes is an
 * absent member; `null` removes the stored value; a cell of several texts (tags) has semicolons between them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/reference/reference_file.h"

#define CELLS_MAX 32
#define ROW_MAX_BYTES 16384

struct cell {
	size_t offset; /* in row.text */
	bool quoted;
};

struct csv {
	FILE *file;
	struct weir_reference_reader *reader;
	struct weir_buf text; /* the row's cells, each terminated */
	struct cell cells[CELLS_MAX];
	uint32_t cell_count;
	uint32_t line;      /* of the row's begin */
	uint32_t next_line; /* of the next byte */
	const struct weir_member *columns[CELLS_MAX];
	uint32_t column_count;
};

enum csv_got { CSV_ROW, CSV_END, CSV_BAD };

static enum csv_got
refuse_row(struct csv *csv, const char *what)
{
	weir_mistake_add(&csv->reader->mistakes, csv->line, "%s", what);
	return CSV_BAD;
}

static void
text_put(struct csv *csv, int c)
{
	uint8_t byte = (uint8_t)c;
	weir_buf_append(&csv->text, &byte, 1);
}

/* The rest of a quoted cell after its opening quote. Returns the byte after the closing quote, -2 when there is none. */
static int
quoted_read(struct csv *csv)
{
	for (;;) {
		int c = getc_unlocked(csv->file);
		if (c == EOF || csv->text.len > ROW_MAX_BYTES)
			return -2;
		if (c == '"') {
			c = getc_unlocked(csv->file);
			if (c != '"')
				return c;
		}
		csv->next_line += c == '\n';
		text_put(csv, c);
	}
}

/* One cell; *end_out is the byte that ended it: comma, newline or EOF. */
static enum csv_got
cell_read(struct csv *csv, int c, int *end_out)
{
	if (csv->cell_count == CELLS_MAX)
		return refuse_row(csv, "too many columns");
	struct cell *cell = &csv->cells[csv->cell_count++];
	*cell = (struct cell){csv->text.len, c == '"'};
	if (cell->quoted) {
		c = quoted_read(csv);
		if (c == -2)
			return refuse_row(csv, "a quote is not closed, or the row is too long");
	}
	for (; c != ',' && c != '\n' && c != EOF; c = getc_unlocked(csv->file)) {
		if (c == '\r') {
			c = getc_unlocked(csv->file);
			if (c == '\n' || c == EOF)
				break;
			return refuse_row(csv, "a carriage return within a row");
		}
		if (c == '"' || cell->quoted)
			return refuse_row(csv, "a quote within a cell; must be \"\" in a quoted cell");
		if (c == 0 || csv->text.len > ROW_MAX_BYTES)
			return refuse_row(csv, "a zero byte, or the row is too long");
		text_put(csv, c);
	}
	text_put(csv, 0);
	*end_out = c;
	return CSV_ROW;
}

/* The next row that is not empty. */
static enum csv_got
row_read(struct csv *csv)
{
	for (;;) {
		csv->line = csv->next_line;
		csv->cell_count = 0;
		csv->text.len = 0;
		int c = getc_unlocked(csv->file), end = ',';
		if (c == EOF)
			return CSV_END;
		for (; end == ','; c = end == ',' ? getc_unlocked(csv->file) : c)
			if (cell_read(csv, c, &end) != CSV_ROW)
				return CSV_BAD;
		csv->next_line++;
		if (csv->cell_count > 1 || csv->cells[0].quoted || csv->text.len > 1)
			return CSV_ROW;
	}
}

static const char *
cell_text(const struct csv *csv, uint32_t i)
{
	return (const char *)csv->text.data + csv->cells[i].offset;
}

static bool
header_read(struct csv *csv)
{
	static const char BOM[] = "\xef\xbb\xbf";
	enum csv_got got = row_read(csv);
	if (got == CSV_END)
		(void)refuse_row(csv, "empty; must be a header line that names members");
	bool has_iccid = false;
	for (uint32_t i = 0; got == CSV_ROW && i < csv->cell_count; i++) {
		const char *name = cell_text(csv, i);
		if (i == 0 && strncmp(name, BOM, 3) == 0)
			name += 3;
		const struct weir_member *member = weir_reference_member_find(WEIR_REF_CARD, name);
		const char *near = weir_reference_member_nearest(WEIR_REF_CARD, name);
		if (member == NULL)
			weir_mistake_add(&csv->reader->mistakes, csv->line, "column %.64s: unknown%s%s%s", name,
			    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
		for (uint32_t j = 0; j < i; j++)
			if (member != NULL && csv->columns[j] == member)
				weir_mistake_add(&csv->reader->mistakes, csv->line, "column %s: given twice", name);
		csv->columns[csv->column_count++] = member;
		has_iccid |= member != NULL && strcmp(member->name, "iccid") == 0;
	}
	if (got == CSV_ROW && !has_iccid)
		weir_mistake_add(&csv->reader->mistakes, csv->line, "no column iccid");
	return csv->reader->mistakes.count == 0;
}

/* The cell's value; NULL when it is not UTF-8. */
static json_t *
cell_json(const struct weir_member *member, const char *text, bool quoted)
{
	if (member->kind != WEIR_MEMBER_TEXTS || (!quoted && strcmp(text, "null") == 0))
		/* tools quote numbers as they like */
		return weir_reference_scalar(member, text, quoted && member->kind == WEIR_MEMBER_TEXT);
	json_t *list = json_array();
	for (size_t len; text[0] != '\0'; text += len + (text[len] == ';')) {
		len = strcspn(text, ";");
		if (json_array_append_new(list, json_stringn(text, len)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool
card_read(struct csv *csv)
{
	if (csv->cell_count != csv->column_count) {
		weir_mistake_add(&csv->reader->mistakes, csv->line, "%u cells; must be %u as in the header",
		    csv->cell_count, csv->column_count);
		return csv->reader->mistakes.count < 100;
	}
	json_t *object = json_object();
	bool right = true;
	for (uint32_t i = 0; right && i < csv->cell_count; i++) {
		const char *text = cell_text(csv, i);
		if (text[0] == '\0' && !csv->cells[i].quoted)
			continue;
		const struct weir_member *member = csv->columns[i];
		right = json_object_set_new(object, member->name, cell_json(member, text, csv->cells[i].quoted)) == 0;
	}
	bool going = true;
	if (right)
		going = weir_reference_row(csv->reader, csv->line, WEIR_REF_CARD, object, 1);
	else
		weir_mistake_add(&csv->reader->mistakes, csv->line, "not UTF-8");
	json_decref(object);
	return going && csv->reader->mistakes.count < 100;
}

enum weir_class
weir_reference_read_csv(const char *path, struct weir_reference_reader *reader)
{
	struct csv csv = {.reader = reader, .next_line = 1, .file = fopen(path, "re")};
	struct stat st;
	if (csv.file == NULL || fstat(fileno(csv.file), &st) != 0 || !S_ISREG(st.st_mode)) {
		weir_mistake_add(
		    &reader->mistakes, 0, "cannot be read: %s", csv.file == NULL ? strerror(errno) : "not a file");
		if (csv.file != NULL)
			(void)fclose(csv.file);
		return WEIR_POISON;
	}
	if (header_read(&csv))
		while (row_read(&csv) == CSV_ROW && card_read(&csv))
			;
	if (ferror(csv.file))
		weir_mistake_add(&reader->mistakes, csv.line, "cannot be read");
	(void)fclose(csv.file);
	weir_buf_free(&csv.text);
	return reader->mistakes.count > 0 ? WEIR_POISON : WEIR_OK;
}
