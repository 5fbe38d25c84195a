/*
 * A carrier to try weir against: an HTTP server on loopback that speaks Cisco Control Center's device protocol
 * (see cisco.c) and can be as slow, moody and broken as a real one.
 *
 * Every card exists and is ACTIVATED until told otherwise, except those whose ICCID begins with `missing_prefix` (404).
 * Moods are drawn from the seed and the number of the request. Beside the protocol, for tests in other processes:
 *   GET  /sim/state          {"cards": {iccid: {"status", "changed", "repeated"}}}: PUTs that changed it, that repeated its
 * state GET  /sim/counters       {"requests", "puts", "gets", "changed", ...}: struct weir_carrier_sim_counters POST
 * /sim/outage?on=1|0  every device call answers 503 A PUT for the state a card is in (or will be in, once accepted) answers
 * 400 with errorCode 10030000 and counts as repeated.
 *
 * Threads: the server runs its own, one a connection; all functions here are for any thread.
 */
#ifndef WEIR_PIPELINE_SIMULATOR_H
#define WEIR_PIPELINE_SIMULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/iccid.h"
#include "pipeline/carriers/types.h"

struct weir_carrier_sim_opts {
	uint16_t port; /* 0 = any free one */
	uint64_t seed;
	uint32_t latency_ms_min, latency_ms_max;
	double error_rate;   /* share of device calls answered 500; half of such PUTs take effect all the same */
	double timeout_rate; /* share that hangs for hang_ms and then closes; half of such PUTs take effect */
	double accept_rate;  /* share of PUTs answered 202 and done after accept_ms */
	uint32_t accept_ms;
	uint32_t hang_ms;          /* 0 = 30000 */
	uint32_t rate_limit_per_s; /* device calls a second beyond which 429 with Retry-After: 1; 0 = none */
	const char *user;          /* NULL = anyone; copied */
	const char *api_key;
	const char *missing_prefix; /* NULL = none; copied */
};

struct weir_carrier_sim_counters {
	uint64_t requests, puts, gets, changed, repeated, accepted, errors, hung, rate_limited, unauthorized, missing;
	uint32_t open, open_max; /* device calls at work */
};

struct weir_carrier_sim_card {
	uint8_t state; /* enum weir_desired now */
	uint32_t changed, repeated;
	uint32_t puts; /* device PUTs seen for it, whatever the answer */
	uint32_t gets;
};

struct weir_carrier_sim;

/* NULL with err filled if the port cannot be had. */
struct weir_carrier_sim *weir_carrier_sim_start(const struct weir_carrier_sim_opts *opts, struct weir_error *err);
/* Ends hanging calls, stops the server, frees all. */
void weir_carrier_sim_stop(struct weir_carrier_sim *sim);
uint16_t weir_carrier_sim_port(const struct weir_carrier_sim *sim);
void weir_carrier_sim_outage(struct weir_carrier_sim *sim, bool on);
/* Changes error, timeout and accept rates of a running server. */
void weir_carrier_sim_moods(struct weir_carrier_sim *sim, double error_rate, double timeout_rate, double accept_rate);
void weir_carrier_sim_counters_get(struct weir_carrier_sim *sim, struct weir_carrier_sim_counters *counters_out);
/* A card never called for is active with zero counts. */
void weir_carrier_sim_card_get(
    struct weir_carrier_sim *sim, struct weir_iccid iccid, struct weir_carrier_sim_card *card_out);

/* `weir carrier-sim`: options --port --seed --latency-ms MIN-MAX --error-rate --timeout-rate --accept-rate --accept-ms
 * --hang-ms
 * --rate-limit --user --key-file FILE --missing-prefix --port-file FILE. Runs until SIGTERM or SIGINT. Exit status. */
int weir_carrier_sim_main(int argc, char **argv);

#endif
