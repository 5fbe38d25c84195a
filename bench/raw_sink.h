/*
 * Fills a topic as fast as the broker takes it: over the bare protocol where connections are plain text (raw_produce.h: a
 * fifth of the CPU, so that preparing a run takes less time than the run), by librdkafka where they are not. Owned by one
 * thread. Errors end it.
 */
#ifndef WEIR_BENCH_RAW_SINK_H
#define WEIR_BENCH_RAW_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/settings/settings.h"

struct raw_sink;

/* The topic has `partitions`; its name is copied. */
enum weir_class raw_sink_open(const struct weir_settings *settings, const char *topic, uint32_t partitions,
    struct raw_sink **sink_out, struct weir_error *err);
/* Partition of a key, as Java's client and `weir load` choose it. */
uint32_t raw_sink_place(const struct raw_sink *sink, const char *key, size_t key_len);
enum weir_class raw_sink_put(struct raw_sink *sink, const char *key, size_t key_len, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err);
/* Without a key, to one partition. */
enum weir_class raw_sink_put_to(struct raw_sink *sink, uint32_t partition, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err);
/* Waits until the broker has all of it. */
enum weir_class raw_sink_finish(struct raw_sink *sink, struct weir_error *err);
void raw_sink_close(struct raw_sink *sink);

/* A producer over the bare protocol for settings' brokers; the client that asked for leaders is gone afterwards. */
struct raw_produce;
struct raw_produce_opts;
enum weir_class raw_open_bare(const struct weir_settings *settings, const struct raw_produce_opts *opts,
    struct raw_produce **out, struct weir_error *err);

#endif
