/*
 * The audit (CMD-4): entries of the core as JSON, into the history of the card or pool with the next flush, and to the
 * audit topic at once (docs/formats.md).
 */
#include <stdio.h>

#include "pipeline/engine/owner_priv.h"

const char *
owner_event_name(uint8_t event)
{
	static const char *const NAMES[] = {
	    "decided", "reason", "request", "sent", "accepted", "confirmed", "failed", "refused"};
	WEIR_CHECK(event < sizeof(NAMES) / sizeof(NAMES[0]));
	return NAMES[event];
}

const char *
owner_action_name(uint8_t desired)
{
	return desired == WEIR_DESIRED_SUSPENDED ? "suspend" : "resume";
}

/* JSON text of words that may come from a carrier: quotes, backslashes and controls escaped. */
static void
json_text(struct weir_buf *out, const char *name, const char *text)
{
	weir_buf_printf(out, ",\"%s\":\"", name);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			weir_buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			weir_buf_printf(out, "\\u%04x", c);
		else
			weir_buf_append(out, &c, 1);
	}
	weir_buf_append(out, "\"", 1);
}

static void
json_reasons(struct weir_buf *out, uint16_t reasons)
{
	weir_buf_printf(out, ",\"reasons\":[");
	for (unsigned i = 0, n = 0; i < WEIR_REASON_COUNT; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			weir_buf_printf(out, "%s\"%s\"", n++ > 0 ? "," : "", weir_reason_name(i));
	weir_buf_append(out, "]", 1);
}

/* The rule that speaks in a reason, for the audit. */
static const char *
rule_of(uint8_t reason)
{
	switch (reason) {
	case WEIR_REASON_PLAN_EXHAUSTED:
		return "SUS plan_exhausted";
	case WEIR_REASON_USAGE_LIMIT:
		return "SUS usage_limit";
	case WEIR_REASON_POOL_EXHAUSTED:
		return "SUS pool_exhausted";
	case WEIR_REASON_POOL_THRESHOLD:
		return "SUS pool_threshold";
	case WEIR_REASON_POOL_FROZEN:
		return "SUS pool_frozen";
	case WEIR_REASON_PLAN_EXPIRED:
		return "LIFE-5 plan_expired";
	case WEIR_REASON_MANUAL:
		return "SUS-1 manual";
	case WEIR_REASON_DEVICE_CHANGE:
		return "SUS-5 device_change";
	case WEIR_REASON_RESET:
		return "SUS-6 reset";
	default:
		return "SUS";
	}
}

void
owner_audit_subject(const struct weir_audit *a, char out[WEIR_ID_MAX])
{
	if (a->pool[0] == '\0')
		(void)weir_iccid_format(a->iccid, out);
	else
		(void)snprintf(out, WEIR_ID_MAX, "%s", a->pool);
}

static void
audit_reason(const struct weir_audit *a, struct weir_buf *out)
{
	json_reasons(out, a->reasons);
	weir_buf_printf(out,
	    ",\"reason\":\"%s\",\"rule\":\"%s\",\"limit\":%llu,\"usage_before\":%llu,\"usage_after\":%llu,\"overshoot\":%"
	    "llu",
	    weir_reason_name(a->reason), rule_of(a->reason), (unsigned long long)a->limit,
	    (unsigned long long)a->usage_before, (unsigned long long)a->usage_after, (unsigned long long)a->overshoot);
}

static void
audit_json(const struct owner *o, const struct weir_audit *a, struct weir_buf *out)
{
	char subject[WEIR_ID_MAX];
	owner_audit_subject(a, subject);
	out->len = 0;
	weir_buf_printf(
	    out, "{\"event\":\"%s\",\"action\":\"%s\"", owner_event_name(a->event), owner_action_name(a->action));
	json_text(out, a->pool[0] == '\0' ? "iccid" : "pool", subject);
	if (a->pool[0] != '\0')
		weir_buf_printf(out, ",\"cycle\":\"%04d-%02d\"", 1970 + a->cycle / 12, a->cycle % 12 + 1);
	audit_reason(a, out);
	if (a->input < o->rules->topic_count)
		weir_buf_printf(out, ",\"topic\":\"%s\",\"partition\":%u,\"offset\":%lld", o->rules->topics[a->input],
		    o->number, (long long)a->offset);
	weir_buf_printf(out,
	    ",\"at_us\":%lld,\"record_us\":%lld,\"decided_us\":%lld,\"sent_us\":%lld,\"confirmed_us\":%lld,\"carrier\":\"%"
	    "s\"",
	    (long long)a->at_us, (long long)a->record_us, (long long)a->decided_us, (long long)a->sent_us,
	    (long long)a->confirmed_us, weir_partition_carrier_name(o->core, a->carrier));
	if (a->ticket[0] != '\0')
		json_text(out, "ticket", a->ticket);
	if (a->text[0] != '\0')
		json_text(out, "reply", a->text);
	weir_buf_append(out, "}", 1);
}

/* Into the list of the card or pool in the store, with the next flush. Its name: j:<card's slot>, jp:<pool>. */
static void
keep_history(struct owner *o, const struct weir_audit *a, const char *subject, struct weir_slice json)
{
	char list[WEIR_ID_MAX + 8];
	if (a->pool[0] == '\0')
		(void)snprintf(list, sizeof(list), "j:%u", a->slot);
	else
		(void)snprintf(list, sizeof(list), "jp:%s", subject);
	o->history_commands += o->io->keep_history(o->ctx, &o->history, list, json);
}

void
owner_audit(struct owner *o, const struct weir_audit *a)
{
	char subject[WEIR_ID_MAX];
	owner_audit_subject(a, subject);
	audit_json(o, a, &o->json);
	struct weir_slice json = {o->json.data, o->json.len};
	keep_history(o, a, subject, json);
	o->io->audit(o->ctx, a, subject, json);
	o->changed = true;
}
