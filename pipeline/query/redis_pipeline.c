/*
 * Questions to Redis in pipelines. A batch's commands are kept as bytes until all are answered, because all of them only
 * read: after a lost connection, and for a command that another node has (MOVED), they are simply sent again.
 *
 * Each command names its partition; the node of a partition is learnt from MOVED, as the store does. A batch goes out node
 * by node and is read node by node, in order.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define MOVES_MAX 3 /* slots that move while we ask */

/* ---- commands ---- */

static void
drop_replies(struct weir_reader *reader)
{
	struct pipeline *pipeline = &reader->pipeline;
	for (uint32_t i = 0; i < pipeline->n; i++) {
		if (pipeline->v[i].reply != NULL)
			freeReplyObject(pipeline->v[i].reply);
		pipeline->v[i].reply = NULL;
	}
}

void
query_clear(struct weir_reader *reader)
{
	drop_replies(reader);
	reader->pipeline.n = 0;
	reader->pipeline.bytes.len = 0;
}

static void
close_command(struct pipeline *pipeline)
{
	if (pipeline->n > 0)
		pipeline->v[pipeline->n - 1].len = pipeline->bytes.len - pipeline->v[pipeline->n - 1].at;
}

uint32_t
query_begin(struct weir_reader *reader, uint32_t partition, uint32_t argc, struct weir_buf **out)
{
	struct pipeline *pipeline = &reader->pipeline;
	close_command(pipeline);
	if (pipeline->n == pipeline->cap) {
		pipeline->cap = pipeline->cap == 0 ? 64 : pipeline->cap * 2;
		pipeline->v = weir_realloc(pipeline->v, pipeline->cap * sizeof(*pipeline->v));
	}
	pipeline->v[pipeline->n] = (struct command){.partition = partition, .at = pipeline->bytes.len};
	weir_resp_command(&pipeline->bytes, argc);
	*out = &pipeline->bytes;
	return pipeline->n++;
}

static void
append_key(struct weir_reader *reader, struct weir_buf *out, uint32_t partition, const char *fmt, va_list args)
{
	char name[WEIR_ID_MAX + 64];
	(void)vsnprintf(name, sizeof(name), fmt, args);
	weir_resp_key(out, reader->prefix, partition, "%s", name);
}

uint32_t
query_get(struct weir_reader *reader, uint32_t partition, const char *fmt, ...)
{
	struct weir_buf *out;
	uint32_t number = query_begin(reader, partition, 2, &out);
	va_list args;
	va_start(args, fmt);
	weir_resp_text(out, "GET");
	append_key(reader, out, partition, fmt, args);
	va_end(args);
	return number;
}

uint32_t
query_range(struct weir_reader *reader, uint32_t partition, uint32_t from, uint32_t len, const char *fmt, ...)
{
	struct weir_buf *out;
	uint32_t number = query_begin(reader, partition, 4, &out);
	va_list args;
	va_start(args, fmt);
	weir_resp_text(out, "GETRANGE");
	append_key(reader, out, partition, fmt, args);
	va_end(args);
	weir_resp_i64(out, from);
	weir_resp_i64(out, (int64_t)from + len - 1);
	return number;
}

uint32_t
query_field(struct weir_reader *reader, uint32_t partition, const char *hash, const char *fmt, ...)
{
	struct weir_buf *out;
	char field[WEIR_ID_MAX + 64];
	uint32_t number = query_begin(reader, partition, 3, &out);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(field, sizeof(field), fmt, args);
	va_end(args);
	weir_resp_text(out, "HGET");
	weir_resp_key(out, reader->prefix, partition, "%s", hash);
	weir_resp_text(out, field);
	return number;
}

const redisReply *
query_reply(const struct weir_reader *reader, uint32_t number)
{
	WEIR_CHECK(number < reader->pipeline.n && reader->pipeline.v[number].reply != NULL);
	return reader->pipeline.v[number].reply;
}

struct weir_slice
query_bytes(const struct weir_reader *reader, uint32_t number)
{
	const redisReply *reply = query_reply(reader, number);
	if (reply->type != REDIS_REPLY_STRING)
		return (struct weir_slice){(const uint8_t *)"", 0};
	return (struct weir_slice){(const uint8_t *)reply->str, (size_t)reply->len};
}

/* ---- links ---- */

static void
link_close(struct link *link)
{
	if (link->redis != NULL)
		redisFree(link->redis);
	link->redis = NULL;
}

/* All of them; nodes are forgotten, so that redis.url is asked again. */
void
query_close(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->link_count; i++)
		link_close(&reader->links[i]);
	reader->link_count = 1;
	reader->any_link = 0;
	if (reader->node_of != NULL)
		memset(reader->node_of, 0, reader->partitions);
}

static uint32_t
link_of(const struct weir_reader *reader, uint32_t partition)
{
	if (partition == QUERY_ANY_NODE)
		return reader->any_link;
	return partition < reader->partitions && reader->node_of != NULL ? reader->node_of[partition] : 0;
}

