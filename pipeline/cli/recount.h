/*
 * Counting anew: what each card of a partition must have counted, from the records alone (REC-2 to REC-7).
 *
 * Written from the rules and docs/formats.md; it shares the decoders with the lanes but not their fold, so that a mistake
 * there is not made twice. It does things the plain way: every identity is remembered exactly (the fold keeps hashes by
 * hour, windows and ranges), every card and cycle has a cell. Memory: 8 to 16 bytes a record of the dedupe horizon, 100 a
 * card and cycle. One thread.
 *
 * What Kafka no longer has cannot be counted. With `exact_from_us` set, only cycles that began at or after it are known to
 * be whole: their records all came later. Where a session's totals were under way by then, its first delta is not known
 * either.
 */
#ifndef WEIR_PIPELINE_CLI_RECOUNT_H
#define WEIR_PIPELINE_CLI_RECOUNT_H

#include "aggregators/tables/record.h"
#include "config/settings/settings.h"
#include "pipeline/query/query.h"

struct weir_recount;

struct weir_recount_stats {
	uint64_t records, counted, duplicates, too_late, future, rejected, unknown_cards;
};

/* A card's volume of one cycle, as counted. */
struct weir_recounted {
	struct weir_volume sure;  /* of records that came after the card was known */
	struct weir_volume early; /* of records that came before it: counted or not, by which topic was read first */
	bool unsure;              /* a session's totals began before what Kafka has */
};

/* The snapshot is borrowed. now_us: the clock, above which stream time never goes. */
struct weir_recount *weir_recount_new(
    const struct weir_settings *settings, const struct weir_snapshot *snapshot, int64_t now_us);
void weir_recount_free(struct weir_recount *recount);

/* Kafka's beginning is missing: see above. Before any record. */
void weir_recount_truncated(struct weir_recount *recount, int64_t exact_from_us);
/* A definition of a card came at that time; the first one counts. */
void weir_recount_card(struct weir_recount *recount, struct weir_iccid iccid, int64_t arrived_us);
/* One decoded record, in the partition's order. */
void weir_recount_record(struct weir_recount *recount, const struct weir_record *record);

const struct weir_recount_stats *weir_recount_stats(const struct weir_recount *recount);
/* Of a card slot of the snapshot. */
struct weir_recounted weir_recount_get(const struct weir_recount *recount, uint32_t slot, int32_t cycle);
/* Does Kafka have all of this cycle of the card? */
bool weir_recount_is_whole(const struct weir_recount *recount, uint32_t slot, int32_t cycle);

#endif
