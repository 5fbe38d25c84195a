/*
 * What must be known of a partition's log before it is read on: where it begins, whether it still holds the position,
 * whether a new leader's log agrees with what was delivered. Where it does not, the partition stops with the words of
 * source_gone.
 */
#include "config/base/log.h"
#include "consumers/direct/direct_priv.h"

#define RETRY_US 100000ll

static uint32_t
tag_of(const struct direct_source *s, const struct direct_part *part)
{
	return (uint32_t)(part - s->parts);
}

void
direct_check_send(struct direct_source *s, struct direct_part *part)
{
	struct direct_node *node = direct_node(s, part->leader);
	if (node == NULL || !conn_is_ready(&node->conn, s->now_us) || part->retry_us > s->now_us)
		return;
	struct conn *conn = &node->conn;
	struct weir_slice topic = weir_slice_of(s->opts.topics[part->topic]);
	enum protocol_api api = part->need == NEED_EPOCH_END ? API_EPOCH_END : API_LIST_OFFSETS;
	int16_t version = conn->versions.of[api];
	if (version < 0) { /* an old broker: nobody can tell */
		part->need = NEED_NOTHING;
		return;
	}
	int32_t correlation = conn_request(conn, api, version, tag_of(s, part), part->generation, s->now_us);
	if (api == API_EPOCH_END)
		protocol_ask_epoch_end(
		    &conn->out, version, correlation, topic, (int32_t)part->number, part->epoch, part->read_epoch);
	else
		protocol_ask_offset(&conn->out, version, correlation, false, topic, (int32_t)part->number, part->epoch,
		    part->need == NEED_HIGH ? -1 : -2);
	part->checking = true;
	conn_push(conn, s->now_us);
}

static void
gone(struct direct_source *s, struct direct_part *part)
{
	direct_part_discard(part);
	part->failed = true;
	(void)source_gone(&s->error, s->opts.topics[part->topic], part->number, part->position);
}

static void
take_offset(struct direct_source *s, struct direct_part *part, int64_t offset)
{
	switch (part->need) {
	case NEED_FIRST:
		part->position = part->fetch_offset = offset;
		part->need = NEED_NOTHING;
		break;
	case NEED_LOW:
		part->need = NEED_HIGH;
		if (part->position < offset)
			gone(s, part);
		break;
	default:
		part->need = NEED_NOTHING;
		if (part->position > offset)
			gone(s, part);
		else { /* a replica that was behind, or one that lost what was not delivered yet */
			direct_part_discard(part);
			part->retry_us = s->now_us + conn_spread_us(&s->random, RETRY_US);
			direct_meta_want(s, 0);
		}
		break;
	}
}

bool
direct_check_take(struct direct_source *s, const struct conn_request *request, struct wire_reader r)
{
	int16_t error;
	int32_t epoch = -1;
	int64_t offset;
	bool good = request->api == API_EPOCH_END ? protocol_read_epoch_end(&r, request->version, &error, &epoch, &offset)
						  : protocol_read_offset(&r, request->version, &error, &offset);
	if (!good)
		return false;
	struct direct_part *part = request->tag < s->part_cap * s->opts.topic_count ? &s->parts[request->tag] : NULL;
	if (part == NULL || !part->checking || part->generation != request->generation)
		return true;
	part->checking = false;
	if (error != KAFKA_OK) {
		part->retry_us = s->now_us + conn_spread_us(&s->random, RETRY_US);
		direct_meta_want(s, 0);
	} else if (request->api != API_EPOCH_END)
		take_offset(s, part, offset);
	else {
		part->need = NEED_NOTHING;
		if (offset >= 0 && offset < part->position)
			gone(s, part);
	}
	return true;
}
