/*
 * Plan vouchers, the text by which consoles name a plan: Carrier_Type_Cycle_Version_Tier/PoolID, as in CM_SF_M_1_30M.
 *
 * Types: SC single card, SF same-tier pool (the sum of its cards: accumulative), UP pool with a bought total (fixed); SCD,
 * SFD and UPG are their directional variants. Cards of a fixed pool have no tier, so that their last part is the pool's id
 * whether or not a slash stands before it. The tier is for people: an allowance is given in bytes.
 */
#include "config/reference/reference.h"

#include <ctype.h>

#include "config/reference/parser_priv.h"

#define PARTS 5

static const struct {
	const char *name;
	enum weir_plan_kind kind;
	bool directional;
} TYPES[] = {
    {"SC", WEIR_PLAN_SINGLE, false},
    {"SCD", WEIR_PLAN_SINGLE, true},
    {"SF", WEIR_PLAN_ACCUMULATIVE, false},
    {"SFD", WEIR_PLAN_ACCUMULATIVE, true},
    {"UP", WEIR_PLAN_FIXED, false},
    {"UPG", WEIR_PLAN_FIXED, true},
};

/* Four parts end with an underscore, the rest is the fifth: a pool's id may have underscores of its own. */
static bool
split_parts(const char *text, struct weir_slice parts_out[PARTS])
{
	for (int i = 0; i < PARTS; i++) {
		size_t len = i < PARTS - 1 ? strcspn(text, "_") : strlen(text);
		parts_out[i] = (struct weir_slice){(const uint8_t *)text, len};
		if (len == 0 || (i < PARTS - 1 && text[len] == '\0'))
			return false;
		text += len + (i < PARTS - 1);
	}
	return true;
}

static bool
is_word(struct weir_slice part)
{
	for (size_t i = 0; i < part.len; i++)
		if (!isalnum(part.data[i]) && part.data[i] != '.' && part.data[i] != '-')
			return false;
	return part.len >= 1 && part.len < 32;
}

static bool
carrier_take(struct weir_slice part, char out[WEIR_ID_MAX])
{
	if (!is_word(part))
		return false;
	for (size_t i = 0; i < part.len; i++)
		out[i] = (char)tolower(part.data[i]);
	out[part.len] = '\0';
	return true;
}

/* Tier, tier/pool, or a fixed plan's pool alone. */
static bool
last_part_take(struct weir_slice part, enum weir_plan_kind kind, char pool_out[WEIR_ID_MAX])
{
	const char *text = (const char *)part.data, *slash = strchr(text, '/');
	const char *pool = slash != NULL ? slash + 1 : kind == WEIR_PLAN_FIXED ? text : NULL;
	struct weir_slice tier = {part.data, slash != NULL ? (size_t)(slash - text) : part.len};
	if ((slash != NULL || pool == NULL) && !is_word(tier))
		return false;
	pool_out[0] = '\0';
	if (pool == NULL)
		return true;
	if (!weir_ref_id_is_valid(pool) || kind == WEIR_PLAN_SINGLE)
		return false;
	memcpy(pool_out, pool, strlen(pool) + 1);
	return true;
}

enum weir_class
weir_voucher_parse(const char *text, struct weir_ref_plan *plan_out, char pool_out[WEIR_ID_MAX], struct weir_error *err)
{
	struct weir_slice parts[PARTS];
	char carrier[WEIR_ID_MAX] = {0};
	if (!split_parts(text, parts) || !carrier_take(parts[0], carrier))
		return weir_error_set(
		    err, WEIR_POISON, "must be Carrier_Type_Cycle_Version_Tier/PoolID such as CM_SF_M_1_30M");
	size_t type = 0, count = sizeof(TYPES) / sizeof(TYPES[0]);
	while (type < count && !weir_slice_equals(parts[1], TYPES[type].name))
		type++;
	if (type == count)
		return weir_error_set(err, WEIR_POISON, "type '%.*s' is unknown; must be SC, SCD, SF, SFD, UP or UPG",
		    parts[1].len > 16 ? 16 : (int)parts[1].len, (const char *)parts[1].data);
	if (!weir_slice_equals(parts[2], "M") && !weir_slice_equals(parts[2], "Y"))
		return weir_error_set(err, WEIR_POISON, "cycle '%.*s' is unknown; must be M or Y",
		    parts[2].len > 16 ? 16 : (int)parts[2].len, (const char *)parts[2].data);
	if (!is_word(parts[3]))
		return weir_error_set(err, WEIR_POISON, "its version must be letters and digits");
	if (!last_part_take(parts[4], TYPES[type].kind, pool_out))
		return weir_error_set(err, WEIR_POISON, "its last part must be a tier, or tier/pool for a plan of pools");
	memcpy(plan_out->carrier, carrier, sizeof(carrier));
	plan_out->kind = TYPES[type].kind;
	plan_out->directional = TYPES[type].directional;
	return WEIR_OK;
}
