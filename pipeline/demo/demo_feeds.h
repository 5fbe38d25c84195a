/*
 * Traffic records as text: the canonical format in its three ways of identity, and the two real feeds' shapes (KORE's
 * connection events, emnify's Data Streamer). Pure.
 */
#ifndef WEIR_PIPELINE_DEMO_FEEDS_H
#define WEIR_PIPELINE_DEMO_FEEDS_H

#include "config/base/slice.h"
#include "pipeline/demo/demo_fleet.h"

#define WEIR_DEMO_TOPIC_RECORDS "weir.records"
#define WEIR_DEMO_TOPIC_KORE "feed.kore"
#define WEIR_DEMO_TOPIC_EMNIFY "feed.emnify"

struct weir_demo_record {
	uint64_t id; /* unique in the run */
	uint64_t seq;
	uint64_t up, down;             /* of this record */
	uint64_t up_total, down_total; /* session's totals with it */
	int64_t end_us;                /* a whole second for KORE, a whole millisecond otherwise */
};

const char *weir_demo_topic(enum weir_demo_style style);

/* What one unit of time of a style's text is: ends are cut to it. */
int64_t weir_demo_time_unit_us(enum weir_demo_style style);

/* Appends one record as the card's style has it. */
void weir_demo_record_write(const struct weir_demo_card *card, const struct weir_demo_record *record, struct weir_buf *out);

/* An element that the feed's filter must leave out: a started event, a text message. Nothing for canonical styles. */
bool weir_demo_other_write(const struct weir_demo_card *card, const struct weir_demo_record *record, struct weir_buf *out);

#endif
