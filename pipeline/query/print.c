/* Answers as JSON; see print.h. Members keep their names and their order. */
#include "pipeline/query/print.h"

#include <stdio.h>

static const char *
desired_name(enum weir_desired desired)
{
	static const char *const names[] = {"unknown", "active", "suspended"};
	return names[desired];
}

static void
print_volume(struct weir_json *json, const struct weir_volume *volume)
{
	weir_json_u64(json, "up_bytes", volume->up);
	weir_json_u64(json, "down_bytes", volume->down);
	weir_json_u64(json, "used_bytes", weir_volume_bytes(volume));
	weir_json_u64(json, "records", volume->records);
	weir_json_u64(json, "sessions", volume->sessions);
}

static void
print_cycle(struct weir_json *json, const struct weir_window *cycle, const char *zone)
{
	weir_json_cycle(json, "cycle", cycle->number);
	weir_json_time(json, "cycle_start", cycle->start_us);
	weir_json_time(json, "cycle_end", cycle->end_us);
	weir_json_text_or_null(json, "zone", zone);
}

static void
print_mb(struct weir_json *json, uint64_t mb_bytes)
{
	weir_json_limit(json, "mb_bytes", mb_bytes == 0 ? WEIR_NO_LIMIT : mb_bytes);
}

static void
print_source(struct weir_json *json, const char *topic, int64_t partition, int64_t offset)
{
	weir_json_text_or_null(json, "topic", topic);
	if (topic[0] == '\0') {
		weir_json_null(json, "partition");
		weir_json_null(json, "offset");
		return;
	}
	weir_json_i64(json, "partition", partition);
	weir_json_i64(json, "offset", offset);
}

static void
print_decision(struct weir_json *json, uint64_t limit, uint64_t before, uint64_t after, uint64_t overshoot)
{
	weir_json_limit(json, "limit_bytes", limit == 0 ? WEIR_NO_LIMIT : limit);
	weir_json_u64(json, "usage_before_bytes", before);
	weir_json_u64(json, "usage_after_bytes", after);
	weir_json_u64(json, "overshoot_bytes", overshoot);
}

static void
print_command_view(struct weir_json *json, const struct weir_card_view *card)
{
	const struct weir_command_view *command = &card->command;
	if (!command->exists) {
		weir_json_null(json, "command");
		return;
	}
	weir_json_open(json, "command", '{');
	weir_json_text(json, "state", command->state);
	weir_json_text_or_null(json, "action", command->action);
	weir_json_text(json, "desired", desired_name(command->desired));
	weir_json_text(json, "confirmed", desired_name(command->confirmed));
	weir_json_u64(json, "attempts", command->attempts);
	weir_json_reason(json, "reason", command->reason);
	weir_json_text_or_null(json, "ticket", command->ticket);
	print_source(json, command->topic, card->partition, command->offset);
	weir_json_time(json, "record", command->record_us);
	weir_json_time(json, "decided", command->decided_us);
	weir_json_time(json, "sent", command->sent_us);
	weir_json_time(json, "confirmed_at", command->confirmed_us);
	weir_json_time(json, "next_attempt", command->next_us);
	print_decision(json, command->limit, command->usage_before, command->usage_after, command->overshoot);
	weir_json_close(json, '}');
}

static void
print_children(struct weir_json *json, const struct weir_card_view *card)
{
	weir_json_open(json, "children", '[');
	for (uint32_t i = 0; i < card->child_count; i++) {
		const struct weir_child_view *child = &card->children[i];
		char iccid[WEIR_ICCID_TEXT_MAX];
		(void)weir_iccid_format(child->iccid, iccid);
		weir_json_open(json, NULL, '{');
		weir_json_text(json, "iccid", iccid);
		weir_json_text_or_null(json, "carrier", child->carrier);
		weir_json_text_or_null(json, "status", child->status);
		weir_json_u64(json, "used_bytes", child->used);
		weir_json_close(json, '}');
	}
	weir_json_close(json, ']');
	if (card->child_count > 0)
		weir_json_u64(json, "children_used_bytes", card->children_used);
	else
		weir_json_null(json, "children_used_bytes");
}

static void
print_imei(struct weir_json *json, uint64_t imei14)
{
	char text[24];
	if (imei14 == 0) {
		weir_json_null(json, "imei");
		return;
	}
	(void)snprintf(text, sizeof(text), "%014llu", (unsigned long long)imei14);
	weir_json_text(json, "imei", text);
}

static void
print_tags(struct weir_json *json, const struct weir_card_view *card)
{
	weir_json_open(json, "tags", '[');
	for (uint32_t i = 0; i < card->tag_count; i++)
		weir_json_text(json, NULL, card->tags[i]);
	weir_json_close(json, ']');
	weir_json_text_or_null(json, "remark", card->remark);
}

