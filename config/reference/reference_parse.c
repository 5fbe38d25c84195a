/*
 * One JSON message into one struct weir_reference, or a text that names the member; see reference.h.
 *
 * Strict on purpose: a member that is spelled wrong would otherwise leave a limit as it was, in silence. `carrier` and
 * `plan` messages are whole (what they leave out gets its default), `card` messages change only what they name.
 */
#include <xxhash.h>

#include "config/base/nearest.h"
#include "config/reference/reference_priv.h"

#define BYTES_MAX INT64_MAX

struct parser {
	const json_t *root;
	enum weir_reference_type type;
	struct weir_error *err;
	bool failed;
};

enum got { ABSENT, NULLED, VALUE };

#define FAIL(parser, member, ...)                                                                                          \
	do {                                                                                                               \
		(parser)->failed = true;                                                                                   \
		char fail_text[256];                                                                                       \
		(void)snprintf(fail_text, sizeof(fail_text), __VA_ARGS__);                                                 \
		(void)weir_error_set((parser)->err, WEIR_POISON, "%s: %s: %s", weir_reference_type_name((parser)->type),   \
		    member, fail_text);                                                                                    \
	} while (0)

/* Looks a member up; fails when it is missing and required, or null and not allowed to be. */
static enum got
member_get(struct parser *parser, const char *name, bool required, bool nullable, const json_t **value_out)
{
	const json_t *value = json_object_get(parser->root, name);
	*value_out = value;
	if (parser->failed || (value == NULL && !required) || (json_is_null(value) && nullable))
		return value != NULL && !parser->failed ? NULLED : ABSENT;
	if (value == NULL || json_is_null(value)) {
		FAIL(parser, name, "%s", value == NULL ? "missing" : "must not be null");
		return ABSENT;
	}
	return VALUE;
}

static enum got
get_integer(struct parser *parser, const char *name, bool required, bool nullable, int64_t min, int64_t max, uint64_t *out)
{
	const json_t *value;
	enum got got = member_get(parser, name, required, nullable, &value);
	if (got != VALUE)
		return got;
	if (!json_is_integer(value))
		FAIL(parser, name, "must be a whole number");
	else if (json_integer_value(value) < min || json_integer_value(value) > max)
		FAIL(parser, name, "%lld is out of range; %lld to %lld is right", (long long)json_integer_value(value),
		    (long long)min, (long long)max);
	else
		*out = (uint64_t)json_integer_value(value);
	return VALUE;
}

static enum got
get_bool(struct parser *parser, const char *name, bool when_null, bool *out)
{
	const json_t *value;
	enum got got = member_get(parser, name, false, true, &value);
	if (got == NULLED)
		*out = when_null;
	if (got != VALUE)
		return got;
	if (!json_is_boolean(value))
		FAIL(parser, name, "must be true or false");
	*out = json_is_true(value);
	return VALUE;
}

/* Borrowed text; "" unless VALUE. */
static enum got
get_text(struct parser *parser, const char *name, bool required, bool nullable, const char **out)
{
	const json_t *value;
	enum got got = member_get(parser, name, required, nullable, &value);
	*out = "";
	if (got != VALUE)
		return got;
	if (!json_is_string(value))
		FAIL(parser, name, "must be a text");
	else
		*out = json_string_value(value);
	return VALUE;
}

static bool
id_is_valid(const char *id)
{
	size_t len = strlen(id);
	for (size_t i = 0; i < len; i++)
		if (id[i] <= 0x20 || id[i] >= 0x7f || strchr("{}\"'", id[i]) != NULL)
			return false;
	return len >= 1 && len < WEIR_ID_MAX;
}

static enum got
get_id(struct parser *parser, const char *name, bool required, bool nullable, char out[WEIR_ID_MAX])
{
	const char *text;
	enum got got = get_text(parser, name, required, nullable, &text);
	out[0] = '\0';
	if (got != VALUE || parser->failed)
		return got;
	if (!id_is_valid(text))
		FAIL(parser, name, "1 to 63 printable characters without spaces, braces and quotes are right");
	else
		memcpy(out, text, strlen(text) + 1);
	return VALUE;
}

/* One word of a list; leaves *out when absent. */
static enum got
get_word(struct parser *parser, const char *name, bool required, bool nullable, const char *const *words, uint32_t count,
    uint32_t *out)
{
	const char *text;
	enum got got = get_text(parser, name, required, nullable, &text);
	if (got != VALUE || parser->failed)
		return got;
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return VALUE;
		}
	const char *near = weir_nearest(text, words, count);
	FAIL(parser, name, "'%.32s' is unknown%s%s%s", text, near ? "; did you mean " : "", near ? near : "",
	    near ? "?" : "");
	return VALUE;
}

