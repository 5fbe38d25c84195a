/*
 * The simulator: weir's core, both stages, and the dispatcher's decisions on one thread, under a clock and faults drawn
 * from a seed (docs/simulator.md).
 *
 * Real: struct weir_partition with all it does, the bytes it writes and reads, the parser of reference data, the owner
 * (pipeline/engine/owner.h) with all that it decides, the dispatcher's core. Simulated: Kafka (sim_kafka.c), Redis
 * (sim_redis.c), the group and the store's thread (take.c), carriers (sim_carrier.c), producers (produce.c, phases.c),
 * trouble (faults.c). The model (model.c) shares nothing with weir and says what must come out (sim_check.c).
 *
 * Everything hangs off struct sim; nothing is global, so that a run depends on its seed alone.
 */
#ifndef WEIR_SIM_H
#define WEIR_SIM_H

#include <setjmp.h>

#include "aggregators/partition.h"
#include "pipeline/dispatch/dispatch_core.h"
#include "pipeline/engine/owner.h"
#include "tests/sim/model.h"
#include "tests/sim/rng.h"

#define SIM_PARTITIONS 4
#define SIM_PROCESSES 3
#define SIM_OWNERS 12
#define SIM_SNAPSHOTS 4
#define SIM_SECOND INT64_C(1000000)
#define SIM_HOUR (3600 * SIM_SECOND)
#define SIM_DAY (24 * SIM_HOUR)

enum sim_topic { SIM_RECORDS, SIM_CARDS, SIM_REPORTS, SIM_TOPICS }; /* inputs, cards, reports: as owner_rules has them */

/* ---- Kafka: one log a topic and partition ---- */

struct sim_message {
	int64_t arrived_us;
	struct weir_buf key, value; /* cards and partials */
	struct weir_record record;  /* records */
	int verdict;                /* of the model: enum model_verdict */
	uint32_t rejected;          /* bits of enum weir_reject that dead letters named */
	uint32_t rejected_aside;    /* likewise, of owners that were overthrown */
};

#define SIM_EPOCHS 8u

/* Messages are kept for good; a log that is replaced or cut off gives its next ones other offsets (rule REC-9). */
struct sim_log {
	struct sim_message *v;
	int64_t n, cap;
	int64_t base; /* of v: offset 0 */
	struct log_id id;
	int32_t epoch; /* of its leader */
	struct {
		int32_t epoch;
		int64_t start;
	} epochs[SIM_EPOCHS]; /* with a message, oldest first */
	uint32_t epoch_count;
};

/* ---- Redis: a partition's keys ---- */

struct sim_blob {
	uint64_t key; /* kind, number, number; 0 = empty place */
	uint8_t *data;
	uint32_t len, cap;
};

struct sim_store {
	bool exists;
	uint64_t epoch;
	int64_t stream_time_us;
	int64_t offsets[SIM_TOPICS];
	struct log_name logs[SIM_TOPICS];
	int64_t flush_number;
	uint32_t slots[WEIR_SLABS];
	struct sim_blob *blobs;
	uint32_t blob_count, blob_cap;
	struct weir_buf names;      /* lines */
	struct weir_buf references; /* field, 0, u32 length, JSON */
	struct weir_buf intents;    /* struct weir_unconfirmed_card */
};

/* ---- an owner of a partition, and its world ---- */

#define SIM_FETCHES 8u /* strings of one request, at most */

/* What waits for the store's thread, in order. */
struct sim_request {
	enum weir_store_kind kind;
	bool done; /* carried out; the answer is on its way */
	enum weir_store_result result;
	struct weir_store_header header; /* of a take: what was loaded; else what is stored */
	uint64_t epoch_floor;            /* of a take */
	struct weir_fetch_request fetch_requests[SIM_FETCHES];
	struct weir_buf values[SIM_FETCHES];
	uint32_t fetch_request_count;
	struct weir_buf body; /* of a flush: its writes */
	struct owner_flush flush;
	int64_t stream_time_us;
	uint32_t slots[WEIR_SLABS];
};