/* What lists and whole cards have in common. */
static void
print_card_head(struct weir_json *json, const struct weir_card_view *card)
{
	weir_json_text(json, "iccid", card->text);
	weir_json_text(json, "status", card->status);
	weir_json_text_or_null(json, "carrier", card->carrier);
	weir_json_text_or_null(json, "plan", card->plan);
	weir_json_text_or_null(json, "pool", card->pool);
	weir_json_cycle(json, "cycle", card->cycle.number);
	print_volume(json, &card->used);
	weir_json_time(json, "last_record", card->last_record_us);
	weir_json_limit(json, "limit_bytes", card->limit);
	weir_json_limit(json, "total_bytes", card->total);
	weir_json_limit(json, "remaining_bytes", card->remaining);
	weir_json_reasons(json, "reasons", card->reasons);
	weir_json_reasons(json, "not_enforced", card->not_enforced);
	print_mb(json, card->mb_bytes);
	print_tags(json, card);
}

void
weir_print_card_row(struct weir_json *json, const struct weir_card_view *card)
{
	weir_json_open(json, NULL, '{');
	print_card_head(json, card);
	weir_json_close(json, '}');
}

void
weir_print_card(struct weir_json *json, const char *name, const struct weir_card_view *card)
{
	weir_json_open(json, name, '{');
	print_card_head(json, card);
	weir_json_text(json, "stored_status",
	    card->stored_status <= WEIR_STATUS_CANCELLED ? weir_status_name(card->stored_status) : "unknown");
	weir_json_text_or_null(json, "plan_kind", card->plan_known ? weir_plan_kind_name(card->plan_kind) : "");
	weir_json_limit(json, "plan_allowance_bytes", card->plan_known ? card->plan_allowance : WEIR_NO_LIMIT);
	weir_json_time(json, "cycle_start", card->cycle.start_us);
	weir_json_time(json, "cycle_end", card->cycle.end_us);
	weir_json_text_or_null(json, "zone", card->zone);
	weir_json_time(json, "activated", card->activated_us);
	weir_json_time(json, "expires", card->expires_us);
	weir_json_bool(json, "expired", card->expired);
	weir_json_bool(json, "auto_registered", card->auto_registered);
	weir_json_u64(json, "test_used_bytes", card->test_used);
	print_imei(json, card->imei14);
	weir_json_u64(json, "metered_bytes", card->metered);
	weir_json_bool(json, "limit_own", card->limit_own);
	weir_json_bool(json, "limit_lifted", card->limit_lifted);
	weir_json_bool(json, "auto_restore", card->auto_restore);
	weir_json_u64(json, "addon_bytes", card->addons);
	print_command_view(json, card);
	weir_json_text_or_null(json, "parent", card->parent);
	print_children(json, card);
	weir_json_u64(json, "partition", card->partition);
	weir_json_u64(json, "slot", card->slot);
	weir_json_close(json, '}');
}

void
weir_print_pool(struct weir_json *json, const char *name, const struct weir_pool_view *pool)
{
	weir_json_open(json, name, '{');
	weir_json_text(json, "id", pool->id);
	weir_json_text(json, "name", pool->name);
	weir_json_text_or_null(json, "kind", pool->defined ? weir_plan_kind_name(pool->kind) : "");
	weir_json_text(json, "status", pool->status);
	weir_json_text_or_null(json, "carrier", pool->carrier);
	weir_json_text_or_null(json, "plan", pool->plan);
	weir_json_u64(json, "cards", pool->cards);
	weir_json_u64(json, "effective_cards", pool->effective_cards);
	weir_json_limit(json, "effective_total_bytes", pool->effective_total);
	print_volume(json, &pool->used);
	if (pool->has_remaining)
		weir_json_i64(json, "remaining_bytes", pool->remaining);
	else
		weir_json_null(json, "remaining_bytes");
	weir_json_u64(json, "addon_bytes", pool->addons);
	weir_json_limit(json, "threshold_bytes", pool->threshold);
	if (pool->threshold == WEIR_NO_LIMIT)
		weir_json_null(json, "threshold_action");
	else
		weir_json_text(json, "threshold_action", pool->threshold_suspends ? "suspend" : "alert");
	weir_json_reasons(json, "reasons", pool->reasons);
	weir_json_bool(json, "frozen", pool->frozen);
	weir_json_time(json, "arrears_since", pool->arrears_us);
	weir_json_time(json, "disabled_since", pool->disabled_us);
	weir_json_u64(json, "retention_days", pool->retention_days);
	weir_json_open(json, "batches", '[');
	for (uint32_t i = 0; i < pool->batch_count; i++)
		weir_json_text(json, NULL, pool->batches[i]);
	weir_json_close(json, ']');
	print_cycle(json, &pool->cycle, pool->zone);
	print_mb(json, pool->mb_bytes);
	weir_json_time(json, "changed", pool->changed_us);
	weir_json_u64(json, "judged_bytes", pool->used_evaluated);
	weir_json_u64(json, "partition", pool->partition);
	weir_json_close(json, '}');
}

