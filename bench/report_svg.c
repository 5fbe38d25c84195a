/*
 * Charts of lines and percentiles as inline SVG. Colours are classes of the page, so that they follow light and dark; every
 * point has a title that a pointer shows. Axes choose round steps, or decades where values span more than fifty-fold.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report_priv.h"

enum { WIDTH = 640, HEIGHT = 300, LEFT = 58, RIGHT = 18, TOP = 14, BOTTOM = 46, STEPS = 8 };

struct axis {
	double from, to; /* in the axis' own scale: log10 of the value if log */
	bool log, quantile;
	double pixel_from, pixel_to;
};

/* Where a value lies on its axis' scale. */
static double
scaled_value(const struct axis *axis, double value)
{
	if (axis->quantile)
		return -log10(1 - (value > 0.99999 ? 0.99999 : value));
	return axis->log ? log10(value) : value;
}

static double
pixel_of(const struct axis *axis, double value)
{
	double part = (scaled_value(axis, value) - axis->from) / (axis->to - axis->from);
	return axis->pixel_from + part * (axis->pixel_to - axis->pixel_from);
}

/* Least and greatest of one coordinate over all series; false without a point. */
static bool
extent_of(const json_t *chart, size_t coordinate, double *min_out, double *max_out)
{
	json_t *series, *point;
	size_t i, k;
	*min_out = INFINITY;
	*max_out = -INFINITY;
	json_array_foreach(json_object_get(chart, "series"), i, series)
	{
		json_array_foreach(json_object_get(series, "points"), k, point)
		{
			double value = json_number_value(json_array_get(point, coordinate));
			*min_out = fmin(*min_out, value);
			*max_out = fmax(*max_out, value);
		}
	}
	return isfinite(*min_out) && isfinite(*max_out);
}

static struct axis
axis_of(double min, double max, bool may_log, bool from_zero, bool quantile)
{
	struct axis axis = {.log = may_log && min > 0 && max / min >= 50, .quantile = quantile};
	if (quantile) {
		axis.to = scaled_value(&axis, max);
	} else if (axis.log) {
		axis.from = from_zero ? floor(log10(min)) : log10(min);
		axis.to = from_zero ? ceil(log10(max)) : log10(max);
	} else {
		double low = from_zero && min >= 0 ? 0 : min, step = report_step(max > low ? max - low : 1);
		axis.from = from_zero ? floor(low / step) * step : low;
		axis.to = from_zero ? ceil(max / step) * step : max;
	}
	if (axis.to <= axis.from)
		axis.to = axis.from + 1;
	return axis;
}

static void
tick(FILE *out, const struct axis *axis, bool horizontal, double value, const char *text)
{
	double at = pixel_of(axis, value);
	if (horizontal)
		(void)fprintf(out,
		    "<line class=grid x1='%.1f' x2='%.1f' y1='%d' y2='%d'/><text x='%.1f' y='%d' text-anchor=middle>", at,
		    at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 16);
	else
		(void)fprintf(out,
		    "<line class=grid x1='%d' x2='%d' y1='%.1f' y2='%.1f'/><text x='%d' y='%.1f' text-anchor=end>", LEFT,
		    WIDTH - RIGHT, at, at, LEFT - 6, at + 4);
	report_html_text(out, text);
	(void)fputs("</text>", out);
}

static void
draw_ticks(FILE *out, const struct axis *axis, bool horizontal)
{
	static const struct {
		double q;
		const char *text;
	} quantiles[] = {{0, "0"}, {0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}, {0.9999, "p99.99"}};
	char text[32];
	if (axis->quantile) {
		for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
			if (scaled_value(axis, quantiles[i].q) <= axis->to + 1e-9)
				tick(out, axis, horizontal, quantiles[i].q, quantiles[i].text);
		return;
	}
	double step = axis->log ? 1 : report_step(axis->to - axis->from);
	for (double at = ceil(axis->from / step - 1e-9) * step; at <= axis->to + step * 1e-6; at += step) {
		double value = axis->log ? pow(10, at) : fabs(at) < step * 1e-6 ? 0 : at;
		report_short(value, text);
		tick(out, axis, horizontal, value, text);
	}
}

