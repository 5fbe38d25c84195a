/* Taking `redis.url` apart; see url.h. Rejected: a general URL library, for three schemes and five parts. */
#include "pipeline/redis/url.h"

#include <stdlib.h>
#include <string.h>

#define PORT_DEFAULT 6379

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char)(digit | 32);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static char *
percent_decode(const char *text, size_t len)
{
	char *out = weir_strndup(text, len);
	size_t at = 0;
	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? hex_value(text[i + 1]) : -1;
		int low = high >= 0 ? hex_value(text[i + 2]) : -1;
		if (low >= 0) {
			out[at++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[at++] = text[i];
		}
	}
	out[at] = '\0';
	return out;
}

/* Decimal of the whole slice, at most max. */
static bool
small_number(const char *text, size_t len, uint32_t max, uint32_t *number_out)
{
	uint64_t number = 0;
	if (len == 0 || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*number_out = (uint32_t)number;
	return number <= max;
}

/* "host", "host:port", "[v6]", "[v6]:port"; a bare v6 address with a port as MOVED prints it is cut at the last colon. */
static bool
parse_place(const char *text, size_t len, struct weir_redis_url *url)
{
	const char *colon = memrchr(text, ':', len);
	const char *bracket = memrchr(text, ']', len);
	if (colon != NULL && bracket != NULL && colon < bracket)
		colon = NULL;
	size_t host_len = colon != NULL ? (size_t)(colon - text) : len;
	uint32_t port = PORT_DEFAULT;
	if (colon != NULL && (!small_number(colon + 1, len - host_len - 1, 65535, &port) || port == 0))
		return false;
	if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
		text++;
		host_len -= 2;
	}
	if (host_len > 255)
		return false;
	url->port = (uint16_t)port;
	url->host = weir_strndup(text, host_len);
	return true;
}

static bool
parse_unix(const char *text, struct weir_redis_url *url)
{
	const char *query = strchr(text, '?');
	size_t path_len = query != NULL ? (size_t)(query - text) : strlen(text);
	if (path_len == 0 || text[0] != '/')
		return false;
	url->unix_path = weir_strndup(text, path_len);
	if (query == NULL)
		return true;
	return strncmp(query, "?db=", 4) == 0 && small_number(query + 4, strlen(query + 4), 1 << 20, &url->db);
}

static bool
parse_tcp(const char *text, struct weir_redis_url *url)
{
	size_t len = strcspn(text, "/");
	const char *slash = text[len] == '/' ? text + len : NULL;
	const char *at = memrchr(text, '@', len);
	if (at != NULL) {
		size_t login_len = (size_t)(at - text);
		const char *colon = memchr(text, ':', login_len);
		size_t user_len = colon != NULL ? (size_t)(colon - text) : login_len;
		if (user_len > 0)
			url->user = percent_decode(text, user_len);
		if (colon != NULL)
			url->password = percent_decode(colon + 1, login_len - user_len - 1);
		len -= login_len + 1;
		text = at + 1;
	}
	if (!parse_place(text, len, url) || url->host[0] == '\0')
		return false;
	if (slash == NULL || slash[1] == '\0')
		return true;
	return small_number(slash + 1, strlen(slash + 1), 1 << 20, &url->db);
}

static void
override(char **field, const char *setting)
{
	if (setting == NULL || setting[0] == '\0')
		return;
	free(*field);
	*field = weir_strdup(setting);
}

enum weir_class
weir_redis_url_parse(const struct weir_settings *settings, struct weir_redis_url **url_out, struct weir_error *err)
{
	const char *text = settings->redis_url != NULL ? settings->redis_url : "redis://localhost:6379";
	struct weir_redis_url *url = weir_calloc(1, sizeof(*url));
	bool good = false;
	if (strncmp(text, "redis://", 8) == 0) {
		good = parse_tcp(text + 8, url);
	} else if (strncmp(text, "rediss://", 9) == 0) {
		url->tls = true;
		good = parse_tcp(text + 9, url);
	} else if (strncmp(text, "unix://", 7) == 0) {
		good = parse_unix(text + 7, url);
	}
	override(&url->user, settings->redis_user);
	override(&url->password, settings->redis_password);
	if (!good) {
		weir_redis_url_free(url);
		return weir_error_set(err, WEIR_FATAL,
		    "redis.url is not redis://[user[:password]@]host[:port][/db], rediss://… or unix:///path[?db=n]");
	}
	*url_out = url;
	return WEIR_OK;
}

static char *
copy_or_null(const char *text)
{
	return text != NULL ? weir_strdup(text) : NULL;
}

struct weir_redis_url *
weir_redis_url_at(const struct weir_redis_url *url, const char *node)
{
	struct weir_redis_url *out = weir_calloc(1, sizeof(*out));
	const char *colon = strrchr(node, ':');
	if (colon == NULL || !parse_place(node, strlen(node), out)) {
		weir_redis_url_free(out);
		return NULL;
	}
	if (out->host[0] == '\0') {
		free(out->host);
		out->host = weir_strdup(url->host != NULL ? url->host : "localhost");
	}
	out->tls = url->tls;
	out->user = copy_or_null(url->user);
	out->password = copy_or_null(url->password);
	return out;
}

void
weir_redis_url_free(struct weir_redis_url *url)
{
	if (url == NULL)
		return;
	free(url->unix_path);
	free(url->host);
	free(url->user);
	free(url->password);
	free(url);
}

uint32_t
weir_redis_url_greet(const struct weir_redis_url *url, struct weir_buf *out)
{
	uint32_t commands = 0;
	if (url->password != NULL) {
		weir_resp_command(out, url->user != NULL ? 3 : 2);
		weir_resp_text(out, "AUTH");
		if (url->user != NULL)
			weir_resp_text(out, url->user);
		weir_resp_text(out, url->password);
		commands++;
	}
	if (url->db != 0) {
		weir_resp_command(out, 2);
		weir_resp_text(out, "SELECT");
		weir_resp_i64(out, url->db);
		commands++;
	}
	return commands;
}
