/*
 * What a partition tells others: messages for Kafka, collected until the owner takes them at the end of a round.
 *
 * Key and value lie one after the other in one buffer, so that a round's thousand partials cost no allocation after
 * warm-up. Telling is at least once: a replay tells again what it decides again, so every message is absolute and says
 * which state of things it is of (epoch and version, or an alert's card or pool, cycle and level).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aggregators/partition_priv.h"
#include "aggregators/rollups/feeds.h"

#define GIVE_A_ROUND 4096u /* messages of a flush, so that no round is long */

static struct weir_outbox_message *
outbox_begin(struct weir_partition *p, enum weir_outbox_topic topic, uint32_t partition, const char *key)
{
	if (p->effects.outbox.n == p->effects.outbox.cap) {
		p->effects.outbox.cap = p->effects.outbox.cap == 0 ? 64 : p->effects.outbox.cap * 2;
		p->effects.outbox.v =
		    weir_realloc(p->effects.outbox.v, p->effects.outbox.cap * sizeof(*p->effects.outbox.v));
	}
	/* The owner empties both at once; the bytes start anew with the first message of a round. */
	if (p->effects.outbox.n == 0)
		p->effects.outbox.bytes.len = 0;
	struct weir_outbox_message *message = &p->effects.outbox.v[p->effects.outbox.n++];
	*message = (struct weir_outbox_message){.topic = (uint8_t)topic,
	    .partition = partition,
	    .at = (uint32_t)p->effects.outbox.bytes.len,
	    .key_len = (uint16_t)strlen(key)};
	weir_buf_append(&p->effects.outbox.bytes, key, message->key_len);
	return message;
}

void
weir_outbox_add(struct weir_partition *p, enum weir_outbox_topic topic, uint32_t partition, const char *key,
    const void *value, uint32_t len)
{
	struct weir_outbox_message *message = outbox_begin(p, topic, partition, key);
	weir_buf_append(&p->effects.outbox.bytes, value, len);
	message->value_len = len;
}

void
weir_partition_alert(struct weir_partition *p, const char *key, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	WEIR_CHECK(len > 0);
	struct weir_outbox_message *message = outbox_begin(p, WEIR_OUTBOX_ALERTS, WEIR_OUTBOX_BY_KEY, key);
	weir_buf_reserve(&p->effects.outbox.bytes, (size_t)len + 1);
	(void)vsnprintf((char *)p->effects.outbox.bytes.data + p->effects.outbox.bytes.len, (size_t)len + 1, fmt, again);
	va_end(again);
	p->effects.outbox.bytes.len += (size_t)len;
	message->value_len = (uint32_t)len;
	p->stats.alerts++;
}

void
weir_json_id(const char *id, char out[WEIR_JSON_ID_MAX])
{
	size_t n = 0;
	for (; *id != '\0' && n < WEIR_JSON_ID_MAX - 2; id++) {
		if (*id == '\\')
			out[n++] = '\\';
		out[n++] = *id;
	}
	out[n] = '\0';
}

void
weir_partition_publish(struct weir_partition *p)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	weir_pool_locals_publish(p, false);
	weir_pools_publish(p);
	weir_feeds_publish_rows(p);
	(void)weir_feeds_give(p, GIVE_A_ROUND);
}

void
weir_partition_caught_up(struct weir_partition *p, bool cards, bool pools)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	if (cards && !p->pools_work.cards_caught_up) {
		p->pools_work.cards_caught_up = true;
		/*
		 * All, not only those that the replay touched: it may have attributed a record to another account than the
		 * run before the crash did, whose partial may be the last word on the one that went without.
		 */
		weir_pool_locals_publish(p, true);
	}
	if (pools && !p->pools_work.pools_caught_up) {
		p->pools_work.pools_caught_up = true;
		weir_pools_caught_up(p);
	}
}

/* ---- taking them ---- */

static void
drain_commands(struct weir_u64_list *pending, const struct weir_effects_handler *to)
{
	uint32_t taken = 0;
	while (taken < pending->n && (to->command == NULL || to->command(to->ctx, (uint32_t)pending->v[taken])))
		taken++;
	pending->n -= taken;
	if (taken > 0 && pending->n > 0)
		memmove(pending->v, pending->v + taken, pending->n * sizeof(*pending->v));
}

static void
drain_fetches(struct weir_effects *effects, const struct weir_effects_handler *to)
{
	uint32_t count = effects->fetch_requests.n;
	uint32_t taken = to->fetch == NULL || count == 0 ? count : to->fetch(to->ctx, effects->fetch_requests.v, count);
	WEIR_CHECK(taken <= count && effects->fetch_requests.n == count);
	effects->fetch_requests.n -= taken;
	if (taken > 0 && taken < count)
		memmove(effects->fetch_requests.v, effects->fetch_requests.v + taken,
		    (count - taken) * sizeof(*effects->fetch_requests.v));
}

void
weir_effects_drain(struct weir_effects *effects, const struct weir_effects_handler *to)
{
	for (uint32_t i = 0; to->dead_letter != NULL && i < effects->dead_letters.n; i++)
		to->dead_letter(to->ctx, &effects->dead_letters.v[i]);
	effects->dead_letters.n = 0;
	drain_commands(&effects->pending_commands, to);
	for (uint32_t i = 0; to->audit != NULL && i < effects->audits.n; i++)
		to->audit(to->ctx, &effects->audits.v[i]);
	effects->audits.n = 0;
	for (uint32_t i = 0; to->publish != NULL && i < effects->outbox.n; i++) {
		const struct weir_outbox_message *message = &effects->outbox.v[i];
		const uint8_t *key = effects->outbox.bytes.data + message->at;
		WEIR_CHECK((size_t)message->at + message->key_len + message->value_len <= effects->outbox.bytes.len);
		to->publish(to->ctx, message, (struct weir_slice){key, message->key_len},
		    (struct weir_slice){key + message->key_len, message->value_len});
	}
	effects->outbox.n = 0;
	effects->outbox.bytes.len = 0;
	drain_fetches(effects, to);
}
