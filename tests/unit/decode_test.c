/*
 * Decoding: what each record becomes, and that the two ways (shape cache, full parser) agree on every truncation and every
 * single-byte change of sample records. jansson is the third opinion on what is JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/base/timetext.h"
#include "config/mapping/mapping.h"
#include "consumers/decode/decode.h"
#include "tests/unit/decode_samples.h"

#define MESSAGE_MAX (16u << 20)

struct feed {
	struct weir_decoder *fast;
	struct weir_decoder *full;
	struct weir_mapping *mapping;
	struct weir_records out_fast;
	struct weir_records out_full;
};

static void
feed_open(struct feed *feed, const char *yaml)
{
	memset(feed, 0, sizeof(*feed));
	if (yaml != NULL) {
		struct weir_error err = {0};
		if (weir_mapping_parse("feed", weir_slice_of(yaml), &feed->mapping, &err) != WEIR_OK)
			fail_msg("%s", err.text);
	}
	feed->fast = weir_decoder_new(feed->mapping, MESSAGE_MAX);
	feed->full = weir_decoder_new(feed->mapping, MESSAGE_MAX);
}

static void
feed_close(struct feed *feed)
{
	weir_decoder_free(feed->fast);
	weir_decoder_free(feed->full);
	weir_records_free(&feed->out_fast);
	weir_records_free(&feed->out_full);
	weir_mapping_free(feed->mapping);
}

/* Decodes exactly these bytes both ways and demands the same; the records are in out_full. */
static uint32_t
decode_both(struct feed *feed, const void *data, size_t len)
{
	static const uint8_t KEY[] = "89860000000000000009";
	uint8_t *copy = malloc(len ? len : 1); /* exact, so that a sanitizer sees reads beyond */
	memcpy(copy, data, len);
	struct weir_slice key = {KEY, 20}, value = {copy, len};
	uint64_t filtered = weir_decoder_stats(feed->fast)->filtered,
		 filtered_full = weir_decoder_stats(feed->full)->filtered;
	feed->out_fast.n = feed->out_full.n = 0;
	uint32_t n = weir_decode(feed->fast, key, value, 3, &feed->out_fast);
	uint32_t m = weir_decode_full(feed->full, key, value, 3, &feed->out_full);
	bool same =
	    n == m && n == feed->out_fast.n && m == feed->out_full.n &&
	    (n == 0 || memcmp(feed->out_fast.v, feed->out_full.v, n * sizeof(*feed->out_full.v)) == 0) &&
	    weir_decoder_stats(feed->fast)->filtered - filtered == weir_decoder_stats(feed->full)->filtered - filtered_full;
	if (!same)
		fail_msg("the two ways differ (%u, %u records) on: %.*s", n, m, (int)(len < 2000 ? len : 2000),
		    (const char *)data);
	free(copy);
	return n;
}

/* The reject of a message that makes one record; -1 when it makes another number. Decoded thrice: unknown, learnt, again.
 */
static int
reject_of(struct feed *feed, const char *text)
{
	uint32_t n = 0;
	for (int i = 0; i < 3; i++)
		n = decode_both(feed, text, strlen(text));
	return n == 1 ? feed->out_full.v[0].reject : -1;
}

static void
expect_reject(struct feed *feed, enum weir_reject reject, const char *text)
{
	int got = reject_of(feed, text);
	if (got != (int)reject)
		fail_msg("%s: %s, expected %s", text, got < 0 ? "several" : weir_reject_name((enum weir_reject)got),
		    weir_reject_name(reject));
}

static void
test_canonical_fields(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(decode_both(&feed, CANONICAL_RECORD, strlen(CANONICAL_RECORD)), 1);
		const struct weir_record *rec = &feed.out_fast.v[0];
		char iccid[WEIR_ICCID_TEXT_MAX], end[WEIR_TIME_TEXT_MAX];
		weir_iccid_format(rec->iccid, iccid);
		weir_time_format_ms(rec->end_us, end);
		assert_string_equal(iccid, "89860000000000000001");
		assert_string_equal(end, "2026-03-30T05:08:16.894Z");
		assert_int_equal(rec->reject, WEIR_REJECT_NONE);
		assert_int_equal(rec->up, 123456);
		assert_int_equal(rec->down, 7891011);
		assert_int_equal(rec->seq, 12);
		assert_int_equal(rec->flags, WEIR_RECORD_HAS_SEQ);
		assert_int_equal(rec->imei14, 86000000000000);
		assert_int_equal(rec->end_us - rec->start_us, 300894000);
		assert_int_equal(rec->message, 3);
		assert_int_equal(rec->raw_len, strlen(CANONICAL_RECORD));
		assert_true(
		    rec->id_hash == weir_identity_hash(rec->iccid, (const uint8_t *)"01KMYJ9DDA5N23P4SJK1WYA7Q8", 26));
	}
	assert_int_equal(weir_decoder_stats(feed.fast)->fast_records, 4);
	assert_int_equal(weir_decoder_stats(feed.fast)->full_records, 1);
	feed_close(&feed);
}

