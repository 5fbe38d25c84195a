/*
 * Parameters: taken apart and decoded here and not by libmicrohttpd, which decodes before it splits (a pool's id may hold a
 * slash) and forgives what is malformed. A parameter that a path does not know, or that comes twice, is refused: a filter
 * that was misspelt must not answer with everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/decimal.h"
#include "config/base/nearest.h"
#include "config/base/timetext.h"
#include "pipeline/http/api/api_priv.h"

static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
weir_api_decode(struct weir_slice text, bool plus_is_space, char **out)
{
	char *copy = weir_calloc(1, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (c == '+' && plus_is_space) {
			c = ' ';
		} else if (c == '%') {
			bool whole = i + 2 < text.len;
			int high = whole ? digit(text.data[i + 1]) : -1, low = whole ? digit(text.data[i + 2]) : -1;
			if (high < 0 || low < 0) {
				free(copy);
				return false;
			}
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (c == '\0') {
			free(copy);
			return false;
		}
		copy[n++] = (char)c;
	}
	*out = copy;
	return true;
}

/* Whether `name` is one of the words; else near_out is the nearest, "" = none. */
static bool
is_known(const char *words, const char *name, char near_out[32])
{
	char copies[24][32];
	const char *list[24];
	uint32_t count = 0;
	for (const char *at = words; at != NULL && *at != '\0' && count < 24;) {
		size_t len = strcspn(at, " ");
		WEIR_CHECK(len < sizeof(copies[0]));
		memcpy(copies[count], at, len);
		copies[count][len] = '\0';
		list[count] = copies[count];
		if (strcmp(copies[count++], name) == 0)
			return true;
		at += len + strspn(at + len, " ");
	}
	const char *near = weir_nearest(name, list, count);
	(void)snprintf(near_out, 32, "%s", near != NULL ? near : "");
	return false;
}

struct taking {
	struct weir_api_request *request;
	bool failed;
};

static bool
param_add(struct weir_api_request *request, char *name, char *value)
{
	char near[32];
	if (!is_known(request->route->params, name, near)) {
		weir_api_problem(request, 400, "unknown-parameter", name, "there is no parameter '%.64s' here%s%s%s", name,
		    near[0] != '\0' ? "; did you mean " : "", near, near[0] != '\0' ? "?" : "");
	} else if (weir_api_param(request, name) != NULL) {
		weir_api_problem(request, 400, "bad-parameter", name, "%s: given twice", name);
	} else if (request->param_count < WEIR_API_PARAMS_MAX) {
		request->params[request->param_count++] = (struct weir_api_param){name, value};
		return true;
	}
	free(name);
	free(value);
	return false;
}

static enum MHD_Result
param_take(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct taking *taking = ctx;
	char *name = NULL, *text = NULL;
	(void)kind;
	if (!weir_api_decode(weir_slice_of(key), true, &name)) {
		weir_api_problem(taking->request, 400, "bad-parameter", NULL, "the query holds a malformed %%-sequence");
	} else if (!weir_api_decode(weir_slice_of(value != NULL ? value : ""), true, &text)) {
		weir_api_problem(taking->request, 400, "bad-parameter", name, "%.64s: a malformed %%-sequence", name);
		free(name);
	} else if (param_add(taking->request, name, text)) {
		return MHD_YES;
	}
	taking->failed = true;
	return MHD_NO;
}

bool
weir_api_params_take(struct weir_api_request *request)
{
	struct taking taking = {.request = request};
	(void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, param_take, &taking);
	return !taking.failed;
}

bool
weir_api_get_u32(struct weir_api_request *request, const char *name, uint32_t min, uint32_t max, uint32_t *in_out)
{
	const char *text = weir_api_param(request, name);
	uint64_t number = 0;
	if (text == NULL)
		return true;
	if (!weir_decimal_parse_u64((const uint8_t *)text, strlen(text), &number) || number < min || number > max) {
		weir_api_problem(request, 400, "bad-parameter", name, "%s: must be a number from %u to %u", name, min, max);
		return false;
	}
	*in_out = (uint32_t)number;
	return true;
}

bool
weir_api_get_time(struct weir_api_request *request, const char *name, int64_t *us_out)
{
	const char *text = weir_api_param(request, name);
	*us_out = 0;
	if (text == NULL)
		return true;
	if (weir_time_parse((const uint8_t *)text, strlen(text), us_out) && *us_out > 0)
		return true;
	weir_api_problem(request, 400, "bad-parameter", name,
	    "%s: must be a time such as 2026-11-21T08:00:00Z (a + of an offset is written %%2B)", name);
	return false;
}

static bool
iccid_parse(struct weir_api_request *request, const char *name, const char *text, struct weir_iccid *iccid_out)
{
	if (weir_iccid_parse((const uint8_t *)text, strlen(text), iccid_out))
		return true;
	weir_api_problem(request, 400, "bad-parameter", name, "%s: must be 19 or 20 letters and digits", name);
	return false;
}

bool
weir_api_get_iccid(struct weir_api_request *request, const char *name, struct weir_iccid *iccid_out)
{
	const char *text = weir_api_param(request, name);
	*iccid_out = (struct weir_iccid){0};
	return text == NULL || iccid_parse(request, name, text, iccid_out);
}

