/* Pure functions of the reader's face: a key's partition, a volume's bytes, names of spans; see query.h. */
#include <string.h>

#include "config/base/murmur2.h"
#include "pipeline/query/query.h"

uint32_t
weir_read_partition_of(struct weir_slice key, uint32_t partitions)
{
	return weir_murmur2_partition(key, partitions);
}

uint64_t
weir_volume_bytes(const struct weir_volume *volume)
{
	uint64_t sum;
	return __builtin_add_overflow(volume->up, volume->down, &sum) ? UINT64_MAX : sum;
}

static const char *const SPANS[] = {"hour", "day", "cycle"};

bool
weir_span_parse(const char *text, enum weir_span *span_out)
{
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, SPANS[i]) == 0) {
			*span_out = (enum weir_span)i;
			return true;
		}
	}
	return false;
}

const char *
weir_span_name(enum weir_span span)
{
	return SPANS[span];
}
