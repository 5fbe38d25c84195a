/*
 * The messages that partitions write to each other: a pool's word and a smart card's sub-card.
 *
 * JSON like everything in weir.cards, so that people can read the topic; but words come by the thousand a second, and
 * jansson needs eight microseconds for one. So a word in the very spelling that is printed here is read here as well, by
 * one pass over its bytes; any other spelling goes the way of all messages, to the same result. JSON's integers are signed
 * here: a number above 2^63 - 1 (an unbounded allowance, a saturated sum) is written as a text of its digits.
 */
#include "config/base/decimal.h"
#include "config/reference/parser_priv.h"

#define POOL_REASONS                                                                                                       \
	(WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD) |                       \
	    WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN))

static void
print_literal(struct weir_buf *out, const char *literal)
{
	weir_buf_append(out, literal, strlen(literal));
}

static void
print_text(struct weir_buf *out, const char *name, const char *text)
{
	print_literal(out, name);
	for (size_t plain; *text != '\0'; text += plain) { /* ids hold no quote, but may hold a backslash */
		plain = strcspn(text, "\\");
		weir_buf_append(out, text, plain);
		if (text[plain] == '\\') {
			weir_buf_append(out, "\\\\", 2);
			plain++;
		}
	}
	weir_buf_append(out, "\"", 1);
}

static void
print_u64(struct weir_buf *out, const char *name, uint64_t number)
{
	char digits[20];
	size_t len = weir_decimal_format_u64(number, digits);
	print_literal(out, name);
	weir_buf_append(out, "\"", number > INT64_MAX);
	weir_buf_append(out, digits, len);
	weir_buf_append(out, "\"", number > INT64_MAX);
}

void
weir_reference_print_pool_state(const struct weir_ref_pool_state *state, struct weir_buf *out)
{
	weir_buf_reserve(out, 768);
	print_text(out, "{\"type\":\"pool_state\",\"pool\":\"", state->pool);
	print_u64(out, ",\"epoch\":", state->epoch);
	print_u64(out, ",\"version\":", state->version);
	if (state->defined) {
		print_text(out, ",\"carrier\":\"", state->carrier);
		if (state->plan[0] != '\0')
			print_text(out, ",\"plan\":\"", state->plan);
		print_text(out, ",\"kind\":\"", weir_plan_kind_name(state->kind));
	}
	print_u64(out, ",\"cycle\":", state->cycle);
	const char *name = ",\"reasons\":[\"";
	for (unsigned reason = 0; reason < WEIR_REASON_COUNT; reason++)
		if ((state->reasons & WEIR_REASON_BIT(reason)) != 0) {
			print_text(out, name, weir_reason_name(reason));
			name = ",\"";
		}
	print_literal(out, state->reasons == 0 ? ",\"reasons\":[]" : "]");
	print_u64(out, ",\"slack\":", state->unreported_allowance);
	print_u64(out, ",\"limit\":", state->limit);
	print_u64(out, ",\"used\":", state->used);
	print_u64(out, ",\"active\":", state->active);
	print_u64(out, ",\"crossed_us\":", (uint64_t)state->crossed_us);
	weir_buf_append(out, "}", 1);
}

