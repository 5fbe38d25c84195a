/*
 * The thin C face of simdjson: its first stage, which validates UTF-8 and strings' bounds and finds the place of every
 * structural character and scalar, 64 bytes at a time. Internal to consumers/decode.
 */
#ifndef WEIR_CONSUMERS_JSON_FULL_H
#define WEIR_CONSUMERS_JSON_FULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_json_index;

/* NULL when memory ends. Belongs to one thread. */
struct weir_json_index *weir_json_index_new(void);
void weir_json_index_free(struct weir_json_index *index);

/*
 * Finds the places in data[0..len), len < 2^32 - 64; reads nothing beyond. False when it is not UTF-8, a string does
 * not end, a string holds a control character, nothing but white space is there, or memory ends. The places belong to
 * `index` until the next call. Grows with the largest text seen, 4 bytes a byte.
 */
bool weir_json_index_run(
    struct weir_json_index *index, const uint8_t *data, size_t len, const uint32_t **places_out, uint32_t *count_out);

#ifdef __cplusplus
}
#endif
#endif