#define R(members) "{\"iccid\":\"89860000000000000001\"," members "}"
#define E "\"end\":\"2026-03-30T05:08:16Z\""

static void
test_rejects(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	expect_reject(&feed, WEIR_REJECT_NONE, R(E ",\"id\":\"x\",\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_NONE, R(E ",\"id\":18446744073709551615,\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_NONE, "{\"iccid\":null," E ",\"id\":7,\"down\":0}");
	expect_reject(&feed, WEIR_REJECT_NONE, R("\"end\":1774847296894,\"id\":7,\"down\":0,\"start\":null"));
	expect_reject(
	    &feed, WEIR_REJECT_NONE, R(E ",\"session\":\"s\",\"seq\":9223372036854775807,\"up\":72057594037927935"));
	expect_reject(&feed, WEIR_REJECT_NONE, R(E ",\"session\":\"s\",\"up_total\":5,\"event\":\"start\""));
	expect_reject(&feed, WEIR_REJECT_BAD_ICCID, "{\"iccid\":\"8986000000000000000-\"," E ",\"id\":7,\"up\":1}");
	expect_reject(&feed, WEIR_REJECT_BAD_ICCID, "{\"iccid\":89860000000000000001," E ",\"id\":7,\"up\":1}");
	expect_reject(&feed, WEIR_REJECT_BAD_ICCID, "{\"iccid\":\"\"," E ",\"id\":7,\"up\":1}");
	expect_reject(&feed, WEIR_REJECT_BAD_ICCID, "{\"iccid\":{\"a\":1}," E ",\"id\":7,\"up\":1}");
	expect_reject(&feed, WEIR_REJECT_NO_IDENTITY, R(E ",\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_NO_IDENTITY, R(E ",\"up\":1,\"session\":\"s\""));
	expect_reject(&feed, WEIR_REJECT_NO_IDENTITY, R(E ",\"up\":1,\"seq\":3"));
	expect_reject(&feed, WEIR_REJECT_NO_IDENTITY, R(E ",\"up_total\":1,\"id\":3"));
	static const char *const VOLUMES[] = {"-1", "1.0", "1e3", "-0", "\"5\"", "true", "[]", "{}", "72057594037927936",
	    "18446744073709551615", "18446744073709551616", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof(VOLUMES) / sizeof(*VOLUMES); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), R(E ",\"id\":7,\"up\":%s"), VOLUMES[i]);
		expect_reject(&feed, WEIR_REJECT_BAD_VOLUME, text);
	}
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME, R(E ",\"id\":7"));
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME, R(E ",\"id\":7,\"session\":\"s\",\"up\":1,\"up_total\":1"));
	expect_reject(&feed, WEIR_REJECT_BAD_TIME, R("\"id\":7,\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_BAD_TIME, R("\"end\":\"2026-02-30T00:00:00Z\",\"id\":7,\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_BAD_TIME, R("\"end\":1e12,\"id\":7,\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_BAD_TIME, R("\"end\":-5,\"id\":7,\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_BAD_TIME, R("\"end\":9214646400000,\"id\":7,\"up\":1"));
	expect_reject(&feed, WEIR_REJECT_BAD_TIME, R(E ",\"start\":\"yesterday\",\"id\":7,\"up\":1"));
	static const char *const FIELDS[] = {"\"seq\":-1", "\"seq\":9223372036854775808", "\"seq\":\"1\"", "\"id\":\"\"",
	    "\"id\":1.5", "\"id\":true", "\"session\":false", "\"session\":[1]", "\"event\":\"begin\"", "\"event\":3",
	    "\"imei\":\"1234567890123\"", "\"imei\":\"12345678901234567\"", "\"imei\":\"8600000000000a\"",
	    "\"imei\":860000000000001", "\"apn\":1", "\"rat\":{}", "\"plmn\":[]"};
	for (size_t i = 0; i < sizeof(FIELDS) / sizeof(*FIELDS); i++) {
		char text[256];
		(void)snprintf(text, sizeof(text), R(E ",\"id\":7,\"up\":1,%s"), FIELDS[i]);
		expect_reject(&feed, WEIR_REJECT_BAD_FIELD, text);
	}
	struct weir_slice none = {0}, value = weir_slice_of("{" E ",\"id\":7,\"up\":1}");
	feed.out_fast.n = 0;
	assert_int_equal(weir_decode(feed.fast, none, value, 0, &feed.out_fast), 1);
	assert_int_equal(feed.out_fast.v[0].reject, WEIR_REJECT_NO_CARD);
	feed_close(&feed);
}

