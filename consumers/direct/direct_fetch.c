/*
 * Asking leaders for records, and taking what comes.
 *
 * A connection has one Fetch under way. When its response is there, only the heads of its batches are read, which
 * gives the next offsets: the next Fetch goes out before the first record is walked. It asks for the partitions that the
 * lane came to since the last one, so that what is held back is not fetched, and asks in full each time: a session would
 * have to name nearly all of them again, for their offsets have moved, and would take one of the broker's few slots.
 */
#include <stdlib.h>

#include "config/base/log.h"
#include "consumers/direct/direct_priv.h"

#define RETRY_US 50000ll
#define IDLE_ROUNDS 8u /* after so many rounds in which the lane did not come, what lies here is in the others' way */

/* ---- asking ---- */

static bool
is_wanted(const struct direct_source *s, const struct direct_part *part, const struct direct_node *node)
{
	return part->assigned && part->asked && part->leader == node->id && !part->handed && !part->failed &&
	       !part->flying && !part->checking && part->need == NEED_NOTHING && part->segment_count < SEGMENTS &&
	       direct_part_has_log(s, part) && part->retry_us <= s->now_us && !(part->old && part->segment_count > 0);
}

static struct direct_response *
free_response(struct direct_node *node)
{
	for (uint32_t i = 0; i < RESPONSES; i++)
		if (node->responses[i].refs == 0 && !node->responses[i].filling)
			return &node->responses[i];
	return NULL;
}

static bool
refers_to(const struct direct_part *part, const struct direct_node *node)
{
	for (uint32_t i = 0; i < part->segment_count; i++)
		if (part->segments[i].response >= node->responses &&
		    part->segments[i].response < node->responses + RESPONSES)
			return true;
	return false;
}

/* Lets go of what partitions that are held back keep of all responses: they would hold back all others too. */
static void
free_idle(struct direct_source *s, struct direct_node *node)
{
	for (uint32_t i = 0; i < s->part_cap * s->opts.topic_count; i++) {
		struct direct_part *part = &s->parts[i];
		if (part->segment_count > 0 && s->round - part->asked_round > IDLE_ROUNDS && refers_to(part, node))
			direct_part_discard(part);
	}
}

static void
add_flight(struct direct_node *node, const struct direct_part *part)
{
	if (node->flight_count == node->flight_cap) {
		node->flight_cap = node->flight_cap == 0 ? 64 : node->flight_cap * 2;
		node->flights = weir_realloc(node->flights, node->flight_cap * sizeof(*node->flights));
	}
	node->flights[node->flight_count++] = (struct direct_flight){part->topic, part->number, part->generation};
}

/* Those wanted of a topic, from another one on each time, so that none is always last when a response is full. */
static uint32_t
collect_of(struct direct_source *s, struct direct_node *node, uint32_t topic)
{
	uint32_t from = node->flight_count;
	for (uint32_t i = 0; i < s->part_cap; i++) {
		struct direct_part *part = direct_part(s, topic, (node->turn + i) % s->part_cap);
		if (is_wanted(s, part, node))
			add_flight(node, part);
	}
	return node->flight_count - from;
}

/* The flights of the next Fetch: how many of each topic; returns of how many topics. */
static uint32_t
collect(struct direct_source *s, struct direct_node *node, uint32_t counts_out[WEIR_TOPICS_MAX])
{
	uint32_t topics = 0;
	node->flight_count = 0;
	for (uint32_t t = s->opts.topic_count; t-- > 0;)
		topics += (counts_out[t] = collect_of(s, node, t)) > 0;
	return topics;
}

static void
write_part(struct direct_source *s, struct direct_node *node, uint32_t flight, int16_t version, bool last)
{
	struct direct_part *part = direct_part(s, node->flights[flight].topic, node->flights[flight].number);
	struct protocol_fetch_part request = {.partition = (int32_t)part->number,
	    .epoch = part->epoch,
	    .offset = part->fetch_offset,
	    .max_bytes = (int32_t)part->max_bytes};
	protocol_fetch_part(&node->conn.out, version, &request, last);
	part->flying = true;
	part->asked = false;
}

static int16_t
version_of(const struct direct_source *s, const struct direct_node *node)
{
	int16_t version = node->conn.versions.of[API_FETCH];
	for (uint32_t t = 0; t < s->opts.topic_count && version >= 13; t++)
		if (!s->topics[t].known)
			version = 12; /* by name: an id has not been told */
	return version;
}

