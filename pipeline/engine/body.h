/*
 * The body of a flush: what the core writes, as Redis commands in a buffer (docs/formats.md, "Redis"). The lane puts header
 * and purges around it, the benchmarks measure it alone. Pure; any thread that owns the partition.
 */
#ifndef WEIR_PIPELINE_BODY_H
#define WEIR_PIPELINE_BODY_H

#include "aggregators/partition.h"

struct weir_body {
	struct weir_buf *bytes;
	const char *prefix; /* of all keys; borrowed */
	uint32_t partition;
	uint32_t commands; /* in bytes so far */
};

/* For weir_partition_encode; borrows the body. */
struct weir_writer weir_body_writer(struct weir_body *body);

#endif
