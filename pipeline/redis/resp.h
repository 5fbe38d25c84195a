/*
 * RESP writing: Redis commands as bytes in a buffer. A flush is built by the lane straight into one buffer, so that the
 * store thread has only to send it. Pure; any thread that owns the buffer.
 */
#ifndef WEIR_PIPELINE_RESP_H
#define WEIR_PIPELINE_RESP_H

#include <stdint.h>

#include "config/base/slice.h"

/* Starts a command of `argc` arguments (the name included). */
void weir_resp_command(struct weir_buf *buf, uint32_t argc);
void weir_resp_bulk(struct weir_buf *buf, const void *data, size_t len);
void weir_resp_text(struct weir_buf *buf, const char *text);
void weir_resp_i64(struct weir_buf *buf, int64_t number);
/* A bulk of `len` bytes to be filled by the caller at the returned address (valid until the next append). */
uint8_t *weir_resp_reserve(struct weir_buf *buf, size_t len);
/* The key `<prefix>:{<partition>}:<formatted name>` as one bulk. */
void weir_resp_key(struct weir_buf *buf, const char *prefix, uint32_t partition, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
