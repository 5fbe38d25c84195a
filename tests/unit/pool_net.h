/*
 * For the tests of pools: a few partitions, an exchange in memory that carries what they tell each other, and a store of
 * one state a partition, so that an owner can crash and another one take over. Cards are put where the test says; what goes
 * by key goes by a hash of it. Included by one test file each.
 */
#ifndef WEIR_TESTS_POOL_NET_H
#define WEIR_TESTS_POOL_NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregators/enforcement/rollover.h"
#include "aggregators/partition.h"
#include "aggregators/pools/pool_evaluate.h"
#include "aggregators/pools/pool_local.h"
#include "aggregators/pools/pool_local_state.h"
#include "aggregators/pools/pool_state_out.h"

#define S 1000000ll
#define HOUR (3600 * S)
#define DAY (24 * HOUR)
#define NOW (1774847296ll * S)       /* 2026-03-30T05:08:16Z, 2026-03 of China Mobile */
#define CYCLE 674                    /* 2026-03 */
#define MARCH_END (1774972800ll * S) /* 2026-04-01T00:00 in Shanghai */
#define MB 1000000ull

enum { NET_PARTITIONS = 4, NET_ITEMS = 512, NET_TEXTS = 256, NET_WINDOWS = 512 };

struct net_message {
	uint8_t topic;
	uint32_t to;
	uint8_t *value;
	uint32_t len;
};

struct net_item { /* a page in a partition's store */
	uint32_t slab, page, len;
	uint8_t data[WEIR_SLAB_PAGE_BYTES];
};

enum net_kind { NET_CARDS, NET_REPORT, NET_RECORD };
struct net_entry { /* what a partition has read since its last flush, and would read again */
	enum net_kind kind;
	int64_t at_us;
	struct weir_buf bytes;
	struct weir_record record;
};

struct net_window { /* a string of windows */
	unsigned kind;
	int32_t window;
	uint32_t page;
	struct weir_buf bytes;
};

struct net_store {
	struct net_window windows[NET_WINDOWS];
	uint32_t window_count;
	struct net_entry *log;
	uint32_t log_count, log_cap;
	struct net_item *items[NET_ITEMS];
	uint32_t item_count, slots[WEIR_SLABS];
	struct weir_buf names, references; /* lines */
	int64_t stream_us;
};

struct net {
	struct weir_partition *p[NET_PARTITIONS];
	struct net_store store[NET_PARTITIONS];
	uint64_t epoch;
	int64_t now_us;
	struct net_message queue[1024]; /* told, not delivered */
	uint32_t queued;
	uint32_t reports, pool_states; /* delivered so far */
	uint32_t states_to[NET_PARTITIONS];
	char *alerts[NET_TEXTS], *refused[NET_TEXTS];
	uint32_t alert_count, refused_count;
	struct weir_audit audits[NET_TEXTS]; /* of pools, and those with a text */
	uint32_t audit_count;
};

static inline struct weir_partition_opts
net_opts(uint32_t number, uint64_t epoch)
{
	return (struct weir_partition_opts){.number = number,
	    .dedupe_horizon_h = 600,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 1000,
	    .auto_register_carrier = "cm",
	    .partitions = NET_PARTITIONS,
	    .epoch = epoch,
	    .unreported_floor_bytes = 1000,
	    .pool_tick_ms = 1000};
}

static inline uint32_t
net_home(const char *key)
{
	return (uint32_t)(weir_pool_hash(key) % NET_PARTITIONS);
}

/* ---- messages ---- */

static inline void
net_refuse(struct net *net, const char *text)
{
	assert_true(net->refused_count < NET_TEXTS);
	net->refused[net->refused_count++] = weir_strdup(text);
}

static inline struct net_entry *
net_log(struct net *net, uint32_t to, enum net_kind kind, struct weir_slice bytes)
{
	struct net_store *store = &net->store[to];
	if (store->log_count == store->log_cap) {
		store->log_cap = store->log_cap == 0 ? 64 : store->log_cap * 2;
		store->log = weir_realloc(store->log, store->log_cap * sizeof(*store->log));
	}
	struct net_entry *entry = &store->log[store->log_count++];
	*entry = (struct net_entry){.kind = kind, .at_us = net->now_us};
	weir_buf_append(&entry->bytes, bytes.data, bytes.len);
	return entry;
}

static inline void
net_log_clear(struct net_store *store)
{
	for (uint32_t i = 0; i < store->log_count; i++)
		weir_buf_free(&store->log[i].bytes);
	store->log_count = 0;
}

