/* Cards, which change only what they name, and what operators and upstream ask of cards and pools. */
#include <xxhash.h>

#include "config/reference/parser_priv.h"

#define TAGS_MAX 3
#define TAG_LEN_MAX 32
#define REMARK_LEN_MAX 256

static void
parse_imei(struct weir_ref_parser *parser, struct weir_ref_card *card)
{
	const char *text;
	enum weir_got got = weir_ref_text(parser, "imei", WEIR_MAY_BE_NULL, &text);
	card->has_imei = got != WEIR_GOT_ABSENT;
	if (got != WEIR_GOT_VALUE || parser->failed)
		return;
	size_t len = strlen(text);
	if (len < 14 || len > 16 || strspn(text, "0123456789") != len)
		weir_ref_fail(parser, "imei", NULL, "must be 14 to 16 digits");
	for (size_t i = 0; i < 14 && !parser->failed; i++)
		card->imei14 = card->imei14 * 10 + (uint64_t)(text[i] - '0');
}

static void
parse_dates(struct weir_ref_parser *parser, struct weir_ref_card *card)
{
	card->has_since = weir_ref_time(parser, "since", WEIR_MAY_BE_NULL, false, &card->since_us) != WEIR_GOT_ABSENT;
	card->has_activated =
	    weir_ref_time(parser, "activated", WEIR_MAY_BE_NULL, false, &card->activated_us) != WEIR_GOT_ABSENT;
	card->has_expires = weir_ref_time(parser, "expires", WEIR_MAY_BE_NULL, false, &card->expires_us) != WEIR_GOT_ABSENT;
	if (parser->failed)
		return;
	if (card->has_status && card->status <= WEIR_STATUS_INACTIVE && card->activated_us != 0)
		weir_ref_fail(
		    parser, "activated", NULL, "a card that is %s has not been activated", weir_status_name(card->status));
	if (card->activated_us != 0 && card->expires_us != 0 && card->expires_us <= card->activated_us)
		weir_ref_fail(parser, "expires", NULL, "not after activated");
}

/* For people; kept as it came, and by readers alone. */
static void
parse_remark(struct weir_ref_parser *parser, struct weir_ref_card *card)
{
	const char *text;
	enum weir_got got = weir_ref_text(parser, "remark", WEIR_MAY_BE_NULL, &text);
	card->has_remark = got != WEIR_GOT_ABSENT;
	if (got == WEIR_GOT_VALUE && !parser->failed && !weir_ref_text_is_printable(text, REMARK_LEN_MAX))
		weir_ref_fail(parser, "remark", NULL, "must be 1 to %d printable bytes", REMARK_LEN_MAX);
}

void
weir_ref_parse_card(struct weir_ref_parser *parser, struct weir_ref_card *card)
{
	uint32_t status = WEIR_STATUS_IN_USE;
	card->limit_bytes = WEIR_NO_LIMIT;
	card->auto_restore = true;
	(void)weir_ref_iccid(parser, "iccid", WEIR_NEED, &card->iccid);
	card->has_carrier = weir_ref_id(parser, "carrier", WEIR_OPTIONAL, card->carrier) != WEIR_GOT_ABSENT;
	card->has_plan = weir_ref_id(parser, "plan", WEIR_MAY_BE_NULL, card->plan) != WEIR_GOT_ABSENT;
	card->has_status = weir_ref_word(parser, "status", WEIR_MAY_BE_NULL, weir_status_words, WEIR_STATUS_CANCELLED + 1,
			       &status) != WEIR_GOT_ABSENT;
	card->status = (enum weir_card_status)status;
	card->has_limit =
	    weir_ref_integer(parser, "limit", WEIR_MAY_BE_NULL, 1, WEIR_BYTES_MAX, &card->limit_bytes) != WEIR_GOT_ABSENT;
	card->has_auto_restore =
	    weir_ref_bool(parser, "auto_restore", WEIR_MAY_BE_NULL, true, &card->auto_restore) != WEIR_GOT_ABSENT;
	card->has_pool = weir_ref_id(parser, "pool", WEIR_MAY_BE_NULL, card->pool) != WEIR_GOT_ABSENT;
	card->has_parent = weir_ref_iccid(parser, "parent", WEIR_MAY_BE_NULL, &card->parent) != WEIR_GOT_ABSENT;
	if (card->has_parent && weir_iccid_equal(card->parent, card->iccid))
		weir_ref_fail(parser, "parent", NULL, "a card cannot be its own parent");
	parse_imei(parser, card);
	parse_dates(parser, card);
	card->has_tags = weir_ref_texts(parser, "tags", WEIR_MAY_BE_NULL, TAGS_MAX, TAG_LEN_MAX) != WEIR_GOT_ABSENT;
	parse_remark(parser, card);
}

/* Members that belong to one action only. */
static const struct {
	const char *member;
	enum weir_action action;
} BELONGS[] = {
    {"limit", WEIR_ACTION_LIMIT},
    {"auto_restore", WEIR_ACTION_LIMIT},
    {"bytes", WEIR_ACTION_ADDON},
    {"cycle", WEIR_ACTION_ADDON},
    {"months", WEIR_ACTION_RENEW},
    {"until", WEIR_ACTION_RENEW},
    {"reason", WEIR_ACTION_FLAG},
    {"set", WEIR_ACTION_FLAG},
};

static void
refuse_others(struct weir_ref_parser *parser, enum weir_action action)
{
	for (size_t i = 0; i < sizeof(BELONGS) / sizeof(BELONGS[0]); i++)
		if (BELONGS[i].action != action && json_object_get(parser->root, BELONGS[i].member) != NULL)
			weir_ref_fail(
			    parser, BELONGS[i].member, "", "does not belong to action %s", weir_action_name(action));
}

