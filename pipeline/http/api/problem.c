/* Errors as application/problem+json (RFC 9457), with the parameter's name as a member of its own. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/base/log.h"
#include "pipeline/http/api/api_priv.h"

#define AWAY_PAUSE_US 200000

const char *
weir_api_status_title(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad request";
	case 401:
		return "A token is needed";
	case 403:
		return "Not allowed";
	case 404:
		return "Not found";
	case 405:
		return "Method not allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Too large";
	case 415:
		return "Unsupported media type";
	case 429:
		return "Too many requests";
	case 503:
		return "Not available now";
	default:
		return "Internal error";
	}
}

struct weir_json
weir_api_json(struct weir_api_request *request, unsigned status)
{
	request->status = status;
	request->content_type = "application/json";
	request->out.len = 0;
	return (struct weir_json){.out = &request->out};
}

void
weir_api_problem(
    struct weir_api_request *request, unsigned status, const char *code, const char *parameter, const char *fmt, ...)
{
	char detail[640], type[96];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	(void)snprintf(type, sizeof(type), "urn:weir:problem:%s", code);
	struct weir_json json = weir_api_json(request, status);
	request->content_type = "application/problem+json";
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "type", type);
	weir_json_text(&json, "title", weir_api_status_title(status));
	weir_json_u64(&json, "status", status);
	weir_json_text(&json, "detail", detail);
	if (parameter != NULL)
		weir_json_text(&json, "parameter", parameter);
	weir_json_close(&json, '}');
	if ((status == 429 || status == 503) && request->retry_after_s == 0)
		request->retry_after_s = 1;
}

/* The reader's words begin with the parameter: "cursor: …". It is named only when it was given (or is asked for). */
static const char *
parameter_of(const struct weir_api_request *request, const char *text, char out[32])
{
	size_t len = strcspn(text, ": ");
	if (len == 0 || len >= 32)
		return NULL;
	memcpy(out, text, len);
	out[len] = '\0';
	return weir_api_param(request, out) != NULL ? out : NULL;
}

bool
weir_api_read_failed(
    struct weir_api_request *request, struct weir_api_worker *worker, enum weir_read code, const struct weir_error *err)
{
	char name[32];
	switch (code) {
	case WEIR_READ_MISSING:
		weir_api_problem(request, 404, "not-found", NULL, "%s", err->text);
		break;
	case WEIR_READ_REFUSED:
		weir_api_problem(request, 400, "bad-parameter", parameter_of(request, err->text, name), "%s", err->text);
		break;
	case WEIR_READ_AWAY:
		worker->away_until = weir_steady_in_us(AWAY_PAUSE_US);
		WEIR_LOG_LIMITED(WEIR_LOG_WARN, "api_redis_away", "%s", err->text);
		weir_api_problem(request, 503, "storage-away", NULL, "the storage does not answer; try again");
		break;
	default:
		WEIR_LOG_LIMITED(WEIR_LOG_ERROR, "api_broken", "%s", err->text);
		weir_api_problem(request, 500, "internal", NULL, "what is stored could not be read; the log says why");
		break;
	}
	return false;
}
