/*
 * Prints what a source of records delivers, a line a message, until every partition has told its end: topic, partition,
 * offset, timestamp, key and value (hex; of more than 256 bytes their length and hash). For tests that hold one source
 * against another. weir_source_dump CONFIG PARTITIONS START TOPIC...      START: first offset of every partition; -1 = the
 * log's beginning Ends with 5 when a partition cannot be read (its error goes to stderr).
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "config/base/clock.h"
#include "consumers/kinds.h"

#define PARTITIONS_MAX 64u
#define TIMEOUT_S 60

struct dump {
	const char *const *topics;
	uint32_t topic_count, partitions;
	int64_t start;
	const char *until;
	int64_t next[WEIR_TOPICS_MAX][PARTITIONS_MAX];         /* after the last one printed; 0: none */
	int64_t next_offset[WEIR_TOPICS_MAX][PARTITIONS_MAX];  /* where the source says that reading goes on */
	struct log_name logs[WEIR_TOPICS_MAX][PARTITIONS_MAX]; /* of what was printed, as the source proved it */
	int64_t proven[WEIR_TOPICS_MAX][PARTITIONS_MAX];       /* next_offset when it did */
	int64_t came_us, gap_us;
	bool mine[PARTITIONS_MAX];
	bool ended[WEIR_TOPICS_MAX][PARTITIONS_MAX];
};

static bool
on_assign(void *ctx, struct weir_start *starts, uint32_t count)
{
	struct dump *dump = ctx;
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t t = 0; t < dump->topic_count; t++) {
			starts[i].offsets[t] =
			    dump->next[t][starts[i].partition] > 0 ? dump->next[t][starts[i].partition] : dump->start;
			starts[i].logs[t] = dump->logs[t][starts[i].partition];
		}
		dump->mine[starts[i].partition] = true;
	}
	return true;
}

static void
on_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost)
{
	struct dump *dump = ctx;
	(void)lost;
	for (uint32_t i = 0; i < count; i++)
		dump->mine[partitions[i]] = false;
}

static void
print_bytes(struct weir_slice bytes)
{
	if (bytes.data == NULL) {
		printf(" null");
		return;
	}
	if (bytes.len > 256) {
		XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.len);
		printf(" %zu:%016" PRIx64 "%016" PRIx64, bytes.len, (uint64_t)hash.high64, (uint64_t)hash.low64);
		return;
	}
	printf(" =");
	for (size_t i = 0; i < bytes.len; i++)
		printf("%02x", bytes.data[i]);
}

/* One batch; false when there was none. Ends the program when the partition cannot go on. */
static bool
dump_one(struct dump *dump, struct weir_source *source, uint32_t topic, uint32_t partition)
{
	struct weir_batch batch;
	struct weir_error err;
	/* an odd number of messages at a time, so that batches are left in their midst */
	enum weir_class class = weir_source_next(source, topic, partition, 97, &batch, &err);
	if (class == WEIR_FATAL) {
		fprintf(stderr, "%s\n", err.text);
		exit(5);
	}
	if (class != WEIR_OK)
		return false;
	for (uint32_t i = 0; i < batch.count; i++) {
		const struct weir_message *m = &batch.messages[i];
		printf("%s %u %" PRId64 " %" PRId64, dump->topics[topic], partition, m->offset, m->timestamp_us);
		print_bytes(m->key);
		print_bytes(m->value);
		printf("\n");
	}
	dump->next_offset[topic][partition] = batch.next_offset;
	if (batch.count > 0) {
		int64_t now = weir_steady_now().us;
		if (dump->came_us > 0 && now - dump->came_us > dump->gap_us)
			dump->gap_us = now - dump->came_us;
		dump->came_us = now;
		dump->next[topic][partition] = batch.messages[batch.count - 1].offset + 1;
		if (dump->until != NULL && weir_slice_equals(batch.messages[batch.count - 1].value, dump->until))
			dump->ended[topic][partition] = true;
	}
	if (dump->until == NULL)
		dump->ended[topic][partition] |= batch.end;
	weir_source_release(source, &batch);
	return true;
}

