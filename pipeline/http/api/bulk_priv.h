/*
 * Requests in bulk: what is stored of one, and the thread that carries them out.
 *
 * `b:<id>` is a hash: state, why, message (what goes to each card, less its ICCID), target, by, at_us, total, sent (cards
 * gone through), skipped (of them unknown), taken (of them unknown, or beyond which their partitions' stored positions
 * are). `l:<id>` is a string of entries, one a card. `bulks` is the set of those at work; `w:<id>` is the lease of the
 * process that works on one, so that another takes over when it dies. Sending a chunk again does no harm: all carry the
 * bulk's id.
 */
#ifndef WEIR_PIPELINE_API_BULK_PRIV_H
#define WEIR_PIPELINE_API_BULK_PRIV_H

#include "pipeline/http/api/requests_priv.h"

#define WEIR_BULK_CARDS_MAX 2000000u

enum weir_bulk_entry_state { WEIR_BULK_WAITS, WEIR_BULK_SENT, WEIR_BULK_NO_CARD };

struct weir_bulk_entry {
	struct weir_iccid iccid;
	int64_t offset; /* in weir.cards, once sent */
	uint32_t partition;
	uint8_t state;
	uint8_t pad[3];
};
_Static_assert(sizeof(struct weir_bulk_entry) == 32, "as stored");

struct weir_bulk_entries {
	struct weir_bulk_entry *v;
	uint32_t n, cap;
};
/* bulk_store.c. Frees the reply; false when there is none: Redis is away. */
bool weir_bulk_done(struct weir_reply *reply);
void weir_bulk_add(struct weir_bulk_entries *entries, struct weir_iccid iccid);
/* Replaces what is stored under `l:<id>`; from `first` on, `count` of them. False: Redis is away. */
bool weir_bulk_store(struct weir_api_redis *redis, const char *id, const struct weir_bulk_entries *entries, uint32_t first,
    uint32_t count, struct weir_error *err);
/* Sets fields of `b:<id>`: names and texts by turns, ended by NULL. */
bool weir_bulk_set(struct weir_api_redis *redis, const char *id, struct weir_error *err, ...);
/* Both keys expire after api.kept_h. */
bool weir_bulk_keep(
    struct weir_api_redis *redis, const char *id, const struct weir_settings *settings, struct weir_error *err);

/* ---- the thread that carries them out ---- */

#define WEIR_BULK_CHUNK 500u

struct weir_bulk { /* in hand */
	struct weir_bulk *next;
	char id[WEIR_API_ID_TEXT];
	struct weir_bulk_entries entries;
	json_t *message, *target;
	char state[16];
	uint32_t sent, skipped, taken;
	struct weir_steady renewed;
};

struct weir_api_bulks {
	struct weir_api *api;
	struct weir_api_worker *worker;
	char owner[WEIR_API_ID_TEXT];
	struct weir_bulk *list; /* thread only */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t bell;
	bool rung, stopping; /* under lock */
};

/* bulk_lease.c. False: another process has it. Redis away counts as kept: two at work do no harm. */
bool weir_bulk_lease_take(struct weir_api_bulks *bulks, const char *id);
bool weir_bulk_lease_keep(struct weir_api_bulks *bulks, struct weir_bulk *bulk);
void weir_bulk_lease_drop(struct weir_api_bulks *bulks, const struct weir_bulk *bulk);
/* bulk_work.c, one for each state. False when it shall be tried again later. */
bool weir_bulk_collect(struct weir_api_bulks *bulks, struct weir_bulk *bulk);
bool weir_bulk_send(struct weir_api_bulks *bulks, struct weir_bulk *bulk);
bool weir_bulk_count_taken(struct weir_api_bulks *bulks, struct weir_bulk *bulk);

#endif
