/*
 * The thread that carries bulk requests out: finds the cards, sends to each, and counts those that were taken.
 *
 * One thread a process; any process may carry on what another left (bulk_priv.h). Sending is paced (api.bulk_rate_per_s):
 * weir.cards goes before records in each round of a lane, so that a flood of it would hold records up. Kafka or Redis away:
 * it says so in `why` and tries again until it is stopped.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/api/bulk_priv.h"

#define CHUNK 500u
#define PAUSE_MS 500
#define LEASE_MS "15000"
#define RENEW_US 4000000

struct bulk { /* in hand */
	struct bulk *next;
	char id[WEIR_API_ID_TEXT];
	struct weir_bulk_entries entries;
	json_t *message, *target;
	char state[16];
	uint32_t sent, skipped, taken;
	int64_t renewed_us;
};

struct weir_api_bulks {
	struct weir_api *api;
	struct weir_api_hand *hand;
	char owner[WEIR_API_ID_TEXT];
	struct bulk *list; /* thread only */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t bell;
	bool rung, stopping; /* under lock */
};

static bool
done(struct redisReply *reply)
{
	if (reply != NULL)
		freeReplyObject(reply);
	return reply != NULL;
}

/* Waits, less when rung. True: go on; false: stop. */
static bool
bulks_pause(struct weir_api_bulks *bulks, int64_t ms)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
	until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	(void)pthread_mutex_lock(&bulks->lock);
	while (!bulks->rung && !bulks->stopping)
		if (pthread_cond_timedwait(&bulks->bell, &bulks->lock, &until) != 0)
			break;
	bulks->rung = false;
	bool stopping = bulks->stopping;
	(void)pthread_mutex_unlock(&bulks->lock);
	return !stopping;
}

static void
bulk_free(struct bulk *bulk)
{
	free(bulk->entries.v);
	json_decref(bulk->message);
	json_decref(bulk->target);
	free(bulk);
}

/* ---- the lease ---- */

static bool
lease_take(struct weir_api_bulks *bulks, const char *id)
{
	char name[64];
	struct weir_error err = {0};
	(void)snprintf(name, sizeof(name), "w:%s", id);
	struct redisReply *reply =
	    weir_api_redis_texts(bulks->hand->redis, name, &err, "SET", bulks->owner, "NX", "PX", LEASE_MS, NULL);
	bool ours = reply != NULL && reply->type == REDIS_REPLY_STATUS;
	(void)done(reply);
	return ours;
}

/* False: another process has it now. Redis away counts as kept: two at work do no harm. */
static bool
lease_keep(struct weir_api_bulks *bulks, struct bulk *bulk)
{
	char name[64];
	struct weir_error err = {0};
	if (weir_api_steady_us() - bulk->renewed_us < RENEW_US)
		return true;
	(void)snprintf(name, sizeof(name), "w:%s", bulk->id);
	struct redisReply *reply = weir_api_redis_texts(bulks->hand->redis, name, &err, "GET", NULL);
	bool lost = reply != NULL && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, bulks->owner) != 0;
	(void)done(reply);
	if (lost)
		return false;
	(void)done(weir_api_redis_texts(bulks->hand->redis, name, &err, "SET", bulks->owner, "PX", LEASE_MS, NULL));
	bulk->renewed_us = weir_api_steady_us();
	return true;
}

static void
lease_drop(struct weir_api_bulks *bulks, const struct bulk *bulk)
{
	char name[64];
	struct weir_error err = {0};
	(void)snprintf(name, sizeof(name), "w:%s", bulk->id);
	(void)done(weir_api_redis_texts(bulks->hand->redis, name, &err, "DEL", NULL));
}

/* ---- taking one up ---- */

static void
field_take(struct bulk *bulk, const char *name, const char *text)
{
	if (strcmp(name, "state") == 0)
		(void)snprintf(bulk->state, sizeof(bulk->state), "%s", text);
	else if (strcmp(name, "message") == 0)
		bulk->message = json_loads(text, 0, NULL);
	else if (strcmp(name, "target") == 0)
		bulk->target = json_loads(text, 0, NULL);
	else if (strcmp(name, "sent") == 0)
		bulk->sent = (uint32_t)strtoul(text, NULL, 10);
	else if (strcmp(name, "skipped") == 0)
		bulk->skipped = (uint32_t)strtoul(text, NULL, 10);
}

