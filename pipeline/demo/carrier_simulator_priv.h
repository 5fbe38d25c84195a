/* The simulator's cards and moods, behind one lock; inside pipeline/carriers only. See carrier_simulator.h. */
#ifndef WEIR_PIPELINE_SIMULATOR_PRIV_H
#define WEIR_PIPELINE_SIMULATOR_PRIV_H

#include <jansson.h>
#include <pthread.h>

#include "pipeline/demo/carrier_simulator.h"

struct sim_card {
	struct sim_card *next; /* of its bucket */
	struct weir_iccid iccid;
	struct weir_carrier_sim_card seen;
	uint8_t pending; /* state it will take at pending_us; 0 = none */
	int64_t pending_us;
};

#define SIM_BUCKETS 65536u

struct sim_world {
	pthread_mutex_t lock;
	struct weir_carrier_sim_opts opts; /* texts owned */
	struct weir_carrier_sim_counters counters;
	struct sim_card **buckets;
	bool outage;
	int64_t second; /* the second that second_calls counts */
	uint32_t second_calls;
};

/* What a device call is answered. */
struct sim_answer {
	uint32_t status; /* 0 = never: hang, then close */
	uint32_t latency_ms;
	bool retry_after;
	bool authenticate;
	uint8_t state;                       /* of the card, for a GET */
	const char *error_code, *error_text; /* NULL = none */
};

void sim_world_init(struct sim_world *world, const struct weir_carrier_sim_opts *opts);
void sim_world_free(struct sim_world *world);
/* One device call: draws its mood, lets it take effect, says the answer. target 0 = GET. */
struct sim_answer sim_world_call(
    struct sim_world *world, const char *iccid_text, uint8_t target, bool authorised, bool well_formed);
/* The call's answer went out. */
void sim_world_done(struct sim_world *world);
void sim_world_card(struct sim_world *world, struct weir_iccid iccid, struct weir_carrier_sim_card *card_out);
/* New references. */
json_t *sim_world_state_json(struct sim_world *world);
json_t *sim_world_counters_json(struct sim_world *world);

#endif
