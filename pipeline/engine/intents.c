/* Writing of intents; see intents.h. */
#include "pipeline/engine/intents.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/base/log.h"
#include "pipeline/redis/client.h"

#define ANSWER_TIMEOUT_MS 300 /* a flush may hold Redis up for some tens of milliseconds */
#define REST_MS 500           /* of a node that did not answer */

struct weir_intents {
	const char *prefix;
	struct weir_redis *redis;
	_Atomic uint64_t skipped; /* relaxed: a figure by itself */
};

struct weir_intents *
weir_intents_new(const struct weir_settings *settings)
{
	struct weir_intents *intents = weir_calloc(1, sizeof(*intents));
	intents->prefix = settings->redis_prefix;
	intents->redis = weir_redis_new(
	    &(struct weir_redis_opts){.settings = settings, .timeout_ms = ANSWER_TIMEOUT_MS, .rest_ms = REST_MS});
	return intents;
}

void
weir_intents_free(struct weir_intents *intents)
{
	if (intents == NULL)
		return;
	weir_redis_free(intents->redis);
	free(intents);
}

void
weir_intent_field(struct weir_iccid iccid, uint64_t token, char out[WEIR_INTENT_FIELD_MAX])
{
	size_t len = weir_iccid_format(iccid, out);
	(void)snprintf(out + len, WEIR_INTENT_FIELD_MAX - len, ":%llu", (unsigned long long)token);
}

/* HSET <prefix>:{<partition>}:i <iccid>:<token> <desired>: absolute, so that it may be sent twice. */
static void
add_intent(struct weir_intents *intents, const struct weir_pending_command *pending_command)
{
	char field[WEIR_INTENT_FIELD_MAX];
	struct weir_buf *out;
	(void)weir_redis_add(intents->redis, weir_slot_of_partition(intents->prefix, pending_command->partition), 4, &out);
	weir_resp_text(out, "HSET");
	weir_resp_key(out, intents->prefix, pending_command->partition, "i");
	weir_intent_field(pending_command->iccid, pending_command->token, field);
	weir_resp_text(out, field);
	weir_resp_i64(out, pending_command->desired);
}

static uint32_t
count_written(const struct weir_intents *intents)
{
	uint32_t written = 0, count = weir_redis_count(intents->redis);
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_reply *reply = weir_redis_reply(intents->redis, i);
		written += reply != NULL && reply->type == WEIR_REPLY_INTEGER;
	}
	return written;
}

void
weir_intents_write(void *ctx, const struct weir_pending_command *pending_commands, uint32_t count)
{
	struct weir_intents *intents = ctx;
	struct weir_error err = {0};
	WEIR_CHECK(intents != NULL && count > 0);
	weir_redis_clear(intents->redis);
	for (uint32_t i = 0; i < count; i++)
		add_intent(intents, &pending_commands[i]);
	if (weir_redis_send(intents->redis, &err) == WEIR_OK)
		(void)weir_redis_errors(intents->redis, &err);
	uint32_t written = count_written(intents);
	WEIR_CHECK(written <= count);
	if (written == count)
		return;
	atomic_fetch_add_explicit(&intents->skipped, count - written, memory_order_relaxed);
	WEIR_LOG_LIMITED(
	    WEIR_LOG_WARN, "intents_skipped", "count=%u: %.300s; commands go out without", count - written, err.text);
}

uint64_t
weir_intents_skipped(const struct weir_intents *intents)
{
	return atomic_load_explicit(&intents->skipped, memory_order_relaxed);
}
