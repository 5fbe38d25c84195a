/*
 * Redis: a partition's keys and values as a flush writes them (struct weir_writer) and a load reads them, in a small hash
 * table, copied whole for a snapshot. A flush is a list of writes that is applied at once or not at all.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

/* ---- keys and values ---- */

static uint64_t
key_of(char kind, int64_t a, uint32_t b)
{
	return (uint64_t)(uint8_t)kind << 56 | ((uint64_t)a & 0xffffffffu) << 24 | (b & 0xffffffu);
}

static uint32_t
place_of(const struct sim_blob *blobs, uint32_t cap, uint64_t key)
{
	uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 40) & (cap - 1);
	while (blobs[at].key != 0 && blobs[at].key != key)
		at = (at + 1) & (cap - 1);
	return at;
}

static void
grow(struct sim_store *store)
{
	uint32_t cap = store->blob_cap == 0 ? 64 : store->blob_cap * 2;
	struct sim_blob *blobs = weir_calloc(cap, sizeof(*blobs));
	for (uint32_t i = 0; i < store->blob_cap; i++)
		if (store->blobs[i].key != 0)
			blobs[place_of(blobs, cap, store->blobs[i].key)] = store->blobs[i];
	free(store->blobs);
	store->blobs = blobs;
	store->blob_cap = cap;
}

struct sim_blob *
sim_blob_find(const struct sim_store *store, char kind, int64_t a, uint32_t b)
{
	if (store->blob_cap == 0)
		return NULL;
	struct sim_blob *blob = &store->blobs[place_of(store->blobs, store->blob_cap, key_of(kind, a, b))];
	return blob->key == 0 || blob->len == 0 ? NULL : blob;
}

static struct sim_blob *
blob_get(struct sim_store *store, uint64_t key)
{
	if (store->blob_count + 1 > store->blob_cap / 2)
		grow(store);
	struct sim_blob *blob = &store->blobs[place_of(store->blobs, store->blob_cap, key)];
	store->blob_count += blob->key == 0;
	blob->key = key;
	return blob;
}

/* SETRANGE: zeros fill what lies between. */
static void
blob_write(struct sim_blob *blob, uint32_t offset, const uint8_t *data, uint32_t len)
{
	if (offset + len > blob->cap) {
		blob->cap = offset + len > 2 * blob->cap ? offset + len : 2 * blob->cap;
		blob->data = weir_realloc(blob->data, blob->cap);
	}
	if (offset > blob->len)
		memset(blob->data + blob->len, 0, offset - blob->len);
	memcpy(blob->data + offset, data, len);
	blob->len = offset + len > blob->len ? offset + len : blob->len;
}

/* ---- the writes of a flush ---- */

enum write_kind { WRITE_SET, WRITE_RANGE, WRITE_APPEND, WRITE_NAME, WRITE_REFERENCE, WRITE_INTENT_DONE, WRITE_PURGE };

struct write {
	uint64_t key;
	uint32_t kind, offset, len;
};

static uint8_t *
put_write(struct weir_buf *body, enum write_kind kind, uint64_t key, uint32_t offset, const void *data, uint32_t len)
{
	struct write write = {key, kind, offset, len};
	weir_buf_append(body, &write, sizeof(write));
	weir_buf_reserve(body, len);
	uint8_t *at = body->data + body->len;
	if (data != NULL)
		memcpy(at, data, len);
	body->len += len;
	return at;
}

static void
on_page(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len)
{
	(void)put_write(ctx, WRITE_SET, key_of(slab, page, 0), 0, data, len);
}

static void
on_range(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)put_write(ctx, WRITE_RANGE, key_of(slab, page, 0), offset, data, len);
}

static void
on_closed_cycle(void *ctx, char tag, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)put_write(ctx, WRITE_RANGE, key_of(tag, cycle, page), offset, data, len);
}

static uint8_t *
on_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, uint32_t len)
{
	return put_write(ctx, WRITE_APPEND, key_of('m', hour, bucket), 0, NULL, len);
}

static uint8_t *
on_directory(void *ctx, uint32_t bucket, uint32_t len)
{
	return put_write(ctx, WRITE_APPEND, key_of('d', bucket, 0), 0, NULL, len);
}

static void
on_name(void *ctx, struct weir_slice name)
{
	(void)put_write(ctx, WRITE_NAME, 0, 0, name.data, (uint32_t)name.len);
}

static void
on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)put_write(ctx, WRITE_REFERENCE, 0, (uint32_t)field.len, field.data, (uint32_t)field.len);
	weir_buf_append(ctx, &(uint32_t){(uint32_t)json.len}, sizeof(uint32_t));
	weir_buf_append(ctx, json.data, json.len);
}

static void
on_intent_done(void *ctx, const struct weir_unconfirmed_card *intent)
{
	(void)put_write(ctx, WRITE_INTENT_DONE, 0, 0, intent, sizeof(*intent));
}

