/* Partitions as they are shown: their headers, owners and positions; see query.h. */
#include <string.h>

#include "pipeline/query/query_priv.h"

void
partition_view_make(struct weir_reader *reader, uint32_t number, struct weir_partition_view *view)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[number];
	const char **topics = arena_take(&reader->arena, partition_meta->checkpoint_offset_count + 1, sizeof(*topics));
	int64_t *offsets = arena_take(&reader->arena, partition_meta->checkpoint_offset_count + 1, sizeof(*offsets));
	for (uint32_t k = 0; k < partition_meta->checkpoint_offset_count; k++) {
		topics[k] = arena_text(&reader->arena, partition_meta->checkpoint_offsets[k].topic,
		    strlen(partition_meta->checkpoint_offsets[k].topic));
		offsets[k] = partition_meta->checkpoint_offsets[k].offset;
	}
	*view = (struct weir_partition_view){.partition = number,
	    .exists = partition_meta->exists,
	    .epoch = partition_meta->epoch,
	    .flush = partition_meta->flush,
	    .owner = arena_text(&reader->arena, partition_meta->owner, strlen(partition_meta->owner)),
	    .stream_time_us = partition_meta->stream_time_us,
	    .cards = slots_given(partition_meta, WEIR_SLAB_CARDS, sizeof(struct weir_card_slot)),
	    .pools = slots_given(partition_meta, WEIR_SLAB_POOLS, sizeof(struct weir_pool_slot)),
	    .enforcements = slots_given(partition_meta, WEIR_SLAB_ENFORCEMENTS, sizeof(struct weir_enforcement_slot)),
	    .sessions = slots_given(partition_meta, WEIR_SLAB_SESSIONS, sizeof(struct weir_session_slot)),
	    .topics = topics,
	    .offsets = offsets,
	    .topic_count = partition_meta->checkpoint_offset_count};
}

enum weir_read
weir_read_partitions(struct weir_reader *reader, const struct weir_partition_view **partitions_out, uint32_t *count_out,
    struct weir_error *err)
{
	enum weir_read answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK)
		answer = partitions_refresh(reader, NULL, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_partition_view *views = arena_take(&reader->arena, reader->partitions, sizeof(*views));
	for (uint32_t p = 0; p < reader->partitions; p++)
		partition_view_make(reader, p, &views[p]);
	*partitions_out = views;
	*count_out = reader->partitions;
	return WEIR_READ_OK;
}
