/*
 * The table of settings: the only place that knows a setting's name, type, unit, range, default and meaning. Parser,
 * checks, effective print and docs/configuration.md read it. Lists and maps (`inputs`, `feeds`, `carriers`,
 * `kafka.properties`) are sections with readers of their own; the rows of one carrier are the second table.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings/settings_priv.h"

static const char *
check_topic(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *at) == NULL)
			return "must be letters, digits, dots, underscores and hyphens";
	return strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ? "must be a topic name" : NULL;
}

static const char *
check_prefix(const char *text)
{
	return strpbrk(text, "{}: \t\r\n\"'\\") == NULL ? NULL : "must be a word without braces, colons, quotes and spaces";
}

static const char *
check_redis_url(const char *text)
{
	static const char *const schemes[] = {"redis://", "rediss://", "unix:///"};
	for (uint32_t i = 0; i < 3; i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0 && text[strlen(schemes[i])] != '\0')
			return NULL;
	return "must be redis://host[:port][/db], rediss://... or unix:///path";
}

static const char *
check_log_level(const char *text)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	for (uint32_t i = 0; i < 4; i++)
		if (strcmp(text, levels[i]) == 0)
			return NULL;
	return "must be debug, info, warn or error";
}

static const char *
check_log_format(const char *text)
{
	return strcmp(text, "logfmt") == 0 || strcmp(text, "json") == 0 ? NULL : "must be logfmt or json";
}

static const char *
check_anonymous(const char *text)
{
	bool right = strcmp(text, "none") == 0 || strcmp(text, "read") == 0 || strcmp(text, "operate") == 0;
	return right ? NULL : "must be none, read or operate";
}

/* host:port by numbers, as bind(2) takes it; empty = off. */
static const char *
check_listen(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
	bool right = digits >= 1 && digits <= 5 && colon[1 + digits] == '\0' && strtoul(colon + 1, NULL, 10) <= 65535;
	return right || text[0] == '\0' ? NULL : "must be address:port, such as 127.0.0.1:9464 or [::]:9464, or empty";
}

static const char *
check_source(const char *text)
{
	bool right = strcmp(text, "auto") == 0 || strcmp(text, "direct") == 0 || strcmp(text, "librdkafka") == 0;
	return right ? NULL : "must be auto, direct or librdkafka";
}

static const char *
check_new_log(const char *text)
{
	bool right = strcmp(text, "stop") == 0 || strcmp(text, "read_from_start") == 0;
	return right ? NULL : "must be stop or read_from_start";
}

static const char *
check_adapter(const char *text)
{
	return strcmp(text, "log") == 0 || strcmp(text, "cisco") == 0 ? NULL : "must be log or cisco";
}

static const char *
check_http_url(const char *text)
{
	bool http = strncmp(text, "http://", 7) == 0 && text[7] != '\0';
	bool https = strncmp(text, "https://", 8) == 0 && text[8] != '\0';
	return text[0] == '\0' || http || https ? NULL : "must be http://host[:port] or https://host[:port]";
}

#define AT(field) offsetof(struct weir_settings, field)
#define TEXT(name, min, max, def, field, check, text)                                                                      \
	{                                                                                                                  \
		name, WEIR_SETTING_TEXT, "", min, max, def, text, AT(field), false, check                                  \
	}
#define U32(name, unit, min, max, def, field, text)                                                                        \
	{                                                                                                                  \
		name, WEIR_SETTING_U32, unit, min, max, def, text, AT(field), false, NULL                                  \
	}
#define U64(name, unit, min, max, def, field, text)                                                                        \
	{                                                                                                                  \
		name, WEIR_SETTING_U64, unit, min, max, def, text, AT(field), false, NULL                                  \
	}
#define BOOL(name, def, field, text)                                                                                       \
	{                                                                                                                  \
		name, WEIR_SETTING_BOOL, "", 0, 1, def, text, AT(field), false, NULL                                       \
	}
#define SECRET(name, field, text)                                                                                          \
	{                                                                                                                  \
		name, WEIR_SETTING_TEXT, "", 0, 65536, "", text, AT(field), true, NULL                                     \
	}