static void
write_fetch(struct direct_source *s, struct direct_node *node, const uint32_t *counts, uint32_t topic_count)
{
	struct conn *conn = &node->conn;
	int16_t version = version_of(s, node);
	int32_t correlation = conn_request(conn, API_FETCH, version, 0, 0, s->now_us);
	struct protocol_fetch_request request = {.wait_ms = (int32_t)node->wait_ms,
	    .min_bytes = s->min_bytes,
	    .max_bytes = (int32_t)s->fetch_bytes,
	    .committed = s->committed};
	size_t from = protocol_begin(&conn->out, API_FETCH, version, correlation);
	protocol_fetch_begin(&conn->out, version, &request, topic_count);
	uint32_t at = 0;
	/* reference data and sums first: they are little, and records wait for them */
	for (uint32_t t = s->opts.topic_count; t-- > 0;) {
		if (counts[t] == 0)
			continue;
		protocol_fetch_topic(&conn->out, version, weir_slice_of(s->opts.topics[t]), &s->topics[t].id, counts[t]);
		for (uint32_t i = 0; i < counts[t]; i++, at++)
			write_part(s, node, at, version, i + 1 == counts[t]);
	}
	protocol_fetch_end(&conn->out, version, &request);
	protocol_end(&conn->out, from);
}

void
direct_fetch_send(struct direct_source *s, struct direct_node *node)
{
	uint32_t counts[WEIR_TOPICS_MAX];
	if (node->fetching || !conn_is_ready(&node->conn, s->now_us) || node->retry_us > s->now_us)
		return;
	uint32_t topics = collect(s, node, counts);
	if (topics == 0)
		return;
	node->filling = free_response(node);
	if (node->filling == NULL) {
		free_idle(s, node);
		topics = collect(s, node, counts); /* what was let go of is of another generation, at another offset */
		node->filling = free_response(node);
	}
	if (node->filling == NULL)
		return; /* all are being walked */
	node->filling->filling = true;
	node->fetching = true;
	node->turn++;
	write_fetch(s, node, counts, topics);
	conn_push(&node->conn, s->now_us);
}

uint8_t *
direct_fetch_room(struct direct_node *node, uint32_t len)
{
	struct direct_response *response = node->filling;
	if (response == NULL)
		return NULL;
	if (response->cap < len || response->cap > 8 * (size_t)len + 4 * FETCH_BYTES) {
		free(response->bytes);
		response->cap = len < FETCH_BYTES ? FETCH_BYTES + FETCH_BYTES / 8 : len;
		response->bytes = weir_realloc(NULL, response->cap);
	}
	return response->bytes;
}

/* ---- taking ---- */

static struct direct_part *
find_part(struct direct_source *s, const struct protocol_fetched *fetched, int16_t version)
{
	for (uint32_t t = 0; t < s->opts.topic_count && fetched->partition >= 0; t++) {
		bool same = version >= 13 ? memcmp(fetched->id.bytes, s->topics[t].id.bytes, sizeof(fetched->id.bytes)) == 0
					  : weir_slice_equals(fetched->name, s->opts.topics[t]);
		if (same)
			return direct_part(s, t, (uint32_t)fetched->partition);
	}
	return NULL;
}

/* Was it asked for, as it is now? Once for each request, however often an answer names it. */
static bool
claim_part(struct direct_node *node, struct direct_part *part)
{
	for (uint32_t i = 0; i < node->flight_count; i++) {
		struct direct_flight *flight = &node->flights[i];
		if (flight->topic != part->topic || flight->number != part->number)
			continue;
		flight->topic = UINT32_MAX;
		if (flight->generation != part->generation || !part->assigned)
			return false;
		part->flying = false;
		return true;
	}
	return false;
}

/* The partition rests a moment; what it asks for may have moved. */
static void
rest(struct direct_source *s, struct direct_part *part, bool elsewhere)
{
	part->retry_us = s->now_us + conn_spread_us(&s->random, RETRY_US);
	if (elsewhere)
		direct_meta_want(s, 0);
}

static void
take_error(struct direct_source *s, struct direct_part *part, int16_t error)
{
	switch (error) {
	case KAFKA_OFFSET_OUT_OF_RANGE:
		part->need = NEED_LOW;
		break;
	case KAFKA_NOT_LEADER:
	case KAFKA_FENCED_EPOCH:
	case KAFKA_UNKNOWN_EPOCH:
	case KAFKA_UNKNOWN_TOPIC:
	case KAFKA_UNKNOWN_TOPIC_ID:
	case KAFKA_INCONSISTENT_TOPIC_ID:
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_REPLICA_NOT_AVAILABLE:
	case KAFKA_STORAGE_ERROR:
	case KAFKA_OFFSET_NOT_AVAILABLE:
		rest(s, part, true);
		break;
	default:
		weir_log(WEIR_LOG_WARN, "kafka_partition", "%s [%u]: Kafka's error %d", s->opts.topics[part->topic],
		    part->number, error);
		part->retry_us = s->now_us + conn_spread_us(&s->random, 1000000);
		direct_meta_want(s, 0);
		break;
	}
}

