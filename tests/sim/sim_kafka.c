/* Kafka: append-only logs, and producers that deliver in order, later, or never. */
#include "tests/sim/sim.h"

#include <stdlib.h>

void
sim_buf_copy(struct weir_buf *to, const struct weir_buf *from)
{
	*to = (struct weir_buf){0};
	weir_buf_append(to, from->data, from->len);
}

uint32_t
sim_partition_of(const struct sim *sim, const char *key)
{
	uint32_t hash = 2166136261u;
	for (; *key != '\0'; key++)
		hash = (hash ^ (uint8_t)*key) * 16777619u;
	return (hash ^ hash >> 15) % sim->partitions;
}

static struct sim_message *
log_add(struct sim_log *log)
{
	if (log->n == log->cap) {
		log->cap = log->cap == 0 ? 64 : log->cap * 2;
		log->v = weir_realloc(log->v, (size_t)log->cap * sizeof(*log->v));
	}
	struct sim_message *message = &log->v[log->n++];
	*message = (struct sim_message){0};
	return message;
}

int64_t
sim_log_end(const struct sim_log *log)
{
	return log->n - log->base;
}

struct sim_message *
sim_log_at(const struct sim_log *log, int64_t offset)
{
	WEIR_CHECK(offset >= 0 && offset < sim_log_end(log) && log->base + offset >= 0);
	return &log->v[log->base + offset];
}

/* As OffsetForLeaderEpoch has it: the largest epoch that is not above, and where the one behind it begins. */
struct log_evidence
sim_log_evidence(const struct sim_log *log, int32_t epoch)
{
	struct log_evidence evidence = {.id = log->id,
	    .end_offset = sim_log_end(log),
	    .epoch_answered = epoch != LOG_EPOCH_UNKNOWN,
	    .epoch_found = epoch,
	    .epoch_end = sim_log_end(log)};
	for (uint32_t i = log->epoch_count; i-- > 0;) {
		if (log->epochs[i].epoch > epoch)
			evidence.epoch_end = log->epochs[i].start;
		else {
			evidence.epoch_found = log->epochs[i].epoch;
			break;
		}
	}
	return evidence;
}

void
sim_log_replace(struct sim *sim, struct sim_log *log)
{
	uint64_t draw = weir_random_next(&sim->rng) | 1;
	memcpy(log->id.bytes, &draw, sizeof(draw));
	log->base = log->n;
	log->epoch = 0;
	log->epoch_count = 0;
}

void
sim_log_cut(struct sim *sim, struct sim_log *log, int64_t end)
{
	(void)sim;
	while (log->epoch_count > 0 && log->epochs[log->epoch_count - 1].start >= end)
		log->epoch_count--;
	log->base = log->n - end;
	log->epoch++;
}

struct sim_message *
sim_append(struct sim *sim, enum sim_topic topic, uint32_t partition)
{
	struct sim_log *log = &sim->logs[topic][partition];
	int64_t end = sim_log_end(log);
	struct sim_message *message = log_add(log);
	message->arrived_us = sim->now_us;
	if (log->epoch_count > 0 && log->epochs[log->epoch_count - 1].epoch == log->epoch)
		return message;
	if (log->epoch_count == SIM_EPOCHS) { /* as retention does: the oldest goes */
		memmove(log->epochs, log->epochs + 1, (SIM_EPOCHS - 1) * sizeof(log->epochs[0]));
		log->epoch_count--;
	}
	log->epochs[log->epoch_count].epoch = log->epoch;
	log->epochs[log->epoch_count++].start = end;
	return message;
}

void
sim_append_bytes(struct sim *sim, enum sim_topic topic, uint32_t partition, const char *key, const void *value, size_t len)
{
	struct sim_message *message = sim_append(sim, topic, partition);
	weir_buf_append(&message->key, key, strlen(key));
	weir_buf_append(&message->value, value, len);
}