static void
get_iccid(struct parser *parser, struct weir_iccid *out)
{
	const char *text;
	if (get_text(parser, "iccid", true, false, &text) != VALUE || parser->failed)
		return;
	if (!weir_iccid_parse((const uint8_t *)text, strlen(text), out))
		FAIL(parser, "iccid", "19 or 20 letters and digits are right");
}

static void
parse_carrier(struct parser *parser, struct weir_ref_carrier *carrier)
{
	static const char *const named_after[] = {"start", "end"};
	const char *zone;
	uint64_t cycle_day = 1;
	uint32_t named = 0;
	carrier->mb_bytes = 1048576;
	(void)get_id(parser, "id", true, false, carrier->id);
	(void)get_text(parser, "zone", true, false, &zone);
	if (!parser->failed && (!id_is_valid(zone) || strstr(zone, "..") != NULL || zone[0] == '/'))
		FAIL(parser, "zone", "an IANA zone name such as Asia/Shanghai is right");
	(void)get_integer(parser, "cycle_day", false, false, 1, 28, &cycle_day);
	(void)get_word(parser, "cycle_named_after", false, false, named_after, 2, &named);
	(void)get_integer(parser, "mb_bytes", false, false, 1, INT64_C(1) << 40, &carrier->mb_bytes);
	if (parser->failed)
		return;
	memcpy(carrier->zone, zone, strlen(zone) + 1);
	carrier->cycle_day = (uint32_t)cycle_day;
	carrier->named_after_end = named == 1;
}

static void
parse_plan(struct parser *parser, struct weir_ref_plan *plan)
{
	static const char *const kinds[] = {"single", "accumulative", "fixed", "metered"};
	uint32_t kind = 0;
	uint64_t term_months = 0;
	plan->limit_bytes = WEIR_NO_LIMIT;
	(void)get_id(parser, "id", true, false, plan->id);
	(void)get_id(parser, "carrier", true, false, plan->carrier);
	(void)get_word(parser, "kind", true, false, kinds, 4, &kind);
	plan->kind = (enum weir_plan_kind)kind;
	bool single = plan->kind == WEIR_PLAN_SINGLE;
	bool needed = single || plan->kind == WEIR_PLAN_ACCUMULATIVE;
	(void)get_integer(parser, "allowance", needed, false, single ? 1 : 0, BYTES_MAX, &plan->allowance_bytes);
	(void)get_integer(parser, "limit", false, true, 1, BYTES_MAX, &plan->limit_bytes);
	(void)get_integer(parser, "term_months", false, true, 1, 1200, &term_months);
	plan->term_months = (uint32_t)term_months;
}

static void
parse_card_imei(struct parser *parser, struct weir_ref_card *card)
{
	const char *text;
	enum got got = get_text(parser, "imei", false, true, &text);
	card->has_imei = got != ABSENT;
	if (got != VALUE || parser->failed)
		return;
	size_t len = strlen(text);
	if (len < 14 || len > 16 || strspn(text, "0123456789") != len)
		FAIL(parser, "imei", "14 to 16 digits are right");
	for (size_t i = 0; i < 14 && !parser->failed; i++)
		card->imei14 = card->imei14 * 10 + (uint64_t)(text[i] - '0');
}

static void
parse_card(struct parser *parser, struct weir_ref_card *card)
{
	static const char *const statuses[] = {"testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"};
	uint32_t status = WEIR_STATUS_IN_USE;
	char pool[WEIR_ID_MAX];
	card->limit_bytes = WEIR_NO_LIMIT;
	card->auto_restore = true;
	get_iccid(parser, &card->iccid);
	card->has_carrier = get_id(parser, "carrier", false, false, card->carrier) != ABSENT;
	card->has_plan = get_id(parser, "plan", false, true, card->plan) != ABSENT;
	card->has_status = get_word(parser, "status", false, true, statuses, 6, &status) != ABSENT;
	card->status = (enum weir_card_status)status;
	card->has_limit = get_integer(parser, "limit", false, true, 1, BYTES_MAX, &card->limit_bytes) != ABSENT;
	card->has_auto_restore = get_bool(parser, "auto_restore", true, &card->auto_restore) != ABSENT;
	(void)get_id(parser, "pool", false, true, pool); /* checked; the pool stage reads it */
	parse_card_imei(parser, card);
}

/* Text or milliseconds; when it was asked is for people, so its text is not judged. */
static void
check_request_time(struct parser *parser)
{
	const json_t *value;
	if (member_get(parser, "time", false, true, &value) != VALUE)
		return;
	bool text = json_is_string(value) && json_string_length(value) >= 1 && json_string_length(value) <= 64;
	if (!text && !(json_is_integer(value) && json_integer_value(value) >= 0))
		FAIL(parser, "time", "ISO 8601 text or whole milliseconds since 1970 are right");
}

