/*
 * The client's brokers: what they are asked, and what their answers say. Everything read here is input from outside: an
 * answer that names another topic, a partition that was not asked for or one twice changes nothing or closes its
 * connection.
 */
#include <stdio.h>
#include <stdlib.h>

#include "consumers/wire/brokers.h"
#include "consumers/wire/log_identity_priv.h"

#define TIMEOUT_MS 5000u
#define FRAME_MAX (64u << 20)
#define TAG_FIRST_METADATA 0u
#define TAG_LAST_METADATA 1u

/* ---- brokers ---- */

static struct log_node *
node_of(struct conn *conn)
{
	return (struct log_node *)conn;
}

static struct log_node *
add_node(struct log_identity *client, int32_t id, const char *host, int32_t port)
{
	struct log_node *node = weir_calloc(1, sizeof(*node));
	node->id = id;
	conn_init(&node->conn, &client->conn_opts, host, port, weir_random_next(&client->random));
	client->nodes = weir_realloc(client->nodes, (client->node_count + 1) * sizeof(struct log_node *));
	client->nodes[client->node_count++] = node;
	return node;
}

static void
add_bootstrap(void *ctx, const char *host, int32_t port)
{
	(void)add_node(ctx, -1, host, port);
}

static void
take_broker(struct log_identity *client, const struct protocol_broker *broker)
{
	char host[256], port[8];
	(void)snprintf(host, sizeof(host), "%.*s", (int)broker->host.len, (const char *)broker->host.data);
	(void)snprintf(port, sizeof(port), "%u", (unsigned)broker->port & 0xffff);
	if (broker->id < 0)
		return;
	for (uint32_t i = 0; i < client->node_count; i++) {
		struct conn *conn = &client->nodes[i]->conn;
		if (client->nodes[i]->id != broker->id)
			continue;
		if (strcmp(conn->host, host) == 0 && strcmp(conn->port, port) == 0)
			return;
		conn_close(conn, NULL, client->now_us);
		(void)snprintf(conn->host, sizeof(conn->host), "%s", host);
		(void)snprintf(conn->port, sizeof(conn->port), "%s", port);
		return;
	}
	(void)add_node(client, broker->id, host, broker->port);
}

/* ---- Metadata ---- */

static int
topic_of(const struct log_identity *client, struct weir_slice name)
{
	for (uint32_t t = 0; t < client->opts.topic_count; t++)
		if (weir_slice_equals(name, client->opts.topics[t]))
			return (int)t;
	return -1;
}

/* The parts are in order: by halves. UINT32_MAX: not asked about. */
static uint32_t
part_of(const struct log_identity *client, uint32_t topic, int32_t partition)
{
	uint32_t from = 0, to = client->part_count;
	while (from < to) {
		uint32_t at = from + (to - from) / 2;
		const struct log_part *part = &client->parts[at];
		if (part->topic < topic || (part->topic == topic && (int64_t)part->partition < partition))
			from = at + 1;
		else
			to = at;
	}
	bool found = from < client->part_count && client->parts[from].topic == topic &&
		     (int64_t)client->parts[from].partition == partition;
	return found ? from : UINT32_MAX;
}

/* A topic's error is that of all its parts. */
static void
fail_topic(struct log_identity *client, uint32_t topic, int16_t error)
{
	for (uint32_t i = 0; i < client->part_count; i++) {
		if (client->parts[i].topic != topic || !client->tries[i].open)
			continue;
		client->parts[i].error = error;
		client->tries[i].failed = true;
	}
}

static void
take_leader(struct log_identity *client, uint32_t topic, const struct protocol_leader *leader)
{
	uint32_t at = part_of(client, topic, leader->partition);
	if (at == UINT32_MAX || !client->tries[at].open)
		return;
	client->parts[at].leader = leader->leader;
	client->parts[at].leader_epoch = leader->epoch;
	if (leader->leader >= 0)
		return;
	client->parts[at].error = leader->error;
	client->tries[at].failed = true;
}

/* Who leads what, and which topics there are. False: the answer makes no sense. */
static bool
take_first(struct log_identity *client, int16_t version, struct wire_reader r)
{
	struct protocol_metadata m;
	struct protocol_broker broker;
	struct protocol_topic topic;
	struct protocol_leader leader;
	protocol_metadata_begin(&m, r, version);
	while (protocol_metadata_broker(&m, &broker))
		take_broker(client, &broker);
	while (protocol_metadata_topic(&m, &topic)) {
		int t = topic_of(client, topic.name);
		uint32_t count = 0;
		while (protocol_metadata_partition(&m, &leader)) {
			count++;
			if (t >= 0)
				take_leader(client, (uint32_t)t, &leader);
		}
		if (t < 0)
			continue;
		client->topics[t] = (struct log_topic){true, topic.error, count, topic.id};
		if (topic.error != KAFKA_OK)
			fail_topic(client, (uint32_t)t, topic.error);
	}
	return !m.r.bad;
}

