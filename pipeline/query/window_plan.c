/*
 * Which windows a question about usage is for (ROL-1): hours, days or cycles of the carrier's calendar between two
 * instants, no older than what is kept, and the windows after them whose baselines end the last one.
 */
#include <string.h>

#include "pipeline/query/query_priv.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

struct calendar {
	const struct weir_zone *zone;
	const struct weir_ref_carrier *carrier;
	struct weir_window current; /* cycle, by the clock */
	int64_t now_us, skew_us;
};

static struct weir_window
cycle_at(const struct calendar *c, int64_t at_us)
{
	if (at_us >= c->current.start_us && at_us < c->current.end_us)
		return c->current;
	return weir_zone_cycle(c->zone, c->carrier->cycle_day, c->carrier->named_after_end, at_us);
}

static struct weir_window
window_at(const struct calendar *c, enum weir_span span, int64_t at_us)
{
	if (span == WEIR_SPAN_HOUR)
		return weir_zone_hour(c->zone, at_us);
	return span == WEIR_SPAN_DAY ? weir_zone_day(c->zone, at_us) : cycle_at(c, at_us);
}

/* Days have a retention of their own, for they are many. */
static int32_t
oldest_cycle(const struct weir_settings *settings, int32_t current, enum weir_span span)
{
	int32_t cycles = (int32_t)(span == WEIR_SPAN_DAY ? settings->day_cycles : settings->cycles_kept);
	return current > cycles ? current - cycles : 0;
}

/* Start of the oldest window that is kept. */
static int64_t
kept_from(const struct weir_settings *settings, const struct calendar *c, enum weir_span span, bool of_pool)
{
	if (span == WEIR_SPAN_HOUR) {
		int64_t hours = (int64_t)(of_pool ? settings->pool_hours_days : settings->card_hours_days) * 24;
		return weir_zone_hour(c->zone, c->now_us - hours * HOUR_US).start_us;
	}
	int32_t oldest = oldest_cycle(settings, c->current.number, span);
	return weir_zone_cycle_by_number(c->zone, c->carrier->cycle_day, c->carrier->named_after_end, oldest).start_us;
}

/* Nothing is shown beyond: today, or this cycle. A record may be ahead of the clock by the allowed skew. */
static int64_t
clamped_until(const struct calendar *c, enum weir_span span)
{
	int64_t at_us = c->now_us + c->skew_us;
	return span == WEIR_SPAN_HOUR ? weir_zone_day(c->zone, at_us).end_us : cycle_at(c, at_us).end_us;
}

static enum weir_read
bound_range(const struct weir_settings *settings, const struct calendar *c, enum weir_span span, bool of_pool,
    int64_t *from_us, int64_t *to_us, struct weir_error *err)
{
	int64_t oldest_us = kept_from(settings, c, span, of_pool), until_us = clamped_until(c, span);
	char oldest[WEIR_TIME_TEXT_MAX];
	if (*from_us != 0 && *to_us != 0 && *from_us >= *to_us)
		return read_fail(err, WEIR_READ_REFUSED, "from: is not before `to`");
	(void)weir_time_format_ms(oldest_us, oldest);
	if (*to_us != 0 && *to_us <= oldest_us)
		return read_fail(err, WEIR_READ_REFUSED, "to: %ss are kept from %s on", weir_span_name(span), oldest);
	if (*from_us >= until_us)
		return read_fail(err, WEIR_READ_REFUSED, "from: lies in the future");
	if (*from_us == 0)
		*from_us = span == WEIR_SPAN_HOUR ? (*to_us != 0 ? *to_us : c->now_us + 1) - 23 * HOUR_US : oldest_us;
	if (*from_us < oldest_us)
		*from_us = oldest_us;
	if (*to_us == 0)
		*to_us = c->now_us + 1;
	if (*to_us > until_us)
		*to_us = until_us;
	return WEIR_READ_OK;
}