void
weir_print_usage_row(struct weir_json *json, enum weir_span span, const struct weir_usage_row *row)
{
	weir_json_open(json, NULL, '{');
	weir_json_time(json, "start", row->window.start_us);
	weir_json_time(json, "end", row->window.end_us);
	if (span == WEIR_SPAN_DAY)
		weir_json_day(json, "day", row->window.number);
	weir_json_cycle(json, "cycle", row->cycle);
	weir_json_bool(json, "open", row->open);
	print_volume(json, &row->volume);
	weir_json_close(json, '}');
}

void
weir_print_history_entry(struct weir_json *json, const struct weir_history_entry *entry)
{
	weir_json_open(json, NULL, '{');
	weir_json_time(json, "at", entry->at_us);
	weir_json_text(json, "event", entry->event);
	weir_json_text_or_null(json, "action", entry->action);
	weir_json_reason(json, "reason", entry->reason);
	weir_json_reasons(json, "reasons", entry->reasons);
	weir_json_text_or_null(json, "rule", entry->rule);
	print_decision(json, entry->limit, entry->usage_before, entry->usage_after, entry->overshoot);
	print_source(json, entry->topic, entry->partition, entry->offset);
	weir_json_time(json, "record", entry->record_us);
	weir_json_time(json, "decided", entry->decided_us);
	weir_json_time(json, "sent", entry->sent_us);
	weir_json_time(json, "confirmed", entry->confirmed_us);
	weir_json_text_or_null(json, "carrier", entry->carrier);
	weir_json_text_or_null(json, "ticket", entry->ticket);
	weir_json_text_or_null(json, "reply", entry->reply);
	weir_json_close(json, '}');
}

void
weir_print_command(struct weir_json *json, const struct weir_command_entry *command)
{
	weir_json_open(json, NULL, '{');
	weir_json_text_or_null(json, "action", command->action);
	weir_json_text(json, "state", command->state);
	weir_json_reason(json, "reason", command->reason);
	weir_json_text_or_null(json, "carrier", command->carrier);
	weir_json_text_or_null(json, "ticket", command->ticket);
	weir_json_text_or_null(json, "reply", command->reply);
	print_source(json, command->topic, command->partition, command->offset);
	print_decision(json, command->limit, command->usage_before, command->usage_after, command->overshoot);
	weir_json_time(json, "record", command->record_us);
	weir_json_time(json, "decided", command->decided_us);
	weir_json_time(json, "sent", command->sent_us);
	weir_json_time(json, "accepted", command->accepted_us);
	weir_json_time(json, "confirmed", command->confirmed_us);
	weir_json_time(json, "failed", command->failed_us);
	weir_json_close(json, '}');
}

static void
print_near_pool(struct weir_json *json, const struct weir_near_pool *pool)
{
	static const char *const statuses[] = {"in_use", "suspended", "disabled"};
	weir_json_open(json, NULL, '{');
	weir_json_text(json, "id", pool->id);
	weir_json_text(json, "kind", weir_plan_kind_name(pool->kind));
	weir_json_text(json, "status", statuses[pool->status]);
	weir_json_u64(json, "cards", pool->cards);
	weir_json_u64(json, "used_bytes", pool->used);
	weir_json_u64(json, "limit_bytes", pool->limit);
	weir_json_close(json, '}');
}

void
weir_print_fleet(struct weir_json *json, const char *name, const struct weir_fleet_view *fleet)
{
	weir_json_open(json, name, '{');
	weir_json_u64(json, "cards", fleet->cards);
	weir_json_u64(json, "pools", fleet->pools);
	weir_json_u64(json, "partitions", fleet->partitions);
	weir_json_u64(json, "records_read", fleet->records_read);
	weir_json_time(json, "stream_time", fleet->stream_time_us);
	weir_json_time(json, "counted_at", fleet->as_of_us);
	weir_json_u64(json, "counted_cards", fleet->done);
	weir_json_open(json, "by_status", '{');
	for (unsigned i = 0; i <= WEIR_STATUS_CANCELLED; i++)
		weir_json_u64(json, weir_status_name((enum weir_card_status)i), fleet->by_status[i]);
	weir_json_close(json, '}');
	weir_json_open(json, "by_reason", '{');
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		weir_json_u64(json, weir_reason_name(i), fleet->by_reason[i]);
	weir_json_close(json, '}');
	weir_json_open(json, "by_carrier", '{');
	for (uint32_t i = 0; i < fleet->carrier_count; i++)
		weir_json_u64(json, fleet->carriers[i].name, fleet->carriers[i].count);
	weir_json_close(json, '}');
	weir_json_open(json, "nearest_pools", '[');
	for (uint32_t i = 0; i < fleet->nearest_count; i++)
		print_near_pool(json, &fleet->nearest[i]);
	weir_json_close(json, ']');
	weir_json_u64(json, "with_reason", fleet->with_reason);
	weir_json_u64(json, "not_enforced", fleet->not_enforced);
	weir_json_u64(json, "used_bytes", fleet->used);
	weir_json_close(json, '}');
}
