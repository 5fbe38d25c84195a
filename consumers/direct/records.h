/*
 * Record batches (format v2) read in place: a pure walk over bytes, no I/O, no allocation.
 *
 * Offsets and lengths come from the network and are believed only after they were held against the bytes that are there.
 * A fault names what is wrong; after one nothing more is to be read of these bytes.
 */
#ifndef WEIR_CONSUMERS_RECORDS_H
#define WEIR_CONSUMERS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/slice.h"
#include "consumers/source/source.h"

enum records_fault {
	RECORDS_OK = 0,
	RECORDS_END,    /* nothing left */
	RECORDS_CUT,    /* the batch goes on past the bytes that were fetched */
	RECORDS_OLD,    /* message format 0 or 1: not read here */
	RECORDS_LENGTH, /* a length or count that cannot be true */
	RECORDS_VARINT, /* a varint that runs on */
	RECORDS_CRC,    /* the checksum differs */
	RECORDS_CODEC,  /* a compression that nobody knows */
	RECORDS_PACKED, /* compressed bytes that are none */
	RECORDS_BOMB,   /* more than may come out of compressed bytes */
	RECORDS_ROOM,   /* what comes out does not fit the room given; in more room it may */
};
const char *records_fault_text(enum records_fault fault);

enum records_codec { RECORDS_PLAIN, RECORDS_GZIP, RECORDS_SNAPPY, RECORDS_LZ4, RECORDS_ZSTD };

#define RECORDS_HEAD_BYTES 61u  /* base offset to record count */
#define RECORDS_LENGTH_FROM 12u /* what the length counts begins here */
#define RECORDS_CRC_FROM 21u    /* what the checksum covers begins here: the attributes */

struct record_batch {
	int64_t base_offset;
	int64_t last_offset; /* of the batch as it was written; compaction may have taken its last records */
	int64_t base_ms, max_ms;
	int64_t producer_id;
	int32_t leader_epoch;
	uint32_t count;
	enum records_codec codec;
	bool log_append, transactional, control;
	const uint8_t *crc_from; /* what the checksum covers, up to the end */
	uint32_t crc;
	struct weir_slice records; /* as they came: compressed or not */
};

/*
 * Reads the head of the batch at *at and moves *at behind the batch. RECORDS_END, RECORDS_CUT: *at stays. Checks lengths,
 * not the checksum: what follows may be looked through for the next offset alone.
 */
enum records_fault records_batch(const uint8_t **at, const uint8_t *end, struct record_batch *batch);
enum records_fault records_checksum(const struct record_batch *batch);

/* The walk through one batch's records, plain bytes. */
struct records_walk {
	const uint8_t *at, *end;
	uint32_t left; /* records to come */
	int64_t base_offset, base_ms, append_ms;
	bool log_append;
};
void records_walk_begin(struct records_walk *walk, const struct record_batch *batch, struct weir_slice plain);
/*
 * Up to max messages from offset `from` on; the slices point into the plain bytes. *count_out is how many, also with a
 * fault. RECORDS_END with the batch's last record.
 */
enum records_fault records_walk_next(
    struct records_walk *walk, int64_t from, struct weir_message *messages, uint32_t max, uint32_t *count_out);
/* Of a control batch: does its marker abort (true) or commit? */
enum records_fault records_marker(const struct record_batch *batch, bool *abort_out);

/*
 * Unpacks into room bytes at `out`. RECORDS_ROOM: more would come out; it may be tried with more room. RECORDS_PACKED:
 * never.
 */
struct records_codecs;
struct records_codecs *records_codecs_new(void); /* contexts of the libraries, one set a thread */
void records_codecs_free(struct records_codecs *codecs);
enum records_fault records_unpack(struct records_codecs *codecs, enum records_codec codec, struct weir_slice packed,
    uint8_t *out, size_t room, size_t *len_out);

#endif
