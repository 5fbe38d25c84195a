/* Charts of bars as inline SVG: categories from top to bottom, so that their names have room; see report_svg.c. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bench/report_priv.h"

enum { WIDTH = 640, LEFT = 190, RIGHT = 64, TOP = 6, BOTTOM = 40, THICK = 16, GAP = 10, CATEGORIES = 64 };

struct bars {
	const json_t *chart;
	const char *category[CATEGORIES];
	uint32_t categories, series;
	bool stacked;
	double max;
	double step;
};

static uint32_t
category_of(struct bars *b, const char *name)
{
	uint32_t i = 0;
	while (i < b->categories && strcmp(b->category[i], name) != 0)
		i++;
	if (i == b->categories && i < CATEGORIES)
		b->category[b->categories++] = name;
	return i < CATEGORIES ? i : CATEGORIES - 1;
}

/* Categories in the order of their first bar; the axis reaches the longest bar. */
static void
measure(struct bars *b)
{
	double sum[CATEGORIES] = {0};
	json_t *series, *point;
	size_t i, k;
	json_array_foreach(json_object_get(b->chart, "series"), i, series)
	{
		b->series++;
		json_array_foreach(json_object_get(series, "points"), k, point)
		{
			uint32_t at = category_of(b, json_string_value(json_array_get(point, 0)));
			double value = json_number_value(json_array_get(point, 1));
			sum[at] = b->stacked ? sum[at] + value : value;
			b->max = fmax(b->max, sum[at]);
		}
	}
	b->max = b->max > 0 ? b->max : 1;
	b->step = report_step(b->max);
}

static double
width_of(const struct bars *b, double value)
{
	return value / b->max * (WIDTH - LEFT - RIGHT);
}

static int
rows_of(const struct bars *b)
{
	return b->stacked ? 1 : (int)b->series;
}

static int
top_of(const struct bars *b, uint32_t category)
{
	return TOP + GAP / 2 + (int)category * (rows_of(b) * THICK + GAP);
}

static void
draw_frame(FILE *out, const struct bars *b, int bottom)
{
	char text[32];
	for (double at = 0; at <= b->max * 1.0001; at += b->step) {
		double x = LEFT + width_of(b, at);
		report_short(at, text);
		(void)fprintf(out,
		    "<line class=grid x1='%.1f' x2='%.1f' y1='%d' y2='%d'/><text x='%.1f' y='%d' "
		    "text-anchor=middle>%s</text>",
		    x, x, TOP, bottom, x, bottom + 16, text);
	}
	for (uint32_t i = 0; i < b->categories; i++) {
		(void)fprintf(out, "<text class=name x='%d' y='%.1f' text-anchor=end>", LEFT - 8,
		    top_of(b, i) + rows_of(b) * THICK / 2.0 + 4);
		report_html_text(out, b->category[i]);
		(void)fputs("</text>", out);
	}
	(void)fprintf(out, "<text class=axis x='%d' y='%d' text-anchor=middle>", (LEFT + WIDTH - RIGHT) / 2, bottom + 34);
	report_html_text(out, report_text_of(b->chart, "y"));
	(void)fputs("</text>", out);
}

static void
draw_bar(FILE *out, const struct bars *b, double from, int y, double value, const char *series, unsigned colour)
{
	char text[32];
	report_short(value, text);
	(void)fprintf(out, "<rect class='bar c%u' x='%.1f' y='%d' width='%.1f' height='%d' rx=2><title>", colour,
	    LEFT + width_of(b, from), y, fmax(width_of(b, value), 0.5), THICK - 2);
	report_html_text(out, series);
	(void)fprintf(out, ": %s</title></rect>", text);
}

static void
value_text(FILE *out, const struct bars *b, double end, int y)
{
	char text[32];
	report_short(end, text);
	(void)fprintf(out, "<text x='%.1f' y='%d'>%s</text>", LEFT + width_of(b, end) + 5, y + THICK - 4, text);
}

static void
bars_draw(FILE *out, struct bars *b)
{
	double end[CATEGORIES] = {0};
	json_t *series, *point;
	size_t i, k;
	json_array_foreach(json_object_get(b->chart, "series"), i, series)
	{
		json_array_foreach(json_object_get(series, "points"), k, point)
		{
			uint32_t at = category_of(b, json_string_value(json_array_get(point, 0)));
			double value = json_number_value(json_array_get(point, 1));
			int y = top_of(b, at) + (b->stacked ? 0 : (int)i * THICK);
			draw_bar(out, b, b->stacked ? end[at] : 0, y, value, report_text_of(series, "name"),
			    (unsigned)(i % REPORT_COLOURS));
			end[at] += value;
			if (!b->stacked)
				value_text(out, b, value, y);
		}
	}
	for (uint32_t at = 0; b->stacked && at < b->categories; at++)
		value_text(out, b, end[at], top_of(b, at));
}

void
report_svg_bars(FILE *out, const json_t *chart)
{
	struct bars b = {.chart = chart, .stacked = strcmp(report_text_of(chart, "kind"), "stacked") == 0};
	measure(&b);
	int bottom = top_of(&b, b.categories);
	(void)fprintf(out, "<svg viewBox='0 0 %d %d' role=img>", WIDTH, bottom + BOTTOM);
	draw_frame(out, &b, bottom);
	bars_draw(out, &b);
	(void)fputs("</svg>", out);
}