/* Keeps the logs' names for the next assignment, as a store would. */
static void
prove(struct dump *dump, struct weir_source *source, uint32_t partition)
{
	struct log_name logs[WEIR_TOPICS_MAX];
	if (!dump->mine[partition] || weir_source_prove(source, partition, logs) != WEIR_PROOF_GOOD)
		return;
	for (uint32_t t = 0; t < dump->topic_count; t++) {
		dump->logs[t][partition] = logs[t];
		if (dump->until != NULL && dump->proven[t][partition] != dump->next_offset[t][partition])
			fprintf(stderr, "proven=%" PRId64 "\n", dump->next_offset[t][partition]);
		dump->proven[t][partition] = dump->next_offset[t][partition];
	}
}

/* Where each partition goes on, for a test that asked for it. */
static void
print_next(const struct dump *dump)
{
	for (uint32_t t = 0; t < dump->topic_count && getenv("WEIR_DUMP_NEXT") != NULL; t++)
		for (uint32_t p = 0; p < dump->partitions; p++)
			fprintf(stderr, "next %s %u %" PRId64 "\n", dump->topics[t], p, dump->next_offset[t][p]);
}

static bool
is_done(const struct dump *dump)
{
	for (uint32_t t = 0; t < dump->topic_count; t++)
		for (uint32_t p = 0; p < dump->partitions; p++)
			if (!dump->ended[t][p])
				return false;
	return true;
}

int
main(int argc, char **argv)
{
	struct weir_settings *settings;
	struct weir_source *source = NULL;
	struct weir_error err;
	if (argc < 5 || weir_settings_load(argv[1], NULL, 0, &settings, &err) != WEIR_OK)
		return 2;
	struct dump dump = {.topics = (const char *const *)(argv + 4),
	    .topic_count = (uint32_t)argc - 4,
	    .partitions = (uint32_t)atoi(argv[2]),
	    .start = atoll(argv[3]),
	    .until = getenv("WEIR_DUMP_UNTIL")};
	struct weir_source_opts opts = {.kinds = weir_source_kinds,
	    .settings = settings,
	    .topics = dump.topics,
	    .topic_count = dump.topic_count,
	    .partitions = dump.partitions,
	    .bell_fd = eventfd(0, EFD_NONBLOCK),
	    .ctx = &dump,
	    .on_assign = on_assign,
	    .on_revoke = on_revoke};
	if (weir_source_open(&opts, &source, &err) != WEIR_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 3;
	}
	time_t until =
	    time(NULL) + (dump.until != NULL ? 60 * TIMEOUT_S : TIMEOUT_S); /* hundreds of moves and kills take long */
	while (!is_done(&dump) && time(NULL) < until) {
		bool any = false;
		if (weir_source_poll(source, &err) != WEIR_OK) {
			fprintf(stderr, "%s\n", err.text);
			return 4;
		}
		(void)weir_source_serve(source);
		for (uint32_t p = 0; p < dump.partitions; p++)
			prove(&dump, source, p);
		for (uint32_t t = 0; t < dump.topic_count; t++)
			for (uint32_t p = 0; p < dump.partitions; p++)
				any |= dump.mine[p] && dump_one(&dump, source, t, p);
		(void)weir_source_serve(source);
		struct pollfd fds[2] = {{opts.bell_fd, POLLIN, 0}, {weir_source_fd(source), POLLIN, 0}};
		uint64_t rings;
		if (!any && poll(fds, 2, 20) > 0 && fds[0].revents != 0)
			(void)!read(opts.bell_fd, &rings, sizeof(rings));
	}
	bool done = is_done(&dump);
	if (dump.until != NULL)
		fprintf(stderr, "max_gap_ms=%" PRId64 "\n", dump.gap_us / 1000);
	print_next(&dump);
	weir_source_close(source);
	weir_settings_free(settings);
	(void)close(opts.bell_fd);
	return done ? 0 : 6;
}
