/*
 * What a partition wants done outside: dead letters, commands, audit entries, messages for Kafka, and strings to fetch from
 * the store. Rules append to the lists, the owner takes them with weir_effects_drain. Messages are at least once: a replay
 * decides and sends again, so every one is absolute and says which state it is of.
 */
#ifndef WEIR_AGGREGATORS_STATE_EFFECTS_H
#define WEIR_AGGREGATORS_STATE_EFFECTS_H

#include "aggregators/tables/closed_cycles.h"
#include "aggregators/tables/dedupe_keys.h"
#include "aggregators/tables/record.h"
#include "aggregators/tables/windows.h"
#include "config/base/slice.h"
#include "config/reference/reference.h"

struct weir_partition;

enum weir_audit_event {
	WEIR_AUDIT_DECIDED, /* the desired state changed */
	WEIR_AUDIT_REASON,  /* the set of reasons changed, the desired state did not */
	WEIR_AUDIT_REQUEST, /* an operator's request was applied */
	WEIR_AUDIT_SENT,
	WEIR_AUDIT_ACCEPTED,
	WEIR_AUDIT_CONFIRMED,
	WEIR_AUDIT_FAILED,
	WEIR_AUDIT_REFUSED, /* an operator's request could not be applied: text says why, and by which rule */
};

/* One line of the audit (CMD-4): plain data, taken by the owner. */
struct weir_audit {
	struct weir_iccid iccid;
	uint32_t slot;
	uint8_t event;   /* enum weir_audit_event */
	uint8_t action;  /* enum weir_desired: 1 resume, 2 suspend */
	uint8_t reason;  /* that caused it; WEIR_REASON_NONE */
	uint8_t carrier; /* number + 1 */
	uint16_t reasons_before;
	uint16_t reasons;
	uint32_t input;
	int64_t offset;
	int64_t record_us, decided_us, sent_us, confirmed_us, at_us;
	uint64_t limit, usage_before, usage_after, overshoot;
	char ticket[48];
	char text[192]; /* request's action and reply, or the carrier's words */
	/*
	 * Of a pool, not of a card: iccid is zero and slot UINT32_MAX (its history is in `jp:<pool>`; the key is the pool's
	 * id), usage is the pool's of `cycle`, event is decided, request or refused. Empty for a card's, where cycle is not
	 * set.
	 */
	char pool[WEIR_ID_MAX];
	uint16_t cycle;
};

/* What goes to other partitions or to everybody: a message for Kafka, which a flush must wait for. */
enum weir_outbox_topic {
	WEIR_OUTBOX_USAGE_REPORTS,
	WEIR_OUTBOX_CARDS,
	WEIR_OUTBOX_ALERTS,
	WEIR_OUTBOX_POOL_HOURLY, /* rows of the feeds (docs/rollups.md) */
	WEIR_OUTBOX_POOL_DAILY,
	WEIR_OUTBOX_CARD_DAILY
};
#define WEIR_OUTBOX_BY_KEY UINT32_MAX
struct weir_outbox_message {
	uint8_t topic;      /* enum weir_outbox_topic */
	uint32_t partition; /* WEIR_OUTBOX_BY_KEY: by the key, as records are */
	uint32_t at;        /* key, then value, in weir_effects.outbox.bytes */
	uint16_t key_len;
	uint32_t value_len;
};

/* What made something happen: coordinates of the record or request. */
struct weir_cause {
	uint32_t input;
	int64_t offset;
	int64_t record_us;  /* the record's end time, or the request's time */
	int64_t arrived_us; /* Kafka timestamp of the message; 0 = none (clock) */
	uint64_t usage_before;
};

/* A string that a parked record, or a feed, waits for. */
enum weir_fetch_kind { WEIR_FETCH_DEDUPE_KEYS, WEIR_FETCH_CLOSED_CYCLE, WEIR_FETCH_WINDOW };
struct weir_fetch_request {
	uint8_t kind;   /* enum weir_fetch_kind */
	uint8_t window; /* of WEIR_FETCH_WINDOW: enum weir_window_kind */
	int64_t number; /* dedupe keys: hour; closed cycle: its number; else the window's */
	uint32_t place; /* dedupe keys: bucket; closed cycle: card's slot; else the page */
};
#define WEIR_FETCH_KEY_MAX 64
/* Its key's name after the partition tag, and which bytes of it are wanted: *len_out 0 = all. */
void weir_fetch_key(
    const struct weir_fetch_request *fetch, char name_out[WEIR_FETCH_KEY_MAX], uint32_t *from_out, uint32_t *len_out);

