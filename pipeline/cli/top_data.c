/*
 * What `weir top` shows; see top.h.
 *
 * Rates are differences of positions in Redis, which move with each flush; the lag is the log's end less them. Commands are
 * the tail of the audit topic, read without a group. Both are asked of Kafka with short waits, and Kafka may be away.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/clock.h"
#include "pipeline/cli/replay.h"
#include "pipeline/cli/top.h"

#define SAMPLES 10
#define OFFSETS_MS 1000
#define METADATA_MS 2000
#define TAIL 20 /* entries of each partition of the audit topic at the start */
#define AUDIT_BATCH 500
#define AUDIT_WAIT_MS 300 /* for the first entries */

struct sample {
	int64_t at_us;
	uint64_t messages;
};

struct weir_top_source {
	struct weir_reading *reading;
	rd_kafka_t *kafka; /* NULL: properties are wrong */
	struct sample samples[SAMPLES];
	uint32_t sample_count;
	rd_kafka_topic_t *audit;
	rd_kafka_queue_t *queue;
	int32_t audit_partitions;
	struct weir_top_command commands[WEIR_TOP_COMMANDS];
	uint32_t command_count;
	char kafka_says[128];
};

/* ---- the audit's tail ---- */

static void
copy_text(char *out, size_t size, const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	(void)snprintf(out, size, "%s", text != NULL ? text : "");
	for (; *out != '\0'; out++)
		if ((unsigned char)*out < 0x20 || *out == 0x7f)
			*out = '?';
}

/* Into its place: the newest first. */
static void
add_command(struct weir_top_source *source, const struct weir_top_command *command)
{
	uint32_t at = source->command_count;
	while (at > 0 && command->at_us > source->commands[at - 1].at_us)
		at--;
	if (at == WEIR_TOP_COMMANDS)
		return;
	if (source->command_count < WEIR_TOP_COMMANDS)
		source->command_count++;
	memmove(&source->commands[at + 1], &source->commands[at],
	    (source->command_count - 1 - at) * sizeof(source->commands[0]));
	source->commands[at] = *command;
}

static void
take_entry(struct weir_top_source *source, const rd_kafka_message_t *message)
{
	struct weir_top_command command = {0};
	json_t *json = message->err == 0 && message->len > 0 ? json_loadb(message->payload, message->len, 0, NULL) : NULL;
	if (json_is_object(json)) {
		copy_text(command.event, sizeof(command.event), json, "event");
		copy_text(command.action, sizeof(command.action), json, "action");
		copy_text(command.reason, sizeof(command.reason), json, "reason");
		if (strcmp(command.reason, "none") == 0) /* of a request */
			(void)snprintf(command.reason, sizeof(command.reason), "-");
		copy_text(command.carrier, sizeof(command.carrier), json, "carrier");
		copy_text(command.subject, sizeof(command.subject), json,
		    json_object_get(json, "pool") != NULL ? "pool" : "iccid");
		command.at_us = json_integer_value(json_object_get(json, "at_us"));
		json_int_t overshoot = json_integer_value(json_object_get(json, "overshoot"));
		command.overshoot = overshoot > 0 ? (uint64_t)overshoot : 0;
		if (strcmp(command.event, "reason") != 0)
			add_command(source, &command);
	}
	json_decref(json);
}

static void
open_audit(struct weir_top_source *source)
{
	const char *name = source->reading->settings->topic_audit;
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(source->kafka, name, NULL);
	if (topic == NULL)
		return;
	rd_kafka_resp_err_t code = rd_kafka_metadata(source->kafka, 0, topic, &metadata, METADATA_MS);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt > 0) {
		source->audit = topic;
		source->audit_partitions = metadata->topics[0].partition_cnt;
		source->queue = rd_kafka_queue_new(source->kafka);
		for (int32_t p = 0; p < source->audit_partitions; p++)
			(void)rd_kafka_consume_start_queue(topic, p, RD_KAFKA_OFFSET_TAIL(TAIL), source->queue);
	} else {
		(void)snprintf(source->kafka_says, sizeof(source->kafka_says), "%.120s",
		    code != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(code) : "there is no audit topic");
		rd_kafka_topic_destroy(topic);
	}
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
}

static void
read_audit(struct weir_top_source *source)
{
	rd_kafka_message_t *messages[AUDIT_BATCH];
	bool first = source->audit == NULL;
	if (first)
		open_audit(source);
	if (source->audit == NULL)
		return;
	ssize_t got;
	int wait_ms = first ? AUDIT_WAIT_MS : 0;
	do {
		got = rd_kafka_consume_batch_queue(source->queue, wait_ms, messages, AUDIT_BATCH);
		for (ssize_t i = 0; i < got; i++) {
			take_entry(source, messages[i]);
			rd_kafka_message_destroy(messages[i]);
		}
	} while (got == AUDIT_BATCH);
}