/* A leader's last word: the parts that it still leads, in the epoch and under the id of before, are confirmed. */
static bool
take_last(struct log_identity *client, const struct log_node *node, int16_t version, struct wire_reader r)
{
	struct protocol_metadata m;
	struct protocol_broker broker;
	struct protocol_topic topic;
	struct protocol_leader leader;
	protocol_metadata_begin(&m, r, version);
	while (protocol_metadata_broker(&m, &broker))
		;
	while (protocol_metadata_topic(&m, &topic)) {
		int t = topic_of(client, topic.name);
		bool same = t >= 0 && topic.error == KAFKA_OK && log_id_equals(&topic.id, &client->topics[t].id);
		while (protocol_metadata_partition(&m, &leader)) {
			uint32_t at = same ? part_of(client, (uint32_t)t, leader.partition) : UINT32_MAX;
			if (at != UINT32_MAX && leader.leader == node->id && leader.epoch == client->parts[at].leader_epoch)
				client->tries[at].confirmed = true;
		}
	}
	return !m.r.bad;
}

static void
send_metadata(struct log_identity *client, struct log_node *node, uint32_t tag)
{
	struct conn *conn = &node->conn;
	int16_t version = conn->versions.of[API_METADATA];
	int32_t correlation = conn_request(conn, API_METADATA, version, tag, client->attempt, client->now_us);
	protocol_request_metadata(&conn->out, version, correlation, client->opts.topics, client->opts.topic_count);
	conn_push(conn, client->now_us);
}

void
log_metadata_send(struct log_identity *client)
{
	struct log_node *best = NULL;
	for (uint32_t i = 0; i < client->node_count; i++) {
		struct log_node *node = client->nodes[(i + client->attempt) % client->node_count];
		if (!conn_is_ready(&node->conn, client->now_us))
			continue;
		if (best == NULL || node->conn.request_count < best->conn.request_count)
			best = node;
	}
	if (best != NULL) {
		client->metadata_node = best;
		send_metadata(client, best, TAG_FIRST_METADATA);
		return;
	}
	for (uint32_t i = 0; i < client->node_count; i++)
		conn_open(&client->nodes[i]->conn, client->now_us); /* whichever is ready first */
}

/* ---- leaders ---- */

/* The parts to which a question of a topic goes, as the request has them; returns their number. */
static uint32_t
collect(struct log_identity *client, const struct log_node *node, uint32_t topic, enum log_question question)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < client->part_count; i++) {
		const struct log_part *part = &client->parts[i];
		const struct log_try *try = &client->tries[i];
		if (part->topic != topic || part->leader != node->id || !try->open || try->failed ||
		    (try->missing >> question & 1) == 0)
			continue;
		client->questions[count++] =
		    (struct protocol_offset_part){(int32_t)part->partition, part->leader_epoch, part->epoch};
	}
	return count;
}

/* An old broker: what it cannot tell stays unknown. */
static void
do_without(struct log_identity *client, const struct log_node *node, uint32_t topic, enum log_question question)
{
	for (uint32_t i = 0; i < client->part_count; i++)
		if (client->parts[i].topic == topic && client->parts[i].leader == node->id)
			client->tries[i].missing &= (uint8_t) ~(1u << question);
}

static void
send_question(struct log_identity *client, struct log_node *node, uint32_t topic, enum log_question question)
{
	struct conn *conn = &node->conn;
	enum protocol_api api = question == ASK_EPOCH_END ? API_EPOCH_END : API_LIST_OFFSETS;
	int16_t version = conn->versions.of[api];
	uint32_t count = collect(client, node, topic, question);
	if (count == 0)
		return;
	if (version < 0) {
		do_without(client, node, topic, question);
		return;
	}
	struct weir_slice name = weir_slice_of(client->opts.topics[topic]);
	int32_t correlation =
	    conn_request(conn, api, version, topic * LOG_QUESTIONS + question, client->attempt, client->now_us);
	if (api == API_EPOCH_END)
		protocol_request_epoch_ends(&conn->out, version, correlation, name, client->questions, count);
	else
		protocol_request_offsets(&conn->out, version, correlation, false, name, client->questions, count,
		    question == ASK_FIRST ? -2 : -1);
	conn_push(conn, client->now_us);
}

