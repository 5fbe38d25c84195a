/*
 * The librdkafka source: one consumer instance per lane.
 *
 * Each partition's queue is taken off the consumer's common queue (rd_kafka_queue_forward to nothing), so that a lane
 * reads the partitions it wants, when it wants: back-pressure is not reading, and pause (which has known faults with batch
 * consumption in librdkafka 2.0) is never used. Going back is a new rd_kafka_assign of all partitions at their positions,
 * which puts a version barrier before anything fetched earlier; seek (known to time out) is not used either. Eager range
 * assignment keeps partition p of all topics together, and that is checked, not trusted.
 *
 * One assign must not follow another before librdkafka has stopped what the first one took away: it would ask a partition
 * to stop twice, and aborts on the second answer (librdkafka issue 5573). Several partitions that go back at once do just
 * that, hence change_barrier.
 *
 * librdkafka 2.0 says neither topic ids nor leader epochs. A watch beside it (consumers/source/log_watch.h) asks the
 * brokers over connections of its own: a partition is assigned once its places are known to be in the logs that are there,
 * and what was delivered is proven before it is stored. Where the settings name what those connections do not do, an offset
 * is all there is; that is said at start.
 *
 * Measured: the queue must hold more than a second of records, or librdkafka 2.0 sleeps a full second when it is full
 * (settings kafka.queue_kb).
 */
#include "consumers/source/source.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/base/log.h"
#include "consumers/source/log_watch.h"
#include "consumers/source/source_kind.h"

struct owned {
	bool assigned[WEIR_TOPICS_MAX];
	bool unread[WEIR_TOPICS_MAX]; /* another source reads it */
	bool dropped;
	bool waiting; /* for the watch: not assigned yet */
	rd_kafka_queue_t *queue[WEIR_TOPICS_MAX];
	int64_t next_offset[WEIR_TOPICS_MAX]; /* next offset to deliver */
};

struct rdkafka_source {
	struct weir_source base;
	struct weir_source_opts opts;
	bool reads; /* false: a member of the group that reads what it is handed only */
	rd_kafka_t *rk;
	struct owned *owned; /* by partition number */
	uint32_t owned_cap;
	struct log_watch *watch; /* NULL: nothing is read, or the brokers cannot be asked */
	rd_kafka_message_t **raw;
	struct weir_message *messages;
	struct weir_error fatal;
	bool failed;
};

struct rd_kafka_conf_s *
weir_kafka_conf(const struct weir_settings *settings, struct weir_error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];
	const char *const fixed[][2] = {{"bootstrap.servers", settings->kafka_brokers}, {"client.id", "weir"},
	    {"socket.nagle.disable", "true"}, {"log.connection.close", "false"}};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		(void)rd_kafka_conf_set(conf, fixed[i][0], fixed[i][1], text, sizeof(text));
	for (uint32_t i = 0; i < settings->kafka_property_count; i++) {
		const struct weir_property *property = &settings->kafka_properties[i];
		if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
			continue;
		(void)weir_error_set(err, WEIR_FATAL, "kafka.properties.%s: %s", property->name, text);
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	return conf;
}

/* Sets a property unless the settings' kafka.properties name it: the user's word is the last. */
static void
conf_default(rd_kafka_conf_t *conf, const struct weir_settings *settings, const char *name, const char *value)
{
	char text[256];
	for (uint32_t i = 0; i < settings->kafka_property_count; i++)
		if (strcmp(settings->kafka_properties[i].name, name) == 0)
			return;
	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		weir_log(WEIR_LOG_WARN, "kafka_property", "%s=%s: %s", name, value, text);
}

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	weir_log(level <= 4 ? WEIR_LOG_WARN : WEIR_LOG_DEBUG, "kafka", "%s: %s", facility, text);
}

static struct owned *
owned_at(struct rdkafka_source *s, uint32_t partition)
{
	if (partition >= s->owned_cap) {
		uint32_t cap = s->owned_cap == 0 ? 16 : s->owned_cap;
		while (cap <= partition)
			cap *= 2;
		s->owned = weir_realloc(s->owned, cap * sizeof(*s->owned));
		memset(s->owned + s->owned_cap, 0, (cap - s->owned_cap) * sizeof(*s->owned));
		s->owned_cap = cap;
	}
	return &s->owned[partition];
}

