/*
 * Dedupe keys (REC-3): which record ids were counted, per UTC hour of the record's end time.
 *
 * Fresh hours are whole in memory: 256 shards of 64-bit hashes. A shard that grows step by step clears and copies thrice
 * what it ends with, and all shards of an hour grow at about the same time; so an hour begins as large as the one before
 * ended, and the first one grows to what its course so far suggests. An older hour's key is in Redis in one of 256
 * strings; a late record brings that string in ("warm bucket"), is answered from it, and leaves it there until a flush
 * finds the cache over its bound. New dedupe keys wait in `pending` lists until a flush appends them. See
 * docs/ARCHITECTURE.md for the probability of a wrong "duplicate".
 *
 * One owner (the partition's lane). Never asked for I/O here: a missing bucket is an answer (WEIR_DEDUPE_KEY_ABSENT), not a
 * wait.
 */
#ifndef WEIR_AGGREGATORS_TABLES_DEDUPE_KEYS_H
#define WEIR_AGGREGATORS_TABLES_DEDUPE_KEYS_H

#include "aggregators/tables/shard.h"

#define WEIR_HOUR_US 3600000000ll
#define WEIR_DEDUPE_KEY_BYTES 7u /* stored bytes a mark: hash >> 8 */

struct weir_u64_list {
	uint64_t *v;
	uint32_t n;
	uint32_t cap;
};

void weir_u64_list_grow(struct weir_u64_list *list);

static inline void
weir_u64_list_push(struct weir_u64_list *list, uint64_t value)
{
	if (list->n == list->cap)
		weir_u64_list_grow(list);
	list->v[list->n++] = value;
}

struct weir_dedupe_keys_hour {
	int64_t hour;
	int64_t begun_us;  /* stream time of its first mark */
	uint32_t expected; /* dedupe keys a shard, by the hour before it; 0 = not known */
	struct weir_shards shards;
	struct weir_u64_list pending;
};

struct weir_dedupe_keys_bucket { /* a warm bucket of an old hour */
	int64_t hour;
	uint32_t bucket;
	bool loaded;
	struct weir_shard set;
	struct weir_u64_list pending;
};

struct weir_dedupe_keys {
	struct weir_dedupe_keys_hour **hours; /* few: fresh ones and those not yet flushed */
	uint32_t hour_count;
	struct weir_dedupe_keys_bucket **warm; /* hash table by (hour, bucket), linear probing, power of two */
	uint32_t warm_cap;
	uint32_t warm_count;
	int64_t fresh_from; /* hours from here on are kept whole */
	int64_t stream_us;  /* about now: how far the newest hour has got */
	uint64_t pending;   /* dedupe keys not yet in a flush */
};

enum weir_dedupe_answer { WEIR_DEDUPE_KEY_NEW, WEIR_DEDUPE_KEY_SEEN, WEIR_DEDUPE_KEY_ABSENT };

void weir_dedupe_keys_init(struct weir_dedupe_keys *dedupe_keys);
void weir_dedupe_keys_free(struct weir_dedupe_keys *dedupe_keys);

struct weir_dedupe_keys_hour *weir_dedupe_keys_hour_find_slow(struct weir_dedupe_keys *dedupe_keys, int64_t hour);
/* The hour's shards if it is held whole (created when fresh), else NULL. */
static inline struct weir_dedupe_keys_hour *
weir_dedupe_keys_hour_find(struct weir_dedupe_keys *dedupe_keys, int64_t hour)
{
	if (__builtin_expect(
		dedupe_keys->hour_count > 0 && dedupe_keys->hours[dedupe_keys->hour_count - 1]->hour == hour, 1))
		return dedupe_keys->hours[dedupe_keys->hour_count - 1];
	return weir_dedupe_keys_hour_find_slow(dedupe_keys, hour);
}
/* The warm bucket; created empty and not loaded when missing (then *created_out). */
struct weir_dedupe_keys_bucket *weir_dedupe_keys_bucket_get(
    struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket, bool *created_out);
/* The warm bucket or NULL. */
struct weir_dedupe_keys_bucket *weir_dedupe_keys_bucket_find(
    const struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket);

/* Puts stored dedupe keys (7 bytes each) in; false when len is no multiple of 7. */
bool weir_dedupe_keys_load(
    struct weir_dedupe_keys *dedupe_keys, int64_t hour, uint32_t bucket, const uint8_t *data, size_t len);
bool weir_dedupe_keys_bucket_load(struct weir_dedupe_keys_bucket *bucket, const uint8_t *data, size_t len);

/* Takes the memory that the shard will need by the hour's end, as far as can be known. */
void weir_dedupe_keys_make_room(
    const struct weir_dedupe_keys *dedupe_keys, const struct weir_dedupe_keys_hour *hour, struct weir_shard *shard);

static inline bool
weir_dedupe_keys_hour_add(struct weir_dedupe_keys *dedupe_keys, struct weir_dedupe_keys_hour *hour, uint64_t hash)
{
	struct weir_shard *shard = weir_shards_of(&hour->shards, hash);
	if (__builtin_expect(weir_shard_is_full(shard), 0))
		weir_dedupe_keys_make_room(dedupe_keys, hour, shard);
	if (!weir_shard_put(shard, hash))
		return false;
	weir_u64_list_push(&hour->pending, hash);
	dedupe_keys->pending++;
	return true;
}

/* Adds to a loaded warm bucket; false when seen before. */
bool weir_dedupe_keys_bucket_add(
    struct weir_dedupe_keys *dedupe_keys, struct weir_dedupe_keys_bucket *bucket, uint64_t hash);

/* After pending lists went into a flush: drops hours no longer fresh, and all warm buckets when more than max. */
void weir_dedupe_keys_trim(struct weir_dedupe_keys *dedupe_keys, uint32_t warm_max);
uint64_t weir_dedupe_keys_bytes(const struct weir_dedupe_keys *dedupe_keys);

#endif