static void
test_malformed(void **state)
{
	static const char *const BAD[] = {"", " ", "\n\n", "{", "}", "[", "]", "[{}", "{]", "[}", "nul", "tru", "\"", "\"a",
	    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "[1,]", "[,1]", "[1 2]", "{\"a\" 1}", "{a:1}", "{'a':1}",
	    "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":\"\\x\"}",
	    "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800\\u0041\"}",
	    "{\"a\":\"\t\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "\xef\xbb\xbf{}",
	    "{}{}", "{} x", "[{}]]", "{\"a\":1}\f", "{\"a\":truex}", "{\"a\":nullnull}", "{\"a\":\"b\"\"c\"}",
	    "{\"a\":1\"c\"}", "{\"a\":\"b\"c}", "\"x\"", "12", "null", "{\"a\x1a\":1}", "{\"a\"\0321}",
	    "{\"a\":1\x0c\"b\":2}"};
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++)
		expect_reject(&feed, WEIR_REJECT_MALFORMED, BAD[i]);
	assert_int_equal(decode_both(&feed, "[]", 2), 0);
	assert_int_equal(decode_both(&feed, "{\"a\":\"\0\"}", 9), 1);
	assert_int_equal(feed.out_full.v[0].reject, WEIR_REJECT_MALFORMED);
	struct weir_slice none = {0};
	feed.out_fast.n = 0;
	assert_int_equal(weir_decode(feed.fast, none, none, 0, &feed.out_fast), 1);
	assert_int_equal(feed.out_fast.v[0].reject, WEIR_REJECT_MALFORMED);
	feed_close(&feed);
}

static void
test_arrays_and_lines(void **state)
{
	(void)state;
	static const char A[] = R(E ",\"id\":1,\"up\":1"), B[] = R(E ",\"id\":2,\"up\":2");
	char text[2048];
	struct feed feed;
	feed_open(&feed, NULL);
	for (int round = 0; round < 4; round++) {
		(void)snprintf(text, sizeof(text), " [ %s ,%s, 5, [{}], \"s\",{}]\r\n", A, B);
		assert_int_equal(decode_both(&feed, text, strlen(text)), 6);
		for (uint32_t i = 0; i < 6; i++) {
			assert_int_equal(feed.out_full.v[i].element, i);
			assert_int_equal(feed.out_full.v[i].reject != WEIR_REJECT_NONE, i > 1);
		}
		assert_int_equal(feed.out_full.v[1].raw_off, 3 + strlen(A) + 2);
		assert_int_equal(feed.out_full.v[1].raw_len, strlen(B));
		assert_int_equal(feed.out_full.v[3].raw_len, 4);
		assert_int_equal(feed.out_full.v[3].reject, WEIR_REJECT_MALFORMED);
		(void)snprintf(text, sizeof(text), "[%s,%s,{]", A, B); /* all or nothing */
		assert_int_equal(decode_both(&feed, text, strlen(text)), 1);
		(void)snprintf(text, sizeof(text), "%s\r\n\n  \n[%s,%s]\n{\"x\":\n%s", A, B, A, B);
		assert_int_equal(decode_both(&feed, text, strlen(text)), 5);
		assert_int_equal(feed.out_full.v[3].reject, WEIR_REJECT_MALFORMED);
		assert_int_equal(feed.out_full.v[4].reject, WEIR_REJECT_NONE);
		assert_int_equal(feed.out_full.v[4].element, 4);
		(void)snprintf(text, sizeof(text), "garbage\n%s\n%s garbage\n%s\n", A, B, A);
		assert_int_equal(decode_both(&feed, text, strlen(text)), 4);
		assert_int_equal(feed.out_full.v[2].reject, WEIR_REJECT_MALFORMED);
		(void)snprintf(text, sizeof(text), "[\n%s,\n%s\n]\n", A, B); /* one text over several lines */
		assert_int_equal(decode_both(&feed, text, strlen(text)), 2);
		(void)snprintf(text, sizeof(text), "[\n%s,\n%s\n", A, B); /* cut: nothing of it counts */
		assert_int_equal(decode_both(&feed, text, strlen(text)), 1);
		assert_int_equal(feed.out_full.v[0].reject, WEIR_REJECT_MALFORMED);
		assert_int_equal(feed.out_full.v[0].raw_len, strlen(text) - 1);
		(void)snprintf(
		    text, sizeof(text), "{\n \"id\": 1,\n \"iccid\": \"89860000000000000001\",\n \"up\": 3,\n " E "\n}\n");
		expect_reject(&feed, WEIR_REJECT_NONE, text);
		strcat(text, A); /* several lines and then another text: the whole is no text, its lines are not either */
		assert_int_equal(decode_both(&feed, text, strlen(text)), 1);
	}
	feed_close(&feed);
}

