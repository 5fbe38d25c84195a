/* Requests byte by byte, responses of each version, and responses that lie about themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "consumers/wire/protocol.h"

static struct wire_reader
reader_of(const struct weir_buf *b)
{
	return (struct wire_reader){b->data, b->data + b->len, false};
}

static void
assert_bytes(const struct weir_buf *b, const char *hex)
{
	char text[1024] = "";
	assert_true(b->len * 2 < sizeof(text));
	for (size_t i = 0; i < b->len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", b->data[i]);
	assert_string_equal(text, hex);
}

static void
test_requests(void **state)
{
	(void)state;
	const char *const topics[] = {"t"};
	struct weir_buf b = {0};
	protocol_request_metadata(&b, 1, 7, topics, 1);
	assert_bytes(&b, "00000015"
			 "0003"
			 "0001"
			 "00000007"
			 "000477656972"
			 "00000001"
			 "000174");
	b.len = 0;
	protocol_request_metadata(&b, 12, 7, topics, 1);
	assert_bytes(&b, "0000002600030"
			 "00c"
			 "00000007"
			 "000477656972"
			 "00"
			 "02"
			 "00000000000000000000000000000000"
			 "0274"
			 "00"
			 "00"
			 "00"
			 "00");
	b.len = 0;
	protocol_request_offset(&b, 1, 9, true, weir_slice_of("t"), 3, 5, -2);
	assert_bytes(&b, "00000029"
			 "0002"
			 "0001"
			 "00000009"
			 "000477656972"
			 "ffffffff"
			 "00000001"
			 "000174"
			 "00000001"
			 "00000003"
			 "fffffffffffffffe");
	weir_buf_free(&b);
}

/* A request of one partition, as the broker's own schema has it in the oldest, a named and an id'd version. */
static void
test_fetch_requests(void **state)
{
	(void)state;
	static const struct {
		int16_t version;
		const char *hex;
	} WANT[] = {
	    {4, "ffffffff"
		"00000005"
		"00000001"
		"00100000"
		"01"
		"00000001"
		"000174"
		"00000001"
		"00000002"
		"0000000000000063"
		"00001000"},
	    {11, "ffffffff"
		 "00000005"
		 "00000001"
		 "00100000"
		 "01"
		 "00000000"
		 "ffffffff"
		 "00000001"
		 "000174"
		 "00000001"
		 "00000002"
		 "00000004"
		 "0000000000000063"
		 "ffffffffffffffff"
		 "00001000"
		 "00000000"
		 "0000"},
	    {13, "ffffffff"
		 "00000005"
		 "00000001"
		 "00100000"
		 "01"
		 "00000000"
		 "ffffffff"
		 "02"
		 "49494949494949494949494949494949"
		 "02"
		 "00000002"
		 "00000004"
		 "0000000000000063"
		 "ffffffff"
		 "ffffffffffffffff"
		 "00001000"
		 "00"
		 "00"
		 "01"
		 "01"
		 "00"},
	};
	for (size_t i = 0; i < sizeof(WANT) / sizeof(WANT[0]); i++) {
		struct weir_buf b = {0};
		struct protocol_fetch_request request = {
		    .wait_ms = 5, .min_bytes = 1, .max_bytes = 1 << 20, .committed = true};
		struct protocol_fetch_part part = {.partition = 2, .epoch = 4, .max_bytes = 4096, .offset = 99};
		struct log_id id;
		memset(id.bytes, 'I', sizeof(id.bytes));
		protocol_fetch_begin(&b, WANT[i].version, &request, 1);
		protocol_fetch_topic(&b, WANT[i].version, weir_slice_of("t"), &id, 1);
		protocol_fetch_part(&b, WANT[i].version, &part, true);
		protocol_fetch_end(&b, WANT[i].version, &request);
		assert_bytes(&b, WANT[i].hex);
		weir_buf_free(&b);
	}
}

/* A Fetch response with two partitions of topic t: one aborted transaction each, records "abc" and null. */
static void
put_fetched(struct weir_buf *b, int16_t version)
{
	bool flexible = version >= 12;
	wire_put32(b, 25);
	if (version >= 7) {
		wire_put16(b, 0);
		wire_put32(b, 0);
	}
	wire_put_count(b, flexible, 1);
	if (version >= 13)
		weir_buf_append(b, "IIIIIIIIIIIIIIII", 16);
	else
		wire_put_string(b, flexible, weir_slice_of("t"));
	wire_put_count(b, flexible, 2);
	for (uint32_t p = 0; p < 2; p++) {
		wire_put32(b, p);
		wire_put16(b, p == 0 ? 0 : KAFKA_NOT_LEADER);
		wire_put64(b, 1000);
		wire_put64(b, 900);
		if (version >= 5)
			wire_put64(b, 10);
		wire_put_count(b, flexible, 1);
		wire_put64(b, 77);
		wire_put64(b, 88);
		wire_put_tags(b, flexible);
		if (version >= 11)
			wire_put32(b, UINT32_MAX);
		if (p == 0) {
			if (flexible)
				wire_put_uvarint(b, 4);
			else
				wire_put32(b, 3);
			weir_buf_append(b, "abc", 3);
		} else if (flexible)
			wire_put_uvarint(b, 0);
		else
			wire_put32(b, UINT32_MAX);
		wire_put_tags(b, flexible);
	}
	wire_put_tags(b, flexible);
	wire_put_tags(b, flexible);
}

