/* JSON as it is written; see json_out.h. */
#include "config/base/json_out.h"

#include <inttypes.h>

#include "config/base/timetext.h"
#include "config/base/utf8.h"

/* ---- strings ---- */

/* Printable ASCII without quote and backslash: most of all text. */
static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

size_t
weir_json_escape(const uint8_t *at, const uint8_t *end, char out[WEIR_JSON_ESCAPE_MAX], size_t *taken)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = weir_utf8_len(at, end);
	uint8_t c = *at;
	*taken = len == 0 ? 1 : len;
	if (len == 0) {
		memcpy(out, "\xef\xbf\xbd", 3); /* U+FFFD */
		return 3;
	}
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c < 0x20 || c == 0x7f) {
		memcpy(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
		return 6;
	}
	memcpy(out, at, len);
	return len;
}

void
weir_json_escape_text(const char *text, char *out, size_t size)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
	size_t len = 0, taken;
	for (; at < end; at += taken) {
		char escaped[WEIR_JSON_ESCAPE_MAX];
		size_t more = weir_json_escape(at, end, escaped, &taken);
		if (len + more >= size)
			break;
		memcpy(out + len, escaped, more);
		len += more;
	}
	out[len] = '\0';
}

void
weir_json_string(struct weir_buf *out, struct weir_slice text)
{
	const uint8_t *at = text.data, *end = at + text.len;
	weir_buf_append(out, "\"", 1);
	while (at < end) {
		const uint8_t *plain = at;
		while (at < end && is_plain(*at))
			at++;
		weir_buf_append(out, plain, (size_t)(at - plain));
		if (at == end)
			break;
		char escaped[WEIR_JSON_ESCAPE_MAX];
		size_t taken;
		weir_buf_append(out, escaped, weir_json_escape(at, end, escaped, &taken));
		at += taken;
	}
	weir_buf_append(out, "\"", 1);
}

/* ---- objects and arrays ---- */

static void
begin(struct weir_json *json, const char *name)
{
	if (json->comma)
		weir_buf_append(json->out, ",", 1);
	json->comma = true;
	if (name == NULL)
		return;
	weir_json_string(json->out, weir_slice_of(name));
	weir_buf_append(json->out, ":", 1);
}

void
weir_json_open(struct weir_json *json, const char *name, char bracket)
{
	begin(json, name);
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
	begin(json, name);
	weir_json_string(json->out, weir_slice_of(text));
}

void
weir_json_null(struct weir_json *json, const char *name)
{
	begin(json, name);
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
	begin(json, name);
	weir_buf_printf(json->out, "%" PRIu64, number);
}

void
weir_json_i64(struct weir_json *json, const char *name, int64_t number)
{
	begin(json, name);
	weir_buf_printf(json->out, "%" PRId64, number);
}

void
weir_json_bool(struct weir_json *json, const char *name, bool value)
{
	begin(json, name);
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
