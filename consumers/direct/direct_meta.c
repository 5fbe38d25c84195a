/*
 * Brokers and leaders: Metadata asked over whichever connection is ready, at once when something moved and every few
 * minutes when nothing seems to. A leader's epoch only grows: what a broker tells that has not heard the latest is not
 * believed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/base/backoff.h"
#include "config/base/log.h"
#include "consumers/direct/direct_priv.h"
#include "consumers/wire/brokers.h"

#define PERIOD_US 5000000ll   /* also when nothing seems to move: a topic that is at rest may be created again */
#define MISMATCH_US 2000000ll /* so long brokers may still name a topic that was created again since */
#define RETRY_US 20000ll
#define RETRY_MAX_US 500000ll

struct direct_node *
direct_node(struct direct_source *s, int32_t id)
{
	for (uint32_t i = 0; i < s->node_count; i++)
		if (s->nodes[i]->id == id && id >= 0)
			return s->nodes[i];
	return NULL;
}

static struct direct_node *
add_node(struct direct_source *s, int32_t id, const char *host, int32_t port)
{
	struct direct_node *node = weir_calloc(1, sizeof(*node));
	node->id = id;
	node->wait_ms = WAIT_MS_LEAST;
	conn_init(&node->conn, &s->conn_opts, host, port, weir_random_next(&s->random));
	s->nodes = weir_realloc(s->nodes, (s->node_count + 1) * sizeof(struct direct_node *));
	s->nodes[s->node_count++] = node;
	return node;
}

static void
add_bootstrap(void *ctx, const char *host, int32_t port)
{
	(void)add_node(ctx, -1, host, port);
}

void
direct_meta_open(struct direct_source *s)
{
	brokers_each(s->opts.settings, add_bootstrap, s);
}

void
direct_meta_want(struct direct_source *s, int64_t in_us)
{
	int64_t pause = (int64_t)weir_backoff_grow(RETRY_US, RETRY_MAX_US, s->meta_tries);
	int64_t due = s->now_us + conn_spread_us(&s->random, in_us > pause ? in_us : pause);
	if (due < s->meta_due_us)
		s->meta_due_us = due;
}

static void
request(struct direct_source *s, struct direct_node *node)
{
	int16_t version = node->conn.versions.of[API_METADATA];
	protocol_request_metadata(&node->conn.out, version,
	    conn_request(&node->conn, API_METADATA, version, 0, 0, s->now_us), s->opts.topics, s->opts.topic_count);
	s->meta_node = node;
	s->meta_due_us = INT64_MAX;
	conn_push(&node->conn, s->now_us);
}

void
direct_meta_serve(struct direct_source *s)
{
	if (s->meta_node != NULL || s->now_us < s->meta_due_us)
		return;
	struct direct_node *best = NULL;
	for (uint32_t i = 0; i < s->node_count; i++) {
		struct direct_node *node = s->nodes[(i + s->meta_tries) % s->node_count];
		if (!conn_is_ready(&node->conn, s->now_us))
			continue;
		if (best == NULL || node->conn.request_count < best->conn.request_count)
			best = node;
	}
	if (best != NULL) {
		request(s, best);
		return;
	}
	for (uint32_t i = 0; i < s->node_count; i++)
		conn_open(&s->nodes[i]->conn, s->now_us); /* whichever answers first */
}

/* ---- taking ---- */

static void
take_broker(struct direct_source *s, const struct protocol_broker *broker)
{
	char host[256], port[8];
	(void)snprintf(host, sizeof(host), "%.*s", (int)broker->host.len, (const char *)broker->host.data);
	(void)snprintf(port, sizeof(port), "%u", (unsigned)broker->port & 0xffff);
	struct direct_node *node = direct_node(s, broker->id);
	if (broker->id < 0)
		return;
	if (node == NULL)
		(void)add_node(s, broker->id, host, broker->port);
	else if (strcmp(node->conn.host, host) != 0 || strcmp(node->conn.port, port) != 0) {
		conn_close(&node->conn, NULL, s->now_us);
		(void)snprintf(node->conn.host, sizeof(node->conn.host), "%s", host);
		(void)snprintf(node->conn.port, sizeof(node->conn.port), "%s", port);
	}
}

static int
topic_of(const struct direct_source *s, struct weir_slice name)
{
	for (uint32_t t = 0; t < s->opts.topic_count; t++)
		if (weir_slice_equals(name, s->opts.topics[t]))
			return (int)t;
	return -1;
}

