/* Building a result; see report.h. */
#include "bench/report.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/machine.h"
#include "config/base/check.h"
#include "config/base/exit.h"
#include "config/base/timetext.h"

struct report {
	json_t *root;
	uint64_t hash;
};

static json_t *
part(struct report *report, const char *name)
{
	json_t *found = json_object_get(report->root, name);
	WEIR_CHECK(found != NULL);
	return found;
}

struct report *
report_new(const char *what, const struct bench_common *common)
{
	struct report *report = weir_calloc(1, sizeof(*report));
	char now[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms((int64_t)time(NULL) * 1000000, now);
	report->root = json_pack("{s:s, s:s, s:I, s:s, s:s, s:{s:b}, s:o, s:o, s:[], s:[], s:[], s:[]}", "bench", what,
	    "version", WEIR_VERSION, "seed", (json_int_t)common->seed, "hash", "", "at", now, "config", "quick",
	    (int)common->quick, "machine", bench_machine(), "versions", bench_versions(), "figures", "tables", "charts",
	    "notes");
	WEIR_CHECK(report->root != NULL);
	if (common->quick)
		report_note(report, "A quick run: it shows that everything works, its figures mean little.");
	return report;
}

void
report_free(struct report *report)
{
	if (report == NULL)
		return;
	json_decref(report->root);
	free(report);
}

void
report_config_number(struct report *report, const char *name, uint64_t value)
{
	(void)json_object_set_new(part(report, "config"), name, json_integer((json_int_t)value));
}

void
report_config_text(struct report *report, const char *name, const char *value)
{
	(void)json_object_set_new(part(report, "config"), name, json_string(value));
}

void
report_version(struct report *report, const char *name, const char *text)
{
	(void)json_object_set_new(part(report, "versions"), name, json_string(text));
}

void
report_note(struct report *report, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)json_array_append_new(part(report, "notes"), json_string(text));
}

void
report_hash(struct report *report, const void *data, size_t len)
{
	report->hash = bench_hash(report->hash, data, len);
}

void
report_hash_u64(struct report *report, uint64_t value)
{
	report->hash = bench_hash_u64(report->hash, value);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void
report_samples(struct report *report, const char *name, const char *unit, double *samples, uint32_t count)
{
	WEIR_CHECK(count > 0);
	qsort(samples, count, sizeof(*samples), by_size);
	double median = count % 2 == 1 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
	json_t *figure = json_pack("{s:s, s:s, s:f, s:f, s:f, s:I}", "name", name, "unit", unit, "min", samples[0],
	    "median", median, "max", samples[count - 1], "samples", (json_int_t)count);
	WEIR_CHECK(figure != NULL);
	(void)json_array_append_new(part(report, "figures"), figure);
}

void
report_figure(struct report *report, const char *name, const char *unit, double value)
{
	report_samples(report, name, unit, &value, 1);
}

json_t *
report_table(struct report *report, const char *title, const char *columns)
{
	json_t *names = json_array();
	for (const char *at = columns; at != NULL;) {
		size_t len = strcspn(at, "|");
		(void)json_array_append_new(names, json_stringn(at, len));
		at = at[len] == '|' ? at + len + 1 : NULL;
	}
	json_t *table = json_pack("{s:s, s:o, s:[]}", "title", title, "columns", names, "rows");
	WEIR_CHECK(table != NULL);
	(void)json_array_append_new(part(report, "tables"), table);
	return table;
}

static void
cell_add(json_t *table, json_t *cell)
{
	json_t *rows = json_object_get(table, "rows");
	size_t width = json_array_size(json_object_get(table, "columns")), count = json_array_size(rows);
	json_t *row = count == 0 ? NULL : json_array_get(rows, count - 1);
	if (row == NULL || json_array_size(row) == width) {
		row = json_array();
		(void)json_array_append_new(rows, row);
	}
	(void)json_array_append_new(row, cell);
}

void
report_cell_text(json_t *table, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cell_add(table, json_string(text));
}

void
report_cell(json_t *table, double value)
{
	cell_add(table, json_real(value));
}

json_t *
report_chart(struct report *report, enum report_chart_kind kind, const char *title, const char *x, const char *y)
{
	static const char *const kinds[] = {"lines", "percentiles", "bars", "stacked"};
	json_t *chart =
	    json_pack("{s:s, s:s, s:s, s:s, s:[]}", "title", title, "kind", kinds[kind], "x", x, "y", y, "series");
	WEIR_CHECK(chart != NULL);
	(void)json_array_append_new(part(report, "charts"), chart);
	return chart;
}

static json_t *
series_points(json_t *chart, const char *name)
{
	json_t *all = json_object_get(chart, "series"), *series;
	size_t i;
	json_array_foreach(all, i, series) if (strcmp(json_string_value(json_object_get(series, "name")), name) ==
					       0) return json_object_get(series, "points");
	series = json_pack("{s:s, s:[]}", "name", name, "points");
	(void)json_array_append_new(all, series);
	return json_object_get(series, "points");
}

void
report_point(json_t *chart, const char *series, double x, double y)
{
	(void)json_array_append_new(series_points(chart, series), json_pack("[f, f]", x, y));
}

void
report_bar(json_t *chart, const char *series, const char *category, double y)
{
	(void)json_array_append_new(series_points(chart, series), json_pack("[s, f]", category, y));
}

json_t *
report_json(struct report *report)
{
	char hash[24];
	(void)snprintf(hash, sizeof(hash), "%016" PRIx64, report->hash);
	(void)json_object_set_new(report->root, "hash", json_string(hash));
	return report->root;
}

int
report_finish(struct report *report, const struct bench_common *common)
{
	json_t *root = report_json(report), *one = json_pack("[O]", root);
	struct weir_error err;
	int code = WEIR_EXIT_OK;
	if (common->html != NULL && report_html(one, common->html, &err) != WEIR_OK)
		code = bench_fail(json_string_value(json_object_get(root, "bench")), WEIR_EXIT_FAILED, &err);
	json_decref(one);
	if (common->json) {
		(void)json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		(void)fputc('\n', stdout);
	} else {
		report_print(root, stdout);
	}
	if (fflush(stdout) != 0)
		code = WEIR_EXIT_FAILED;
	report_free(report);
	return code;
}
