/*
 * The thread that carries bulk requests out: finds the cards, sends to each, and counts those that were taken.
 *
 * One thread a process; any process may carry on what another left (bulk_priv.h). Sending is paced (api.bulk_rate_per_s):
 * weir.cards goes before records in each round of a lane, so that a flood of it would hold records up. Kafka or Redis away:
 * it says so in `why` and tries again until it is stopped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/http/api/bulk_priv.h"

#define PAUSE_MS 500

/* Waits, less when rung. True: go on; false: stop. */
static bool
bulks_pause(struct weir_api_bulks *bulks, int64_t ms)
{
	struct timespec until = weir_steady_timespec(weir_steady_in_ms(ms));
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
bulk_free(struct weir_bulk *bulk)
{
	free(bulk->entries.v);
	json_decref(bulk->message);
	json_decref(bulk->target);
	free(bulk);
}

/* ---- taking one up ---- */

static void
field_take(struct weir_bulk *bulk, const char *name, const char *text)
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
entries_load(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	char name[64];
	struct weir_error err = {0};
	(void)snprintf(name, sizeof(name), "l:%s", bulk->id);
	struct weir_reply *reply = weir_api_redis_texts(bulks->worker->redis, name, &err, "GET", NULL);
	size_t size = sizeof(struct weir_bulk_entry);
	bool right = reply != NULL && reply->type == WEIR_REPLY_STRING && (size_t)reply->len % size == 0;
	if (right) {
		bulk->entries.n = bulk->entries.cap = (uint32_t)((size_t)reply->len / size);
		bulk->entries.v = weir_calloc(bulk->entries.n + 1u, size);
		memcpy(bulk->entries.v, reply->str, (size_t)reply->len);
	}
	(void)weir_bulk_done(reply);
	return right && bulk->sent <= bulk->entries.n;
}

/* NULL: it cannot be had now, or is no longer remembered. */
static struct weir_bulk *
bulk_load(struct weir_api_bulks *bulks, const char *id)
{
	char name[64];
	struct weir_error err = {0};
	struct weir_bulk *bulk = weir_calloc(1, sizeof(*bulk));
	memcpy(bulk->id, id, sizeof(bulk->id));
	bulk->renewed = weir_steady_now();
	(void)snprintf(name, sizeof(name), "b:%s", id);
	struct weir_reply *reply = weir_api_redis_texts(bulks->worker->redis, name, &err, "HGETALL", NULL);
	bool asked = reply != NULL && reply->type == WEIR_REPLY_ARRAY;
	for (size_t i = 0; asked && i + 1 < reply->elements; i += 2)
		field_take(bulk, reply->element[i]->str, reply->element[i + 1]->str);
	(void)weir_bulk_done(reply);
	bool collects = strcmp(bulk->state, "collecting") == 0;
	bool right = asked && json_is_object(bulk->message) && json_is_object(bulk->target) &&
		     (collects || entries_load(bulks, bulk));
	if (right)
		return bulk;
	if (asked) /* expired: no work any more */
		(void)weir_bulk_done(weir_api_redis_texts(bulks->worker->redis, "bulks", &err, "SREM", id, NULL));
	bulk_free(bulk);
	return NULL;
}

static bool
in_hand(const struct weir_api_bulks *bulks, const char *id)
{
	for (const struct weir_bulk *bulk = bulks->list; bulk != NULL; bulk = bulk->next)
		if (strcmp(bulk->id, id) == 0)
			return true;
	return false;
}

static void
bulks_poll(struct weir_api_bulks *bulks)
{
	struct weir_error err = {0};
	struct weir_reply *reply = weir_api_redis_texts(bulks->worker->redis, "bulks", &err, "SMEMBERS", NULL);
	for (size_t i = 0; reply != NULL && reply->type == WEIR_REPLY_ARRAY && i < reply->elements; i++) {
		const char *id = reply->element[i]->str;
		struct weir_bulk *bulk = NULL;
		if (weir_api_id_is_valid(id) && !in_hand(bulks, id) && weir_bulk_lease_take(bulks, id))
			bulk = bulk_load(bulks, id);
		if (bulk != NULL) {
			bulk->next = bulks->list;
			bulks->list = bulk;
		}
	}
	(void)weir_bulk_done(reply);
}

static bool
is_over(const struct weir_bulk *bulk)
{
	return strcmp(bulk->state, "done") == 0 || strcmp(bulk->state, "failed") == 0;
}

/* As far as it goes now. True: nothing is left to do. */
static bool
bulk_go_on(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	struct weir_error err = {0};
	if (strcmp(bulk->state, "collecting") == 0 && !weir_bulk_collect(bulks, bulk))
		return false;
	if (strcmp(bulk->state, "sending") == 0 && !weir_bulk_send(bulks, bulk))
		return false;
	if (strcmp(bulk->state, "waiting") == 0 && !weir_bulk_count_taken(bulks, bulk))
		return false;
	if (!is_over(bulk))
		return false;
	weir_log(WEIR_LOG_INFO, "api_bulk_over", "id=%s state=%s cards=%u skipped=%u", bulk->id, bulk->state,
	    bulk->entries.n, bulk->skipped);
	if (!weir_bulk_done(weir_api_redis_texts(bulks->worker->redis, "bulks", &err, "SREM", bulk->id, NULL)))
		return false;
	weir_bulk_lease_drop(bulks, bulk);
	return true;
}

static void *
bulks_thread(void *arg)
{
	struct weir_api_bulks *bulks = arg;
	do {
		bulks_poll(bulks);
		for (struct weir_bulk **at = &bulks->list; *at != NULL;) {
			struct weir_bulk *bulk = *at;
			if (weir_bulk_lease_keep(bulks, bulk) && !bulk_go_on(bulks, bulk)) {
				at = &bulk->next;
				continue;
			}
			*at = bulk->next;
			bulk_free(bulk);
		}
	} while (bulks_pause(bulks, PAUSE_MS));
	return NULL;
}

/* A condition that waits by the steady clock: setting the wall clock does not stop the thread. */
static void
steady_bell_init(pthread_cond_t *bell)
{
	pthread_condattr_t steady;
	(void)pthread_condattr_init(&steady);
	(void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	(void)pthread_cond_init(bell, &steady);
	(void)pthread_condattr_destroy(&steady);
}

struct weir_api_bulks *
weir_api_bulks_start(struct weir_api *api)
{
	struct weir_api_bulks *bulks = weir_calloc(1, sizeof(*bulks));
	bulks->api = api;
	bulks->worker = weir_api_worker_new(api);
	weir_api_id_new(bulks->owner);
	(void)pthread_mutex_init(&bulks->lock, NULL);
	steady_bell_init(&bulks->bell);
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
		struct weir_bulk *bulk = bulks->list;
		bulks->list = bulk->next;
		weir_bulk_lease_drop(bulks, bulk); /* another process goes on */
		bulk_free(bulk);
	}
	weir_api_worker_free(bulks->worker);
	(void)pthread_cond_destroy(&bulks->bell);
	(void)pthread_mutex_destroy(&bulks->lock);
	free(bulks);
}
