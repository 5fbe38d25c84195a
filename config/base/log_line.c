/*
 * A log line in logfmt or JSON.
 *
 * Messages are written once, for both: `weir_log(level, "taken", "partition=%u epoch=%llu all is here", …)`. Words at a
 * message's start of the form name=value become fields, so that programs find a record's topic, partition and offset by
 * name; what follows is for reading. Whatever a message holds, the result is one line that a parser accepts: control
 * characters are escaped, and in JSON bytes that are no UTF-8 become U+FFFD. Rejected: fields as arguments of weir_log,
 * which would make each call a list of pairs without format checking.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config/base/json_out.h"
#include "config/base/log_priv.h"

#define FIELD_NAME_MAX 32
#define FIELDS_MAX (WEIR_LOG_LINE_MAX / 2)
#define TAIL_MAX 48 /* room kept for what ends a line: quote, suppressed, brace, newline */

static const char HEX[] = "0123456789abcdef";
static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};

/* ---- characters ---- */

static void
put_bytes(struct weir_log_line *line, const char *bytes, size_t len)
{
	if (line->len + len <= sizeof(line->text) - TAIL_MAX) {
		memcpy(line->text + line->len, bytes, len);
		line->len += len;
	}
}

static void
put_text(struct weir_log_line *line, const char *text)
{
	put_bytes(line, text, strlen(text));
}

/* What ends the line: has the room that put_bytes leaves. */
static void
put_end(struct weir_log_line *line, const char *text)
{
	size_t len = strlen(text);
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

/* Quotes, backslashes and control characters, one at a time and never half. */
static void
put_logfmt(struct weir_log_line *line, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		char escaped[5] = {'\\', (char)c, 0, 0, 0};
		if (c == '"' || c == '\\') {
			put_bytes(line, escaped, 2);
		} else if (c == '\n') {
			put_bytes(line, "\\n", 2);
		} else if (c < 0x20 || c == 0x7f) {
			escaped[1] = 'x';
			escaped[2] = HEX[c >> 4];
			escaped[3] = HEX[c & 15];
			put_bytes(line, escaped, 4);
		} else {
			put_bytes(line, &text[i], 1);
		}
	}
}

static void
put_json(struct weir_log_line *line, const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + len;
	for (size_t taken; at < end; at += taken) {
		char escaped[WEIR_JSON_ESCAPE_MAX];
		put_bytes(line, escaped, weir_json_escape(at, end, escaped, &taken));
	}
}

/* ---- fields ---- */

struct field {
	const char *name, *value;
	size_t name_len, value_len;
};

static bool
is_reserved(const struct field *field)
{
	static const char *const names[] = {"ts", "level", "event", "msg", "suppressed"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == field->name_len && memcmp(names[i], field->name, field->name_len) == 0)
			return true;
	return false;
}

/* The field at the message's start, and *rest_out behind it. A word with a quote in it is none. */
static bool
field_next(const char *message, struct field *field, const char **rest_out)
{
	size_t name_len = strspn(message, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (name_len == 0 || name_len > FIELD_NAME_MAX || message[name_len] != '=' ||
	    (message[0] >= '0' && message[0] <= '9'))
		return false;
	*field = (struct field){.name = message, .name_len = name_len, .value = message + name_len + 1};
	field->value_len = strcspn(field->value, " \t\r\n\"\\");
	const char *end = field->value + field->value_len;
	if (field->value_len == 0 || (*end != ' ' && *end != '\0') || is_reserved(field))
		return false;
	*rest_out = *end == ' ' ? end + 1 : end;
	return true;
}

/* A number as JSON has it, and short enough for every reader to keep exact: an ICCID stays text. */
static bool
is_number(const struct field *field)
{
	size_t sign = field->value[0] == '-', digits = field->value_len - sign;
	if (digits == 0 || digits > 15 || (digits > 1 && field->value[sign] == '0'))
		return false;
	return strspn(field->value + sign, "0123456789") >= digits;
}

static void
put_field(struct weir_log_line *line, enum weir_log_format format, const struct field *field)
{
	if (format == WEIR_LOG_LOGFMT) {
		put_text(line, " ");
		put_bytes(line, field->name, field->name_len);
		put_text(line, "=");
		put_logfmt(line, field->value, field->value_len);
		return;
	}
	bool bare = is_number(field);
	put_text(line, ",\"");
	put_bytes(line, field->name, field->name_len);
	put_text(line, bare ? "\":" : "\":\"");
	put_json(line, field->value, field->value_len);
	put_text(line, bare ? "" : "\"");
}

/* ---- lines ---- */

static void
put_head(
    struct weir_log_line *line, enum weir_log_format format, int64_t at_us, enum weir_log_level level, const char *event)
{
	time_t at_s = (time_t)(at_us / 1000000);
	struct tm utc;
	char time_text[32], head[160];
	(void)gmtime_r(&at_s, &utc);
	(void)strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &utc);
	int ms = (int)(at_us / 1000 % 1000);
	if (format == WEIR_LOG_JSON)
		(void)snprintf(head, sizeof(head), "{\"ts\":\"%s.%03dZ\",\"level\":\"%s\",\"event\":\"%.64s\"", time_text,
		    ms, LEVEL_NAMES[level], event);
	else
		(void)snprintf(
		    head, sizeof(head), "ts=%s.%03dZ level=%s event=%.64s", time_text, ms, LEVEL_NAMES[level], event);
	put_text(line, head);
}

void
weir_log_line_write(struct weir_log_line *line, enum weir_log_format format, int64_t at_us, enum weir_log_level level,
    const char *event, const char *message, uint64_t suppressed)
{
	bool json = format == WEIR_LOG_JSON;
	struct field field;
	char tail[TAIL_MAX];
	line->len = 0;
	put_head(line, format, at_us, level, event);
	/* A field is put whole or not at all; what no longer fits goes with the message, which is cut. */
	for (const char *rest; field_next(message, &field, &rest) && line->len + 6 * field.value_len < FIELDS_MAX;
	     message = rest)
		put_field(line, format, &field);
	if (message[0] != '\0') {
		put_text(line, json ? ",\"msg\":\"" : " msg=\"");
		(json ? put_json : put_logfmt)(line, message, strlen(message));
		put_end(line, "\"");
	}
	if (suppressed > 0) {
		(void)snprintf(tail, sizeof(tail), json ? ",\"suppressed\":%" PRIu64 : " suppressed=%" PRIu64, suppressed);
		put_end(line, tail);
	}
	put_end(line, json ? "}\n" : "\n");
}