void
log_node_send(struct log_identity *client, struct log_node *node)
{
	const uint32_t last = client->opts.topic_count * LOG_QUESTIONS;
	struct conn *conn = &node->conn;
	if (conn->state == CONN_CLOSED && client->now_us < conn->retry_us) {
		log_round_lost(client, node); /* another may lead by the next try */
		return;
	}
	conn_open(conn, client->now_us);
	for (; node->asked && node->next < last && conn_is_ready(conn, client->now_us); node->next++)
		send_question(client, node, node->next / LOG_QUESTIONS, node->next % LOG_QUESTIONS);
	if (node->asked && node->next == last && conn_is_ready(conn, client->now_us)) {
		node->next++;
		send_metadata(client, node, TAG_LAST_METADATA);
	}
}

static void
take_answer(struct log_part *part, enum log_question question, int16_t version, const struct protocol_offset *answer)
{
	struct log_evidence *evidence = &part->evidence;
	switch (question) {
	case ASK_EPOCH_END:
		evidence->epoch_answered = true;
		evidence->epoch_found = answer->offset < 0 ? LOG_EPOCH_UNKNOWN : answer->epoch;
		evidence->epoch_end = answer->offset;
		break;
	case ASK_FIRST:
		evidence->first_offset = answer->offset;
		break;
	default:
		/* Before version 5 a new leader names an end that may be lower than what the old one delivered. */
		evidence->end_offset = version >= 5 ? answer->offset : LOG_OFFSET_UNKNOWN;
		break;
	}
}

static bool
take_offsets(
    struct log_identity *client, const struct log_node *node, const struct conn_request *request, struct wire_reader r)
{
	uint32_t topic = request->tag / LOG_QUESTIONS;
	enum log_question question = request->tag % LOG_QUESTIONS;
	struct protocol_offsets o;
	struct protocol_offset answer;
	if (topic >= client->opts.topic_count || !protocol_offsets_begin(&o, r, request->api, request->version) ||
	    !weir_slice_equals(o.topic, client->opts.topics[topic]))
		return false;
	while (protocol_offsets_next(&o, &answer)) {
		uint32_t at = part_of(client, topic, answer.partition);
		if (at == UINT32_MAX || client->parts[at].leader != node->id || !client->tries[at].open ||
		    (client->tries[at].missing >> question & 1) == 0)
			continue; /* not asked, or answered already */
		if (answer.error != KAFKA_OK) {
			client->parts[at].error = answer.error;
			client->tries[at].failed = true;
			continue;
		}
		take_answer(&client->parts[at], question, request->version, &answer);
		client->tries[at].missing &= (uint8_t) ~(1u << question);
	}
	return !o.r.bad;
}

/* ---- connections' words ---- */

static uint8_t *
on_room(void *ctx, struct conn *conn, const struct conn_request *request, uint32_t len)
{
	(void)ctx;
	(void)conn;
	(void)request;
	(void)len;
	return NULL; /* only a Fetch needs it, and none is sent */
}

static bool
on_response(void *ctx, struct conn *conn, const struct conn_request *request, struct wire_reader r)
{
	struct log_identity *client = ctx;
	struct log_node *node = node_of(conn);
	bool good = true;
	if (request->generation != client->attempt || client->phase == LOG_IDLE)
		return true; /* to a question of before */
	if (request->api != API_METADATA)
		return !node->asked || take_offsets(client, node, request, r);
	if (request->tag == TAG_FIRST_METADATA) {
		good = take_first(client, request->version, r);
		if (good)
			log_round_took_metadata(client);
	} else if (node->asked) {
		good = take_last(client, node, request->version, r);
		if (good)
			log_round_took_leader(client, node);
	}
	return good;
}

static void
on_closed(void *ctx, struct conn *conn)
{
	log_round_lost(ctx, node_of(conn));
}

int64_t
log_nodes_tick(struct log_identity *client)
{
	int64_t due_us = INT64_MAX;
	for (uint32_t i = 0; i < client->node_count; i++) {
		int64_t node_us = conn_tick(&client->nodes[i]->conn, client->now_us);
		due_us = node_us < due_us ? node_us : due_us;
	}
	return due_us;
}

void
log_nodes_open(struct log_identity *client)
{
	client->conn_opts = (struct conn_opts){.epoll_fd = client->epoll_fd,
	    .security = &client->security,
	    .timeout_ms = TIMEOUT_MS,
	    .frame_max = FRAME_MAX,
	    .ctx = client,
	    .room = on_room,
	    .response = on_response,
	    .closed = on_closed};
	brokers_each(client->opts.settings, add_bootstrap, client);
}

void
log_nodes_close(struct log_identity *client)
{
	for (uint32_t i = 0; i < client->node_count; i++) {
		conn_free(&client->nodes[i]->conn);
		free(client->nodes[i]);
	}
	free(client->nodes);
}
