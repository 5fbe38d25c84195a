/*
 * What the reading commands share: settings and a reader from the command line, the reader's answers as exit codes, the
 * filters of a search as options, and JSON on stdout. Main thread.
 */
#ifndef WEIR_PIPELINE_CLI_READING_H
#define WEIR_PIPELINE_CLI_READING_H

#include "config/base/exit.h"
#include "config/base/slice.h"
#include "config/settings/settings_options.h"
#include "pipeline/query/print.h"
#include "pipeline/query/query.h"

struct weir_reading {
	const char *command; /* for mistakes */
	struct weir_settings *settings;
	struct weir_reader *reader;
};

/* Loads settings and makes a reader; returns an enum weir_exit. */
int weir_reading_open(struct weir_reading *reading, const char *command, const struct weir_settings_options *common);
void weir_reading_close(struct weir_reading *reading);
/* Says what went wrong and returns the exit code: missing 1, refused 2, away or broken 4. */
int weir_reading_fail(const struct weir_reading *reading, enum weir_read answer, const struct weir_error *err);

/* Filters of a search over cards, as given. */
struct weir_filters {
	struct weir_words reasons, statuses;
	const char *carrier, *plan, *pool, *tag, *from, *to;
};
#define WEIR_OPTIONS_FILTERS(filters)                                                                                      \
	{.name = "status",                                                                                                 \
	    .placeholder = "WORD",                                                                                         \
	    .help = "cards of this status; may be repeated",                                                               \
	    .words = &(filters).statuses},                                                                                 \
	    {.name = "reason",                                                                                             \
		.placeholder = "WORD",                                                                                     \
		.help = "cards with this reason; may be repeated",                                                         \
		.words = &(filters).reasons},                                                                              \
	    {.name = "carrier", .placeholder = "ID", .help = "cards of this carrier", .text = &(filters).carrier},         \
	    {.name = "plan", .placeholder = "ID", .help = "cards of this plan", .text = &(filters).plan},                  \
	    {.name = "pool", .placeholder = "ID", .help = "members of this pool", .text = &(filters).pool},                \
	    {.name = "tag", .placeholder = "TEXT", .help = "cards with this tag", .text = &(filters).tag},                 \
	    {.name = "first", .placeholder = "ICCID", .help = "cards from this ICCID on", .text = &(filters).from},        \
	{                                                                                                                  \
		.name = "last", .placeholder = "ICCID", .help = "cards up to this ICCID", .text = &(filters).to            \
	}
/* True when any was given. */
bool weir_filters_given(const struct weir_filters *filters);
/* Into a query that borrows their texts; false with err, which names the nearest word. */
bool weir_filters_query(const struct weir_filters *filters, struct weir_card_query *query_out, struct weir_error *err);

/* Writes and empties the buffer, with a newline; false when stdout is closed. */
bool weir_reading_put(struct weir_buf *buf);

/* Cards that match, as a table or a JSON object a line (card.c). */
int weir_cli_card_list(struct weir_reading *reading, const struct weir_card_query *query, uint64_t max, bool as_json);

/* "usage_limit, manual"; "-" for none. Returns out. */
#define WEIR_REASONS_TEXT_MAX 256
const char *weir_reasons_text(uint16_t reasons, char out[WEIR_REASONS_TEXT_MAX]);

#endif
