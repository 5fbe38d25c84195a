/*
 * Kafka's wire types over bytes: a reader that never leaves its bytes and a writer into a buffer.
 *
 * The reader is sticky: once something runs past the end or a length lies, `bad` is set, everything read from then on is
 * zero and empty, and the caller looks at `bad` once, where it would act on what it read. Pure; no I/O.
 */
#ifndef WEIR_CONSUMERS_WIRE_H
#define WEIR_CONSUMERS_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config/base/slice.h"

struct wire_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline size_t
wire_left(const struct wire_reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline void
wire_fail(struct wire_reader *r)
{
	r->bad = true;
	r->at = r->end;
}

/* The next len bytes, or NULL when there are fewer. */
static inline const uint8_t *
wire_take(struct wire_reader *r, size_t len)
{
	if (len > wire_left(r)) {
		wire_fail(r);
		return NULL;
	}
	const uint8_t *at = r->at;
	r->at += len;
	return at;
}

static inline uint16_t
wire_load16(const uint8_t *at)
{
	uint16_t raw;
	memcpy(&raw, at, sizeof(raw));
	return __builtin_bswap16(raw);
}

static inline uint32_t
wire_load32(const uint8_t *at)
{
	uint32_t raw;
	memcpy(&raw, at, sizeof(raw));
	return __builtin_bswap32(raw);
}

static inline uint64_t
wire_load64(const uint8_t *at)
{
	uint64_t raw;
	memcpy(&raw, at, sizeof(raw));
	return __builtin_bswap64(raw);
}

static inline int8_t
wire_i8(struct wire_reader *r)
{
	const uint8_t *at = wire_take(r, 1);
	return at == NULL ? 0 : (int8_t)*at;
}

static inline int16_t
wire_i16(struct wire_reader *r)
{
	const uint8_t *at = wire_take(r, 2);
	return at == NULL ? 0 : (int16_t)wire_load16(at);
}

static inline int32_t
wire_i32(struct wire_reader *r)
{
	const uint8_t *at = wire_take(r, 4);
	return at == NULL ? 0 : (int32_t)wire_load32(at);
}

static inline int64_t
wire_i64(struct wire_reader *r)
{
	const uint8_t *at = wire_take(r, 8);
	return at == NULL ? 0 : (int64_t)wire_load64(at);
}

/* Unsigned varint of at most 32 bits; one that runs on is bad. */
static inline uint32_t
wire_uvarint(struct wire_reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 35 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			if (value > UINT32_MAX)
				break;
			return (uint32_t)value;
		}
	}
	wire_fail(r);
	return 0;
}

/* A length that may be null (-1, or 0 in the compact form); null gives an empty slice whose data is NULL. */
static inline struct wire_slice_len {
	bool null;
	uint32_t len;
} wire_len(struct wire_reader *r, bool compact, bool wide)
{
	int64_t len = compact ? (int64_t)wire_uvarint(r) - 1 : wide ? wire_i32(r) : wire_i16(r);
	if (r->bad || len < -1 || len > (int64_t)wire_left(r)) {
		wire_fail(r);
		len = -1;
	}
	return (struct wire_slice_len){len < 0, len < 0 ? 0 : (uint32_t)len};
}

static inline struct weir_slice
wire_bytes_of(struct wire_reader *r, bool compact, bool wide)
{
	struct wire_slice_len n = wire_len(r, compact, wide);
	if (n.null)
		return (struct weir_slice){NULL, 0};
	return (struct weir_slice){wire_take(r, n.len), n.len};
}

static inline struct weir_slice
wire_string(struct wire_reader *r, bool compact)
{
	return wire_bytes_of(r, compact, false);
}

static inline struct weir_slice
wire_bytes(struct wire_reader *r, bool compact)
{
	return wire_bytes_of(r, compact, true);
}

/* Elements of an array, each at least `least` bytes: a count that cannot be true is bad. Null counts as none. */
static inline uint32_t
wire_count(struct wire_reader *r, bool compact, size_t least)
{
	int64_t count = compact ? (int64_t)wire_uvarint(r) - 1 : wire_i32(r);
	if (r->bad || count < -1 || (count > 0 && (uint64_t)count * least > wire_left(r))) {
		wire_fail(r);
		return 0;
	}
	return count < 0 ? 0 : (uint32_t)count;
}

/* Skips tagged fields; nothing in versions without them. */
static inline void
wire_tags(struct wire_reader *r, bool flexible)
{
	if (!flexible)
		return;
	uint32_t count = wire_uvarint(r);
	for (uint32_t i = 0; i < count && !r->bad; i++) {
		(void)wire_uvarint(r);
		(void)wire_take(r, wire_uvarint(r));
	}
}

/* ---- writing ---- */

static inline void
wire_put8(struct weir_buf *b, uint8_t v)
{
	weir_buf_append(b, &v, 1);
}

static inline void
wire_put16(struct weir_buf *b, uint16_t v)
{
	v = __builtin_bswap16(v);
	weir_buf_append(b, &v, sizeof(v));
}

static inline void
wire_put32(struct weir_buf *b, uint32_t v)
{
	v = __builtin_bswap32(v);
	weir_buf_append(b, &v, sizeof(v));
}

static inline void
wire_put64(struct weir_buf *b, uint64_t v)
{
	v = __builtin_bswap64(v);
	weir_buf_append(b, &v, sizeof(v));
}

static inline void
wire_put_uvarint(struct weir_buf *b, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		wire_put8(b, (uint8_t)(v | 0x80));
	wire_put8(b, (uint8_t)v);
}

static inline void
wire_put_string(struct weir_buf *b, bool compact, struct weir_slice text)
{
	if (compact)
		wire_put_uvarint(b, (uint32_t)text.len + 1);
	else
		wire_put16(b, (uint16_t)text.len);
	weir_buf_append(b, text.data, text.len);
}

static inline void
wire_put_count(struct weir_buf *b, bool compact, uint32_t count)
{
	if (compact)
		wire_put_uvarint(b, count + 1);
	else
		wire_put32(b, count);
}

static inline void
wire_put_tags(struct weir_buf *b, bool flexible)
{
	if (flexible)
		wire_put8(b, 0);
}

#endif
