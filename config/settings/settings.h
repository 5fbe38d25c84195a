/*
 * Settings: one YAML file, then WEIR_… variables, then --set key=value; the later wins.
 *
 * Every scalar key is a row of one table (settings_table.c): name, type, unit, range, default, text, and where it lives in
 * struct weir_settings. Parser, `weir check`, `weir check --list` and docs/configuration.md come from it. Four sections are
 * lists or maps: `inputs`, `feeds`, `carriers`, `kafka.properties`. Loaded once at start on the main thread; read-only
 * afterwards, so any thread reads it. Secrets come from files (`…_file`) or the environment and are never printed: fields
 * marked secret are masked by weir_settings_print.
 */
#ifndef WEIR_CONFIG_SETTINGS_H
#define WEIR_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/base/error.h"
#include "config/base/nearest.h" /* weir_nearest, also for subcommands */

#define WEIR_INPUTS_MAX 8
#define WEIR_CARRIERS_MAX 32

struct weir_mapping;

struct weir_property {
	char *name;
	char *value;
};

/* A topic of traffic records. */
struct weir_input {
	char *topic;
	char *format;                       /* canonical, packed (both: auto by magic), or a name under `feeds` */
	const struct weir_mapping *mapping; /* NULL for canonical/packed */
};

/* How to reach one carrier's API and what it bears (CMD-3). */
struct weir_carrier_settings {
	char *id;      /* carrier id as in reference data; "default" serves those not named */
	char *adapter; /* log, cisco */
	char *url;     /* base, without /rws */
	char *user;
	char *api_key;             /* secret; from api_key_file or WEIR_CARRIER_<ID>_API_KEY */
	uint32_t rate_per_s;       /* calls a second, 1..10000, default 10 */
	uint32_t concurrency;      /* calls in flight, 1..256, default 1 */
	uint32_t timeout_ms;       /* per call, 100..120000, default 10000 */
	uint32_t cooldown_ms;      /* least time between two commands of one card, default 0 */
	uint32_t retry_min_ms;     /* first retry delay, default 500; doubles with jitter */
	uint32_t retry_max_ms;     /* default 300000 */
	uint32_t breaker_failures; /* consecutive failures that open the breaker, default 10 */
	uint32_t breaker_open_ms;  /* how long it stays open before one trial call, default 5000 */
	uint32_t confirm_ms;       /* how often an accepted command is asked after, default 1000 */
	uint32_t confirm_max_s; /* how long an accepted command may take before it is sent again, default 259200 (3 days) */
};