static uint32_t
topic_index(const struct rdkafka_source *s, const char *topic)
{
	for (uint32_t i = 0; i < s->opts.topic_count; i++)
		if (strcmp(s->opts.topics[i], topic) == 0)
			return i;
	return UINT32_MAX;
}

static bool
is_whole(const struct rdkafka_source *s, const struct owned *owned)
{
	for (uint32_t t = 0; t < s->opts.topic_count; t++)
		if (!owned->assigned[t])
			return false;
	return true;
}

static bool
is_touched(const struct rdkafka_source *s, const struct owned *owned)
{
	for (uint32_t t = 0; t < s->opts.topic_count; t++)
		if (owned->assigned[t])
			return true;
	return false;
}

static void
close_queues(struct rdkafka_source *s, struct owned *owned)
{
	for (uint32_t t = 0; t < s->opts.topic_count; t++)
		if (owned->queue[t] != NULL) {
			rd_kafka_queue_io_event_enable(owned->queue[t], -1, NULL, 0);
			rd_kafka_queue_destroy(owned->queue[t]);
		}
	*owned = (struct owned){0};
}

static void
open_queues(struct rdkafka_source *s, uint32_t partition)
{
	static const uint64_t ONE = 1;
	struct owned *owned = owned_at(s, partition);
	for (uint32_t t = 0; t < s->opts.topic_count; t++) {
		if (owned->queue[t] != NULL || owned->unread[t])
			continue;
		owned->queue[t] = rd_kafka_queue_get_partition(s->rk, s->opts.topics[t], (int32_t)partition);
		WEIR_CHECK(owned->queue[t] != NULL);
		rd_kafka_queue_forward(owned->queue[t], NULL);
		rd_kafka_queue_io_event_enable(owned->queue[t], s->opts.bell_fd, &ONE, sizeof(ONE));
	}
}

/*
 * Waits until the last assign has taken effect. librdkafka's main thread takes ops in order: asked once, it has handled the
 * stops that the assign posted before the question; asked twice, also their answers.
 */
static void
change_barrier(struct rdkafka_source *s)
{
	for (int i = 0; i < 2; i++) {
		rd_kafka_topic_partition_list_t *list = NULL;
		if (rd_kafka_assignment(s->rk, &list) == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL)
			rd_kafka_topic_partition_list_destroy(list);
	}
}

