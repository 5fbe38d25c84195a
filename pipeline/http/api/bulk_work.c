/*
 * A request in bulk, step by step: its cards are collected, sent to, and counted as they are taken. Sending is paced
 * (api.bulk_rate_per_s): weir.cards goes before records in each round of a lane, so that a flood of it would hold records
 * up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/http/api/bulk_priv.h"

#define WAIT_US 100000

static bool
state_set(struct weir_api_bulks *bulks, struct weir_bulk *bulk, const char *state, const char *why)
{
	struct weir_error err = {0};
	char total[16];
	(void)snprintf(total, sizeof(total), "%u", bulk->entries.n);
	if (!weir_bulk_set(bulks->worker->redis, bulk->id, &err, "state", state, "why", why, "total", total, NULL))
		return false;
	(void)snprintf(bulk->state, sizeof(bulk->state), "%s", state);
	return true;
}

static bool
try_later(struct weir_api_bulks *bulks, struct weir_bulk *bulk, const char *why, const struct weir_error *err)
{
	WEIR_LOG_LIMITED(WEIR_LOG_WARN, "api_bulk_waits", "id=%s %s", bulk->id, err->text);
	(void)state_set(bulks, bulk, bulk->state, why);
	return false;
}

static enum weir_read
page_read(struct weir_api_bulks *bulks, const struct weir_bulk *bulk, const char *cursor, struct weir_card_page *page,
    struct weir_error *err)
{
	const char *pool = json_string_value(json_object_get(bulk->target, "pool"));
	if (pool != NULL)
		return weir_read_members(bulks->worker->reader, pool, cursor, WEIR_PAGE_MAX, page, err);
	const char *from = json_string_value(json_object_get(bulk->target, "iccid_from"));
	const char *to = json_string_value(json_object_get(bulk->target, "iccid_to"));
	struct weir_card_query query = {0};
	if (from == NULL || to == NULL || !weir_iccid_parse((const uint8_t *)from, strlen(from), &query.from) ||
	    !weir_iccid_parse((const uint8_t *)to, strlen(to), &query.to)) {
		(void)weir_error_set(err, WEIR_POISON, "what is stored of it is no target");
		return WEIR_READ_MISSING;
	}
	return weir_read_search(bulks->worker->reader, &query, cursor, WEIR_PAGE_MAX, page, err);
}

bool
weir_bulk_collect(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	char cursor[WEIR_CURSOR_MAX] = "";
	bulk->entries.n = 0;
	do {
		enum weir_read code = page_read(bulks, bulk, cursor, &page, &err);
		if (code == WEIR_READ_MISSING || code == WEIR_READ_REFUSED)
			return state_set(bulks, bulk, "failed", err.text);
		if (code != WEIR_READ_OK)
			return try_later(bulks, bulk, "the storage does not answer", &err);
		for (uint32_t i = 0; i < page.count; i++)
			weir_bulk_add(&bulk->entries, page.cards[i].iccid);
		if (bulk->entries.n > WEIR_BULK_CARDS_MAX)
			return state_set(bulks, bulk, "failed", "more than 2,000,000 cards");
		memcpy(cursor, page.next, sizeof(cursor));
		if (!weir_bulk_lease_keep(bulks, bulk))
			return false;
	} while (cursor[0] != '\0');
	if (!weir_bulk_store(bulks->worker->redis, bulk->id, &bulk->entries, 0, bulk->entries.n, &err) ||
	    !weir_bulk_keep(bulks->worker->redis, bulk->id, bulks->api->settings, &err))
		return try_later(bulks, bulk, "the storage does not answer", &err);
	return state_set(bulks, bulk, "sending", "");
}

struct chunk {
	struct weir_bulk_entry *entries[WEIR_BULK_CHUNK];
	struct weir_api_message messages[WEIR_BULK_CHUNK];
	char keys[WEIR_BULK_CHUNK][WEIR_ICCID_TEXT_MAX];
	uint32_t count;
};

/* Those of the next cards that are known, as messages. */
static bool
chunk_fill(struct weir_api_bulks *bulks, struct weir_bulk *bulk, uint32_t n, struct chunk *chunk)
{
	struct weir_iccid iccids[WEIR_BULK_CHUNK] = {0};
	bool found[WEIR_BULK_CHUNK] = {false};
	const struct weir_card_view *cards;
	struct weir_error err = {0};
	for (uint32_t i = 0; i < n; i++)
		iccids[i] = bulk->entries.v[bulk->sent + i].iccid;
	if (weir_read_cards(bulks->worker->reader, iccids, n, &cards, found, &err) != WEIR_READ_OK)
		return try_later(bulks, bulk, "the storage does not answer", &err);
	chunk->count = 0;
	(void)json_object_set_new(bulk->message, "id", json_string(bulk->id));
	for (uint32_t i = 0; i < n; i++) {
		struct weir_bulk_entry *entry = &bulk->entries.v[bulk->sent + i];
		entry->state = found[i] ? WEIR_BULK_SENT : WEIR_BULK_NO_CARD;
		if (!found[i])
			continue;
		char *key = chunk->keys[chunk->count];
		(void)weir_iccid_format(entry->iccid, key);
		(void)json_object_set_new(bulk->message, "iccid", json_string(key));
		chunk->entries[chunk->count] = entry;
		chunk->messages[chunk->count++] = (struct weir_api_message){.key = key,
		    .partition = (int32_t)cards[i].partition,
		    .json = weir_slice_of(json_dumps(bulk->message, JSON_COMPACT))};
	}
	return true;
}