static void
test_repeated_and_escaped(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	expect_reject(&feed, WEIR_REJECT_NONE, R(E ",\"id\":1,\"up\":\"bad\",\"up\":5"));
	assert_int_equal(feed.out_fast.v[0].up, 5);
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME, R(E ",\"id\":1,\"up\":5,\"up\":{}"));
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME, R(E ",\"id\":1,\"up\":5,\"up\":null"));
	expect_reject(&feed, WEIR_REJECT_NONE, R(E ",\"\\u0069d\":\"a\\u00e9\\ud83d\\ude00\\n\",\"u\\u0070\":5"));
	assert_true(feed.out_fast.v[0].id_hash ==
		    weir_identity_hash(feed.out_fast.v[0].iccid, (const uint8_t *)"a\xc3\xa9\xf0\x9f\x98\x80\n", 8));
	expect_reject(
	    &feed, WEIR_REJECT_NONE, R(E ",\"id\":\"\xc3\xa9\",\"up\":5,\"n\":99999999999999999999999,\"m\":1e999"));
	feed_close(&feed);
	feed_open(&feed, "iccid: a.b.iccid\nid: id\nup: a.up\nend: a\n");
	expect_reject(
	    &feed, WEIR_REJECT_BAD_TIME, "{\"a\":{\"b\":{\"iccid\":\"89860000000000000001\"},\"up\":5},\"id\":1}");
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME,
	    "{\"a\":{\"b\":{\"iccid\":\"89860000000000000001\"},\"up\":5},\"id\":1,\"a\":7}");
	feed_close(&feed);
	feed_open(&feed, "iccid: a.b.iccid\nid: id\nup: a.up\nend: {path: end, format: unix_s}\n");
	expect_reject(
	    &feed, WEIR_REJECT_NONE, "{\"a\":{\"b\":{\"iccid\":\"89860000000000000001\"},\"up\":5},\"id\":1,\"end\":5}");
	assert_int_equal(feed.out_fast.v[0].end_us, 5000000);
	expect_reject(&feed, WEIR_REJECT_NONE,
	    "{\"a\":{\"b\":{\"iccid\":\"89860000000000000001\"},\"b\":1,\"up\":5},\"id\":1,\"end\":5}");
	char iccid[WEIR_ICCID_TEXT_MAX]; /* the later `b` has none, so the key's */
	weir_iccid_format(feed.out_fast.v[0].iccid, iccid);
	assert_string_equal(iccid, "89860000000000000009");
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME,
	    "{\"a\":{\"up\":5,\"b\":{\"iccid\":\"89860000000000000001\"}},\"a\":{},\"id\":1,\"end\":5}");
	expect_reject(&feed, WEIR_REJECT_BAD_VOLUME, "{\"a\":[{\"up\":5}],\"id\":1,\"end\":5}");
	feed_close(&feed);
}

