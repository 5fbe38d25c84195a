/* The reader itself: making, ending, memory of answers, the number of partitions; see read.h. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/query/read_priv.h"

#define KEPT_US 1000000 /* nothing that counts is kept longer */
#define ARENA_BLOCK 65536u

/* ---- memory ---- */

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;
	WEIR_CHECK(!__builtin_mul_overflow(count, size, &bytes) && bytes < SIZE_MAX / 2);
	bytes = (bytes + 15) & ~(size_t)15;
	struct arena_block *block = arena->first;
	if (block == NULL || block->cap - block->used < bytes) {
		size_t cap = bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK;
		block = weir_calloc(1, sizeof(*block) + 16 + cap);
		block->cap = cap;
		block->next = arena->first;
		arena->first = block;
	}
	uint8_t *start = (uint8_t *)(((uintptr_t)(block + 1) + 15) & ~(uintptr_t)15);
	void *piece = start + block->used;
	block->used += bytes;
	memset(piece, 0, bytes);
	return piece;
}

const char *
arena_text(struct arena *arena, const void *text, size_t len)
{
	if (len == 0)
		return "";
	char *copy = arena_take(arena, len + 1, 1);
	memcpy(copy, text, len);
	return copy;
}

/* One ordinary block is kept, so that small answers allocate nothing. */
void
arena_reset(struct arena *arena)
{
	struct arena_block *kept = NULL;
	while (arena->first != NULL) {
		struct arena_block *block = arena->first;
		arena->first = block->next;
		if (kept == NULL && block->cap == ARENA_BLOCK) {
			kept = block;
			continue;
		}
		free(block);
	}
	if (kept != NULL) {
		kept->next = NULL;
		kept->used = 0;
	}
	arena->first = kept;
}

const char *
read_id(struct weir_reader *reader, const char id[WEIR_ID_MAX])
{
	size_t len = strnlen(id, WEIR_ID_MAX);
	return len < WEIR_ID_MAX ? arena_text(&reader->arena, id, len) : "";
}

/* ---- clocks, errors, zones ---- */

static int64_t
clock_read(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
read_steady_us(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

int64_t
read_now_us(const struct weir_reader *reader)
{
	return reader->opts.clock_us != NULL ? reader->opts.clock_us(reader->opts.clock_ctx) : clock_read(CLOCK_REALTIME);
}

enum weir_read
read_fail(struct weir_error *err, enum weir_read how, const char *fmt, ...)
{
	static const enum weir_class classes[] = {WEIR_OK, WEIR_POISON, WEIR_POISON, WEIR_RETRY, WEIR_FATAL};
	char text[sizeof(err->text)];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)weir_error_set(err, classes[how], "%s", text);
	return how;
}

const struct weir_zone *
read_zone(struct weir_reader *reader, const char *name)
{
	for (uint32_t i = 0; i < reader->zone_count; i++)
		if (strcmp(reader->zones[i].name, name) == 0)
			return reader->zones[i].zone;
	reader->zones = weir_realloc(reader->zones, (reader->zone_count + 1) * sizeof(*reader->zones));
	struct zone_entry *entry = &reader->zones[reader->zone_count++];
	*entry = (struct zone_entry){0};
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	if (weir_zone_open(name, &entry->zone, NULL) != WEIR_OK)
		entry->zone = NULL;
	return entry->zone;
}

/* ---- life ---- */

struct weir_reader *
weir_reader_new(const struct weir_reader_opts *opts)
{
	WEIR_CHECK(opts->settings != NULL);
	struct weir_reader *reader = weir_calloc(1, sizeof(*reader));
	reader->magic = READ_MAGIC;
	reader->opts = *opts;
	reader->prefix = opts->settings->redis_prefix;
	reader->redis = weir_redis_new(&(struct weir_redis_opts){.settings = opts->settings});
	return reader;
}

void
weir_reader_free(struct weir_reader *reader)
{
	if (reader == NULL)
		return;
	WEIR_CHECK_MAGIC(reader, READ_MAGIC);
	weir_redis_free(reader->redis);
	parts_free(reader);
	fleet_free(reader->fleet);
	free(reader->wants);
	for (uint32_t i = 0; i < reader->zone_count; i++)
		weir_zone_free(reader->zones[i].zone);
	free(reader->zones);
	while (reader->arena.first != NULL) {
		struct arena_block *block = reader->arena.first;
		reader->arena.first = block->next;
		free(block);
	}
	reader->magic = 0;
	free(reader);
}

/* ---- the number of partitions ---- */

static bool
count_parse(struct weir_slice text, uint32_t *count_out)
{
	uint64_t count = 0;
	if (text.len == 0 || text.len > 6)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		count = count * 10 + (uint64_t)(text.data[i] - '0');
	}
	*count_out = (uint32_t)count;
	return count >= 1 && count <= READ_PARTITIONS_MAX;
}

