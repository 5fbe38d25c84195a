/* Hours, warm buckets and their life; see dedupe_keys.h. */
#include "aggregators/tables/dedupe_keys.h"

#include <stdlib.h>
#include <string.h>

void
weir_u64_list_grow(struct weir_u64_list *list)
{
	list->cap = list->cap == 0 ? 16 : list->cap * 2;
	list->v = weir_realloc(list->v, list->cap * sizeof(uint64_t));
}

void
weir_dedupe_keys_init(struct weir_dedupe_keys *dedupe_keys)
{
	*dedupe_keys = (struct weir_dedupe_keys){.warm_cap = 64, .fresh_from = INT64_MIN};
	dedupe_keys->warm = weir_calloc(dedupe_keys->warm_cap, sizeof(*dedupe_keys->warm));
}

static void
bucket_free(struct weir_dedupe_keys_bucket *bucket)
{
	weir_shard_free(&bucket->set);
	free(bucket->pending.v);
	free(bucket);
}

static void
hour_free(struct weir_dedupe_keys_hour *hour)
{
	weir_shards_free(&hour->shards);
	free(hour->pending.v);
	free(hour);
}

void
weir_dedupe_keys_free(struct weir_dedupe_keys *dedupe_keys)
{
	for (uint32_t i = 0; i < dedupe_keys->hour_count; i++)
		hour_free(dedupe_keys->hours[i]);
	for (uint32_t i = 0; i < dedupe_keys->warm_cap; i++)
		if (dedupe_keys->warm[i] != NULL)
			bucket_free(dedupe_keys->warm[i]);
	free(dedupe_keys->hours);
	free(dedupe_keys->warm);
	*dedupe_keys = (struct weir_dedupe_keys){0};
}

/* What the newest hour before this one held, a shard; 0 = there is none, or the hour is a late one. */
static uint32_t
expected_of(const struct weir_dedupe_keys *dedupe_keys, int64_t hour)
{
	const struct weir_dedupe_keys_hour *newest = NULL;
	for (uint32_t i = 0; i < dedupe_keys->hour_count; i++) {
		if (dedupe_keys->hours[i]->hour > hour)
			return 0;
		if (newest == NULL || dedupe_keys->hours[i]->hour > newest->hour)
			newest = dedupe_keys->hours[i];
	}
	uint32_t used = 0;
	for (uint32_t i = 0; newest != NULL && i < WEIR_SHARDS; i++)
		used += newest->shards.shard[i].used;
	return weir_shards_share(used);
}

#define WATCHED_US (WEIR_HOUR_US / 16) /* a shorter time says nothing of an hour: a burst, or a backlog of a minute */

void
weir_dedupe_keys_make_room(
    const struct weir_dedupe_keys *dedupe_keys, const struct weir_dedupe_keys_hour *hour, struct weir_shard *shard)
{
	uint64_t used = shard->used < 8 ? 8 : shard->used, wanted = used + used / 2;
	int64_t watched_us = dedupe_keys->stream_us - hour->begun_us,
		all_us = (hour->hour + 1) * WEIR_HOUR_US - hour->begun_us;
	if (shard->used == 0 && hour->expected > wanted) {
		wanted = hour->expected;
	} else if (watched_us >= WATCHED_US && watched_us < all_us) {
		uint64_t foreseen = used * (uint64_t)(all_us / 1000000) / (uint64_t)(watched_us / 1000000) * 9 / 8;
		wanted = foreseen > wanted ? foreseen : wanted;
	}
	weir_shard_reserve(shard, (uint32_t)wanted);
}

struct weir_dedupe_keys_hour *
weir_dedupe_keys_hour_find_slow(struct weir_dedupe_keys *dedupe_keys, int64_t hour)
{
	for (uint32_t i = dedupe_keys->hour_count; i-- > 0;)
		if (dedupe_keys->hours[i]->hour == hour)
			return dedupe_keys->hours[i];
	if (hour < dedupe_keys->fresh_from)
		return NULL;
	struct weir_dedupe_keys_hour *fresh = weir_calloc(1, sizeof(*fresh));
	fresh->hour = hour;
	fresh->expected = expected_of(dedupe_keys, hour);
	fresh->begun_us = hour * WEIR_HOUR_US > dedupe_keys->stream_us ? hour * WEIR_HOUR_US : dedupe_keys->stream_us;
	dedupe_keys->hours = weir_realloc(dedupe_keys->hours, (dedupe_keys->hour_count + 1) * sizeof(*dedupe_keys->hours));
	dedupe_keys->hours[dedupe_keys->hour_count++] = fresh;
	return fresh;
}

static uint32_t
warm_place(const struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket)
{
	uint64_t key = ((uint64_t)hour * 256 + bucket) * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(key >> 32) & (dedupe_keys->warm_cap - 1);
	while (dedupe_keys->warm[at] != NULL &&
	       (dedupe_keys->warm[at]->hour != hour || dedupe_keys->warm[at]->bucket != bucket))
		at = (at + 1) & (dedupe_keys->warm_cap - 1);
	return at;
}

