/* The inside of the dispatcher's core, shared by its two files. See dispatch_core.h. */
#ifndef WEIR_PIPELINE_CORE_PRIV_H
#define WEIR_PIPELINE_CORE_PRIV_H

#include "config/base/random.h"
#include "pipeline/dispatch/carrier_limiter_priv.h"
#include "pipeline/dispatch/command_entries_priv.h"

struct weir_core_carrier {
	struct weir_carrier_limiter limiter;
	struct weir_card_list suspends, resumes; /* ready */
	struct weir_card_list retries;           /* waiting after failures; released when the breaker closes */
	uint64_t sent, confirmed, failed, retried, rate_limited, timeouts, withdrawn;
};

struct weir_dispatch_core {
	struct weir_cards cards;
	struct weir_core_carrier *carriers;
	uint32_t carrier_count;
	uint32_t turn;
	struct weir_random random;
	uint64_t tokens; /* the next intent's: counted from a number drawn, so that two runs share none */
	weir_dispatch_result_fn result;
	void *result_ctx;
};

enum weir_reschedule {
	WEIR_RESCHEDULE_BACK,  /* of the queue, when it is due */
	WEIR_RESCHEDULE_FRONT, /* of the queue: it had its turn and could not use it through no fault of its own */
	WEIR_RESCHEDULE_RETRY, /* waits after a failure */
};

bool weir_card_needs_call(const struct weir_card_entry *card);
bool weir_card_is_left_unknown(const struct weir_card_entry *card);
void weir_card_report(struct weir_dispatch_core *core, const struct weir_card_entry *card, enum weir_command_state state,
    uint8_t target, int64_t now_us, int64_t next_us, const char *text);
void weir_card_set_ticket(struct weir_card_entry *card, const char *ticket); /* empty = none */
/* Puts an entry in place MOVING where its facts say: queue, heap (not before due_us), rest, or away. */
void weir_card_reschedule(struct weir_dispatch_core *core, struct weir_card_entry *card, int64_t now_us, int64_t due_us,
    enum weir_reschedule how);
/* carrier := carrier_next. Not while in a list. */
void weir_card_switch_carrier(struct weir_card_entry *card);
/* The carrier works again: what waits for it need not wait out its delay. */
void weir_core_release_retries(struct weir_dispatch_core *core, uint32_t carrier, int64_t now_us);

#endif