static inline enum weir_class
net_feed(struct net *net, uint32_t to, struct weir_slice json, int64_t at_us)
{
	struct weir_reference reference;
	struct weir_error err = {0};
	struct weir_cause cause = {9, 1, at_us, at_us, 0};
	enum weir_class class = weir_reference_parse(json, &reference, &err);
	if (class == WEIR_OK)
		class = weir_partition_apply(net->p[to], &reference, json, &cause, &err);
	if (class != WEIR_OK)
		net_refuse(net, err.text);
	return class;
}

static inline enum weir_class
net_give(struct net *net, uint32_t to, struct weir_slice json)
{
	(void)net_log(net, to, NET_CARDS, json);
	return net_feed(net, to, json, net->now_us);
}

/* To one partition. Single quotes stand for double ones, for legibility. */
static inline enum weir_class __attribute__((format(printf, 3, 4)))
net_try(struct net *net, uint32_t to, const char *fmt, ...)
{
	char json[1024];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(json, sizeof(json), fmt, args);
	va_end(args);
	for (char *c = json; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	return net_give(net, to, weir_slice_of(json));
}

#define net_apply(net, to, ...)                                                                                            \
	do {                                                                                                               \
		if (net_try(net, to, __VA_ARGS__) != WEIR_OK)                                                              \
			fail_msg("%s", (net)->refused[(net)->refused_count - 1]);                                          \
	} while (0)
#define net_broadcast(net, ...)                                                                                            \
	do {                                                                                                               \
		for (uint32_t to_ = 0; to_ < NET_PARTITIONS; to_++)                                                        \
			net_apply(net, to_, __VA_ARGS__);                                                                  \
	} while (0)

static inline void
net_take_effects(struct net *net, struct weir_partition *p)
{
	for (uint32_t i = 0; i < p->effects.outbox.n; i++) {
		const struct weir_outbox_message *message = &p->effects.outbox.v[i];
		const uint8_t *at = p->effects.outbox.bytes.data + message->at;
		char key[128];
		(void)snprintf(key, sizeof(key), "%.*s", (int)message->key_len, (const char *)at);
		at += message->key_len;
		if (message->topic == WEIR_OUTBOX_ALERTS) {
			assert_true(net->alert_count < NET_TEXTS);
			net->alerts[net->alert_count++] = weir_strndup((const char *)at, message->value_len);
			continue;
		}
		assert_true(net->queued < sizeof(net->queue) / sizeof(net->queue[0]));
		struct net_message *m = &net->queue[net->queued++];
		m->topic = message->topic;
		m->to = message->partition == WEIR_OUTBOX_BY_KEY ? net_home(key) : message->partition;
		m->len = message->value_len;
		m->value = weir_calloc(1, m->len + 1u);
		memcpy(m->value, at, m->len);
	}
	for (uint32_t i = 0; i < p->effects.audits.n; i++)
		if (p->effects.audits.v[i].pool[0] != '\0' || p->effects.audits.v[i].text[0] != '\0')
			net->audits[net->audit_count++ % NET_TEXTS] = p->effects.audits.v[i];
	p->effects.outbox.n = 0;
	p->effects.audits.n = 0;
	p->effects.pending_commands.n = 0;
}

/* Answers what a partition asks for out of its store; pages of windows only. */
static inline void
net_serve(struct net *net, uint32_t i)
{
	struct weir_partition *p = net->p[i];
	while (p->effects.fetch_requests.n > 0) {
		uint32_t count = p->effects.fetch_requests.n;
		p->effects.fetch_requests.n = 0;
		for (uint32_t n = 0; n < count; n++) {
			struct weir_fetch_request fetch = p->effects.fetch_requests.v[n];
			struct weir_slice value = {0};
			assert_int_equal(fetch.kind, WEIR_FETCH_WINDOW);
			for (uint32_t k = 0; k < net->store[i].window_count; k++) {
				const struct net_window *w = &net->store[i].windows[k];
				if (w->kind == fetch.window && w->window == fetch.number && w->page == fetch.place)
					value = (struct weir_slice){w->bytes.data, w->bytes.len};
			}
			assert_true(weir_partition_fetched(p, &fetch, value));
		}
		weir_partition_unpark(p);
	}
}

/* A round of one partition: background work, then what it has to tell goes into the queue. */
static inline void
net_round(struct net *net, uint32_t i)
{
	while (weir_partition_tick(net->p[i], 1000))
		;
	weir_partition_publish(net->p[i]);
	net_take_effects(net, net->p[i]);
	net_serve(net, i);
}

static inline void
net_deliver(struct net *net)
{
	uint32_t count = net->queued;
	struct net_message *batch = weir_calloc(count + 1u, sizeof(*batch));
	memcpy(batch, net->queue, count * sizeof(*batch));
	net->queued = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct weir_error err = {0};
		struct weir_slice value = {batch[i].value, batch[i].len};
		if (batch[i].topic == WEIR_OUTBOX_USAGE_REPORTS) {
			net->reports++;
			(void)net_log(net, batch[i].to, NET_REPORT, value);
			assert_int_equal(
			    weir_partition_apply_report(net->p[batch[i].to], value, net->now_us, &err), WEIR_OK);
		} else {
			net->pool_states++;
			net->states_to[batch[i].to]++;
			(void)net_give(net, batch[i].to, value);
		}
		free(batch[i].value);
	}
	free(batch);
}

