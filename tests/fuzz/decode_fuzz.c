/*
 * The two ways of decoding must give the same records for any bytes: weir_decode with a warm shape cache against
 * weir_decode_full, for the canonical format, KORE and emnify.
 *
 * The input is decoded as it is, and once more after the samples have been read again, so that it also meets shapes learnt
 * from well-formed records. Decoders live on between inputs on purpose: what one input teaches, the next may abuse.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/mapping/mapping.h"
#include "consumers/decode/decode.h"
#include "tests/unit/decode_samples.h"

#define FEEDS 3

struct feed {
	struct weir_decoder *fast;
	struct weir_decoder *full;
	const char *sample;
};

static struct weir_records out_fast, out_full;

static void
feed_check(struct feed *feed, struct weir_slice value)
{
	static const uint8_t KEY[] = "89860000000000000009";
	struct weir_slice key = {KEY, sizeof(KEY) - 1};
	out_fast.n = out_full.n = 0;
	uint64_t fast = weir_decoder_stats(feed->fast)->filtered, full = weir_decoder_stats(feed->full)->filtered;
	uint32_t n = weir_decode(feed->fast, key, value, 1, &out_fast);
	uint32_t m = weir_decode_full(feed->full, key, value, 1, &out_full);
	if (n != m || (n > 0 && memcmp(out_fast.v, out_full.v, n * sizeof(*out_full.v)) != 0))
		abort();
	if (weir_decoder_stats(feed->fast)->filtered - fast != weir_decoder_stats(feed->full)->filtered - full)
		abort();
	for (uint32_t i = 0; i < n; i++)
		if (out_full.v[i].raw_off > value.len || out_full.v[i].raw_len > value.len - out_full.v[i].raw_off)
			abort();
}

static struct feed
feed_of(const char *yaml, const char *sample)
{
	struct weir_mapping *mapping = NULL;
	struct weir_error err;
	if (yaml != NULL && weir_mapping_parse("feed", weir_slice_of(yaml), &mapping, &err) != WEIR_OK)
		abort();
	return (struct feed){weir_decoder_new(mapping, 1 << 20), weir_decoder_new(mapping, 1 << 20), sample};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct feed feeds[FEEDS];
	if (feeds[0].fast == NULL) {
		feeds[0] = feed_of(NULL, CANONICAL_RECORD);
		feeds[1] = feed_of(KORE_MAPPING, KORE_RECORD);
		feeds[2] = feed_of(EMNIFY_MAPPING, EMNIFY_RECORD);
	}
	struct weir_slice value = {data, size};
	for (int i = 0; i < FEEDS; i++) {
		feed_check(&feeds[i], value);
		feed_check(&feeds[i], weir_slice_of(feeds[i].sample));
		feed_check(&feeds[i], value);
	}
	return 0;
}
