/*
 * For the reader's tests: a Redis of its own that is filled by hand with slots and strings as the core lays them out, and a
 * reader whose clock stands still. Included by one test file each.
 */
#ifndef WEIR_TESTS_READ_FIXTURE_H
#define WEIR_TESTS_READ_FIXTURE_H

#include "pipeline/query/print.h"
#include "pipeline/query/query_priv.h"
#include "store_lane.h"

#define CYCLE(year, month) (((year)-1970) * 12 + (month)-1)
#define S_US INT64_C(1000000)
#define HOUR_S 3600
/* 2026-03-30 13:08:06 in Shanghai: cycle 2026-03 of cm, 2026-04 of cu. */
#define NOW_S INT64_C(1774847286)
#define TODAY 20542 /* local day of it */
#define HOUR_NOW ((int32_t)(NOW_S / HOUR_S))
#define PARTITIONS 4u

static int64_t now_s = NOW_S;

static inline int64_t
still_clock(void *ctx)
{
	(void)ctx;
	return now_s * S_US;
}

static inline struct weir_reader *
reader_open(void)
{
	settings.input_count = 1;
	settings.inputs[0].topic = (char *)"weir.records";
	settings.topic_cards = (char *)"weir.cards";
	settings.cycles_kept = 6;
	settings.day_cycles = 1;
	settings.card_hours_days = 7;
	settings.pool_hours_days = 62;
	settings.future_skew_s = 300;
	settings.dedupe_horizon_h = 48;
	return weir_reader_new(&(struct weir_reader_opts){.settings = &settings, .clock_us = still_clock});
}

static inline void
put(const char *fmt, ...)
{
	redisContext *redis = by_hand();
	va_list args;
	va_start(args, fmt);
	redisReply *reply = redisvCommand(redis, fmt, args);
	va_end(args);
	assert_non_null(reply);
	assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
	freeReplyObject(reply);
	redisFree(redis);
}

/* Where the core would write it: pages of 8 KiB. */
static inline void
put_slot(uint32_t partition, char tag, uint32_t slot, const void *bytes, size_t size)
{
	const char name[2] = {tag, '\0'}; /* hiredis knows no %c */
	uint32_t a_page = (uint32_t)(WEIR_SLAB_PAGE_BYTES / size);
	put("SETRANGE weir:{%u}:%s:%u %u %b", partition, name, slot / a_page, slot % a_page * (uint32_t)size, bytes, size);
}

static inline struct weir_iccid
iccid_of(const char *text)
{
	struct weir_iccid iccid;
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	return iccid;
}

static inline uint32_t
home_of(const char *key)
{
	return weir_read_partition_of(weir_slice_of(key), PARTITIONS);
}

/* The card, its life and its place in the directory. */
static inline void
put_card_at(
    uint32_t partition, uint32_t slot, const char *text, struct weir_card_slot card, struct weir_lifecycle_slot lifecycle)
{
	card.iccid = iccid_of(text);
	const uint32_t entry[2] = {weir_iccid_tag(card.iccid), slot};
	put_slot(partition, 'c', slot, &card, sizeof(card));
	put_slot(partition, 'l', slot, &lifecycle, sizeof(lifecycle));
	put("APPEND weir:{%u}:d:%u %b", partition, entry[0] % 1024, entry, sizeof(entry));
}

static inline void
put_card(const char *text, uint32_t slot, struct weir_card_slot card, struct weir_lifecycle_slot lifecycle)
{
	put_card_at(home_of(text), slot, text, card, lifecycle);
}

static inline void
put_varint(struct weir_buf *buf, uint64_t number)
{
	do {
		uint8_t byte = (uint8_t)(number & 0x7f) | (number > 0x7f ? 0x80 : 0);
		weir_buf_append(buf, &byte, 1);
		number >>= 7;
	} while (number != 0);
}

static inline void
base_entry(struct weir_buf *buf, uint32_t slot, struct weir_volume at)
{
	put_varint(buf, slot);
	put_varint(buf, at.up);
	put_varint(buf, at.down);
	put_varint(buf, at.records);
	put_varint(buf, at.sessions);
}

/* Appends an entry as the core does: `tags` wh, wd, vh, vd, uh or ud. */
static inline void
put_baseline(uint32_t partition, const char *tags, int32_t window, uint32_t slot, struct weir_volume at)
{
	const uint32_t a_page = BASELINES_A_PAGE;
	struct weir_buf buf = {0};
	base_entry(&buf, slot % a_page, at);
	put("APPEND weir:{%u}:%s:%d:%u %b", partition, tags, window, slot / a_page, buf.data, buf.len);
	weir_buf_free(&buf);
}

static inline void
put_closed_cycle(uint32_t partition, char tag, int32_t cycle, uint32_t slot, struct weir_volume volume)
{
	const char name[2] = {tag, '\0'};
	struct weir_closed_cycle_slot closed_cycles = {.up = volume.up,
	    .down = volume.down,
	    .records = (uint32_t)volume.records,
	    .sessions = (uint32_t)volume.sessions};
	put("SETRANGE weir:{%u}:%s:%d:%u %u %b", partition, name, cycle, slot / 256, slot % 256 * 32, &closed_cycles,
	    sizeof(closed_cycles));
}

/* Headers of all partitions: carriers 1 cm, 2 cu; plans 1 single of 1000 with a limit of 800, 2 a pool's. */
static inline void
put_fleet(void)
{
	put("SET weir:partitions %u", PARTITIONS);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		put("HSET weir:{%u}:h format 4 epoch 7 owner me stream_time_us %lld cards 300 lives 300 accounts 40 pools "
		    "40 "
		    "shares 40 terms 40 enforcements 40 o:#flush 5 o:weir.records 100 o:weir.cards 9",
		    p, (long long)(NOW_S * S_US));
		put("HSET weir:{%u}:h k:cm %s k:cu %s", p, "0 0 674 1772294400 1774972800",
		    "2 0 675 1774540800 1777219200");
		put("RPUSH weir:{%u}:n c:cm p:single p:pooled c:cu", p);
		put("HSET weir:{%u}:r plan:single %s plan:pooled %s", p,
		    "{\"type\":\"plan\",\"id\":\"single\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000,"
		    "\"limit\":800}",
		    "{\"type\":\"plan\",\"id\":\"pooled\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":500}");
	}
}

static inline int
fleet_setup(void **state)
{
	now_s = NOW_S;
	(void)empty_server(state);
	if (have_server)
		put_fleet();
	*state = reader_open();
	return 0;
}

static inline int
fleet_teardown(void **state)
{
	weir_reader_free(*state);
	return 0;
}

#define READ_TEST(name) cmocka_unit_test_setup_teardown(name, fleet_setup, fleet_teardown)

static inline void
assert_volume(const struct weir_volume *volume, uint64_t up, uint64_t down, uint64_t records, uint64_t sessions)
{
	assert_int_equal(volume->up, up);
	assert_int_equal(volume->down, down);
	assert_int_equal(volume->records, records);
	assert_int_equal(volume->sessions, sessions);
}

#endif
