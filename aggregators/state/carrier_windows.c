/*
 * Windows of a carrier's calendar: cycles, hours, days. Each carrier keeps the windows that were asked for last, because
 * records come in the order of time but for a few.
 */
#include "aggregators/state/carrier_windows.h"

#include "aggregators/tables/dedupe_keys.h"

#define DAY_US (24 * WEIR_HOUR_US)
#define S_US 1000000ll

int32_t
weir_partition_cycle_slow(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us < carrier->other.start_us || at_us >= carrier->other.end_us)
		carrier->other =
		    weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, at_us);
	return carrier->other.number;
}

/*
 * What is rare lies apart, here and below: a function that takes a window by value has it on its stack, and a guard
 * there is paid by each call.
 */
static __attribute__((noinline)) const struct weir_window *
other_hour(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us < carrier->hour.end_us) {
		carrier->hour_other = weir_zone_hour(carrier->zone, at_us);
		return &carrier->hour_other;
	}
	carrier->hour_other = carrier->hour;
	carrier->hour = weir_zone_hour(carrier->zone, at_us);
	carrier->hour_s = (uint32_t)(carrier->hour.start_us / S_US);
	carrier->hour_len_s = (uint32_t)((carrier->hour.end_us - carrier->hour.start_us) / S_US);
	return &carrier->hour;
}

const struct weir_window *
weir_carrier_hour(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (weir_window_holds(&carrier->hour, at_us))
		return &carrier->hour;
	if (weir_window_holds(&carrier->hour_other, at_us))
		return &carrier->hour_other;
	return other_hour(carrier, at_us);
}

static __attribute__((noinline)) const struct weir_window *
other_day(struct weir_carrier_entry *carrier, int64_t at_us)
{
	bool newer = at_us >= carrier->day.end_us;
	if (newer)
		carrier->day_other = carrier->day;
	struct weir_window *to = newer ? &carrier->day : &carrier->day_other;
	*to = weir_zone_day(carrier->zone, at_us);
	return to;
}

const struct weir_window *
weir_carrier_day(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (weir_window_holds(&carrier->day, at_us))
		return &carrier->day;
	if (weir_window_holds(&carrier->day_other, at_us))
		return &carrier->day_other;
	return other_day(carrier, at_us);
}

struct weir_window
weir_carrier_day_by_number(const struct weir_carrier_entry *carrier, int32_t number)
{
	struct weir_window day = weir_zone_day(carrier->zone, (int64_t)number * DAY_US + DAY_US / 2);
	while (day.number < number)
		day = weir_zone_day(carrier->zone, day.end_us);
	while (day.number > number)
		day = weir_zone_day(carrier->zone, day.start_us - 1);
	WEIR_CHECK(day.number == number);
	return day;
}
