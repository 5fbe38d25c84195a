/*
 * CRC-32C (Castagnoli) of record batches: by the processor's instruction where there is one, else by a table. Pure.
 */
#ifndef WEIR_CONSUMERS_CRC32C_H
#define WEIR_CONSUMERS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t weir_crc32c(const uint8_t *data, size_t len);
/* The table's way, a byte at a time: what machines without the instruction take, and what the tests hold against it. */
uint32_t weir_crc32c_table(const uint8_t *data, size_t len);

#endif
