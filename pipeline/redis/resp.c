/*
 * RESP writing; see resp.h. On the flush path: a lane calls this a few times per dirty page and stops reading records
 * meanwhile, so that integers are written two digits at a time from a table and nothing but the rare key name goes
 * through printf. Any thread that owns the buffer.
 */
#include "pipeline/redis/resp.h"

#include <stdarg.h>
#include <stdio.h>

#define DIGITS_MAX 20                        /* of a u64 */
#define LENGTH_LINE_MAX (1 + DIGITS_MAX + 2) /* sigil, digits, CR LF */
#define KEY_MAX 512                          /* prefix, tag and name; longer ones are a programmer's mistake */

static const char PAIRS[201] = "0001020304050607080910111213141516171819"
			       "2021222324252627282930313233343536373839"
			       "4041424344454647484950515253545556575859"
			       "6061626364656667686970717273747576777879"
			       "8081828384858687888990919293949596979899";

static const uint64_t POW10[DIGITS_MAX] = {UINT64_C(0), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000),
    UINT64_C(100000), UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000),
    UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000), UINT64_C(10000000000000),
    UINT64_C(100000000000000), UINT64_C(1000000000000000), UINT64_C(10000000000000000), UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000), UINT64_C(10000000000000000000)};

/* How many decimal digits a number has: 1233 / 4096 is the logarithm of 2, one too few is put right by the table. */
static uint32_t
digits_of(uint64_t number)
{
	uint32_t digits = (64 - (uint32_t)__builtin_clzll(number | 1)) * 1233 >> 12;
	return digits + (number >= POW10[digits]);
}

/* Writes decimal digits so that they end before `end`; returns where they start. */
static uint8_t *
digits_before(uint8_t *end, uint64_t number)
{
	uint8_t *at = end;
	while (number >= 100) {
		at -= 2;
		memcpy(at, PAIRS + number % 100 * 2, 2);
		number /= 100;
	}
	if (number >= 10) {
		at -= 2;
		memcpy(at, PAIRS + number * 2, 2);
	} else {
		*--at = (uint8_t)('0' + number);
	}
	return at;
}

/* "<sigil><number>\r\n"; the caller has reserved LENGTH_LINE_MAX. */
static void
append_line(struct weir_buf *buf, char sigil, uint64_t number)
{
	uint8_t *at = buf->data + buf->len, *end = at + 1 + digits_of(number);
	*at = (uint8_t)sigil;
	(void)digits_before(end, number);
	end[0] = '\r';
	end[1] = '\n';
	buf->len += (size_t)(end + 2 - at);
}

void
weir_resp_command(struct weir_buf *buf, uint32_t argc)
{
	weir_buf_reserve(buf, LENGTH_LINE_MAX);
	append_line(buf, '*', argc);
}

uint8_t *
weir_resp_reserve(struct weir_buf *buf, size_t len)
{
	weir_buf_reserve(buf, LENGTH_LINE_MAX + len + 2);
	append_line(buf, '$', len);
	uint8_t *at = buf->data + buf->len;
	at[len] = '\r';
	at[len + 1] = '\n';
	buf->len += len + 2;
	return at;
}

void
weir_resp_bulk(struct weir_buf *buf, const void *data, size_t len)
{
	uint8_t *at = weir_resp_reserve(buf, len);
	if (len > 0)
		memcpy(at, data, len);
}

void
weir_resp_text(struct weir_buf *buf, const char *text)
{
	weir_resp_bulk(buf, text, strlen(text));
}

void
weir_resp_i64(struct weir_buf *buf, int64_t number)
{
	/* Negating as unsigned: INT64_MIN has no positive counterpart. */
	uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	size_t len = (number < 0) + digits_of(magnitude);
	uint8_t *at = weir_resp_reserve(buf, len);
	*at = '-';
	(void)digits_before(at + len, magnitude);
}

void
weir_resp_key(struct weir_buf *buf, const char *prefix, uint32_t partition, const char *fmt, ...)
{
	char name[KEY_MAX];
	va_list args;
	va_start(args, fmt);
	int name_len = vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	WEIR_CHECK(name_len >= 0 && (size_t)name_len < sizeof(name));
	size_t prefix_len = strlen(prefix), digits = digits_of(partition);
	uint8_t *at = weir_resp_reserve(buf, prefix_len + 2 + digits + 2 + (size_t)name_len);
	memcpy(at, prefix, prefix_len);
	at += prefix_len;
	*at++ = ':';
	*at++ = '{';
	at += digits;
	(void)digits_before(at, partition);
	*at++ = '}';
	*at++ = ':';
	memcpy(at, name, (size_t)name_len);
}
