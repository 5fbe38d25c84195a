/*
 * From a value's text to its field. File, environment and --set all give text, so they share one reading: decimal digits
 * only (no sign, no octal, no 1e6), true or false, sizes with KiB, MiB or GiB.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/base/file.h"
#include "config/settings/settings_priv.h"

/* Digits; false when there are none or the value is 2^64 or more. */
static bool
parse_u64(const char **at, uint64_t *number_out)
{
	uint64_t number = 0;
	const char *begin = *at;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, **at - '0', &number))
			return false;
	*number_out = number;
	return *at > begin;
}

static bool
parse_suffix(const char *suffix, uint64_t *number)
{
	static const char *const names[] = {"KiB", "MiB", "GiB"};
	while (*suffix == ' ')
		suffix++;
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(suffix, names[i]) == 0)
			return !__builtin_mul_overflow(*number, UINT64_C(1) << (10 * (i + 1)), number);
	return false;
}

static bool
parse_number(const struct weir_setting *row, const char *text, uint64_t *number, char reason[WEIR_REASON_MAX])
{
	const char *at = text;
	bool bytes = strcmp(row->unit, "bytes") == 0;
	bool valid = parse_u64(&at, number) && (*at == '\0' || (bytes && parse_suffix(at, number)));
	if (valid && *number >= row->min && *number <= row->max)
		return true;
	(void)snprintf(reason, WEIR_REASON_MAX, "%s '%.40s'; must be %" PRIu64 " to %" PRIu64 "%s%s%s",
	    valid ? "out of range:" : "not a whole number:", text, row->min, row->max, row->unit[0] ? " " : "", row->unit,
	    bytes ? " (KiB, MiB, GiB may follow)" : "");
	return false;
}

static void
text_replace(char **field, const char *text, size_t len)
{
	free(*field);
	*field = weir_strndup(text, len);
}

static bool
assign_text(const struct weir_setting *row, char **field, const char *text, char reason[WEIR_REASON_MAX])
{
	size_t len = strlen(text);
	if (len < row->min || len > row->max) {
		(void)snprintf(reason, WEIR_REASON_MAX, "%s; must be a text of %" PRIu64 " to %" PRIu64 " bytes",
		    len == 0 ? "empty" : "wrong length", row->min, row->max);
		return false;
	}
	const char *right = row->check == NULL ? NULL : row->check(text);
	if (right == NULL) {
		text_replace(field, text, len);
		return true;
	}
	/* A URL may hold a password by mistake, so its text is not repeated. */
	if (strstr(text, "://") != NULL || strchr(text, '@') != NULL)
		(void)snprintf(reason, WEIR_REASON_MAX, "not valid; %s", right);
	else
		(void)snprintf(reason, WEIR_REASON_MAX, "not valid: '%.60s'; %s", text, right);
	return false;
}

/* The first line of a file; an empty path leaves the field. */
static bool
assign_secret_file(char **field, const char *path, char reason[WEIR_REASON_MAX])
{
	if (path[0] == '\0')
		return true;
	struct weir_buf buf = {0};
	struct weir_error err = {0};
	bool right = weir_file_read(path, 65536, &buf, &err) == WEIR_OK;
	if (!right)
		(void)snprintf(reason, WEIR_REASON_MAX, "%.200s", err.text);
	size_t len = right ? strcspn((const char *)buf.data, "\r\n") : 0;
	if (right && len == 0) {
		(void)snprintf(
		    reason, WEIR_REASON_MAX, "%.150s: empty; must be a file with the secret in its first line", path);
		right = false;
	}
	if (right)
		text_replace(field, (const char *)buf.data, len);
	if (buf.data != NULL)
		explicit_bzero(buf.data, buf.cap);
	weir_buf_free(&buf);
	return right;
}

static bool
assign_bool(bool *field, const char *text, char reason[WEIR_REASON_MAX])
{
	*field = strcmp(text, "true") == 0;
	if (*field || strcmp(text, "false") == 0)
		return true;
	(void)snprintf(reason, WEIR_REASON_MAX, "not a truth value: '%.40s'; must be true or false", text);
	return false;
}

bool
weir_setting_assign(const struct weir_setting *row, unsigned char *base, const char *text, char reason[WEIR_REASON_MAX])
{
	unsigned char *field = base + row->offset;
	uint64_t number;
	switch (row->type) {
	case WEIR_SETTING_TEXT:
		return assign_text(row, (char **)field, text, reason);
	case WEIR_SETTING_SECRET_FILE:
		return assign_secret_file((char **)field, text, reason);
	case WEIR_SETTING_BOOL:
		return assign_bool((bool *)field, text, reason);
	case WEIR_SETTING_U32:
	case WEIR_SETTING_U64:
		if (!parse_number(row, text, &number, reason))
			return false;
		if (row->type == WEIR_SETTING_U32)
			*(uint32_t *)field = (uint32_t)number;
		else
			*(uint64_t *)field = number;
		return true;
	}
	return false;
}

void
weir_settings_defaults(const struct weir_setting *rows, uint32_t count, unsigned char *base)
{
	char reason[WEIR_REASON_MAX];
	for (uint32_t i = 0; i < count; i++)
		WEIR_CHECK(weir_setting_assign(&rows[i], base, rows[i].default_text, reason));
}

void
weir_settings_rows_free(const struct weir_setting *rows, uint32_t count, unsigned char *base)
{
	for (uint32_t i = 0; i < count; i++) {
		if (rows[i].type != WEIR_SETTING_TEXT)
			continue; /* a secret's file and the secret share one field; the secret's row frees it */
		char **field = (char **)(base + rows[i].offset);
		if (rows[i].secret && *field != NULL)
			explicit_bzero(*field, strlen(*field));
		free(*field);
		*field = NULL;
	}
}
