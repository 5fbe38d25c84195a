/* Limits, reasons, cycles and days as JSON; see print.h. */
#include "config/base/timetext.h"
#include "pipeline/query/print.h"

void
weir_json_limit(struct weir_json *json, const char *name, uint64_t bytes)
{
	if (bytes == WEIR_NO_LIMIT)
		weir_json_null(json, name);
	else
		weir_json_u64(json, name, bytes);
}

void
weir_json_reasons(struct weir_json *json, const char *name, uint16_t reasons)
{
	weir_json_open(json, name, '[');
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			weir_json_text(json, NULL, weir_reason_name(i));
	weir_json_close(json, ']');
}

void
weir_json_reason(struct weir_json *json, const char *name, uint8_t reason)
{
	if (reason >= WEIR_REASON_COUNT)
		weir_json_null(json, name);
	else
		weir_json_text(json, name, weir_reason_name(reason));
}

void
weir_json_cycle(struct weir_json *json, const char *name, int32_t cycle)
{
	char text[16];
	if (cycle <= 0) {
		weir_json_null(json, name);
		return;
	}
	weir_cycle_format(cycle, text);
	weir_json_text(json, name, text);
}

void
weir_json_day(struct weir_json *json, const char *name, int32_t day)
{
	char text[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms((int64_t)day * INT64_C(86400000000), text);
	text[10] = '\0';
	weir_json_text(json, name, text);
}
