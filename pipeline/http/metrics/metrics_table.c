/*
 * The table of metrics: the only place that knows a metric's name, type, labels and meaning. A new metric is a row here,
 * and a line of docs/metrics.md, which `weir run --list-metrics` prints and a test compares.
 */
#include "pipeline/http/metrics/metrics_priv.h"

/* ---- metrics with labels of their own ---- */

static void
write_build(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	(void)figures;
	weir_metric_sample_u64(out, metric->name, "version=\"" WEIR_VERSION "\"", 1);
}

static void
write_dead_letters(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	char label[64];
	for (unsigned i = WEIR_REJECT_NONE + 1; i < WEIR_REJECT_COUNT; i++) {
		weir_metric_label(label, sizeof(label), "reason", weir_reject_name((enum weir_reject)i));
		weir_metric_sample_u64(out, metric->name, label, figures->run.rejected[i]);
	}
}

static void
write_traffic(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	weir_metric_sample_u64(out, metric->name, "direction=\"up\"", figures->run.bytes_up);
	weir_metric_sample_u64(out, metric->name, "direction=\"down\"", figures->run.bytes_down);
}

static void
write_decisions(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	weir_metric_sample_u64(out, metric->name, "action=\"suspend\"", figures->run.suspends);
	weir_metric_sample_u64(out, metric->name, "action=\"resume\"", figures->run.resumes);
}

static void
write_log_lines(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	char label[32];
	for (unsigned i = 0; i < WEIR_LOG_LEVELS; i++) {
		weir_metric_label(label, sizeof(label), "level", weir_log_level_name((enum weir_log_level)i));
		weir_metric_sample_u64(out, metric->name, label, figures->log.lines[i]);
	}
}

static void
write_lag(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	char topic[520], labels[600];
	for (uint32_t i = 0; i < figures->partition_count; i++)
		for (uint32_t t = 0; t < figures->topic_count; t++) {
			int64_t lag = figures->partitions[i].lag_messages[t];
			weir_metric_label(topic, sizeof(topic), "topic", figures->topics[t]);
			(void)snprintf(labels, sizeof(labels), "%s,partition=\"%u\"", topic, figures->partitions[i].number);
			weir_metric_sample_u64(out, metric->name, labels, lag > 0 ? (uint64_t)lag : 0);
		}
}

static void
write_states(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	char labels[96];
	for (uint32_t i = 0; i < figures->partition_count; i++)
		for (unsigned s = WEIR_RUN_TAKING; s < WEIR_RUN_STATE_COUNT; s++) {
			(void)snprintf(labels, sizeof(labels), "partition=\"%u\",state=\"%s\"",
			    figures->partitions[i].number, weir_run_state_name((enum weir_run_state)s));
			weir_metric_sample_u64(out, metric->name, labels, figures->partitions[i].state == s);
		}
}

/* One sample of a carrier with a second label. */
static void
carrier_sample(const struct weir_metric *metric, const struct weir_carrier_counters *c, const char *name, const char *value,
    uint64_t count, struct weir_buf *out)
{
	char carrier[80], labels[160];
	weir_metric_label(carrier, sizeof(carrier), "carrier", c->carrier);
	(void)snprintf(labels, sizeof(labels), "%s,%s=\"%s\"", carrier, name, value);
	weir_metric_sample_u64(out, metric->name, labels, count);
}

static void
write_commands(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	for (uint32_t i = 0; i < figures->carrier_count; i++) {
		const struct weir_carrier_counters *c = &figures->carriers[i];
		carrier_sample(metric, c, "state", "sent", c->sent, out);
		carrier_sample(metric, c, "state", "confirmed", c->confirmed, out);
		carrier_sample(metric, c, "state", "failed", c->failed, out);
		carrier_sample(metric, c, "state", "withdrawn", c->withdrawn, out);
	}
}

static void
write_queued(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	for (uint32_t i = 0; i < figures->carrier_count; i++) {
		const struct weir_carrier_counters *c = &figures->carriers[i];
		carrier_sample(metric, c, "action", "suspend", c->queued_suspends, out);
		carrier_sample(metric, c, "action", "resume", c->queued_resumes, out);
	}
}