void
sim_log_free(struct sim_log *log)
{
	for (int64_t i = 0; i < log->n; i++) {
		weir_buf_free(&log->v[i].key);
		weir_buf_free(&log->v[i].value);
	}
	free(log->v);
	*log = (struct sim_log){0};
}

/* ---- producers ---- */

static void
outgoing_free(struct sim_outgoing *outgoing)
{
	weir_buf_free(&outgoing->key);
	weir_buf_free(&outgoing->value);
}

void
sim_outgoing_deliver(struct sim *sim, const struct sim_outgoing *outgoing)
{
	if (outgoing->topic == WEIR_OUTBOX_ALERTS) {
		struct sim_message *alert = log_add(&sim->alerts);
		alert->arrived_us = sim->now_us;
		sim_buf_copy(&alert->key, &outgoing->key);
		sim_buf_copy(&alert->value, &outgoing->value);
		return;
	}
	if (outgoing->topic >= WEIR_OUTBOX_POOL_HOURLY) {
		sim_row_take(sim, outgoing);
		return;
	}
	char key[256];
	(void)snprintf(key, sizeof(key), "%.*s", (int)outgoing->key.len, (const char *)outgoing->key.data);
	uint32_t partition = outgoing->partition == WEIR_OUTBOX_BY_KEY ? sim_partition_of(sim, key) : outgoing->partition;
	if (partition >= sim->partitions)
		sim_fail(sim, "told to partition %u of %u", partition, sim->partitions);
	enum sim_topic topic = outgoing->topic == WEIR_OUTBOX_USAGE_REPORTS ? SIM_REPORTS : SIM_CARDS;
	sim_append_bytes(sim, topic, partition, key, outgoing->value.data, outgoing->value.len);
	if (topic == SIM_CARDS)
		SIM_TRACE(
		    sim, "kafka cards/%u %.*s", partition, (int)outgoing->value.len, (const char *)outgoing->value.data);
	else
		SIM_TRACE(sim, "kafka partials/%u of %s", partition, key);
}

void
sim_outbox_push(struct sim_outbox *outbox, struct sim_outgoing *outgoing)
{
	if (outbox->refused) {
		outgoing_free(outgoing);
		return;
	}
	if (outbox->n == outbox->cap) {
		outbox->cap = outbox->cap == 0 ? 16 : outbox->cap * 2;
		outbox->v = weir_realloc(outbox->v, outbox->cap * sizeof(*outbox->v));
	}
	outbox->v[outbox->n++] = *outgoing;
}

bool
sim_outbox_deliver(struct sim *sim, struct sim_outbox *outbox)
{
	if (outbox->n == 0)
		return false;
	struct sim_outgoing outgoing = outbox->v[0];
	outbox->n--;
	memmove(outbox->v, outbox->v + 1, outbox->n * sizeof(*outbox->v));
	bool late = sim->faults && sim_chance(&sim->rng, 300);
	outbox->late_closed += late && outbox->closed > 0;
	outbox->late_open += late && outbox->closed == 0;
	outbox->closed -= outbox->closed > 0;
	sim_outgoing_deliver(sim, &outgoing);
	outgoing_free(&outgoing);
	return true;
}

void
sim_outbox_acknowledge(struct sim_outbox *outbox)
{
	outbox->late_closed = outbox->late_open = 0;
}

/* What it holds is refused for good, and all that comes after (the topic is gone, or may not be written any more). */
void
sim_outbox_refuse(struct sim_outbox *outbox)
{
	for (uint32_t i = 0; i < outbox->n; i++)
		outgoing_free(&outbox->v[i]);
	outbox->n = outbox->closed = 0;
	outbox->refused = true;
}

void
sim_outbox_free(struct sim_outbox *outbox)
{
	for (uint32_t i = 0; i < outbox->n; i++)
		outgoing_free(&outbox->v[i]);
	free(outbox->v);
	*outbox = (struct sim_outbox){0};
}
