/* The words of reference data: members, names of enums, shipped carriers, and how a file's text becomes a JSON value. */
#include <errno.h>
#include <stdlib.h>

#include "config/base/nearest.h"
#include "config/reference/parser_priv.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))
#define T WEIR_MEMBER_TEXT
#define I WEIR_MEMBER_INT
#define B WEIR_MEMBER_BOOL
#define L WEIR_MEMBER_TEXTS

/* Name, kind, and the rule that a text about it names. */
static const struct weir_member CARRIER[] = {{"id", T, NULL}, {"zone", T, "CYC-2"}, {"cycle_day", I, "CYC-2"},
    {"cycle_named_after", T, "CYC-1"}, {"mb_bytes", I, NULL}, {"unsupported", L, "SUS-4"}, {"device_lock", T, "SUS-5"},
    {"rebinds_per_month", I, "SUS-5"}, {"test_quota", I, "LIFE-3"}, {"test_months", I, "LIFE-3"},
    {"silent_months", I, "LIFE-4"}, {"cancel_months", I, "LIFE-7"}};
static const struct weir_member PLAN[] = {{"id", T, NULL}, {"carrier", T, NULL}, {"kind", T, NULL}, {"allowance", I, NULL},
    {"limit", I, "SUS-2"}, {"term_months", I, "LIFE-2"}, {"directional", B, NULL}, {"voucher", T, NULL},
    {"alerts", T, "ALR-1"}};
static const struct weir_member CARD[] = {{"iccid", T, "REC-1"}, {"carrier", T, NULL}, {"plan", T, NULL},
    {"status", T, "LIFE-1"}, {"limit", I, "SUS-2"}, {"auto_restore", B, "SUS-2"}, {"pool", T, "POOL-1"},
    {"imei", T, "SUS-5"}, {"parent", T, "POOL-8"}, {"since", T, "LIFE-1"}, {"activated", T, "LIFE-2"},
    {"expires", T, "LIFE-5"}, {"tags", L, NULL}, {"remark", T, NULL}};
static const struct weir_member REQUEST[] = {{"iccid", T, "REC-1"}, {"pool", T, NULL}, {"action", T, NULL}, {"id", T, NULL},
    {"by", T, NULL}, {"time", T, NULL}, {"limit", I, "SUS-2"}, {"auto_restore", B, "SUS-2"}, {"bytes", I, "SUS-2"},
    {"cycle", T, "CYC-1"}, {"months", I, "LIFE-5"}, {"until", T, "LIFE-5"}, {"reason", T, NULL}, {"set", B, NULL}};
static const struct weir_member POOL[] = {{"id", T, NULL}, {"name", T, "POOL-6"}, {"kind", T, "POOL-1"},
    {"carrier", T, "POOL-1"}, {"plan", T, "POOL-1"}, {"total", I, "POOL-1"}, {"threshold", I, "POOL-5"},
    {"threshold_action", T, "POOL-5"}, {"retention_days", I, "POOL-5"}, {"alerts", T, "ALR-1"}, {"batches", L, "POOL-6"}};
static const struct weir_member POOL_STATE[] = {{"pool", T, NULL}, {"epoch", I, NULL}, {"version", I, NULL},
    {"carrier", T, NULL}, {"plan", T, NULL}, {"kind", T, NULL}, {"cycle", I, NULL}, {"reasons", L, NULL},
    {"slack", I, "POOL-7"}, {"limit", I, NULL}, {"used", I, NULL}, {"active", I, NULL}, {"crossed_us", I, NULL}};
static const struct weir_member CHILD[] = {{"parent", T, "POOL-8"}, {"child", T, "POOL-8"}, {"removed", B, "POOL-8"}};
static const struct weir_member ALERTS[] = {{"id", T, NULL}, {"levels", WEIR_MEMBER_LEVELS, "ALR-1"}, {"step", I, "ALR-1"}};
static const struct weir_member GUARD[] = {{"action", T, "CMD-5"}, {"id", T, NULL}, {"by", T, NULL}, {"time", T, NULL}};

static const struct {
	const char *name;
	const struct weir_member *members;
	uint32_t count;
} TYPES[] = {
    {"carrier", CARRIER, COUNT(CARRIER)},
    {"plan", PLAN, COUNT(PLAN)},
    {"card", CARD, COUNT(CARD)},
    {"request", REQUEST, COUNT(REQUEST)},
    {"pool", POOL, COUNT(POOL)},
    {"pool_state", POOL_STATE, COUNT(POOL_STATE)},
    {"child", CHILD, COUNT(CHILD)},
    {"alerts", ALERTS, COUNT(ALERTS)},
    {"guard", GUARD, COUNT(GUARD)},
};
_Static_assert(COUNT(TYPES) == WEIR_REF_GUARD + 1, "in the order of enum weir_reference_type");

const char *const weir_status_words[] = {"testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"};
const char *const weir_kind_words[] = {"single", "accumulative", "fixed", "metered"};
const char *const weir_action_words[] = {"suspend", "resume", "limit", "addon", "activate", "deactivate", "cancel", "renew",
    "rebind", "reset", "flag", "freeze", "paid", "enable"};
static const char *const REASONS[] = {"plan_exhausted", "usage_limit", "pool_exhausted", "pool_threshold", "pool_frozen",
    "plan_expired", "manual", "device_change", "id_verification", "violation", "abnormal", "reset"};
