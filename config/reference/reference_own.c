/*
 * The messages that partitions write to each other, as JSON. JSON's integers are signed here, so that a number above
 * 2^63 - 1 (no slack bound, a saturated sum) is written as a text of its digits.
 */
#include <inttypes.h>

#include "config/base/decimal.h"
#include "config/reference/reference.h"

static void
print_text(struct weir_buf *out, const char *name, const char *text)
{
	/* Ids hold no quote (the parser sees to it) but may hold a backslash. */
	weir_buf_printf(out, ",\"%s\":\"", name);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			weir_buf_append(out, "\\", 1);
		weir_buf_append(out, text, 1);
	}
	weir_buf_append(out, "\"", 1);
}

static void
print_u64(struct weir_buf *out, const char *name, uint64_t number)
{
	const char *quote = number > INT64_MAX ? "\"" : "";
	weir_buf_printf(out, ",\"%s\":%s%" PRIu64 "%s", name, quote, number, quote);
}

void
weir_reference_print_pool_state(const struct weir_ref_pool_state *state, struct weir_buf *out)
{
	weir_buf_printf(out, "{\"type\":\"pool_state\"");
	print_text(out, "pool", state->pool);
	print_u64(out, "epoch", state->epoch);
	print_u64(out, "version", state->version);
	if (state->defined) {
		print_text(out, "carrier", state->carrier);
		if (state->plan[0] != '\0')
			print_text(out, "plan", state->plan);
		print_text(out, "kind", weir_plan_kind_name(state->kind));
	}
	weir_buf_printf(out, ",\"cycle\":%u,\"reasons\":[", state->cycle);
	uint32_t count = 0;
	for (unsigned reason = 0; reason < WEIR_REASON_COUNT; reason++)
		if ((state->reasons & WEIR_REASON_BIT(reason)) != 0)
			weir_buf_printf(out, "%s\"%s\"", count++ > 0 ? "," : "", weir_reason_name(reason));
	weir_buf_append(out, "]", 1);
	print_u64(out, "slack", state->slack);
	print_u64(out, "limit", state->limit);
	print_u64(out, "used", state->used);
	print_u64(out, "active", state->active);
	print_u64(out, "crossed_us", (uint64_t)state->crossed_us);
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
