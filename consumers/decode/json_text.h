/*
 * JSON scalars by the letter of RFC 8259: numbers' grammar and strings' escapes. Internal to consumers/decode.
 */
#ifndef WEIR_CONSUMERS_JSON_TEXT_H
#define WEIR_CONSUMERS_JSON_TEXT_H

#include "consumers/decode/scalar.h"

static inline bool
weir_json_is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/*
 * Reads the number or literal (true, false, null) at text[0..len), which must end there or before white space or one of
 * ,]}: . Fills value and returns its length, 0 when there is none.
 */
uint32_t weir_json_scalar(const uint8_t *text, uint32_t len, struct weir_scalar *value);

/*
 * Resolves the escapes of a string's contents into out (room for len bytes), NULL = only checks. False when one is not an
 * escape or a half of a surrogate pair stands alone. *len_out: bytes written.
 */
bool weir_json_unescape(const uint8_t *text, uint32_t len, uint8_t *out, uint32_t *len_out);

#endif