/* Counts whole batches: where they end, and the offset after them. */
static enum records_fault
measure(struct weir_slice records, const uint8_t **end_out, int64_t *next_out)
{
	const uint8_t *at = records.data, *end = records.data + records.len;
	struct record_batch batch;
	enum records_fault fault;
	*end_out = at;
	while ((fault = records_batch(&at, end, &batch)) == RECORDS_OK) {
		*end_out = at;
		*next_out = batch.last_offset + 1;
	}
	return fault;
}

/* What a damaged head leaves: delivered up to there, and then found again at the front, where it is told. */
static void
take_records(struct direct_source *s, struct direct_node *node, struct direct_part *part,
    const struct protocol_fetched *fetched, int16_t version)
{
	struct direct_segment segment = {.response = node->filling,
	    .at = fetched->records.data,
	    .aborted = fetched->aborted,
	    .aborted_count = s->committed ? fetched->aborted_count : 0,
	    .version = version};
	int64_t next = part->fetch_offset;
	enum records_fault fault = measure(fetched->records, &segment.end, &next);
	bool whole = segment.end != segment.at;
	part->old = fault == RECORDS_OLD;
	if (!whole && fault == RECORDS_CUT)
		part->max_bytes = part->max_bytes >= PART_BYTES_MAX / 2 ? PART_BYTES_MAX : part->max_bytes * 2;
	if (!whole && fault != RECORDS_END && fault != RECORDS_CUT && fault != RECORDS_OLD)
		segment.end = fetched->records.data + fetched->records.len; /* the walk will name it */
	if (segment.end == segment.at)
		return;
	if (whole)
		part->max_bytes = s->part_bytes;
	if (next > part->fetch_offset)
		part->fetch_offset = next;
	direct_part_take(s, part, &segment);
}

/* An older format at the front, and nothing before it: librdkafka reads this one. */
static void
hand_over(struct direct_source *s, struct direct_part *part)
{
	struct weir_error err;
	weir_log(WEIR_LOG_INFO, "kafka_source", "librdkafka reads %s [%u]: messages of an older format are there",
	    s->opts.topics[part->topic], part->number);
	part->handed = true;
	if (source_rdkafka_hand(s->group, part->topic, part->number, part->next_offset, &err) != WEIR_OK)
		weir_log(WEIR_LOG_ERROR, "kafka_source", "%s", err.text);
}

static bool
take_part(struct direct_source *s, struct direct_node *node, const struct protocol_fetched *fetched, int16_t version)
{
	struct direct_part *part = find_part(s, fetched, version);
	if (part == NULL || !claim_part(node, part))
		return false;
	if (fetched->error != KAFKA_OK) {
		take_error(s, part, fetched->error);
		return false;
	}
	part->low = fetched->low >= 0 ? fetched->low : part->low;
	part->high = fetched->high;
	part->end = s->committed && fetched->stable >= 0 ? fetched->stable : fetched->high;
	part->end_known = true;
	take_records(s, node, part, fetched, version);
	if (part->old && part->segment_count == 0)
		hand_over(s, part);
	return fetched->records.len > 0;
}

static void
flights_landed(struct direct_source *s, struct direct_node *node)
{
	for (uint32_t i = 0; i < node->flight_count; i++) {
		struct direct_part *part = direct_part(s, node->flights[i].topic, node->flights[i].number);
		if (part != NULL && part->generation == node->flights[i].generation)
			part->flying = false;
	}
	node->flight_count = 0;
	if (node->filling != NULL)
		node->filling->filling = false;
	node->filling = NULL;
	node->fetching = false;
}

bool
direct_fetch_take(struct direct_source *s, struct direct_node *node, int16_t version, struct wire_reader r)
{
	struct protocol_fetch fetch;
	struct protocol_fetched fetched;
	bool any = false;
	protocol_fetched_begin(&fetch, r, version);
	while (protocol_fetched_next(&fetch, &fetched))
		any |= take_part(s, node, &fetched, version);
	bool good = !fetch.r.bad;
	flights_landed(s, node);
	if (fetch.throttle_ms > 0)
		node->retry_us = s->now_us + (int64_t)fetch.throttle_ms * 1000;
	if (fetch.error != KAFKA_OK)
		node->retry_us = s->now_us + conn_spread_us(&s->random, RETRY_US);
	uint32_t longer = node->wait_ms * 2 < s->wait_ms_most ? node->wait_ms * 2 : s->wait_ms_most;
	node->wait_ms = any ? WAIT_MS_LEAST : longer;
	if (good)
		direct_fetch_send(s, node);
	return good;
}

void
direct_fetch_lost(struct direct_source *s, struct direct_node *node)
{
	flights_landed(s, node);
}