/* Rounds until nobody has anything to tell. */
static inline void
net_pump(struct net *net)
{
	for (int i = 0; i < 100; i++) {
		for (uint32_t k = 0; k < NET_PARTITIONS; k++)
			net_round(net, k);
		if (net->queued == 0)
			return;
		net_deliver(net);
	}
	fail_msg("the partitions never come to rest");
}

static inline void
net_time(struct net *net, int64_t now_us)
{
	net->now_us = now_us;
	for (uint32_t i = 0; i < NET_PARTITIONS; i++)
		weir_partition_set_time(net->p[i], now_us, now_us);
}

/* A second on, so that the tick tells what is left. */
static inline void
net_tick(struct net *net)
{
	net_time(net, net->now_us + S);
	net_pump(net);
}

/* ---- partitions ---- */

static inline struct net *
net_new_at(int64_t now_us)
{
	struct net *net = weir_calloc(1, sizeof(*net));
	net->epoch = 100;
	for (uint32_t i = 0; i < NET_PARTITIONS; i++) {
		struct weir_partition_opts opts = net_opts(i, net->epoch);
		net->p[i] = weir_partition_new(&opts);
	}
	net_time(net, now_us);
	for (uint32_t i = 0; i < NET_PARTITIONS; i++) {
		assert_true(weir_partition_load_finish(net->p[i]));
		weir_partition_caught_up(net->p[i], true, true);
	}
	return net;
}

static inline void
net_free(struct net *net)
{
	for (uint32_t i = 0; i < NET_PARTITIONS; i++) {
		weir_partition_free(net->p[i]);
		for (uint32_t k = 0; k < net->store[i].item_count; k++)
			free(net->store[i].items[k]);
		for (uint32_t k = 0; k < net->store[i].window_count; k++)
			weir_buf_free(&net->store[i].windows[k].bytes);
		weir_buf_free(&net->store[i].names);
		weir_buf_free(&net->store[i].references);
		net_log_clear(&net->store[i]);
		free(net->store[i].log);
	}
	for (uint32_t i = 0; i < net->queued; i++)
		free(net->queue[i].value);
	for (uint32_t i = 0; i < net->alert_count; i++)
		free(net->alerts[i]);
	for (uint32_t i = 0; i < net->refused_count; i++)
		free(net->refused[i]);
	free(net);
}

/* ---- the store ---- */

static inline struct net_item *
net_item_of(struct net_store *store, char tag, uint32_t page)
{
	uint32_t slab = (uint32_t)(strchr(WEIR_SLAB_TAGS, tag) - WEIR_SLAB_TAGS);
	for (uint32_t i = 0; i < store->item_count; i++)
		if (store->items[i]->slab == slab && store->items[i]->page == page)
			return store->items[i];
	assert_true(store->item_count < NET_ITEMS);
	struct net_item *item = weir_calloc(1, sizeof(*item));
	item->slab = slab;
	item->page = page;
	store->items[store->item_count++] = item;
	return item;
}
static inline void
net_on_range(void *ctx, char tag, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	struct net_item *item = net_item_of(ctx, tag, page);
	memcpy(item->data + offset, data, len);
	if (offset + len > item->len)
		item->len = offset + len;
}
static inline void
net_on_page(void *ctx, char tag, uint32_t page, const uint8_t *data, uint32_t len)
{
	net_on_range(ctx, tag, page, 0, data, len);
}
static inline void
net_on_closed_cycle(void *ctx, char tag, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)ctx, (void)tag, (void)cycle, (void)page, (void)offset, (void)data, (void)len;
}
static inline uint8_t *
net_on_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, uint32_t len)
{
	(void)ctx, (void)hour, (void)bucket, (void)len;
	fail_msg("these tests use no record ids");
	return NULL;
}
static inline uint8_t *
net_on_directory(void *ctx, uint32_t bucket, uint32_t len)
{
	static uint8_t sink[65536];
	(void)ctx, (void)bucket;
	assert_true(len <= sizeof(sink));
	return sink;
}
static inline void
net_on_name(void *ctx, struct weir_slice name)
{
	struct net_store *store = ctx;
	weir_buf_append(&store->names, name.data, name.len);
	weir_buf_append(&store->names, "\n", 1);
}
static inline void
net_on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	struct net_store *store = ctx;
	(void)field;
	weir_buf_append(&store->references, json.data, json.len);
	weir_buf_append(&store->references, "\n", 1);
}
static inline void
net_on_intent_done(void *ctx, const struct weir_unconfirmed_card *intent)
{
	(void)ctx, (void)intent;
}