static uint8_t *
on_window(void *ctx, unsigned kind, int32_t window, uint32_t page, uint32_t len)
{
	return put_write(ctx, WRITE_APPEND, key_of((char)SIM_WINDOW(kind), window, page), 0, NULL, len);
}

struct weir_writer
sim_store_writer(struct weir_buf *body)
{
	return (struct weir_writer){.ctx = body,
	    .page = on_page,
	    .range = on_range,
	    .closed_cycles = on_closed_cycle,
	    .dedupe_keys = on_dedupe_keys,
	    .directory = on_directory,
	    .name = on_name,
	    .reference = on_reference,
	    .intent_done = on_intent_done,
	    .window = on_window};
}

void
sim_store_purge(struct weir_buf *body, char kind, int64_t a)
{
	(void)put_write(body, WRITE_PURGE, key_of(kind, a, 0), 0, NULL, 0);
}

/* ---- applying ---- */

/* References lie one after another: field, 0, u32 length, JSON. A field that is there already is replaced. */
static void
set_reference(struct weir_buf *references, const uint8_t *field, uint32_t field_len, const uint8_t *json, uint32_t json_len)
{
	for (size_t at = 0; at < references->len;) {
		size_t len = strlen((const char *)references->data + at);
		uint32_t value_len;
		memcpy(&value_len, references->data + at + len + 1, sizeof(value_len));
		size_t whole = len + 1 + sizeof(value_len) + value_len;
		if (len == field_len && memcmp(references->data + at, field, len) == 0) {
			memmove(references->data + at, references->data + at + whole, references->len - at - whole);
			references->len -= whole;
			continue;
		}
		at += whole;
	}
	weir_buf_append(references, field, field_len);
	weir_buf_append(references, "", 1);
	weir_buf_append(references, &json_len, sizeof(json_len));
	weir_buf_append(references, json, json_len);
}

static void
delete_intent(struct weir_buf *intents, const struct weir_unconfirmed_card *done)
{
	for (size_t at = 0; at < intents->len; at += sizeof(struct weir_unconfirmed_card)) {
		struct weir_unconfirmed_card intent;
		memcpy(&intent, intents->data + at, sizeof(intent));
		if (!weir_iccid_equal(intent.iccid, done->iccid) || intent.token != done->token)
			continue;
		memmove(intents->data + at, intents->data + at + sizeof(intent), intents->len - at - sizeof(intent));
		intents->len -= sizeof(intent);
		return;
	}
}

void
sim_store_intent(struct sim_store *store, const struct weir_unconfirmed_card *intent)
{
	weir_buf_append(&store->intents, intent, sizeof(*intent));
}

/* UNLINK of all keys of a kind, and an hour, a cycle or a window. An empty string is none. */
static void
purge(struct sim_store *store, uint64_t key)
{
	for (uint32_t i = 0; i < store->blob_cap; i++)
		if ((store->blobs[i].key & ~UINT64_C(0xffffff)) == key)
			store->blobs[i].len = 0;
}

void
sim_store_apply(struct sim_store *store, const struct weir_buf *body)
{
	for (size_t at = 0; at < body->len;) {
		struct write write;
		memcpy(&write, body->data + at, sizeof(write));
		at += sizeof(write);
		const uint8_t *data = body->data + at;
		at += write.len;
		struct sim_blob *blob = write.kind <= WRITE_APPEND ? blob_get(store, write.key) : NULL;
		uint32_t json_len;
		struct weir_unconfirmed_card done;
		switch ((enum write_kind)write.kind) {
		case WRITE_SET:
			blob->len = 0;
			blob_write(blob, 0, data, write.len);
			break;
		case WRITE_RANGE:
			blob_write(blob, write.offset, data, write.len);
			break;
		case WRITE_APPEND:
			blob_write(blob, blob->len, data, write.len);
			break;
		case WRITE_NAME:
			weir_buf_append(&store->names, data, write.len);
			weir_buf_append(&store->names, "\n", 1);
			break;
		case WRITE_REFERENCE:
			memcpy(&json_len, body->data + at, sizeof(json_len));
			set_reference(&store->references, data, write.len, body->data + at + sizeof(json_len), json_len);
			at += sizeof(json_len) + json_len;
			break;
		case WRITE_INTENT_DONE:
			memcpy(&done, data, sizeof(done));
			delete_intent(&store->intents, &done);
			break;
		case WRITE_PURGE:
			purge(store, write.key);
			break;
		}
	}
}

/* ---- reading ---- */