static void
test_feeds(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, EMNIFY_MAPPING);
	expect_reject(&feed, WEIR_REJECT_NONE, EMNIFY_RECORD);
	assert_int_equal(feed.out_fast.v[0].up, 47085);
	assert_int_equal(feed.out_fast.v[0].down, 172848);
	assert_int_equal(feed.out_fast.v[0].imei14, 86773000000000);
	assert_true(feed.out_fast.v[0].id_hash == weir_identity_hash_u64(feed.out_fast.v[0].iccid, 333333333333333));
	assert_true(weir_decoder_stats(feed.fast)->fast_records >= 2); /* in spite of its currency symbol */
	assert_int_equal(decode_both(&feed, "{\"traffic_type\":{\"id\":6}}", 25), 0);
	assert_int_equal(decode_both(&feed, "{\"traffic_type\":{\"id\":6}}", 25), 0);
	assert_int_equal(weir_decoder_stats(feed.fast)->filtered, 2);
	feed_close(&feed);
	feed_open(&feed, KORE_MAPPING);
	expect_reject(&feed, WEIR_REJECT_NONE, KORE_RECORD);
	assert_int_equal(feed.out_fast.v[0].up, 2048);
	assert_int_equal(feed.out_fast.v[0].down, 1024);
	assert_int_equal(feed.out_fast.v[0].flags, 0);
	feed_close(&feed);
}

/* Whether jansson agrees; it has no opinion beyond a number too large for it, and reads over zero bytes. */
static bool
third_agrees(const char *data, size_t len, bool valid)
{
	json_error_t error;
	json_t *json = json_loadb(data, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	bool agrees = (json != NULL) == valid || (json == NULL && json_error_code(&error) == json_error_numeric_overflow);
	json_decref(json);
	return agrees;
}

/* Each value of a record that is known well replaced by one of another kind or length: the same both ways, and no reject
 * forgotten. */
static void
test_odd_values(void **state)
{
	(void)state;
	static const char *const MEMBERS[] = {
	    "id", "iccid", "session", "start", "end", "up", "down", "imei", "apn", "rat", "plmn", "event", "seq"};
	static const char *const VALUES[] = {"null", "true", "0", "00", "01", "7", "-1", "-0", "1.5", "1.", "1e3", "1E",
	    "[]", "{}", "\"\"", "\"a\"", "\"1\"", "\"stop\"", "\"start\"", "\"update\"", "\"\\u0041\"", "\"\xc3\xa9\"",
	    "123456789012345", "1234567890123456", "9223372036854775807", "9223372036854775808", "18446744073709551616",
	    "\"8986000000000000001\"", "\"89860000000000000001\"", "\"898600000000000000011\"", "\"8986000000000000000-\"",
	    "\"2026-03-30T05:08:16Z\"", "\"2026-03-30T05:08:16.894Z\"", "\"2026-03-30T05:08:16.894229Z\"",
	    "\"2026-02-30T05:08:16.894Z\"", "\"2024-02-29T05:08:16.894Z\"", "\"2026-03-30T05:08:16+01:00\"",
	    "\"12345678901234\"", "\"123456789012345\"", "\"1234567890123456\"", "\"12345678901234567\"",
	    "\"a text that is longer than one block of thirty-two bytes\"", "\"", "", "\"a"};
	struct feed feed;
	feed_open(&feed, NULL);
	for (size_t i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "\"%s\":", MEMBERS[i]);
		const char *value = strstr(CANONICAL_RECORD, name);
		assert_non_null(value);
		value += strlen(name);
		const char *after = value + strcspn(value + 1, *value == '"' ? "\"" : ",}") + 1 + (*value == '"');
		for (size_t j = 0; j < sizeof(VALUES) / sizeof(VALUES[0]); j++) {
			char text[1024];
			(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(value - CANONICAL_RECORD), CANONICAL_RECORD,
			    VALUES[j], after);
			for (int k = 0; k < 3; k++)
				assert_int_equal(decode_both(&feed, CANONICAL_RECORD, strlen(CANONICAL_RECORD)), 1);
			(void)decode_both(&feed, text, strlen(text));
			char array[2400];
			(void)snprintf(array, sizeof(array), "[%s,%s]", CANONICAL_RECORD, text);
			(void)decode_both(&feed, array, strlen(array));
		}
	}
	feed_close(&feed);
}

