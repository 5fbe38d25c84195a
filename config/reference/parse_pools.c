/* Pools' definitions, and the two messages that partitions tell each other: a pool's word and a smart card's sub-card. */
#include <stdlib.h>

#include "config/reference/parser_priv.h"

#define RETENTION_DAYS_MAX 3650
#define BATCHES_MAX 256

static const uint16_t POOL_REASONS = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) |
				     WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD) | WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN);

static void
parse_total(struct weir_ref_parser *parser, struct weir_ref_pool *pool)
{
	bool fixed = pool->kind == WEIR_PLAN_FIXED;
	enum weir_got got =
	    weir_ref_integer(parser, "total", fixed ? WEIR_NEED : WEIR_MAY_BE_NULL, 1, WEIR_BYTES_MAX, &pool->total_bytes);
	if (got == WEIR_GOT_VALUE && !fixed)
		weir_ref_fail(parser, "total", NULL, "%s",
		    pool->kind == WEIR_PLAN_METERED
			? "a metered pool has none; it may have a threshold"
			: "an accumulative pool's is its activated members times the allowance");
}

static void
parse_threshold(struct weir_ref_parser *parser, struct weir_ref_pool *pool)
{
	static const char *const actions[] = {"alert", "suspend"};
	uint32_t action = 0;
	pool->threshold_bytes = WEIR_NO_LIMIT;
	(void)weir_ref_integer(parser, "threshold", WEIR_MAY_BE_NULL, 0, WEIR_BYTES_MAX, &pool->threshold_bytes);
	if (pool->threshold_bytes == 0)
		weir_ref_fail(parser, "threshold", NULL,
		    "0 would be met by a pool that has used nothing, for ever; null takes a threshold away");
	enum weir_got got = weir_ref_word(parser, "threshold_action", WEIR_MAY_BE_NULL, actions, 2, &action);
	if (got == WEIR_GOT_VALUE && pool->threshold_bytes == WEIR_NO_LIMIT)
		weir_ref_fail(parser, "threshold_action", NULL, "there is no threshold");
	if (action == 1 && pool->kind != WEIR_PLAN_METERED)
		weir_ref_fail(parser, "threshold_action", NULL,
		    "suspend is for metered pools; %s ones end with their total", weir_kind_words[pool->kind]);
	pool->threshold_suspends = action == 1;
}

void
weir_ref_parse_pool(struct weir_ref_parser *parser, struct weir_ref_pool *pool)
{
	const char *name;
	uint32_t kind = WEIR_PLAN_METERED;
	(void)weir_ref_id(parser, "id", WEIR_NEED, pool->id);
	enum weir_got got = weir_ref_text(parser, "name", WEIR_MAY_BE_NULL, &name);
	if (got == WEIR_GOT_VALUE && !weir_ref_text_is_printable(name, sizeof(pool->name) - 1))
		weir_ref_fail(parser, "name", NULL, "must be a text of 1 to %zu printable bytes", sizeof(pool->name) - 1);
	if (got != WEIR_GOT_VALUE)
		name = pool->id; /* what people see is never empty */
	(void)weir_ref_id(parser, "carrier", WEIR_NEED, pool->carrier);
	(void)weir_ref_word(parser, "kind", WEIR_NEED, weir_kind_words, 4, &kind);
	pool->kind = (enum weir_plan_kind)kind;
	if (pool->kind == WEIR_PLAN_SINGLE)
		weir_ref_fail(parser, "kind", NULL, "a pool is never single; must be accumulative, fixed or metered");
	(void)weir_ref_id(parser, "plan", WEIR_MAY_BE_NULL, pool->plan);
	if (pool->kind == WEIR_PLAN_ACCUMULATIVE && pool->plan[0] == '\0')
		weir_ref_fail(
		    parser, "plan", NULL, "missing; an accumulative pool's total comes from its plan's allowance");
	parse_total(parser, pool);
	parse_threshold(parser, pool);
	pool->retention_days = 30;
	(void)weir_ref_u32(parser, "retention_days", WEIR_OPTIONAL, 1, RETENTION_DAYS_MAX, &pool->retention_days);
	(void)weir_ref_id(parser, "alerts", WEIR_MAY_BE_NULL, pool->alerts);
	(void)weir_ref_texts(parser, "batches", WEIR_MAY_BE_NULL, BATCHES_MAX, WEIR_ID_MAX - 1); /* readers show them */
	if (!parser->failed)
		memcpy(pool->name, name, strlen(name) + 1);
}