/* Gives librdkafka the whole assignment at our positions: what we have, less what was dropped. */
static rd_kafka_resp_err_t
assign_all(struct rdkafka_source *s)
{
	change_barrier(s);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
	for (uint32_t p = 0; p < s->owned_cap; p++) {
		if (!is_whole(s, &s->owned[p]) || s->owned[p].dropped || s->owned[p].waiting)
			continue;
		open_queues(s, p);
		for (uint32_t t = 0; t < s->opts.topic_count; t++) {
			if (s->owned[p].unread[t])
				continue;
			int64_t at = s->owned[p].next_offset[t];
			rd_kafka_topic_partition_list_add(list, s->opts.topics[t], (int32_t)p)->offset =
			    at == WEIR_OFFSET_START ? RD_KAFKA_OFFSET_BEGINNING : at;
		}
	}
	rd_kafka_resp_err_t code = rd_kafka_assign(s->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

static void
source_fail(struct rdkafka_source *s, const char *what, const char *why)
{
	s->failed = true;
	(void)weir_error_set(&s->fatal, WEIR_FATAL, "%s: %s", what, why);
}

/* Reads from there on, once the watch knows the logs. */
static void
start_partition(struct rdkafka_source *s, const struct weir_start *start)
{
	struct owned *owned = &s->owned[start->partition];
	memcpy(owned->next_offset, start->offsets, sizeof(owned->next_offset));
	owned->dropped = false;
	owned->waiting = s->watch != NULL;
	if (s->watch != NULL)
		log_watch_start(s->watch, start);
}

/* The group gives out partitions that the stored state knows nothing of: a topic was given more. */
static bool
is_beyond(struct rdkafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++) {
		if (s->opts.partitions == 0 || (uint32_t)list->elems[i].partition < s->opts.partitions)
			continue;
		struct weir_error err;
		(void)log_partitions_error(
		    &err, list->elems[i].topic, (uint32_t)list->elems[i].partition + 1, s->opts.partitions);
		source_fail(s, "assignment", err.text);
		return true;
	}
	return false;
}

static void
take_assignment(struct rdkafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++) {
		uint32_t topic = topic_index(s, list->elems[i].topic);
		if (topic == UINT32_MAX)
			continue;
		struct owned *owned = owned_at(s, (uint32_t)list->elems[i].partition);
		owned->assigned[topic] = true;
		owned->unread[topic] = !s->reads;
	}
	struct weir_start *starts = weir_calloc(s->owned_cap + 1, sizeof(*starts));
	uint32_t count = 0;
	for (uint32_t p = 0; p < s->owned_cap; p++) {
		if (is_whole(s, &s->owned[p]))
			starts[count++].partition = p;
		else if (is_touched(s, &s->owned[p]))
			source_fail(s, "assignment",
			    "a partition's topics are not all here: use the range assignor and equal partition counts");
	}
	bool ready = !is_beyond(s, list) && !s->failed && s->opts.on_assign(s->opts.ctx, starts, count);
	for (uint32_t i = 0; ready && i < count; i++)
		start_partition(s, &starts[i]);
	free(starts);
	if (!ready) {
		for (uint32_t p = 0; p < s->owned_cap; p++)
			close_queues(s, &s->owned[p]);
	}
	rd_kafka_resp_err_t code = assign_all(s);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		source_fail(s, "assign", rd_kafka_err2str(code));
}

static void
give_back(struct rdkafka_source *s, bool lost)
{
	uint32_t *partitions = weir_calloc(s->owned_cap + 1, sizeof(*partitions));
	uint32_t count = 0;
	for (uint32_t p = 0; p < s->owned_cap; p++)
		if (is_whole(s, &s->owned[p]))
			partitions[count++] = p;
	s->opts.on_revoke(s->opts.ctx, partitions, count, lost);
	free(partitions);
	change_barrier(s);
	(void)rd_kafka_assign(s->rk, NULL);
	for (uint32_t p = 0; p < s->owned_cap; p++) {
		close_queues(s, &s->owned[p]);
		if (s->watch != NULL)
			log_watch_stop(s->watch, p);
	}
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct rdkafka_source *s = opaque;
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		take_assignment(s, list);
	else
		give_back(s, rd_kafka_assignment_lost(rk) != 0);
}

static rd_kafka_conf_t *
consumer_conf(const struct weir_source_opts *opts, struct weir_error *err)
{
	const struct weir_settings *settings = opts->settings;
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return NULL;
	char number[32];
	conf_default(conf, settings, "group.id", settings->kafka_group);
	conf_default(conf, settings, "partition.assignment.strategy", "range");
	conf_default(conf, settings, "enable.auto.commit", "false");
	conf_default(conf, settings, "enable.auto.offset.store", "false");
	conf_default(conf, settings, "auto.offset.reset", "error");
	conf_default(conf, settings, "enable.partition.eof", "true");
	conf_default(conf, settings, "fetch.wait.max.ms", "5");
	conf_default(conf, settings, "fetch.error.backoff.ms", "50");
	conf_default(conf, settings, "queued.min.messages", "10000000");
	conf_default(conf, settings, "fetch.message.max.bytes", "4194304");
	(void)snprintf(number, sizeof(number), "%u", settings->kafka_queue_kb);
	conf_default(conf, settings, "queued.max.messages.kbytes", number);
	(void)snprintf(number, sizeof(number), "%u", settings->kafka_session_ms);
	conf_default(conf, settings, "session.timeout.ms", number);
	(void)snprintf(number, sizeof(number), "%u", settings->kafka_session_ms / 5);
	conf_default(conf, settings, "heartbeat.interval.ms", number);
	if (settings->kafka_instance != NULL && settings->kafka_instance[0] != '\0') {
		char member[256];
		(void)snprintf(member, sizeof(member), "%s-%u", settings->kafka_instance, opts->lane);
		conf_default(conf, settings, "group.instance.id", member);
	}
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_log_cb(conf, on_log);
	return conf;
}

