/* Memory of one answer: given out in pieces, taken back as a whole by the next question; see query_priv.h. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define ARENA_BLOCK 65536u

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;
	WEIR_CHECK(!__builtin_mul_overflow(count, size, &bytes) && bytes < SIZE_MAX / 2);
	bytes = (bytes + 15) & ~(size_t)15;
	struct arena_block *block = arena->first;
	if (block == NULL || block->cap - block->used < bytes) {
		size_t cap = bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK;
		block = weir_calloc(1, sizeof(*block) + 16 + cap);
		block->cap = cap;
		block->next = arena->first;
		arena->first = block;
	}
	uint8_t *start = (uint8_t *)(((uintptr_t)(block + 1) + 15) & ~(uintptr_t)15);
	void *piece = start + block->used;
	block->used += bytes;
	memset(piece, 0, bytes);
	return piece;
}

const char *
arena_text(struct arena *arena, const void *text, size_t len)
{
	if (len == 0)
		return "";
	char *copy = arena_take(arena, len + 1, 1);
	memcpy(copy, text, len);
	return copy;
}

/* One ordinary block is kept, so that small answers allocate nothing. */
void
arena_reset(struct arena *arena)
{
	struct arena_block *kept = NULL;
	while (arena->first != NULL) {
		struct arena_block *block = arena->first;
		arena->first = block->next;
		if (kept == NULL && block->cap == ARENA_BLOCK) {
			kept = block;
			continue;
		}
		free(block);
	}
	if (kept != NULL) {
		kept->next = NULL;
		kept->used = 0;
	}
	arena->first = kept;
}

void
arena_free(struct arena *arena)
{
	while (arena->first != NULL) {
		struct arena_block *block = arena->first;
		arena->first = block->next;
		free(block);
	}
}