/* "2026-11" -> months since January 1970. */
static void
parse_cycle(struct weir_ref_parser *parser, int32_t *cycle_out)
{
	const char *text;
	*cycle_out = -1;
	if (weir_ref_text(parser, "cycle", WEIR_MAY_BE_NULL, &text) != WEIR_GOT_VALUE || parser->failed)
		return;
	int32_t n[6] = {0};
	bool right = strlen(text) == 7 && text[4] == '-';
	for (int i = 0, at = 0; right && i < 7; i++) {
		if (i == 4)
			continue;
		right = text[i] >= '0' && text[i] <= '9';
		n[at++] = text[i] - '0';
	}
	int32_t year = n[0] * 1000 + n[1] * 100 + n[2] * 10 + n[3], month = n[4] * 10 + n[5];
	if (!right || year < 1970 || year > 2105 || month < 1 || month > 12)
		weir_ref_fail(parser, "cycle", NULL, "must be the month that names it, such as 2026-11");
	else
		*cycle_out = (year - 1970) * 12 + month - 1;
}

static void
parse_limit(struct weir_ref_parser *parser, struct weir_ref_request *request)
{
	request->bytes = WEIR_NO_LIMIT;
	(void)weir_ref_integer(parser, "limit", WEIR_NULLABLE, 1, WEIR_BYTES_MAX, &request->bytes);
	request->has_auto_restore =
	    weir_ref_bool(parser, "auto_restore", WEIR_MAY_BE_NULL, true, &request->auto_restore) != WEIR_GOT_ABSENT;
}

static void
parse_renew(struct weir_ref_parser *parser, struct weir_ref_request *request)
{
	(void)weir_ref_u32(parser, "months", WEIR_MAY_BE_NULL, 1, 1200, &request->months);
	(void)weir_ref_time(parser, "until", WEIR_MAY_BE_NULL, false, &request->until_us);
	if (request->months != 0 && request->until_us != 0)
		weir_ref_fail(parser, "until", NULL, "months or until, not both");
}

static void
parse_flag(struct weir_ref_parser *parser, struct weir_ref_request *request)
{
	static const char *const words[] = {"id_verification", "violation", "abnormal"};
	uint32_t word = 0;
	(void)weir_ref_word(parser, "reason", WEIR_NEED, words, 3, &word);
	(void)weir_ref_bool(parser, "set", WEIR_NEED, false, &request->set);
	request->reason = (uint8_t)(WEIR_REASON_ID_VERIFICATION + word);
}

/* On one card or one pool, with an action that is for it. */
static void
parse_target(struct weir_ref_parser *parser, struct weir_ref_request *request)
{
	bool on_pool = weir_ref_id(parser, "pool", WEIR_OPTIONAL, request->pool) == WEIR_GOT_VALUE;
	bool on_card =
	    weir_ref_iccid(parser, "iccid", on_pool ? WEIR_OPTIONAL : WEIR_NEED, &request->iccid) == WEIR_GOT_VALUE;
	if (on_pool && on_card)
		weir_ref_fail(parser, "pool", "", "a request is on a card (iccid) or on a pool, not on both");
	uint32_t action = 0;
	(void)weir_ref_word(parser, "action", WEIR_NEED, weir_action_words, WEIR_ACTION_ENABLE + 1, &action);
	request->action = (enum weir_action)action;
	bool for_pool = action >= WEIR_ACTION_FREEZE || action == WEIR_ACTION_ADDON;
	bool for_card = action < WEIR_ACTION_FREEZE;
	if ((on_pool && !for_pool) || (on_card && !for_card))
		weir_ref_fail(parser, "action", on_pool ? "" : "POOL-5", "%s is for %s", weir_action_words[action],
		    on_pool ? "cards; addon, freeze, paid or enable is for pools" : "pools");
}

void
weir_ref_parse_request(struct weir_ref_parser *parser, struct weir_ref_request *request)
{
	request->auto_restore = true;
	request->cycle = -1;
	request->reason = WEIR_REASON_NONE;
	parse_target(parser, request);
	if (weir_ref_id(parser, "id", WEIR_MAY_BE_NULL, request->id) == WEIR_GOT_VALUE && !parser->failed) {
		request->id_hash = XXH3_64bits(request->id, strlen(request->id));
		request->id_hash += request->id_hash == 0;
	}
	(void)weir_ref_id(parser, "by", WEIR_MAY_BE_NULL, request->by);
	(void)weir_ref_time(parser, "time", WEIR_MAY_BE_NULL, true, &request->time_us);
	if (parser->failed)
		return;
	refuse_others(parser, request->action);
	if (request->action == WEIR_ACTION_LIMIT)
		parse_limit(parser, request);
	else if (request->action == WEIR_ACTION_RENEW)
		parse_renew(parser, request);
	else if (request->action == WEIR_ACTION_FLAG)
		parse_flag(parser, request);
	else if (request->action == WEIR_ACTION_ADDON) {
		(void)weir_ref_integer(parser, "bytes", WEIR_NEED, 1, WEIR_BYTES_MAX, &request->bytes);
		parse_cycle(parser, &request->cycle);
	}
}

void
weir_ref_parse_guard(struct weir_ref_parser *parser)
{
	static const char *const actions[] = {"release"};
	char id[WEIR_ID_MAX];
	uint32_t action;
	int64_t time_us;
	(void)weir_ref_word(parser, "action", WEIR_NEED, actions, 1, &action);
	(void)weir_ref_id(parser, "id", WEIR_MAY_BE_NULL, id);
	(void)weir_ref_id(parser, "by", WEIR_MAY_BE_NULL, id);
	(void)weir_ref_time(parser, "time", WEIR_MAY_BE_NULL, true, &time_us);
}