static void
draw_line(FILE *out, const struct axis *x, const struct axis *y, const json_t *series, unsigned colour)
{
	json_t *points = json_object_get(series, "points"), *point;
	char at[32], value[32];
	size_t i;
	(void)fprintf(out, "<polyline class='line c%u' points='", colour);
	json_array_foreach(points, i, point)(void)
	    fprintf(out, "%.1f,%.1f ", pixel_of(x, json_number_value(json_array_get(point, 0))),
		pixel_of(y, json_number_value(json_array_get(point, 1))));
	(void)fputs("'/>", out);
	bool dots = json_array_size(points) <= 40;
	json_array_foreach(points, i, point)
	{
		double px = json_number_value(json_array_get(point, 0)), py = json_number_value(json_array_get(point, 1));
		report_short(px, at);
		report_short(py, value);
		(void)fprintf(out, "<circle class='dot c%u' cx='%.1f' cy='%.1f' r='%s'><title>", colour, pixel_of(x, px),
		    pixel_of(y, py), dots ? "3" : "1");
		report_html_text(out, report_text_of(series, "name"));
		(void)fprintf(out, ": %s at %s</title></circle>", value, at);
	}
}

static void
axis_words(FILE *out, const json_t *chart)
{
	(void)fprintf(out, "<text class=axis x='%d' y='%d' text-anchor=middle>", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
	report_html_text(out, report_text_of(chart, "x"));
	(void)fprintf(out, "</text><text class=axis transform='translate(14 %d) rotate(-90)' text-anchor=middle>",
	    (TOP + HEIGHT - BOTTOM) / 2);
	report_html_text(out, report_text_of(chart, "y"));
	(void)fputs("</text>", out);
}

static void
draw_legend(FILE *out, const json_t *chart)
{
	json_t *series;
	size_t i;
	if (json_array_size(json_object_get(chart, "series")) < 2)
		return;
	(void)fputs("<div class=legend>", out);
	json_array_foreach(json_object_get(chart, "series"), i, series)
	{
		(void)fprintf(out, "<span><i class='key c%u'></i>", (unsigned)(i % REPORT_COLOURS));
		report_html_text(out, report_text_of(series, "name"));
		(void)fputs("</span>", out);
	}
	(void)fputs("</div>", out);
}

static void
lines_svg(FILE *out, const json_t *chart)
{
	double x_min, x_max, y_min, y_max;
	bool quantile = strcmp(report_text_of(chart, "kind"), "percentiles") == 0;
	json_t *series;
	size_t i;
	if (!extent_of(chart, 0, &x_min, &x_max) || !extent_of(chart, 1, &y_min, &y_max))
		return;
	struct axis x = axis_of(x_min, x_max, true, false, quantile), y = axis_of(y_min, y_max, quantile, true, false);
	x.pixel_from = LEFT;
	x.pixel_to = WIDTH - RIGHT;
	y.pixel_from = HEIGHT - BOTTOM;
	y.pixel_to = TOP;
	(void)fprintf(out, "<svg viewBox='0 0 %d %d' role=img>", WIDTH, HEIGHT);
	draw_ticks(out, &y, false);
	draw_ticks(out, &x, true);
	axis_words(out, chart);
	json_array_foreach(json_object_get(chart, "series"), i, series)
	    draw_line(out, &x, &y, series, (unsigned)(i % REPORT_COLOURS));
	(void)fputs("</svg>", out);
}

void
report_svg(FILE *out, const json_t *chart)
{
	const char *kind = report_text_of(chart, "kind");
	if (json_array_size(json_object_get(chart, "series")) == 0)
		return;
	(void)fputs("<figure><figcaption>", out);
	report_html_text(out, report_text_of(chart, "title"));
	(void)fputs("</figcaption>", out);
	draw_legend(out, chart);
	if (strcmp(kind, "bars") == 0 || strcmp(kind, "stacked") == 0)
		report_svg_bars(out, chart);
	else
		lines_svg(out, chart);
	(void)fputs("</figure>", out);
}