static void
put_member(const char *name, const json_t *value, struct weir_buf *out)
{
	char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	weir_buf_printf(out, "\"%s\":%s", name, text == NULL ? "[]" : text);
	free(text);
}

void
weir_reference_pool_texts(struct weir_slice json, struct weir_buf *out)
{
	json_t *root = json_loadb((const char *)json.data, json.len, 0, NULL);
	const json_t *name = json_object_get(root, "name"), *batches = json_object_get(root, "batches");
	put_member("name", json_is_string(name) ? name : json_object_get(root, "id"), out);
	weir_buf_append(out, ",", 1);
	put_member("batches", json_is_array(batches) ? batches : NULL, out);
	json_decref(root);
}

static void
parse_pool_reasons(struct weir_ref_parser *parser, uint16_t *reasons_out)
{
	size_t i;
	const json_t *value, *element;
	if (weir_ref_member(parser, "reasons", WEIR_NEED, &value) != WEIR_GOT_VALUE)
		return;
	if (!json_is_array(value))
		weir_ref_fail(parser, "reasons", NULL, "must be a list of reasons");
	json_array_foreach(value, i, element)
	{
		unsigned reason = weir_reason_find(json_is_string(element) ? json_string_value(element) : "");
		if (reason == WEIR_REASON_NONE || (WEIR_REASON_BIT(reason) & POOL_REASONS) == 0)
			weir_ref_fail(parser, "reasons", NULL, "must be pool_exhausted, pool_threshold or pool_frozen");
		else
			*reasons_out |= WEIR_REASON_BIT(reason);
	}
}

void
weir_ref_parse_pool_state(struct weir_ref_parser *parser, struct weir_ref_pool_state *state)
{
	uint32_t kind = 0, cycle = 0;
	uint64_t crossed = 0;
	(void)weir_ref_id(parser, "pool", WEIR_NEED, state->pool);
	(void)weir_ref_u64(parser, "epoch", WEIR_NEED, &state->epoch);
	(void)weir_ref_u64(parser, "version", WEIR_NEED, &state->version);
	state->defined = weir_ref_id(parser, "carrier", WEIR_OPTIONAL, state->carrier) == WEIR_GOT_VALUE;
	(void)weir_ref_id(parser, "plan", WEIR_OPTIONAL, state->plan);
	(void)weir_ref_word(parser, "kind", state->defined ? WEIR_NEED : WEIR_OPTIONAL, weir_kind_words, 4, &kind);
	state->kind = (enum weir_plan_kind)kind;
	if (state->defined && state->kind == WEIR_PLAN_SINGLE)
		weir_ref_fail(parser, "kind", NULL, "a pool is never single");
	(void)weir_ref_u32(parser, "cycle", WEIR_NEED, 0, UINT16_MAX, &cycle);
	state->cycle = (uint16_t)cycle;
	parse_pool_reasons(parser, &state->reasons);
	(void)weir_ref_u64(parser, "slack", WEIR_NEED, &state->unreported_allowance);
	(void)weir_ref_u64(parser, "limit", WEIR_OPTIONAL, &state->limit);
	(void)weir_ref_u64(parser, "used", WEIR_NEED, &state->used);
	(void)weir_ref_u32(parser, "active", WEIR_OPTIONAL, 0, UINT32_MAX, &state->active);
	(void)weir_ref_integer(parser, "crossed_us", WEIR_OPTIONAL, 0, INT64_MAX, &crossed);
	state->crossed_us = (int64_t)crossed;
}

void
weir_ref_parse_child(struct weir_ref_parser *parser, struct weir_ref_child *child)
{
	(void)weir_ref_iccid(parser, "parent", WEIR_NEED, &child->parent);
	(void)weir_ref_iccid(parser, "child", WEIR_NEED, &child->child);
	(void)weir_ref_bool(parser, "removed", WEIR_OPTIONAL, false, &child->removed);
	if (!parser->failed && weir_iccid_equal(child->parent, child->child))
		weir_ref_fail(parser, "child", NULL, "a card cannot be its own parent");
}