static const struct source_ops OPS;

/* Brokers that cannot be asked are no reason not to read. */
static enum weir_class
open_watch(struct rdkafka_source *s, struct weir_error *err)
{
	char text[128];
	const struct log_identity_opts opts = {s->opts.settings, s->opts.topics, s->opts.topic_count};
	const char *unable = log_identity_unable(s->opts.settings, text, sizeof(text));
	if (unable == NULL)
		return log_watch_open(&opts, s->opts.partitions, &s->watch, err);
	if (s->opts.lane == 0)
		weir_log(WEIR_LOG_WARN, "log_unchecked",
		    "a topic that is deleted and created again, or cut off, is not noticed while it is longer than before: "
		    "weir's own connections to Kafka do not do %s",
		    unable);
	return WEIR_OK;
}

enum weir_class
source_rdkafka_open(
    const struct weir_source_opts *opts, bool reads, struct weir_source **source_out, struct weir_error *err)
{
	static const uint64_t ONE = 1;
	char text[512];
	struct rdkafka_source *s = weir_calloc(1, sizeof(*s));
	s->base.ops = &OPS;
	s->reads = reads;
	s->opts = *opts;
	rd_kafka_conf_t *conf = consumer_conf(opts, err);
	if (conf == NULL || (reads && open_watch(s, err) != WEIR_OK)) {
		if (conf != NULL)
			rd_kafka_conf_destroy(conf);
		free(s);
		return WEIR_FATAL;
	}
	rd_kafka_conf_set_opaque(conf, s);
	s->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (s->rk == NULL) {
		rd_kafka_conf_destroy(conf);
		log_watch_close(s->watch);
		free(s);
		return weir_error_set(err, WEIR_FATAL, "kafka consumer: %s", text);
	}
	(void)rd_kafka_poll_set_consumer(s->rk);
	rd_kafka_queue_t *events = rd_kafka_queue_get_consumer(s->rk);
	rd_kafka_queue_io_event_enable(events, opts->bell_fd, &ONE, sizeof(ONE));
	rd_kafka_queue_destroy(events);
	s->raw = weir_calloc(SOURCE_BATCH_MAX, sizeof(*s->raw));
	s->messages = weir_calloc(SOURCE_BATCH_MAX, sizeof(*s->messages));
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)opts->topic_count);
	for (uint32_t i = 0; i < opts->topic_count; i++)
		(void)rd_kafka_topic_partition_list_add(topics, opts->topics[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t code = rd_kafka_subscribe(s->rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	*source_out = &s->base;
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
		   ? WEIR_OK
		   : weir_error_set(err, WEIR_FATAL, "subscribe: %s", rd_kafka_err2str(code));
}

static void
source_close(struct weir_source *source)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	(void)rd_kafka_consumer_close(s->rk);
	for (uint32_t p = 0; p < s->owned_cap; p++)
		close_queues(s, &s->owned[p]);
	rd_kafka_destroy(s->rk);
	log_watch_close(s->watch);
	free(s->owned);
	free(s->raw);
	free(s->messages);
	s->base.magic = 0;
	free(s);
}

static enum weir_class
source_poll(struct weir_source *source, struct weir_error *err)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	for (int i = 0; i < 16; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(s->rk, 0);
		if (message == NULL)
			break;
		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
			weir_log(WEIR_LOG_WARN, "kafka_event", "%s", rd_kafka_message_errstr(message));
		if (message->err == RD_KAFKA_RESP_ERR__FATAL)
			source_fail(s, "kafka", rd_kafka_message_errstr(message));
		rd_kafka_message_destroy(message);
	}
	if (s->failed) {
		*err = s->fatal;
		return WEIR_FATAL;
	}
	return s->watch == NULL ? WEIR_OK : log_watch_partitions(s->watch, err);
}

