/* Members of one JSON message as values, or a text that names the member; see parser_priv.h. */
#include <stdarg.h>
#include <stdio.h>

#include "config/base/decimal.h"
#include "config/base/nearest.h"
#include "config/base/timetext.h"
#include "config/reference/parser_priv.h"

#define TIME_MIN_US INT64_C(1000000)
#define TIME_END_US INT64_C(4291747200000000) /* 2106-01-01T00:00:00Z */

void
weir_ref_fail(struct weir_ref_parser *parser, const char *member, const char *rule, const char *fmt, ...)
{
	if (parser->failed)
		return;
	parser->failed = true;
	const struct weir_member *row = weir_reference_member_find(parser->type, member);
	if (rule == NULL)
		rule = row != NULL && row->rule != NULL ? row->rule : "";
	char words[320];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	bool shown = rule[0] != '\0';
	(void)weir_error_set(parser->err, WEIR_POISON, "%s: %s: %s%s%s%s", weir_reference_type_name(parser->type), member,
	    words, shown ? " (" : "", rule, shown ? ")" : "");
}

enum weir_got
weir_ref_member(struct weir_ref_parser *parser, const char *name, enum weir_need need, const json_t **value_out)
{
	const json_t *value = parser->failed ? NULL : json_object_get(parser->root, name);
	*value_out = value;
	if (parser->failed || (value == NULL && (need & WEIR_OPTIONAL) != 0))
		return WEIR_GOT_ABSENT;
	if (json_is_null(value) && (need & WEIR_NULLABLE) != 0)
		return WEIR_GOT_NULL;
	if (value == NULL || json_is_null(value)) {
		weir_ref_fail(parser, name, NULL, "%s", value == NULL ? "missing" : "must not be null");
		return WEIR_GOT_ABSENT;
	}
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_integer(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, int64_t min, int64_t max, uint64_t *out)
{
	const json_t *value;
	enum weir_got got = weir_ref_member(parser, name, need, &value);
	if (got != WEIR_GOT_VALUE)
		return got;
	long long number = json_integer_value(value);
	if (!json_is_integer(value))
		weir_ref_fail(parser, name, NULL, "must be a whole number");
	else if (number < min || number > max)
		weir_ref_fail(parser, name, NULL, "%lld is out of range; must be from %lld to %lld", number, (long long)min,
		    (long long)max);
	else
		*out = (uint64_t)number;
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_u32(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t number = *out;
	enum weir_got got = weir_ref_integer(parser, name, need, min, max, &number);
	*out = (uint32_t)number;
	return got;
}

enum weir_got
weir_ref_u64(struct weir_ref_parser *parser, const char *name, enum weir_need need, uint64_t *out)
{
	const json_t *value;
	enum weir_got got = weir_ref_member(parser, name, need, &value);
	if (got != WEIR_GOT_VALUE)
		return got;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		*out = (uint64_t)json_integer_value(value);
	else if (!json_is_string(value) ||
		 !weir_decimal_parse_u64((const uint8_t *)json_string_value(value), json_string_length(value), out))
		weir_ref_fail(parser, name, NULL, "must be a whole number from 0 to 18446744073709551615");
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_bool(struct weir_ref_parser *parser, const char *name, enum weir_need need, bool when_null, bool *out)
{
	const json_t *value;
	enum weir_got got = weir_ref_member(parser, name, need, &value);
	if (got == WEIR_GOT_NULL)
		*out = when_null;
	if (got != WEIR_GOT_VALUE)
		return got;
	if (!json_is_boolean(value))
		weir_ref_fail(parser, name, NULL, "must be true or false");
	*out = json_is_true(value);
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_text(struct weir_ref_parser *parser, const char *name, enum weir_need need, const char **out)
{
	const json_t *value;
	enum weir_got got = weir_ref_member(parser, name, need, &value);
	*out = "";
	if (got != WEIR_GOT_VALUE)
		return got;
	if (!json_is_string(value))
		weir_ref_fail(parser, name, NULL, "must be a text");
	else
		*out = json_string_value(value);
	return WEIR_GOT_VALUE;
}

bool
weir_ref_id_is_valid(const char *id)
{
	size_t len = strlen(id);
	for (size_t i = 0; i < len; i++)
		if (id[i] <= 0x20 || id[i] >= 0x7f || id[i] == '{' || id[i] == '}' || id[i] == '"' || id[i] == '\'')
			return false;
	return len >= 1 && len < WEIR_ID_MAX;
}

bool
weir_ref_text_is_printable(const char *text, size_t len_max)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return len >= 1 && len <= len_max;
}

enum weir_got
weir_ref_id(struct weir_ref_parser *parser, const char *name, enum weir_need need, char out[WEIR_ID_MAX])
{
	const char *text;
	enum weir_got got = weir_ref_text(parser, name, need, &text);
	out[0] = '\0';
	if (got != WEIR_GOT_VALUE || parser->failed)
		return got;
	if (!weir_ref_id_is_valid(text))
		weir_ref_fail(parser, name, NULL, "must be 1 to 63 printable characters without spaces, braces and quotes");
	else
		memcpy(out, text, strlen(text) + 1);
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_word(struct weir_ref_parser *parser, const char *name, enum weir_need need, const char *const *words,
    uint32_t count, uint32_t *out)
{
	const char *text;
	enum weir_got got = weir_ref_text(parser, name, need, &text);
	if (got != WEIR_GOT_VALUE || parser->failed)
		return got;
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return WEIR_GOT_VALUE;
		}
	const char *near = weir_nearest(text, words, count);
	weir_ref_fail(parser, name, NULL, "'%.32s' is unknown%s%s%s", text, near ? "; did you mean " : "", near ? near : "",
	    near ? "?" : "");
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_iccid(struct weir_ref_parser *parser, const char *name, enum weir_need need, struct weir_iccid *out)
{
	const char *text;
	enum weir_got got = weir_ref_text(parser, name, need, &text);
	if (got == WEIR_GOT_VALUE && !parser->failed && !weir_iccid_parse((const uint8_t *)text, strlen(text), out))
		weir_ref_fail(parser, name, NULL, "must be 19 or 20 letters and digits");
	return got;
}

enum weir_got
weir_ref_time(struct weir_ref_parser *parser, const char *name, enum weir_need need, bool with_ms, int64_t *us_out)
{
	const json_t *value;
	enum weir_got got = weir_ref_member(parser, name, need, &value);
	if (got != WEIR_GOT_VALUE)
		return got;
	int64_t us = -1;
	long long ms = json_integer_value(value);
	const char *or_ms = with_ms ? ", or whole milliseconds since 1970" : "";
	if (with_ms && json_is_integer(value))
		us = ms < 0 || ms > TIME_END_US / 1000 ? -1 : ms * 1000;
	else if (!json_is_string(value) ||
		 !weir_time_parse((const uint8_t *)json_string_value(value), json_string_length(value), &us)) {
		weir_ref_fail(
		    parser, name, NULL, "must be ISO 8601 text with Z or an offset (2026-11-30T16:00:00Z)%s", or_ms);
		return WEIR_GOT_VALUE;
	}
	if (us < TIME_MIN_US || us >= TIME_END_US)
		weir_ref_fail(parser, name, NULL,
		    "out of range; must be 1970-01-01T00:00:01Z to 2105-12-31T23:59:59Z, as seconds are kept in 32 bits");
	else
		*us_out = us;
	return WEIR_GOT_VALUE;
}

enum weir_got
weir_ref_texts(struct weir_ref_parser *parser, const char *name, enum weir_need need, uint32_t count_max, uint32_t len_max)
{
	const json_t *value, *element;
	enum weir_got got = weir_ref_member(parser, name, need, &value);
	if (got != WEIR_GOT_VALUE)
		return got;
	size_t i;
	bool right = json_is_array(value) && json_array_size(value) <= count_max;
	if (right)
		json_array_foreach(value, i, element) right &=
		    json_is_string(element) && weir_ref_text_is_printable(json_string_value(element), len_max);
	if (!right)
		weir_ref_fail(parser, name, NULL, "must be a list of at most %u texts of 1 to %u printable bytes",
		    count_max, len_max);
	return got;
}
