/*
 * The direct source: librdkafka is the member of the group; the records come over connections of the lane's own, read and
 * walked by the lane's thread. No thread, no lock, no copy and no allocation per record. See docs/direct.md.
 */
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "consumers/direct/direct.h"
#include "consumers/direct/direct_priv.h"
#include "consumers/wire/transport.h"

#define EVENTS_MAX 32
#define TIMEOUT_MS 10000u

static const struct source_ops OPS;

static struct direct_source *
direct_of(struct weir_source *source)
{
	return (struct direct_source *)source;
}

/* ---- partitions come and go ---- */

static void
reserve(struct direct_source *s, uint32_t partition)
{
	uint32_t topics = s->opts.topic_count;
	if (partition < s->part_cap)
		return;
	uint32_t cap = s->part_cap == 0 ? 16 : s->part_cap;
	while (cap <= partition)
		cap *= 2;
	s->parts = weir_realloc(s->parts, (size_t)cap * topics * sizeof(*s->parts));
	for (uint32_t i = s->part_cap * topics; i < cap * topics; i++)
		s->parts[i] = (struct direct_part){.topic = i % topics, .number = i / topics, .leader = -1, .epoch = -1};
	s->part_cap = cap;
}

/* Reads from there on; whatever was received before means nothing. */
static void
start_part(struct direct_source *s, struct direct_part *part, int64_t offset, const struct log_name *log)
{
	bool named = log_id_is_known(&log->id);
	if (!named || !log_id_equals(&log->id, &part->id))
		part->leader = part->epoch = -1; /* epochs of another log say nothing */
	part->id = log->id;
	part->verdict = LOG_SAME;
	part->evidence = LOG_NO_EVIDENCE;
	part->mismatch_us = 0;
	direct_part_discard(part);
	s->active += !part->assigned;
	part->assigned = true;
	part->failed = part->checking = part->end_known = part->end_reported = false;
	part->next_offset = part->offset_reported = part->fetch_offset = offset;
	part->read_epoch = named ? log->epoch : LOG_EPOCH_UNKNOWN;
	part->need = offset < 0 ? NEED_FIRST : part->read_epoch >= 0 ? NEED_EPOCH_END : NEED_NOTHING;
	part->retry_us = 0;
	part->max_bytes = s->part_bytes;
	part->asked_round = s->round;
	if (part->leader < 0)
		s->meta_due_us = 0;
}

static void
stop_part(struct direct_source *s, struct direct_part *part)
{
	direct_part_discard(part);
	s->active -= part->assigned;
	part->assigned = part->asked = false;
}

static bool
on_assign(void *ctx, struct weir_start *starts, uint32_t count)
{
	struct direct_source *s = ctx;
	if (!s->opts.on_assign(s->opts.ctx, starts, count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		reserve(s, starts[i].partition);
		for (uint32_t t = 0; t < s->opts.topic_count; t++) {
			struct direct_part *part = direct_part(s, t, starts[i].partition);
			part->handed = false;
			part->leader = part->epoch = -1; /* as of now, not of when it was ours before */
			start_part(s, part, starts[i].offsets[t], &starts[i].logs[t]);
		}
	}
	return true;
}

static void
on_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost)
{
	struct direct_source *s = ctx;
	s->opts.on_revoke(s->opts.ctx, partitions, count, lost);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t t = 0; t < s->opts.topic_count; t++) {
			struct direct_part *part = direct_part(s, t, partitions[i]);
			if (part != NULL)
				stop_part(s, part);
		}
}

/* ---- connections' words ---- */

static uint8_t *
on_room(void *ctx, struct conn *conn, const struct conn_request *request, uint32_t len)
{
	(void)ctx;
	(void)request;
	return direct_fetch_room(direct_node_of(conn), len);
}

static bool
on_response(void *ctx, struct conn *conn, const struct conn_request *request, struct wire_reader r)
{
	struct direct_source *s = ctx;
	switch (request->api) {
	case API_FETCH:
		return direct_fetch_take(s, direct_node_of(conn), request->version, r);
	case API_METADATA:
		return direct_meta_take(s, request->version, r);
	default:
		return direct_check_take(s, request, r);
	}
}

static void
on_closed(void *ctx, struct conn *conn)
{
	struct direct_source *s = ctx;
	struct direct_node *node = direct_node_of(conn);
	direct_fetch_lost(s, node);
	if (s->meta_node == node)
		s->meta_node = NULL;
	for (uint32_t i = 0; i < s->part_cap * s->opts.topic_count; i++)
		if (s->parts[i].leader == node->id)
			s->parts[i].checking = false;
	if (s->active > 0)
		direct_meta_want(s, 0);
}

/* ---- open and close ---- */

static uint32_t
number_property(const struct weir_settings *settings, const char *name, uint32_t fallback, uint32_t least, uint32_t most)
{
	const char *text = security_property(settings, name);
	unsigned long value = text == NULL ? fallback : strtoul(text, NULL, 10);
	return value < least ? least : value > most ? most : (uint32_t)value;
}

