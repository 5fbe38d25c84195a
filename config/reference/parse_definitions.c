/* Carriers, plans and ladders of alerts: messages that are whole, so that what they leave out gets its default. */
#include "config/reference/parser_priv.h"

#define MONTHS_MAX 1200

/* One list of `unsupported`: names of reasons into bits. */
static void
parse_reasons(struct weir_ref_parser *parser, const json_t *list, const char *where, uint16_t *bits_out)
{
	size_t i;
	const json_t *element;
	if (list == NULL || json_is_null(list))
		return;
	if (!json_is_array(list)) {
		weir_ref_fail(parser, "unsupported", NULL, "%s: must be a list of reasons", where);
		return;
	}
	json_array_foreach(list, i, element)
	{
		const char *name = json_is_string(element) ? json_string_value(element) : "";
		unsigned reason = weir_reason_find(name);
		if (reason == WEIR_REASON_NONE || reason == WEIR_REASON_RESET) {
			weir_ref_fail(parser, "unsupported", NULL, "%s: '%.32s' is no reason to be cut off", where, name);
			return;
		}
		*bits_out |= WEIR_REASON_BIT(reason);
	}
}

static void
parse_unsupported(struct weir_ref_parser *parser, struct weir_ref_carrier *carrier)
{
	const json_t *value;
	const char *name;
	json_t *member;
	if (weir_ref_member(parser, "unsupported", WEIR_MAY_BE_NULL, &value) != WEIR_GOT_VALUE)
		return;
	if (!json_is_object(value)) {
		weir_ref_fail(parser, "unsupported", NULL, "must be {single: [reasons], pooled: [reasons]}");
		return;
	}
	json_object_foreach((json_t *)value, name, member)
	{
		bool single = strcmp(name, "single") == 0;
		if (single || strcmp(name, "pooled") == 0)
			parse_reasons(parser, member, single ? "single" : "pooled",
			    single ? &carrier->unsupported_single : &carrier->unsupported_pooled);
		else
			weir_ref_fail(parser, "unsupported", NULL, "'%.32s' is unknown; must be single or pooled", name);
	}
}

static void
parse_zone(struct weir_ref_parser *parser, struct weir_ref_carrier *carrier)
{
	const char *zone;
	(void)weir_ref_text(parser, "zone", WEIR_NEED, &zone);
	if (parser->failed)
		return;
	if (!weir_ref_id_is_valid(zone) || strstr(zone, "..") != NULL || zone[0] == '/')
		weir_ref_fail(parser, "zone", NULL, "must be an IANA zone name such as Asia/Shanghai");
	else
		memcpy(carrier->zone, zone, strlen(zone) + 1);
}

void
weir_ref_parse_carrier(struct weir_ref_parser *parser, struct weir_ref_carrier *carrier)
{
	static const char *const named_after[] = {"start", "end"};
	static const char *const locks[] = {"none", "alert", "suspend"};
	uint32_t named = 0, lock = WEIR_DEVICE_LOCK_NONE;
	carrier->cycle_day = 1;
	carrier->mb_bytes = 1048576;
	carrier->test_months = carrier->silent_months = 6;
	carrier->cancel_months = 3;
	(void)weir_ref_id(parser, "id", WEIR_NEED, carrier->id);
	parse_zone(parser, carrier);
	(void)weir_ref_u32(parser, "cycle_day", WEIR_OPTIONAL, 1, 28, &carrier->cycle_day);
	(void)weir_ref_word(parser, "cycle_named_after", WEIR_OPTIONAL, named_after, 2, &named);
	(void)weir_ref_integer(parser, "mb_bytes", WEIR_OPTIONAL, 1, INT64_C(1) << 40, &carrier->mb_bytes);
	parse_unsupported(parser, carrier);
	(void)weir_ref_word(parser, "device_lock", WEIR_OPTIONAL, locks, 3, &lock);
	(void)weir_ref_u32(parser, "rebinds_per_month", WEIR_OPTIONAL, 0, 255, &carrier->rebinds_per_month);
	carrier->test_quota_bytes = 6 * carrier->mb_bytes;
	(void)weir_ref_integer(parser, "test_quota", WEIR_OPTIONAL, 0, WEIR_BYTES_MAX, &carrier->test_quota_bytes);
	(void)weir_ref_u32(parser, "test_months", WEIR_OPTIONAL, 0, MONTHS_MAX, &carrier->test_months);
	(void)weir_ref_u32(parser, "silent_months", WEIR_OPTIONAL, 0, MONTHS_MAX, &carrier->silent_months);
	(void)weir_ref_u32(parser, "cancel_months", WEIR_OPTIONAL, 1, MONTHS_MAX, &carrier->cancel_months);
	carrier->named_after_end = named == 1;
	carrier->device_lock = (enum weir_device_lock)lock;
}

