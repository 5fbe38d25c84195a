/* A small JSON writer; see print.h. */
#include <inttypes.h>
#include <string.h>

#include "config/base/timetext.h"
#include "pipeline/query/print.h"

/* Length of the UTF-8 sequence at `at`, 0 when it is none. */
static size_t
utf8_len(const uint8_t *at, const uint8_t *end)
{
	size_t len = *at < 0x80                  ? 1
		     : *at >= 0xc2 && *at < 0xe0 ? 2
		     : (*at & 0xf0) == 0xe0      ? 3
		     : *at >= 0xf0 && *at < 0xf5 ? 4
						 : 0;
	if (len == 0 || (size_t)(end - at) < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
	    (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

static void
put_string(struct weir_buf *out, const char *text)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
	weir_buf_append(out, "\"", 1);
	while (at < end) {
		size_t len = utf8_len(at, end);
		if (len == 0)
			weir_buf_append(out, "\xef\xbf\xbd", 3); /* U+FFFD */
		else if (*at == '"' || *at == '\\')
			weir_buf_printf(out, "\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			weir_buf_printf(out, "\\u%04x", *at);
		else
			weir_buf_append(out, at, len);
		at += len == 0 ? 1 : len;
	}
	weir_buf_append(out, "\"", 1);
}

static void
begin_member(struct weir_json *json, const char *name)
{
	if (json->comma)
		weir_buf_append(json->out, ",", 1);
	json->comma = true;
	if (name == NULL)
		return;
	put_string(json->out, name);
	weir_buf_append(json->out, ":", 1);
}

void
weir_json_open(struct weir_json *json, const char *name, char bracket)
{
	begin_member(json, name);
	weir_buf_append(json->out, &bracket, 1);
	json->comma = false;
}

void
weir_json_close(struct weir_json *json, char bracket)
{
	weir_buf_append(json->out, &bracket, 1);
	json->comma = true;
}

void
weir_json_text(struct weir_json *json, const char *name, const char *text)
{
	begin_member(json, name);
	put_string(json->out, text);
}

void
weir_json_null(struct weir_json *json, const char *name)
{
	begin_member(json, name);
	weir_buf_append(json->out, "null", 4);
}

void
weir_json_text_or_null(struct weir_json *json, const char *name, const char *text)
{
	if (text[0] == '\0')
		weir_json_null(json, name);
	else
		weir_json_text(json, name, text);
}

void
weir_json_u64(struct weir_json *json, const char *name, uint64_t number)
{
	begin_member(json, name);
	weir_buf_printf(json->out, "%" PRIu64, number);
}

void
weir_json_i64(struct weir_json *json, const char *name, int64_t number)
{
	begin_member(json, name);
	weir_buf_printf(json->out, "%" PRId64, number);
}

void
weir_json_limit(struct weir_json *json, const char *name, uint64_t bytes)
{
	if (bytes == WEIR_NO_LIMIT)
		weir_json_null(json, name);
	else
		weir_json_u64(json, name, bytes);
}

void
weir_json_bool(struct weir_json *json, const char *name, bool value)
{
	begin_member(json, name);
	weir_buf_printf(json->out, "%s", value ? "true" : "false");
}

void
weir_json_time(struct weir_json *json, const char *name, int64_t us)
{
	char text[WEIR_TIME_TEXT_MAX];
	if (us <= 0 || us >= WEIR_TIME_LIMIT_US) {
		weir_json_null(json, name);
		return;
	}
	(void)weir_time_format_ms(us, text);
	weir_json_text(json, name, text);
}

void
weir_json_reasons(struct weir_json *json, const char *name, uint16_t reasons)
{
	weir_json_open(json, name, '[');
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			weir_json_text(json, NULL, weir_reason_name(i));
	weir_json_close(json, ']');
}

void
weir_json_reason(struct weir_json *json, const char *name, uint8_t reason)
{
	if (reason >= WEIR_REASON_COUNT)
		weir_json_null(json, name);
	else
		weir_json_text(json, name, weir_reason_name(reason));
}

void
weir_json_cycle(struct weir_json *json, const char *name, int32_t cycle)
{
	char text[16];
	if (cycle <= 0) {
		weir_json_null(json, name);
		return;
	}
	weir_cycle_format(cycle, text);
	weir_json_text(json, name, text);
}

void
weir_json_day(struct weir_json *json, const char *name, int32_t day)
{
	char text[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms((int64_t)day * INT64_C(86400000000), text);
	text[10] = '\0';
	weir_json_text(json, name, text);
}
