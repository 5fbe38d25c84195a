/*
 * What tests of the core share: partitions with a clock of their own, a store made of a few arrays, messages and records in
 * one line each.
 */
#ifndef WEIR_TESTS_PARTITION_FIXTURE_H
#define WEIR_TESTS_PARTITION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregators/partition.h"
#include "config/base/timetext.h"

#define MAYBE_UNUSED __attribute__((unused))
#define S 1000000ll
#define HOUR (3600 * S)
#define NOW (1774847296ll * S) /* 2026-03-30T05:08:16Z */

/* ---- a store that is a list of keys ---- */

struct item {
	char key[64];
	uint8_t *data;
	size_t len;
};
static struct item items[4096];
static int item_count;
static struct weir_buf names, references;

MAYBE_UNUSED static struct item *
item_get(const char *key)
{
	for (int i = 0; i < item_count; i++)
		if (strcmp(items[i].key, key) == 0)
			return &items[i];
	assert_true(item_count < 4096);
	struct item *made = &items[item_count++];
	*made = (struct item){0};
	(void)snprintf(made->key, sizeof(made->key), "%s", key);
	return made;
}

MAYBE_UNUSED static uint8_t *
item_grow(struct item *item, size_t len)
{
	if (len > item->len) {
		item->data = weir_realloc(item->data, len);
		memset(item->data + item->len, 0, len - item->len);
		item->len = len;
	}
	return item->data;
}

MAYBE_UNUSED static void
store_clear(void)
{
	for (int i = 0; i < item_count; i++)
		free(items[i].data);
	item_count = 0;
	weir_buf_free(&names);
	weir_buf_free(&references);
}

MAYBE_UNUSED static void
on_range(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "%c:%u", slab, page);
	memcpy(item_grow(item_get(key), offset + len) + offset, data, len);
}
MAYBE_UNUSED static void
on_page(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len)
{
	on_range(ctx, slab, page, 0, data, len);
}
MAYBE_UNUSED static void
on_closed_cycle(void *ctx, char tag, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "%c:%u:%u", tag, cycle, page);
	memcpy(item_grow(item_get(key), offset + len) + offset, data, len);
}
MAYBE_UNUSED static uint8_t *
append(const char *key, uint32_t len)
{
	struct item *item = item_get(key);
	size_t at = item->len;
	return item_grow(item, at + len) + at;
}
MAYBE_UNUSED static uint8_t *
on_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "m:%lld:%u", (long long)hour, bucket);
	return append(key, len);
}
MAYBE_UNUSED static uint8_t *
on_directory(void *ctx, uint32_t bucket, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "d:%u", bucket);
	return append(key, len);
}
MAYBE_UNUSED static void
on_name(void *ctx, struct weir_slice name)
{
	(void)ctx;
	weir_buf_append(&names, name.data, name.len);
	weir_buf_append(&names, "\n", 1);
}
MAYBE_UNUSED static void
on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)ctx;
	(void)field;
	weir_buf_append(&references, json.data, json.len);
	weir_buf_append(&references, "\n", 1);
}
MAYBE_UNUSED static struct weir_unconfirmed_card last_intent_done;
MAYBE_UNUSED static void
on_intent_done(void *ctx, const struct weir_unconfirmed_card *intent)
{
	(void)ctx;
	last_intent_done = *intent;
}
MAYBE_UNUSED static uint8_t *
on_window(void *ctx, unsigned kind, int32_t window, uint32_t page, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "%s:%d:%u", weir_window_tags(kind), window, page);
	return append(key, len);
}
MAYBE_UNUSED static const struct weir_writer WRITER = {NULL, on_page, on_range, on_closed_cycle, on_dedupe_keys,
    on_directory, on_name, on_reference, on_intent_done, on_window};

/* ---- partitions ---- */

MAYBE_UNUSED static struct weir_partition *
make(int64_t now_us)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 1000,
	    .auto_register_carrier = "cm",
	    .partitions = 1,
	    .epoch = 1,
	    .unreported_floor_bytes = 1,
	    .pool_tick_ms = 1000};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, now_us, now_us);
	assert_true(weir_partition_load_finish(p));
	return p;
}

