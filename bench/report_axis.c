/* What the page and its charts share: escaped text, and numbers and steps short enough for an axis. */
#include <math.h>
#include <stdint.h>

#include "bench/report_priv.h"

void
report_html_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		const char *entity = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '&' ? "&amp;" : NULL;
		if (entity != NULL)
			(void)fputs(entity, out);
		else if (*text == '\'' || *text == '"')
			(void)fprintf(out, "&#%d;", *text);
		else
			(void)fputc(*text, out);
	}
}

const char *
report_text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

void
report_short(double value, char out[32])
{
	static const char *const units[] = {"", "k", "M", "G", "T"};
	uint32_t unit = 0;
	double size = fabs(value);
	for (; size >= 1000 && unit < 4; size /= 1000)
		unit++;
	(void)snprintf(out, 32, "%s%.*g%s", value < 0 ? "-" : "", 3, size, units[unit]);
}

double
report_step(double span)
{
	double step = pow(10, floor(log10(span / 4)));
	return span / step > 20 ? step * 5 : span / step > 8 ? step * 2 : step;
}
