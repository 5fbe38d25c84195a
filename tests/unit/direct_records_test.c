/* Record batches read in place: the walk, the checksum, the codecs, and what damaged bytes are called. rule REC-3 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/direct_batch.h"

static void
test_crc_vectors(void **state)
{
	(void)state;
	uint8_t bytes[32];
	assert_int_equal(weir_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(weir_crc32c(bytes, 32), 0x8a9136aa); /* RFC 3720, B.4 */
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(weir_crc32c(bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(weir_crc32c(bytes, 32), 0x46dd794e);
	assert_int_equal(weir_crc32c(bytes, 0), 0);
}

static void
test_crc_by_instruction_is_the_tables(void **state)
{
	(void)state;
	static uint8_t bytes[20000];
	uint32_t random = 7;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
	for (size_t len = 0; len < sizeof(bytes); len += len < 1600 ? 1 : 373)
		assert_int_equal(
		    weir_crc32c(bytes + len % 7, len - len % 7), weir_crc32c_table(bytes + len % 7, len - len % 7));
}

static struct weir_slice
slice_of(const struct weir_buf *buf)
{
	return (struct weir_slice){buf->data, buf->len};
}

/* Three records at 100, 101, 104 (102 and 103 compacted away), keys and values null or not, headers. */
static void
put_three(struct weir_buf *records)
{
	put_record(records, 0, 0, "k", "value", 0);
	put_record(records, 1, 5, NULL, "x", 2);
	put_record(records, 4, -3, "key", NULL, 0);
}

static void
check_three(const struct weir_message *m, uint32_t count)
{
	assert_int_equal(count, 3);
	assert_true(weir_slice_equals(m[0].key, "k") && weir_slice_equals(m[0].value, "value"));
	assert_int_equal(m[0].offset, 100);
	assert_int_equal(m[0].timestamp_us, 5000000);
	assert_null(m[1].key.data);
	assert_true(weir_slice_equals(m[1].value, "x"));
	assert_int_equal(m[1].timestamp_us, 5005000);
	assert_null(m[2].value.data);
	assert_int_equal(m[2].offset, 104);
	assert_int_equal(m[2].timestamp_us, 4997000);
}

static const struct batch_of THREE = {
    .base_offset = 100, .base_ms = 5000, .max_ms = 5005, .producer_id = -1, .last_delta = 4, .count = 3};

static void
test_walk(void **state)
{
	(void)state;
	struct weir_buf records = {0}, bytes = {0};
	put_three(&records);
	put_batch(&bytes, &THREE, slice_of(&records));
	const uint8_t *at = bytes.data, *end = bytes.data + bytes.len;
	struct record_batch batch;
	struct records_walk walk;
	struct weir_message m[8];
	uint32_t count;
	assert_int_equal(records_batch(&at, end, &batch), RECORDS_OK);
	assert_ptr_equal(at, end);
	assert_int_equal(batch.last_offset, 104);
	assert_int_equal(records_checksum(&batch), RECORDS_OK);
	records_walk_begin(&walk, &batch, batch.records);
	assert_int_equal(records_walk_next(&walk, 0, m, 8, &count), RECORDS_END);
	check_three(m, count);
	records_walk_begin(&walk, &batch, batch.records);
	assert_int_equal(records_walk_next(&walk, 0, m, 2, &count), RECORDS_OK);
	assert_int_equal(records_walk_next(&walk, 0, m + count, 6, &count), RECORDS_END);
	check_three(m, count + 2);
	records_walk_begin(&walk, &batch, batch.records); /* from within */
	assert_int_equal(records_walk_next(&walk, 101, m, 8, &count), RECORDS_END);
	assert_int_equal(count, 2);
	assert_int_equal(m[0].offset, 101);
	assert_int_equal(records_batch(&at, end, &batch), RECORDS_END);
	weir_buf_free(&records);
	weir_buf_free(&bytes);
}

/* However a batch is cut off, and whichever byte is another: a fault, never what was not written. */
static void
test_cut_and_damaged(void **state)
{
	(void)state;
	struct weir_buf records = {0}, bytes = {0};
	put_three(&records);
	put_batch(&bytes, &THREE, slice_of(&records));
	struct record_batch batch;
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, bytes.data, len);
		const uint8_t *at = copy;
		assert_int_equal(records_batch(&at, copy + len, &batch), len == 0 ? RECORDS_END : RECORDS_CUT);
		free(copy);
	}
	for (size_t i = 21; i < bytes.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			bytes.data[i] ^= (uint8_t)(1 << bit);
			const uint8_t *at = bytes.data;
			enum records_fault fault = records_batch(&at, bytes.data + bytes.len, &batch);
			assert_true(fault != RECORDS_OK || records_checksum(&batch) == RECORDS_CRC);
			bytes.data[i] ^= (uint8_t)(1 << bit);
		}
	bytes.data[16] = 1;
	const uint8_t *at = bytes.data;
	assert_int_equal(records_batch(&at, bytes.data + bytes.len, &batch), RECORDS_OLD);
	weir_buf_free(&records);
	weir_buf_free(&bytes);
}