_Static_assert(COUNT(REASONS) == WEIR_REASON_COUNT, "in the order of enum weir_reason");

#define MB_CHINA UINT64_C(1048576)
#define MB_OVERSEAS UINT64_C(1000000)
#define NO_LIMIT_ALONE WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT)
/*
 * What the carriers can do (SUS-4, SUS-5, LIFE-3, LIFE-4, LIFE-7):
 * - ct cuts any card off by its usage limit, cm and cu only cards in pools.
 * - cm and cu cut a card off in another device; ct only tells, and takes two rebinds a calendar month.
 * - al, a virtual carrier, stands between a customer and the three: it cuts off by itself, so that every reason is
 * enforced, and has no lock of its own, but sees the device: it tells.
 * - overseas sees neither pools' rules nor devices; no silent period, a test period of six months.
 */
static const struct weir_ref_carrier SHIPPED[] = {
    {.id = "cm",
	.zone = "Asia/Shanghai",
	.cycle_day = 1,
	.mb_bytes = MB_CHINA,
	.unsupported_single = NO_LIMIT_ALONE,
	.device_lock = WEIR_DEVICE_LOCK_SUSPEND,
	.test_quota_bytes = 6 * MB_CHINA,
	.test_months = 6,
	.silent_months = 6,
	.cancel_months = 3},
    {.id = "cu",
	.zone = "Asia/Shanghai",
	.cycle_day = 27,
	.named_after_end = true,
	.mb_bytes = MB_CHINA,
	.unsupported_single = NO_LIMIT_ALONE,
	.device_lock = WEIR_DEVICE_LOCK_SUSPEND,
	.test_quota_bytes = 6 * MB_CHINA,
	.test_months = 6,
	.silent_months = 6,
	.cancel_months = 3},
    {.id = "ct",
	.zone = "Asia/Shanghai",
	.cycle_day = 1,
	.mb_bytes = MB_CHINA,
	.device_lock = WEIR_DEVICE_LOCK_ALERT,
	.rebinds_per_month = 2,
	.test_quota_bytes = 6 * MB_CHINA,
	.test_months = 6,
	.silent_months = 6,
	.cancel_months = 3},
    {.id = "al",
	.zone = "Asia/Shanghai",
	.cycle_day = 1,
	.mb_bytes = MB_CHINA,
	.device_lock = WEIR_DEVICE_LOCK_ALERT,
	.test_quota_bytes = 6 * MB_CHINA,
	.test_months = 6,
	.silent_months = 6,
	.cancel_months = 3},
    {.id = "overseas",
	.zone = "UTC",
	.cycle_day = 1,
	.mb_bytes = MB_OVERSEAS,
	.device_lock = WEIR_DEVICE_LOCK_NONE,
	.test_quota_bytes = 6 * MB_OVERSEAS,
	.test_months = 6,
	.silent_months = 0,
	.cancel_months = 3},
};

const struct weir_ref_carrier *
weir_reference_shipped_carriers(uint32_t *count_out)
{
	*count_out = COUNT(SHIPPED);
	return SHIPPED;
}

const char *
weir_status_name(enum weir_card_status status)
{
	return (unsigned)status < COUNT(weir_status_words) ? weir_status_words[status] : "unknown";
}

const char *
weir_plan_kind_name(enum weir_plan_kind kind)
{
	return (unsigned)kind < COUNT(weir_kind_words) ? weir_kind_words[kind] : "unknown";
}

const char *
weir_action_name(enum weir_action action)
{
	return (unsigned)action < COUNT(weir_action_words) ? weir_action_words[action] : "unknown";
}

const char *
weir_reason_name(unsigned reason)
{
	return reason < COUNT(REASONS) ? REASONS[reason] : "none";
}

unsigned
weir_reason_find(const char *name)
{
	for (unsigned i = 0; i < COUNT(REASONS); i++)
		if (strcmp(REASONS[i], name) == 0)
			return i;
	return WEIR_REASON_NONE;
}

const char *
weir_reference_type_name(enum weir_reference_type type)
{
	return TYPES[type].name;
}

const struct weir_member *
weir_reference_member_find(enum weir_reference_type type, const char *name)
{
	for (uint32_t i = 0; i < TYPES[type].count; i++)
		if (strcmp(TYPES[type].members[i].name, name) == 0)
			return &TYPES[type].members[i];
	return NULL;
}

const char *
weir_reference_member_nearest(enum weir_reference_type type, const char *name)
{
	const char *words[16];
	WEIR_CHECK(TYPES[type].count <= COUNT(words));
	for (uint32_t i = 0; i < TYPES[type].count; i++)
		words[i] = TYPES[type].members[i].name;
	return weir_nearest(name, words, TYPES[type].count);
}

json_t *
weir_reference_scalar(const struct weir_member *member, const char *text, bool quoted)
{
	if (quoted)
		return json_string(text);
	if (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
		return json_null();
	if (member->kind == WEIR_MEMBER_BOOL && strcmp(text, "true") == 0)
		return json_true();
	if (member->kind == WEIR_MEMBER_BOOL && strcmp(text, "false") == 0)
		return json_false();
	if (member->kind == WEIR_MEMBER_INT || member->kind == WEIR_MEMBER_LEVELS) {
		char *end;
		errno = 0;
		long long number = strtoll(text, &end, 10);
		bool plain = text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
		if (plain && *end == '\0' && errno == 0)
			return json_integer(number);
	}
	return json_string(text); /* NULL if not UTF-8 */
}