MAYBE_UNUSED static void
apply_class(struct weir_partition *p, const char *json, enum weir_class expected)
{
	struct weir_reference reference;
	struct weir_error err = {0};
	struct weir_cause cause = {9, 1, p->clock.now_us, p->clock.now_us, 0};
	enum weir_class class = weir_reference_parse(weir_slice_of(json), &reference, &err);
	if (class == WEIR_OK)
		class = weir_partition_apply(p, &reference, weir_slice_of(json), &cause, &err);
	if (class != expected)
		print_message("%s -> %s\n", json, err.text);
	assert_int_equal(class, expected);
}
MAYBE_UNUSED static void
apply(struct weir_partition *p, const char *json)
{
	apply_class(p, json, WEIR_OK);
}

MAYBE_UNUSED static struct weir_iccid
iccid_of(const char *text)
{
	struct weir_iccid iccid;
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	return iccid;
}

#define A "8986000000000000000A"
#define B "89860000000000000002"

MAYBE_UNUSED static struct weir_record
record(const char *iccid, uint64_t id, uint64_t up, uint64_t down, int64_t end_us)
{
	struct weir_record r = {.iccid = iccid_of(iccid), .up = up, .down = down, .end_us = end_us};
	if (id != 0)
		r.id_hash = weir_identity_hash_u64(r.iccid, id);
	return r;
}

MAYBE_UNUSED static void
fold(struct weir_partition *p, struct weir_record r)
{
	weir_partition_fold(p, &r, 1);
}

MAYBE_UNUSED static struct weir_card_slot *
card(struct weir_partition *p, const char *iccid)
{
	uint32_t slot;
	struct weir_card_slot *found = weir_partition_find(p, iccid_of(iccid), &slot);
	assert_non_null(found);
	return found;
}

MAYBE_UNUSED static struct weir_enforcement_slot *
enforcement(struct weir_partition *p, const char *iccid)
{
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(iccid), &slot));
	return weir_partition_enforcement(p, slot);
}

static const char PLAN[] = "{\"type\":\"plan\",\"id\":\"p1\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000}";
static const char CARD_A[] = "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"cm\",\"plan\":\"p1\"}";

MAYBE_UNUSED static struct weir_partition *
with_card(int64_t now_us)
{
	struct weir_partition *p = make(now_us);
	apply(p, PLAN);
	apply(p, CARD_A);
	return p;
}

/* Answers all wishes out of the store and folds what was parked. */
MAYBE_UNUSED static void
serve(struct weir_partition *p)
{
	while (p->effects.fetch_requests.n > 0) {
		uint32_t count = p->effects.fetch_requests.n;
		p->effects.fetch_requests.n = 0;
		for (uint32_t i = 0; i < count; i++) {
			struct weir_fetch_request fetch = p->effects.fetch_requests.v[i];
			char key[64];
			struct weir_slice value = {0};
			uint32_t from, len;
			weir_fetch_key(&fetch, key, &from, &len);
			struct item *item = item_get(key);
			value = (struct weir_slice){item->data, item->len};
			if (len != 0)
				value = item->len >= from + len ? (struct weir_slice){item->data + from, len}
								: (struct weir_slice){0};
			assert_true(weir_partition_fetched(p, &fetch, value));
		}
		weir_partition_unpark(p);
	}
}

