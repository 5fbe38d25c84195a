/*
 * Reference data and operator requests: the messages of weir.cards (docs/formats.md), parsed and validated.
 *
 * Control plane: jansson, a few microseconds a message. A message either parses whole into one struct weir_reference
 * or is rejected with a text for people that names the member. Any thread; no global state.
 */
#ifndef WEIR_CONFIG_REFERENCE_H
#define WEIR_CONFIG_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/iccid.h"
#include "config/base/slice.h"

#define WEIR_ID_MAX 64 /* bytes of an id, with terminator: printable ASCII without spaces, braces or quotes */

enum weir_reference_type { WEIR_REF_CARRIER, WEIR_REF_PLAN, WEIR_REF_CARD, WEIR_REF_REQUEST };
enum weir_plan_kind { WEIR_PLAN_SINGLE, WEIR_PLAN_ACCUMULATIVE, WEIR_PLAN_FIXED, WEIR_PLAN_METERED };
enum weir_card_status { /* LIFE-1 */
	WEIR_STATUS_TESTABLE,
	WEIR_STATUS_INACTIVE,
	WEIR_STATUS_IN_USE,
	WEIR_STATUS_SUSPENDED,
	WEIR_STATUS_DEACTIVATED,
	WEIR_STATUS_CANCELLED
};
enum weir_action { WEIR_ACTION_SUSPEND, WEIR_ACTION_RESUME, WEIR_ACTION_LIMIT, WEIR_ACTION_ADDON };

#define WEIR_NO_LIMIT UINT64_MAX

struct weir_ref_carrier {
	char id[WEIR_ID_MAX];
	char zone[64];
	uint32_t cycle_day; /* 1-28 */
	bool named_after_end;
	uint64_t mb_bytes;
};

struct weir_ref_plan {
	char id[WEIR_ID_MAX];
	char carrier[WEIR_ID_MAX];
	enum weir_plan_kind kind;
	uint64_t allowance_bytes; /* a card and cycle */
	uint64_t limit_bytes;     /* default usage limit, WEIR_NO_LIMIT = none */
	uint32_t term_months;     /* 0 = not given */
};

/* Optional members carry has_…: absent leaves what is stored. */
struct weir_ref_card {
	struct weir_iccid iccid;
	bool has_carrier, has_plan, has_status, has_limit, has_auto_restore, has_imei;
	char carrier[WEIR_ID_MAX];
	char plan[WEIR_ID_MAX]; /* empty = removed (null) */
	enum weir_card_status status;
	uint64_t limit_bytes; /* WEIR_NO_LIMIT = removed (null) */
	bool auto_restore;
	uint64_t imei14; /* 0 = unbound */
};

struct weir_ref_request {
	struct weir_iccid iccid;
	enum weir_action action;
	uint64_t id_hash; /* XXH3 of id, 0 = none */
	char id[WEIR_ID_MAX];
	char by[WEIR_ID_MAX];
	uint64_t bytes; /* limit or addon */
	bool has_auto_restore;
	bool auto_restore;
};

struct weir_reference {
	enum weir_reference_type type;
	union {
		struct weir_ref_carrier carrier;
		struct weir_ref_plan plan;
		struct weir_ref_card card;
		struct weir_ref_request request;
	};
};

/* Parses one message. Carriers and plans are whole: a missing optional member gets its default. WEIR_POISON with err when
 * it breaks the schema (wrong types, ranges, unknown type or action, contradictions). */
enum weir_class weir_reference_parse(struct weir_slice json, struct weir_reference *reference_out, struct weir_error *err);

/* The shipped carriers (CYC-1): cm, cu, ct, al and an overseas example. Static. */
const struct weir_ref_carrier *weir_reference_shipped_carriers(uint32_t *count_out);

/* Names as in JSON. */
const char *weir_status_name(enum weir_card_status status);
const char *weir_plan_kind_name(enum weir_plan_kind kind);
const char *weir_action_name(enum weir_action action);

/*
 * Reads a reference file (YAML by .yaml/.yml, CSV by .csv: header line names the members, one card a row) and calls `emit`
 * for each upsert in an order that puts carriers before plans before cards: key (ICCID text, or empty for broadcasts) and
 * the JSON message. Validates each message and the file against itself (duplicate ids, a plan of an unknown carrier in the
 * same file, card carrier differing from its plan's): POISON with err "file:line: …". `emit` false stops the reading
 * (WEIR_RETRY). Returns WEIR_OK with the number emitted. The file is checked whole before anything is emitted.
 *
 * YAML: top-level lists `carriers`, `plans`, `cards`; a card may stand for a range: {iccid_from: "8986…", count: 1000, …}
 * counts the ICCID's trailing digits up. A carrier that the file does not name is a mistake if it names others, unless
 * shipped.
 */
typedef bool (*weir_reference_emit_fn)(void *ctx, const char *key, const char *json, size_t json_len);
enum weir_class weir_reference_read(
    const char *path, weir_reference_emit_fn emit, void *ctx, uint64_t *count_out, struct weir_error *err);

#endif
