/*
 * Dedupe marks (REC-3): which record ids were counted, per UTC hour of the record's end time.
 *
 * Fresh hours are whole in memory: 256 shards of 64-bit hashes. A shard that grows step by step clears and copies thrice
 * what it ends with, and all shards of an hour grow at about the same time; so an hour begins as large as the one before
 * ended, and the first one grows to what its course so far tells. An older hour's mark lives in Redis in one of 256
 * strings; a late record brings that string in ("warm bucket"), is answered from it, and leaves it there until a flush
 * finds the cache over its bound. New marks wait in `pending` lists until a flush appends them. See docs/ARCHITECTURE.md
 * for the probability of a wrong "duplicate".
 *
 * One owner (the partition's lane). Never asked for I/O here: a missing bucket is an answer (WEIR_MARK_ABSENT), not a wait.
 */
#ifndef WEIR_AGGREGATORS_TABLES_MARKS_H
#define WEIR_AGGREGATORS_TABLES_MARKS_H

#include "aggregators/tables/shard.h"

#define WEIR_HOUR_US 3600000000ll
#define WEIR_MARK_BYTES 7u /* stored bytes a mark: hash >> 8 */

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

struct weir_marks_hour {
	int64_t hour;
	int64_t begun_us;  /* stream time of its first mark */
	uint32_t expected; /* marks a shard, by the hour before it; 0 = nothing tells */
	struct weir_shards shards;
	struct weir_u64_list pending;
};

struct weir_marks_bucket { /* a warm bucket of an old hour */
	int64_t hour;
	uint32_t bucket;
	bool loaded;
	struct weir_shard set;
	struct weir_u64_list pending;
};

struct weir_marks {
	struct weir_marks_hour **hours; /* few: fresh ones and those not yet flushed */
	uint32_t hour_count;
	struct weir_marks_bucket **warm; /* hash table by (hour, bucket), linear probing, power of two */
	uint32_t warm_cap;
	uint32_t warm_count;
	int64_t fresh_from; /* hours from here on are kept whole */
	int64_t stream_us;  /* about now: how far the newest hour has got */
	uint64_t pending;   /* marks not yet in a flush */
};

enum weir_mark_answer { WEIR_MARK_NEW, WEIR_MARK_SEEN, WEIR_MARK_ABSENT };

void weir_marks_init(struct weir_marks *marks);
void weir_marks_free(struct weir_marks *marks);

struct weir_marks_hour *weir_marks_hour_find_slow(struct weir_marks *marks, int64_t hour);
/* The hour's shards if it is held whole (created when fresh), else NULL. */
static inline struct weir_marks_hour *
weir_marks_hour_find(struct weir_marks *marks, int64_t hour)
{
	if (__builtin_expect(marks->hour_count > 0 && marks->hours[marks->hour_count - 1]->hour == hour, 1))
		return marks->hours[marks->hour_count - 1];
	return weir_marks_hour_find_slow(marks, hour);
}
/* The warm bucket; created empty and not loaded when missing (then *created_out). */
struct weir_marks_bucket *weir_marks_bucket_get(struct weir_marks *marks, int64_t hour, uint32_t bucket, bool *created_out);
/* The warm bucket or NULL. */
struct weir_marks_bucket *weir_marks_bucket_find(const struct weir_marks *marks, int64_t hour, uint32_t bucket);

/* Puts stored marks (7 bytes each) in; false when len is no multiple of 7. */
bool weir_marks_load(struct weir_marks *marks, int64_t hour, uint32_t bucket, const uint8_t *data, size_t len);
bool weir_marks_bucket_load(struct weir_marks_bucket *bucket, const uint8_t *data, size_t len);

/* Takes the memory that the shard will need by the hour's end, as far as can be told. */
void weir_marks_make_room(const struct weir_marks *marks, const struct weir_marks_hour *hour, struct weir_shard *shard);

static inline bool
weir_marks_hour_add(struct weir_marks *marks, struct weir_marks_hour *hour, uint64_t hash)
{
	struct weir_shard *shard = weir_shards_of(&hour->shards, hash);
	if (__builtin_expect(weir_shard_is_full(shard), 0))
		weir_marks_make_room(marks, hour, shard);
	if (!weir_shard_put(shard, hash))
		return false;
	weir_u64_list_push(&hour->pending, hash);
	marks->pending++;
	return true;
}

/* Adds to a loaded warm bucket; false when seen before. */
bool weir_marks_bucket_add(struct weir_marks *marks, struct weir_marks_bucket *bucket, uint64_t hash);

/* After pending lists went into a flush: drops hours no longer fresh, and all warm buckets when more than max. */
void weir_marks_trim(struct weir_marks *marks, uint32_t warm_max);
uint64_t weir_marks_bytes(const struct weir_marks *marks);

#endif
