/*
 * Bearer tokens: who a caller is and what it may.
 *
 * A file of lines `name role token`, where a token is written plainly or as sha256:HEX of it, so that the file need not
 * hold secrets. Only hashes are kept in memory and compared: all of them, each in constant time, so that the time an answer
 * takes says nothing about a token. Immutable after reading; a changed file is read into a new object.
 */
#include <ctype.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/base/file.h"
#include "config/base/log.h"
#include "pipeline/http/api/api_priv.h"

#define FILE_BYTES_MAX 1048576
#define TOKEN_LEN_MIN 16

struct row {
	char name[WEIR_ID_MAX];
	enum weir_api_role role;
	uint8_t hash[WEIR_API_HASH];
};

struct weir_api_tokens {
	struct row *rows;
	uint32_t count, cap;
};

static const char *const ROLES[] = {"none", "read", "operate"};

const char *
weir_api_role_name(enum weir_api_role role)
{
	return ROLES[role];
}

bool
weir_api_role_parse(const char *text, enum weir_api_role *role_out)
{
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(text, ROLES[i]) == 0) {
			*role_out = (enum weir_api_role)i;
			return true;
		}
	return false;
}

void
weir_api_sha256(const void *data, size_t len, uint8_t out[WEIR_API_HASH])
{
	WEIR_CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, out) == 0);
}

void
weir_api_hex(const uint8_t *bytes, size_t count, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * count] = '\0';
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
parse_hex(const char *text, uint8_t out[WEIR_API_HASH])
{
	if (strlen(text) != 2 * WEIR_API_HASH)
		return false;
	for (size_t i = 0; i < WEIR_API_HASH; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* The rule of request ids and names in weir.cards. */
static bool
name_is_right(const char *name)
{
	return strlen(name) <= 24 && strpbrk(name, "{}\"':") == NULL;
}

/* What is wrong with a line, NULL when nothing. The token itself never appears in words. */
static const char *
line_take(struct weir_api_tokens *tokens, char *line)
{
	char *rest = NULL;
	const char *name = strtok_r(line, " \t\r", &rest);
	if (name == NULL || name[0] == '#')
		return NULL;
	const char *role = strtok_r(NULL, " \t\r", &rest), *token = strtok_r(NULL, " \t\r", &rest);
	if (token == NULL || strtok_r(NULL, " \t\r", &rest) != NULL)
		return "must be three words: name, role, token or sha256:HEX";
	struct row row = {0};
	if (!name_is_right(name))
		return "the name: must be up to 24 characters without braces, quotes and colons";
	if (!weir_api_role_parse(role, &row.role) || row.role == WEIR_API_NOBODY)
		return "the role: must be read or operate";
	bool hashed = strncmp(token, "sha256:", 7) == 0;
	if (hashed && !parse_hex(token + 7, row.hash))
		return "sha256: needs 64 hexadecimal digits behind it";
	if (!hashed && strlen(token) < TOKEN_LEN_MIN)
		return "the token: must be at least 16 characters";
	if (!hashed)
		weir_api_sha256(token, strlen(token), row.hash);
	memcpy(row.name, name, strlen(name) + 1);
	if (tokens->count == tokens->cap) {
		tokens->cap = tokens->cap == 0 ? 16 : tokens->cap * 2;
		tokens->rows = weir_realloc(tokens->rows, tokens->cap * sizeof(*tokens->rows));
	}
	tokens->rows[tokens->count++] = row;
	return NULL;
}

static enum weir_class
lines_take(struct weir_api_tokens *tokens, const char *path, char *text, struct weir_error *err)
{
	uint32_t number = 0;
	for (char *line = text; line != NULL;) {
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end = '\0';
		number++;
		const char *wrong = line_take(tokens, line);
		if (wrong != NULL)
			return weir_error_set(err, WEIR_FATAL, "%.200s:%u: %s", path, number, wrong);
		line = end != NULL ? end + 1 : NULL;
	}
	return WEIR_OK;
}

enum weir_class
weir_api_tokens_read(const char *path, struct weir_api_tokens **tokens_out, struct weir_error *err)
{
	struct weir_buf text = {0};
	struct stat what;
	if (weir_file_read(path, FILE_BYTES_MAX, &text, err) != WEIR_OK)
		return WEIR_FATAL;
	if (stat(path, &what) == 0 && (what.st_mode & S_IROTH) != 0)
		weir_log(WEIR_LOG_WARN, "tokens_readable", "%s can be read by every user of this machine", path);
	struct weir_api_tokens *tokens = weir_calloc(1, sizeof(*tokens));
	enum weir_class class = lines_take(tokens, path, (char *)text.data, err);
	gnutls_memset(text.data, 0, text.cap);
	weir_buf_free(&text);
	if (class != WEIR_OK) {
		weir_api_tokens_free(tokens);
		return class;
	}
	*tokens_out = tokens;
	return WEIR_OK;
}

void
weir_api_tokens_free(struct weir_api_tokens *tokens)
{
	if (tokens == NULL)
		return;
	free(tokens->rows);
	free(tokens);
}

uint32_t
weir_api_tokens_count(const struct weir_api_tokens *tokens)
{
	return tokens->count;
}

bool
weir_api_tokens_find(
    const struct weir_api_tokens *tokens, const char *token, size_t len, struct weir_api_caller *caller_out)
{
	uint8_t hash[WEIR_API_HASH];
	uint32_t found = UINT32_MAX;
	weir_api_sha256(token, len, hash);
	for (uint32_t i = 0; i < tokens->count; i++) {
		uint32_t equal = gnutls_memcmp(hash, tokens->rows[i].hash, sizeof(hash)) == 0;
		found = equal ? i : found;
	}
	if (found == UINT32_MAX)
		return false;
	const struct row *row = &tokens->rows[found];
	memcpy(caller_out->name, row->name, sizeof(row->name));
	caller_out->role = row->role;
	memcpy(&caller_out->rate_key, hash, sizeof(caller_out->rate_key));
	return true;
}
