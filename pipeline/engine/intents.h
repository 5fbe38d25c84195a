/*
 * Intents: written to Redis before the first call for a card (docs/ARCHITECTURE.md "Commands against a crash"), on the
 * dispatcher's thread, through a client of its own with short waits: each intent goes to the node that holds its
 * partition's slot; a node that does not answer costs a bounded wait, a counter, and its own intents alone, and enforcement
 * goes on.
 */
#ifndef WEIR_PIPELINE_INTENTS_H
#define WEIR_PIPELINE_INTENTS_H

#include "pipeline/dispatch/dispatch.h"

#define WEIR_INTENT_FIELD_MAX (WEIR_ICCID_TEXT_MAX + 24)
/* Its field in the hash `i`: ICCID and token, so that deleting it deletes no other of the same card. */
void weir_intent_field(struct weir_iccid iccid, uint64_t token, char out[WEIR_INTENT_FIELD_MAX]);

struct weir_intents;
struct weir_intents *weir_intents_new(const struct weir_settings *settings);
void weir_intents_free(struct weir_intents *intents);
/* A weir_intent_fn; ctx is the weir_intents. */
void weir_intents_write(void *ctx, const struct weir_pending_command *pending_commands, uint32_t count);
/* Offers whose intent could not be written; any thread. */
uint64_t weir_intents_skipped(const struct weir_intents *intents);

#endif
