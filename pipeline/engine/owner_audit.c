/*
 * The audit (CMD-4): entries of the core as JSON, into the history of the card or pool with the next flush, and to the
 * audit topic at once (docs/formats.md).
 */
#include <stdio.h>

#include "config/base/json_out.h"
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
audit_reason(const struct weir_audit *a, struct weir_json *json)
{
	weir_json_open(json, "reasons", '[');
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		if ((a->reasons & WEIR_REASON_BIT(i)) != 0)
			weir_json_text(json, NULL, weir_reason_name(i));
	weir_json_close(json, ']');
	weir_json_text(json, "reason", weir_reason_name(a->reason));
	weir_json_text(json, "rule", rule_of(a->reason));
	weir_json_u64(json, "limit", a->limit);
	weir_json_u64(json, "usage_before", a->usage_before);
	weir_json_u64(json, "usage_after", a->usage_after);
	weir_json_u64(json, "overshoot", a->overshoot);
}

/* Where the record or request came from that the entry is about. */
static void
audit_origin(const struct owner *o, const struct weir_audit *a, struct weir_json *json)
{
	if (a->input >= o->rules->topic_count)
		return;
	weir_json_text(json, "topic", o->rules->topics[a->input]);
	weir_json_u64(json, "partition", o->number);
	weir_json_i64(json, "offset", a->offset);
}

static void
audit_times(const struct weir_audit *a, struct weir_json *json)
{
	weir_json_i64(json, "at_us", a->at_us);
	weir_json_i64(json, "record_us", a->record_us);
	weir_json_i64(json, "decided_us", a->decided_us);
	weir_json_i64(json, "sent_us", a->sent_us);
	weir_json_i64(json, "confirmed_us", a->confirmed_us);
}

static void
audit_json(const struct owner *o, const struct weir_audit *a, struct weir_buf *out)
{
	char subject[WEIR_ID_MAX], cycle[16];
	struct weir_json json = {.out = out};
	owner_audit_subject(a, subject);
	out->len = 0;
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "event", owner_event_name(a->event));
	weir_json_text(&json, "action", owner_action_name(a->action));
	weir_json_text(&json, a->pool[0] == '\0' ? "iccid" : "pool", subject);
	if (a->pool[0] != '\0') {
		weir_cycle_format(a->cycle, cycle);
		weir_json_text(&json, "cycle", cycle);
	}
	audit_reason(a, &json);
	audit_origin(o, a, &json);
	audit_times(a, &json);
	weir_json_text(&json, "carrier", weir_partition_carrier_name(o->core, a->carrier));
	if (a->ticket[0] != '\0')
		weir_json_text(&json, "ticket", a->ticket);
	if (a->text[0] != '\0')
		weir_json_text(&json, "reply", a->text);
	weir_json_close(&json, '}');
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
