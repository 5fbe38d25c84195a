/* The producers of dead letters, audit entries, pool reports, pool states and alerts; see outbox.h. */
#include "pipeline/engine/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aggregators/partition.h"
#include "config/base/log.h"
#include "pipeline/kafka/producer.h"

#define VALUE_MAX_AFTER_REFUSAL 524288u /* bytes of a dead letter that the broker found too large */
#define FULL_US 1000                    /* between looks at a full queue */

struct weir_outbox_producer {
	const struct weir_settings *settings;
	struct weir_producer *slow; /* dead letters, audit, rows of feeds: batches */
	struct weir_producer *fast; /* pool reports and states, alerts: at once */
};

/* A box and its generation in one pointer: boxes are aligned, the lowest bit is free. */
static void *
tag_of(struct weir_ack_window *ack_window)
{
	return (void *)((uintptr_t)ack_window | ack_window->open_side);
}

static void
acknowledge(void *tag)
{
	static const uint64_t ONE = 1;
	struct weir_ack_window *ack_window = (struct weir_ack_window *)((uintptr_t)tag & ~(uintptr_t)1);
	uint32_t open_side = (uintptr_t)tag & 1;
	int fd = ack_window->bell_fd;
	int32_t before = atomic_fetch_sub_explicit(&ack_window->outstanding[open_side], 1, memory_order_release);
	WEIR_CHECK(before > 0); /* each message is counted once and acknowledged once */
	if (before == 1)
		(void)!write(fd, &ONE, sizeof(ONE));
}

/* Coordinates of what a dead letter is about, from its headers: "source_topic=… source_partition=… source_offset=… " or "".
 */
static void
source_of(const struct weir_delivery *delivery, char *out, size_t size)
{
	static const char *const names[] = {"topic", "partition", "offset", "element"};
	out[0] = '\0';
	for (size_t i = 0, len = 0; i < 4 && len < size; i++) {
		struct weir_slice value = weir_delivery_header(delivery, names[i]);
		if (value.len > 0)
			len += (size_t)snprintf(
			    out + len, size - len, "source_%s=%.*s ", names[i], (int)value.len, (const char *)value.data);
	}
}

static void
on_delivery(void *ctx, const struct weir_delivery *delivery)
{
	(void)ctx;
	if (delivery->error != NULL) {
		struct weir_ack_window *ack_window = (struct weir_ack_window *)((uintptr_t)delivery->tag & ~(uintptr_t)1);
		char source[400];
		source_of(delivery, source, sizeof(source));
		WEIR_LOG_LIMITED(
		    WEIR_LOG_ERROR, "letter_refused", "topic=%s %s%s", delivery->topic, source, delivery->error);
		if (!delivery->given_up)
			atomic_store_explicit(&ack_window->failed, true, memory_order_relaxed);
	}
	acknowledge(delivery->tag);
}

static enum weir_class
producer_open(const struct weir_settings *settings, const char *linger_ms, struct weir_producer **producer_out,
    struct weir_error *err)
{
	const struct weir_producer_property properties[] = {{"linger.ms", linger_ms, false},
	    {"message.timeout.ms", "0", false}, {"message.max.bytes", "33554432", false},
	    {"compression.codec", "lz4", false}};
	const struct weir_producer_opts opts = {.settings = settings,
	    .properties = properties,
	    .property_count = sizeof(properties) / sizeof(properties[0]),
	    .on_delivery = on_delivery,
	    .has_thread = true,
	    .cut_bytes = VALUE_MAX_AFTER_REFUSAL};
	return weir_producer_open(&opts, producer_out, err);
}

enum weir_class
weir_outbox_producer_start(
    const struct weir_settings *settings, struct weir_outbox_producer **outbox_out, struct weir_error *err)
{
	struct weir_outbox_producer *outbox_producer = weir_calloc(1, sizeof(*outbox_producer));
	outbox_producer->settings = settings;
	enum weir_class class = producer_open(settings, "5", &outbox_producer->slow, err);
	if (class == WEIR_OK)
		class = producer_open(settings, "1", &outbox_producer->fast, err);
	if (class != WEIR_OK) {
		weir_outbox_producer_stop(outbox_producer, 0);
		return class;
	}
	*outbox_out = outbox_producer;
	return WEIR_OK;
}

