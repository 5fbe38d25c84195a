/* Producers: each input goes to Kafka as weir's formats have it, and to the model as it has it. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const ZONES[] = {"Asia/Shanghai", "UTC", "Europe/Berlin"};
static const char *const KINDS[] = {"single", "accumulative", "fixed", "metered"};
static const char *const LOCKS[] = {"none", "alert", "suspend"};
static const char *const REASONS[] = {"plan_exhausted", "usage_limit", "pool_exhausted", "pool_threshold", "pool_frozen",
    "plan_expired", "manual", "device_change", "id_verification", "violation", "abnormal"};

struct text {
	char at[2048];
	size_t len;
};

static void add_text(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add_text(struct text *text, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(text->at + text->len, sizeof(text->at) - text->len, fmt, args);
	va_end(args);
	WEIR_CHECK(len >= 0 && text->len + (size_t)len < sizeof(text->at));
	text->len += (size_t)len;
}

static void
send_text(struct sim *sim, uint32_t partition, const char *key, const struct text *text)
{
	sim_append_bytes(sim, SIM_CARDS, partition, key, text->at, text->len);
	SIM_TRACE(sim, "produced cards/%u %s", partition, text->at);
}

static void
broadcast(struct sim *sim, const struct text *text)
{
	for (uint32_t p = 0; p < sim->partitions; p++)
		send_text(sim, p, "", text);
}

static void
add_reasons(struct text *text, const char *name, unsigned reasons)
{
	add_text(text, "\"%s\":[", name);
	for (unsigned i = 0, n = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++)
		if ((reasons >> i & 1) != 0)
			add_text(text, "%s\"%s\"", n++ > 0 ? "," : "", REASONS[i]);
	add_text(text, "]");
}

void
sim_send_carrier(struct sim *sim, int at)
{
	const struct model_carrier *c = &sim->model.carriers[at];
	struct text text = {0};
	add_text(&text, "{\"type\":\"carrier\",\"id\":\"%s\",\"zone\":\"%s\",\"cycle_day\":%d,\"cycle_named_after\":\"%s\"",
	    sim->carrier_ids[at], ZONES[c->zone], c->day, c->named_after_end ? "end" : "start");
	add_text(&text, ",\"unsupported\":{");
	add_reasons(&text, "single", c->unsupported_single);
	add_text(&text, ",");
	add_reasons(&text, "pooled", c->unsupported_pooled);
	add_text(&text, "},\"device_lock\":\"%s\",\"rebinds_per_month\":%d,\"test_quota\":%" PRIu64, LOCKS[c->lock],
	    c->rebinds, c->test_quota);
	add_text(&text, ",\"test_months\":%d,\"silent_months\":%d,\"cancel_months\":%d}", c->test_months, c->silent_months,
	    c->cancel_months);
	broadcast(sim, &text);
}

/* CMD-5: an operator lets every guard go. */
void
sim_send_release(struct sim *sim)
{
	struct text text = {0};
	add_text(&text, "{\"type\":\"guard\",\"action\":\"release\"}");
	broadcast(sim, &text);
}

void
sim_send_plan(struct sim *sim, int at)
{
	const struct model_plan *plan = &sim->model.plans[at];
	struct text text = {0};
	add_text(&text, "{\"type\":\"plan\",\"id\":\"p%d\",\"carrier\":\"%s\",\"kind\":\"%s\",\"allowance\":%" PRIu64, at,
	    sim->carrier_ids[plan->carrier], KINDS[plan->kind], plan->allowance);
	if (plan->limit != MODEL_NONE)
		add_text(&text, ",\"limit\":%" PRIu64, plan->limit);
	if (plan->term_months > 0)
		add_text(&text, ",\"term_months\":%d", plan->term_months);
	add_text(&text, "}");
	sim->model.plan_known[at] = true;
	broadcast(sim, &text);
}