static enum weir_read
link_open(struct weir_reader *reader, struct link *link, struct weir_error *err)
{
	struct weir_error why = {0};
	if (link->redis != NULL)
		return WEIR_READ_OK;
	link->redis = link->node[0] == '\0' ? weir_redis_connect(reader->opts.settings, &why)
					    : weir_redis_connect_node(reader->opts.settings, link->node, &why);
	if (link->redis != NULL)
		return WEIR_READ_OK;
	return read_fail(err, why.class == WEIR_RETRY ? WEIR_READ_AWAY : WEIR_READ_BROKEN, "%s", why.text);
}

/* The link to a node that MOVED named. */
static uint32_t
link_to(struct weir_reader *reader, const char *node)
{
	for (uint32_t i = 1; i < reader->link_count; i++)
		if (strcmp(reader->links[i].node, node) == 0)
			return i;
	if (reader->link_count == READ_NODES)
		return 0; /* too many: redis.url is asked again, and the question ends with words */
	struct link *link = &reader->links[reader->link_count];
	*link = (struct link){0};
	(void)snprintf(link->node, sizeof(link->node), "%s", node);
	return reader->link_count++;
}

/* ---- sending ---- */

static bool
starts_with(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* What an error answer means; MOVED is looked at before. */
static enum weir_read
refused(const redisReply *reply, struct weir_error *err)
{
	static const char *const later[] = {"LOADING", "BUSY ", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "ASK ", "READONLY",
	    "ERR max number of clients", "EXECABORT", "OOM", "NOREPLICAS", "MISCONF"};
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (starts_with(reply->str, later[i]))
			return read_fail(err, WEIR_READ_AWAY, "Redis: %.300s", reply->str);
	return read_fail(err, WEIR_READ_BROKEN, "Redis: %.300s", reply->str);
}

/* "MOVED 1234 host:port": where the partition is from now on. */
static bool
take_move(struct weir_reader *reader, uint32_t partition, const redisReply *reply)
{
	const char *node = strrchr(reply->str, ' ');
	if (!starts_with(reply->str, "MOVED ") || node == NULL ||
	    (partition != QUERY_ANY_NODE && partition >= reader->partitions))
		return false;
	uint8_t *place = partition == QUERY_ANY_NODE ? &reader->any_link : &reader->node_of[partition];
	*place = (uint8_t)link_to(reader, node + 1);
	return true;
}

static bool
link_lost(struct link *link, struct weir_error *err, enum weir_read *how)
{
	*how = read_fail(
	    err, WEIR_READ_AWAY, "Redis: %s", link->redis->errstr[0] != '\0' ? link->redis->errstr : "connection lost");
	link_close(link);
	return false;
}

/* Does a transaction begin, or end, at command i among those of one link that have no answer? */
static bool
is_edge(const struct weir_reader *reader, uint32_t i, int step)
{
	const struct pipeline *pipeline = &reader->pipeline;
	uint32_t j = i + (uint32_t)step;
	return (step < 0 && i == 0) || j >= pipeline->n || pipeline->v[j].partition != pipeline->v[i].partition;
}

static bool
write_link(struct weir_reader *reader, uint32_t number, bool together, struct weir_error *err, enum weir_read *how)
{
	static const char MULTI[] = "*1\r\n$5\r\nMULTI\r\n", EXEC[] = "*1\r\n$4\r\nEXEC\r\n";
	const struct pipeline *pipeline = &reader->pipeline;
	struct link *link = &reader->links[number];
	redisContext *redis = link->redis;
	int ok = REDIS_OK;
	for (uint32_t i = 0; i < pipeline->n && ok == REDIS_OK; i++) {
		if (pipeline->v[i].reply != NULL || link_of(reader, pipeline->v[i].partition) != number)
			continue;
		if (together && is_edge(reader, i, -1))
			ok = redisAppendFormattedCommand(redis, MULTI, sizeof(MULTI) - 1);
		if (ok == REDIS_OK)
			ok = redisAppendFormattedCommand(
			    redis, (const char *)pipeline->bytes.data + pipeline->v[i].at, pipeline->v[i].len);
		if (ok == REDIS_OK && together && is_edge(reader, i, 1))
			ok = redisAppendFormattedCommand(redis, EXEC, sizeof(EXEC) - 1);
	}
	return ok == REDIS_OK || link_lost(link, err, how);
}

static redisReply *
next_reply(struct link *link, struct weir_error *err, enum weir_read *how)
{
	void *reply = NULL;
	if (redisGetReply(link->redis, &reply) == REDIS_OK && reply != NULL)
		return reply;
	(void)link_lost(link, err, how);
	return NULL;
}

/* The answers of EXEC go to the commands from..to. */
static bool
share_out(struct pipeline *pipeline, uint32_t from, uint32_t to, redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != to - from + 1)
		return false;
	for (uint32_t i = from; i <= to; i++) {
		pipeline->v[i].reply = reply->element[i - from];
		reply->element[i - from] = NULL;
	}
	return true;
}