void
sim_store_fetch(const struct sim_store *store, const struct weir_fetch_request *fetch, struct weir_buf *value_out)
{
	value_out->len = 0;
	if (fetch->kind != WEIR_FETCH_CLOSED_CYCLE) {
		char kind = fetch->kind == WEIR_FETCH_DEDUPE_KEYS ? 'm' : (char)SIM_WINDOW(fetch->window);
		const struct sim_blob *blob = sim_blob_find(store, kind, fetch->number, fetch->place);
		if (blob != NULL)
			weir_buf_append(value_out, blob->data, blob->len);
		return;
	}
	const struct sim_blob *blob = sim_blob_find(store, 'y', fetch->number, fetch->place / 256);
	uint32_t from = fetch->place % 256 * (uint32_t)sizeof(struct weir_closed_cycle_slot);
	if (blob == NULL || from >= blob->len)
		return;
	uint32_t len = blob->len - from < sizeof(struct weir_closed_cycle_slot) ? blob->len - from
										: sizeof(struct weir_closed_cycle_slot);
	weir_buf_append(value_out, blob->data + from, len);
}

static bool
load_texts(const struct sim_store *store, struct weir_partition *core)
{
	for (size_t at = 0; at < store->names.len;) {
		const uint8_t *line = store->names.data + at;
		size_t len = (size_t)((const uint8_t *)memchr(line, '\n', store->names.len - at) - line);
		if (!weir_partition_load_name(core, (struct weir_slice){line, len}))
			return false;
		at += len + 1;
	}
	const struct weir_buf *references = &store->references;
	for (size_t at = 0; at < references->len;) {
		uint32_t len;
		at += strlen((const char *)references->data + at) + 1;
		memcpy(&len, references->data + at, sizeof(len));
		at += sizeof(len);
		if (!weir_partition_load_reference(core, (struct weir_slice){references->data + at, len}))
			return false;
		at += len;
	}
	return true;
}

static bool
load_pages(const struct sim_store *store, struct weir_partition *core)
{
	for (uint32_t slab = 0; slab < WEIR_SLABS; slab++)
		for (uint32_t page = 0, pages = 2; page < pages; page++) {
			const struct sim_blob *blob = sim_blob_find(store, WEIR_SLAB_TAGS[slab], page, 0);
			if (blob == NULL)
				continue;
			pages = page + 2; /* until one is missing */
			struct weir_slice bytes = {blob->data, blob->len};
			if (!weir_partition_load_page(core, slab, page, bytes))
				return false;
		}
	return true;
}

/* Hours around stream time, as pipeline/store/store_load.c reads them. */
static bool
load_dedupe_keys(const struct sim_store *store, struct weir_partition *core)
{
	int64_t stream_hour = store->stream_time_us / WEIR_HOUR_US;
	for (uint32_t i = 0; i < store->blob_cap; i++) {
		const struct sim_blob *blob = &store->blobs[i];
		int64_t hour = (int64_t)(blob->key >> 24 & 0xffffffffu);
		if ((char)(blob->key >> 56) != 'm' || blob->len == 0 || hour < stream_hour - core->opts.dedupe_fresh_h ||
		    hour > stream_hour + 1)
			continue;
		if (!weir_dedupe_keys_load(
			&core->tables.dedupe_keys, hour, (uint32_t)(blob->key & 0xffffffu), blob->data, blob->len))
			return false;
	}
	return true;
}

bool
sim_store_load(const struct sim_store *store, struct weir_partition *core)
{
	if (!load_texts(store, core) || !load_pages(store, core) || (store->exists && !load_dedupe_keys(store, core)))
		return false;
	for (size_t at = 0; at < store->intents.len; at += sizeof(struct weir_unconfirmed_card)) {
		struct weir_unconfirmed_card intent;
		memcpy(&intent, store->intents.data + at, sizeof(intent));
		if (!weir_partition_load_intent(core, &intent))
			return false;
	}
	return true;
}

struct sim_store *
sim_store_copy(const struct sim_store *store)
{
	struct sim_store *copy = weir_calloc(1, sizeof(*copy));
	*copy = *store;
	copy->blobs = weir_calloc(store->blob_cap, sizeof(*copy->blobs));
	for (uint32_t i = 0; i < store->blob_cap; i++) {
		const struct sim_blob *from = &store->blobs[i];
		if (from->key == 0)
			continue;
		copy->blobs[i] = (struct sim_blob){.key = from->key};
		blob_write(&copy->blobs[i], 0, from->data, from->len);
	}
	sim_buf_copy(&copy->names, &store->names);
	sim_buf_copy(&copy->references, &store->references);
	sim_buf_copy(&copy->intents, &store->intents);
	return copy;
}

void
sim_store_free(struct sim_store *store)
{
	for (uint32_t i = 0; i < store->blob_cap; i++)
		free(store->blobs[i].data);
	free(store->blobs);
	weir_buf_free(&store->names);
	weir_buf_free(&store->references);
	weir_buf_free(&store->intents);
	*store = (struct sim_store){0};
}