/* Every truncation, and every byte replaced by every other, with the sample's shape learnt again before each. */
static void
mutations(const char *yaml, const char *sample)
{
	struct feed feed;
	feed_open(&feed, yaml);
	size_t len = strlen(sample);
	for (size_t cut = 0; cut < len; cut++) {
		decode_both(&feed, sample, len);
		assert_int_equal(decode_both(&feed, sample, cut), 1);
		assert_int_equal(feed.out_full.v[0].reject, WEIR_REJECT_MALFORMED);
	}
	char *text = malloc(len + 1);
	for (size_t at = 0; at < len; at++)
		for (int byte = 0; byte < 256; byte++) {
			memcpy(text, sample, len + 1);
			text[at] = (char)byte;
			uint32_t n = decode_both(&feed, text, len);
			bool valid = n == 0 || feed.out_full.v[0].reject != WEIR_REJECT_MALFORMED;
			if (byte != '\n' && byte != 0 && !third_agrees(text, len, valid))
				fail_msg("jansson does not agree on: %s", text);
		}
	free(text);
	char *wide = malloc(2 * len + 64);
	for (int lines = 0; lines < 2; lines++) {
		int total = snprintf(wide, 2 * len + 64, lines ? "%s\n%s\n" : " [%s , %s]", sample, sample);
		for (int at = 0; at < total; at++) {
			static const char BYTES[] = "\"\\,:{}[] \n0e-.\x01\x80n";
			char kept = wide[at];
			for (size_t k = 0; k < sizeof(BYTES); k++) {
				wide[at] = BYTES[k];
				(void)decode_both(&feed, wide, (size_t)total);
			}
			wide[at] = kept;
		}
	}
	free(wide);
	assert_true(weir_decoder_stats(feed.fast)->fast_records > 1000);
	feed_close(&feed);
}

static void
test_mutations(void **state)
{
	(void)state;
	mutations(NULL, CANONICAL_RECORD);
	mutations(KORE_MAPPING, KORE_RECORD);
	mutations(EMNIFY_MAPPING, EMNIFY_RECORD);
}

/* A long string across the end, so that each length of the tail is read both ways. */
static void
test_lengths(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	for (int pad = 0; pad < 300; pad++) {
		char text[1024];
		(void)snprintf(
		    text, sizeof(text), "{\"iccid\":\"89860000000000000001\",\"up\":1," E ",\"id\":\"%0*d\"}", pad + 1, 7);
		for (int i = 0; i < 2; i++)
			expect_reject(&feed, WEIR_REJECT_NONE, text);
		(void)snprintf(text, sizeof(text), "{\"x\":\"%0*d\",\"up\":1}", pad + 1, 7);
		expect_reject(&feed, WEIR_REJECT_NO_IDENTITY, text);
	}
	feed_close(&feed);
}

static void
test_bombs_and_size(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	size_t len = 10u << 20;
	char *text = malloc(len + 1);
	memset(text, '[', len);
	assert_int_equal(decode_both(&feed, text, len), 1);
	memset(text, '{', len);
	assert_int_equal(decode_both(&feed, text, len), 1);
	for (size_t depth = 1023; depth <= 1026; depth++) {
		const size_t at = 5;
		memcpy(text, "{\"x\":", at);
		memset(text + at, '[', depth);
		memset(text + at + depth, ']', depth);
		text[at + 2 * depth] = '}';
		assert_int_equal(decode_both(&feed, text, at + 2 * depth + 1), 1);
		assert_int_equal(feed.out_full.v[0].reject == WEIR_REJECT_MALFORMED, depth > 1023);
	}
	size_t at = 0;
	text[at++] = '[';
	while (at + 400 < len)
		at += (size_t)sprintf(text + at, "%s%s", at > 1 ? "," : "", CANONICAL_RECORD);
	text[at++] = ']';
	uint32_t n = decode_both(&feed, text, at);
	assert_true(n > 30000);
	assert_int_equal(weir_decoder_stats(feed.full)->rejects, 6);
	feed_close(&feed);
	struct weir_decoder *small = weir_decoder_new(NULL, 100);
	struct weir_records out = {0};
	assert_int_equal(weir_decode(small, (struct weir_slice){0}, (struct weir_slice){(uint8_t *)text, 101}, 0, &out), 1);
	assert_int_equal(out.v[0].reject, WEIR_REJECT_TOO_LARGE);
	weir_records_free(&out);
	weir_decoder_free(small);
	free(text);
}