static bool
entries_load(struct weir_api_bulks *bulks, struct bulk *bulk)
{
	char name[64];
	struct weir_error err = {0};
	(void)snprintf(name, sizeof(name), "l:%s", bulk->id);
	struct redisReply *reply = weir_api_redis_texts(bulks->hand->redis, name, &err, "GET", NULL);
	size_t size = sizeof(struct weir_bulk_entry);
	bool right = reply != NULL && reply->type == REDIS_REPLY_STRING && (size_t)reply->len % size == 0;
	if (right) {
		bulk->entries.n = bulk->entries.cap = (uint32_t)((size_t)reply->len / size);
		bulk->entries.v = weir_calloc(bulk->entries.n + 1u, size);
		memcpy(bulk->entries.v, reply->str, (size_t)reply->len);
	}
	(void)done(reply);
	return right && bulk->sent <= bulk->entries.n;
}

/* NULL: it cannot be had now, or is no longer remembered. */
static struct bulk *
bulk_load(struct weir_api_bulks *bulks, const char *id)
{
	char name[64];
	struct weir_error err = {0};
	struct bulk *bulk = weir_calloc(1, sizeof(*bulk));
	memcpy(bulk->id, id, sizeof(bulk->id));
	bulk->renewed_us = weir_api_steady_us();
	(void)snprintf(name, sizeof(name), "b:%s", id);
	struct redisReply *reply = weir_api_redis_texts(bulks->hand->redis, name, &err, "HGETALL", NULL);
	bool asked = reply != NULL && reply->type == REDIS_REPLY_ARRAY;
	for (size_t i = 0; asked && i + 1 < reply->elements; i += 2)
		field_take(bulk, reply->element[i]->str, reply->element[i + 1]->str);
	(void)done(reply);
	bool collects = strcmp(bulk->state, "collecting") == 0;
	bool right = asked && json_is_object(bulk->message) && json_is_object(bulk->target) &&
		     (collects || entries_load(bulks, bulk));
	if (right)
		return bulk;
	if (asked) /* expired: no work any more */
		(void)done(weir_api_redis_texts(bulks->hand->redis, "bulks", &err, "SREM", id, NULL));
	bulk_free(bulk);
	return NULL;
}

static bool
in_hand(const struct weir_api_bulks *bulks, const char *id)
{
	for (const struct bulk *bulk = bulks->list; bulk != NULL; bulk = bulk->next)
		if (strcmp(bulk->id, id) == 0)
			return true;
	return false;
}

static void
bulks_look(struct weir_api_bulks *bulks)
{
	struct weir_error err = {0};
	struct redisReply *reply = weir_api_redis_texts(bulks->hand->redis, "bulks", &err, "SMEMBERS", NULL);
	for (size_t i = 0; reply != NULL && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
		const char *id = reply->element[i]->str;
		struct bulk *bulk = NULL;
		if (weir_api_id_is_valid(id) && !in_hand(bulks, id) && lease_take(bulks, id))
			bulk = bulk_load(bulks, id);
		if (bulk != NULL) {
			bulk->next = bulks->list;
			bulks->list = bulk;
		}
	}
	(void)done(reply);
}

/* ---- steps; each false when it shall be tried again later ---- */

static bool
state_set(struct weir_api_bulks *bulks, struct bulk *bulk, const char *state, const char *why)
{
	struct weir_error err = {0};
	char total[16];
	(void)snprintf(total, sizeof(total), "%u", bulk->entries.n);
	if (!weir_bulk_set(bulks->hand->redis, bulk->id, &err, "state", state, "why", why, "total", total, NULL))
		return false;
	(void)snprintf(bulk->state, sizeof(bulk->state), "%s", state);
	return true;
}

static bool
later(struct weir_api_bulks *bulks, struct bulk *bulk, const char *why, const struct weir_error *err)
{
	WEIR_LOG_LIMITED(WEIR_LOG_WARN, "api_bulk_waits", "id=%s %s", bulk->id, err->text);
	(void)state_set(bulks, bulk, bulk->state, why);
	return false;
}