static void
refuse_member(struct parser *parser, const char *name, const char *action)
{
	if (!parser->failed && json_object_get(parser->root, name) != NULL)
		FAIL(parser, name, "does not belong to action %s", action);
}

static void
parse_request_amount(struct parser *parser, struct weir_ref_request *request)
{
	const char *action = weir_action_name(request->action);
	request->bytes = request->action == WEIR_ACTION_LIMIT ? WEIR_NO_LIMIT : 0;
	request->auto_restore = true;
	if (request->action == WEIR_ACTION_LIMIT) {
		if (get_integer(parser, "limit", false, true, 1, BYTES_MAX, &request->bytes) == ABSENT && !parser->failed)
			FAIL(parser, "limit", "missing");
		request->has_auto_restore = get_bool(parser, "auto_restore", true, &request->auto_restore) != ABSENT;
	} else {
		refuse_member(parser, "limit", action);
		refuse_member(parser, "auto_restore", action);
	}
	if (request->action == WEIR_ACTION_ADDON)
		(void)get_integer(parser, "bytes", true, false, 1, BYTES_MAX, &request->bytes);
	else
		refuse_member(parser, "bytes", action);
}

static void
parse_request(struct parser *parser, struct weir_ref_request *request)
{
	static const char *const actions[] = {"suspend", "resume", "limit", "addon"};
	uint32_t action = 0;
	get_iccid(parser, &request->iccid);
	(void)get_word(parser, "action", true, false, actions, 4, &action);
	request->action = (enum weir_action)action;
	if (get_id(parser, "id", false, true, request->id) == VALUE && !parser->failed) {
		request->id_hash = XXH3_64bits(request->id, strlen(request->id));
		request->id_hash += request->id_hash == 0;
	}
	(void)get_id(parser, "by", false, true, request->by);
	check_request_time(parser);
	parse_request_amount(parser, request);
}

static void
refuse_unknown_members(struct parser *parser)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)parser->root, name, value)
	{
		if (strcmp(name, "type") == 0 || weir_reference_member_find(parser->type, name) != NULL || parser->failed)
			continue;
		const char *near = weir_reference_member_nearest(parser->type, name);
		char shown[72];
		(void)snprintf(shown, sizeof(shown), "%.64s", name);
		FAIL(parser, shown, "unknown member%s%s%s", near ? "; did you mean " : "", near ? near : "",
		    near ? "?" : "");
	}
}

static bool
parse_type(const json_t *root, enum weir_reference_type *type_out, struct weir_error *err)
{
	static const char *const types[] = {"carrier", "plan", "card", "request"};
	const char *text = json_string_value(json_object_get(root, "type"));
	for (uint32_t i = 0; text != NULL && i < 4; i++)
		if (strcmp(text, types[i]) == 0) {
			*type_out = (enum weir_reference_type)i;
			return true;
		}
	(void)weir_error_set(err, WEIR_POISON, "type: carrier, plan, card or request is right");
	return false;
}

enum weir_class
weir_reference_from_json(const json_t *root, struct weir_reference *reference_out, struct weir_error *err)
{
	struct parser parser = {.root = root, .err = err};
	if (!json_is_object(root))
		return weir_error_set(err, WEIR_POISON, "one JSON object is right");
	if (!parse_type(root, &parser.type, err))
		return WEIR_POISON;
	memset(reference_out, 0, sizeof(*reference_out));
	reference_out->type = parser.type;
	refuse_unknown_members(&parser);
	if (parser.type == WEIR_REF_CARRIER)
		parse_carrier(&parser, &reference_out->carrier);
	else if (parser.type == WEIR_REF_PLAN)
		parse_plan(&parser, &reference_out->plan);
	else if (parser.type == WEIR_REF_CARD)
		parse_card(&parser, &reference_out->card);
	else
		parse_request(&parser, &reference_out->request);
	return parser.failed ? WEIR_POISON : WEIR_OK;
}

enum weir_class
weir_reference_parse(struct weir_slice json, struct weir_reference *reference_out, struct weir_error *err)
{
	json_error_t json_err;
	json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &json_err);
	if (root == NULL) {
		(void)weir_error_set(err, WEIR_POISON, "not valid JSON: %s", json_err.text);
		for (char *at = err != NULL ? err->text : NULL; at != NULL && *at != '\0'; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				*at = '?';
		return WEIR_POISON;
	}
	enum weir_class class = weir_reference_from_json(root, reference_out, err);
	json_decref(root);
	return class;
}
