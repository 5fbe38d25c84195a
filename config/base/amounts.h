/*
 * Amounts of bytes for people: "1.46 GiB" in a table, "5MiB" on a command line.
 *
 * Units are powers of 1024 and say so. MB and GB are refused as input: carriers count 1,000,000 or 1,048,576 bytes by them.
 */
#ifndef WEIR_BASE_AMOUNTS_H
#define WEIR_BASE_AMOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"

#define WEIR_AMOUNT_TEXT_MAX 32

/* Three digits at least: "750 B", "1.46 GiB"; "none" for 2^64-1. Returns out. */
const char *weir_amount_text(uint64_t bytes, char out[WEIR_AMOUNT_TEXT_MAX]);
/* With a sign. */
const char *weir_amount_signed_text(int64_t bytes, char out[WEIR_AMOUNT_TEXT_MAX]);
/* "1,572,864,000". */
const char *weir_count_text(uint64_t number, char out[WEIR_AMOUNT_TEXT_MAX]);
/* "1572864000", "1500MiB", "1.5GiB". False with err otherwise. */
bool weir_amount_parse(const char *text, uint64_t *bytes_out, struct weir_error *err);

#endif