static enum weir_read
page_read(struct weir_api_bulks *bulks, const struct bulk *bulk, const char *cursor, struct weir_card_page *page,
    struct weir_error *err)
{
	const char *pool = json_string_value(json_object_get(bulk->target, "pool"));
	if (pool != NULL)
		return weir_read_members(bulks->hand->reader, pool, cursor, WEIR_PAGE_MAX, page, err);
	const char *from = json_string_value(json_object_get(bulk->target, "iccid_from"));
	const char *to = json_string_value(json_object_get(bulk->target, "iccid_to"));
	struct weir_card_query query = {0};
	if (from == NULL || to == NULL || !weir_iccid_parse((const uint8_t *)from, strlen(from), &query.from) ||
	    !weir_iccid_parse((const uint8_t *)to, strlen(to), &query.to)) {
		(void)weir_error_set(err, WEIR_POISON, "what is stored of it is no target");
		return WEIR_READ_MISSING;
	}
	return weir_read_search(bulks->hand->reader, &query, cursor, WEIR_PAGE_MAX, page, err);
}

static bool
bulk_collect(struct weir_api_bulks *bulks, struct bulk *bulk)
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
			return later(bulks, bulk, "the storage does not answer", &err);
		for (uint32_t i = 0; i < page.count; i++)
			weir_bulk_add(&bulk->entries, page.cards[i].iccid);
		if (bulk->entries.n > WEIR_BULK_CARDS_MAX)
			return state_set(bulks, bulk, "failed", "more than 2,000,000 cards");
		memcpy(cursor, page.next, sizeof(cursor));
		if (!lease_keep(bulks, bulk))
			return false;
	} while (cursor[0] != '\0');
	if (!weir_bulk_store(bulks->hand->redis, bulk->id, &bulk->entries, 0, bulk->entries.n, &err) ||
	    !weir_bulk_keep(bulks->hand->redis, bulk->id, bulks->api->settings, &err))
		return later(bulks, bulk, "the storage does not answer", &err);
	return state_set(bulks, bulk, "sending", "");
}

struct chunk {
	struct weir_bulk_entry *entries[CHUNK];
	struct weir_api_message messages[CHUNK];
	char keys[CHUNK][WEIR_ICCID_TEXT_MAX];
	uint32_t count;
};

