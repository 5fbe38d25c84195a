/* The nearest known word, for messages about unknown keys, members and subcommands. */
#ifndef WEIR_BASE_NEAREST_H
#define WEIR_BASE_NEAREST_H

#include <stdint.h>

/* The candidate nearest to `word` by edit distance, NULL if none is near. Any thread. */
const char *weir_nearest(const char *word, const char *const *candidates, uint32_t count);

#endif
