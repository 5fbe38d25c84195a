/*
 * Decoders alone, per format and size of message, over a seeded pool of messages.
 *
 * The pool is larger than the first cache but not the second, as messages come fresh from the network. The hash over the
 * decoded records proves that a faster build decodes the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro.h"
#include "config/base/clock.h"
#include "config/base/timetext.h"
#include "config/mapping/mapping.h"
#include "consumers/decode/decode.h"

enum { POOL = 1024 };

struct pool {
	struct weir_buf bytes;
	size_t off[POOL + 1];
	uint32_t messages;
};

/* Of varying length. Each number is drawn in a statement of its own: the order of arguments is the compiler's choice. */
static uint64_t
volume_random(struct weir_random *random)
{
	uint64_t shift = weir_random_next(random) % 24 + 36;
	return weir_random_next(random) >> shift;
}

/* Members of one canonical record; shuffled: in another order each time. */
static void
canonical_write(struct weir_buf *buf, struct weir_random *random, bool shuffled)
{
	char member[13][96], start[WEIR_TIME_TEXT_MAX], end[WEIR_TIME_TEXT_MAX];
	int64_t end_us = INT64_C(1774847296894000) + (int64_t)(weir_random_next(random) % 86400000) * 1000;
	(void)weir_time_format_ms(end_us - 300000000, start);
	(void)weir_time_format_ms(end_us, end);
	uint64_t card = weir_random_next(random) % 1000000;
	(void)snprintf(member[0], 96, "\"id\":\"01KMYJ9DDA5N23P4S%09" PRIu64 "\"", weir_random_next(random) % 1000000000);
	(void)snprintf(member[1], 96, "\"iccid\":\"8986000000%010" PRIu64 "\"", card);
	(void)snprintf(member[2], 96, "\"session\":\"d0-%010" PRIu64 "\"", weir_random_next(random) % 10000000000);
	(void)snprintf(member[3], 96, "\"start\":\"%s\"", start);
	(void)snprintf(member[4], 96, "\"end\":\"%s\"", end);
	(void)snprintf(member[5], 96, "\"up\":%" PRIu64, volume_random(random));
	(void)snprintf(member[6], 96, "\"down\":%" PRIu64, volume_random(random));
	(void)snprintf(member[7], 96, "\"imei\":\"86%013" PRIu64 "\"", card);
	(void)snprintf(member[8], 96, "\"apn\":\"%s\"", weir_random_next(random) % 4 ? "cmiot" : "internet");
	(void)snprintf(member[9], 96, "\"rat\":\"%s\"", weir_random_next(random) % 4 ? "LTE" : "NR");
	(void)snprintf(member[10], 96, "\"plmn\":\"46000\"");
	(void)snprintf(member[11], 96, "\"event\":\"update\"");
	(void)snprintf(member[12], 96, "\"seq\":%" PRIu64, weir_random_next(random) % 500);
	uint32_t order[13];
	for (uint32_t i = 0; i < 13; i++)
		order[i] = i;
	for (uint32_t i = 12; shuffled && i > 0; i--) {
		uint32_t other = (uint32_t)(weir_random_next(random) % (i + 1)), kept = order[i];
		order[i] = order[other];
		order[other] = kept;
	}
	for (uint32_t i = 0; i < 13; i++)
		weir_buf_printf(buf, "%c%s", i ? ',' : '{', member[order[i]]);
	weir_buf_append(buf, "}", 1);
}