static void
read_properties(struct direct_source *s)
{
	const struct weir_settings *settings = s->opts.settings;
	const char *isolation = security_property(settings, "isolation.level");
	s->committed = isolation == NULL || strcasecmp(isolation, "read_uncommitted") != 0;
	s->min_bytes = (int32_t)number_property(settings, "fetch.min.bytes", 1, 1, 100000000);
	s->wait_ms_most = number_property(settings, "fetch.wait.max.ms", 100, WAIT_MS_LEAST, 5000);
	s->part_bytes = number_property(settings, "fetch.message.max.bytes", PART_BYTES, 1024, PART_BYTES_MAX);
	s->part_bytes = number_property(settings, "max.partition.fetch.bytes", s->part_bytes, 1024, PART_BYTES_MAX);
	s->fetch_bytes = number_property(settings, "fetch.max.bytes", FETCH_BYTES, 1024, PART_BYTES_MAX);
	s->conn_opts = (struct conn_opts){.epoll_fd = s->epoll_fd,
	    .security = &s->security,
	    .timeout_ms = number_property(settings, "socket.timeout.ms", TIMEOUT_MS, 100, 300000),
	    .frame_max = number_property(settings, "receive.message.max.bytes", INT32_MAX, 1000, INT32_MAX),
	    .ctx = s,
	    .room = on_room,
	    .response = on_response,
	    .closed = on_closed};
}

static void
source_close(struct weir_source *source)
{
	struct direct_source *s = direct_of(source);
	if (s->group != NULL)
		s->group->ops->close(s->group);
	s->active = 0;
	for (uint32_t i = 0; i < s->part_cap * s->opts.topic_count; i++) {
		direct_part_discard(&s->parts[i]);
		weir_buf_free(&s->parts[i].plain);
		free(s->parts[i].aborted);
	}
	for (uint32_t i = 0; i < s->node_count; i++) {
		conn_free(&s->nodes[i]->conn);
		for (uint32_t k = 0; k < RESPONSES; k++)
			free(s->nodes[i]->responses[k].bytes);
		free(s->nodes[i]->flights);
		free(s->nodes[i]);
	}
	if (s->epoll_fd >= 0)
		(void)close(s->epoll_fd);
	security_close(&s->security);
	records_codecs_free(s->codecs);
	free(s->nodes);
	free(s->parts);
	free(s->messages);
	s->base.magic = 0;
	free(s);
}

static enum weir_class
source_open(const struct weir_source_opts *opts, struct weir_source **source_out, struct weir_error *err)
{
	struct direct_source *s = weir_calloc(1, sizeof(*s));
	s->base.ops = &OPS;
	s->opts = *opts;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	WEIR_CHECK(s->epoll_fd >= 0);
	transport_random((uint8_t *)&s->random, sizeof(s->random));
	s->codecs = records_codecs_new();
	s->messages = weir_calloc(SOURCE_BATCH_MAX, sizeof(*s->messages));
	s->now_us = weir_steady_now().us;
	read_properties(s);
	direct_meta_open(s);
	struct weir_source_opts group = *opts;
	group.ctx = s;
	group.on_assign = on_assign;
	group.on_revoke = on_revoke;
	enum weir_class class = security_open(&s->security, opts->settings, err);
	if (class == WEIR_OK)
		class = source_rdkafka_open(&group, false, &s->group, err);
	if (class != WEIR_OK) {
		source_close(&s->base);
		return class;
	}
	*source_out = &s->base;
	return WEIR_OK;
}

/* ---- the lane's calls ---- */

static enum weir_class
source_poll(struct weir_source *source, struct weir_error *err)
{
	struct direct_source *s = direct_of(source);
	if (s->repartitioned) {
		*err = s->error;
		return WEIR_FATAL;
	}
	return s->group->ops->poll(s->group, err);
}

static int
source_fd(const struct weir_source *source)
{
	return ((const struct direct_source *)source)->epoll_fd;
}

static void
take_events(struct direct_source *s)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++)
		conn_io(events[i].data.ptr, events[i].events, s->now_us);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Leaders are connected to, checks sent; returns when the next of them is due. */
static int64_t
serve_parts(struct direct_source *s)
{
	int64_t due = INT64_MAX;
	for (uint32_t i = 0; i < s->part_cap * s->opts.topic_count; i++) {
		struct direct_part *part = &s->parts[i];
		if (!part->assigned || part->failed || part->handed)
			continue;
		struct direct_node *node = direct_node(s, part->leader);
		if (node == NULL) {
			direct_meta_want(s, 0);
			continue;
		}
		conn_open(&node->conn, s->now_us);
		if (node->conn.state != CONN_READY)
			direct_meta_want(s, 100000); /* it may be another's by now */
		if (part->need != NEED_NOTHING && !part->checking && direct_part_has_log(s, part))
			direct_check_send(s, part);
		if (part->retry_us > s->now_us)
			due = earlier(due, part->retry_us);
	}
	return due;
}