/* Answers of one transaction: OK, QUEUED for each, then EXEC's. An error of a command is its answer. */
static bool
read_together(
    struct weir_reader *reader, struct link *link, uint32_t from, uint32_t to, struct weir_error *err, enum weir_read *how)
{
	struct pipeline *pipeline = &reader->pipeline;
	redisReply *reply = next_reply(link, err, how);
	if (reply == NULL)
		return false;
	bool moved = false, bad = reply->type == REDIS_REPLY_ERROR;
	if (bad)
		*how = refused(reply, err);
	freeReplyObject(reply);
	for (uint32_t i = from; i <= to; i++) {
		if ((reply = next_reply(link, err, how)) == NULL)
			return false;
		if (reply->type == REDIS_REPLY_ERROR && !bad && !moved) {
			moved = take_move(reader, pipeline->v[i].partition, reply);
			bad = !moved;
			if (bad)
				*how = refused(reply, err);
		}
		freeReplyObject(reply);
	}
	if ((reply = next_reply(link, err, how)) == NULL)
		return false;
	if (!moved && !bad && !share_out(pipeline, from, to, reply)) {
		bad = true;
		*how = reply->type == REDIS_REPLY_ERROR
			   ? refused(reply, err)
			   : read_fail(err, WEIR_READ_AWAY, "Redis answered something that is no transaction's");
	}
	freeReplyObject(reply);
	return true;
}

static bool
read_link(struct weir_reader *reader, uint32_t number, const uint8_t *link_was, bool together, struct weir_error *err,
    enum weir_read *how)
{
	struct pipeline *pipeline = &reader->pipeline;
	struct link *link = &reader->links[number];
	for (uint32_t i = 0; i < pipeline->n; i++) {
		if (pipeline->v[i].reply != NULL || link_was[i] != number)
			continue;
		if (together) {
			uint32_t to = i;
			while (!is_edge(reader, to, 1))
				to++;
			if (!read_together(reader, link, i, to, err, how))
				return false;
			i = to;
			continue;
		}
		redisReply *reply = next_reply(link, err, how);
		if (reply == NULL)
			return false;
		if (reply->type == REDIS_REPLY_ERROR && take_move(reader, pipeline->v[i].partition, reply))
			freeReplyObject(reply);
		else
			pipeline->v[i].reply = reply;
	}
	return true;
}

static uint32_t
unanswered(const struct pipeline *pipeline)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < pipeline->n; i++)
		count += pipeline->v[i].reply == NULL;
	return count;
}

/* One round over all nodes that have something to answer. false: a connection was lost, or opens not. */
static bool
round_trip(struct weir_reader *reader, bool together, struct weir_error *err, enum weir_read *how)
{
	struct pipeline *pipeline = &reader->pipeline;
	bool used[READ_NODES] = {false};
	uint8_t *link_was = weir_calloc(pipeline->n, 1);
	bool ok = true;
	for (uint32_t i = 0; i < pipeline->n; i++) {
		link_was[i] = (uint8_t)link_of(reader, pipeline->v[i].partition);
		used[link_was[i]] |= pipeline->v[i].reply == NULL;
	}
	uint32_t links = reader->link_count;
	for (uint32_t n = 0; n < links && ok; n++) {
		if (!used[n])
			continue;
		*how = link_open(reader, &reader->links[n], err);
		ok = *how == WEIR_READ_OK && write_link(reader, n, together, err, how);
	}
	for (uint32_t n = 0; n < links && ok; n++)
		ok = !used[n] || read_link(reader, n, link_was, together, err, how);
	free(link_was);
	return ok;
}

static enum weir_read
first_error(const struct pipeline *pipeline, struct weir_error *err)
{
	for (uint32_t i = 0; i < pipeline->n; i++)
		if (pipeline->v[i].reply->type == REDIS_REPLY_ERROR)
			return refused(pipeline->v[i].reply, err);
	return WEIR_READ_OK;
}

static enum weir_read
send_all(struct weir_reader *reader, bool together, struct weir_error *err)
{
	struct pipeline *pipeline = &reader->pipeline;
	close_command(pipeline);
	bool retried = false;
	for (int moves = 0; unanswered(pipeline) > 0;) {
		enum weir_read how = WEIR_READ_OK;
		bool was_open = reader->links[0].redis != NULL || reader->link_count > 1;
		if (!round_trip(reader, together, err, &how)) {
			/* A connection that had been idle may have been closed by the other side: once more, from anew. */
			query_close(reader);
			drop_replies(reader);
			if (!was_open || retried || how == WEIR_READ_BROKEN)
				return how;
			retried = true;
			continue;
		}
		if (how != WEIR_READ_OK)
			return how;
		if (unanswered(pipeline) > 0 && ++moves > MOVES_MAX) {
			query_close(reader);
			return read_fail(err, WEIR_READ_AWAY, "Redis Cluster names another node again and again");
		}
	}
	return first_error(pipeline, err);
}

enum weir_read
query_send(struct weir_reader *reader, struct weir_error *err)
{
	return send_all(reader, false, err);
}

enum weir_read
query_send_together(struct weir_reader *reader, struct weir_error *err)
{
	return send_all(reader, true, err);
}