static void
test_fetched(void **state)
{
	(void)state;
	for (int16_t version = 4; version <= 13; version++) {
		struct weir_buf b = {0};
		struct protocol_fetch fetch;
		struct protocol_fetched got;
		put_fetched(&b, version);
		protocol_fetched_begin(&fetch, reader_of(&b), version);
		assert_int_equal(fetch.throttle_ms, 25);
		assert_true(protocol_fetched_next(&fetch, &got));
		assert_true(version >= 13 ? got.id.bytes[15] == 'I' : weir_slice_equals(got.name, "t"));
		assert_int_equal(got.partition, 0);
		assert_int_equal(got.stable, 900);
		assert_int_equal(got.low, version >= 5 ? 10 : -1);
		assert_int_equal(got.aborted_count, 1);
		struct protocol_aborted aborted = protocol_aborted_next(&got.aborted, version);
		assert_int_equal(aborted.producer_id, 77);
		assert_int_equal(aborted.first_offset, 88);
		assert_true(weir_slice_equals(got.records, "abc"));
		assert_true(protocol_fetched_next(&fetch, &got));
		assert_int_equal(got.error, KAFKA_NOT_LEADER);
		assert_int_equal(got.records.len, 0);
		assert_false(protocol_fetched_next(&fetch, &got));
		assert_false(fetch.r.bad);
		/* cut anywhere it is bad, and never more than what is there */
		for (size_t len = 0; len < b.len - (version >= 12 ? 1 : 0); len++) {
			uint8_t *copy = malloc(len + 1);
			memcpy(copy, b.data, len);
			protocol_fetched_begin(&fetch, (struct wire_reader){copy, copy + len, false}, version);
			while (protocol_fetched_next(&fetch, &got))
				;
			assert_true(fetch.r.bad);
			free(copy);
		}
		weir_buf_free(&b);
	}
}

/* Several partitions in one request, as the broker's own schemas have the oldest and newest versions. */
static void
test_offset_requests(void **state)
{
	(void)state;
	const struct protocol_offset_part parts[] = {{2, 9, 7}, {3, 10, 8}};
	struct weir_buf b = {0};
	protocol_request_offsets(&b, 6, 9, true, weir_slice_of("t"), parts, 2, -1);
	assert_bytes(&b, "0000003c"
			 "0002"
			 "0006"
			 "00000009"
			 "000477656972"
			 "00"
			 "ffffffff"
			 "01"
			 "02"
			 "0274"
			 "03"
			 "00000002"
			 "00000009"
			 "ffffffffffffffff"
			 "00"
			 "00000003"
			 "0000000a"
			 "ffffffffffffffff"
			 "00"
			 "00"
			 "00");
	b.len = 0;
	protocol_request_epoch_ends(&b, 2, 9, weir_slice_of("t"), parts, 2);
	assert_bytes(&b, "00000031"
			 "0017"
			 "0002"
			 "00000009"
			 "000477656972"
			 "00000001"
			 "000174"
			 "00000002"
			 "00000002"
			 "00000009"
			 "00000007"
			 "00000003"
			 "0000000a"
			 "00000008");
	b.len = 0;
	protocol_request_epoch_ends(&b, 4, 9, weir_slice_of("t"), parts, 1);
	assert_bytes(&b, "00000026"
			 "0017"
			 "0004"
			 "00000009"
			 "000477656972"
			 "00"
			 "ffffffff"
			 "02"
			 "0274"
			 "02"
			 "00000002"
			 "00000009"
			 "00000007"
			 "00"
			 "00"
			 "00");
	weir_buf_free(&b);
}

/* An answer about partitions 2 (good) and 3 (an error) of topic t. */
static void
put_offsets(struct weir_buf *b, enum protocol_api api, int16_t version)
{
	bool ends = api == API_EPOCH_END, flexible = version >= (ends ? 4 : 6);
	if (version >= 2)
		wire_put32(b, 25);
	wire_put_count(b, flexible, 1);
	wire_put_string(b, flexible, weir_slice_of("t"));
	wire_put_count(b, flexible, 2);
	for (uint32_t p = 2; p < 4; p++) {
		uint16_t error = p == 2 ? KAFKA_OK : KAFKA_FENCED_EPOCH;
		if (ends)
			wire_put16(b, error);
		wire_put32(b, p);
		if (!ends) {
			wire_put16(b, error);
			wire_put64(b, UINT64_MAX);
			wire_put64(b, 100 * p);
		}
		if (ends || version >= 4)
			wire_put32(b, 7);
		if (ends)
			wire_put64(b, 100 * p);
		wire_put_tags(b, flexible);
	}
	wire_put_tags(b, flexible);
	wire_put_tags(b, flexible);
}