struct sim_outgoing {
	enum weir_outbox_topic topic;
	uint32_t partition;
	struct weir_buf key, value;
};

/* Messages that a producer holds, in order; those before `closed` must be in Kafka before the flush goes. */
struct sim_outbox {
	struct sim_outgoing *v;
	uint32_t n, cap, closed;
	uint32_t late_closed, late_open; /* in Kafka, their acknowledgement is on its way */
	bool refused;                    /* one will never be taken */
};

/* Whose word the group's is: an owner is `fenced_owner` while it has not heard that it is none any more, `gone` from when
 * it has.
 */
struct sim_owner {
	bool used, fenced_owner, gone;
	bool starts; /* being taken with the group's word: then the source starts */
	bool leaves; /* being given back */
	uint32_t partition, process;
	uint32_t to; /* process that takes it afterwards */
	struct sim *sim;
	struct owner *o;
	struct sim_request **queue; /* with the store */
	uint32_t queue_count, queue_cap;
	struct sim_request *flush; /* encoded, not sent yet */
	struct sim_outbox outbox;
	bool reads; /* the source delivers */
	int64_t read[SIM_TOPICS];
	struct log_name read_logs[SIM_TOPICS]; /* that it is a place in */
	uint32_t batch_max;                    /* of this round */
	struct weir_message messages[64];
	struct weir_record records[64];
};

/* ---- processes and carriers ---- */

struct sim_call {
	bool used;
	uint32_t process;
	struct weir_dispatch_call call;
	int64_t answer_us;
	struct weir_outcome outcome;
	bool acts;      /* takes effect when it is answered */
	bool abandoned; /* its owner has let go of the partition */
};

/* A word to the dispatcher, on its way. */
struct sim_order {
	bool forget;
	uint32_t carrier;
	struct weir_pending_command pending_command;
};

struct sim_process {
	struct weir_dispatch_core *dispatch;
	struct sim_order *orders;
	uint32_t order_count, order_cap;
	struct weir_command_result *results;
	uint32_t result_count, result_cap;
};

/* A card at its carrier. */
struct sim_subscriber {
	uint8_t state;
	uint8_t pending; /* accepted and not done yet; 0 = none */
	int64_t pending_us;
	bool refuses;
	bool suspend_wanted;    /* its set was not empty at some time since its last confirmed state */
	bool was_silent;        /* LIFE-6: commands were forbidden at some time */
	bool is_unconfirmed;    /* Redis went back, and who knew what was sent is gone; until what came later is stored */
	int64_t unconfirmed_us; /* since when */
	int64_t known_by;       /* number of the flush that stores it, 0 = none */
};

/* ---- the world ---- */

struct sim_card {
	char iccid[WEIR_ICCID_TEXT_MAX];
	struct weir_iccid packed;
	uint32_t partition;
	int carrier, plan, pool; /* as last sent; -1 = none */
	bool sent, moved;        /* moved: to where its carrier enforces other reasons */
	struct sim_subscriber at_carrier;
};

/* How a card's records are told apart, and where its session stands. */
struct sim_source {
	enum { SIM_SOURCE_IDS, SIM_SOURCE_SEQUENCE, SIM_SOURCE_TOTALS, SIM_SOURCE_TOTALS_IDS } kind;
	uint64_t session, seq, up, down;
	uint64_t imei; /* of the device it is in, 0 = its records tell none */
	bool skipped;
};

/* An alert as it was told: of a card or a pool, a level of its ladder or a reason that is not enforced. */
struct sim_alert {
	uint64_t epoch; /* of who told it */
	char subject[24];
	char cycle[16];
	unsigned level; /* percent; 1000 + reason's bit number */
};

#define SIM_RECENT 32
#define SIM_HELD 8

struct sim_row {
	enum weir_outbox_topic topic;
	char key[160];
	uint64_t revision, up, down, records;
	bool complete;
};