static bool
id_is_right(const char *id)
{
	size_t len = strlen(id);
	for (size_t i = 0; i < len; i++)
		if (id[i] <= 0x20 || id[i] >= 0x7f || strchr("{}\"'", id[i]) != NULL)
			return false;
	return len >= 1 && len < WEIR_ID_MAX;
}

static bool
id_check(struct weir_api_request *request, const char *name, const char *id)
{
	if (id_is_right(id))
		return true;
	weir_api_problem(request, 400, "bad-parameter", name,
	    "%s: must be 1 to 63 printable characters without spaces, braces and quotes", name);
	return false;
}

bool
weir_api_get_id(struct weir_api_request *request, const char *name, const char **id_out)
{
	*id_out = weir_api_param(request, name);
	return *id_out == NULL || id_check(request, name, *id_out);
}

static bool
word_find(const char *word, weir_api_word_fn name_of, uint32_t count, uint32_t *index_out)
{
	for (*index_out = 0; *index_out < count; ++*index_out)
		if (strcmp(word, name_of(*index_out)) == 0)
			return true;
	return false;
}

static void
word_refuse(struct weir_api_request *request, const char *name, const char *word, weir_api_word_fn name_of, uint32_t count)
{
	char all[320] = "";
	size_t n = 0;
	for (uint32_t i = 0; i < count && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i > 0 ? ", " : "", name_of(i));
	weir_api_problem(request, 400, "bad-parameter", name,
	    "%s: '%.40s' is unknown; must be one or more of %s, with commas between", name, word, all);
}

bool
weir_api_get_words(
    struct weir_api_request *request, const char *name, weir_api_word_fn word, uint32_t count, uint32_t *bits_out)
{
	const char *text = weir_api_param(request, name);
	*bits_out = 0;
	for (const char *at = text; at != NULL;) {
		char one[64];
		size_t len = strcspn(at, ",");
		(void)snprintf(one, sizeof(one), "%.*s", (int)(len < 63 ? len : 63), at);
		uint32_t index;
		if (!word_find(one, word, count, &index)) {
			word_refuse(request, name, one, word, count);
			return false;
		}
		*bits_out |= UINT32_C(1) << index;
		at = at[len] == ',' ? at + len + 1 : NULL;
	}
	return true;
}

bool
weir_api_get_span(struct weir_api_request *request, enum weir_span *span_out)
{
	const char *text = weir_api_param(request, "window");
	*span_out = WEIR_SPAN_DAY;
	if (text == NULL || weir_span_parse(text, span_out))
		return true;
	weir_api_problem(request, 400, "bad-parameter", "window", "window: must be hour, day or cycle");
	return false;
}

bool
weir_api_path_iccid(struct weir_api_request *request, struct weir_iccid *iccid_out)
{
	return iccid_parse(request, "iccid", request->segments[0], iccid_out);
}

bool
weir_api_path_pool(struct weir_api_request *request, const char **pool_out)
{
	*pool_out = request->segments[0];
	return id_check(request, "pool", *pool_out);
}

bool
weir_api_get_limit(struct weir_api_request *request, uint32_t most, uint32_t *limit_out)
{
	*limit_out = most < 100 ? most : 100;
	return weir_api_get_u32(request, "limit", 1, most, limit_out);
}

static const char *
reason_word(unsigned index)
{
	return weir_reason_name(index);
}

static const char *
status_word(unsigned index)
{
	return weir_status_name((enum weir_card_status)index);
}

bool
weir_api_card_query(struct weir_api_request *request, struct weir_card_query *query_out)
{
	uint32_t reasons = 0;
	*query_out = (struct weir_card_query){0};
	if (!weir_api_get_words(request, "reason", reason_word, WEIR_REASON_COUNT, &reasons) ||
	    !weir_api_get_words(request, "status", status_word, WEIR_STATUS_CANCELLED + 1, &query_out->statuses) ||
	    !weir_api_get_id(request, "carrier", &query_out->carrier) ||
	    !weir_api_get_id(request, "plan", &query_out->plan) || !weir_api_get_id(request, "pool", &query_out->pool) ||
	    !weir_api_get_iccid(request, "iccid_from", &query_out->from) ||
	    !weir_api_get_iccid(request, "iccid_to", &query_out->to))
		return false;
	query_out->reasons = (uint16_t)reasons;
	query_out->tag = weir_api_param(request, "tag");
	if (query_out->tag != NULL && (query_out->tag[0] == '\0' || strlen(query_out->tag) > 32)) {
		weir_api_problem(request, 400, "bad-parameter", "tag", "tag: must be 1 to 32 bytes");
		return false;
	}
	struct weir_iccid from = query_out->from, to = query_out->to;
	if (!weir_iccid_is_zero(to) && (from.hi > to.hi || (from.hi == to.hi && from.lo > to.lo))) {
		weir_api_problem(request, 400, "bad-parameter", "iccid_to", "iccid_to: before iccid_from");
		return false;
	}
	return true;
}