static size_t
packed_put(uint8_t *out, const char *iccid, const uint64_t words[6])
{
	struct weir_iccid packed = {0};
	if (iccid[0] != '\0')
		(void)weir_iccid_parse((const uint8_t *)iccid, strlen(iccid), &packed);
	memcpy(out, &packed, 16);
	memcpy(out + 16, words, 48);
	return 64;
}

static void
test_packed(void **state)
{
	(void)state;
	struct feed feed;
	feed_open(&feed, NULL);
	static const struct {
		const char *iccid;
		uint64_t words[6]; /* id, session, up, down, end offset | seq, imei | flags */
		enum weir_reject reject;
	} CASES[] = {
	    {"89860000000000000001", {5, 0, 1, 2, 1000, 0}, WEIR_REJECT_NONE},
	    {"8986000000000000000", {0, 9, 1, 2, (uint64_t)7 << 32, 1ull << 56 | 86000000000000u}, WEIR_REJECT_NONE},
	    {"", {5, 0, 1, 2, 0xffffffff, 0}, WEIR_REJECT_NONE},
	    {"89860000000000000001", {0, 9, 1, 2, 0, 2ull << 56}, WEIR_REJECT_NONE},
	    {"89860000000000000001", {0, 9, 1, 2, 0, 0}, WEIR_REJECT_NO_IDENTITY},
	    {"89860000000000000001", {5, 0, 1, 2, 0, 2ull << 56}, WEIR_REJECT_NO_IDENTITY},
	    {"89860000000000000001", {5, 0, 1ull << 56, 2, 0, 0}, WEIR_REJECT_BAD_VOLUME},
	    {"89860000000000000001", {5, 0, 1, 2, 0, 16ull << 56}, WEIR_REJECT_BAD_FIELD},
	    {"89860000000000000001", {5, 0, 1, 2, 0, 100000000000000u}, WEIR_REJECT_BAD_FIELD},
	};
	uint32_t count = sizeof(CASES) / sizeof(*CASES);
	int64_t base_us = 1774847296894000;
	uint8_t message[16 + 64 * 16] = "WRP1";
	memcpy(message + 4, &count, 4);
	memcpy(message + 8, &base_us, 8);
	size_t len = 16;
	for (uint32_t i = 0; i < count; i++)
		len += packed_put(message + len, CASES[i].iccid, CASES[i].words);
	assert_int_equal(decode_both(&feed, message, len), count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(feed.out_full.v[i].reject, CASES[i].reject);
	assert_int_equal(feed.out_full.v[0].end_us, base_us + 1000000);
	assert_int_equal(feed.out_full.v[2].end_us, base_us - 1000);
	assert_int_equal(feed.out_full.v[1].seq, 7);
	assert_true(feed.out_full.v[0].id_hash == weir_identity_hash_u64(feed.out_full.v[0].iccid, 5));
	for (size_t cut = 4; cut < len; cut++) {
		assert_int_equal(decode_both(&feed, message, cut), 1);
		assert_int_equal(feed.out_full.v[0].reject, WEIR_REJECT_MALFORMED);
	}
	uint8_t kept[sizeof(message)];
	memcpy(kept, message, sizeof(kept));
	for (size_t bit = 16 * 8; bit < 32 * 8; bit++) { /* an ICCID is taken exactly when its text packs to the same */
		memcpy(message, kept, sizeof(kept));
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
		(void)decode_both(&feed, message, len);
		struct weir_iccid iccid, back = {0};
		char text[WEIR_ICCID_TEXT_MAX];
		memcpy(&iccid, message + 16, 16);
		size_t text_len = weir_iccid_format(iccid, text);
		bool valid = weir_iccid_parse((const uint8_t *)text, text_len, &back) && weir_iccid_equal(iccid, back);
		assert_int_equal(feed.out_full.v[0].reject == WEIR_REJECT_NONE, valid);
	}
	feed_close(&feed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_canonical_fields),
	    cmocka_unit_test(test_rejects),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_arrays_and_lines),
	    cmocka_unit_test(test_repeated_and_escaped),
	    cmocka_unit_test(test_feeds),
	    cmocka_unit_test(test_mutations),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_bombs_and_size),
	    cmocka_unit_test(test_odd_values),
	    cmocka_unit_test(test_packed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
