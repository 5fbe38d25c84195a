/*
 * What must be known of a partition's log before it is read on: where it begins, whether it still holds the position,
 * whether the leader's log agrees with what was delivered. Where it does not, the partition stops, with the verdict and the
 * evidence for it (docs/logs.md).
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
		protocol_request_epoch_end(
		    &conn->out, version, correlation, topic, (int32_t)part->number, part->epoch, part->read_epoch);
	else
		protocol_request_offset(&conn->out, version, correlation, false, topic, (int32_t)part->number, part->epoch,
		    part->need == NEED_HIGH ? -1 : -2);
	part->checking = true;
	conn_push(conn, s->now_us);
}

void
direct_check_stop(struct direct_part *part, enum log_verdict verdict)
{
	direct_part_discard(part);
	part->failed = true;
	part->need = NEED_NOTHING;
	part->verdict = verdict;
}

enum weir_class
direct_check_error(
    const struct direct_source *s, const struct direct_part *part, struct weir_batch *batch, struct weir_error *err)
{
	const struct log_name name = {part->id, part->read_epoch};
	if (part->verdict == LOG_SAME) {
		*err = s->error;
		return WEIR_FATAL;
	}
	batch->verdict = part->verdict;
	batch->topic = part->topic;
	batch->log = (struct log_name){part->verdict == LOG_REPLACED ? part->evidence.id : part->id, LOG_EPOCH_UNKNOWN};
	batch->next_offset = log_resume_offset(part->verdict, part->next_offset, &part->evidence);
	return log_verdict_error(
	    err, part->verdict, s->opts.topics[part->topic], part->number, &name, part->next_offset, &part->evidence);
}

static void
take_offset(struct direct_source *s, struct direct_part *part, int64_t offset)
{
	switch (part->need) {
	case NEED_FIRST:
		part->next_offset = part->fetch_offset = offset;
		part->need = NEED_NOTHING;
		break;
	case NEED_LOW:
		part->need = NEED_HIGH;
		part->evidence.first_offset = offset;
		if (part->next_offset < offset)
			direct_check_stop(part, LOG_EXPIRED);
		break;
	default:
		part->need = NEED_NOTHING;
		part->evidence.end_offset = offset;
		if (part->next_offset > offset)
			direct_check_stop(part, LOG_TRUNCATED);
		else { /* a replica that was behind, or one that lost what was not delivered yet */
			direct_part_discard(part);
			part->retry_us = s->now_us + conn_spread_us(&s->random, RETRY_US);
			direct_meta_want(s, 0);
		}
		break;
	}
}

/*
 * Where the epoch that was read last ends in the leader's log. A leader that never heard of it, and of none before it, has
 * another history; of a topic without id that is not sure, and a fetch will tell.
 */
static void
take_epoch_end(struct direct_part *part, int32_t epoch, int64_t offset)
{
	part->need = NEED_NOTHING;
	part->evidence.epoch_answered = true;
	part->evidence.epoch_found = offset < 0 ? LOG_EPOCH_UNKNOWN : epoch;
	part->evidence.epoch_end = offset;
	if (offset < 0 ? log_id_is_known(&part->id) : offset < part->next_offset)
		direct_check_stop(part, LOG_TRUNCATED);
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
	else
		take_epoch_end(part, epoch, offset);
	return true;
}
