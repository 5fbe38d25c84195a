/* Hours, warm buckets and their life; see marks.h. */
#include "aggregators/tables/marks.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/vec.h"

void
weir_u64_list_grow(struct weir_u64_list *list)
{
	WEIR_VEC_ROOM(list->v, list->n, list->cap, 16);
}

void
weir_marks_init(struct weir_marks *marks)
{
	*marks = (struct weir_marks){.warm_cap = 64, .fresh_from = INT64_MIN};
	marks->warm = weir_calloc(marks->warm_cap, sizeof(*marks->warm));
}

static void
bucket_free(struct weir_marks_bucket *bucket)
{
	weir_shard_free(&bucket->set);
	free(bucket->pending.v);
	free(bucket);
}

static void
hour_free(struct weir_marks_hour *hour)
{
	weir_shards_free(&hour->shards);
	free(hour->pending.v);
	free(hour);
}

void
weir_marks_free(struct weir_marks *marks)
{
	for (uint32_t i = 0; i < marks->hour_count; i++)
		hour_free(marks->hours[i]);
	for (uint32_t i = 0; i < marks->warm_cap; i++)
		if (marks->warm[i] != NULL)
			bucket_free(marks->warm[i]);
	free(marks->hours);
	free(marks->warm);
	*marks = (struct weir_marks){0};
}

/* What the newest hour before this one held, a shard; 0 = there is none, or the hour is a late one. */
static uint32_t
expected_of(const struct weir_marks *marks, int64_t hour)
{
	const struct weir_marks_hour *newest = NULL;
	for (uint32_t i = 0; i < marks->hour_count; i++) {
		if (marks->hours[i]->hour > hour)
			return 0;
		if (newest == NULL || marks->hours[i]->hour > newest->hour)
			newest = marks->hours[i];
	}
	uint32_t used = 0;
	for (uint32_t i = 0; newest != NULL && i < WEIR_SHARDS; i++)
		used += newest->shards.shard[i].used;
	return weir_shards_share(used);
}

#define WATCHED_US (WEIR_HOUR_US / 16) /* a shorter time tells nothing of an hour: a burst, or a backlog of a minute */

void
weir_marks_make_room(const struct weir_marks *marks, const struct weir_marks_hour *hour, struct weir_shard *shard)
{
	uint64_t used = shard->used < 8 ? 8 : shard->used, wanted = used + used / 2;
	int64_t watched_us = marks->stream_us - hour->begun_us, all_us = (hour->hour + 1) * WEIR_HOUR_US - hour->begun_us;
	if (shard->used == 0 && hour->expected > wanted) {
		wanted = hour->expected;
	} else if (watched_us >= WATCHED_US && watched_us < all_us) {
		uint64_t foreseen = used * (uint64_t)(all_us / 1000000) / (uint64_t)(watched_us / 1000000) * 9 / 8;
		wanted = foreseen > wanted ? foreseen : wanted;
	}
	weir_shard_reserve(shard, (uint32_t)wanted);
}

struct weir_marks_hour *
weir_marks_hour_find_slow(struct weir_marks *marks, int64_t hour)
{
	for (uint32_t i = marks->hour_count; i-- > 0;)
		if (marks->hours[i]->hour == hour)
			return marks->hours[i];
	if (hour < marks->fresh_from)
		return NULL;
	struct weir_marks_hour *fresh = weir_calloc(1, sizeof(*fresh));
	fresh->hour = hour;
	fresh->expected = expected_of(marks, hour);
	fresh->begun_us = hour * WEIR_HOUR_US > marks->stream_us ? hour * WEIR_HOUR_US : marks->stream_us;
	marks->hours = weir_realloc(marks->hours, (marks->hour_count + 1) * sizeof(*marks->hours));
	marks->hours[marks->hour_count++] = fresh;
	return fresh;
}

static uint32_t
warm_place(const struct weir_marks *marks, int64_t hour, uint32_t bucket)
{
	uint64_t key = ((uint64_t)hour * 256 + bucket) * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(key >> 32) & (marks->warm_cap - 1);
	while (marks->warm[at] != NULL && (marks->warm[at]->hour != hour || marks->warm[at]->bucket != bucket))
		at = (at + 1) & (marks->warm_cap - 1);
	return at;
}

