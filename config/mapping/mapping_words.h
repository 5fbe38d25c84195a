/* The words of a feed's mapping, shared by its compiler and its printer. */
#ifndef WEIR_CONFIG_MAPPING_WORDS_H
#define WEIR_CONFIG_MAPPING_WORDS_H

#include "config/mapping/mapping.h"

#define WEIR_UNIT_COUNT 5
#define WEIR_TIME_FORMAT_COUNT 5

struct weir_unit {
	const char *name;
	uint64_t bytes;
};

extern const char *const weir_field_names[WEIR_FIELD_COUNT];
extern const char *const weir_time_format_names[WEIR_TIME_FORMAT_COUNT];
extern const char *const weir_event_names[3];
extern const struct weir_unit weir_units[WEIR_UNIT_COUNT];

static inline bool
weir_field_is_volume(uint32_t field)
{
	return field >= WEIR_FIELD_UP && field <= WEIR_FIELD_DOWN_TOTAL;
}

static inline bool
weir_field_is_time(uint32_t field)
{
	return field == WEIR_FIELD_END || field == WEIR_FIELD_START;
}

#endif
