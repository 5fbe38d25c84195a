/* Inside the bare producer: what making connections (raw_connect.c) and sending (raw_produce.c) share. */
#ifndef WEIR_BENCH_RAW_PRODUCE_PRIV_H
#define WEIR_BENCH_RAW_PRODUCE_PRIV_H

#include <poll.h>
#include <stdint.h>
#include <sys/uio.h>

#include "bench/raw_batch.h"
#include "bench/raw_produce.h"

/* A request being filled, waiting to be written, or spare. */
struct request {
	struct request *next;
	uint8_t *head;          /* up to the partitions */
	uint8_t (*prefixes)[8]; /* a partition's number and its batch's length */
	struct raw_batch *batches;
	struct iovec *iov; /* what is not written yet */
	uint32_t iov_first, iov_count;
	uint32_t records;
};

/* What a request in flight holds of one partition; `records` 0 = nothing. */
struct sent_batch {
	uint32_t records;
	int64_t first_ms, last_ms;
};

struct connection {
	int fd;
	int32_t broker;
	uint32_t number; /* among those to the same broker */
	char name[256];  /* host:port, for messages */
	int32_t *partitions;
	uint32_t partition_count;
	struct request *open;            /* being filled */
	struct request *first, **last;   /* queue of those not written to the end */
	struct request *spare;           /* the one used last is used next: its memory is still in the cache */
	uint32_t *unanswered;            /* ring of records per request, by correlation id */
	struct sent_batch *sent_batches; /* the same ring, partition_count each; NULL = nobody wants to know */
	uint32_t sent, answered;         /* correlation ids: of the next request, of the next answer */
	uint8_t *answer;
	size_t answer_len, answer_cap;
};

struct place {
	uint32_t connection, index;
};

struct raw_produce {
	struct raw_produce_opts opts;
	struct connection *connections;
	uint32_t connection_count;
	struct place *places; /* by partition */
	uint32_t partition_count;
	uint64_t unanswered;
	struct pollfd *polls;
};

struct request *raw_request_new(const struct raw_produce *rp, const struct connection *c);

#endif