static enum records_fault
walk_raw(const uint8_t *raw, size_t len, uint32_t records)
{
	struct record_batch batch = {.count = records};
	struct records_walk walk;
	struct weir_message m[4];
	uint32_t count;
	records_walk_begin(&walk, &batch, (struct weir_slice){raw, len});
	return records_walk_next(&walk, 0, m, 4, &count);
}

static void
test_lengths_that_lie(void **state)
{
	(void)state;
	const uint8_t longer[] = {40, 0, 0, 0, 1, 1, 0}, key[] = {12, 0, 0, 0, 60, 1, 0}, minus[] = {12, 0, 0, 0, 3, 1, 0};
	const uint8_t runs_on[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
	const uint8_t good[] = {12, 0, 0, 0, 1, 1, 0}, behind[] = {12, 0, 0, 1, 1, 1, 0};
	assert_int_equal(walk_raw(good, sizeof(good), 1), RECORDS_END);
	assert_int_equal(walk_raw(good, sizeof(good), 2), RECORDS_VARINT);
	assert_int_equal(walk_raw(longer, sizeof(longer), 1), RECORDS_LENGTH);
	assert_int_equal(walk_raw(key, sizeof(key), 1), RECORDS_LENGTH);
	assert_int_equal(walk_raw(minus, sizeof(minus), 1), RECORDS_LENGTH);
	assert_int_equal(walk_raw(behind, sizeof(behind), 1), RECORDS_LENGTH);
	assert_int_equal(walk_raw(runs_on, sizeof(runs_on), 1), RECORDS_VARINT);
}

static void
test_marker(void **state)
{
	(void)state;
	struct weir_buf records = {0}, bytes = {0};
	struct batch_of of = {.base_offset = 7, .producer_id = 3, .attributes = 0x30, .count = 1};
	const uint8_t body[] = {0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0}; /* key of 4: version 0, type 0 = abort */
	put_varint(&records, sizeof(body));
	weir_buf_append(&records, body, sizeof(body));
	put_batch(&bytes, &of, slice_of(&records));
	const uint8_t *at = bytes.data;
	struct record_batch batch;
	bool aborts = false;
	assert_int_equal(records_batch(&at, bytes.data + bytes.len, &batch), RECORDS_OK);
	assert_true(batch.control && batch.transactional);
	assert_int_equal(records_marker(&batch, &aborts), RECORDS_OK);
	assert_true(aborts);
	weir_buf_free(&records);
	weir_buf_free(&bytes);
}

/* ---- codecs ---- */

#define PLAIN_BYTES 100000u

static size_t
pack_gzip(const uint8_t *plain, size_t len, uint8_t *out, size_t room)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)plain;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&z);
	return room - z.avail_out;
}

static size_t
pack_snappy(const uint8_t *plain, size_t len, uint8_t *out, size_t room)
{
	assert_int_equal(snappy_compress((const char *)plain, len, (char *)out, &room), SNAPPY_OK);
	return room;
}