void
weir_reference_print_child(const struct weir_ref_child *child, struct weir_buf *out)
{
	char parent[WEIR_ICCID_TEXT_MAX], text[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(child->parent, parent);
	(void)weir_iccid_format(child->child, text);
	weir_buf_printf(out, "{\"type\":\"child\",\"parent\":\"%s\",\"child\":\"%s\",\"removed\":%s}", parent, text,
	    child->removed ? "true" : "false");
}

/* A place in a word; failed once, failed for good. */
struct scan {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

/* Goes past the literal if it is there. */
static bool
scan_if(struct scan *scan, const char *literal)
{
	size_t len = strlen(literal);
	if (scan->failed || (size_t)(scan->end - scan->at) < len || memcmp(scan->at, literal, len) != 0)
		return false;
	scan->at += len;
	return true;
}

static void
scan_literal(struct scan *scan, const char *literal)
{
	scan->failed |= !scan_if(scan, literal);
}

/* Text up to its closing quote into out, terminated. No escapes. */
static void
scan_text(struct scan *scan, const char *name, char out[WEIR_ID_MAX])
{
	scan_literal(scan, name);
	size_t left = scan->failed ? 0 : (size_t)(scan->end - scan->at), len = 0;
	while (len < left && len < WEIR_ID_MAX && scan->at[len] != '"' && scan->at[len] != '\\' && scan->at[len] != 0)
		len++;
	if (len == left || len == WEIR_ID_MAX || scan->at[len] != '"') {
		scan->failed = true;
		return;
	}
	memcpy(out, scan->at, len);
	out[len] = '\0';
	scan->at += len + 1;
}

static void
scan_id(struct scan *scan, const char *name, char out[WEIR_ID_MAX])
{
	scan_text(scan, name, out);
	scan->failed |= !scan->failed && !weir_ref_id_is_valid(out);
}

/* Quotes are for numbers of all 64 bits. */
static uint64_t
scan_u64(struct scan *scan, const char *name, uint64_t max)
{
	uint64_t number = 0;
	scan_literal(scan, name);
	bool quoted = max == UINT64_MAX && scan_if(scan, "\"");
	size_t len = 0, left = scan->failed ? 0 : (size_t)(scan->end - scan->at);
	while (len < left && scan->at[len] >= '0' && scan->at[len] <= '9')
		len++;
	scan->failed |= !weir_decimal_parse_u64(scan->at, len, &number) || number > max || (!quoted && number > INT64_MAX);
	if (scan->failed)
		return 0;
	scan->at += len;
	if (quoted)
		scan_literal(scan, "\"");
	return number;
}

static enum weir_plan_kind
scan_kind(struct scan *scan)
{
	char word[WEIR_ID_MAX] = "";
	scan_text(scan, ",\"kind\":\"", word);
	for (unsigned kind = WEIR_PLAN_ACCUMULATIVE; kind <= WEIR_PLAN_METERED; kind++)
		if (strcmp(word, weir_kind_words[kind]) == 0)
			return (enum weir_plan_kind)kind;
	scan->failed = true;
	return WEIR_PLAN_SINGLE;
}

static uint16_t
scan_reasons(struct scan *scan)
{
	uint16_t reasons = 0;
	char word[WEIR_ID_MAX];
	if (scan_if(scan, ",\"reasons\":[]"))
		return 0;
	const char *name = ",\"reasons\":[\"";
	do {
		scan_text(scan, name, word);
		unsigned reason = scan->failed ? WEIR_REASON_NONE : weir_reason_find(word);
		scan->failed |= reason == WEIR_REASON_NONE || (WEIR_REASON_BIT(reason) & POOL_REASONS) == 0;
		reasons |= scan->failed ? 0 : WEIR_REASON_BIT(reason);
		name = ",\"";
	} while (!scan->failed && !scan_if(scan, "]"));
	return reasons;
}

bool
weir_ref_scan_pool_state(struct weir_slice json, struct weir_ref_pool_state *state)
{
	struct scan scan = {json.data, json.data + json.len, false};
	scan_id(&scan, "{\"type\":\"pool_state\",\"pool\":\"", state->pool);
	if (scan.failed)
		return false; /* all other messages end here */
	state->epoch = scan_u64(&scan, ",\"epoch\":", UINT64_MAX);
	state->version = scan_u64(&scan, ",\"version\":", UINT64_MAX);
	state->defined = !scan.failed && scan.end - scan.at > 10 && memcmp(scan.at, ",\"carrier\"", 10) == 0;
	if (state->defined) {
		scan_id(&scan, ",\"carrier\":\"", state->carrier);
		if (!scan.failed && scan.end - scan.at > 7 && memcmp(scan.at, ",\"plan\"", 7) == 0)
			scan_id(&scan, ",\"plan\":\"", state->plan);
		state->kind = scan_kind(&scan);
	}
	state->cycle = (uint16_t)scan_u64(&scan, ",\"cycle\":", UINT16_MAX);
	state->reasons = scan_reasons(&scan);
	state->unreported_allowance = scan_u64(&scan, ",\"slack\":", UINT64_MAX);
	state->limit = scan_u64(&scan, ",\"limit\":", UINT64_MAX);
	state->used = scan_u64(&scan, ",\"used\":", UINT64_MAX);
	state->active = (uint32_t)scan_u64(&scan, ",\"active\":", UINT32_MAX);
	state->crossed_us = (int64_t)scan_u64(&scan, ",\"crossed_us\":", INT64_MAX);
	scan_literal(&scan, "}");
	return !scan.failed && scan.at == scan.end;
}
