/*
 * Where the benchmarks of the whole run: a Kafka and a Redis that the settings name, or ones started for the run, and in
 * them topics, a group and a key prefix of the run's own.
 *
 * Every name begins with `weir-bench-`, and all of it is deleted at the end; a Redis that already held weir's functions
 * gets them back as they were (`weir run` installs them for its own prefix). `weir run` processes are real ones: the same
 * settings file and --set values as were given here, with the run's names over them. Main thread only, unless said
 * otherwise; Redis Cluster is refused (keys are copied within one node).
 */
#ifndef WEIR_BENCH_SERVERS_H
#define WEIR_BENCH_SERVERS_H

#include <librdkafka/rdkafka.h>

#include "bench/servers_child.h"
#include "config/settings/settings.h"
#include "config/settings/settings_options.h"

#define BENCH_SITE_SETS_MAX (WEIR_WORDS_MAX + 32)
#define BENCH_NAME_MAX 96
#define BENCH_BASE "-base" /* ends of key prefixes: a loaded fleet, and the copy of it that a drain works on */
#define BENCH_RUN "-run"

struct weir_redis;

struct bench_site_opts {
	const struct weir_settings_options *common;
	const char *weir; /* the program; NULL = beside this one, or WEIR_BIN */
	bool start;
	const char *kafka_home; /* NULL = KAFKA_HOME, or where the end-to-end tests keep theirs */
	const char *redis_aof;  /* of a Redis that is started: none, everysec, always */
	uint32_t partitions;
};

struct bench_site {
	struct bench_site_opts opts;
	char weir[BENCH_PATH_MAX], folder[64], name[48];
	char *sets[BENCH_SITE_SETS_MAX]; /* given ones, then those of the run */
	uint32_t set_count, given;       /* the first `given` are the user's */
	uint32_t renewals;
	struct weir_settings *settings; /* file and sets, as `weir run` sees them */
	struct weir_redis *redis;
	rd_kafka_t *kafka; /* asks and administers, carries no records */
	struct bench_child redis_child, kafka_child;
	uint16_t redis_port, kafka_port; /* of the started ones */
	pid_t kafka_pid;                 /* 0 = not on this machine, or another user's: its CPU time is not known */
	char *functions;                 /* what Redis held before; NULL = nothing */
	bool topics_made;
};

/* The caller closes also after a failure. */
enum weir_class bench_site_open(const struct bench_site_opts *opts, struct bench_site *site, struct weir_error *err);
void bench_site_close(struct bench_site *site);
/* Other names: what the topics and keys so far hold is deleted, the next fleet starts from nothing. */
enum weir_class bench_site_renew(struct bench_site *site, struct weir_error *err);
void bench_site_path(const struct bench_site *site, const char *name, char out[BENCH_PATH_MAX]);

/* ---- started servers (servers_start.c) ---- */

enum weir_class bench_redis_start(struct bench_site *site, const char *aof, struct weir_error *err);
enum weir_class bench_kafka_start(struct bench_site *site, const char *home, struct weir_error *err);
/* kill -9 and start again from what lies on disk; returns when the port is bound, before it has loaded. */
enum weir_class bench_redis_again(struct bench_site *site, struct weir_error *err);
/* ---- weir processes (servers_weir.c) ---- */

struct bench_weir {
	struct bench_child child;
	uint16_t metrics_port;
};
struct bench_weir_opts {
	const char *records; /* topic */
	const char *prefix, *group;
	const char *instance; /* static membership; NULL = dynamic */
	uint32_t lanes;
	const char *source; /* kafka.source; NULL = as the settings say */
};
enum weir_class bench_weir_start(
    struct bench_site *site, const struct bench_weir_opts *opts, struct bench_weir *weir, struct weir_error *err);
/* SIGTERM: flushes, leaves. FATAL when it ends with another code than 0. */
enum weir_class bench_weir_stop(struct bench_weir *weir, struct weir_error *err);
/* One sample of its /metrics, summed over labels; false when it does not answer. */
bool bench_weir_metric(const struct bench_weir *weir, const char *name, double *value_out);
/* Waits until it says that it is ready. */
enum weir_class bench_weir_ready(struct bench_weir *weir, uint32_t timeout_ms, struct weir_error *err);

/* ---- topics (servers_topics.c) ---- */

struct bench_topic {
	const char *name;
	uint32_t partitions;
};
/* Creates and waits until the brokers tell of them. */
enum weir_class bench_topics_create(
    struct bench_site *site, const struct bench_topic *topics, uint32_t count, struct weir_error *err);
void bench_topics_delete(struct bench_site *site, const char *const *topics, uint32_t count);
void bench_group_delete(struct bench_site *site, const char *group);
/* Offsets after the last message, by partition. */
enum weir_class bench_topic_ends(
    struct bench_site *site, const char *topic, uint32_t partitions, int64_t *ends_out, struct weir_error *err);

/* ---- what is in Redis (servers_redis.c) ---- */

enum weir_class bench_redis_connect(struct bench_site *site, struct weir_error *err);
/* Positions stored for a topic, by partition; 0 where there is none. `redis` may be a connection of another thread. */
enum weir_class bench_redis_offsets(struct weir_redis *redis, const char *prefix, const char *topic, uint32_t partitions,
    int64_t *offsets_out, struct weir_error *err);
/* Waits until what is stored has reached `ends`; watches the processes meanwhile. */
enum weir_class bench_redis_reach(struct bench_site *site, const char *prefix, const char *topic, const int64_t *ends,
    struct bench_weir *weirs, uint32_t weir_count, uint32_t timeout_ms, struct weir_error *err);
enum weir_class bench_redis_copy(struct bench_site *site, const char *from, const char *to, struct weir_error *err);
enum weir_class bench_redis_delete(struct bench_site *site, const char *prefix, struct weir_error *err);
/* A number of INFO. */
enum weir_class bench_redis_info(
    struct bench_site *site, const char *section, const char *name, double *value_out, struct weir_error *err);
/* CPU seconds of the server's process so far. */
enum weir_class bench_redis_cpu(struct bench_site *site, double *seconds_out, struct weir_error *err);
/* Sum over cards 0 .. below - 1 of bench_usage_hash: whatever the order of slots and partitions, the same usage is the same
 * number. */
enum weir_class bench_redis_usage(struct bench_site *site, const char *prefix, uint64_t below, uint64_t *hash_out,
    uint64_t *records_out, uint64_t *cards_out, struct weir_error *err);
uint64_t bench_usage_hash(uint64_t card, uint64_t up, uint64_t down, uint64_t records);
/* CONFIG SET of a started Redis to none, everysec or always; waits until the file holds all there is. */
enum weir_class bench_redis_aof(struct bench_site *site, const char *aof, struct weir_error *err);
enum weir_class bench_redis_functions_keep(struct bench_site *site, struct weir_error *err);
void bench_redis_functions_back(struct bench_site *site);

#endif
