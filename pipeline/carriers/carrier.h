/*
 * Carrier adapters: how one carrier's API is spoken.
 *
 * An adapter is two pure functions: build turns a command into an HTTP request, classify turns what came back into an
 * outcome. It opens no connection, reads no clock and keeps no state, so that the dispatcher owns limits, retries
 * and order once for all carriers, and an adapter is tested with plain bytes. No type of the HTTP library shows here.
 * Rejected: an adapter that makes its own calls (each would invent its own retries), a table of templates in the
 * configuration (answers differ too much between carriers to be data).
 *
 * To add a carrier: one file with a struct weir_carrier_adapter, one row in adapters.c; see docs/enforcement.md.
 * Thread: any; the functions touch only their arguments.
 */
#ifndef WEIR_PIPELINE_CARRIER_H
#define WEIR_PIPELINE_CARRIER_H

#include "config/base/iccid.h"
#include "config/base/slice.h"
#include "config/settings/settings.h"
#include "pipeline/carriers/types.h"

#define WEIR_CARRIER_BODY_MAX 65536              /* bytes of an answer's body that are read; more is not an answer */
#define WEIR_CARRIER_RETRY_AFTER_MAX_MS 3600000u /* a Retry-After beyond an hour is taken as an hour */

enum weir_call_kind {
	WEIR_CALL_SET, /* bring the card into state `target` */
	WEIR_CALL_ASK, /* what is the card's state, or what became of the ticket */
};

struct weir_carrier_command {
	enum weir_call_kind kind;
	struct weir_iccid iccid;
	uint8_t target;     /* enum weir_desired the command is (or was) for */
	const char *ticket; /* of the accepted command asked after; empty = none */
};

enum weir_method { WEIR_METHOD_GET, WEIR_METHOD_PUT, WEIR_METHOD_POST };

/* A request. Buffers are reused from call to call; url and headers are terminated text. */
struct weir_carrier_request {
	enum weir_method method;
	struct weir_buf url;
	struct weir_buf headers; /* "Name: value\n" each; holds secrets, never print */
	struct weir_buf body;
};

enum weir_transport {
	WEIR_TRANSPORT_ANSWERED, /* status, headers and body are the carrier's */
	WEIR_TRANSPORT_NOT_SENT, /* no connection: the carrier saw nothing of it */
	WEIR_TRANSPORT_TIMEOUT,  /* sent, no answer in time: it may have been done */
	WEIR_TRANSPORT_BROKEN,   /* sent, the answer broke off or was too long: likewise */
};

struct weir_carrier_response {
	enum weir_transport transport;
	uint32_t status;           /* HTTP status, 0 unless answered */
	struct weir_slice headers; /* raw header lines */
	struct weir_slice body;
	const char *transport_text; /* words for a transport failure; never NULL, without secrets */
};

enum weir_outcome_kind {
	WEIR_OUTCOME_DONE = 0,     /* the card is in the target state */
	WEIR_OUTCOME_ACCEPTED,     /* the carrier will do it; `ticket` if it gave one */
	WEIR_OUTCOME_ALREADY,      /* it was in the target state before: success (CMD-2) */
	WEIR_OUTCOME_STATE,        /* answer to ASK: `state` */
	WEIR_OUTCOME_RETRY,        /* no useful answer; after_ms > 0 = not before that */
	WEIR_OUTCOME_RATE_LIMITED, /* the carrier asks to wait: after_ms, 0 = it did not say how long */
	WEIR_OUTCOME_REFUSED,      /* not for this card, not by repeating */
	WEIR_OUTCOME_CARRIER_DOWN, /* no call of this carrier can succeed (credentials): its breaker opens */
};

struct weir_outcome {
	enum weir_outcome_kind kind;
	uint8_t state;     /* STATE: enum weir_desired; unknown = neither active nor suspended yet */
	bool maybe_done;   /* RETRY after a SET: it may have taken effect all the same */
	bool timed_out;    /* RETRY after a SET: ask for the state before repeating (CMD-2) */
	uint32_t after_ms; /* RETRY, RATE_LIMITED */
	char ticket[WEIR_TICKET_MAX];
	char text[80]; /* for people, without secrets */
};

struct weir_carrier_adapter {
	const char *name;
	bool local;   /* needs no call: classify is asked at once with an empty answer */
	bool can_ask; /* knows ASK */
	/* Are these settings usable? WEIR_FATAL with err if not. */
	enum weir_class (*check)(const struct weir_carrier_settings *settings, struct weir_error *err);
	/* Appends to the request's empty buffers. NULL when local. */
	void (*build)(const struct weir_carrier_settings *settings, const struct weir_carrier_command *command,
	    struct weir_carrier_request *request);
	/* Fills *outcome_out, which comes zeroed. The response is input: no byte of it is trusted. */
	void (*classify)(const struct weir_carrier_command *command, const struct weir_carrier_response *response,
	    struct weir_outcome *outcome_out);
};

/* The adapter of that name, NULL if there is none. */
const struct weir_carrier_adapter *weir_carrier_adapter_find(const char *name);

extern const struct weir_carrier_adapter weir_carrier_log;
extern const struct weir_carrier_adapter weir_carrier_cisco;

/* Helpers for adapters. */

/* Value of a header (name compared without case), trimmed; empty slice with data NULL if absent. */
struct weir_slice weir_carrier_header(const struct weir_carrier_response *response, const char *name);
/* Retry-After in seconds -> milliseconds, at most WEIR_CARRIER_RETRY_AFTER_MAX_MS; false if absent. A date counts as 1 s.
 */
bool weir_carrier_retry_after(const struct weir_carrier_response *response, uint32_t *after_ms_out);
/* Fills kind and text ("<fmt>", cut to fit, control characters replaced). */
void weir_outcome_set(struct weir_outcome *outcome, enum weir_outcome_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The answers every carrier shares: transport failures. True if it was one and *outcome_out is filled. */
bool weir_carrier_classify_transport(const struct weir_carrier_response *response, struct weir_outcome *outcome_out);
/* Appends base64 of `data`. */
void weir_carrier_append_base64(struct weir_buf *buf, struct weir_slice data);
void weir_carrier_request_reset(struct weir_carrier_request *request);
void weir_carrier_request_free(struct weir_carrier_request *request);

#endif