static bool
fill_rows(struct weir_reader *reader, const struct calendar *c, int64_t from_us, int64_t to_us, struct span_plan *plan)
{
	plan->rows = arena_take(&reader->arena, WEIR_USAGE_ROWS_MAX, sizeof(*plan->rows));
	for (int64_t at_us = from_us; at_us < to_us;) {
		if (plan->count == WEIR_USAGE_ROWS_MAX)
			return false;
		struct weir_usage_row *row = &plan->rows[plan->count++];
		row->window = window_at(c, plan->span, at_us);
		row->cycle = cycle_at(c, row->window.start_us).number;
		row->open = row->window.end_us > c->now_us;
		at_us = row->window.end_us;
	}
	return true;
}

static void
tail_add(struct weir_reader *reader, struct span_plan *plan, bool day, int32_t number, int32_t cycle)
{
	if (plan->tail == NULL)
		plan->tail = arena_take(&reader->arena, READ_TAIL_MAX, sizeof(*plan->tail));
	if (plan->tail_count < READ_TAIL_MAX)
		plan->tail[plan->tail_count++] = (struct tail_window){day, number, cycle};
}

/* After hours the rest of their day, then days, as far as their cycle goes. */
static void
fill_tail(struct weir_reader *reader, const struct calendar *c, struct span_plan *plan)
{
	if (plan->span == WEIR_SPAN_CYCLE || plan->count == 0)
		return;
	const struct weir_usage_row *last = &plan->rows[plan->count - 1];
	int64_t at_us = last->window.end_us, end_us = cycle_at(c, last->window.start_us).end_us;
	if (end_us > c->now_us + c->skew_us)
		end_us = c->now_us + c->skew_us + 1;
	int64_t day_end_us = weir_zone_day(c->zone, last->window.start_us).end_us;
	while (plan->span == WEIR_SPAN_HOUR && at_us < day_end_us && at_us < end_us) {
		struct weir_window hour = weir_zone_hour(c->zone, at_us);
		tail_add(reader, plan, false, hour.number, last->cycle);
		at_us = hour.end_us;
	}
	while (at_us < end_us) {
		struct weir_window day = weir_zone_day(c->zone, at_us);
		tail_add(reader, plan, true, day.number, last->cycle);
		at_us = day.end_us;
	}
}

enum weir_read
windows_plan(struct weir_reader *reader, const struct partition_carrier *carrier, enum weir_span span, int64_t from_us,
    int64_t to_us, bool of_pool, struct span_plan *plan_out, struct weir_error *err)
{
	const struct weir_settings *settings = reader->opts.settings;
	*plan_out = (struct span_plan){.span = span};
	if (carrier == NULL || carrier->zone == NULL)
		return read_fail(err, WEIR_READ_MISSING, "its carrier is not known, and so no calendar");
	struct calendar c = {.zone = carrier->zone,
	    .carrier = &carrier->ref,
	    .now_us = read_now_us(reader),
	    .skew_us = (int64_t)settings->future_skew_s * 1000000};
	c.current = weir_zone_cycle(c.zone, c.carrier->cycle_day, c.carrier->named_after_end, c.now_us);
	enum weir_read answer = bound_range(settings, &c, span, of_pool, &from_us, &to_us, err);
	if (answer != WEIR_READ_OK)
		return answer;
	if (!fill_rows(reader, &c, from_us, to_us, plan_out))
		return read_fail(
		    err, WEIR_READ_REFUSED, "from: more than %u %ss until `to`", WEIR_USAGE_ROWS_MAX, weir_span_name(span));
	fill_tail(reader, &c, plan_out);
	return WEIR_READ_OK;
}

int32_t
windows_cycle_of_day(const struct partition_carrier *carrier, int32_t day)
{
	int64_t noon_us = (int64_t)day * DAY_US + DAY_US / 2;
	noon_us -= (int64_t)weir_zone_offset(carrier->zone, noon_us) * 1000000;
	return weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, noon_us).number;
}

int32_t
windows_oldest_cycle(const struct weir_reader *reader, const struct partition_carrier *carrier, enum weir_span span)
{
	struct weir_window current =
	    weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, read_now_us(reader));
	return oldest_cycle(reader->opts.settings, current.number, span);
}
