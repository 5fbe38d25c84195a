/*
 * Decimal numbers as text, exactly: feeds give volumes as "0.172848" megabytes, and a counter must not drift.
 *
 * No floating point: 0.1 has none, and strtod's nearest double times a unit rounds twice.
 */
#ifndef WEIR_BASE_DECIMAL_H
#define WEIR_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A JSON number's text (integer, fraction, exponent) times unit_bytes (1..2^60) -> bytes, rounded half up. False when it is
 * no JSON number, has a minus sign (also -0), or the result does not fit 64 bits. Time: linear in len. Any thread.
 */
bool weir_decimal_to_bytes(const uint8_t *text, size_t len, uint64_t unit_bytes, uint64_t *bytes_out);

/* Digits only, no leading zero unless "0", up to 2^64-1; false otherwise. Any thread. */
bool weir_decimal_parse_u64(const uint8_t *text, size_t len, uint64_t *number_out);

/* Writes the decimal text of number (1..20 characters, not terminated), returns its length. Any thread. */
size_t weir_decimal_format_u64(uint64_t number, char out[20]);

#endif
