/* Instants for people; see instants.h. */
#include "config/calendar/instants.h"

#include <stdio.h>
#include <string.h>

#include "config/base/options.h"
#include "config/base/timetext.h"

#define DAY_US INT64_C(86400000000)

const char *
weir_instant_text(int64_t us, char out[WEIR_INSTANT_TEXT_MAX])
{
	char text[WEIR_TIME_TEXT_MAX];
	if (us <= 0 || us == INT64_MAX) {
		(void)snprintf(out, WEIR_INSTANT_TEXT_MAX, "%s", us == INT64_MAX ? "never" : "-");
		return out;
	}
	(void)weir_time_format_ms(us, text);
	(void)snprintf(out, WEIR_INSTANT_TEXT_MAX, "%.10s %.8sZ", text, text + 11);
	return out;
}

const char *
weir_local_text(const struct weir_zone *zone, int64_t us, bool with_time, char out[WEIR_INSTANT_TEXT_MAX])
{
	char text[WEIR_TIME_TEXT_MAX];
	int64_t offset_us = zone != NULL ? (int64_t)weir_zone_offset(zone, us) * 1000000 : 0;
	(void)weir_time_format_ms(us + offset_us, text);
	if (with_time)
		(void)snprintf(out, WEIR_INSTANT_TEXT_MAX, "%.10s %.5s", text, text + 11);
	else
		(void)snprintf(out, WEIR_INSTANT_TEXT_MAX, "%.10s", text);
	return out;
}

static bool
ago_parse(const char *text, int64_t now_us, int64_t *us_out)
{
	uint64_t ms;
	size_t len = strlen(text);
	unsigned days;
	int used = 0;
	if (len == 0 || text[0] < '0' || text[0] > '9') /* scanf takes a sign for part of an unsigned number */
		return false;
	if (text[len - 1] == 'd' && sscanf(text, "%4ud%n", &days, &used) == 1 && (size_t)used == len) {
		*us_out = now_us - (int64_t)days * DAY_US;
		return true;
	}
	if (len < 2 || (text[len - 1] != 'h' && text[len - 1] != 'm') || !weir_duration_parse(text, &ms) || ms > UINT32_MAX)
		return false;
	*us_out = now_us - (int64_t)ms * 1000;
	return true;
}

bool
weir_instant_parse(
    const char *text, const struct weir_zone *zone, bool end, int64_t now_us, int64_t *us_out, struct weir_error *err)
{
	char instant[48];
	if (ago_parse(text, now_us, us_out) && *us_out > 0)
		return true;
	if (weir_time_parse((const uint8_t *)text, strlen(text), us_out))
		return true;
	(void)snprintf(instant, sizeof(instant), "%.10sT12:00:00Z", text);
	if (strlen(text) == 10 && weir_time_parse((const uint8_t *)instant, strlen(instant), us_out)) {
		if (zone != NULL)
			*us_out -= (int64_t)weir_zone_offset(zone, *us_out) * 1000000;
		struct weir_window day = {*us_out - DAY_US / 2, *us_out + DAY_US / 2, 0};
		if (zone != NULL)
			day = weir_zone_day(zone, *us_out);
		*us_out = end ? day.end_us : day.start_us;
		return true;
	}
	(void)weir_error_set(
	    err, WEIR_POISON, "'%.40s' is no time: 2026-11-21, 2026-11-21T08:00:00Z, or so long ago as 90m, 24h, 7d", text);
	return false;
}