static void
write_feed_rows(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	static const char *const labels[WEIR_RUN_FEED_COUNT] = {
	    "feed=\"pool_hourly\"", "feed=\"pool_daily\"", "feed=\"card_daily\""};
	for (unsigned i = 0; i < WEIR_RUN_FEED_COUNT; i++)
		weir_metric_sample_u64(out, metric->name, labels[i], figures->run.feed_rows[i]);
}

static void
write_api_requests(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	char label[32];
	for (unsigned i = 2; i < 6; i++) {
		(void)snprintf(label, sizeof(label), "status=\"%uxx\"", i);
		weir_metric_sample_u64(out, metric->name, label, figures->api.by_class[i]);
	}
}

static void
write_api_refused(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	weir_metric_sample_u64(out, metric->name, "reason=\"token\"", figures->api.refused_token);
	weir_metric_sample_u64(out, metric->name, "reason=\"role\"", figures->api.refused_role);
	weir_metric_sample_u64(out, metric->name, "reason=\"rate\"", figures->api.refused_rate);
}

/* ---- the table ---- */

#define PLAIN(by, name, type, shown, field, help)                                                                          \
	{                                                                                                                  \
		name, WEIR_METRIC_##type, "", help, WEIR_METRIC_BY_##by, WEIR_METRIC_OF_PROCESS, WEIR_METRIC_AS_##shown,   \
		    offsetof(struct weir_metrics_figures, field), 0, 0, 0, 0, NULL                                         \
	}
#define OF_PROCESS(name, type, shown, field, help) PLAIN(BOTH, name, type, shown, field, help)
#define OF_RUN(name, type, shown, field, help) PLAIN(RUN, name, type, shown, field, help)
#define OF_API(name, type, shown, field, help) PLAIN(API, name, type, shown, field, help)
#define OF_LANE(name, type, shown, field, help)                                                                            \
	{                                                                                                                  \
		name, WEIR_METRIC_##type, "lane", help, WEIR_METRIC_BY_RUN, WEIR_METRIC_OF_LANE, WEIR_METRIC_AS_##shown,   \
		    offsetof(struct weir_run_lane, field), 0, 0, 0, 0, NULL                                                \
	}
#define OF_PARTITION(name, type, shown, field, help)                                                                       \
	{                                                                                                                  \
		name, WEIR_METRIC_##type, "partition", help, WEIR_METRIC_BY_RUN, WEIR_METRIC_OF_PARTITION,                 \
		    WEIR_METRIC_AS_##shown, offsetof(struct weir_run_partition, field), 0, 0, 0, 0, NULL                   \
	}
#define OF_CARRIER(name, type, shown, field, help)                                                                         \
	{                                                                                                                  \
		name, WEIR_METRIC_##type, "carrier", help, WEIR_METRIC_BY_RUN, WEIR_METRIC_OF_CARRIER,                     \
		    WEIR_METRIC_AS_##shown, offsetof(struct weir_carrier_counters, field), 0, 0, 0, 0, NULL                \
	}
/* Bounds 2^first to 2^last, in microseconds or bytes. */
#define BUCKETS(by, name, shown, buckets, total, first, last, step, help)                                                  \
	{                                                                                                                  \
		name, WEIR_METRIC_HISTOGRAM, "", help, WEIR_METRIC_BY_##by, WEIR_METRIC_OF_BUCKETS,                        \
		    WEIR_METRIC_AS_##shown, offsetof(struct weir_metrics_figures, buckets),                                \
		    offsetof(struct weir_metrics_figures, total), first, last, step, NULL                                  \
	}
/* 1 ms to 67 s; 1 KiB to 4 GiB; 128 us to 8 s */
#define SECONDS(name, buckets, total, help) BUCKETS(RUN, name, US, run.buckets, run.total, 10, 26, 1, help)
#define BYTES(name, histogram, help) BUCKETS(RUN, name, U64, run.histogram.bucket, run.histogram.sum, 10, 32, 2, help)
#define ANSWERS(name, buckets, total, help) BUCKETS(API, name, US, api.buckets, api.total, 7, 23, 1, help)
#define OWN(by, name, type, labels, write, help)                                                                           \
	{                                                                                                                  \
		name, WEIR_METRIC_##type, labels, help, WEIR_METRIC_BY_##by, WEIR_METRIC_OF_ITSELF, WEIR_METRIC_AS_U64, 0, \
		    0, 0, 0, 0, write                                                                                      \
	}

