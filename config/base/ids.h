/*
 * Ids of carriers, plans, pools and alert ladders: 1 to 63 printable ASCII characters without space, braces and quotes.
 *
 * So an id stands in a Redis key (braces would choose a slot), in a log line and between quotes without being changed; in
 * JSON only a backslash of it is escaped.
 */
#ifndef WEIR_BASE_IDS_H
#define WEIR_BASE_IDS_H

#include <stdbool.h>

#define WEIR_ID_MAX 64 /* bytes of an id, with terminator */

bool weir_id_is_valid(const char *id);
/* An id as records and slots have it: padded with zeros, nothing else behind its end. Reads WEIR_ID_MAX bytes. */
bool weir_id_field_is_valid(const char id[WEIR_ID_MAX]);

#endif
