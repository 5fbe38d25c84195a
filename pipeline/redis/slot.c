/* Hash slots as Redis Cluster's specification defines them; see slot.h. */
#include "pipeline/redis/slot.h"

#include <stdio.h>

#define PREFIX_MAX 256

/* CRC-16/XMODEM, four bits at a time. */
static uint16_t
crc16(const uint8_t *bytes, size_t len)
{
	static const uint16_t BY_NIBBLE[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108,
	    0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
	uint16_t crc = 0;
	for (size_t i = 0; i < len; i++) {
		crc = (uint16_t)(crc << 4) ^ BY_NIBBLE[(crc >> 12) ^ (bytes[i] >> 4)];
		crc = (uint16_t)(crc << 4) ^ BY_NIBBLE[(crc >> 12) ^ (bytes[i] & 15)];
	}
	return crc;
}

uint16_t
weir_slot_of_key(struct weir_slice key)
{
	const uint8_t *open = memchr(key.data, '{', key.len);
	if (open != NULL) {
		const uint8_t *tag = open + 1, *end = key.data + key.len;
		const uint8_t *close = memchr(tag, '}', (size_t)(end - tag));
		if (close != NULL && close > tag)
			return crc16(tag, (size_t)(close - tag)) % WEIR_SLOTS;
	}
	return crc16(key.data, key.len) % WEIR_SLOTS;
}

uint16_t
weir_slot_of_partition(const char *prefix, uint32_t partition)
{
	char key[PREFIX_MAX + 16];
	int len = snprintf(key, sizeof(key), "%s:{%u}:", prefix, partition);
	WEIR_CHECK(len > 0 && (size_t)len < sizeof(key));
	return weir_slot_of_key((struct weir_slice){(const uint8_t *)key, (size_t)len});
}
