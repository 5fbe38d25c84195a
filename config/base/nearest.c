/*
 * The nearest word by edit distance (insert, delete, replace, swap of neighbours): what a person probably meant. A third of
 * a word's letters may differ; beyond that a suggestion misleads. Words longer than 63 bytes get none.
 */
#include "config/base/nearest.h"

#include <stddef.h>
#include <string.h>

#define WORD_MAX 63

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t
edit_distance(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
	uint32_t rows[3][WORD_MAX + 1];
	for (uint32_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (uint32_t i = 1; i <= a_len; i++) {
		uint32_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = i;
		for (uint32_t j = 1; j <= b_len; j++) {
			uint32_t best = min_u32(above[j], row[j - 1]) + 1;
			best = min_u32(best, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = min_u32(best, above2[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *
weir_nearest(const char *word, const char *const *candidates, uint32_t count)
{
	size_t word_len = strlen(word);
	if (word_len == 0 || word_len > WORD_MAX)
		return NULL;
	const char *best = NULL;
	uint32_t best_distance = (uint32_t)word_len / 3 + 1;
	if (best_distance > 4)
		best_distance = 4;
	best_distance++;
	for (uint32_t i = 0; i < count; i++) {
		size_t len = strlen(candidates[i]);
		if (len > WORD_MAX)
			continue;
		uint32_t distance = edit_distance(word, (uint32_t)word_len, candidates[i], (uint32_t)len);
		if (distance < best_distance && distance < len) {
			best_distance = distance;
			best = candidates[i];
		}
	}
	return best;
}