struct sim_options {
	bool trace;
	bool cards_only;
	bool strict; /* nothing is excused: is_unconfirmed fails too (docs/simulator.md) */
};

struct sim_pool_watch { /* what a card's pool did to it, as last seen */
	int pool;
	uint16_t reasons, cycle;
	bool active;
};

struct sim_pool_seen { /* what a pool's usage is compared with: given + active * allowance */
	uint64_t given;
	int active;
	uint64_t allowance;
};

struct sim {
	uint64_t seed;
	struct sim_options options;
	struct weir_random rng;
	jmp_buf failed;
	char failure[1024];
	int64_t now_us, clock_cap_us;
	uint64_t steps;
	bool ordered; /* quiet points between inputs that race; else nothing races and anything may happen at any time */
	bool faults;
	bool asks;      /* the source must ask before it can prove what it delivered */
	bool forgetful; /* Redis goes back again and again, and hardly anything else happens */
	bool heard;     /* an owner always hears that it is none any more */
	uint32_t partitions, processes;
	struct weir_partition_opts opts;
	struct owner_rules rules;
	uint32_t batch_max;

	struct sim_log logs[SIM_TOPICS][SIM_PARTITIONS];
	struct sim_log alerts;
	bool unattributed;    /* a record waited in its lane over two ends of cycles: its pool does not count it */
	struct sim_row *rows; /* the feeds' rows as a sink holds them: the newest revision of each key */
	uint32_t row_count, row_cap;
	struct sim_alert *published;
	uint32_t published_count, published_cap;
	struct sim_store store[SIM_PARTITIONS];
	bool rolled_back[SIM_PARTITIONS]; /* and its owner has not noticed */
	bool noticed[SIM_PARTITIONS];     /* and what its owner knew lies in no flush yet */
	struct sim_store *snapshots[SIM_PARTITIONS][SIM_SNAPSHOTS];
	struct sim_owner owners[SIM_OWNERS];
	struct sim_outbox orphans[4]; /* messages of dead owners, still on their way */
	struct sim_process process[SIM_PROCESSES];
	struct sim_call *calls;
	uint32_t call_count, call_cap;
	int64_t away_until_us[SIM_PARTITIONS]; /* its Redis, seen from its owner */
	int64_t outage_until_us[MODEL_CARRIERS];
	uint32_t carrier_trouble; /* permille of calls that go wrong */

	struct model model;
	int carriers, plans, pools, cards;
	int ladders;
	char carrier_ids[MODEL_CARRIERS][16];
	struct weir_dispatch_limits limits[MODEL_CARRIERS];
	struct sim_card card[MODEL_CARDS];
	struct sim_pool_watch watch[MODEL_CARDS];
	struct sim_pool_seen pool_last[MODEL_POOLS];  /* now */
	struct sim_pool_seen pool_least[MODEL_POOLS]; /* at least, since the last quiet point */
	bool pool_raised[MODEL_POOLS];                /* what is given was changed since then */
	bool two_owners[SIM_PARTITIONS];              /* at some time since then */
	uint64_t next_id;
	bool devices;   /* cards go from one to another all the time */
	uint64_t grain; /* amounts are multiples of it, so that limits are met exactly */
	struct sim_source source[MODEL_CARDS];
	struct model_record recent[SIM_RECENT]; /* sent, may come again */
	struct model_record held[SIM_HELD];     /* made, still on the way to Kafka */
	uint32_t recent_count, recent_next, held_count;
	uint64_t hash; /* of all that was checked: two runs of a seed must agree */
};

/* Fails the seed. */
_Noreturn void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define SIM_TRACE(sim, ...)                                                                                                \
	do {                                                                                                               \
		if ((sim)->options.trace)                                                                                  \
			sim_trace((sim), __VA_ARGS__);                                                                     \
	} while (0)
void sim_buf_copy(struct weir_buf *to, const struct weir_buf *from);