/* A card, and the state that it may be in at its carrier: an intent, or what an owner knew (unconfirmed.c). */
struct weir_unconfirmed_card {
	struct weir_iccid iccid;
	uint64_t token; /* of the intent, and of no other; 0 = it is none */
	uint8_t state;  /* enum weir_desired: what the command is for, or what was confirmed */
};

struct weir_unconfirmed_list {
	struct weir_unconfirmed_card *v;
	uint32_t n, cap;
};

void weir_unconfirmed_push(struct weir_unconfirmed_list *list, const struct weir_unconfirmed_card *unconfirmed_card);
void weir_unconfirmed_free(struct weir_unconfirmed_list *list);

/*
 * What a partition wants done outside. Rules append, the owner takes: weir_effects_drain gives each list to its handler and
 * empties it. Lists keep their memory, so that a round allocates nothing after warm-up.
 */
struct weir_effects {
	struct weir_records dead_letters; /* rejected records; their raw bytes are with the batch */
	struct {
		struct weir_audit *v;
		uint32_t n, cap;
	} audits;
	struct {
		struct weir_outbox_message *v;
		uint32_t n, cap;
		struct weir_buf bytes; /* keys and values */
	} outbox;
	struct weir_u64_list pending_commands; /* card slots whose desired or confirmed state changed */
	struct {
		struct weir_fetch_request *v;
		uint32_t n, cap;
	} fetch_requests;
};

/* Who does what a partition wants done; a handler that is NULL drops what it would get. */
struct weir_effects_handler {
	void *ctx;
	void (*dead_letter)(void *ctx, const struct weir_record *record);
	bool (*command)(void *ctx, uint32_t card_slot); /* false: no room, this one and those after it stay */
	void (*audit)(void *ctx, const struct weir_audit *audit);
	void (*publish)(
	    void *ctx, const struct weir_outbox_message *message, struct weir_slice key, struct weir_slice value);
	uint32_t (*fetch)(
	    void *ctx, const struct weir_fetch_request *requests, uint32_t count); /* how many of the first it took */
};

/* Empties the lists in this order: dead letters, commands, audits, outbox, fetches. Handlers must not change the partition.
 */
void weir_effects_drain(struct weir_effects *effects, const struct weir_effects_handler *to);

/* ---- for the rules ---- */

/* A rejected record becomes a dead letter, and is counted. */
void weir_partition_reject(struct weir_partition *p, const struct weir_record *record, enum weir_reject reject);

/* An audit entry of a card, filled with its state; or an empty one of something else. Valid until the next. */
struct weir_audit *weir_partition_add_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause);
struct weir_audit *weir_effects_add_audit(struct weir_effects *effects);

/* A message of the outbox. */
void weir_outbox_add(struct weir_partition *p, enum weir_outbox_topic topic, uint32_t partition, const char *key,
    const void *value, uint32_t len);
/* One of the alerts topic, whose value fmt makes; counted. */
void weir_partition_alert(struct weir_partition *p, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* An id as it stands in JSON: backslashes escaped; an id holds nothing else that needs it. */
#define WEIR_JSON_ID_MAX (2 * WEIR_ID_MAX)
void weir_json_id(const char *id, char out[WEIR_JSON_ID_MAX]);

/* Is it an id, padded with zeros? */
bool weir_is_text_of_id(const char id[WEIR_ID_MAX]);

/* Keeps a reference's JSON in the partition's hash under "kind:id". */
void weir_partition_remember(struct weir_partition *p, const char *kind, const char *id, struct weir_slice json);

/* Asks the store for a string. */
void weir_partition_request_fetch(struct weir_partition *p, struct weir_fetch_request fetch);
/* Asks for the page of a slot's window, once. */
void weir_partition_request_window(struct weir_partition *p, enum weir_window_kind kind, int32_t number, uint32_t slot);
/* The card's totals of a closed cycle, or NULL: they are requested. Valid until the next call. */
struct weir_closed_cycle_entry *weir_partition_closed_cycle(struct weir_partition *p, uint16_t cycle, uint32_t slot);

#endif
