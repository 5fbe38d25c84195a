/* Reference data and records of a workload into topics; see servers_fill.h. */
#include "bench/servers_fill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"
#include "bench/raw_sink.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { SPAN_MS = 60000, YOUNG_US = 180000000, ZONE_S = 8 * 3600, LIMIT_EVERY = 20, ICCID_LEN = WEIR_ICCID_TEXT_MAX - 1 };
#define LIMIT_BYTES UINT64_C(1000000000000) /* never met: a rule that is evaluated */

/* ---- reference data ---- */

struct fill {
	struct raw_sink *sink;
	uint32_t partitions;
	int64_t now_ms;
	enum weir_class class; /* of the first failure */
	struct weir_error *err;
};

static void
put_reference(void *ctx, const char *key, const char *json)
{
	struct fill *fill = ctx;
	size_t len = strlen(json);
	if (key != NULL && fill->class == WEIR_OK)
		fill->class = raw_sink_put(fill->sink, key, strlen(key), json, len, fill->now_ms, fill->err);
	for (uint32_t p = 0; key == NULL && p < fill->partitions && fill->class == WEIR_OK; p++)
		fill->class = raw_sink_put_to(fill->sink, p, json, len, fill->now_ms, fill->err);
}

static void
put_card(struct fill *fill, const struct workload *workload, uint64_t card)
{
	char json[WORKLOAD_JSON_MAX], iccid[WEIR_ICCID_TEXT_MAX];
	workload_iccid_text(card, iccid);
	workload_card_json(workload, card, json);
	size_t len = strlen(json);
	if (card % LIMIT_EVERY == 0 && len + 32 < sizeof(json))
		(void)snprintf(json + len - 1, sizeof(json) - len + 1, ",\"limit\":%" PRIu64 "}", LIMIT_BYTES);
	put_reference(fill, iccid, json);
}

static enum weir_class
fill_open(struct bench_site *site, struct fill *fill, struct weir_error *err)
{
	*fill = (struct fill){.partitions = site->opts.partitions, .now_ms = weir_wall_now().us / 1000, .err = err};
	return raw_sink_open(site->settings, site->settings->topic_cards, site->opts.partitions, &fill->sink, err);
}

static enum weir_class
fill_close(struct fill *fill)
{
	if (fill->class == WEIR_OK)
		fill->class = raw_sink_finish(fill->sink, fill->err);
	raw_sink_close(fill->sink);
	return fill->class;
}

enum weir_class
bench_fill_cards(struct bench_site *site, const struct workload *workload, struct weir_error *err)
{
	struct fill fill;
	if (fill_open(site, &fill, err) != WEIR_OK)
		return WEIR_FATAL;
	workload_definitions(workload, put_reference, &fill);
	for (uint64_t card = 0; card < workload->cards && fill.class == WEIR_OK; card++)
		put_card(&fill, workload, card);
	return fill_close(&fill);
}

static void
put_victim_pool(struct fill *fill, const struct bench_victims *v, uint64_t k)
{
	char json[256], key[32], iccid[WEIR_ICCID_TEXT_MAX];
	(void)snprintf(key, sizeof(key), "victims-%" PRIu64, v->pool_number + k);
	(void)snprintf(json, sizeof(json),
	    "{\"type\":\"pool\",\"id\":\"%s\",\"carrier\":\"cm\",\"kind\":\"fixed\",\"plan\":\"victim-pool\",\"total\":%"
	    "llu}",
	    key, BENCH_VICTIM_BYTES);
	put_reference(fill, key, json);
	for (uint64_t i = 0; i < v->members; i++) {
		workload_iccid_text(v->pool_first + k * v->members + i, iccid);
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"plan\":\"victim-pool\",\"pool\":\"%s\"}",
		    iccid, key);
		put_reference(fill, iccid, json);
	}
}

enum weir_class
bench_fill_victims(struct bench_site *site, const struct bench_victims *v, struct weir_error *err)
{
	struct fill fill;
	char json[256], iccid[WEIR_ICCID_TEXT_MAX];
	if (fill_open(site, &fill, err) != WEIR_OK)
		return WEIR_FATAL;
	(void)snprintf(json, sizeof(json),
	    "{\"type\":\"plan\",\"id\":\"victim\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":%llu}",
	    BENCH_VICTIM_BYTES);
	put_reference(&fill, NULL, json);
	put_reference(&fill, NULL,
	    "{\"type\":\"plan\",\"id\":\"victim-pool\",\"carrier\":\"cm\",\"kind\":\"fixed\",\"allowance\":0}");
	for (uint64_t i = 0; i < v->count && fill.class == WEIR_OK; i++) {
		workload_iccid_text(v->first + i, iccid);
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"plan\":\"victim\"}", iccid);
		put_reference(&fill, iccid, json);
	}
	for (uint64_t k = 0; k < v->pools && fill.class == WEIR_OK; k++)
		put_victim_pool(&fill, v, k);
	return fill_close(&fill);
}

/* ---- records ---- */

/* Records of one partition that become one message. */
struct pending {
	struct workload_record *records;
	uint32_t count;
};

struct messages {
	const struct workload *workload;
	struct raw_sink *sink;
	struct pending *pending; /* by partition */
	struct weir_buf out;
	struct bench_filled filled;
};