/* Carrier, kind and direction: as members, as a voucher that tells them, or both when they agree. */
static void
parse_plan_identity(struct weir_ref_parser *parser, struct weir_ref_plan *plan)
{
	struct weir_ref_plan stated = {0};
	struct weir_error err = {0};
	const char *voucher;
	char pool[WEIR_ID_MAX];
	uint32_t kind = 0;
	bool has_voucher =
	    weir_ref_text(parser, "voucher", WEIR_MAY_BE_NULL, &voucher) == WEIR_GOT_VALUE && !parser->failed;
	if (has_voucher && weir_voucher_parse(voucher, &stated, pool, &err) != WEIR_OK)
		weir_ref_fail(parser, "voucher", NULL, "%.250s", err.text);
	enum weir_need need = has_voucher ? WEIR_OPTIONAL : WEIR_NEED;
	bool has_carrier = weir_ref_id(parser, "carrier", need, plan->carrier) == WEIR_GOT_VALUE;
	bool has_kind = weir_ref_word(parser, "kind", need, weir_kind_words, 4, &kind) == WEIR_GOT_VALUE;
	bool has_direction =
	    weir_ref_bool(parser, "directional", WEIR_OPTIONAL, false, &plan->directional) == WEIR_GOT_VALUE;
	plan->kind = (enum weir_plan_kind)kind;
	if (!has_voucher || parser->failed)
		return;
	if (has_carrier && strcmp(plan->carrier, stated.carrier) != 0)
		weir_ref_fail(parser, "carrier", NULL, "%s, but the voucher says %s", plan->carrier, stated.carrier);
	if (has_kind && plan->kind != stated.kind)
		weir_ref_fail(parser, "kind", NULL, "%s, but the voucher says %s", weir_kind_words[kind],
		    weir_plan_kind_name(stated.kind));
	if (has_direction && plan->directional != stated.directional)
		weir_ref_fail(parser, "directional", NULL, "%s, but the voucher says %s",
		    plan->directional ? "true" : "false", stated.directional ? "true" : "false");
	memcpy(plan->carrier, stated.carrier, sizeof(plan->carrier));
	plan->kind = stated.kind;
	plan->directional = stated.directional;
}

void
weir_ref_parse_plan(struct weir_ref_parser *parser, struct weir_ref_plan *plan)
{
	plan->limit_bytes = WEIR_NO_LIMIT;
	(void)weir_ref_id(parser, "id", WEIR_NEED, plan->id);
	parse_plan_identity(parser, plan);
	bool single = plan->kind == WEIR_PLAN_SINGLE;
	enum weir_need need = single || plan->kind == WEIR_PLAN_ACCUMULATIVE ? WEIR_NEED : WEIR_OPTIONAL;
	(void)weir_ref_integer(parser, "allowance", need, single ? 1 : 0, WEIR_BYTES_MAX, &plan->allowance_bytes);
	(void)weir_ref_integer(parser, "limit", WEIR_MAY_BE_NULL, 1, WEIR_BYTES_MAX, &plan->limit_bytes);
	(void)weir_ref_u32(parser, "term_months", WEIR_MAY_BE_NULL, 1, MONTHS_MAX, &plan->term_months);
	(void)weir_ref_id(parser, "alerts", WEIR_MAY_BE_NULL, plan->alerts);
}

/* "50%" or 1000000; false when it is neither. */
static bool
parse_level(const json_t *level, bool *is_percent_out, uint64_t *value_out)
{
	const char *text = json_string_value(level);
	*is_percent_out = text != NULL;
	if (text == NULL) {
		*value_out = (uint64_t)json_integer_value(level);
		return json_is_integer(level) && json_integer_value(level) >= 1;
	}
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 4 || text[0] == '0' || strcmp(text + digits, "%") != 0)
		return false;
	*value_out = 0;
	for (size_t i = 0; i < digits; i++)
		*value_out = *value_out * 10 + (uint64_t)(text[i] - '0');
	return *value_out <= 1000;
}

static void
parse_levels(struct weir_ref_parser *parser, const json_t *levels, struct weir_ref_alerts *alerts)
{
	size_t count = json_array_size(levels);
	if (!json_is_array(levels) || count == 0 || count > WEIR_ALERT_LEVELS_MAX) {
		weir_ref_fail(parser, "levels", NULL, "must be a list of 1 to %d levels such as \"50%%\" or 1000000",
		    WEIR_ALERT_LEVELS_MAX);
		return;
	}
	for (uint32_t i = 0; i < count && !parser->failed; i++) {
		bool percent;
		if (!parse_level(json_array_get(levels, i), &percent, &alerts->levels[i].value))
			weir_ref_fail(parser, "levels", NULL,
			    "level %u: must be a percentage from \"1%%\" to \"1000%%\" or a number of bytes from 1", i + 1);
		alerts->levels[i].is_percent = percent;
		bool rises =
		    i == 0 || (alerts->levels[i - 1].is_percent && !percent) ||
		    (alerts->levels[i - 1].is_percent == percent && alerts->levels[i - 1].value < alerts->levels[i].value);
		if (!rises)
			weir_ref_fail(parser, "levels", NULL, "level %u: levels rise, percentages before bytes", i + 1);
	}
	alerts->level_count = (uint32_t)count;
}

void
weir_ref_parse_alerts(struct weir_ref_parser *parser, struct weir_ref_alerts *alerts)
{
	const json_t *levels;
	(void)weir_ref_id(parser, "id", WEIR_NEED, alerts->id);
	bool has_levels = weir_ref_member(parser, "levels", WEIR_MAY_BE_NULL, &levels) == WEIR_GOT_VALUE;
	if (has_levels)
		parse_levels(parser, levels, alerts);
	bool has_step =
	    weir_ref_integer(parser, "step", WEIR_MAY_BE_NULL, 1, WEIR_BYTES_MAX, &alerts->step_bytes) == WEIR_GOT_VALUE;
	if (!parser->failed && has_levels == has_step)
		weir_ref_fail(parser, has_levels ? "step" : "levels", NULL, "%s",
		    has_levels ? "levels or a step, not both" : "missing; levels or a step is needed");
}
