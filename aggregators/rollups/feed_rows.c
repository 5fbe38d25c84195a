/*
 * Rows of the feeds as JSON (ROL-3, POOL-6; docs/schemas, docs/feeds.md). Member names are stable: sinks have columns of
 * them.
 *
 * A row is an upsert: its key is the message's, `<id>|<window's start>`, and of two the one with the higher revision
 * counts.
 */
#include "aggregators/rollups/feed_rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "aggregators/state/carrier_windows.h"
#include "aggregators/state/pool_table.h"
#include "config/base/timetext.h"

static void
member_time(struct weir_buf *json, const char *name, int64_t at_us)
{
	char text[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(at_us, text);
	weir_buf_printf(json, ",\"%s\":\"%s\"", name, text);
}

static void
member_id(struct weir_buf *json, const char *name, const char *id)
{
	char text[WEIR_JSON_ID_MAX];
	weir_json_id(id, text);
	if (id[0] == '\0')
		weir_buf_printf(json, ",\"%s\":null", name);
	else
		weir_buf_printf(json, ",\"%s\":\"%s\"", name, text);
}

static void
member_u64(struct weir_buf *json, const char *name, uint64_t value)
{
	weir_buf_printf(json, ",\"%s\":%" PRIu64, name, value);
}

/* The day as people say it. */
static void
member_day(struct weir_buf *json, const struct weir_window *day)
{
	char text[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms((int64_t)day->number * 24 * WEIR_HOUR_US, text);
	weir_buf_printf(json, ",\"day\":\"%.10s\"", text);
}

static void
member_cycle(struct weir_buf *json, int32_t number)
{
	char text[16];
	weir_cycle_format(number, text);
	weir_buf_printf(json, ",\"cycle\":\"%s\"", text);
}

static void
put_window(struct weir_buf *json, const struct weir_feed_row *row, const struct weir_carrier_entry *carrier)
{
	if (row->daily)
		member_day(json, &row->window);
	member_time(json, "start", row->window.start_us);
	member_time(json, "end", row->window.end_us);
	weir_buf_printf(json, ",\"zone\":\"%s\"", carrier->ref.zone);
	weir_buf_printf(json, ",\"revision\":%" PRIu64 ",\"complete\":%s", row->revision, row->complete ? "true" : "false");
	member_u64(json, "up", row->usage.up);
	member_u64(json, "down", row->usage.down);
	member_u64(json, "records", row->usage.records);
	member_u64(json, "sessions", row->usage.sessions);
}

static void
put_key(const char *id, const struct weir_feed_row *row, char key_out[WEIR_FEED_KEY_MAX])
{
	char start[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(row->window.start_us, start);
	(void)snprintf(key_out, WEIR_FEED_KEY_MAX, "%s|%s", id, start);
}

/* effective_total, used, remaining: negative when it is overrun, null without a total. */
static void
put_totals(const struct weir_pool_slot *pool, struct weir_buf *json)
{
	member_u64(json, "used", pool->used);
	if (pool->effective_total == UINT64_MAX) {
		weir_buf_printf(json, ",\"effective_total\":null,\"remaining\":null");
		return;
	}
	member_u64(json, "effective_total", pool->effective_total);
	bool over = pool->used > pool->effective_total;
	uint64_t distance = over ? pool->used - pool->effective_total : pool->effective_total - pool->used;
	weir_buf_printf(json, ",\"remaining\":%s%" PRIu64, over ? "-" : "", distance);
}

void
weir_feed_pool_row(const struct weir_partition *p, uint32_t pool_slot, const struct weir_feed_row *row,
    char key_out[WEIR_FEED_KEY_MAX], struct weir_buf *json)
{
	WEIR_CHECK(weir_pool_at(p, pool_slot)->carrier != 0 && weir_pool_at(p, pool_slot)->status <= WEIR_POOL_DISABLED);
	static const char *const STATUS[] = {"in_use", "suspended", "disabled"};
	const struct weir_feeds *f = p->feeds;
	const struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	const struct weir_carrier_entry *carrier = &p->registry.carriers[pool->carrier - 1];
	struct weir_window cycle =
	    weir_zone_cycle_by_number(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, pool->cycle);
	char id[WEIR_JSON_ID_MAX];
	weir_json_id(pool->id, id);
	put_key(pool->id, row, key_out);
	json->len = 0;
	weir_buf_printf(json, "{\"pool\":\"%s\"", id);
	put_window(json, row, carrier);
	if (pool_slot < f->text_cap && f->texts[pool_slot] != NULL)
		weir_buf_printf(json, ",%s", f->texts[pool_slot]);
	weir_buf_printf(json, ",\"kind\":\"%s\",\"status\":\"%s\"", weir_plan_kind_name((enum weir_plan_kind)pool->kind),
	    STATUS[pool->status]);
	member_id(json, "carrier", carrier->ref.id);
	member_id(json, "plan", pool->plan == 0 ? "" : p->registry.plans[pool->plan - 1].ref.id);
	member_u64(json, "cards", pool->members);
	member_u64(json, "effective_cards", pool->active);
	put_totals(pool, json);
	member_cycle(json, pool->cycle);
	member_time(json, "cycle_start", cycle.start_us);
	member_time(json, "cycle_end", cycle.end_us);
	member_time(json, "changed_at", pool->changed_us);
	weir_buf_append(json, "}", 1);
}

/* As people see it: suspended while it is cut off (LIFE-1). */
static const char *
status_of(const struct weir_partition *p, uint32_t slot)
{
	unsigned status = weir_card_status_of(weir_card_at(p, slot));
	if (status == WEIR_STATUS_IN_USE && weir_partition_enforced(p, slot) != 0)
		status = WEIR_STATUS_SUSPENDED;
	return weir_status_name((enum weir_card_status)status);
}

void
weir_feed_card_row(const struct weir_partition *p, uint32_t slot, const struct weir_feed_row *row,
    char key_out[WEIR_FEED_KEY_MAX], struct weir_buf *json)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_carrier_entry *carrier = &p->registry.carriers[card->carrier - 1];
	const struct weir_pool_local_slot *pool_local = weir_pool_local_of(p, slot);
	char iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	put_key(iccid, row, key_out);
	json->len = 0;
	weir_buf_printf(json, "{\"iccid\":\"%s\"", iccid);
	put_window(json, row, carrier);
	member_id(json, "carrier", carrier->ref.id);
	member_id(json, "plan", card->plan == 0 ? "" : p->registry.plans[card->plan - 1].ref.id);
	member_id(json, "pool", pool_local == NULL ? "" : pool_local->pool);
	weir_buf_printf(json, ",\"status\":\"%s\"", status_of(p, slot));
	member_cycle(json, weir_partition_cycle_of(carrier, row->window.start_us));
	weir_buf_append(json, "}", 1);
}