static void
test_offsets_of(enum protocol_api api, int16_t version)
{
	struct weir_buf b = {0};
	struct protocol_offsets o;
	struct protocol_offset one;
	put_offsets(&b, api, version);
	assert_true(protocol_offsets_begin(&o, reader_of(&b), api, version));
	assert_true(weir_slice_equals(o.topic, "t"));
	for (int p = 2; p < 4; p++) {
		assert_true(protocol_offsets_next(&o, &one));
		assert_int_equal(one.partition, p);
		assert_int_equal(one.offset, 100 * p);
		assert_int_equal(one.error, p == 2 ? KAFKA_OK : KAFKA_FENCED_EPOCH);
		assert_int_equal(one.epoch, api == API_EPOCH_END || version >= 4 ? 7 : -1);
	}
	assert_false(protocol_offsets_next(&o, &one));
	assert_false(o.r.bad);
	/* cut anywhere within the partitions it is bad; what is cut off behind them is tags */
	bool flexible = version >= (api == API_EPOCH_END ? 4 : 6);
	for (size_t len = 0; len < b.len - (flexible ? 2 : 0); len++) {
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, b.data, len);
		(void)protocol_offsets_begin(&o, (struct wire_reader){copy, copy + len, false}, api, version);
		while (protocol_offsets_next(&o, &one))
			;
		assert_true(o.r.bad);
		free(copy);
	}
	weir_buf_free(&b);
}

static void
test_offsets(void **state)
{
	(void)state;
	for (int16_t version = 1; version <= 6; version++)
		test_offsets_of(API_LIST_OFFSETS, version);
	for (int16_t version = 2; version <= 4; version++)
		test_offsets_of(API_EPOCH_END, version);
}

/* Of another number of topics, or of partitions than one where one was asked about. */
static void
test_offset_lies(void **state)
{
	(void)state;
	const uint8_t none[] = {0, 0, 0, 0, 0, 0, 0, 0},
		      two[] = {0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 't', 0, 0, 0, 0, 0, 1, 'u', 0, 0};
	struct protocol_offsets o;
	assert_false(protocol_offsets_begin(&o, (struct wire_reader){none, none + sizeof(none), false}, API_EPOCH_END, 2));
	assert_false(protocol_offsets_begin(&o, (struct wire_reader){two, two + sizeof(two), false}, API_EPOCH_END, 2));
	struct weir_buf b = {0};
	int16_t error;
	int32_t epoch;
	int64_t offset;
	put_offsets(&b, API_EPOCH_END, 4);
	struct wire_reader r = reader_of(&b);
	assert_false(protocol_read_epoch_end(&r, 4, &error, &epoch, &offset));
	weir_buf_free(&b);
}

static void
test_versions(void **state)
{
	(void)state;
	struct weir_buf b = {0};
	struct protocol_versions versions;
	int16_t error;
	const int16_t table[][3] = {{1, 0, 11}, {2, 0, 7}, {3, 10, 20}, {18, 0, 3}, {23, 0, 1}, {999, 1, 2}};
	wire_put16(&b, 0);
	wire_put_count(&b, true, 6);
	for (size_t i = 0; i < 6; i++) {
		for (int k = 0; k < 3; k++)
			wire_put16(&b, (uint16_t)table[i][k]);
		wire_put_tags(&b, true);
	}
	struct wire_reader r = reader_of(&b);
	assert_true(protocol_read_versions(&r, 3, &error, &versions));
	assert_int_equal(versions.of[API_FETCH], 11);
	assert_int_equal(versions.of[API_LIST_OFFSETS], 6);
	assert_int_equal(versions.of[API_METADATA], 12);
	assert_int_equal(versions.of[API_EPOCH_END], -1); /* too old a version for what is asked */
	assert_int_equal(versions.of[API_SASL_HANDSHAKE], -1);
	weir_buf_free(&b);
}

/* Counts and lengths that cannot be true, varints that run on. */
static void
test_lies(void **state)
{
	(void)state;
	const uint8_t many[] = {0x7f, 0xff, 0xff, 0xff, 1, 2, 3}, on[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		      minus[] = {0xff, 0xfe, 0};
	struct wire_reader r = {many, many + sizeof(many), false};
	assert_int_equal(wire_count(&r, false, 1), 0);
	assert_true(r.bad);
	r = (struct wire_reader){on, on + sizeof(on), false};
	assert_int_equal(wire_uvarint(&r), 0);
	assert_true(r.bad);
	r = (struct wire_reader){minus, minus + sizeof(minus), false};
	assert_null(wire_string(&r, false).data);
	assert_true(r.bad);
	assert_int_equal(wire_i64(&r), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests), cmocka_unit_test(test_fetch_requests),
	    cmocka_unit_test(test_fetched), cmocka_unit_test(test_offset_requests), cmocka_unit_test(test_offsets),
	    cmocka_unit_test(test_offset_lies), cmocka_unit_test(test_versions), cmocka_unit_test(test_lies)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
