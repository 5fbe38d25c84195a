/* A store in memory; see memory_store.h. An open hash table by XXH3 of the key; a body comes from ourselves and is checked
 * only.
 */
#include "bench/memory_store.h"

#include <stdlib.h>

#include "bench/bench.h"
#include "config/base/check.h"

#define KEY_OVERHEAD 72u /* dictEntry, sds and object headers of a key in Redis 7, on average */

struct item {
	uint64_t hash; /* 0 = empty place */
	struct weir_buf value;
	uint64_t len;
	bool mark;
};

struct bench_store {
	struct item *items;
	uint64_t cap, used; /* cap: a power of two */
};

struct bench_store *
bench_store_new(void)
{
	struct bench_store *store = weir_calloc(1, sizeof(*store));
	store->cap = 1024;
	store->items = weir_calloc(store->cap, sizeof(*store->items));
	return store;
}

void
bench_store_free(struct bench_store *store)
{
	if (store == NULL)
		return;
	for (uint64_t i = 0; i < store->cap; i++)
		weir_buf_free(&store->items[i].value);
	free(store->items);
	free(store);
}

static struct item *
place_of(const struct bench_store *store, uint64_t hash)
{
	uint64_t at = hash & (store->cap - 1);
	while (store->items[at].hash != 0 && store->items[at].hash != hash)
		at = (at + 1) & (store->cap - 1);
	return &store->items[at];
}

static void
grow(struct bench_store *store)
{
	struct bench_store more = {.cap = store->cap * 2, .used = store->used};
	more.items = weir_calloc(more.cap, sizeof(*more.items));
	for (uint64_t i = 0; i < store->cap; i++)
		if (store->items[i].hash != 0)
			*place_of(&more, store->items[i].hash) = store->items[i];
	free(store->items);
	*store = more;
}

static uint64_t
hash_of(struct weir_slice key)
{
	uint64_t hash = bench_hash(0, key.data, key.len);
	return hash != 0 ? hash : 1;
}

static struct item *
item_of(struct bench_store *store, struct weir_slice key)
{
	if (store->used * 2 >= store->cap)
		grow(store);
	uint64_t hash = hash_of(key);
	struct item *item = place_of(store, hash);
	if (item->hash == 0) {
		item->hash = hash;
		item->mark = key.len > 1 && key.data[0] == 'm' && key.data[1] == ':';
		store->used++;
	}
	return item;
}

/* Slabs' pages and the directory are never asked for. */
static bool
is_asked_for(struct weir_slice key)
{
	return key.len < 2 || key.data[1] != ':' || strchr("cteslaqhdxrn", key.data[0]) == NULL;
}

static void
write_at(struct item *item, struct weir_slice key, uint64_t offset, struct weir_slice value)
{
	uint64_t end = offset + value.len;
	if (end > item->len)
		item->len = end;
	if (!is_asked_for(key))
		return;
	if (end > item->value.len) {
		weir_buf_reserve(&item->value, end - item->value.len);
		memset(item->value.data + item->value.len, 0, end - item->value.len);
		item->value.len = end;
	}
	memcpy(item->value.data + offset, value.data, value.len);
}

/* "*3\r\n" or "$5\r\n": the number, and where the line ends. */
static uint64_t
read_count(const uint8_t **at, char kind)
{
	char *end;
	WEIR_CHECK(**at == kind);
	uint64_t count = strtoull((const char *)*at + 1, &end, 10);
	*at = (const uint8_t *)end + 2;
	return count;
}

static struct weir_slice
read_bulk(const uint8_t **at)
{
	uint64_t len = read_count(at, '$');
	struct weir_slice slice = {*at, len};
	*at += len + 2;
	return slice;
}

/* The name behind "prefix:{partition}:". */
static struct weir_slice
name_of(struct weir_slice key)
{
	const uint8_t *brace = memchr(key.data, '}', key.len);
	WEIR_CHECK(brace != NULL);
	return (struct weir_slice){brace + 2, key.len - (size_t)(brace + 2 - key.data)};
}

static void
command(struct bench_store *store, const struct weir_slice *args, uint64_t count)
{
	struct weir_slice key = name_of(args[1]), value = args[count - 1];
	struct item *item = item_of(store, key);
	if (weir_slice_equals(args[0], "SETRANGE"))
		write_at(item, key, strtoull((const char *)args[2].data, NULL, 10), value);
	else if (weir_slice_equals(args[0], "SET"))
		write_at(item, key, 0, value);
	else
		write_at(item, key, item->len, value); /* APPEND; lists and hashes by their length alone */
}

void
bench_store_apply(struct bench_store *store, struct weir_slice body)
{
	struct weir_slice args[8];
	for (const uint8_t *at = body.data, *end = body.data + body.len; at < end;) {
		uint64_t count = read_count(&at, '*');
		WEIR_CHECK(count >= 2 && count <= 8);
		for (uint64_t i = 0; i < count; i++)
			args[i] = read_bulk(&at);
		command(store, args, count);
	}
}

struct weir_slice
bench_store_get(const struct bench_store *store, const char *key, uint32_t from, uint32_t len)
{
	const struct weir_buf *value = &place_of(store, hash_of(weir_slice_of(key)))->value;
	if (from >= value->len)
		return (struct weir_slice){0};
	size_t rest = value->len - from;
	return (struct weir_slice){value->data + from, len != 0 && len < rest ? len : rest};
}

/* jemalloc's size classes: four steps between powers of two. */
static uint64_t
allocated(uint64_t bytes)
{
	uint64_t step = 16;
	while (step * 8 < bytes)
		step *= 2;
	return (bytes + step - 1) / step * step;
}

struct bench_stored
bench_store_figures(const struct bench_store *store)
{
	struct bench_stored sum = {0};
	for (uint64_t i = 0; i < store->cap; i++) {
		const struct item *item = &store->items[i];
		if (item->hash == 0)
			continue;
		uint64_t redis = KEY_OVERHEAD + allocated(item->len + 10); /* an sds header and its end */
		sum.keys++;
		sum.bytes += item->len;
		sum.redis_bytes += redis;
		sum.dedupe_key_bytes += item->mark ? item->len : 0;
		sum.redis_dedupe_key_bytes += item->mark ? redis : 0;
	}
	return sum;
}