struct weir_settings {
	/* kafka */
	char *kafka_brokers;    /* kafka.brokers, default localhost:9092 */
	char *kafka_group;      /* kafka.group, default weir */
	char *kafka_source;     /* kafka.source: auto, direct or librdkafka, default auto */
	bool first_start;       /* of the command line: Redis may hold nothing though the group has committed offsets */
	char *kafka_on_new_log; /* kafka.on_new_log: stop or read_from_start, default stop */
	char *kafka_instance;   /* kafka.instance: static membership id of this process, empty = dynamic */
	char *topic_cards;      /* topics.cards, default weir.cards */
	char *topic_dead;       /* topics.dead, default weir.dead */
	char *topic_audit;      /* topics.audit, default weir.audit */
	char *topic_partials;   /* topics.partials, default weir.partials: pools' shares between partitions */
	char *topic_alerts;     /* topics.alerts, default weir.alerts */
	char *
	    topic_pool_hourly; /* topics.pool_hourly, default weir.pool.hourly; empty = no such feed (ROL-3), as the next */
	char *topic_pool_daily;    /* topics.pool_daily, default weir.pool.daily */
	char *topic_card_daily;    /* topics.card_daily, default weir.card.daily */
	uint32_t kafka_queue_kb;   /* kafka.queue_kb: librdkafka's queue per lane, KiB, 1024..2097151, default 262144 */
	uint32_t kafka_session_ms; /* kafka.session_timeout_ms, default 10000 */
	struct weir_property *kafka_properties; /* kafka.properties: passed to librdkafka as they are */
	uint32_t kafka_property_count;
	struct weir_input inputs[WEIR_INPUTS_MAX]; /* inputs, default [{topic: weir.records, format: canonical}] */
	uint32_t input_count;
	/* redis */
	char *redis_url; /* redis.url: redis://[user[:password]@]host[:port][/db], unix:///path, rediss:// where hiredis has
			    TLS; default redis://localhost:6379 */
	char *redis_password; /* secret; redis.password_file or WEIR_REDIS_PASSWORD */
	char *redis_user;
	char *redis_prefix;        /* redis.prefix, default weir */
	uint32_t redis_timeout_ms; /* redis.timeout_ms, 10..60000, default 2000 */
	/* lanes and flush */
	uint32_t lane_count;               /* lane.count, 1..64, default 2 */
	uint32_t lane_batch_records;       /* lane.batch_records: messages a poll, 64..65536, default 2048 */
	uint32_t lane_parked_max;          /* lane.parked_max: records, default 65536 */
	uint32_t message_max_bytes;        /* lane.message_max_bytes, default 16777216 */
	uint32_t flush_behind_interval_ms; /* flush.behind_interval_ms, 10..60000, default 3000 */
	uint32_t flush_interval_ms;        /* flush.interval_ms, 10..60000, default 1000 */
	uint64_t flush_unflushed_max;      /* flush.unflushed_max: bytes, default 268435456 */
	uint32_t
	    flush_sparse_slots; /* flush.sparse_slots: below this many dirty slots a page goes by SETRANGE, default 12 */
	/* rules */
	uint32_t dedupe_horizon_h; /* dedupe.horizon_h, 1..600, default 48 (REC-3); a pool's account keeps two cycles, so 25
				      days at most */
	uint32_t dedupe_fresh_h;   /* dedupe.fresh_h: hours before the current kept in memory, 0..48, default 1 */
	uint32_t session_retention_h; /* session.retention_h, default 768 (32 days) */
	uint32_t future_skew_s;       /* rules.future_skew_s, default 300 (REC-7) */
	bool auto_register;           /* rules.auto_register: unknown cards register themselves, default false */
	char *auto_register_carrier;  /* rules.auto_register_carrier, default cm */
	uint32_t history_entries;     /* audit.history: entries kept per card in Redis, default 16 */
	uint32_t cycles_kept;         /* rules.cycles_kept, 6..60, default 6 (CYC-3) */
	/* rollups */
	uint32_t card_hours_days; /* rollups.card_hours_days, 1..400, default 7 (ROL-1) */
	uint32_t pool_hours_days; /* rollups.pool_hours_days, 1..400, default 62 (ROL-1) */
	uint32_t day_cycles;      /* rollups.day_cycles, 1..6, default 1: closed cycles whose days are kept (ROL-1) */
	uint32_t rollup_grace_s;  /* rollups.grace_s, 0..3600, default 60: how late records are that are not yet late */
	uint32_t
	    rollup_wait_s; /* rollups.wait_s, 0..86400, default 60: how long rows wait for partitions that are behind */
	/* pools and the guard */
	uint32_t pool_tick_ms; /* pool.tick_ms, 100..60000, default 1000: how old usage may be that a pool was not told */
	uint64_t pool_unreported_floor; /* pool.slack_floor: bytes, default 65536 (POOL-7) */
	uint32_t guard_percent;         /* guard.percent, 0..100, default 0 = no guard (CMD-5) */
	uint32_t guard_cards_min;       /* guard.cards_min, default 1000 */
	uint32_t guard_window_s;        /* guard.window_s, default 600 */
	/* enforcement */
	bool shadow; /* enforcement.shadow: decide and audit, send nothing; default false */
	struct weir_carrier_settings carriers[WEIR_CARRIERS_MAX];
	uint32_t carrier_count;
	/* metrics and log */
	char *metrics_listen; /* metrics.listen, default 127.0.0.1:9464, empty = none */
	char *log_level;      /* log.level: debug info warn error, default info */
	char *log_format;     /* log.format: logfmt json, default logfmt */
	char *log_file;       /* log.file, empty = stderr */
	/* the HTTP API (docs/api.md) */
	char *api_listen;         /* api.listen, default 127.0.0.1:8470 */
	char *api_metrics_listen; /* api.metrics_listen, default 127.0.0.1:9465, empty = none */
	char *api_tokens_file;    /* api.tokens_file, empty = none */
	char *api_anonymous;      /* api.anonymous: none read operate, default none */
	char *api_tls_cert_file;  /* api.tls_cert_file, api.tls_key_file: both or none */
	char *api_tls_key_file;
	uint32_t api_threads;         /* api.threads, 1..64, default 2 */
	uint32_t api_slow_threads;    /* api.slow_threads, 1..64, default 2 */
	uint32_t api_connections;     /* api.connections, default 4096 */
	uint32_t api_timeout_s;       /* api.timeout_s, default 30 */
	uint32_t api_body_max;        /* api.body_max: bytes, default 65536 */
	uint32_t api_bulk_body_max;   /* api.bulk_body_max: bytes, default 32 MiB */
	uint32_t api_rate_per_s;      /* api.rate_per_s: of a token, default 5000 */
	uint32_t api_exports;         /* api.exports: at a time, default 4 */
	uint32_t api_bulk_rate_per_s; /* api.bulk_rate_per_s: cards, default 10000 */
	uint32_t api_kept_h;          /* api.kept_h: keys, requests, bulks; default 168 (7 days) */
	/* feeds */
	struct weir_mapping **mappings; /* feeds: compiled */
	char **mapping_names;
	uint32_t mapping_count;
};

struct weir_set { /* one --set key=value, as given */
	const char *key_value;
};

/*
 * Loads: defaults, then `path` (NULL = none), then WEIR_… variables (kafka.brokers -> WEIR_KAFKA_BROKERS), then sets. On a
 * mistake returns WEIR_POISON with err text "file:line: key: what is wrong; what it must be". Ownership of
 * *settings_out passes to the caller.
 */
enum weir_class weir_settings_load(const char *path, const struct weir_set *sets, uint32_t set_count,
    struct weir_settings **settings_out, struct weir_error *err);
void weir_settings_free(struct weir_settings *settings);

/* All mistakes of a file, one line each to `out`; returns their number. For `weir check`. */
uint32_t weir_settings_check(const char *path, const struct weir_set *sets, uint32_t set_count, FILE *out);

/* Effective values as YAML, secrets masked. */
void weir_settings_print(const struct weir_settings *settings, FILE *out);
/* The table as Markdown (docs/configuration.md). */
void weir_settings_print_table(FILE *out);

/* A row of the tables in words, for those who print them otherwise (the manual page). */
struct weir_setting_words {
	bool of_carrier; /* a member of carriers.<id> */
	const char *name;
	const char *type;
	const char *default_text; /* "" = none */
	const char *text;
	char range[64]; /* with its unit; "" = none */
};
typedef void (*weir_setting_words_fn)(void *ctx, const struct weir_setting_words *words);
/* All rows in their order, those of carriers last. */
void weir_settings_each(weir_setting_words_fn fn, void *ctx);

/* The adapter settings for a carrier id: its own row, else "default", else a built-in row with adapter log. Never NULL. */
const struct weir_carrier_settings *weir_settings_carrier(const struct weir_settings *settings, const char *id);

#endif
