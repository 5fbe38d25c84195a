/*
 * Letters: what a stage tells Kafka — dead letters (REC-7) and audit entries (CMD-4), partials, words and alerts
 * (docs/pools.md) — through two idempotent producers. The second one serves what others wait for: partials and words lie
 * between a record and its pool's cut-off, so they do not linger, and no pile of dead letters is in front of them.
 *
 * A flush must not store an offset whose letters Kafka has not acknowledged, or a crash would drop them in silence. Each
 * partition has a letterbox with two generations of counters: letters count in the open generation; a flush closes it by
 * opening the other one and goes out when the closed one is empty. Letters repeat after a crash (at least once), never
 * vanish.
 *
 * Threads: lanes post; the producers' own threads take acknowledgements and ring the lane. Not on the record path.
 */
#ifndef WEIR_PIPELINE_OUTBOX_H
#define WEIR_PIPELINE_OUTBOX_H

#include <stdatomic.h>

#include "aggregators/tables/record.h"
#include "config/settings/settings.h"
#include "consumers/source/source.h"

struct weir_outbox_producer;

struct weir_ack_window {
	/* Posted and not yet acknowledged, by generation. Release on decrement, acquire on read: a lane that sees 0 sees
	 * all acks. */
	_Atomic int32_t outstanding[2];
	_Atomic bool failed;      /* a letter was refused for good: the partition must stop (relaxed: checked each round) */
	int bell_fd;              /* eventfd of the lane */
	_Atomic uint64_t *rounds; /* the lane's: a wait for Kafka is a sign of life (relaxed, counts only); NULL = none */
	uint32_t open_side;       /* open one; the lane's alone */
};

enum weir_class weir_outbox_producer_start(
    const struct weir_settings *settings, struct weir_outbox_producer **outbox_out, struct weir_error *err);
/* Waits for acknowledgements at most grace_ms, then stops. */
void weir_outbox_producer_stop(struct weir_outbox_producer *outbox_producer, uint32_t grace_ms);

struct weir_dead_letter {
	struct weir_slice key;
	struct weir_slice value;
	enum weir_reject reject;
	const char *text;
	const char *topic; /* source coordinates */
	uint32_t partition;
	int64_t offset;
	uint32_t element;
};
void weir_outbox_produce_dead_letter(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window,
    const struct weir_dead_letter *dead_letter);
void weir_outbox_produce_audit(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window,
    const char *key, struct weir_slice json);

/*
 * A message for other partitions, or an alert. partition: explicit, or WEIR_OUTBOX_BY_KEY: where records of that key are.
 * Order is kept within a partition.
 */
void weir_outbox_produce(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window,
    const char *topic, uint32_t partition, struct weir_slice key, struct weir_slice value);

/* A row of a feed: with the bulk, since a hundred thousand of them come at once and nobody waits for the first. */
void weir_outbox_produce_row(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window,
    const char *topic, struct weir_slice key, struct weir_slice value);

/* Closes the open generation; true when it has become empty since. Lane's thread. */
static inline bool
weir_ack_window_closed_empty(const struct weir_ack_window *ack_window)
{
	return atomic_load_explicit(&ack_window->outstanding[ack_window->open_side ^ 1], memory_order_acquire) == 0;
}

#endif