/* Those of the next cards that are known, as messages. */
static bool
chunk_fill(struct weir_api_bulks *bulks, struct bulk *bulk, uint32_t n, struct chunk *chunk)
{
	struct weir_iccid iccids[CHUNK] = {0};
	bool found[CHUNK] = {false};
	const struct weir_card_view *cards;
	struct weir_error err = {0};
	for (uint32_t i = 0; i < n; i++)
		iccids[i] = bulk->entries.v[bulk->sent + i].iccid;
	if (weir_read_cards(bulks->hand->reader, iccids, n, &cards, found, &err) != WEIR_READ_OK)
		return later(bulks, bulk, "the storage does not answer", &err);
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
chunk_send(struct weir_api_bulks *bulks, struct bulk *bulk, struct chunk *chunk)
{
	struct weir_error err = {0};
	bool sent = weir_api_produce(bulks->api->producer, chunk->messages, chunk->count, &err);
	for (uint32_t i = 0; i < chunk->count; i++) {
		chunk->entries[i]->offset = chunk->messages[i].offset;
		chunk->entries[i]->partition = (uint32_t)chunk->messages[i].partition;
		free((void *)(uintptr_t)chunk->messages[i].json.data);
	}
	return sent || later(bulks, bulk, "Kafka does not answer", &err);
}

static bool
bulk_step(struct weir_api_bulks *bulks, struct bulk *bulk)
{
	uint32_t left = bulk->entries.n - bulk->sent, n = left < CHUNK ? left : CHUNK;
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
	if (!weir_bulk_store(bulks->hand->redis, bulk->id, &bulk->entries, bulk->sent, n, &err) ||
	    !weir_bulk_set(bulks->hand->redis, bulk->id, &err, "sent", sent, "skipped", skipped, "why", "", NULL))
		return later(bulks, bulk, "the storage does not answer", &err);
	bulk->sent += n;
	bulk->skipped += n - known;
	return true;
}

static bool
bulk_send(struct weir_api_bulks *bulks, struct bulk *bulk)
{
	int64_t begun_us = weir_api_steady_us();
	uint32_t before = bulk->sent;
	while (bulk->sent < bulk->entries.n) {
		if (!lease_keep(bulks, bulk) || !bulk_step(bulks, bulk))
			return false;
		int64_t due_us =
		    begun_us + (int64_t)(bulk->sent - before) * 1000000 / bulks->api->settings->api_bulk_rate_per_s;
		int64_t ahead_us = due_us - weir_api_steady_us();
		(void)pthread_mutex_lock(&bulks->lock);
		bool stopping = bulks->stopping;
		(void)pthread_mutex_unlock(&bulks->lock);
		if (stopping)
			return false;
		if (ahead_us > 0)
			(void)usleep((useconds_t)(ahead_us < 200000 ? ahead_us : 200000));
	}
	return state_set(bulks, bulk, "waiting", "");
}

static bool
bulk_count_taken(struct weir_api_bulks *bulks, struct bulk *bulk)
{
	const struct weir_partition_view *views;
	uint32_t count, taken = 0;
	struct weir_error err = {0};
	char text[16];
	if (weir_read_partitions(bulks->hand->reader, &views, &count, &err) != WEIR_READ_OK)
		return later(bulks, bulk, "the storage does not answer", &err);
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
	if (taken != bulk->taken && !weir_bulk_set(bulks->hand->redis, bulk->id, &err, "taken", text, NULL))
		return false;
	bulk->taken = taken;
	return taken < bulk->entries.n || state_set(bulks, bulk, "done", "");
}

static bool
is_over(const struct bulk *bulk)
{
	return strcmp(bulk->state, "done") == 0 || strcmp(bulk->state, "failed") == 0;
}

/* As far as it goes now. True: nothing is left to do. */
static bool
bulk_go_on(struct weir_api_bulks *bulks, struct bulk *bulk)
{
	struct weir_error err = {0};
	if (strcmp(bulk->state, "collecting") == 0 && !bulk_collect(bulks, bulk))
		return false;
	if (strcmp(bulk->state, "sending") == 0 && !bulk_send(bulks, bulk))
		return false;
	if (strcmp(bulk->state, "waiting") == 0 && !bulk_count_taken(bulks, bulk))
		return false;
	if (!is_over(bulk))
		return false;
	weir_log(WEIR_LOG_INFO, "api_bulk_over", "id=%s state=%s cards=%u skipped=%u", bulk->id, bulk->state,
	    bulk->entries.n, bulk->skipped);
	if (!done(weir_api_redis_texts(bulks->hand->redis, "bulks", &err, "SREM", bulk->id, NULL)))
		return false;
	lease_drop(bulks, bulk);
	return true;
}

static void *
bulks_thread(void *arg)
{
	struct weir_api_bulks *bulks = arg;
	do {
		bulks_look(bulks);
		for (struct bulk **at = &bulks->list; *at != NULL;) {
			struct bulk *bulk = *at;
			if (lease_keep(bulks, bulk) && !bulk_go_on(bulks, bulk)) {
				at = &bulk->next;
				continue;
			}
			*at = bulk->next;
			bulk_free(bulk);
		}
	} while (bulks_pause(bulks, PAUSE_MS));
	return NULL;
}

struct weir_api_bulks *
weir_api_bulks_start(struct weir_api *api)
{
	struct weir_api_bulks *bulks = weir_calloc(1, sizeof(*bulks));
	bulks->api = api;
	bulks->hand = weir_api_hand_new(api);
	weir_api_id_new(bulks->owner);
	(void)pthread_mutex_init(&bulks->lock, NULL);
	(void)pthread_cond_init(&bulks->bell, NULL);
	WEIR_CHECK(pthread_create(&bulks->thread, NULL, bulks_thread, bulks) == 0);
	return bulks;
}

void
weir_api_bulks_wake(struct weir_api_bulks *bulks)
{
	(void)pthread_mutex_lock(&bulks->lock);
	bulks->rung = true;
	(void)pthread_cond_signal(&bulks->bell);
	(void)pthread_mutex_unlock(&bulks->lock);
}

void
weir_api_bulks_stop(struct weir_api_bulks *bulks)
{
	if (bulks == NULL)
		return;
	(void)pthread_mutex_lock(&bulks->lock);
	bulks->stopping = true;
	(void)pthread_cond_signal(&bulks->bell);
	(void)pthread_mutex_unlock(&bulks->lock);
	(void)pthread_join(bulks->thread, NULL);
	while (bulks->list != NULL) {
		struct bulk *bulk = bulks->list;
		bulks->list = bulk->next;
		lease_drop(bulks, bulk); /* another process goes on */
		bulk_free(bulk);
	}
	weir_api_hand_free(bulks->hand);
	(void)pthread_cond_destroy(&bulks->bell);
	(void)pthread_mutex_destroy(&bulks->lock);
	free(bulks);
}
