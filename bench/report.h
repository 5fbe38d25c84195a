/*
 * The result of one benchmark: what ran on which machine, what it gave, and a hash over what must be the same each time.
 *
 * It is a JSON object from the beginning (jansson), because three readers want it: the text for people, the line that
 * --json prints, and the HTML page, which also takes results that were kept in a file (`weir bench report`). Times and
 * rates are never in the hash; counters, sizes and hashes of state are. One report belongs to one thread.
 *
 *   {"bench":"core","version":"0.1.0","seed":1,"hash":"…","at":"2026-…Z",
 *    "config":{name:value}, "machine":{…}, "versions":{name:text},
 *    "figures":[{"name","unit","min","median","max","samples"}],
 *    "tables":[{"title","columns":[…],"rows":[[…]]}],
 *    "charts":[{"title","kind","x","y","series":[{"name","points":[[x,y],…]}]}],
 *    "notes":[text]}
 */
#ifndef WEIR_BENCH_REPORT_H
#define WEIR_BENCH_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/bench.h"

struct report;

/* Begins one: machine, versions of weir, compiler and libraries, and the time are taken now. */
struct report *report_new(const char *what, const struct bench_common *common);
void report_free(struct report *report);

void report_config_number(struct report *report, const char *name, uint64_t value);
void report_config_text(struct report *report, const char *name, const char *value);
/* A version of something that takes part, such as redis. */
void report_version(struct report *report, const char *name, const char *text);
/* A sentence that a reader must know to judge the figures. */
void report_note(struct report *report, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts deterministic results into the hash, in the order of the calls. */
void report_hash(struct report *report, const void *data, size_t len);
void report_hash_u64(struct report *report, uint64_t value);

/* One measured number. Units as they are printed: "ns", "1/s", "bytes", "us". Names are lower_case, parts divided by dots.
 */
void report_figure(struct report *report, const char *name, const char *unit, double value);
/* Of several samples, which are sorted in place; the median is what is quoted. count >= 1. */
void report_samples(struct report *report, const char *name, const char *unit, double *samples, uint32_t count);

/* Columns are given as one text, divided by '|'; cells are added from left to right, a row is full when all are there. */
json_t *report_table(struct report *report, const char *title, const char *columns);
void report_cell_text(json_t *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Printed with as many decimals as three figures need. */
void report_cell(json_t *table, double value);

enum report_chart_kind {
	REPORT_LINES,       /* x and y are numbers */
	REPORT_PERCENTILES, /* x is a quantile below 1: the axis stretches towards 1 */
	REPORT_BARS,        /* a category has one bar a series */
	REPORT_STACKED      /* a category has one bar, its series upon each other */
};
/* x and y are the axes' words with units. */
json_t *report_chart(struct report *report, enum report_chart_kind kind, const char *title, const char *x, const char *y);
/* Of lines and percentiles. */
void report_point(json_t *chart, const char *series, double x, double y);
/* Of bars. */
void report_bar(json_t *chart, const char *series, const char *category, double y);

/* The object; borrowed. Its "hash" is up to date. */
json_t *report_json(struct report *report);

/* Prints text, or the JSON line, and writes the page, as the common options say; frees the report. Returns the exit code.
 */
int report_finish(struct report *report, const struct bench_common *common);

/* The text of one result. */
void report_print(const json_t *result, FILE *out);
/* One page of a list of results. */
enum weir_class report_html(const json_t *results, const char *path, struct weir_error *err);
/* Reads results, one JSON object a line; other lines are skipped. POISON with err: no such file, or none in it. */
enum weir_class report_read(const char *path, json_t *results, struct weir_error *err);

/* Three significant figures at least, whole numbers whole, and a thousands' separator: "1,234", "0.056". */
void report_number(double value, char out[32]);

#endif