static bool
chunk_send(struct weir_api_bulks *bulks, struct weir_bulk *bulk, struct chunk *chunk)
{
	struct weir_error err = {0};
	bool sent = weir_api_produce(bulks->api->producer, chunk->messages, chunk->count, &err);
	for (uint32_t i = 0; i < chunk->count; i++) {
		chunk->entries[i]->offset = chunk->messages[i].offset;
		chunk->entries[i]->partition = (uint32_t)chunk->messages[i].partition;
		free((void *)(uintptr_t)chunk->messages[i].json.data);
	}
	return sent || try_later(bulks, bulk, "Kafka does not answer", &err);
}

static bool
bulk_step(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	uint32_t left = bulk->entries.n - bulk->sent, rate = bulks->api->settings->api_bulk_rate_per_s;
	uint32_t most = rate < WEIR_BULK_CHUNK ? rate : WEIR_BULK_CHUNK, n = left < most ? left : most;
	struct weir_error err = {0};
	struct chunk *chunk = weir_calloc(1, sizeof(*chunk));
	bool right = chunk_fill(bulks, bulk, n, chunk) && chunk_send(bulks, bulk, chunk);
	uint32_t known = chunk->count;
	free(chunk);
	if (!right)
		return false;
	char sent[16], skipped[16];
	(void)snprintf(sent, sizeof(sent), "%u", bulk->sent + n);
	(void)snprintf(skipped, sizeof(skipped), "%u", bulk->skipped + n - known);
	if (!weir_bulk_store(bulks->worker->redis, bulk->id, &bulk->entries, bulk->sent, n, &err) ||
	    !weir_bulk_set(bulks->worker->redis, bulk->id, &err, "sent", sent, "skipped", skipped, "why", "", NULL))
		return try_later(bulks, bulk, "the storage does not answer", &err);
	bulk->sent += n;
	bulk->skipped += n - known;
	return true;
}

static bool
is_stopping(struct weir_api_bulks *bulks)
{
	(void)pthread_mutex_lock(&bulks->lock);
	bool stopping = bulks->stopping;
	(void)pthread_mutex_unlock(&bulks->lock);
	return stopping;
}

/* Until `due`. False: the thread stops, or another process has it. */
static bool
wait_until(struct weir_api_bulks *bulks, struct weir_bulk *bulk, struct weir_steady due)
{
	for (;;) {
		int64_t ahead_us = weir_steady_left_us(due);
		if (is_stopping(bulks) || !weir_bulk_lease_keep(bulks, bulk))
			return false;
		if (ahead_us <= 0)
			return true;
		(void)usleep((useconds_t)(ahead_us < WAIT_US ? ahead_us : WAIT_US));
	}
}

bool
weir_bulk_send(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	struct weir_steady begun = weir_steady_now();
	uint32_t before = bulk->sent, rate = bulks->api->settings->api_bulk_rate_per_s;
	while (bulk->sent < bulk->entries.n) {
		struct weir_steady due = {begun.us + (int64_t)(bulk->sent - before) * 1000000 / rate};
		if (!wait_until(bulks, bulk, due) || !bulk_step(bulks, bulk))
			return false;
	}
	return state_set(bulks, bulk, "waiting", "");
}

bool
weir_bulk_count_taken(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	const struct weir_partition_view *views;
	uint32_t count, taken = 0;
	struct weir_error err = {0};
	char text[16];
	if (weir_read_partitions(bulks->worker->reader, &views, &count, &err) != WEIR_READ_OK)
		return try_later(bulks, bulk, "the storage does not answer", &err);
	int64_t *next = weir_calloc(count + 1u, sizeof(*next));
	for (uint32_t i = 0; i < count; i++)
		next[i] = weir_api_next_offset(views, count, bulks->api->settings->topic_cards, i);
	for (uint32_t i = 0; i < bulk->entries.n; i++) {
		const struct weir_bulk_entry *entry = &bulk->entries.v[i];
		taken +=
		    entry->state == WEIR_BULK_SENT && entry->partition < count && next[entry->partition] > entry->offset;
	}
	free(next);
	taken += bulk->skipped; /* nothing more is to come of those */
	(void)snprintf(text, sizeof(text), "%u", taken);
	if (taken != bulk->taken && !weir_bulk_set(bulks->worker->redis, bulk->id, &err, "taken", text, NULL))
		return false;
	bulk->taken = taken;
	return taken < bulk->entries.n || state_set(bulks, bulk, "done", "");
}