/* ---- lag ---- */

/* The ends of the inputs' logs in one question to each broker: an offset of -1 asks for the end instead of a time. */
static bool
log_ends(struct weir_top_source *source, const struct weir_partition_view *partitions, uint32_t count, int64_t *lag_out)
{
	const struct weir_settings *settings = source->reading->settings;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (uint32_t i = 0; i < settings->input_count; i++)
		for (uint32_t p = 0; p < count; p++)
			rd_kafka_topic_partition_list_add(list, settings->inputs[i].topic, (int32_t)p)->offset =
			    RD_KAFKA_OFFSET_END;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(source->kafka, list, OFFSETS_MS);
	*lag_out = 0;
	for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
		const rd_kafka_topic_partition_t *end = &list->elems[i];
		const struct weir_partition_view *p = &partitions[end->partition];
		code = end->err;
		int64_t stored = 0;
		for (uint32_t k = 0; k < p->topic_count; k++)
			if (strcmp(p->topics[k], end->topic) == 0)
				stored = p->offsets[k];
		*lag_out += end->offset > stored ? end->offset - stored : 0;
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)snprintf(source->kafka_says, sizeof(source->kafka_says), "%.120s", rd_kafka_err2str(code));
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- rates ---- */

static void
add_sample(struct weir_top_source *source, uint64_t messages)
{
	if (source->sample_count == SAMPLES) {
		memmove(source->samples, source->samples + 1, (SAMPLES - 1) * sizeof(source->samples[0]));
		source->sample_count--;
	}
	source->samples[source->sample_count++] = (struct sample){weir_steady_now().us, messages};
}

static bool
rate_of(const struct weir_top_source *source, double *rate_out)
{
	const struct sample *first = &source->samples[0], *last = &source->samples[source->sample_count - 1];
	if (source->sample_count < 2 || last->at_us <= first->at_us || last->messages < first->messages)
		return false;
	*rate_out = (double)(last->messages - first->messages) * 1e6 / (double)(last->at_us - first->at_us);
	return true;
}

static uint32_t
count_owners(const struct weir_partition_view *partitions, uint32_t count)
{
	uint32_t owners = 0;
	for (uint32_t i = 0; i < count; i++) {
		bool seen = !partitions[i].exists || partitions[i].owner[0] == '\0';
		for (uint32_t k = 0; k < i && !seen; k++)
			seen = strcmp(partitions[k].owner, partitions[i].owner) == 0;
		owners += !seen;
	}
	return owners;
}

/* ---- the whole ---- */

struct weir_top_source *
weir_top_open(struct weir_reading *reading)
{
	struct weir_top_source *source = weir_calloc(1, sizeof(*source));
	struct weir_error err = {0};
	source->reading = reading;
	source->kafka = weir_replay_consumer(reading->settings, &err);
	if (source->kafka == NULL)
		(void)snprintf(source->kafka_says, sizeof(source->kafka_says), "%.120s", err.text);
	return source;
}

void
weir_top_close(struct weir_top_source *source)
{
	for (int32_t p = 0; source->audit != NULL && p < source->audit_partitions; p++)
		(void)rd_kafka_consume_stop(source->audit, p);
	if (source->queue != NULL)
		rd_kafka_queue_destroy(source->queue);
	if (source->audit != NULL)
		rd_kafka_topic_destroy(source->audit);
	if (source->kafka != NULL)
		rd_kafka_destroy(source->kafka);
	free(source);
}

enum weir_read
weir_top_sample(struct weir_top_source *source, struct weir_top_data *data_out, struct weir_error *err)
{
	const struct weir_partition_view *partitions;
	uint32_t count;
	struct weir_reader *reader = source->reading->reader;
	*data_out = (struct weir_top_data){0};
	source->kafka_says[0] = '\0';
	enum weir_read answer = weir_read_partitions(reader, &partitions, &count, err);
	if (answer != WEIR_READ_OK)
		return answer;
	data_out->owners = count_owners(partitions, count);
	if (source->kafka != NULL) {
		data_out->has_lag = log_ends(source, partitions, count, &data_out->lag);
		if (data_out->has_lag)
			read_audit(source);
	}
	answer = weir_read_fleet(reader, &data_out->fleet, err);
	if (answer != WEIR_READ_OK)
		return answer;
	add_sample(source, data_out->fleet->records_read);
	data_out->has_rate = rate_of(source, &data_out->messages_per_s);
	memcpy(data_out->commands, source->commands, sizeof(data_out->commands));
	data_out->command_count = source->command_count;
	memcpy(data_out->kafka_says, source->kafka_says, sizeof(data_out->kafka_says));
	return WEIR_READ_OK;
}