/* world.c: life, and one step of everything */
void sim_init(struct sim *sim, uint64_t seed, const struct sim_options *options);
void sim_name_cards(struct sim *sim);
void sim_free(struct sim *sim);
/* Makes one thing happen, at random; the clock goes on a little. */
void sim_step(struct sim *sim);
/* Goes on until nothing is left to do; carriers_too: nor at the carriers. */
void sim_quiesce(struct sim *sim, bool carriers_too);
int sim_carrier_of(const struct sim *sim, const char *id);
int sim_card_of(const struct sim *sim, struct weir_iccid iccid);

/* sim_kafka.c */
uint32_t sim_partition_of(const struct sim *sim, const char *key);
int64_t sim_log_end(const struct sim_log *log); /* offset behind its last message */
struct sim_message *sim_log_at(const struct sim_log *log, int64_t offset);
/* What brokers would say of the log to one who asks for the end of an epoch. */
struct log_evidence sim_log_evidence(const struct sim_log *log, int32_t epoch);
void sim_log_replace(struct sim *sim, struct sim_log *log);
void sim_log_cut(struct sim *sim, struct sim_log *log, int64_t end);
struct sim_message *sim_append(struct sim *sim, enum sim_topic topic, uint32_t partition);
void sim_append_bytes(
    struct sim *sim, enum sim_topic topic, uint32_t partition, const char *key, const void *value, size_t len);
void sim_log_free(struct sim_log *log);
void sim_outgoing_deliver(struct sim *sim, const struct sim_outgoing *message);
void sim_outbox_push(struct sim_outbox *outbox, struct sim_outgoing *message);
/* Delivers the oldest; false when there is none. */
bool sim_outbox_deliver(struct sim *sim, struct sim_outbox *outbox);
void sim_outbox_acknowledge(struct sim_outbox *outbox); /* what was late */
void sim_outbox_refuse(struct sim_outbox *outbox);
void sim_outbox_free(struct sim_outbox *outbox);

/* sim_redis.c */
#define SIM_WINDOW(kind) (1 + (int)(kind)) /* letters of windows' strings */
struct sim_blob *sim_blob_find(const struct sim_store *store, char kind, int64_t a, uint32_t b);
/* A writer into a flush's body, which sim_store_apply takes; likewise what is deleted: all of a kind, hour or cycle. */
struct weir_writer sim_store_writer(struct weir_buf *body);
void sim_store_purge(struct weir_buf *body, char kind, int64_t a);
void sim_store_apply(struct sim_store *store, const struct weir_buf *body);
void sim_store_fetch(const struct sim_store *store, const struct weir_fetch_request *fetch, struct weir_buf *value_out);
bool sim_store_load(const struct sim_store *store, struct weir_partition *core);
void sim_store_intent(struct sim_store *store, const struct weir_unconfirmed_card *intent);
struct sim_store *sim_store_copy(const struct sim_store *store);
void sim_store_free(struct sim_store *store);

/* owner.c: an owner's world */
extern const struct owner_io SIM_IO;
struct owner_now sim_now(const struct sim *sim);
/* Its core, if it is one that may be looked at: not while it is loaded. */
struct weir_partition *sim_core(const struct sim_owner *owner);
void sim_owner_round(struct sim *sim, struct sim_owner *owner, uint32_t batch_max);
void sim_owner_results(struct sim *sim, uint32_t process);
bool sim_owner_is_idle(const struct sim *sim, const struct sim_owner *owner);
/* take.c: the group, and the store's thread */
struct sim_owner *sim_owner_of(struct sim *sim, uint32_t partition); /* the one that is no zombie and not gone; NULL */
void sim_owner_take(struct sim *sim, uint32_t partition, uint32_t process);
void sim_owner_leave(struct sim *sim, struct sim_owner *owner, uint32_t to); /* gives back, then another takes */
void sim_owner_lose(struct sim *sim, struct sim_owner *owner);               /* hears that it was taken away */
/* It dies: what its producer holds goes with it, or not, by chance. */
void sim_owner_drop(struct sim *sim, struct sim_owner *owner);
/* Gone, and nothing of it is on its way any more: its place is free. */
void sim_owner_sweep(struct sim *sim, struct sim_owner *owner);
void sim_owner_store(struct sim *sim, struct sim_owner *owner);   /* the store's thread carries out one request */
void sim_owner_answers(struct sim *sim, struct sim_owner *owner); /* and answers those it did */

