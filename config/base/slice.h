/*
 * A slice: bytes owned by somebody else. Never terminated, may hold anything. A buffer: bytes owned here, growing.
 */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config/base/check.h"

struct weir_slice {
	const uint8_t *data;
	size_t len;
};

static inline struct weir_slice
weir_slice_of(const char *text)
{
	return (struct weir_slice){(const uint8_t *)text, strlen(text)};
}

static inline bool
weir_slice_equals(struct weir_slice a, const char *text)
{
	return a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

/* A growing byte buffer. Zero-initialise; free with weir_buf_free. Grows by doubling, keeps its memory on reset. */
struct weir_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

static inline void
weir_buf_reserve(struct weir_buf *buf, size_t extra)
{
	if (buf->len + extra <= buf->cap)
		return;
	size_t cap = buf->cap ? buf->cap : 256;
	while (cap < buf->len + extra)
		cap *= 2;
	buf->data = weir_realloc(buf->data, cap);
	buf->cap = cap;
}

static inline void
weir_buf_append(struct weir_buf *buf, const void *data, size_t len)
{
	weir_buf_reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
}

void weir_buf_printf(struct weir_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void weir_buf_free(struct weir_buf *buf);

#endif