uint64_t
bench_totals_hash(const struct bench_totals *totals, uint64_t cards, uint64_t *records_out)
{
	uint64_t hash = 0;
	*records_out = 0;
	for (uint64_t card = 0; card < cards; card++) {
		const struct bench_totals *t = &totals[card];
		if (t->records > 0)
			hash += bench_usage_hash(card, t->up, t->down, t->records);
		*records_out += t->records;
	}
	return hash;
}

static enum weir_class
send_message(struct messages *m, struct pending *pending, struct weir_error *err)
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	if (pending->count == 0)
		return WEIR_OK;
	m->out.len = 0;
	workload_message(m->workload, pending->records, pending->count, &m->out);
	workload_iccid_text(pending->records[0].card, iccid);
	int64_t at_ms = pending->records[pending->count - 1].arrived_us / 1000;
	pending->count = 0;
	m->filled.messages++;
	m->filled.bytes += m->out.len;
	return raw_sink_put(m->sink, iccid, ICCID_LEN, (const char *)m->out.data, m->out.len, at_ms, err);
}

static enum weir_class
take_record(struct messages *m, const struct workload_record *r, struct weir_error *err)
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	workload_iccid_text(r->card, iccid);
	struct pending *pending = &m->pending[raw_sink_place(m->sink, iccid, ICCID_LEN)];
	pending->records[pending->count++] = *r;
	return pending->count == m->workload->batch ? send_message(m, pending, err) : WEIR_OK;
}

static enum weir_class
send_all(struct messages *m, uint64_t seed, uint32_t partitions, struct bench_totals *totals, struct weir_error *err)
{
	struct workload_generator *g = workload_generator_new(m->workload, seed);
	struct workload_record r;
	enum weir_class class = WEIR_OK;
	for (uint64_t i = 0; i < m->workload->records && class == WEIR_OK; i++) {
		workload_next(g, &r);
		bench_totals_add(&totals[r.card], &r);
		class = take_record(m, &r, err);
	}
	for (uint32_t p = 0; p < partitions && class == WEIR_OK; p++)
		class = send_message(m, &m->pending[p], err);
	workload_generator_free(g);
	m->filled.records = m->workload->records;
	return class == WEIR_OK ? raw_sink_finish(m->sink, err) : class;
}

/* When the month of carrier cm began (UTC+8), which is its billing cycle (CYC-1); microseconds. */
static int64_t
month_began_us(int64_t now_us)
{
	time_t there = (time_t)(now_us / 1000000) + ZONE_S;
	struct tm tm;
	(void)gmtime_r(&there, &tm);
	int64_t back_s = ((int64_t)(tm.tm_mday - 1) * 24 + tm.tm_hour) * 3600 + tm.tm_min * 60 + tm.tm_sec;
	return (now_us / 1000000 - back_s) * 1000000;
}

/* How far back records may lie so that all belong to the cycle that is checked; waits where a month has just begun. */
static uint64_t
span_ms(void)
{
	int64_t now_us = weir_wall_now().us, young_us = now_us - month_began_us(now_us);
	if (young_us < YOUNG_US) {
		bench_sleep_us(YOUNG_US - young_us);
		young_us = YOUNG_US;
	}
	int64_t most_ms = (young_us - YOUNG_US / 2) / 1000; /* a record's end lies up to a minute before its arrival */
	return most_ms < SPAN_MS ? (uint64_t)most_ms : SPAN_MS;
}

/*
 * The last record arrives now, and all of them within SPAN_MS before: they are in hours whose dedupe keys are fresh, none
 * in the future, and few in a quarter of an hour that was told when the fleet was loaded (the watermark of a real backlog
 * would not have passed it). Cards then send more often than the workload says.
 */
static struct workload
ends_now(const struct workload *workload)
{
	struct workload w = *workload;
	uint64_t most_ms = (uint64_t)((unsigned __int128)span_ms() * w.cards / w.records);
	w.interval_ms = w.interval_ms < most_ms ? w.interval_ms : most_ms < 1 ? 1 : most_ms;
	unsigned __int128 step_ps = (unsigned __int128)w.interval_ms * 1000000000u / w.cards;
	w.start_us = (uint64_t)weir_wall_now().us - (uint64_t)(step_ps * w.records / 1000000u);
	w.surge_ppm = w.surge_at_us = w.surge_ms = 0;
	return w;
}

enum weir_class
bench_fill_records(struct bench_site *site, const struct workload *workload, uint64_t seed, const char *topic,
    struct bench_filled *filled_out, struct weir_error *err)
{
	uint32_t partitions = site->opts.partitions;
	struct workload w = ends_now(workload);
	struct messages m = {.workload = &w};
	if (raw_sink_open(site->settings, topic, partitions, &m.sink, err) != WEIR_OK)
		return WEIR_FATAL;
	m.pending = weir_calloc(partitions, sizeof(*m.pending));
	for (uint32_t p = 0; p < partitions; p++)
		m.pending[p].records = weir_calloc(w.batch, sizeof(struct workload_record));
	struct bench_totals *totals = weir_calloc(w.cards, sizeof(*totals));
	enum weir_class class = send_all(&m, seed, partitions, totals, err);
	m.filled.hash = bench_totals_hash(totals, w.cards, &m.filled.counted);
	*filled_out = m.filled;
	free(totals);
	for (uint32_t p = 0; p < partitions; p++)
		free(m.pending[p].records);
	free(m.pending);
	weir_buf_free(&m.out);
	raw_sink_close(m.sink);
	return class;
}