/* Partitions whose logs are known by now are assigned. */
static void
assign_ready(struct rdkafka_source *s)
{
	bool any = false;
	for (uint32_t p = 0; p < s->owned_cap; p++) {
		struct owned *owned = &s->owned[p];
		if (!owned->waiting || log_watch_state(s->watch, p) != WATCH_READY)
			continue;
		owned->waiting = false;
		any = true;
	}
	rd_kafka_resp_err_t code = any ? assign_all(s) : RD_KAFKA_RESP_ERR_NO_ERROR;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		source_fail(s, "assign", rd_kafka_err2str(code));
}

static int64_t
source_serve(struct weir_source *source)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	if (s->watch == NULL)
		return INT64_MAX;
	int64_t due_us = log_watch_serve(s->watch);
	if (log_watch_took_ready(s->watch))
		assign_ready(s);
	return due_us;
}

static int
source_fd(const struct weir_source *source)
{
	const struct rdkafka_source *s = (const struct rdkafka_source *)source;
	return s->watch == NULL ? -1 : log_watch_fd(s->watch);
}

static enum weir_proof
source_prove(struct weir_source *source, uint32_t partition, struct log_name *logs_out)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	if (s->watch == NULL)
		return WEIR_PROOF_GOOD;
	(void)log_watch_serve(s->watch); /* also while partitions are given back, when nobody serves the source */
	return log_watch_prove(s->watch, partition, logs_out);
}

/*
 * The end of the log as far as it was read: librdkafka names the offset behind all that it passed over, markers of
 * transactions and aborted records included, which no message shows.
 */
static void
take_end(struct owned *owned, uint32_t topic, int64_t offset)
{
	if (offset > owned->next_offset[topic])
		owned->next_offset[topic] = offset;
}

/* Errors that come in a partition's queue. True when the partition cannot go on. */
static bool
queue_error(struct rdkafka_source *s, uint32_t topic, const rd_kafka_message_t *message, struct weir_error *err)
{
	uint32_t partition = (uint32_t)message->partition;
	struct owned *owned = &s->owned[partition];
	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		if (s->watch == NULL) {
			(void)source_gone(err, rd_kafka_topic_name(message->rkt), partition, owned->next_offset[topic]);
			return true;
		}
		owned->waiting = true; /* the watch will say why, or that it was a replica that is behind */
		log_watch_recheck(s->watch, partition, topic, owned->next_offset[topic]);
		return false;
	}
	weir_log(WEIR_LOG_WARN, "kafka_partition", "%s [%d]: %s", rd_kafka_topic_name(message->rkt), message->partition,
	    rd_kafka_message_errstr(message));
	return false;
}

static void
source_release(struct weir_source *source, struct weir_batch *batch)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	ssize_t count = (ssize_t)batch->priv;
	for (ssize_t i = 0; i < count; i++)
		rd_kafka_message_destroy(s->raw[i]);
	*batch = (struct weir_batch){0};
}

