/* All that changed in a partition, as bytes for the store. */
#ifndef WEIR_AGGREGATORS_SNAPSHOT_ENCODE_H
#define WEIR_AGGREGATORS_SNAPSHOT_ENCODE_H

#include "aggregators/state/state.h"

/*
 * Where encode writes: the owner turns each call into a store command. Pages and ranges are copied during the call.
 */
struct weir_writer {
	void *ctx;
	void (*page)(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len);
	void (*range)(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len);
	/* tag: 'y' cards', 'z' pools' closed cycles */
	void (*closed_cycles)(
	    void *ctx, char tag, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len);
	uint8_t *(*dedupe_keys)(
	    void *ctx, int64_t hour, uint32_t bucket, uint32_t len);     /* append: returns where to write len bytes */
	uint8_t *(*directory)(void *ctx, uint32_t bucket, uint32_t len); /* append */
	void (*name)(void *ctx, struct weir_slice name);                 /* push */
	void (*reference)(void *ctx, struct weir_slice field, struct weir_slice json); /* set */
	void (*intent_done)(void *ctx, const struct weir_unconfirmed_card *intent);
	weir_windows_append_fn window; /* append */
};

/*
 * Writes all that changed since the last encode and forgets that it changed. The owner must not encode while records are
 * parked, and must either bring the bytes into the store or reload the partition. sparse_slots: below this many dirty slots
 * a page is written by ranges.
 */
void weir_partition_encode(struct weir_partition *partition, const struct weir_writer *writer, uint32_t sparse_slots);

/* Has anything changed that an encode would write? */
bool weir_partition_has_changed(const struct weir_partition *partition);
/* About how many bytes that will be, rather more than fewer: what to have room for, so that nothing moves as it grows. */
uint64_t weir_partition_encode_bytes(const struct weir_partition *partition);

#endif