/* As Java's stream writes it: a head, then blocks of at most 32 KiB with their lengths. */
static size_t
pack_xerial(const uint8_t *plain, size_t len, uint8_t *out, size_t room)
{
	static const uint8_t HEAD[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
	memcpy(out, HEAD, sizeof(HEAD));
	size_t at = sizeof(HEAD);
	for (size_t from = 0; from < len; from += 32768) {
		size_t block = len - from < 32768 ? len - from : 32768;
		size_t got = pack_snappy(plain + from, block, out + at + 4, room - at - 4);
		uint32_t big = __builtin_bswap32((uint32_t)got);
		memcpy(out + at, &big, sizeof(big));
		at += 4 + got;
	}
	return at;
}

static size_t
pack_lz4(const uint8_t *plain, size_t len, uint8_t *out, size_t room)
{
	return LZ4F_compressFrame(out, room, plain, len, NULL);
}

static size_t
pack_zstd(const uint8_t *plain, size_t len, uint8_t *out, size_t room)
{
	return ZSTD_compress(out, room, plain, len, 3);
}

static const struct {
	enum records_codec codec;
	size_t (*pack)(const uint8_t *plain, size_t len, uint8_t *out, size_t room);
} PACKERS[] = {{RECORDS_GZIP, pack_gzip}, {RECORDS_SNAPPY, pack_snappy}, {RECORDS_SNAPPY, pack_xerial},
    {RECORDS_LZ4, pack_lz4}, {RECORDS_ZSTD, pack_zstd}};

static void
test_codecs(void **state)
{
	(void)state;
	static uint8_t plain[PLAIN_BYTES], packed[2 * PLAIN_BYTES], out[PLAIN_BYTES + 1];
	struct records_codecs *codecs = records_codecs_new();
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * i >> 7);
	for (size_t k = 0; k < sizeof(PACKERS) / sizeof(PACKERS[0]); k++) {
		enum records_codec codec = PACKERS[k].codec;
		size_t got, len = PACKERS[k].pack(plain, sizeof(plain), packed, sizeof(packed));
		struct weir_slice whole = {packed, len};
		assert_int_equal(records_unpack(codecs, codec, whole, out, sizeof(out), &got), RECORDS_OK);
		assert_int_equal(got, sizeof(plain));
		assert_memory_equal(out, plain, got);
		assert_int_equal(records_unpack(codecs, codec, whole, out, sizeof(plain), &got), RECORDS_OK);
		assert_int_equal(records_unpack(codecs, codec, whole, out, sizeof(plain) - 1, &got), RECORDS_ROOM);
		assert_int_equal(records_unpack(codecs, codec, whole, out, 10, &got), RECORDS_ROOM);
		for (size_t cut = 1; cut < len; cut += 997)
			assert_int_equal(records_unpack(codecs, codec, (struct weir_slice){packed, cut}, out, sizeof(out),
					     &got) == RECORDS_OK &&
					     got == sizeof(plain),
			    0);
		memset(packed, 0x55, 16);
		assert_int_equal(records_unpack(codecs, codec, whole, out, sizeof(out), &got), RECORDS_PACKED);
	}
	records_codecs_free(codecs);
}

/* A megabyte of zeros in a few bytes: it never comes out past the room. */
static void
test_bomb(void **state)
{
	(void)state;
	static uint8_t plain[1 << 20], packed[2 << 20], out[4096 + 1];
	struct records_codecs *codecs = records_codecs_new();
	for (size_t k = 0; k < sizeof(PACKERS) / sizeof(PACKERS[0]); k++) {
		size_t got, len = PACKERS[k].pack(plain, sizeof(plain), packed, sizeof(packed));
		out[4096] = 0xa5;
		assert_int_equal(
		    records_unpack(codecs, PACKERS[k].codec, (struct weir_slice){packed, len}, out, 4096, &got),
		    RECORDS_ROOM);
		assert_int_equal(out[4096], 0xa5);
	}
	records_codecs_free(codecs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc_vectors),
	    cmocka_unit_test(test_crc_by_instruction_is_the_tables), cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_cut_and_damaged), cmocka_unit_test(test_lengths_that_lie), cmocka_unit_test(test_marker),
	    cmocka_unit_test(test_codecs), cmocka_unit_test(test_bomb)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