static int64_t
source_serve(struct weir_source *source)
{
	struct direct_source *s = direct_of(source);
	s->now_us = weir_steady_now().us;
	s->round++;
	take_events(s);
	if (s->active == 0)
		return INT64_MAX;
	int64_t due = serve_parts(s);
	direct_meta_serve(s);
	for (uint32_t i = 0; i < s->node_count; i++) {
		struct direct_node *node = s->nodes[i];
		due = earlier(due, conn_tick(&node->conn, s->now_us));
		direct_fetch_send(s, node);
		if (node->retry_us > s->now_us)
			due = earlier(due, node->retry_us);
	}
	if (s->meta_node == NULL)
		due = earlier(due, s->meta_due_us);
	return due > s->now_us ? due - s->now_us : 1000;
}

static enum weir_class
source_next(struct weir_source *source, uint32_t topic, uint32_t partition, uint32_t max, struct weir_batch *batch,
    struct weir_error *err)
{
	struct direct_source *s = direct_of(source);
	struct direct_part *part = direct_part(s, topic, partition);
	uint32_t count = 0;
	if (part == NULL || !part->assigned)
		return WEIR_RETRY;
	s->open = NULL;
	if (part->handed)
		return s->group->ops->next(s->group, topic, partition, max, batch, err);
	if (part->failed)
		return direct_check_error(s, part, batch, err);
	part->asked = true;
	part->asked_round = s->round;
	enum weir_class class = direct_part_next(s, part, max < SOURCE_BATCH_MAX ? max : SOURCE_BATCH_MAX, &count, err);
	if (class != WEIR_OK)
		return class;
	*batch = (struct weir_batch){.messages = s->messages, .count = count, .next_offset = part->next_offset};
	if (part->spent == part->segment_count && part->end_known && !part->end_reported && part->next_offset >= part->end)
		batch->end = part->end_reported = true;
	if (count == 0)
		direct_part_spend(part);
	if (count == 0 && !batch->end && part->next_offset == part->offset_reported)
		return WEIR_RETRY;
	part->offset_reported = part->next_offset;
	s->open = part;
	return WEIR_OK;
}

static void
source_release(struct weir_source *source, struct weir_batch *batch)
{
	struct direct_source *s = direct_of(source);
	if (s->open == NULL) {
		s->group->ops->release(s->group, batch);
		return;
	}
	direct_part_spend(s->open);
	s->open = NULL;
	*batch = (struct weir_batch){0};
}

/* A Fetch names the topic's id, and batches carry their epoch: what came is proven by how it came. */
static enum weir_proof
source_prove(struct weir_source *source, uint32_t partition, struct log_name *logs_out)
{
	struct direct_source *s = direct_of(source);
	for (uint32_t t = 0; t < s->opts.topic_count; t++) {
		const struct direct_part *part = direct_part(s, t, partition);
		if (part != NULL && part->assigned)
			logs_out[t] = (struct log_name){part->id, part->handed ? LOG_EPOCH_UNKNOWN : part->read_epoch};
	}
	return WEIR_PROOF_GOOD;
}

static enum weir_class
source_rewind(struct weir_source *source, const struct weir_start *start, struct weir_error *err)
{
	struct direct_source *s = direct_of(source);
	bool handed = false;
	for (uint32_t t = 0; t < s->opts.topic_count; t++) {
		struct direct_part *part = direct_part(s, t, start->partition);
		if (part == NULL)
			return WEIR_OK;
		handed |= part->handed;
		start_part(s, part, start->offsets[t], &start->logs[t]);
	}
	return handed ? s->group->ops->rewind(s->group, start, err) : WEIR_OK;
}

static void
source_drop(struct weir_source *source, uint32_t partition)
{
	struct direct_source *s = direct_of(source);
	bool handed = false;
	for (uint32_t t = 0; t < s->opts.topic_count; t++) {
		struct direct_part *part = direct_part(s, t, partition);
		if (part == NULL)
			return;
		handed |= part->handed;
		stop_part(s, part);
	}
	if (handed)
		s->group->ops->drop(s->group, partition);
}

static void
source_commit(struct weir_source *source, const struct weir_start *start)
{
	struct direct_source *s = direct_of(source);
	s->group->ops->commit(s->group, start);
}

static int64_t
source_lag(struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset)
{
	struct direct_source *s = direct_of(source);
	const struct direct_part *part = direct_part(s, topic, partition);
	if (part != NULL && part->handed)
		return s->group->ops->lag(s->group, topic, partition, offset);
	if (part == NULL || !part->end_known)
		return 0;
	if (offset < 0)
		offset = part->low;
	return part->high > offset ? part->high - offset : 0;
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

const struct weir_source_kind source_direct = {.name = "direct", .unable = security_unable, .open = source_open};