MAYBE_UNUSED static struct weir_partition *
reload(const struct weir_partition *old, int64_t now_us)
{
	struct weir_partition *p = weir_partition_new(&old->opts);
	uint32_t sizes[WEIR_SLABS];
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		sizes[i] = weir_partition_slab((struct weir_partition *)old, i)->used;
	weir_partition_set_time(p, now_us, old->clock.stream_time_us);
	weir_partition_load_sizes(p, sizes, old->clock.stream_time_us);
	for (size_t at = 0; at < names.len;) {
		size_t len = (size_t)((uint8_t *)memchr(names.data + at, '\n', names.len - at) - (names.data + at));
		assert_true(weir_partition_load_name(p, (struct weir_slice){names.data + at, len}));
		at += len + 1;
	}
	for (size_t at = 0; at < references.len;) {
		size_t len =
		    (size_t)((uint8_t *)memchr(references.data + at, '\n', references.len - at) - (references.data + at));
		assert_true(weir_partition_load_reference(p, (struct weir_slice){references.data + at, len}));
		at += len + 1;
	}
	for (int i = 0; i < item_count; i++) {
		const char *tag = strchr(WEIR_SLAB_TAGS, items[i].key[0]);
		long long a;
		unsigned b;
		if (tag != NULL)
			assert_true(weir_partition_load_page(p, (uint32_t)(tag - WEIR_SLAB_TAGS),
			    (uint32_t)atoi(items[i].key + 2), (struct weir_slice){items[i].data, items[i].len}));
		else if (sscanf(items[i].key, "m:%lld:%u", &a, &b) == 2 && a >= p->tables.dedupe_keys.fresh_from)
			assert_true(weir_dedupe_keys_load(&p->tables.dedupe_keys, a, b, items[i].data, items[i].len));
	}
	assert_true(weir_partition_load_finish(p));
	return p;
}

/* Instants by their local text, as people read them. */
MAYBE_UNUSED static int64_t
at(const char *text)
{
	int64_t us;
	assert_true(weir_time_parse((const uint8_t *)text, strlen(text), &us));
	return us;
}

/* Background work until there is none left. */
MAYBE_UNUSED static void
tick(struct weir_partition *p)
{
	while (weir_partition_tick(p, 100)) {
	}
}

/* The clock moves to now_us, and what is due by then is done. */
MAYBE_UNUSED static void
advance(struct weir_partition *p, int64_t now_us)
{
	weir_partition_set_time(p, now_us, now_us);
	tick(p);
}

/* A message with printf's arguments. */
MAYBE_UNUSED __attribute__((format(printf, 3, 4))) static void
send_class(struct weir_partition *p, enum weir_class expected, const char *fmt, ...)
{
	char json[1024];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(json, sizeof(json), fmt, args);
	va_end(args);
	apply_class(p, json, expected);
}
#define SEND(p, ...) send_class(p, WEIR_OK, __VA_ARGS__)
#define REFUSED(p, ...) send_class(p, WEIR_POISON, __VA_ARGS__)
#define REQUEST(p, iccid, action, more)                                                                                    \
	SEND(p, "{\"type\":\"request\",\"iccid\":\"%s\",\"action\":\"" action "\"" more "}", iccid)
#define REQUEST_REFUSED(p, iccid, action, more)                                                                            \
	REFUSED(p, "{\"type\":\"request\",\"iccid\":\"%s\",\"action\":\"" action "\"" more "}", iccid)
#define CARD(p, iccid, more) SEND(p, "{\"type\":\"card\",\"iccid\":\"%s\"" more "}", iccid)
#define CARD_REFUSED(p, iccid, more) REFUSED(p, "{\"type\":\"card\",\"iccid\":\"%s\"" more "}", iccid)

MAYBE_UNUSED static struct weir_lifecycle_slot *
lifecycle(struct weir_partition *p, const char *iccid)
{
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(iccid), &slot));
	return weir_slab_at(&p->tables.lifecycles, slot);
}

MAYBE_UNUSED static unsigned
status(struct weir_partition *p, const char *iccid)
{
	return card(p, iccid)->flags & WEIR_CARD_STATUS_MASK;
}

/* How many alerts whose text holds `what` wait to be told. */
MAYBE_UNUSED static int
alerts(const struct weir_partition *p, const char *what)
{
	int count = 0;
	for (uint32_t i = 0; i < p->effects.outbox.n; i++) {
		const struct weir_outbox_message *message = &p->effects.outbox.v[i];
		char text[2048] = {0};
		if (message->topic != WEIR_OUTBOX_ALERTS)
			continue;
		assert_true(message->value_len < sizeof(text));
		memcpy(text, p->effects.outbox.bytes.data + message->at + message->key_len, message->value_len);
		count += strstr(text, what) != NULL;
	}
	return count;
}

#define HAS(reason) (1 << WEIR_REASON_##reason)

#endif
