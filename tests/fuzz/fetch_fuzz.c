/*
 * Fuzz target: whatever a broker may answer, read as a response of each kind and version, and as record batches of every
 * codec.
 *
 * The first byte says which. The bytes lie in memory of exactly their size, so that the sanitizer sees the first step
 * outside; every slice that comes out is read in full. Checksums are computed and not believed, so that damage gets past
 * them.
 */
#include <stdlib.h>

#include "consumers/direct/records.h"
#include "consumers/wire/protocol.h"
#include "consumers/wire/scram.h"

#define ROOM (64u << 10)

static uint64_t seen;

static void
touch_bytes(struct weir_slice slice)
{
	for (size_t i = 0; i < slice.len; i++)
		seen += slice.data[i];
}

static void
walk_plain(const struct record_batch *batch, struct weir_slice plain)
{
	struct records_walk walk;
	struct weir_message messages[16];
	uint32_t count;
	enum records_fault fault;
	records_walk_begin(&walk, batch, plain);
	do {
		fault = records_walk_next(&walk, batch->base_offset + 1, messages, 16, &count);
		for (uint32_t i = 0; i < count; i++) {
			touch_bytes(messages[i].key);
			touch_bytes(messages[i].value);
			WEIR_CHECK(messages[i].offset > batch->base_offset);
		}
	} while (fault == RECORDS_OK);
}

static void
walk_records(struct weir_slice records)
{
	static struct records_codecs *codecs;
	static uint8_t *room;
	if (codecs == NULL) {
		codecs = records_codecs_new();
		room = malloc(ROOM);
	}
	const uint8_t *at = records.data, *end = at + records.len;
	struct record_batch batch;
	bool aborts;
	while (records_batch(&at, end, &batch) == RECORDS_OK) {
		seen += records_checksum(&batch);
		size_t len = 0;
		if (batch.control)
			seen += records_marker(&batch, &aborts);
		if (batch.codec == RECORDS_PLAIN)
			walk_plain(&batch, batch.records);
		else if (records_unpack(codecs, batch.codec, batch.records, room, ROOM, &len) == RECORDS_OK)
			walk_plain(&batch, (struct weir_slice){room, len});
		WEIR_CHECK(len <= ROOM);
	}
}

static void
read_fetch(struct wire_reader r, int16_t version)
{
	struct protocol_fetch fetch;
	struct protocol_fetched fetched;
	protocol_fetched_begin(&fetch, r, version);
	while (protocol_fetched_next(&fetch, &fetched)) {
		touch_bytes(fetched.name);
		for (uint32_t i = 0; i < fetched.aborted_count; i++)
			seen += (uint64_t)protocol_aborted_next(&fetched.aborted, version).producer_id;
		walk_records(fetched.records);
	}
}

static void
read_metadata(struct wire_reader r, int16_t version)
{
	struct protocol_metadata m;
	struct protocol_broker broker;
	struct protocol_topic topic;
	struct protocol_leader leader;
	protocol_metadata_begin(&m, r, version);
	while (protocol_metadata_broker(&m, &broker))
		touch_bytes(broker.host);
	while (protocol_metadata_topic(&m, &topic)) {
		touch_bytes(topic.name);
		while (protocol_metadata_partition(&m, &leader))
			seen += (uint64_t)leader.leader;
	}
}

static void
read_offsets(struct wire_reader r, enum protocol_api api, int16_t version)
{
	struct protocol_offsets o;
	struct protocol_offset one;
	if (!protocol_offsets_begin(&o, r, api, version))
		return;
	touch_bytes(o.topic);
	while (protocol_offsets_next(&o, &one))
		seen += (uint64_t)one.offset + (uint64_t)one.epoch;
}

/* A place as Redis may hold it: what is read is written back the same. */
static void
read_log_name(struct weir_slice text)
{
	struct log_name name;
	char again[LOG_TEXT_MAX];
	if (!log_name_parse(text, &name))
		return;
	log_name_text(&name, again);
	WEIR_CHECK(weir_slice_equals(text, again));
}

static void
read_small(struct wire_reader r, int16_t version)
{
	struct protocol_versions versions;
	struct weir_slice text, bytes;
	int16_t error;
	int32_t epoch;
	int64_t offset;
	struct wire_reader again = r;
	read_offsets(r, API_LIST_OFFSETS, (int16_t)(1 + version % 6));
	read_offsets(r, API_EPOCH_END, (int16_t)(2 + version % 3));
	read_log_name((struct weir_slice){r.at, wire_left(&r)});
	seen += protocol_read_versions(&again, version & 3, &error, &versions);
	again = r;
	seen += protocol_read_offset(&again, (int16_t)(1 + version % 6), &error, &offset);
	again = r;
	seen += protocol_read_epoch_end(&again, (int16_t)(2 + version % 3), &error, &epoch, &offset);
	again = r;
	if (protocol_read_sasl(&again, &error, &text))
		touch_bytes(text);
	again = r;
	if (protocol_read_authenticate(&again, version & 1, &error, &text, &bytes, &offset)) {
		touch_bytes(text);
		touch_bytes(bytes);
	}
}

static void
read_scram(struct weir_slice words)
{
	struct scram scram = {.user = "u", .password = "p", .nonce = "r"};
	struct weir_buf out = {0};
	scram_first(&scram, &out);
	if (memmem(words.data, words.len, "i=4096", 6) != NULL) /* each round costs */
		(void)scram_final(&scram, words, &out);
	seen += scram_verify(&scram, words);
	scram_free(&scram);
	weir_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint8_t *copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	struct wire_reader r = {copy, copy + size - 1, false};
	int16_t version = data[0] & 15;
	switch (data[0] >> 4) {
	case 0:
		read_fetch(r, version < 4 ? 13 : version > 13 ? 12 : version);
		break;
	case 1:
		read_metadata(r, (int16_t)(1 + version % 12));
		break;
	case 2:
		read_small(r, version);
		break;
	case 3:
		read_scram((struct weir_slice){copy, size - 1});
		break;
	default:
		walk_records((struct weir_slice){copy, size - 1});
		break;
	}
	free(copy);
	return 0;
}
