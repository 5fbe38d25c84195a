/* What every file of the reader stands on: how a question fails, clocks, zones. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/clock.h"
#include "pipeline/query/query_priv.h"

enum weir_read
read_fail(struct weir_error *err, enum weir_read how, const char *fmt, ...)
{
	static const enum weir_class classes[] = {WEIR_OK, WEIR_POISON, WEIR_POISON, WEIR_RETRY, WEIR_FATAL};
	char text[sizeof(err->text)];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)weir_error_set(err, classes[how], "%s", text);
	return how;
}

/* ---- clocks ---- */

int64_t
read_now_us(const struct weir_reader *reader)
{
	return reader->opts.clock_us != NULL ? reader->opts.clock_us(reader->opts.clock_ctx) : weir_wall_now().us;
}

/* ---- zones ---- */

const struct weir_zone *
read_zone(struct weir_reader *reader, const char *name)
{
	for (uint32_t i = 0; i < reader->zone_count; i++)
		if (strcmp(reader->zones[i].name, name) == 0)
			return reader->zones[i].zone;
	reader->zones = weir_realloc(reader->zones, (reader->zone_count + 1) * sizeof(*reader->zones));
	struct zone_entry *entry = &reader->zones[reader->zone_count++];
	*entry = (struct zone_entry){0};
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	if (weir_zone_open(name, &entry->zone, NULL) != WEIR_OK)
		entry->zone = NULL;
	return entry->zone;
}

void
zones_free(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->zone_count; i++)
		weir_zone_free(reader->zones[i].zone);
	free(reader->zones);
}
