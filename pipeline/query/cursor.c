/*
 * Cursors: a place in a list as text, bound to the query that the list answers. The text is base64url of 36 bytes: the
 * place, then 32 bits of a hash over query and place. That is no secret and no protection; it finds a cursor of another
 * query, or a broken one, from ours.
 */
#include <string.h>

#include "pipeline/query/query_priv.h"

#include <xxhash.h>

struct packed {
	uint64_t place[3];
	uint32_t partition, mark, check;
	uint32_t pad; /* not in the text */
};
#define PACKED_BYTES 36u
_Static_assert(offsetof(struct packed, pad) == PACKED_BYTES, "as packed");
#define CURSOR_MARK 0x31637277u            /* "wrc1" */
#define CURSOR_TEXT (PACKED_BYTES / 3 * 4) /* six bits a character */
_Static_assert(CURSOR_TEXT < WEIR_CURSOR_MAX, "fits");

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static uint32_t
check_of(const struct packed *packed, uint64_t query)
{
	return (uint32_t)XXH3_64bits_withSeed(packed, offsetof(struct packed, check), query);
}

void
cursor_write(const struct cursor *cursor, uint64_t query, char out[WEIR_CURSOR_MAX])
{
	struct packed packed = {{cursor->a, cursor->b, cursor->c}, cursor->partition, CURSOR_MARK, 0, 0};
	uint8_t bytes[PACKED_BYTES];
	packed.check = check_of(&packed, query);
	memcpy(bytes, &packed, sizeof(bytes));
	char *at = out;
	for (size_t i = 0; i < sizeof(bytes); i += 3) {
		uint32_t three = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
		for (int shift = 18; shift >= 0; shift -= 6)
			*at++ = DIGITS[three >> shift & 63];
	}
	*at = '\0';
}

static bool
unpack(const char *text, struct packed *packed)
{
	uint8_t bytes[PACKED_BYTES];
	*packed = (struct packed){0};
	if (strlen(text) != CURSOR_TEXT)
		return false;
	for (size_t i = 0; i < CURSOR_TEXT / 4; i++) {
		uint32_t three = 0;
		for (size_t k = 0; k < 4; k++) {
			const char *digit = strchr(DIGITS, text[i * 4 + k]);
			if (digit == NULL)
				return false;
			three = three << 6 | (uint32_t)(digit - DIGITS);
		}
		bytes[i * 3] = (uint8_t)(three >> 16);
		bytes[i * 3 + 1] = (uint8_t)(three >> 8);
		bytes[i * 3 + 2] = (uint8_t)three;
	}
	memcpy(packed, bytes, sizeof(bytes));
	return packed->mark == CURSOR_MARK;
}

enum weir_read
cursor_read(const char *text, uint64_t query, struct cursor *cursor_out, struct weir_error *err)
{
	struct packed packed;
	*cursor_out = (struct cursor){0};
	if (text == NULL || text[0] == '\0')
		return WEIR_READ_OK;
	if (!unpack(text, &packed))
		return read_fail(err, WEIR_READ_REFUSED, "cursor: this is no cursor");
	if (packed.check != check_of(&packed, query))
		return read_fail(err, WEIR_READ_REFUSED, "cursor: it belongs to another query");
	*cursor_out = (struct cursor){packed.partition, packed.place[0], packed.place[1], packed.place[2]};
	return WEIR_READ_OK;
}

uint64_t
cursor_query(struct weir_slice bytes)
{
	return XXH3_64bits(bytes.data, bytes.len);
}