/* Another leader: what was received and not delivered is fetched again from it, once its log is known to agree. */
static void
take_leader(struct direct_part *part, const struct protocol_leader *leader)
{
	if (leader->epoch >= 0 && leader->epoch < part->epoch)
		return;
	bool moved = leader->leader != part->leader || leader->epoch != part->epoch;
	bool first = part->leader < 0 && part->epoch < 0;
	part->leader = leader->leader;
	part->epoch = leader->epoch;
	if (!moved || first || !part->assigned)
		return;
	direct_part_discard(part);
	part->checking = false;
	part->retry_us = 0;
	if (part->need == NEED_NOTHING && part->read_epoch >= 0 && leader->epoch >= 0)
		part->need = NEED_EPOCH_END;
}

/*
 * The topic's id is the one that the part reads, or becomes it. False: it is another one. A broker that has not heard the
 * latest names an old id for a moment, so it must be named for a while before it is believed.
 */
static bool
take_id(struct direct_source *s, struct direct_part *part, const struct log_id *id)
{
	if (!log_id_is_known(&part->id))
		part->id = *id;
	if (!log_id_is_known(id) || log_id_equals(&part->id, id)) {
		part->mismatch_us = 0;
		return true;
	}
	if (part->mismatch_us == 0)
		part->mismatch_us = s->now_us;
	if (s->now_us - part->mismatch_us >= MISMATCH_US && !part->failed) {
		part->evidence.id = *id;
		direct_check_stop(part, LOG_REPLACED);
	}
	return part->failed;
}

/* A topic with more or fewer partitions: its keys lie in other ones from now on. */
static void
check_count(struct direct_source *s, uint32_t topic, uint32_t count)
{
	if (s->opts.partitions == 0 || count == s->opts.partitions || s->repartitioned)
		return;
	s->repartitioned = true;
	(void)log_partitions_error(&s->error, s->opts.topics[topic], count, s->opts.partitions);
}

/* A partition of a topic of ours. False when its leader, or its log, may still come. */
static bool
take_part(struct direct_source *s, uint32_t topic, const struct protocol_leader *leader)
{
	struct direct_part *part = leader->partition < 0 ? NULL : direct_part(s, topic, (uint32_t)leader->partition);
	if (part == NULL || !part->assigned)
		return true;
	if (!take_id(s, part, &s->topics[topic].id))
		return false;
	if (leader->leader < 0)
		return false;
	if (direct_part_has_log(s, part))
		take_leader(part, leader);
	return true;
}

/* False when something is missing that may come. */
static bool
take_topic(struct direct_source *s, struct protocol_metadata *m, const struct protocol_topic *topic)
{
	struct protocol_leader leader;
	int t = topic_of(s, topic->name);
	bool good = topic->error == KAFKA_OK;
	if (t >= 0 && topic->error != s->topics[t].error) {
		s->topics[t].error = topic->error;
		if (!good)
			weir_log(WEIR_LOG_WARN, "kafka_topic", "%s: Kafka's error %d", s->opts.topics[t], topic->error);
	}
	if (t >= 0 && good && m->version >= 10) {
		s->topics[t].id = topic->id;
		s->topics[t].known = true;
	}
	uint32_t count = 0;
	for (; protocol_metadata_partition(m, &leader); count++)
		if (t >= 0 && topic->error == KAFKA_OK)
			good &= take_part(s, (uint32_t)t, &leader);
	if (t >= 0 && topic->error == KAFKA_OK && !m->r.bad)
		check_count(s, (uint32_t)t, count);
	return good;
}

bool
direct_meta_take(struct direct_source *s, int16_t version, struct wire_reader r)
{
	struct protocol_metadata m;
	struct protocol_broker broker;
	struct protocol_topic topic;
	bool good = true;
	s->meta_node = NULL;
	protocol_metadata_begin(&m, r, version);
	while (protocol_metadata_broker(&m, &broker))
		take_broker(s, &broker);
	while (protocol_metadata_topic(&m, &topic))
		good &= take_topic(s, &m, &topic);
	if (m.r.bad)
		return false;
	/* A wish that came meanwhile stands (due is earlier). Tries count while answers help nobody. */
	if (s->meta_due_us == INT64_MAX)
		s->meta_due_us = s->now_us + PERIOD_US;
	if (!good) {
		s->meta_tries++;
		direct_meta_want(s, 0);
	} else
		s->meta_tries = 0;
	return true;
}
