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

struct sim_message *
sim_append(struct sim *sim, enum sim_topic topic, uint32_t partition)
{
	struct sim_message *message = log_add(&sim->logs[topic][partition]);
	message->arrived_us = sim->now_us;
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
	outbox->closed -= outbox->closed > 0;
	sim_outgoing_deliver(sim, &outgoing);
	outgoing_free(&outgoing);
	return true;
}

void
sim_outbox_free(struct sim_outbox *outbox)
{
	for (uint32_t i = 0; i < outbox->n; i++)
		outgoing_free(&outbox->v[i]);
	free(outbox->v);
	*outbox = (struct sim_outbox){0};
}