static void
warm_grow(struct weir_marks *marks)
{
	struct weir_marks_bucket **old = marks->warm;
	uint32_t old_cap = marks->warm_cap;
	marks->warm_cap *= 2;
	marks->warm = weir_calloc(marks->warm_cap, sizeof(*marks->warm));
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i] != NULL)
			marks->warm[warm_place(marks, old[i]->hour, old[i]->bucket)] = old[i];
	free(old);
}

struct weir_marks_bucket *
weir_marks_bucket_find(const struct weir_marks *marks, int64_t hour, uint32_t bucket)
{
	return marks->warm[warm_place(marks, hour, bucket)];
}

struct weir_marks_bucket *
weir_marks_bucket_get(struct weir_marks *marks, int64_t hour, uint32_t bucket, bool *created_out)
{
	uint32_t at = warm_place(marks, hour, bucket);
	*created_out = marks->warm[at] == NULL;
	if (!*created_out)
		return marks->warm[at];
	if (marks->warm_count + 1 > marks->warm_cap / 2) {
		warm_grow(marks);
		at = warm_place(marks, hour, bucket);
	}
	struct weir_marks_bucket *made = weir_calloc(1, sizeof(*made));
	made->hour = hour;
	made->bucket = bucket;
	marks->warm[at] = made;
	marks->warm_count++;
	return made;
}

static uint64_t
mark_read(const uint8_t *data, uint32_t bucket)
{
	uint64_t high = 0;
	memcpy(&high, data, WEIR_MARK_BYTES);
	return high << 8 | bucket;
}

bool
weir_marks_load(struct weir_marks *marks, int64_t hour, uint32_t bucket, const uint8_t *data, size_t len)
{
	struct weir_marks_hour *held = weir_marks_hour_find(marks, hour);
	if (held == NULL || len % WEIR_MARK_BYTES != 0 || bucket >= WEIR_SHARDS)
		return false;
	weir_shard_reserve(&held->shards.shard[bucket], (uint32_t)(len / WEIR_MARK_BYTES));
	for (size_t at = 0; at < len; at += WEIR_MARK_BYTES)
		(void)weir_shard_add(&held->shards.shard[bucket], mark_read(data + at, bucket));
	return true;
}

bool
weir_marks_bucket_load(struct weir_marks_bucket *bucket, const uint8_t *data, size_t len)
{
	if (len % WEIR_MARK_BYTES != 0)
		return false;
	weir_shard_reserve(&bucket->set, (uint32_t)(len / WEIR_MARK_BYTES));
	for (size_t at = 0; at < len; at += WEIR_MARK_BYTES)
		(void)weir_shard_add(&bucket->set, mark_read(data + at, bucket->bucket));
	bucket->loaded = true;
	return true;
}

bool
weir_marks_bucket_add(struct weir_marks *marks, struct weir_marks_bucket *bucket, uint64_t hash)
{
	WEIR_CHECK(bucket->loaded);
	if (!weir_shard_add(&bucket->set, hash))
		return false;
	weir_u64_list_push(&bucket->pending, hash);
	marks->pending++;
	return true;
}

void
weir_marks_trim(struct weir_marks *marks, uint32_t warm_max)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < marks->hour_count; i++) {
		struct weir_marks_hour *hour = marks->hours[i];
		if (hour->hour < marks->fresh_from && hour->pending.n == 0)
			hour_free(hour);
		else
			marks->hours[kept++] = hour;
	}
	marks->hour_count = kept;
	if (marks->warm_count <= warm_max)
		return;
	for (uint32_t i = 0; i < marks->warm_cap; i++) {
		if (marks->warm[i] == NULL)
			continue;
		WEIR_CHECK(marks->warm[i]->pending.n == 0);
		bucket_free(marks->warm[i]);
		marks->warm[i] = NULL;
	}
	marks->warm_count = 0;
}

uint64_t
weir_marks_bytes(const struct weir_marks *marks)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < marks->hour_count; i++)
		bytes += weir_shards_bytes(&marks->hours[i]->shards) + marks->hours[i]->pending.cap * sizeof(uint64_t);
	for (uint32_t i = 0; i < marks->warm_cap; i++)
		if (marks->warm[i] != NULL)
			bytes += sizeof(struct weir_marks_bucket) + marks->warm[i]->set.cap * sizeof(uint64_t);
	return bytes;
}