static inline uint8_t *
net_on_window(void *ctx, unsigned kind, int32_t window, uint32_t page, uint32_t len)
{
	struct net_store *store = ctx;
	for (uint32_t i = 0; i < store->window_count; i++) {
		struct net_window *w = &store->windows[i];
		if (w->kind == kind && w->window == window && w->page == page) {
			weir_buf_reserve(&w->bytes, len);
			w->bytes.len += len;
			return w->bytes.data + w->bytes.len - len;
		}
	}
	assert_true(store->window_count < NET_WINDOWS);
	struct net_window *w = &store->windows[store->window_count++];
	*w = (struct net_window){.kind = kind, .window = window, .page = page};
	weir_buf_reserve(&w->bytes, len);
	w->bytes.len = len;
	return w->bytes.data;
}

static inline void
net_flush(struct net *net, uint32_t i)
{
	struct net_store *store = &net->store[i];
	const struct weir_writer writer = {store, net_on_page, net_on_range, net_on_closed_cycle, net_on_dedupe_keys,
	    net_on_directory, net_on_name, net_on_reference, net_on_intent_done, net_on_window};
	net_serve(net, i);
	weir_partition_encode(net->p[i], &writer, 12);
	weir_partition_stored(net->p[i]);
	for (uint32_t k = 0; k < WEIR_SLABS; k++)
		store->slots[k] = weir_partition_slab(net->p[i], k)->used;
	store->stream_us = net->p[i]->clock.stream_time_us;
	net_log_clear(store);
}

typedef bool (*net_line_fn)(struct weir_partition *p, struct weir_slice line);

static inline void
net_each_line(struct weir_partition *p, const struct weir_buf *lines, net_line_fn take)
{
	for (size_t at = 0; at < lines->len;) {
		size_t len = (size_t)((uint8_t *)memchr(lines->data + at, '\n', lines->len - at) - (lines->data + at));
		assert_true(take(p, (struct weir_slice){lines->data + at, len}));
		at += len + 1;
	}
}

/* The owner is gone; a new one has the stored state, a higher epoch, and is not settled. */
static inline void
net_crash(struct net *net, uint32_t i)
{
	struct net_store *store = &net->store[i];
	weir_partition_free(net->p[i]);
	struct weir_partition_opts opts = net_opts(i, ++net->epoch);
	struct weir_partition *p = net->p[i] = weir_partition_new(&opts);
	weir_partition_set_time(p, net->now_us, store->stream_us);
	weir_partition_load_sizes(p, store->slots, store->stream_us);
	net_each_line(p, &store->names, weir_partition_load_name);
	net_each_line(p, &store->references, weir_partition_load_reference);
	for (uint32_t k = 0; k < store->item_count; k++)
		assert_true(weir_partition_load_page(p, store->items[k]->slab, store->items[k]->page,
		    (struct weir_slice){store->items[k]->data, store->items[k]->len}));
	assert_true(weir_partition_load_finish(p));
}

static inline void
net_replay_kind(struct net *net, uint32_t i, bool cards)
{
	const struct net_store *store = &net->store[i];
	for (uint32_t k = 0; k < store->log_count; k++) {
		const struct net_entry *entry = &store->log[k];
		struct weir_slice bytes = {entry->bytes.data, entry->bytes.len};
		struct weir_error err;
		if ((entry->kind == NET_CARDS) != cards)
			continue;
		if (entry->kind == NET_CARDS)
			(void)net_feed(net, i, bytes, entry->at_us);
		else if (entry->kind == NET_REPORT)
			assert_int_equal(weir_partition_apply_report(net->p[i], bytes, entry->at_us, &err), WEIR_OK);
		else
			weir_partition_fold(net->p[i], &entry->record, 1);
		net_round(net, i);
	}
}