static void
warm_grow(struct weir_dedupe_keys *dedupe_keys)
{
	struct weir_dedupe_keys_bucket **old = dedupe_keys->warm;
	uint32_t old_cap = dedupe_keys->warm_cap;
	dedupe_keys->warm_cap *= 2;
	dedupe_keys->warm = weir_calloc(dedupe_keys->warm_cap, sizeof(*dedupe_keys->warm));
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i] != NULL)
			dedupe_keys->warm[warm_place(dedupe_keys, old[i]->hour, old[i]->bucket)] = old[i];
	free(old);
}

struct weir_dedupe_keys_bucket *
weir_dedupe_keys_bucket_find(const struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket)
{
	WEIR_CHECK(bucket < WEIR_SHARDS);
	return dedupe_keys->warm[warm_place(dedupe_keys, hour, bucket)];
}

struct weir_dedupe_keys_bucket *
weir_dedupe_keys_bucket_get(struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket, bool *created_out)
{
	WEIR_CHECK(bucket < WEIR_SHARDS);
	uint32_t at = warm_place(dedupe_keys, hour, bucket);
	*created_out = dedupe_keys->warm[at] == NULL;
	if (!*created_out)
		return dedupe_keys->warm[at];
	if (dedupe_keys->warm_count + 1 > dedupe_keys->warm_cap / 2) {
		warm_grow(dedupe_keys);
		at = warm_place(dedupe_keys, hour, bucket);
	}
	struct weir_dedupe_keys_bucket *made = weir_calloc(1, sizeof(*made));
	made->hour = hour;
	made->bucket = bucket;
	dedupe_keys->warm[at] = made;
	dedupe_keys->warm_count++;
	return made;
}

static uint64_t
dedupe_key_read(const uint8_t *data, uint32_t bucket)
{
	uint64_t high = 0;
	memcpy(&high, data, WEIR_DEDUPE_KEY_BYTES);
	return high << 8 | bucket;
}

bool
weir_dedupe_keys_load(struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket, const uint8_t *data, size_t len)
{
	struct weir_dedupe_keys_hour *held = weir_dedupe_keys_hour_find(dedupe_keys, hour);
	if (held == NULL || len % WEIR_DEDUPE_KEY_BYTES != 0 || bucket >= WEIR_SHARDS)
		return false;
	weir_shard_reserve(&held->shards.shard[bucket], (uint32_t)(len / WEIR_DEDUPE_KEY_BYTES));
	for (size_t at = 0; at < len; at += WEIR_DEDUPE_KEY_BYTES)
		(void)weir_shard_add(&held->shards.shard[bucket], dedupe_key_read(data + at, bucket));
	return true;
}

bool
weir_dedupe_keys_bucket_load(struct weir_dedupe_keys_bucket *bucket, const uint8_t *data, size_t len)
{
	WEIR_CHECK(!bucket->loaded);
	if (len % WEIR_DEDUPE_KEY_BYTES != 0)
		return false;
	weir_shard_reserve(&bucket->set, (uint32_t)(len / WEIR_DEDUPE_KEY_BYTES));
	for (size_t at = 0; at < len; at += WEIR_DEDUPE_KEY_BYTES)
		(void)weir_shard_add(&bucket->set, dedupe_key_read(data + at, bucket->bucket));
	bucket->loaded = true;
	return true;
}

bool
weir_dedupe_keys_bucket_add(struct weir_dedupe_keys *dedupe_keys, struct weir_dedupe_keys_bucket *bucket, uint64_t hash)
{
	WEIR_CHECK(bucket->loaded);
	if (!weir_shard_add(&bucket->set, hash))
		return false;
	weir_u64_list_push(&bucket->pending, hash);
	dedupe_keys->pending++;
	return true;
}

void
weir_dedupe_keys_trim(struct weir_dedupe_keys *dedupe_keys, uint32_t warm_max)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < dedupe_keys->hour_count; i++) {
		struct weir_dedupe_keys_hour *hour = dedupe_keys->hours[i];
		if (hour->hour < dedupe_keys->fresh_from && hour->pending.n == 0)
			hour_free(hour);
		else
			dedupe_keys->hours[kept++] = hour;
	}
	dedupe_keys->hour_count = kept;
	if (dedupe_keys->warm_count <= warm_max)
		return;
	for (uint32_t i = 0; i < dedupe_keys->warm_cap; i++) {
		if (dedupe_keys->warm[i] == NULL)
			continue;
		WEIR_CHECK(dedupe_keys->warm[i]->pending.n == 0);
		bucket_free(dedupe_keys->warm[i]);
		dedupe_keys->warm[i] = NULL;
	}
	dedupe_keys->warm_count = 0;
}

uint64_t
weir_dedupe_keys_bytes(const struct weir_dedupe_keys *dedupe_keys)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < dedupe_keys->hour_count; i++)
		bytes += weir_shards_bytes(&dedupe_keys->hours[i]->shards) +
			 dedupe_keys->hours[i]->pending.cap * sizeof(uint64_t);
	for (uint32_t i = 0; i < dedupe_keys->warm_cap; i++)
		if (dedupe_keys->warm[i] != NULL)
			bytes += sizeof(struct weir_dedupe_keys_bucket) + dedupe_keys->warm[i]->set.cap * sizeof(uint64_t);
	return bytes;
}
