/*
 * The client: collects a batch, does rounds until every command has its reply, and decides which failures are worth one
 * more. See client.h.
 */
#include "pipeline/redis/client.h"

#include <poll.h>
#include <stdlib.h>

#include "pipeline/redis/batch.h"

#define REDIS_MAGIC 0x72656469u
#define ROUNDS_MAX 6   /* MOVED, ASK or TRYAGAIN in a row: slots that move while we ask */
#define TRYAGAIN_MS 10 /* the first pause; each further one is twice as long */

struct weir_redis *
weir_redis_new(const struct weir_redis_opts *opts)
{
	struct weir_redis *redis = weir_calloc(1, sizeof(*redis));
	redis->magic = REDIS_MAGIC;
	redis->opts = *opts;
	redis->cluster = weir_cluster_new(opts->settings, opts->timeout_ms, NULL, &redis->url_error);
	return redis;
}

void
weir_redis_free(struct weir_redis *redis)
{
	if (redis == NULL)
		return;
	weir_redis_clear(redis);
	weir_cluster_free(redis->cluster);
	weir_buf_free(&redis->batch.bytes);
	free(redis->batch.commands);
	redis->magic = 0;
	free(redis);
}

void
weir_redis_close(struct weir_redis *redis)
{
	WEIR_CHECK_MAGIC(redis, REDIS_MAGIC);
	if (redis->cluster != NULL)
		weir_cluster_close_all(redis->cluster);
}

/* ---- the batch ---- */

void
weir_redis_clear(struct weir_redis *redis)
{
	WEIR_CHECK_MAGIC(redis, REDIS_MAGIC);
	for (uint32_t i = 0; i < redis->batch.count; i++)
		weir_reply_free(redis->batch.commands[i].reply);
	redis->batch.count = 0;
	redis->batch.bytes.len = 0;
}

static void
close_command(struct batch *batch)
{
	if (batch->count > 0)
		batch->commands[batch->count - 1].len = batch->bytes.len - batch->commands[batch->count - 1].at;
}

uint32_t
weir_redis_add(struct weir_redis *redis, uint16_t slot, uint32_t argc, struct weir_buf **out)
{
	struct batch *batch = &redis->batch;
	WEIR_CHECK_MAGIC(redis, REDIS_MAGIC);
	WEIR_CHECK(argc > 0 && (slot < WEIR_SLOTS || slot == WEIR_SLOT_ANY));
	close_command(batch);
	if (batch->count == batch->cap) {
		batch->cap = batch->cap == 0 ? 64 : batch->cap * 2;
		batch->commands = weir_realloc(batch->commands, batch->cap * sizeof(*batch->commands));
	}
	batch->commands[batch->count] =
	    (struct batch_command){.slot = slot, .asked_node = NODE_BY_SLOT, .at = batch->bytes.len};
	weir_resp_command(&batch->bytes, argc);
	*out = &batch->bytes;
	return batch->count++;
}

uint32_t
weir_redis_add_words(struct weir_redis *redis, uint16_t slot, uint32_t argc, const char *const *words)
{
	struct weir_buf *out;
	uint32_t number = weir_redis_add(redis, slot, argc, &out);
	for (uint32_t i = 0; i < argc; i++)
		weir_resp_text(out, words[i]);
	return number;
}

uint32_t
weir_redis_count(const struct weir_redis *redis)
{
	return redis->batch.count;
}

const struct weir_reply *
weir_redis_reply(const struct weir_redis *redis, uint32_t number)
{
	WEIR_CHECK(number < redis->batch.count);
	return redis->batch.commands[number].reply;
}

struct weir_reply *
weir_redis_take_reply(struct weir_redis *redis, uint32_t number)
{
	struct weir_reply *reply;
	WEIR_CHECK(number < redis->batch.count);
	WEIR_TAKE(reply, redis->batch.commands[number].reply);
	return reply;
}

enum weir_class
weir_redis_errors(const struct weir_redis *redis, struct weir_error *err)
{
	for (uint32_t i = 0; i < redis->batch.count; i++) {
		const struct weir_reply *reply = redis->batch.commands[i].reply;
		if (reply == NULL || reply->type != WEIR_REPLY_ERROR)
			continue;
		bool final = weir_refusal_of(reply) == WEIR_REFUSAL_FINAL;
		return weir_error_set(err, final ? WEIR_FATAL : WEIR_RETRY, "Redis: %.300s", reply->str);
	}
	return WEIR_OK;
}

/* ---- sending ---- */

static bool
any_waits(const struct batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++)
		if (batch_command_waits(&batch->commands[i]))
			return true;
	return false;
}

/* Makes the map of slots anew when it is due; not while a command is on its way to a node that a new map may not name. */
static void
refresh(struct weir_redis *redis)
{
	const struct batch *batch = &redis->batch;
	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->commands[i].asked_node != NODE_BY_SLOT)
			return;
	(void)weir_cluster_refresh(redis->cluster); /* without an interrupt it is never cancelled */
}

static enum weir_class
send_all(struct weir_redis *redis, bool together, struct weir_error *err)
{
	struct round round = {.together = together, .idle_allowed = true, .err = err};
	struct batch *batch = &redis->batch;
	WEIR_CHECK_MAGIC(redis, REDIS_MAGIC);
	if (redis->cluster == NULL)
		return weir_error_set(err, redis->url_error.class, "%s", redis->url_error.text);
	close_command(batch);
	for (uint32_t i = 0; i < batch->count; i++)
		batch->commands[i].given_up = false;
	for (uint32_t rounds = 0; any_waits(batch); rounds++) {
		if (rounds == ROUNDS_MAX)
			return weir_error_set(err, WEIR_RETRY, "Redis Cluster names another node again and again");
		if (round.waits)
			(void)poll(NULL, 0, TRYAGAIN_MS << rounds);
		round.waits = false;
		refresh(redis);
		weir_redis_round(redis, &round);
		round.idle_allowed &= !round.idle_lost;
	}
	return round.class;
}

enum weir_class
weir_redis_send(struct weir_redis *redis, struct weir_error *err)
{
	return send_all(redis, false, err);
}

enum weir_class
weir_redis_send_together(struct weir_redis *redis, struct weir_error *err)
{
	return send_all(redis, true, err);
}

struct weir_reply *
weir_redis_ask(struct weir_redis *redis, uint16_t slot, struct weir_error *err, uint32_t argc, const char *const *words)
{
	weir_redis_clear(redis);
	(void)weir_redis_add_words(redis, slot, argc, words);
	if (weir_redis_send(redis, err) != WEIR_OK || weir_redis_errors(redis, err) != WEIR_OK)
		return NULL;
	return weir_redis_take_reply(redis, 0);
}
