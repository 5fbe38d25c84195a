/* Between the files of a report's page: report_html.c, report_svg.c, report_bars.c, on report_axis.c. */
#ifndef WEIR_BENCH_REPORT_PRIV_H
#define WEIR_BENCH_REPORT_PRIV_H

#include <jansson.h>
#include <stdio.h>

enum { REPORT_COLOURS = 8 }; /* classes c0 … c7 of the page's style */

/* Text in which nothing is markup. */
void report_html_text(FILE *out, const char *text);
/* The member's text, or an empty one. */
const char *report_text_of(const json_t *object, const char *name);
/* "1.2k", "34M": short enough for an axis. */
void report_short(double value, char out[32]);
/* The distance of four to eight round steps that reach `span`. */
double report_step(double span);
/* One chart as inline SVG, with its legend. */
void report_svg(FILE *out, const json_t *chart);
void report_svg_bars(FILE *out, const json_t *chart);

#endif