/* sim_carrier.c */
void sim_dispatch_new(struct sim *sim, uint32_t process);
void sim_dispatch_enqueue(
    struct sim *sim, const struct sim_owner *owner, const struct weir_pending_command *pending_command);
void sim_dispatch_forget(struct sim *sim, uint32_t process, uint32_t partition);
/* A command for the card that the dispatcher has not heard of yet. */
bool sim_dispatch_is_ordered(const struct sim *sim, uint32_t process, struct weir_iccid iccid);
void sim_dispatch_start(struct sim *sim, uint32_t process);
/* Ends calls whose time has come; true when one did. */
bool sim_carriers_answer(struct sim *sim);
void sim_carrier_reported(struct sim *sim, int card, int64_t at_us, int64_t flush_number);
void sim_carrier_unconfirmed(struct sim *sim, int card);
void sim_calls_abandon(struct sim *sim, uint32_t process, uint32_t partition);
void sim_process_die(struct sim *sim, uint32_t process);
bool sim_carriers_idle(const struct sim *sim, int64_t *due_us_out);
uint8_t sim_carrier_state(struct sim *sim, int card);

/* faults.c */
void sim_fault(struct sim *sim);
void sim_crash(struct sim *sim, uint32_t process); /* the process dies and others, or it again, take what it had */
void sim_snapshot(struct sim *sim, uint32_t partition);
void sim_source_start(struct sim_owner *owner, const int64_t *offsets, const struct log_name *logs);
void sim_snapshots_forget(struct sim *sim);

/* produce.c: an input, to weir and to the model */
void sim_send_carrier(struct sim *sim, int carrier);
void sim_send_release(struct sim *sim);
void sim_send_plan(struct sim *sim, int plan);
void sim_send_card(struct sim *sim, int card, const char *more, ...) __attribute__((format(printf, 3, 4)));
void sim_send_request(struct sim *sim, int card, const char *action, const char *more, ...)
    __attribute__((format(printf, 4, 5)));
void sim_send_pool_request(struct sim *sim, int pool, const char *action, const char *more, ...)
    __attribute__((format(printf, 4, 5)));
void sim_send_pool(struct sim *sim, int pool);
void sim_send_record(struct sim *sim, const struct model_record *record);

/* A quiet point: everything is taken in, and compared; at_end: also what the carriers did. */
void sim_quiet(struct sim *sim, bool at_end);

/* examples.c: worked examples of the rules; false when one does not hold */
bool sim_examples(struct sim *sim, const struct sim_options *options);

/* phases.c: what a seed's world goes through */
void sim_run(struct sim *sim);

/* check_windows.c */
void sim_row_take(struct sim *sim, const struct sim_outgoing *message);

/* sim_check.c */
void sim_check_step(struct sim *sim, struct sim_owner *owner); /* what must hold at any time */
void sim_check_command(struct sim *sim, const struct sim_owner *owner, const struct weir_pending_command *pending_command);
void sim_check_confirmed(struct sim *sim, int card);
void sim_check_call(struct sim *sim, const struct sim_call *call);
void sim_watch_begin(struct sim *sim, const struct sim_owner *owner); /* of what was just loaded */
void sim_check_alert(struct sim *sim, const struct sim_owner *owner, struct weir_slice json);
void sim_check_input(struct sim *sim); /* the model has taken something in */
void sim_check_quiet(struct sim *sim, bool caught_up);
void sim_quiet_point(struct sim *sim); /* what was seen is forgotten: a new phase begins */

#endif
