/*
 * What a partition tells others: messages for Kafka, collected until the owner takes them at the end of a round.
 *
 * Key and value lie one after the other in one buffer, so that a round's thousand partials cost no allocation after
 * warm-up. Telling is at least once: a replay tells again what it decides again, so every message is absolute and says
 * which state of things it is of (epoch and version, or an alert's card or pool, cycle and level).
 */
#include <stdarg.h>
#include <stdio.h>

#include "aggregators/partition_priv.h"
#include "aggregators/rollups/feeds.h"

#define GIVE_A_ROUND 4096u /* messages of a flush, so that no round is long */

static struct weir_tell *
tell_begin(struct weir_partition *p, enum weir_tell_topic topic, uint32_t partition, const char *key)
{
	if (p->tell_count == p->tell_cap) {
		p->tell_cap = p->tell_cap == 0 ? 64 : p->tell_cap * 2;
		p->tells = weir_realloc(p->tells, p->tell_cap * sizeof(*p->tells));
	}
	/* The owner empties both at once; the bytes start anew with the first message of a round. */
	if (p->tell_count == 0)
		p->tell_bytes.len = 0;
	struct weir_tell *tell = &p->tells[p->tell_count++];
	*tell = (struct weir_tell){.topic = (uint8_t)topic,
	    .partition = partition,
	    .at = (uint32_t)p->tell_bytes.len,
	    .key_len = (uint16_t)strlen(key)};
	weir_buf_append(&p->tell_bytes, key, tell->key_len);
	return tell;
}

void
weir_partition_tell_bytes(struct weir_partition *p, enum weir_tell_topic topic, uint32_t partition, const char *key,
    const void *value, uint32_t len)
{
	struct weir_tell *tell = tell_begin(p, topic, partition, key);
	weir_buf_append(&p->tell_bytes, value, len);
	tell->value_len = len;
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
	struct weir_tell *tell = tell_begin(p, WEIR_TELL_ALERTS, WEIR_TELL_BY_KEY, key);
	weir_buf_reserve(&p->tell_bytes, (size_t)len + 1);
	(void)vsnprintf((char *)p->tell_bytes.data + p->tell_bytes.len, (size_t)len + 1, fmt, again);
	va_end(again);
	p->tell_bytes.len += (size_t)len;
	tell->value_len = (uint32_t)len;
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
weir_partition_tell(struct weir_partition *p)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	weir_accounts_tell(p, false);
	weir_pools_tell(p);
	weir_feeds_tell_rows(p);
	(void)weir_feeds_give(p, GIVE_A_ROUND);
}

void
weir_partition_settled(struct weir_partition *p, bool cards, bool pools)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	if (cards && !p->cards_settled) {
		p->cards_settled = true;
		/*
		 * All, not only those that the replay touched: it may have attributed a record to another account than the
		 * run before the crash did, whose partial may be the last word on the one that went without.
		 */
		weir_accounts_tell(p, true);
	}
	if (pools && !p->pools_settled) {
		p->pools_settled = true;
		weir_pools_settle(p);
	}
}
