/* What a source of records is to source.c, and what the sources know of each other. */
#ifndef WEIR_CONSUMERS_SOURCE_PRIV_H
#define WEIR_CONSUMERS_SOURCE_PRIV_H

#include "consumers/source/source.h"

#define SOURCE_BATCH_MAX 65536u

/* The functions of source.h, for one kind of source. */
struct source_ops {
	void (*close)(struct weir_source *source);
	enum weir_class (*poll)(struct weir_source *source, struct weir_error *err);
	int64_t (*serve)(struct weir_source *source); /* NULL: threads of its own do */
	int (*fd)(const struct weir_source *source);  /* NULL: none */
	enum weir_class (*next)(struct weir_source *source, uint32_t topic, uint32_t partition, uint32_t max,
	    struct weir_batch *batch_out, struct weir_error *err);
	void (*release)(struct weir_source *source, struct weir_batch *batch);
	enum weir_proof (*prove)(struct weir_source *source, uint32_t partition, struct log_name *logs_out);
	enum weir_class (*rewind)(struct weir_source *source, const struct weir_start *start, struct weir_error *err);
	void (*drop)(struct weir_source *source, uint32_t partition);
	void (*commit)(struct weir_source *source, const struct weir_start *start);
	int64_t (*lag)(struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset);
};

/* The first member of each kind of source. */
struct weir_source {
	uint32_t magic;
	const struct source_ops *ops;
};

/* A row of consumers/kinds.c. */
struct weir_source_kind {
	const char *name; /* as kafka.source says it */
	/* What of the settings it does not do, in words of the properties; NULL: nothing. No function: it does all. */
	const char *(*unable)(const struct weir_settings *settings, char *text, size_t size);
	enum weir_class (*open)(
	    const struct weir_source_opts *opts, struct weir_source **source_out, struct weir_error *err);
};
extern const struct weir_source_kind source_rdkafka;

/*
 * The librdkafka source. reads = false: a member of the group that takes part in all but reads nothing until
 * source_rdkafka_hand gives it a topic's partition.
 */
enum weir_class source_rdkafka_open(
    const struct weir_source_opts *opts, bool reads, struct weir_source **source_out, struct weir_error *err);
enum weir_class source_rdkafka_hand(
    struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset, struct weir_error *err);
/* What the stop of a partition says when the log no longer holds what the stored state goes on from. */
enum weir_class source_gone(struct weir_error *err, const char *topic, uint32_t partition, int64_t offset);

#endif
