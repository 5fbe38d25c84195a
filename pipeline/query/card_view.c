/*
 * From a card's slots to what is shown of it (query.h, struct weir_card_view). The rules are the core's
 * (aggregators/enforcement/evaluate.c), read from the other side: a card whose cycle has ended by the clock has used
 * nothing of the new one, whether or not weir has rolled it over yet.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

static const char *const COMMAND_STATES[] = {"idle", "queued", "sent", "accepted", "confirmed", "failed"};

/* ---- small parts ---- */

static uint64_t
sub_saturating(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t
add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint32_t
card_status_bit(unsigned stored, uint16_t reasons, uint16_t not_enforced)
{
	if (stored == WEIR_STATUS_IN_USE && (reasons & (uint16_t)~not_enforced) != 0)
		return 1u << WEIR_STATUS_SUSPENDED;
	return stored <= WEIR_STATUS_CANCELLED ? 1u << stored : 0;
}

const char *
card_status_shown(unsigned stored, uint16_t reasons, uint16_t not_enforced)
{
	uint32_t bit = card_status_bit(stored, reasons, not_enforced);
	return bit == 0 ? "unknown" : weir_status_name((enum weir_card_status)__builtin_ctz(bit));
}

struct weir_window
card_cycle_now(const struct weir_reader *reader, const struct partition_carrier *carrier, uint16_t slot_cycle)
{
	struct weir_window window = {0, 0, slot_cycle};
	if (carrier == NULL || carrier->zone == NULL)
		return window;
	const struct weir_ref_carrier *ref = &carrier->ref;
	window = weir_zone_cycle(carrier->zone, ref->cycle_day, ref->named_after_end, read_now_us(reader));
	/* A record may be ahead of the clock by the skew that is allowed. */
	if (window.number < slot_cycle)
		window = weir_zone_cycle_by_number(carrier->zone, ref->cycle_day, ref->named_after_end, slot_cycle);
	return window;
}

static int64_t
seconds_us(uint32_t seconds)
{
	return (int64_t)seconds * 1000000;
}

/* ---- what people wrote ---- */

/* Tags lie in the card's message that set them. */
static void
view_tags(struct weir_reader *reader, const char *text, struct weir_card_view *view)
{
	json_t *json = text[0] == '\0' ? NULL : json_loads(text, 0, NULL);
	json_t *tags = json_object_get(json, "tags");
	for (size_t i = 0; i < json_array_size(tags) && view->tag_count < WEIR_TAGS_MAX; i++) {
		const json_t *tag = json_array_get(tags, i);
		if (json_is_string(tag))
			view->tags[view->tag_count++] =
			    arena_text(&reader->arena, json_string_value(tag), json_string_length(tag));
	}
	json_decref(json);
}

/* A remark likewise; "" = none. */
static const char *
view_remark(struct weir_reader *reader, const char *text)
{
	json_t *json = text[0] == '\0' ? NULL : json_loads(text, 0, NULL);
	const json_t *remark = json_object_get(json, "remark");
	const char *found =
	    json_is_string(remark) ? arena_text(&reader->arena, json_string_value(remark), json_string_length(remark)) : "";
	json_decref(json);
	return found;
}

/* ---- enforcement ---- */

/* Topics by number, as a lane counts them: inputs, then cards, then usage reports. */
static const char *
topic_name(const struct weir_settings *settings, uint32_t input)
{
	if (input < settings->input_count)
		return settings->inputs[input].topic;
	if (input == settings->input_count && settings->topic_cards != NULL)
		return settings->topic_cards;
	return "";
}

static void
view_command(struct weir_reader *reader, const struct weir_enforcement_slot *e, struct weir_command_view *view)
{
	*view = (struct weir_command_view){.desired = WEIR_DESIRED_ACTIVE,
	    .state = COMMAND_STATES[0],
	    .action = "",
	    .reason = WEIR_REASON_NONE,
	    .ticket = "",
	    .topic = ""};
	if (e->card == 0)
		return;
	view->exists = true;
	view->desired = (enum weir_desired)(e->desired <= WEIR_DESIRED_SUSPENDED ? e->desired : 0);
	view->confirmed = (enum weir_desired)(e->confirmed <= WEIR_DESIRED_SUSPENDED ? e->confirmed : 0);
	view->state = e->command < 6 ? COMMAND_STATES[e->command] : "unknown";
	view->action = e->target == WEIR_DESIRED_SUSPENDED ? "suspend" : e->target == WEIR_DESIRED_ACTIVE ? "resume" : "";
	view->attempts = e->attempts;
	view->reason = e->reason < WEIR_REASON_COUNT ? e->reason : WEIR_REASON_NONE;
	view->ticket = arena_text(&reader->arena, e->ticket, strnlen(e->ticket, sizeof(e->ticket)));
	view->topic = topic_name(reader->opts.settings, e->input);
	view->offset = e->offset;
	view->record_us = e->record_us;
	view->arrived_us = e->arrived_us;
	view->decided_us = e->decided_us;
	view->sent_us = e->sent_us;
	view->confirmed_us = e->confirmed_us;
	view->next_us = e->next_us;
	view->limit = e->limit;
	view->usage_before = e->usage_before;
	view->usage_after = e->usage_after;
	view->overshoot = e->overshoot;
}

/* ---- usage and limits ---- */

static void
view_usage(const struct card_raw *raw, struct weir_card_view *view)
{
	const struct weir_card_slot *card = &raw->card;
	view->last_record_us = seconds_us(card->last_s);
	if (card->cycle != view->cycle.number)
		return;
	view->used = (struct weir_volume){card->up, card->down, card->records, card->sessions};
	uint64_t exempt = raw->overrides.exempt_cycle == card->cycle ? raw->overrides.exempt_bytes : 0;
	view->metered = sub_saturating(weir_volume_bytes(&view->used), exempt);
}

static void
view_limits(const struct card_raw *raw, const struct partition_plan *plan, struct weir_card_view *view)
{
	const struct weir_card_overrides_slot *overrides = &raw->overrides;
	bool has_overrides = raw->card.overrides != 0, now = overrides->addon_cycle == view->cycle.number;
	view->limit = view->total = view->remaining = WEIR_NO_LIMIT;
	view->auto_restore = (overrides->flags & WEIR_OVERRIDES_NO_AUTO_RESTORE) == 0;
	view->addons = has_overrides && now ? overrides->addon_bytes : 0;
	if (view->plan_known) {
		view->limit = plan->ref.limit_bytes;
		if (plan->ref.kind == WEIR_PLAN_SINGLE && raw->lifecycle.pool_local == 0)
			view->total = add_saturating(plan->ref.allowance_bytes, view->addons);
	}
	if (has_overrides && overrides->limit != WEIR_NO_LIMIT) {
		view->limit = overrides->limit;
		view->limit_own = true;
	}
	if (has_overrides && overrides->lifted_cycle != 0 && overrides->lifted_cycle == view->cycle.number) {
		view->limit = WEIR_NO_LIMIT;
		view->limit_lifted = true;
	}
	if (view->stored_status <= WEIR_STATUS_INACTIVE) /* LIFE-3: nothing is compared yet */
		return;
	uint64_t bound = view->total < view->limit ? view->total : view->limit;
	if (bound != WEIR_NO_LIMIT)
		view->remaining = sub_saturating(bound, view->metered);
}

static void
view_lifecycle(const struct weir_lifecycle_slot *lifecycle, struct weir_card_view *view)
{
	view->imei14 = weir_lifecycle_imei(lifecycle);
	if (view->stored_status == WEIR_STATUS_TESTABLE) {
		view->test_used = lifecycle->test_used;
		return;
	}
	view->activated_us = seconds_us(lifecycle->activated_s);
	view->expires_us = lifecycle->expires_s == WEIR_LIFECYCLE_NEVER ? INT64_MAX : seconds_us(lifecycle->expires_s);
}

void
card_view_make(struct weir_reader *reader, const struct card_raw *raw, struct weir_card_view *view)
{
	const struct weir_card_slot *card = &raw->card;
	const struct partition_carrier *carrier = partition_carrier(reader, raw->partition, card->carrier);
	const struct partition_plan *plan = partition_plan(reader, raw->partition, card->plan);
	*view = (struct weir_card_view){.iccid = raw->iccid, .partition = raw->partition, .slot = raw->slot};
	(void)weir_iccid_format(raw->iccid, view->text);
	view->carrier = carrier != NULL ? arena_text(&reader->arena, carrier->id, strlen(carrier->id)) : "";
	view->plan = plan != NULL ? arena_text(&reader->arena, plan->id, strlen(plan->id)) : "";
	view->pool = arena_text(&reader->arena, raw->pool, strlen(raw->pool));
	view->zone = carrier != NULL && carrier->zone != NULL
			 ? arena_text(&reader->arena, carrier->ref.zone, strlen(carrier->ref.zone))
			 : "";
	view->mb_bytes = carrier != NULL && carrier->defined ? carrier->ref.mb_bytes : 0;
	view->plan_known = plan != NULL && plan->defined;
	if (view->plan_known) {
		view->plan_kind = plan->ref.kind;
		view->plan_allowance = plan->ref.allowance_bytes;
	}
	view->stored_status = (enum weir_card_status)(card->flags & WEIR_CARD_STATUS_MASK);
	view->auto_registered = (card->flags & WEIR_CARD_AUTO_REGISTERED) != 0;
	view->expired = (card->flags & WEIR_CARD_EXPIRED) != 0;
	view->reasons = card->reasons;
	view->not_enforced = card->reasons & unsupported_reasons(&reader->partition_metas[raw->partition], view->carrier,
						 raw->lifecycle.pool_local != 0);
	view->status = card_status_shown(view->stored_status, view->reasons, view->not_enforced);
	view->cycle = card_cycle_now(reader, carrier, card->cycle);
	view_lifecycle(&raw->lifecycle, view);
	view_usage(raw, view);
	view_limits(raw, plan, view);
	view_command(reader, &raw->e, &view->command);
	view_tags(reader, raw->tags, view);
	view->remark = view_remark(reader, raw->remark);
	view->parent[0] = '\0';
	if ((card->flags & WEIR_CARD_HAS_PARENT) != 0 && weir_iccid_format(raw->overrides.parent, view->parent) > 0)
		view->has_parent = true;
}

/* ---- smart cards (POOL-8) ---- */

static uint32_t
children_parse(const char *text, struct card_raw *children)
{
	json_t *json = text[0] == '\0' ? NULL : json_loads(text, 0, NULL);
	json_t *list = json_object_get(json, "children");
	uint32_t count = 0;
	for (size_t i = 0; i < json_array_size(list) && count < WEIR_READ_CHILDREN_MAX; i++) {
		const json_t *child = json_array_get(list, i);
		if (json_is_string(child) && weir_iccid_parse((const uint8_t *)json_string_value(child),
						 json_string_length(child), &children[count].iccid))
			count++;
	}
	json_decref(json);
	return count;
}

static void
sum_children(struct weir_card_view *view, const struct weir_child_view *children, uint32_t count)
{
	const char *status = NULL;
	bool differ = false;
	for (uint32_t i = 0; i < count; i++) {
		if (!children[i].known)
			continue;
		view->children_used = add_saturating(view->children_used, children[i].used);
		differ |= status != NULL && strcmp(status, children[i].status) != 0;
		status = children[i].status;
	}
	if (status != NULL)
		view->status = differ ? "partially_in_use" : status;
	view->children = children;
	view->child_count = count;
}

enum weir_read
children_load(
    struct weir_reader *reader, const struct card_raw *parent, struct weir_card_view *view, struct weir_error *err)
{
	struct card_raw *raw = arena_take(&reader->arena, WEIR_READ_CHILDREN_MAX, sizeof(*raw));
	uint32_t count = children_parse(parent->family, raw);
	if ((parent->card.flags & WEIR_CARD_HAS_CHILDREN) == 0 || count == 0)
		return WEIR_READ_OK;
	enum weir_read answer = cards_locate(reader, raw, count, err);
	if (answer == WEIR_READ_OK)
		answer = cards_load(reader, raw, count, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_child_view *children = arena_take(&reader->arena, count, sizeof(*children));
	for (uint32_t i = 0; i < count; i++) {
		children[i] = (struct weir_child_view){raw[i].iccid, raw[i].found, "", "", 0};
		if (!raw[i].found)
			continue;
		struct weir_card_view child;
		card_view_make(reader, &raw[i], &child);
		children[i].carrier = child.carrier;
		children[i].status = child.status;
		children[i].used = weir_volume_bytes(&child.used);
	}
	sum_children(view, children, count);
	return WEIR_READ_OK;
}

/* ---- the face ---- */

static enum weir_read
no_such_card(struct weir_iccid iccid, struct weir_error *err)
{
	char text[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(iccid, text);
	return read_fail(err, WEIR_READ_MISSING, "no card %s", text);
}

enum weir_read
card_find(struct weir_reader *reader, struct card_raw *card, struct weir_error *err)
{
	enum weir_read answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK)
		answer = cards_locate(reader, card, 1, err);
	if (answer == WEIR_READ_OK)
		answer = cards_load(reader, card, 1, err);
	if (answer == WEIR_READ_OK && !card->found)
		return no_such_card(card->iccid, err);
	return answer;
}

enum weir_read
weir_read_card(
    struct weir_reader *reader, struct weir_iccid iccid, const struct weir_card_view **card_out, struct weir_error *err)
{
	struct card_raw raw = {.iccid = iccid};
	enum weir_read answer = card_find(reader, &raw, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_card_view *view = arena_take(&reader->arena, 1, sizeof(*view));
	card_view_make(reader, &raw, view);
	*card_out = view;
	return children_load(reader, &raw, view, err);
}

enum weir_read
weir_read_cards(struct weir_reader *reader, const struct weir_iccid *iccids, uint32_t count,
    const struct weir_card_view **cards_out, bool *found_out, struct weir_error *err)
{
	if (count > WEIR_PAGE_MAX)
		return read_fail(err, WEIR_READ_REFUSED, "at most %u cards at once", WEIR_PAGE_MAX);
	enum weir_read answer = read_begin(reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct card_raw *raw = arena_take(&reader->arena, count + 1, sizeof(*raw));
	struct weir_card_view *views = arena_take(&reader->arena, count + 1, sizeof(*views));
	for (uint32_t i = 0; i < count; i++)
		raw[i].iccid = iccids[i];
	answer = cards_locate(reader, raw, count, err);
	if (answer == WEIR_READ_OK)
		answer = cards_load(reader, raw, count, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		found_out[i] = raw[i].found;
		if (raw[i].found)
			card_view_make(reader, &raw[i], &views[i]);
	}
	*cards_out = views;
	return answer;
}
