/* The words of reference data: members, names of enums, shipped carriers, and how a file's text becomes a JSON value. */
#include <errno.h>
#include <stdlib.h>

#include "config/base/nearest.h"
#include "config/reference/reference_priv.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))
#define T WEIR_MEMBER_TEXT
#define I WEIR_MEMBER_INT
#define B WEIR_MEMBER_BOOL

static const struct weir_member CARRIER[] = {
    {"id", T}, {"zone", T}, {"cycle_day", I}, {"cycle_named_after", T}, {"mb_bytes", I}};
static const struct weir_member PLAN[] = {
    {"id", T}, {"carrier", T}, {"kind", T}, {"allowance", I}, {"limit", I}, {"term_months", I}};
static const struct weir_member CARD[] = {
    {"iccid", T}, {"carrier", T}, {"plan", T}, {"status", T}, {"limit", I}, {"auto_restore", B}, {"pool", T}, {"imei", T}};
static const struct weir_member REQUEST[] = {
    {"iccid", T}, {"action", T}, {"id", T}, {"by", T}, {"time", T}, {"limit", I}, {"auto_restore", B}, {"bytes", I}};

static const char *const TYPES[] = {"carrier", "plan", "card", "request"};
static const char *const STATUSES[] = {"testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"};
static const char *const KINDS[] = {"single", "accumulative", "fixed", "metered"};
static const char *const ACTIONS[] = {"suspend", "resume", "limit", "addon"};

#define MB_CHINA 1048576
#define MB_OVERSEAS 1000000
static const struct weir_ref_carrier SHIPPED[] = {
    {"cm", "Asia/Shanghai", 1, false, MB_CHINA},
    {"cu", "Asia/Shanghai", 27, true, MB_CHINA},
    {"ct", "Asia/Shanghai", 1, false, MB_CHINA},
    {"al", "Asia/Shanghai", 1, false, MB_CHINA},
    {"overseas", "UTC", 1, false, MB_OVERSEAS},
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
	return (unsigned)status < COUNT(STATUSES) ? STATUSES[status] : "unknown";
}

const char *
weir_plan_kind_name(enum weir_plan_kind kind)
{
	return (unsigned)kind < COUNT(KINDS) ? KINDS[kind] : "unknown";
}

const char *
weir_action_name(enum weir_action action)
{
	return (unsigned)action < COUNT(ACTIONS) ? ACTIONS[action] : "unknown";
}

const char *
weir_reference_type_name(enum weir_reference_type type)
{
	return TYPES[type];
}

const struct weir_member *
weir_reference_members(enum weir_reference_type type, uint32_t *count_out)
{
	static const struct weir_member *const members[] = {CARRIER, PLAN, CARD, REQUEST};
	static const uint32_t counts[] = {COUNT(CARRIER), COUNT(PLAN), COUNT(CARD), COUNT(REQUEST)};
	*count_out = counts[type];
	return members[type];
}

const struct weir_member *
weir_reference_member_find(enum weir_reference_type type, const char *name)
{
	uint32_t count;
	const struct weir_member *members = weir_reference_members(type, &count);
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

const char *
weir_reference_member_nearest(enum weir_reference_type type, const char *name)
{
	const char *words[16];
	uint32_t count;
	const struct weir_member *members = weir_reference_members(type, &count);
	for (uint32_t i = 0; i < count; i++)
		words[i] = members[i].name;
	return weir_nearest(name, words, count);
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
	if (member->kind == WEIR_MEMBER_INT) {
		char *end;
		errno = 0;
		long long number = strtoll(text, &end, 10);
		bool plain = text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
		if (plain && *end == '\0' && errno == 0)
			return json_integer(number);
	}
	return json_string(text); /* NULL if not UTF-8 */
}