/* The new owner reads again what came since the flush, reference data and words first, as a lane does; a round after each.
 */
static inline void
net_replay(struct net *net, uint32_t i)
{
	net_replay_kind(net, i, true);
	net_replay_kind(net, i, false);
	weir_partition_caught_up(net->p[i], true, true);
	net_round(net, i);
}

/* ---- cards and pools ---- */

/* Card number n: "8986" and sixteen digits. */
static inline void
net_iccid_text(unsigned n, char out[WEIR_ICCID_TEXT_MAX])
{
	(void)snprintf(out, WEIR_ICCID_TEXT_MAX, "8986%016u", n);
}

static inline struct weir_iccid
net_iccid(unsigned n)
{
	char text[WEIR_ICCID_TEXT_MAX];
	struct weir_iccid iccid;
	net_iccid_text(n, text);
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	return iccid;
}

static inline uint32_t
net_slot(struct net *net, uint32_t i, unsigned n)
{
	uint32_t slot;
	assert_non_null(weir_partition_find(net->p[i], net_iccid(n), &slot));
	return slot;
}

static inline struct weir_card_slot *
net_card(struct net *net, uint32_t i, unsigned n)
{
	return weir_card_at(net->p[i], net_slot(net, i, n));
}

/* A card of plan "pp" of China Mobile in the pool, in use. */
static inline void
net_member(struct net *net, uint32_t i, unsigned n, const char *pool)
{
	char text[WEIR_ICCID_TEXT_MAX];
	net_iccid_text(n, text);
	net_apply(net, i, "{'type':'card','iccid':'%s','carrier':'cm','plan':'pp','pool':'%s'}", text, pool);
}

static inline void __attribute__((format(printf, 4, 5)))
net_card_upsert(struct net *net, uint32_t i, unsigned n, const char *fmt, ...)
{
	char text[WEIR_ICCID_TEXT_MAX], members[256];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(members, sizeof(members), fmt, args);
	va_end(args);
	net_iccid_text(n, text);
	net_apply(net, i, "{'type':'card','iccid':'%s',%s}", text, members);
}

static inline void
net_use_at(struct net *net, uint32_t i, unsigned n, uint64_t bytes, int64_t end_us)
{
	/* Session numbers that never repeat stand for identities that no test here is about. */
	static uint64_t session;
	struct weir_record r = {.iccid = net_iccid(n),
	    .down = bytes,
	    .end_us = end_us,
	    .arrived_us = net->now_us,
	    .session_hash = ++session,
	    .seq = 1,
	    .flags = WEIR_RECORD_HAS_SEQ};
	net_log(net, i, NET_RECORD, (struct weir_slice){0})->record = r;
	weir_partition_fold(net->p[i], &r, 1);
	assert_int_equal(net->p[i]->effects.dead_letters.n, 0);
}

static inline void
net_use(struct net *net, uint32_t i, unsigned n, uint64_t bytes)
{
	net_use_at(net, i, n, bytes, net->now_us);
}

static inline void
net_plan(struct net *net, uint64_t allowance)
{
	net_broadcast(net, "{'type':'plan','id':'pp','carrier':'cm','kind':'accumulative','allowance':%llu}",
	    (unsigned long long)allowance);
}

static inline struct weir_pool_slot *
net_pool(struct net *net, const char *id)
{
	uint32_t slot;
	struct weir_pool_slot *pool = weir_partition_find_pool(net->p[net_home(id)], id, &slot);
	assert_non_null(pool);
	return pool;
}

static inline struct weir_pool_local_slot *
net_pool_local(struct net *net, uint32_t i, const char *id)
{
	uint32_t slot;
	struct weir_pool_local_slot *a = weir_partition_find_pool_local(net->p[i], id, &slot);
	assert_non_null(a);
	return a;
}

#define HAS(card_or_pool, reason) (((card_or_pool)->reasons & WEIR_REASON_BIT(reason)) != 0)

/* An alert that holds both texts, or NULL. */
static inline const char *
net_alert(const struct net *net, const char *one, const char *other)
{
	for (uint32_t i = 0; i < net->alert_count; i++)
		if (strstr(net->alerts[i], one) != NULL && strstr(net->alerts[i], other) != NULL)
			return net->alerts[i];
	return NULL;
}

static inline const char *
net_last_refusal(const struct net *net)
{
	return net->refused_count == 0 ? "" : net->refused[net->refused_count - 1];
}

#endif