void
sim_send_pool(struct sim *sim, int at)
{
	const struct model_pool *pool = &sim->model.pools[at];
	struct text text = {0};
	char key[16];
	(void)snprintf(key, sizeof(key), "q%d", at);
	add_text(&text, "{\"type\":\"pool\",\"id\":\"%s\",\"carrier\":\"%s\",\"kind\":\"%s\"", key,
	    sim->carrier_ids[pool->carrier], KINDS[pool->kind]);
	if (pool->plan >= 0)
		add_text(&text, ",\"plan\":\"p%d\"", pool->plan);
	if (pool->kind == MODEL_FIXED)
		add_text(&text, ",\"total\":%" PRIu64, pool->total);
	if (pool->threshold != MODEL_NONE)
		add_text(&text, ",\"threshold\":%" PRIu64 ",\"threshold_action\":\"%s\"", pool->threshold,
		    pool->suspends ? "suspend" : "alert");
	add_text(&text, ",\"retention_days\":%d}", pool->retention_days);
	send_text(sim, sim_partition_of(sim, key), key, &text);
}

void
sim_send_card(struct sim *sim, int card, const char *more, ...)
{
	struct text text = {0};
	add_text(&text, "{\"type\":\"card\",\"iccid\":\"%s\"", sim->card[card].iccid);
	va_list args;
	va_start(args, more);
	int len = vsnprintf(text.at + text.len, sizeof(text.at) - text.len, more, args);
	va_end(args);
	text.len += (size_t)len;
	add_text(&text, "}");
	send_text(sim, sim->card[card].partition, sim->card[card].iccid, &text);
}

static void
send_request(struct sim *sim, uint32_t partition, const char *member, const char *key, const char *action, const char *more,
    va_list args)
{
	struct text text = {0};
	add_text(&text, "{\"type\":\"request\",\"%s\":\"%s\",\"action\":\"%s\"", member, key, action);
	int len = vsnprintf(text.at + text.len, sizeof(text.at) - text.len, more, args);
	text.len += (size_t)len;
	add_text(&text, "}");
	send_text(sim, partition, key, &text);
}

void
sim_send_request(struct sim *sim, int card, const char *action, const char *more, ...)
{
	va_list args;
	va_start(args, more);
	send_request(sim, sim->card[card].partition, "iccid", sim->card[card].iccid, action, more, args);
	va_end(args);
}

void
sim_send_pool_request(struct sim *sim, int pool, const char *action, const char *more, ...)
{
	char key[16];
	va_list args;
	(void)snprintf(key, sizeof(key), "q%d", pool);
	va_start(args, more);
	send_request(sim, sim_partition_of(sim, key), "pool", key, action, more, args);
	va_end(args);
}

static uint64_t
identity(struct weir_iccid iccid, char kind, uint64_t number)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%c%" PRIu64, kind, number);
	return weir_identity_hash(iccid, (const uint8_t *)text, (size_t)len);
}

void
sim_send_record(struct sim *sim, const struct model_record *record)
{
	static const char NOBODY[] = "89860000000000000000";
	struct weir_iccid iccid;
	if (record->card < 0)
		WEIR_CHECK(weir_iccid_parse((const uint8_t *)NOBODY, 20, &iccid));
	else
		iccid = sim->card[record->card].packed;
	uint32_t partition = record->card < 0 ? sim_partition_of(sim, NOBODY) : sim->card[record->card].partition;
	struct sim_message *message = sim_append(sim, SIM_RECORDS, partition);
	message->record = (struct weir_record){.iccid = iccid,
	    .id_hash = record->id == 0 ? 0 : identity(iccid, 'r', record->id),
	    .session_hash = record->session == 0 ? 0 : identity(iccid, 's', record->session),
	    .seq = record->seq,
	    .up = record->up,
	    .down = record->down,
	    .end_us = record->end_us,
	    .start_us = record->start_us,
	    .imei14 = record->imei,
	    .flags = (uint8_t)((record->has_seq ? WEIR_RECORD_HAS_SEQ : 0) | (record->totals ? WEIR_RECORD_TOTALS : 0) |
			       (record->start ? WEIR_RECORD_START : 0))};
	struct model_record published = *record;
	published.partition = (int)partition;
	published.arrived_us = message->arrived_us;
	message->verdict = model_record(&sim->model, &published);
	SIM_TRACE(sim,
	    "produced record %u/%lld: card %d end %lld id %" PRIu64 " session %" PRIu64 "/%" PRIu64 "%s up %" PRIu64
	    " down %" PRIu64 " imei %" PRIu64 ": verdict %d",
	    partition, (long long)(sim->logs[SIM_RECORDS][partition].n - 1), record->card, (long long)record->end_us,
	    record->id, record->session, record->seq, record->totals ? " totals" : "", record->up, record->down,
	    record->imei, message->verdict);
}