#define SECRET_FILE(name, field, text)                                                                                     \
	{                                                                                                                  \
		name, WEIR_SETTING_SECRET_FILE, "", 0, 4096, "", text, AT(field), false, NULL                              \
	}

/* clang-format off */
static const struct weir_setting TABLE[] = {
	TEXT("kafka.brokers", 1, 4096, "localhost:9092", kafka_brokers, NULL, "Bootstrap brokers, host:port with commas between."),
	TEXT("kafka.group", 1, 255, "weir", kafka_group, NULL, "Consumer group."),
	TEXT("kafka.instance", 0, 255, "", kafka_instance, NULL, "Static membership id of this process; empty = dynamic membership."),
	TEXT("kafka.source", 1, 16, "auto", kafka_source, check_source, "What reads the records: auto, direct (weir's own connections) or librdkafka."),
	TEXT("kafka.on_new_log", 1, 32, "stop", kafka_on_new_log, check_new_log, "When a topic was created again, or cut off below what was counted: stop the partition, or read_from_start (the new topic's start; where a cut-off log parts from what was counted)."),
	U32("kafka.queue_kb", "KiB", 1024, 2097151, "262144", kafka_queue_kb, "Fetch queue of each lane."),
	U32("kafka.session_timeout_ms", "ms", 1000, 3600000, "10000", kafka_session_ms, "How long a silent member keeps its partitions."),
	TEXT("topics.cards", 1, 249, "weir.cards", topic_cards, check_topic, "Reference data and operator requests."),
	TEXT("topics.dead", 1, 249, "weir.dead", topic_dead, check_topic, "Dead letters."),
	TEXT("topics.audit", 1, 249, "weir.audit", topic_audit, check_topic, "Audit entries."),
	TEXT("topics.partials", 1, 249, "weir.partials", topic_partials, check_topic, "Pool usage reports: from the partitions of a pool's cards to the pool's own."),
	TEXT("topics.alerts", 1, 249, "weir.alerts", topic_alerts, check_topic, "Alerts (ALR)."),
	TEXT("topics.pool_hourly", 0, 249, "weir.pool.hourly", topic_pool_hourly, check_topic, "Feed of pools' hours (ROL-3); empty = off."),
	TEXT("topics.pool_daily", 0, 249, "weir.pool.daily", topic_pool_daily, check_topic, "Feed of pools' days; empty = off."),
	TEXT("topics.card_daily", 0, 249, "weir.card.daily", topic_card_daily, check_topic, "Feed of cards' days; empty = off."),
	TEXT("redis.url", 1, 4096, "redis://localhost:6379", redis_url, check_redis_url, "redis://[user@]host[:port][/db], unix:///path, or rediss:// with TLS."),
	TEXT("redis.user", 0, 255, "", redis_user, NULL, "ACL user; empty = default."),
	SECRET_FILE("redis.password_file", redis_password, "File that holds the password."),
	SECRET("redis.password", redis_password, "The password; WEIR_REDIS_PASSWORD only."),
	TEXT("redis.prefix", 1, 64, "weir", redis_prefix, check_prefix, "First part of every key."),
	U32("redis.timeout_ms", "ms", 10, 60000, "2000", redis_timeout_ms, "Longest wait for a reply."),
	U32("lane.count", "", 1, 64, "2", lane_count, "Lanes (threads that own partitions) of this process."),
	U32("lane.batch_records", "messages", 64, 65536, "2048", lane_batch_records, "Most messages taken in one poll."),
	U32("lane.parked_max", "records", 1, 16777216, "65536", lane_parked_max, "Most late records that wait for the dedupe keys of their hour."),
	U32("lane.message_max_bytes", "bytes", 1024, 1073741824, "16777216", message_max_bytes, "Larger messages go to the dead-letter topic."),
	U32("flush.interval_ms", "ms", 10, 60000, "1000", flush_interval_ms, "Time between two flushes to Redis."),
	U32("flush.behind_interval_ms", "ms", 10, 60000, "3000", flush_behind_interval_ms, "The same while records older than 10 s are read: a backlog; below flush.interval_ms it means that."),
	U64("flush.unflushed_max", "bytes", 1048576, UINT64_C(1099511627776), "268435456", flush_unflushed_max, "Unflushed data of a lane above which it stops reading."),
	U32("flush.sparse_slots", "slots", 0, 128, "12", flush_sparse_slots, "A page with fewer dirty slots is written slot by slot."),
	U32("dedupe.horizon_h", "h", 1, 600, "48", dedupe_horizon_h, "Older records go to the dead-letter topic as too_late (REC-3)."),
	U32("dedupe.fresh_h", "h", 0, 48, "1", dedupe_fresh_h, "Hours before the current one whose dedupe keys stay in memory."),
	U32("session.retention_h", "h", 1, 8784, "768", session_retention_h, "How long a silent session is remembered."),
	U32("rules.future_skew_s", "s", 0, 86400, "300", future_skew_s, "How far in the future a record may end (REC-7)."),
	BOOL("rules.auto_register", "false", auto_register, "Unknown cards register themselves."),
	TEXT("rules.auto_register_carrier", 1, 63, "cm", auto_register_carrier, check_prefix, "Carrier of cards that registered themselves."),
	U32("rules.cycles_kept", "cycles", 6, 60, "6", cycles_kept, "Closed cycles that stay readable (CYC-3)."),
	U32("rollups.card_hours_days", "days", 1, 400, "7", card_hours_days, "How long a card's hours are kept (ROL-1)."),
	U32("rollups.pool_hours_days", "days", 1, 400, "62", pool_hours_days, "How long a pool's hours are kept (ROL-1)."),
	U32("rollups.day_cycles", "cycles", 1, 6, "1", day_cycles, "Closed cycles whose days are kept, besides the current one's, of cards and pools (ROL-1)."),
	U32("rollups.grace_s", "s", 0, 3600, "60", rollup_grace_s, "How long after its end an hour or day goes to the feeds: records that come within that time need no restatement."),
	U32("rollups.wait_s", "s", 0, 86400, "60", rollup_wait_s, "How much longer rows of pools wait for partitions that are behind. Then they go out as not complete, and again when they are."),
	U32("audit.history", "entries", 0, 1000, "16", history_entries, "Audit entries kept per card in Redis."),
	U32("pool.tick_ms", "ms", 100, 60000, "1000", pool_tick_ms, "How long a pool may not know of usage (POOL-7)."),
	U64("pool.slack_floor", "bytes", 0, UINT64_C(1099511627776), "65536", pool_unreported_floor, "Least unreported allowance: usage that a partition need not report before the next tick. Smaller is exacter, with more messages (POOL-7)."),
	U32("guard.percent", "%", 0, 100, "0", guard_percent, "Percent of a partition's cards: more suspends within guard.window_s stop sending until an operator releases the guard (CMD-5); 0 = off."),
	U32("guard.cards_min", "cards", 1, 4294967295, "1000", guard_cards_min, "Fewer suspends than this never trip the guard."),
	U32("guard.window_s", "s", 1, 86400, "600", guard_window_s, "The guard's window."),
	BOOL("enforcement.shadow", "false", shadow, "Decide and audit, send nothing (CMD-5)."),
	TEXT("metrics.listen", 0, 64, "127.0.0.1:9464", metrics_listen, check_listen, "Address and port of /metrics, /healthz and /readyz of `weir run`; empty = none."),
	TEXT("api.listen", 3, 64, "127.0.0.1:8470", api_listen, check_listen, "Address and port of `weir serve`. Other than loopback: give it TLS and tokens."),
	TEXT("api.metrics_listen", 0, 64, "127.0.0.1:9465", api_metrics_listen, check_listen, "Address and port of /metrics of `weir serve`; empty = none."),
	TEXT("api.tokens_file", 0, 4095, "", api_tokens_file, NULL, "File of bearer tokens, a line each: name, role (read, operate), token or sha256:HEX. Read again when it changes."),
	TEXT("api.anonymous", 1, 16, "none", api_anonymous, check_anonymous, "Role of requests without a token: none, read, operate. Only on loopback, and only for requests to a loopback host name."),
	TEXT("api.tls_cert_file", 0, 4095, "", api_tls_cert_file, NULL, "Certificate chain (PEM); with api.tls_key_file makes it https."),
	TEXT("api.tls_key_file", 0, 4095, "", api_tls_key_file, NULL, "Private key (PEM)."),
	U32("api.threads", "", 1, 64, "2", api_threads, "Threads that serve connections and answer short questions, each with a Redis connection."),
	U32("api.slow_threads", "", 1, 64, "2", api_slow_threads, "Threads for lists, searches, exports and the fleet."),
	U32("api.connections", "", 16, 65536, "4096", api_connections, "Connections at a time."),
	U32("api.timeout_s", "s", 1, 3600, "30", api_timeout_s, "A connection that is silent, sends a request or takes an answer slower than this is closed."),
	U32("api.body_max", "bytes", 1024, 16777216, "65536", api_body_max, "Largest body of a request, but for lists of POST /v1/bulk."),
	U32("api.bulk_body_max", "bytes", 1024, 268435456, "33554432", api_bulk_body_max, "Largest body of POST /v1/bulk."),
	U32("api.rate_per_s", "requests/s", 1, 1000000, "5000", api_rate_per_s, "Requests a second of one token, or of one address without a token; more are answered 429."),
	U32("api.exports", "", 1, 64, "4", api_exports, "Exports at a time."),
	U32("api.bulk_rate_per_s", "requests/s", 1, 1000000, "10000", api_bulk_rate_per_s, "Cards a second that a bulk request sends."),
	U32("api.kept_h", "h", 1, 8784, "168", api_kept_h, "How long idempotency keys, requests and bulk requests are remembered."),
	TEXT("log.level", 1, 16, "info", log_level, check_log_level, "Least level that is logged: debug, info, warn, error."),
	TEXT("log.format", 1, 16, "logfmt", log_format, check_log_format, "logfmt, or json: an object a line."),
	TEXT("log.file", 0, 4095, "", log_file, NULL, "Log file; empty = standard error."),
};
#undef AT
#define AT(field) offsetof(struct weir_carrier_settings, field)
static const struct weir_setting CARRIER_TABLE[] = {
	TEXT("adapter", 1, 16, "log", adapter, check_adapter, "log (writes commands to the log) or cisco (Control Center)."),
	TEXT("url", 0, 2048, "", url, check_http_url, "Base of the API, without /rws."),
	TEXT("user", 0, 255, "", user, NULL, "API user."),
	SECRET_FILE("api_key_file", api_key, "File that holds the API key."),
	SECRET("api_key", api_key, "The API key; WEIR_CARRIER_<ID>_API_KEY only."),
	U32("rate_per_s", "calls/s", 1, 10000, "10", rate_per_s, "Calls a second."),
	U32("concurrency", "calls", 1, 256, "1", concurrency, "Calls in flight."),
	U32("timeout_ms", "ms", 100, 120000, "10000", timeout_ms, "Longest wait for one call."),
	U32("cooldown_ms", "ms", 0, 86400000, "0", cooldown_ms, "Least time between two commands of one card."),
	U32("retry_min_ms", "ms", 1, 3600000, "500", retry_min_ms, "First retry delay; doubles, with jitter."),
	U32("retry_max_ms", "ms", 1, 86400000, "300000", retry_max_ms, "Longest retry delay."),
	U32("breaker_failures", "calls", 1, 10000, "10", breaker_failures, "Failures in a row that open the breaker."),
	U32("breaker_open_ms", "ms", 1, 3600000, "5000", breaker_open_ms, "How long it stays open before one trial call."),
	U32("confirm_ms", "ms", 10, 86400000, "1000", confirm_ms, "How often weir asks for the outcome of an accepted command."),
	U32("confirm_max_s", "s", 1, 7776000, "259200", confirm_max_s, "How long an accepted command may take before it is sent again (tickets may take days)."),
};
/* clang-format on */

_Static_assert(sizeof(TABLE) / sizeof(TABLE[0]) <= WEIR_SETTINGS_MAX, "rows_seen has an element per row");

const struct weir_setting *
weir_settings_table(uint32_t *count_out)
{
	*count_out = sizeof(TABLE) / sizeof(TABLE[0]);
	return TABLE;
}

const struct weir_setting *
weir_settings_carrier_table(uint32_t *count_out)
{
	*count_out = sizeof(CARRIER_TABLE) / sizeof(CARRIER_TABLE[0]);
	return CARRIER_TABLE;
}

const struct weir_setting *
weir_setting_find(const struct weir_setting *rows, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}
