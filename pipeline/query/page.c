/* Pages of a list of cards or pools: what every one begins and ends with. */
#include "pipeline/query/query_priv.h"

enum weir_read
page_begin(struct weir_reader *reader, const char *cursor, uint64_t query, uint32_t max, struct cursor *at_out,
    struct weir_error *err)
{
	enum weir_read answer = cursor_read(cursor, query, at_out, err);
	if (answer == WEIR_READ_OK)
		answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK && (max == 0 || max > WEIR_PAGE_MAX))
		answer = read_fail(err, WEIR_READ_REFUSED, "limit: must be from 1 to %u", WEIR_PAGE_MAX);
	return answer == WEIR_READ_OK ? partitions_refresh(reader, NULL, err) : answer;
}

void
page_hash_text(struct weir_buf *query, const char *text)
{
	const char *known = search_any(text) ? "" : text;
	weir_buf_append(query, known, strlen(known) + 1);
}

uint64_t
page_hash(struct weir_buf *query)
{
	uint64_t hash = cursor_query((struct weir_slice){query->data, query->len});
	weir_buf_free(query);
	return hash;
}