void
weir_outbox_producer_stop(struct weir_outbox_producer *outbox_producer, uint32_t grace_ms)
{
	if (outbox_producer == NULL)
		return;
	weir_producer_close(outbox_producer->slow, grace_ms);
	weir_producer_close(outbox_producer->fast, grace_ms);
	free(outbox_producer);
}

/* Sends; waits while the producer's queue is full (bounded memory; the lane slows down to what Kafka takes). */
static void
send_message(struct weir_producer *producer, struct weir_ack_window *ack_window, struct weir_producer_message message)
{
	struct weir_error err = {0};
	enum weir_sent sent;
	int32_t before =
	    atomic_fetch_add_explicit(&ack_window->outstanding[ack_window->open_side], 1, memory_order_relaxed);
	WEIR_CHECK(before >= 0);
	message.tag = tag_of(ack_window);
	while ((sent = weir_producer_send(producer, &message, &err)) == WEIR_SENT_FULL) {
		if (ack_window->rounds != NULL)
			atomic_fetch_add_explicit(ack_window->rounds, 1, memory_order_relaxed);
		(void)usleep(FULL_US);
	}
	if (sent == WEIR_SENT_OK)
		return;
	WEIR_LOG_LIMITED(WEIR_LOG_ERROR, "letter_refused", "topic=%s %s", message.topic, err.text);
	atomic_store_explicit(&ack_window->failed, true, memory_order_relaxed);
	acknowledge(message.tag);
}

void
weir_outbox_produce_dead_letter(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window,
    const struct weir_dead_letter *dead_letter)
{
	char partition[16], offset[24], element[16];
	const char *reason = weir_reject_name(dead_letter->reject);
	WEIR_LOG_LIMITED(WEIR_LOG_WARN, "dead_letter", "topic=%s partition=%u offset=%lld element=%u reason=%s %s",
	    dead_letter->topic, dead_letter->partition, (long long)dead_letter->offset, dead_letter->element, reason,
	    dead_letter->text != NULL ? dead_letter->text : "");
	(void)snprintf(partition, sizeof(partition), "%u", dead_letter->partition);
	(void)snprintf(offset, sizeof(offset), "%lld", (long long)dead_letter->offset);
	(void)snprintf(element, sizeof(element), "%u", dead_letter->element);
	struct weir_producer_header headers[6] = {{"reason", reason}};
	uint32_t count = 1;
	if (dead_letter->text != NULL)
		headers[count++] = (struct weir_producer_header){"text", dead_letter->text};
	headers[count++] = (struct weir_producer_header){"topic", dead_letter->topic};
	headers[count++] = (struct weir_producer_header){"partition", partition};
	headers[count++] = (struct weir_producer_header){"offset", offset};
	headers[count++] = (struct weir_producer_header){"element", element};
	send_message(outbox_producer->slow, ack_window,
	    (struct weir_producer_message){.topic = outbox_producer->settings->topic_dead,
		.partition = WEIR_PARTITION_BY_KEY,
		.key = dead_letter->key,
		.value = dead_letter->value,
		.headers = headers,
		.header_count = count});
}

void
weir_outbox_produce_audit(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window, const char *key,
    struct weir_slice json)
{
	send_message(outbox_producer->slow, ack_window,
	    (struct weir_producer_message){.topic = outbox_producer->settings->topic_audit,
		.partition = WEIR_PARTITION_BY_KEY,
		.key = weir_slice_of(key),
		.value = json});
}

void
weir_outbox_produce(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window, const char *topic,
    uint32_t partition, struct weir_slice key, struct weir_slice value)
{
	send_message(outbox_producer->fast, ack_window,
	    (struct weir_producer_message){.topic = topic,
		.partition = partition == WEIR_OUTBOX_BY_KEY ? WEIR_PARTITION_BY_KEY : (int32_t)partition,
		.key = key,
		.value = value});
}

void
weir_outbox_produce_row(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window, const char *topic,
    struct weir_slice key, struct weir_slice value)
{
	send_message(outbox_producer->slow, ack_window,
	    (struct weir_producer_message){.topic = topic, .partition = WEIR_PARTITION_BY_KEY, .key = key, .value = value});
}
