/* A result as text for people, and results read back from a file; see report.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report.h"
#include "config/base/check.h"

enum { LINE_MAX_BYTES = 16 << 20, CELL_MAX = 512, COLUMNS_MAX = 16 };

void
report_number(double value, char out[32])
{
	char digits[48];
	double size = fabs(value);
	int decimals = size >= 100 || (size < 1e15 && size == floor(size)) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
	(void)snprintf(digits, sizeof(digits), "%.*f", decimals, value);
	size_t len = strcspn(digits, "."), sign = digits[0] == '-', at = 0;
	if (size >= 1e15) {
		(void)snprintf(out, 32, "%.3g", value);
		return;
	}
	for (size_t i = 0; i < len && at < 30; i++) {
		if (i > sign && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	(void)snprintf(out + at, 32 - at, "%s", digits + len);
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

/* A scalar as people read it. */
static void
scalar_text(const json_t *value, char *out, size_t cap)
{
	char number[32] = "";
	if (json_is_string(value))
		(void)snprintf(out, cap, "%s", json_string_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(out, cap, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_integer(value))
		(void)snprintf(out, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else {
		report_number(json_number_value(value), number);
		(void)snprintf(out, cap, "%s", number);
	}
}

/* "what   name value, name value", broken before 100 columns. */
static void
print_members(const json_t *result, const char *name, FILE *out)
{
	const char *key;
	json_t *value, *object = json_object_get(result, name);
	char text[CELL_MAX];
	int column = fprintf(out, "%-10s", name);
	json_object_foreach(object, key, value)
	{
		scalar_text(value, text, sizeof(text));
		if (text[0] == '\0')
			continue;
		int more = (int)(strlen(key) + strlen(text)) + 3;
		if (column > 10 && column + more > 100)
			column = fprintf(out, "\n%-10s", "") - 1;
		column += fprintf(out, "%s%s %s", column > 10 ? ", " : "", key, text);
	}
	(void)fputc('\n', out);
}

static void
print_figures(const json_t *figures, FILE *out)
{
	json_t *figure;
	size_t i;
	if (json_array_size(figures) > 0)
		(void)fprintf(out, "\n%-52s %14s %12s %12s  unit\n", "figure", "median", "min", "max");
	json_array_foreach(figures, i, figure)
	{
		char median[32], min[32], max[32];
		report_number(json_number_value(json_object_get(figure, "median")), median);
		report_number(json_number_value(json_object_get(figure, "min")), min);
		report_number(json_number_value(json_object_get(figure, "max")), max);
		bool one = json_integer_value(json_object_get(figure, "samples")) == 1;
		(void)fprintf(out, "%-52s %14s %12s %12s  %s\n", text_of(figure, "name"), median, one ? "" : min,
		    one ? "" : max, text_of(figure, "unit"));
	}
}

/* Characters, not bytes: what UTF-8 goes on with is not counted. */
static int
width_of(const char *text)
{
	int width = 0;
	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void
print_cell(const char *text, int width, bool number, bool last, FILE *out)
{
	int fill = width - width_of(text);
	if (number)
		(void)fprintf(out, "%*s%s", fill > 0 ? fill : 0, "", text);
	else
		(void)fprintf(out, "%s%*s", text, fill > 0 && !last ? fill : 0, "");
	(void)fputs(last ? "\n" : "  ", out);
}

static void
print_table(const json_t *table, FILE *out)
{
	const json_t *columns = json_object_get(table, "columns"), *rows = json_object_get(table, "rows");
	size_t count = json_array_size(columns), i, k;
	int width[COLUMNS_MAX] = {0};
	bool number[COLUMNS_MAX] = {false};
	json_t *row, *cell;
	char text[CELL_MAX];
	WEIR_CHECK(count <= COLUMNS_MAX);
	json_array_foreach(columns, k, cell) width[k] = width_of(json_string_value(cell));
	json_array_foreach(rows, i, row) json_array_foreach(row, k, cell)
	{
		scalar_text(cell, text, sizeof(text));
		number[k] |= json_is_number(cell);
		width[k] = width_of(text) > width[k] ? width_of(text) : width[k];
	}
	(void)fprintf(out, "\n%s\n", text_of(table, "title"));
	json_array_foreach(columns, k, cell)
	{
		(void)fputs(k == 0 ? "  " : "", out);
		print_cell(json_string_value(cell), width[k], number[k], k + 1 == count, out);
	}
	json_array_foreach(rows, i, row) json_array_foreach(row, k, cell)
	{
		(void)fputs(k == 0 ? "  " : "", out);
		scalar_text(cell, text, sizeof(text));
		print_cell(text, width[k], number[k], k + 1 == json_array_size(row), out);
	}
}

void
report_print(const json_t *result, FILE *out)
{
	static const char *const parts[] = {"config", "machine", "versions"};
	json_t *item;
	size_t i;
	(void)fprintf(out, "weir bench %s, %s\n\n", text_of(result, "bench"), text_of(result, "at"));
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		print_members(result, parts[i], out);
	(void)fprintf(out, "%-10s%" JSON_INTEGER_FORMAT "\n%-10s%s\n", "seed",
	    json_integer_value(json_object_get(result, "seed")), "hash", text_of(result, "hash"));
	print_figures(json_object_get(result, "figures"), out);
	json_array_foreach(json_object_get(result, "tables"), i, item) print_table(item, out);
	json_array_foreach(json_object_get(result, "notes"), i, item)(void)
	    fprintf(out, "%s%s\n", i == 0 ? "\n" : "", json_string_value(item));
}

enum weir_class
report_read(const char *path, json_t *results, struct weir_error *err)
{
	size_t before = json_array_size(results), cap = 0;
	char *line = NULL;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return weir_error_set(err, WEIR_POISON, "%s: %s", path, strerror(errno));
	for (ssize_t len; (len = getline(&line, &cap, file)) > 0;) {
		json_t *result = line[0] == '{' && len < LINE_MAX_BYTES ? json_loads(line, 0, NULL) : NULL;
		if (json_is_string(json_object_get(result, "bench")) && json_is_array(json_object_get(result, "figures")))
			(void)json_array_append(results, result);
		json_decref(result);
	}
	free(line);
	(void)fclose(file);
	if (json_array_size(results) == before)
		return weir_error_set(
		    err, WEIR_POISON, "%s: holds no result; `weir bench WHAT --json` prints one as its last line", path);
	return WEIR_OK;
}
