/* What requests on one card or pool, and in bulk, share. Needs jansson, which the rest of the API does not. */
#ifndef WEIR_PIPELINE_API_REQUESTS_PRIV_H
#define WEIR_PIPELINE_API_REQUESTS_PRIV_H

#include <jansson.h>

#include "pipeline/http/api/api_priv.h"

struct weir_api_asked {
	const char *kind; /* iccid, pool, guard */
	const char *subject;
	bool keyed;        /* the subject is the message's key; else it goes to every partition */
	int32_t partition; /* where the subject is; -1 = where its key belongs */
	bool has_id;       /* the message carries the id */
	bool audited;      /* the card's or pool's audit will tell what became of it */
	char id[WEIR_API_ID_TEXT];
	char action[16];
	char by[WEIR_ID_MAX];
	int64_t at_us;
};

/* The body as an object; NULL after a problem. The caller's. */
json_t *weir_api_body_object(struct weir_api_request *request);
/* Members other than the known ones (ended by NULL) are refused, as are those that only we may say. */
bool weir_api_members_check(struct weir_api_request *request, json_t *body, const char *const *known);
/* Who asks: the token's name, and behind a colon whom the body names. */
bool weir_api_by(struct weir_api_request *request, json_t *body);
char *weir_api_message_text(struct weir_api_request *request, json_t *message, struct weir_reference *reference_out);
void weir_api_command_request(struct weir_api_request *request, struct weir_api_worker *worker, json_t *message,
    struct weir_api_asked *asked, uint32_t copies);

/* request_state.c: what became of a request that lies at (partition, offset) of weir.cards. */
enum weir_api_outcome {
	WEIR_API_PENDING,     /* its partition has not come to it, or not flushed it */
	WEIR_API_APPLIED,     /* and `entry` says how */
	WEIR_API_NOT_APPLIED, /* refused: the audit says why, and weir.dead has it */
	WEIR_API_UNKNOWN,     /* done, but the audit no longer goes back so far */
};
const char *weir_api_outcome_name(enum weir_api_outcome outcome);
/* The entry of a request in a history: by id, or by place. NULL = not there. */
const struct weir_history_entry *weir_api_entry_find(
    const struct weir_history *history, const char *id, const char *topic, int64_t partition, int64_t offset);
/* Words of an entry behind "action id: ". */
const char *weir_api_entry_reply(const struct weir_history_entry *entry);
/* `taken`: the partition has flushed beyond the request's place. */
enum weir_api_outcome weir_api_outcome_of(const struct weir_history *history, const struct weir_history_entry *entry,
    bool taken, bool audited, uint32_t history_entries);
/* Next offset of topics.cards in a partition, as Redis has it; -1 = none. */
int64_t weir_api_next_offset(
    const struct weir_partition_view *partitions, uint32_t count, const char *topic, uint32_t partition);

#endif
