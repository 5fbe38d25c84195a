/* Writing of intents; see intents.h. */
#include "pipeline/engine/intents.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "pipeline/redis/resp.h"
#include "pipeline/store/store.h"

#define ANSWER_TIMEOUT_MS 300 /* a flush may hold Redis up for some tens of milliseconds */
#define RECONNECT_MS 500

struct weir_intents {
	struct weir_settings settings; /* a copy with a shorter timeout; strings are borrowed */
	struct redisContext *redis;
	struct weir_steady next_try;
	struct weir_buf commands;
	_Atomic uint64_t skipped; /* relaxed: a figure by itself */
};

struct weir_intents *
weir_intents_new(const struct weir_settings *settings)
{
	struct weir_intents *intents = weir_calloc(1, sizeof(*intents));
	intents->settings = *settings;
	intents->settings.redis_timeout_ms = ANSWER_TIMEOUT_MS;
	return intents;
}

void
weir_intents_free(struct weir_intents *intents)
{
	if (intents == NULL)
		return;
	if (intents->redis != NULL)
		redisFree(intents->redis);
	weir_buf_free(&intents->commands);
	free(intents);
}

static bool
connected(struct weir_intents *intents)
{
	if (intents->redis != NULL)
		return true;
	if (!weir_steady_reached(intents->next_try))
		return false;
	struct weir_error err;
	intents->redis = weir_redis_connect(&intents->settings, &err);
	if (intents->redis == NULL) {
		intents->next_try = weir_steady_in_ms(RECONNECT_MS);
		return false;
	}
	struct timeval timeout = {ANSWER_TIMEOUT_MS / 1000, ANSWER_TIMEOUT_MS % 1000 * 1000};
	(void)redisSetTimeout(intents->redis, timeout);
	return true;
}

void
weir_intent_field(struct weir_iccid iccid, uint64_t token, char out[WEIR_INTENT_FIELD_MAX])
{
	size_t len = weir_iccid_format(iccid, out);
	(void)snprintf(out + len, WEIR_INTENT_FIELD_MAX - len, ":%llu", (unsigned long long)token);
}

static bool
write_all(struct weir_intents *intents, const struct weir_pending_command *pending_commands, uint32_t count)
{
	struct weir_buf *buf = &intents->commands;
	char field[WEIR_INTENT_FIELD_MAX];
	buf->len = 0;
	for (uint32_t i = 0; i < count; i++) {
		weir_resp_command(buf, 4);
		weir_resp_text(buf, "HSET");
		weir_resp_key(buf, intents->settings.redis_prefix, pending_commands[i].partition, "i");
		weir_intent_field(pending_commands[i].iccid, pending_commands[i].token, field);
		weir_resp_text(buf, field);
		weir_resp_i64(buf, pending_commands[i].desired);
	}
	if (redisAppendFormattedCommand(intents->redis, (const char *)buf->data, buf->len) != REDIS_OK)
		return false;
	bool written = true;
	for (uint32_t i = 0; i < count; i++) {
		redisReply *reply = NULL;
		if (redisGetReply(intents->redis, (void **)&reply) != REDIS_OK)
			return false;
		written &= reply->type == REDIS_REPLY_INTEGER;
		freeReplyObject(reply);
	}
	return written;
}

void
weir_intents_write(void *ctx, const struct weir_pending_command *pending_commands, uint32_t count)
{
	struct weir_intents *intents = ctx;
	if (connected(intents) && write_all(intents, pending_commands, count))
		return;
	atomic_fetch_add_explicit(&intents->skipped, count, memory_order_relaxed);
	if (intents->redis != NULL && intents->redis->err != 0) {
		redisFree(intents->redis);
		intents->redis = NULL;
		intents->next_try = weir_steady_in_ms(RECONNECT_MS);
	}
	WEIR_LOG_LIMITED(
	    WEIR_LOG_WARN, "intents_skipped", "count=%u: Redis does not answer; commands go out without", count);
}

uint64_t
weir_intents_skipped(const struct weir_intents *intents)
{
	return atomic_load_explicit(&intents->skipped, memory_order_relaxed);
}