static void
set_partitions(struct weir_reader *reader, uint32_t count)
{
	if (count == reader->partitions)
		return;
	parts_free(reader);
	reader->partitions = count;
	reader->parts = weir_calloc(count, sizeof(*reader->parts));
	reader->slot_of = weir_calloc(count, sizeof(*reader->slot_of));
	for (uint32_t p = 0; p < count; p++)
		reader->slot_of[p] = weir_slot_of_partition(reader->prefix, p);
}

static enum weir_read
ask_partitions(struct weir_reader *reader, struct weir_error *err)
{
	struct weir_buf *out;
	char key[300];
	ask_clear(reader);
	(void)snprintf(key, sizeof(key), "%s:partitions", reader->prefix);
	uint32_t number = ask_begin(reader, ASK_ANY, 2, &out);
	weir_resp_text(out, "GET");
	weir_resp_text(out, key);
	enum weir_read answer = ask_send(reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_slice text = ask_bytes(reader, number);
	uint32_t count;
	if (text.len == 0)
		return read_fail(
		    err, WEIR_READ_AWAY, "%s is not set in Redis: weir has not run yet, or with another prefix", key);
	if (!count_parse(text, &count))
		return read_fail(err, WEIR_READ_BROKEN, "%s in Redis is no number of partitions", key);
	set_partitions(reader, count);
	reader->partitions_us = read_steady_us();
	return WEIR_READ_OK;
}

enum weir_read
read_begin(struct weir_reader *reader, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(reader, READ_MAGIC);
	arena_reset(&reader->arena);
	part_definitions_drop(reader);
	if (reader->partitions != 0 && read_steady_us() - reader->partitions_us < KEPT_US)
		return WEIR_READ_OK;
	return ask_partitions(reader, err);
}

enum weir_read
weir_reader_check(struct weir_reader *reader, uint32_t *partitions_out, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(reader, READ_MAGIC);
	enum weir_read answer = ask_partitions(reader, err);
	if (answer == WEIR_READ_OK)
		*partitions_out = reader->partitions;
	return answer;
}

/* ---- small things of the face ---- */

/* MurmurHash2 as Java's clients have it: 32 bits, seed 0x9747b28c. */
static uint32_t
murmur2(struct weir_slice key)
{
	const uint32_t m = 0x5bd1e995;
	uint32_t h = 0x9747b28c ^ (uint32_t)key.len;
	const uint8_t *at = key.data;
	size_t len = key.len;
	for (; len >= 4; at += 4, len -= 4) {
		uint32_t k = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		k *= m;
		k ^= k >> 24;
		k *= m;
		h *= m;
		h ^= k;
	}
	if (len >= 3)
		h ^= (uint32_t)at[2] << 16;
	if (len >= 2)
		h ^= (uint32_t)at[1] << 8;
	if (len >= 1) {
		h ^= at[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

uint32_t
weir_read_partition_of(struct weir_slice key, uint32_t partitions)
{
	WEIR_CHECK(partitions > 0);
	return (murmur2(key) & 0x7fffffff) % partitions;
}

uint64_t
weir_volume_bytes(const struct weir_volume *volume)
{
	uint64_t sum;
	return __builtin_add_overflow(volume->up, volume->down, &sum) ? UINT64_MAX : sum;
}

static const char *const SPANS[] = {"hour", "day", "cycle"};

bool
weir_span_parse(const char *text, enum weir_span *span_out)
{
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, SPANS[i]) == 0) {
			*span_out = (enum weir_span)i;
			return true;
		}
	}
	return false;
}

const char *
weir_span_name(enum weir_span span)
{
	return SPANS[span];
}
