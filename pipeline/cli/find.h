/*
 * What `weir card` and `weir pool` share: one thing as lines of name and value, and lists that come page by page, as a
 * table or a JSON object a line. Main thread.
 */
#ifndef WEIR_PIPELINE_CLI_FIND_H
#define WEIR_PIPELINE_CLI_FIND_H

#include "pipeline/cli/reading.h"
#include "pipeline/cli/table.h"

/* "name          value" */
void weir_find_line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same of several values; nothing when there are none. */
void weir_find_line_list(const char *name, const char *const *values, uint32_t count);

/* A list under way. `table` takes the rows, or with as_json `buf` takes one object after the other. */
struct weir_find_list {
	struct weir_table table;
	struct weir_buf buf;
	uint64_t max, shown;
	bool as_json;
};

/* columns and spare as table.h has them. */
void weir_find_list_begin(
    struct weir_find_list *list, const struct weir_column *columns, const char *spare, uint64_t max, bool as_json);
/* How many the next page may hold. */
uint32_t weir_find_list_room(const struct weir_find_list *list);
/* After a page of `count`: is there a next one, behind the cursor `next`, and is it wanted? */
bool weir_find_list_goes_on(struct weir_find_list *list, uint32_t count, const char *next);
/* Prints what waits, says whether there are more, and returns the exit code for the last answer. */
int weir_find_list_end(struct weir_find_list *list, const struct weir_reading *reading, enum weir_read answer,
    const char *next, const struct weir_error *err);

#endif