/* clang-format off */
static const struct weir_metric TABLE[] = {
	/* process */
	OWN(BOTH, "weir_build_info", GAUGE, "version", write_build, "Always 1; the version that runs."),
	OF_RUN("weir_ready", GAUGE, BOOL, ready, "1 while all partitions of this process are taken and have read their reference data."),
	OF_PROCESS("weir_process_start_timestamp_seconds", GAUGE, US, process.started_us, "When the process started, since 1970."),
	OF_PROCESS("weir_process_cpu_seconds_total", COUNTER, US, process.cpu_us, "CPU time used, user and system."),
	OF_PROCESS("weir_process_resident_memory_bytes", GAUGE, U64, process.resident_bytes, "Resident set of the process."),
	OF_PROCESS("weir_process_open_fds", GAUGE, U64, process.open_fds, "Open file descriptors."),
	OF_LANE("weir_lane_rounds_total", COUNTER, U64, rounds, "Rounds of a lane, waits included: stands still when the lane hangs."),
	OWN(BOTH, "weir_log_lines_total", COUNTER, "level", write_log_lines, "Lines written to the log."),
	OF_PROCESS("weir_log_suppressed_lines_total", COUNTER, U64, log.suppressed, "Lines held back by the limit of 5 a second and place."),
	/* input */
	OF_RUN("weir_messages_total", COUNTER, U64, run.messages, "Messages taken from the topics of records."),
	OF_RUN("weir_records_total", COUNTER, U64, run.records, "Records decoded from them, whatever became of each."),
	OF_RUN("weir_records_counted_total", COUNTER, U64, run.counted, "Records counted, each once (REC-3)."),
	OF_RUN("weir_records_duplicate_total", COUNTER, U64, run.duplicates, "Records that had been counted before (REC-3), old totals of sessions among them (REC-2)."),
	OF_RUN("weir_records_late_total", COUNTER, U64, run.late, "Records of an hour whose dedupe keys are not in memory: weir fetches them from Redis."),
	OF_RUN("weir_records_parked_total", COUNTER, U64, run.parked, "Records that waited for such a fetch."),
	OF_RUN("weir_records_filtered_total", COUNTER, U64, run.filtered, "Elements left out by a feed's filter."),
	OF_RUN("weir_records_unattributed_total", COUNTER, U64, run.unattributed, "Records counted in their card but too old for their pool; never with a horizon up to 25 days."),
	OF_RUN("weir_session_gaps_lost_total", COUNTER, U64, run.gaps_lost, "Ranges of missing sequence numbers given up: records of them are too late."),
	OWN(RUN, "weir_dead_letters_total", COUNTER, "reason", write_dead_letters, "Messages and records that went to the dead-letter topic (REC-7)."),
	OWN(RUN, "weir_traffic_bytes_total", COUNTER, "direction", write_traffic, "Volume counted."),
	OWN(RUN, "weir_lag_messages", GAUGE, "topic,partition", write_lag, "Messages of a partition that wait to be read."),
	OF_PARTITION("weir_stream_timestamp_seconds", GAUGE, US, stream_us, "Stream time: the newest Kafka timestamp read, since 1970."),
	/* partitions */
	OF_RUN("weir_partitions", GAUGE, U64, topic_partitions, "Partitions of the topics, whichever process owns them."),
	OWN(RUN, "weir_partition_state", GAUGE, "partition,state", write_states, "1 for the state that an owned partition is in: taking, catching_up, running, fenced, stopped."),
	OF_PARTITION("weir_partition_epoch", GAUGE, U64, epoch, "Epoch of this ownership; rises with each taking."),
	OF_PARTITION("weir_partition_cards", GAUGE, U64, cards, "Cards known."),
	OF_PARTITION("weir_partition_pools", GAUGE, U64, pools, "Pools owned."),
	OF_PARTITION("weir_partition_memory_bytes", GAUGE, U64, memory_bytes, "Memory of its state."),
	OF_PARTITION("weir_partition_unflushed_bytes", GAUGE, U64, unflushed_bytes, "State that waits for Redis; at flush.unflushed_max reading pauses."),
	OF_PARTITION("weir_partition_parked_records", GAUGE, U64, parked, "Late records that wait for their fetch now."),
	OF_PARTITION("weir_partition_pending_letters", GAUGE, U64, unacknowledged, "Messages to Kafka not yet acknowledged; a flush waits for them."),
	OF_PARTITION("weir_partition_pending_walks", GAUGE, U64, scans, "Pools whose members here are still to be scanned after a pool state update."),
	OF_PARTITION("weir_partition_pool_slack_bytes", GAUGE, U64, unreported_bytes, "Unreported allowances of its pools, summed up: usage they may not know yet, the bound of their lateness (POOL-7)."),
	OF_PARTITION("weir_partition_guard_tripped", GAUGE, U64, guard_tripped, "1 while suspends wait for an operator (CMD-5)."),
	OF_PARTITION("weir_partition_flush_timestamp_seconds", GAUGE, US, flushed_us, "When its last flush was answered, since 1970; 0 before the first."),
	OF_RUN("weir_partitions_fenced_total", COUNTER, U64, run.fenced, "Flushes that found another owner."),
	/* decisions */
	OWN(RUN, "weir_decisions_total", COUNTER, "action", write_decisions, "Changes of a card's desired state."),
	OF_RUN("weir_suspends_guarded_total", COUNTER, U64, run.guarded, "Suspends held back by a tripped guard (CMD-5)."),
	OF_RUN("weir_enforcement_unsupported_total", COUNTER, U64, run.unsupported, "Reasons raised that the card's carrier does not enforce (SUS-4)."),
	OF_RUN("weir_alerts_total", COUNTER, U64, run.alerts, "Alerts given (ALR-1)."),
	OF_RUN("weir_activations_total", COUNTER, U64, run.activations, "Cards activated (LIFE-2)."),
	OF_RUN("weir_expiries_total", COUNTER, U64, run.expiries, "Plans expired (LIFE-5)."),
	SECONDS("weir_command_latency_seconds", command_latency, command_latency_us, "From the Kafka timestamp of the record that caused it to the command at its adapter."),
	SECONDS("weir_confirm_latency_seconds", confirm_latency.bucket, confirm_latency.sum, "From a suspend's first call to its confirmation."),
	BYTES("weir_card_overshoot_bytes", card_overshoot, "Usage of a card above its limit when its cut-off was confirmed (CMD-4)."),
	BYTES("weir_pool_overshoot_bytes", pool_overshoot, "Usage of a pool above its limit when its cut-off was decided (CMD-4)."),
	/* carriers */
	OWN(RUN, "weir_commands_total", COUNTER, "carrier,state", write_commands, "Commands by what became of them: sent, confirmed, failed, withdrawn."),
	OF_CARRIER("weir_command_retries_total", COUNTER, U64, retries, "Calls to be repeated."),
	OF_CARRIER("weir_command_timeouts_total", COUNTER, U64, timeouts, "Calls whose answer was lost."),
	OF_CARRIER("weir_command_rate_limits_total", COUNTER, U64, rate_limited, "Answers that asked for fewer calls."),
	OWN(RUN, "weir_commands_queued", GAUGE, "carrier,action", write_queued, "Commands that wait for their turn."),
	OF_CARRIER("weir_commands_in_flight", GAUGE, U32, in_flight, "Calls without an answer yet."),
	OF_CARRIER("weir_carrier_breaker_open", GAUGE, BOOL, breaker_open, "1 while a carrier gets no calls but trials (CMD-3)."),
	OF_RUN("weir_intents_skipped_total", COUNTER, U64, run.intents_skipped, "Commands that went out without their intent because Redis did not answer."),
	/* pools */
	OF_RUN("weir_partials_told_total", COUNTER, U64, run.reports_published, "Pool usage reports published to the pools' partitions."),
	OF_RUN("weir_partials_taken_total", COUNTER, U64, run.reports_applied, "Pool usage reports applied."),
	OF_RUN("weir_words_told_total", COUNTER, U64, run.pool_states_published, "Pool state updates published to the partitions of the pools' members."),
	OF_RUN("weir_words_taken_total", COUNTER, U64, run.pool_states_applied, "Pool state updates applied."),
	OF_RUN("weir_members_walked_total", COUNTER, U64, run.members_scanned, "Members evaluated by the scan after a pool state update."),
	/* rollups and feeds */
	OF_PARTITION("weir_partition_watermark_timestamp_seconds", GAUGE, US, watermark_us, "Its watermark, since 1970: windows that end before it have ended. By its slowest input; 0 before it is known."),
	OF_PARTITION("weir_partition_complete_timestamp_seconds", GAUGE, US, complete_us, "Rows of its pools are complete for windows that end before it (ROL-3), since 1970; 0 before it is known."),
	OF_RUN("weir_windows_told_total", COUNTER, U64, run.windows_published, "Hours of usage published to pools' partitions; late ones again."),
	OF_RUN("weir_windows_taken_total", COUNTER, U64, run.windows_taken, "Hours of usage applied."),
	OF_RUN("weir_windows_old_total", COUNTER, U64, run.windows_old, "Hours of usage left out because they are no longer kept; never those that weir itself publishes."),
	OWN(RUN, "weir_feed_rows_total", COUNTER, "feed", write_feed_rows, "Rows of the feeds given to Kafka: pool_hourly, pool_daily, card_daily (ROL-3)."),
	OF_RUN("weir_feed_restatements_total", COUNTER, U64, run.rows_again, "Of them made because a late record changed a window that had ended (ROL-3)."),
	/* flush and Redis */
	SECONDS("weir_flush_duration_seconds", flush_latency.bucket, flush_latency.sum, "Time of a flush from its first byte to Redis' answer, reconnections included."),
	OF_RUN("weir_flush_bytes_total", COUNTER, U64, run.flush_bytes, "Bytes of flushes sent to Redis."),
	OF_RUN("weir_redis_rollbacks_total", COUNTER, U64, run.lost_writes, "Times that Redis had lost writes: the partition was loaded again and Kafka rewound."),
	OF_LANE("weir_redis_away", GAUGE, BOOL, redis_away, "1 while something waits for Redis and the lane has no connection."),
	OF_LANE("weir_redis_reconnects_total", COUNTER, U64, redis_reconnects, "Connections lost or given up."),
	OF_LANE("weir_redis_refusals_total", COUNTER, U64, redis_refusals, "Answers with an error (docs/redis.md)."),
	OF_LANE("weir_redis_fetches_total", COUNTER, U64, redis_fetches, "Fetches for late records."),
	OF_LANE("weir_redis_takes_total", COUNTER, U64, redis_takes, "Partitions taken."),
	/* HTTP API */
	OWN(API, "weir_api_requests_total", COUNTER, "status", write_api_requests, "Requests answered, by the first digit of their status."),
	OWN(API, "weir_api_refused_total", COUNTER, "reason", write_api_refused, "Of them refused: no token or an unknown one (401), a role that may not (403), too many a second (429)."),
	ANSWERS("weir_api_answer_duration_seconds", answer_bucket, answer_us_total, "From a request's last byte to its answer's first."),
	OF_API("weir_api_connections", GAUGE, U64, api.connections, "Connections open."),
	OF_API("weir_api_connections_cut_total", COUNTER, U64, api.cut_slow, "Connections closed because they took too long (api.timeout_s)."),
	OF_API("weir_api_exports_running", GAUGE, U64, api.exports, "Exports running."),
	OF_API("weir_api_jobs_waiting", GAUGE, U64, api.slow_waiting, "Lists, searches and exports that wait for a thread."),
	OF_API("weir_api_requests_sent_total", COUNTER, U64, api.produced, "Operators' requests that Kafka took."),
	OF_API("weir_api_requests_unsent_total", COUNTER, U64, api.produce_failed, "Operators' requests that Kafka did not take: answered 503."),
};
/* clang-format on */

const struct weir_metric *
weir_metrics_table(uint32_t *count_out)
{
	*count_out = sizeof(TABLE) / sizeof(TABLE[0]);
	return TABLE;
}
