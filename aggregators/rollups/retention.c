/*
 * What is kept (ROL-1): how long windows of each kind stay, by the time of the partition as far as those windows go.
 */
#include "aggregators/rollups/retention.h"

int64_t
weir_feeds_whole_us(const struct weir_partition *p)
{
	int64_t least_us = p->opts.partitions == 0 ? 0 : INT64_MAX;
	for (uint32_t i = 0; i < p->opts.partitions; i++)
		least_us = p->feeds->watermarks[i] < least_us ? p->feeds->watermarks[i] : least_us;
	return least_us;
}

static int32_t
hour_before(int64_t at_us, uint32_t hours)
{
	int64_t from_us = at_us - (int64_t)hours * WEIR_HOUR_US;
	return from_us > 0 ? (int32_t)(from_us / WEIR_HOUR_US) : WEIR_WINDOW_NONE;
}

/* The day before that in which the cycle began, as many before the current one, of the carrier whose began first. */
static int32_t
closed_cycles_day(const struct weir_partition *p, int64_t at_us, uint32_t cycles)
{
	int32_t from = INT32_MAX;
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		const struct weir_carrier_entry *carrier = &p->registry.carriers[i];
		if (!carrier->known)
			continue;
		struct weir_window now =
		    weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, at_us);
		int32_t number = now.number > (int32_t)cycles ? now.number - (int32_t)cycles : 0;
		struct weir_window oldest =
		    weir_zone_cycle_by_number(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, number);
		int32_t day = (int32_t)((oldest.start_us - 15 * WEIR_HOUR_US) / (24 * WEIR_HOUR_US)) - 1;
		from = day < from ? day : from;
	}
	return from == INT32_MAX ? WEIR_WINDOW_NONE : from;
}

/* Time of the partition, as far as its windows of that kind go. */
static int64_t
time_of(const struct weir_partition *p, enum weir_window_kind kind)
{
	int64_t published_us = p->feeds->hours.safe.published_us, whole_us = weir_feeds_whole_us(p);
	if (kind == WEIR_WINDOW_POOL_SOURCE_HOUR)
		return p->feeds->whole_us; /* not by the watermarks, which may go back: what was deleted is gone */
	if (kind == WEIR_WINDOW_POOL_LOCAL_HOUR || kind == WEIR_WINDOW_POOL_LOCAL_DAY)
		return published_us < p->clock.stream_time_us ? published_us : p->clock.stream_time_us;
	/* The pools of a partition may well have traffic while its cards have none. */
	return kind > WEIR_WINDOW_POOL_SOURCE_HOUR && whole_us > p->clock.stream_time_us ? whole_us
											 : p->clock.stream_time_us;
}

int32_t
weir_partition_windows_from(const struct weir_partition *p, enum weir_window_kind kind)
{
	WEIR_CHECK(kind < WEIR_WINDOW_KINDS);
	/* What a late record may still change, and what may still be told, is kept in any case. */
	uint32_t least = p->opts.dedupe_horizon_h + 26, wanted = 0;
	int64_t at_us = time_of(p, kind);
	if (at_us == 0)
		return WEIR_WINDOW_NONE;
	if (kind == WEIR_WINDOW_POOL_LOCAL_DAY)
		return closed_cycles_day(p, at_us, 1); /* as many as it holds totals of */
	if (kind == WEIR_WINDOW_CARD_DAY || kind == WEIR_WINDOW_POOL_DAY)
		return closed_cycles_day(p, at_us, p->opts.day_cycles > 1 ? p->opts.day_cycles : 1);
	if (kind == WEIR_WINDOW_CARD_HOUR)
		wanted = 24 * p->opts.card_hours_days;
	if (kind == WEIR_WINDOW_POOL_HOUR)
		wanted = 24 * p->opts.pool_hours_days;
	return hour_before(at_us, wanted > least ? wanted : least);
}

uint32_t
weir_partition_window_pages(const struct weir_partition *p, enum weir_window_kind kind)
{
	WEIR_CHECK(kind < WEIR_WINDOW_KINDS);
	uint32_t slots = kind <= WEIR_WINDOW_CARD_DAY           ? p->tables.cards.used
			 : kind <= WEIR_WINDOW_POOL_LOCAL_DAY   ? p->tables.pool_locals.used
			 : kind == WEIR_WINDOW_POOL_SOURCE_HOUR ? p->tables.pool_sources.used
								: p->tables.pools.used;
	return (slots + WEIR_WINDOW_SLOTS - 1) / WEIR_WINDOW_SLOTS;
}