static void
kore_write(struct weir_buf *buf, struct weir_random *random)
{
	char end[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(INT64_C(1764148544000000) + (int64_t)(weir_random_next(random) % 86400000) * 1000, end);
	uint64_t up = weir_random_next(random) % 10000000, down = weir_random_next(random) % 100000000;
	uint64_t event = weir_random_next(random) % 100000000, session = weir_random_next(random) % 100000000;
	uint64_t card = weir_random_next(random) % 1000000;
	weir_buf_printf(buf,
	    "{\"data\":{\"apn\":\"super\",\"imei\":\"353785726123176\",\"imsi\":\"732123206640719\",\"network\":{"
	    "\"mcc\":\"310\",\"mnc\":\"170\",\"sid\":\"HWb90542dc0d8b4276a694d0fe5c794168\",\"iso_country\":\"US\","
	    "\"friendly_name\":\"AT&T\"},\"sim_sid\":\"HS7319340e9486db1faba1eb2790e6ef03\",\"location\":{\"lac\":\"602\","
	    "\"lat\":26.2721,\"lon\":-81.8090,\"cell_id\":\"40026625\"},\"rat_type\":\"4G "
	    "LTE\",\"event_sid\":\"EZ%08" PRIu64 "\",\"sim_iccid\":\"8988307000%010" PRIu64
	    "\",\"timestamp\":\"%s\",\"data_total\":%" PRIu64
	    ",\"event_type\":\"com.twilio.iot.supersim.connection.data-session.updated\",\"ip_address\":\"100.66.10.142\","
	    "\"account_sid\":\"AC123\",\"data_upload\":%" PRIu64 ",\"data_download\":%" PRIu64
	    ",\"data_session_sid\":\"PI%08" PRIu64 "\"},\"id\":\"EZ%08" PRIu64
	    "\",\"time\":\"%s\",\"type\":\"com.twilio.iot.supersim.connection.data-session.updated\",\"source\":\"kore-"
	    "events\",\"specversion\":\"2.0\"}",
	    event, card, end, up + down, up, down, session, event, end);
}

static void
emnify_write(struct weir_buf *buf, struct weir_random *random)
{
	char end[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(INT64_C(1708009012260000) + (int64_t)(weir_random_next(random) % 86400000) * 1000, end);
	uint64_t id = weir_random_next(random) % 1000000000000000 + 1, rx = weir_random_next(random) % 100;
	uint64_t rx_fraction = weir_random_next(random) % 1000000, tx_fraction = weir_random_next(random) % 1000000;
	uint64_t card = weir_random_next(random) % 1000000;
	weir_buf_printf(buf,
	    "{\"cost\":0.00188512,\"id\":%" PRIu64 ",\"operator\":{\"id\":5,\"name\":\"Telefonica "
	    "O2\",\"mnc\":\"07\",\"country\":{\"id\":74,\"mcc\":\"262\",\"name\":"
	    "\"Germany\"}},\"traffic_type\":{\"id\":5,\"description\":\"Data\"},\"endpoint\":{\"id\":123456789,\"name\":"
	    "\"Example "
	    "Device\",\"imei\":\"8677300511111142\",\"balance\":null},\"volume\":{\"total\":0.219933,\"rx\":%" PRIu64
	    ".%06" PRIu64 ",\"tx\":0.%06" PRIu64
	    "},\"start_timestamp\":\"2022-04-26T11:53:43Z\",\"sim\":{\"id\":3324192,\"iccid\":\"8988303000%010" PRIu64
	    "\",\"production_date\":\"2020-09-09T06:42:59Z\"},\"currency\":{\"id\":1,\"code\":\"EUR\",\"symbol\":"
	    "\"\xe2\x82\xac\"},\"end_timestamp\":\"%s\",\"session_id\":\"722aeb56-c4de-4753-ac23-4f99c1980c5e\"}",
	    id, rx, rx_fraction, tx_fraction, card, end);
}

static void
packed_write(struct weir_buf *buf, struct weir_random *random, uint32_t count)
{
	const int64_t base_us = INT64_C(1774847296894000);
	weir_buf_append(buf, "WRP1", 4);
	weir_buf_append(buf, &count, 4);
	weir_buf_append(buf, &base_us, 8);
	for (uint32_t i = 0; i < count; i++) {
		char text[WEIR_ICCID_TEXT_MAX];
		struct weir_iccid iccid;
		(void)snprintf(text, sizeof(text), "8986000000%010" PRIu64, weir_random_next(random) % 1000000);
		(void)weir_iccid_parse((const uint8_t *)text, 20, &iccid);
		uint64_t id = weir_random_next(random) | 1, session = weir_random_next(random) | 1;
		uint64_t up = weir_random_next(random) >> 40, down = weir_random_next(random) >> 38;
		uint64_t words[8] = {iccid.hi, iccid.lo, id, session, up, down, i | (uint64_t)i << 32,
		    UINT64_C(86000000000000) | (uint64_t)1 << 56};
		weir_buf_append(buf, words, sizeof(words));
	}
}

enum shape { CANONICAL, SHUFFLED, ARRAY, LINES, KORE, EMNIFY, PACKED };

struct kind {
	const char *name;
	enum shape shape;
	uint32_t records;    /* a message */
	const char *mapping; /* NULL: canonical */
};

static const struct kind kinds[] = {
    {"decode.json", CANONICAL, 1, NULL},
    {"decode.json.any_order", SHUFFLED, 1, NULL},
    {"decode.json.array.10", ARRAY, 10, NULL},
    {"decode.json.array.100", ARRAY, 100, NULL},
    {"decode.json.lines.100", LINES, 100, NULL},
    {"decode.feed.kore", KORE, 1,
	"iccid: data.sim_iccid\nid: id\nsession: data.data_session_sid\nup: data.data_upload\n"
	"down: data.data_download\nend: data.timestamp\nimei: data.imei\n"},
    {"decode.feed.emnify", EMNIFY, 1,
	"filter:\n  - {path: traffic_type.id, equals: [5]}\niccid: sim.iccid\nid: id\n"
	"up: {path: volume.tx, unit: MB}\ndown: {path: volume.rx, unit: MB}\nend: end_timestamp\n"
	"start: start_timestamp\nimei: endpoint.imei\n"},
    {"decode.packed.1", PACKED, 1, NULL},
    {"decode.packed.50", PACKED, 50, NULL},
    {"decode.packed.1000", PACKED, 1000, NULL},
};

static void
message_write(struct weir_buf *buf, const struct kind *kind, struct weir_random *random)
{
	switch (kind->shape) {
	case PACKED:
		packed_write(buf, random, kind->records);
		return;
	case KORE:
		kore_write(buf, random);
		return;
	case EMNIFY:
		emnify_write(buf, random);
		return;
	case CANONICAL:
	case SHUFFLED:
		canonical_write(buf, random, kind->shape == SHUFFLED);
		return;
	case ARRAY:
	case LINES:
		for (uint32_t i = 0; i < kind->records; i++) {
			weir_buf_append(buf, kind->shape == LINES ? "\n" : i ? "," : "[", 1);
			canonical_write(buf, random, false);
		}
		weir_buf_append(buf, kind->shape == LINES ? "\n" : "]", 1);
	}
}

/* Decodes whole passes over the pool until at least `records` are made; nanoseconds a record. */
static double
round_run(struct weir_decoder *decoder, const struct pool *pool, uint64_t records, uint64_t *hash)
{
	struct weir_records out = {0};
	uint64_t made = 0, mixed = 0;
	int64_t start = weir_clock_thread_ns();
	while (made < records) {
		out.n = 0;
		for (uint32_t i = 0; i < pool->messages; i++) {
			struct weir_slice value = {pool->bytes.data + pool->off[i], pool->off[i + 1] - pool->off[i]};
			made += weir_decode(decoder, (struct weir_slice){0}, value, i, &out);
		}
		for (uint32_t i = 0; i < out.n; i++)
			mixed = mixed * 31 + (out.v[i].id_hash ^ out.v[i].up ^ (uint64_t)out.v[i].end_us ^ out.v[i].reject);
	}
	*hash = mixed;
	double ns = (double)(weir_clock_thread_ns() - start) / (double)made;
	weir_records_free(&out);
	return ns;
}

static struct weir_mapping *
mapping_of(const struct kind *kind)
{
	struct weir_mapping *mapping = NULL;
	struct weir_error err = {0};
	if (kind->mapping != NULL)
		WEIR_CHECK(weir_mapping_parse(kind->name, weir_slice_of(kind->mapping), &mapping, &err) == WEIR_OK);
	return mapping;
}

static void
kind_run(struct micro *micro, const struct kind *kind)
{
	struct pool pool = {.messages = POOL / kind->records > 0 ? POOL / kind->records : 1};
	struct weir_random random = {micro->seed};
	uint64_t hash = 0;
	for (uint32_t i = 0; i < pool.messages; i++) {
		pool.off[i] = pool.bytes.len;
		message_write(&pool.bytes, kind, &random);
	}
	pool.off[pool.messages] = pool.bytes.len;
	struct weir_mapping *mapping = mapping_of(kind);
	struct weir_decoder *decoder = weir_decoder_new(mapping, 1 << 24);
	double ns[MICRO_ROUNDS];
	for (uint32_t i = 0; i < MICRO_ROUNDS; i++)
		ns[i] = round_run(decoder, &pool, micro->quick ? 4096 : 100000, &hash);
	micro_put(micro, kind->name, ns, MICRO_ROUNDS, (double)pool.bytes.len / (pool.messages * kind->records), 0, hash);
	weir_decoder_free(decoder);
	weir_mapping_free(mapping);
	weir_buf_free(&pool.bytes);
}

void
micro_decode(struct micro *micro)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (micro_wanted(micro, kinds[i].name))
			kind_run(micro, &kinds[i]);
}
