/*
 * Workloads: what a fleet sends, described in a small file and made from a seed.
 *
 * A file is flat YAML, `key: value` (bench/workloads/, docs/benchmark.md has the keys); a mistake is answered with file,
 * line and key. The same file and seed give the same records on every machine and in every subcommand. A generator gives
 * records one after the other, in the order in which they arrive at Kafka, in virtual time: record n arrives when a fleet
 * of so many cards, each with a record every `interval`, would have sent it. Files carry a version: `version: 1` means what
 * is here; a change of meaning gets another number, so that old results stay comparable with themselves.
 */
#ifndef WEIR_BENCH_WORKLOAD_H
#define WEIR_BENCH_WORKLOAD_H

#include "aggregators/tables/record.h"
#include "config/base/error.h"
#include "config/base/slice.h"

enum { WORKLOAD_NAME_MAX = 64, WORKLOAD_TITLE_MAX = 128, WORKLOAD_JSON_MAX = 512 };
enum workload_format { WORKLOAD_JSON, WORKLOAD_PACKED };
enum workload_identity { WORKLOAD_BY_ID, WORKLOAD_BY_SEQUENCE };

/* Shares are millionths. */
struct workload {
	char name[WORKLOAD_NAME_MAX];   /* of the file, without folder and ending */
	char title[WORKLOAD_TITLE_MAX]; /* a sentence for people */
	uint64_t version;
	uint64_t cards, records;
	uint64_t format, batch;                    /* enum workload_format; records a message */
	uint64_t identity;                         /* enum workload_identity */
	uint64_t skew_ppm;                         /* exponent of a Zipf distribution over cards; 0 = all alike */
	uint64_t interval_ms;                      /* between two records of one card, on average */
	uint64_t start_us;                         /* of virtual time */
	uint64_t surge_ppm, surge_at_us, surge_ms; /* records come so many times as fast for a while; ppm 0 = never */
	uint64_t volume_max;                       /* bytes of one record: up to that, small ones are frequent */
	uint64_t allowance;             /* of a card without a pool, and of each member of a pool; 0 = without end */
	uint64_t pools, pool_cards_ppm; /* how many; which share of the cards is in one */
	uint64_t pool_largest_ppm;      /* share of those cards in the first pool; 0 = all pools alike */
	uint64_t duplicates_ppm;        /* share of records that repeat one of the last 8,192 */
	uint64_t late_ppm, late_ms;     /* share of records whose end lies up to late_ms back */
};

/*
 * Reads `name`: a file when it has a slash or ends in .conf, else NAME.conf in the folder of workloads beside the program,
 * in share/weir/workloads of its installation, or in $WEIR_BENCH_WORKLOADS. POISON: err names file, line and key.
 */
enum weir_class workload_load(const char *name, struct workload *workload_out, struct weir_error *err);
/* The same from text; `source` is for messages. */
enum weir_class workload_parse(
    struct weir_slice text, const char *source, struct workload *workload_out, struct weir_error *err);
/* Fewer cards and records, for quick runs: pools shrink with them. 0 leaves a number as it is. */
void workload_scale(struct workload *workload, uint64_t cards, uint64_t records);
/* Every key with its value as in a file, in the order of the table; value is valid during the call. */
void workload_each(const struct workload *workload,
    void (*each)(void *ctx, const char *key, const char *value, const char *help), void *ctx);

/* One record as its producer knows it. */
struct workload_record {
	uint64_t n;         /* its number from 0; a duplicate has the first one's */
	uint64_t card;      /* number from 0 */
	uint64_t sequence;  /* of the card's session, from 1, without gaps */
	uint64_t up, down;  /* bytes */
	int64_t end_us;     /* its own time; whole milliseconds */
	int64_t arrived_us; /* at Kafka */
	bool duplicate;
};

/* Gives all records of cards 0 .. cards - 1 in turn. One thread each; memory: 4 bytes a card. */
struct workload_generator;
struct workload_generator *workload_generator_new(const struct workload *workload, uint64_t seed);
void workload_generator_free(struct workload_generator *generator);
/* The next record; goes on for ever, workload->records is what the caller goes by. */
void workload_next(struct workload_generator *generator, struct workload_record *record_out);

/* Cards by number, without a generator. */
void workload_iccid_text(uint64_t card, char out[WEIR_ICCID_TEXT_MAX]);
struct weir_iccid workload_iccid(uint64_t card);
/* The card's pool from 1 on; 0 = none. */
uint64_t workload_pool_of(const struct workload *workload, uint64_t card);
/* Cards that are in that pool. */
uint64_t workload_pool_size(const struct workload *workload, uint64_t pool);

/* As canonical JSON in the usual order (docs/formats.md); not terminated. Returns the length, below WORKLOAD_JSON_MAX. */
size_t workload_json(const struct workload *workload, const struct workload_record *record, char *out);
/* A message of the workload's format with those records, appended to `out`: JSON object, array, or packed batch. */
void workload_message(
    const struct workload *workload, const struct workload_record *records, uint32_t count, struct weir_buf *out);
/* As the decoder would give it. */
void workload_decoded(
    const struct workload *workload, const struct workload_record *record, struct weir_record *record_out);

/*
 * The messages of weir.cards that the fleet needs, in an order in which they may be applied. key is the ICCID or the pool's
 * id; NULL: to every partition. Both are valid during the call.
 */
typedef void (*workload_reference_fn)(void *ctx, const char *key, const char *json);
void workload_definitions(const struct workload *workload, workload_reference_fn each, void *ctx); /* plans, pools */
void workload_card_json(const struct workload *workload, uint64_t card, char out[WORKLOAD_JSON_MAX]);

#endif