static enum weir_class
source_next(struct weir_source *source, uint32_t topic, uint32_t partition, uint32_t max, struct weir_batch *batch,
    struct weir_error *err)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	if (partition >= s->owned_cap)
		return WEIR_RETRY;
	struct owned *owned = &s->owned[partition];
	if (s->watch != NULL && log_watch_state(s->watch, partition) == WATCH_FAILED)
		return log_watch_error(s->watch, partition, batch, err);
	if (owned->queue[topic] == NULL || owned->waiting)
		return WEIR_RETRY;
	ssize_t got =
	    rd_kafka_consume_batch_queue(owned->queue[topic], 0, s->raw, max < SOURCE_BATCH_MAX ? max : SOURCE_BATCH_MAX);
	if (got <= 0)
		return WEIR_RETRY;
	*batch = (struct weir_batch){.messages = s->messages, .priv = (void *)got};
	enum weir_class class = WEIR_OK;
	for (ssize_t i = 0; i < got; i++) {
		const rd_kafka_message_t *raw = s->raw[i];
		if (raw->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			take_end(owned, topic, raw->offset);
			batch->end = true;
			continue;
		}
		if (raw->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
			if (queue_error(s, topic, raw, err))
				class = WEIR_FATAL;
			continue;
		}
		if (raw->offset < owned->next_offset[topic])
			continue; /* fetched before a rewind to a later place */
		batch->end = false;
		rd_kafka_timestamp_type_t type;
		int64_t ms = rd_kafka_message_timestamp(raw, &type);
		s->messages[batch->count++] = (struct weir_message){
		    .key = {raw->key, raw->key_len},
		    .value = {raw->payload, raw->len},
		    .offset = raw->offset,
		    .timestamp_us = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms <= 0 ? 0 : ms * 1000,
		};
		owned->next_offset[topic] = raw->offset + 1;
	}
	batch->next_offset = owned->next_offset[topic];
	if (s->watch != NULL && class == WEIR_OK && !owned->waiting)
		log_watch_delivered(s->watch, partition, topic, owned->next_offset[topic]);
	if (class != WEIR_OK)
		source_release(source, batch);
	return class;
}

static enum weir_class
source_rewind(struct weir_source *source, const struct weir_start *start, struct weir_error *err)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	if (start->partition >= s->owned_cap || !is_whole(s, &s->owned[start->partition]))
		return WEIR_OK; /* no longer ours */
	/* What the queue still holds is from the old position; the assign's version barrier outdates it. */
	start_partition(s, start);
	rd_kafka_resp_err_t code = assign_all(s);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? WEIR_OK
						  : weir_error_set(err, WEIR_FATAL, "assign: %s", rd_kafka_err2str(code));
}

static void
source_drop(struct weir_source *source, uint32_t partition)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	if (partition >= s->owned_cap || !is_whole(s, &s->owned[partition]) || s->owned[partition].dropped)
		return;
	s->owned[partition].dropped = true;
	if (s->watch != NULL)
		log_watch_stop(s->watch, partition);
	(void)assign_all(s);
}

static void
source_commit(struct weir_source *source, const struct weir_start *start)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)s->opts.topic_count);
	for (uint32_t t = 0; t < s->opts.topic_count; t++)
		if (start->offsets[t] >= 0)
			rd_kafka_topic_partition_list_add(list, s->opts.topics[t], (int32_t)start->partition)->offset =
			    start->offsets[t];
	if (list->cnt > 0)
		(void)rd_kafka_commit(s->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

static int64_t
source_lag(struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	int64_t low, high;
	if (rd_kafka_get_watermark_offsets(s->rk, s->opts.topics[topic], (int32_t)partition, &low, &high) !=
		RD_KAFKA_RESP_ERR_NO_ERROR ||
	    high < 0)
		return 0;
	if (offset < 0)
		offset = low;
	return high > offset ? high - offset : 0;
}

enum weir_class
source_rdkafka_hand(struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset, struct weir_error *err)
{
	struct rdkafka_source *s = (struct rdkafka_source *)source;
	if (partition >= s->owned_cap || !is_whole(s, &s->owned[partition]))
		return WEIR_OK; /* no longer ours */
	s->owned[partition].unread[topic] = false;
	s->owned[partition].next_offset[topic] = offset;
	rd_kafka_resp_err_t code = assign_all(s);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? WEIR_OK
						  : weir_error_set(err, WEIR_FATAL, "assign: %s", rd_kafka_err2str(code));
}

static const struct source_ops OPS = {.close = source_close,
    .poll = source_poll,
    .serve = source_serve,
    .fd = source_fd,
    .next = source_next,
    .release = source_release,
    .prove = source_prove,
    .rewind = source_rewind,
    .drop = source_drop,
    .commit = source_commit,
    .lag = source_lag};

static enum weir_class
open_reading(const struct weir_source_opts *opts, struct weir_source **source_out, struct weir_error *err)
{
	return source_rdkafka_open(opts, true, source_out, err);
}

const struct weir_source_kind source_rdkafka = {.name = "librdkafka", .open = open_reading};
