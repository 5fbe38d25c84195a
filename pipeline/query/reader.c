/* The reader's making and ending; see query.h. It stands above the rest of the room: nothing in it is called by them. */
#include <stdlib.h>

#include "pipeline/query/query_priv.h"

struct weir_reader *
weir_reader_new(const struct weir_reader_opts *opts)
{
	WEIR_CHECK(opts->settings != NULL);
	struct weir_reader *reader = weir_calloc(1, sizeof(*reader));
	reader->magic = READ_MAGIC;
	reader->opts = *opts;
	reader->prefix = opts->settings->redis_prefix;
	reader->redis = weir_redis_new(&(struct weir_redis_opts){.settings = opts->settings});
	return reader;
}

void
weir_reader_free(struct weir_reader *reader)
{
	if (reader == NULL)
		return;
	WEIR_CHECK_MAGIC(reader, READ_MAGIC);
	weir_redis_free(reader->redis);
	partition_metas_free(reader);
	fleet_free(reader->fleet);
	free(reader->wants);
	zones_free(reader);
	arena_free(&reader->arena);
	reader->magic = 0;
	free(reader);
}
