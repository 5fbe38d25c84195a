/*
 * Cisco IoT Control Center (REST, rws v1): the overseas default.
 *
 * SET is PUT {base}/rws/api/v1/devices/{iccid} with {"status": ...}, ASK is GET of the same path. Basic authentication,
 * user and API key. The carrier keeps no tickets: after 202 the card's own status is asked until it is the wanted one. The
 * status words beyond ACTIVATED and DEACTIVATED (inventory, test, retired ...) are `unknown` here: a command settles them.
 * Bodies are read with a tree parser: a few commands a second, and full checking matters more than speed.
 */
#include <jansson.h>

#include "pipeline/carriers/carrier.h"

#define CISCO_ALREADY "10030000" /* errorCode: the device is in that state already */

static enum weir_class
cisco_check(const struct weir_carrier_settings *settings, struct weir_error *err)
{
	const char *id = settings->id != NULL ? settings->id : "?";
	const char *url = settings->url != NULL ? settings->url : "";
	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return weir_error_set(err, WEIR_FATAL, "carrier %s: url must begin with https:// (or http://)", id);
	if (strpbrk(url, " \t\r\n@") != NULL)
		return weir_error_set(err, WEIR_FATAL, "carrier %s: url has a space or credentials in it", id);
	if (settings->user == NULL || settings->user[0] == '\0' || strchr(settings->user, ':') != NULL)
		return weir_error_set(err, WEIR_FATAL, "carrier %s: user is missing or has a colon", id);
	if (settings->api_key == NULL || settings->api_key[0] == '\0')
		return weir_error_set(err, WEIR_FATAL, "carrier %s: no API key (api_key_file)", id);
	return WEIR_OK;
}

static void
cisco_build(const struct weir_carrier_settings *settings, const struct weir_carrier_command *command,
    struct weir_carrier_request *request)
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(command->iccid, iccid);
	size_t base_len = strlen(settings->url);
	while (base_len > 0 && settings->url[base_len - 1] == '/')
		base_len--;
	weir_buf_printf(&request->url, "%.*s/rws/api/v1/devices/%s", (int)base_len, settings->url, iccid);

	struct weir_buf pair = {0};
	weir_buf_printf(&pair, "%s:%s", settings->user, settings->api_key);
	weir_buf_printf(&request->headers, "Accept: application/json\nAuthorization: Basic ");
	weir_carrier_append_base64(&request->headers, (struct weir_slice){pair.data, pair.len});
	weir_buf_append(&request->headers, "\n", 1);
	explicit_bzero(pair.data, pair.cap);
	weir_buf_free(&pair);

	if (command->kind == WEIR_CALL_ASK) {
		request->method = WEIR_METHOD_GET;
		return;
	}
	request->method = WEIR_METHOD_PUT;
	weir_buf_printf(&request->headers, "Content-Type: application/json\n");
	weir_buf_printf(
	    &request->body, "{\"status\":\"%s\"}", command->target == WEIR_DESIRED_SUSPENDED ? "DEACTIVATED" : "ACTIVATED");
}

/* The body's object, NULL if it is not one. */
static json_t *
body_parse(const struct weir_carrier_response *response)
{
	if (response->body.len == 0)
		return NULL;
	json_t *body = json_loadb((const char *)response->body.data, response->body.len, 0, NULL);
	if (json_is_object(body))
		return body;
	json_decref(body);
	return NULL;
}

static bool
body_says_already(const json_t *body)
{
	const json_t *code = json_object_get(body, "errorCode");
	if (json_is_string(code))
		return strcmp(json_string_value(code), CISCO_ALREADY) == 0;
	return json_is_integer(code) && json_integer_value(code) == 10030000;
}

/* The carrier's words on an error, or the status alone. */
static void
outcome_from_error(struct weir_outcome *outcome, enum weir_outcome_kind kind, const struct weir_carrier_response *response,
    const json_t *body)
{
	const char *message = json_string_value(json_object_get(body, "errorMessage"));
	if (message != NULL)
		weir_outcome_set(outcome, kind, "HTTP %u: %s", response->status, message);
	else
		weir_outcome_set(outcome, kind, "HTTP %u", response->status);
}

static void
classify_state(const json_t *body, struct weir_outcome *outcome_out)
{
	const char *status = json_string_value(json_object_get(body, "status"));
	if (status == NULL) {
		weir_outcome_set(outcome_out, WEIR_OUTCOME_RETRY, "answer without a status");
		return;
	}
	if (strcmp(status, "ACTIVATED") == 0)
		outcome_out->state = WEIR_DESIRED_ACTIVE;
	else if (strcmp(status, "DEACTIVATED") == 0)
		outcome_out->state = WEIR_DESIRED_SUSPENDED;
	weir_outcome_set(outcome_out, WEIR_OUTCOME_STATE, "status %s", status);
}

/* 2xx. A SET answered with garbage may have been done; repeating it is safe, the state is unknown until then. */
static void
classify_success(const struct weir_carrier_command *command, const struct weir_carrier_response *response,
    const json_t *body, struct weir_outcome *outcome_out)
{
	if (body == NULL) {
		outcome_out->maybe_done = true;
		weir_outcome_set(outcome_out, WEIR_OUTCOME_RETRY, "HTTP %u: answer is not a JSON object", response->status);
	} else if (command->kind == WEIR_CALL_ASK) {
		classify_state(body, outcome_out);
	} else if (response->status == 202) {
		weir_outcome_set(outcome_out, WEIR_OUTCOME_ACCEPTED, "HTTP 202");
	} else {
		weir_outcome_set(outcome_out, WEIR_OUTCOME_DONE, "HTTP %u", response->status);
	}
}

static void
classify_failure(const struct weir_carrier_command *command, const struct weir_carrier_response *response,
    const json_t *body, struct weir_outcome *outcome_out)
{
	uint32_t status = response->status;
	bool has_after = weir_carrier_retry_after(response, &outcome_out->after_ms);
	if (status == 429 || (status == 503 && has_after)) {
		outcome_from_error(outcome_out, WEIR_OUTCOME_RATE_LIMITED, response, body);
	} else if (status == 401 || status == 403) {
		outcome_from_error(outcome_out, WEIR_OUTCOME_CARRIER_DOWN, response, body);
	} else if (status >= 400 && status < 500 && command->kind == WEIR_CALL_SET && body_says_already(body)) {
		weir_outcome_set(outcome_out, WEIR_OUTCOME_ALREADY, "already in that state");
	} else if (status >= 400 && status < 500 && status != 408) {
		outcome_from_error(outcome_out, WEIR_OUTCOME_REFUSED, response, body);
	} else {
		/* 5xx, a redirect (never followed: it would carry the key elsewhere), a status nobody knows. */
		outcome_out->maybe_done = true;
		outcome_from_error(outcome_out, WEIR_OUTCOME_RETRY, response, body);
	}
}

static void
cisco_classify(const struct weir_carrier_command *command, const struct weir_carrier_response *response,
    struct weir_outcome *outcome_out)
{
	if (weir_carrier_classify_transport(response, outcome_out))
		return;
	json_t *body = body_parse(response);
	if (response->status >= 200 && response->status < 300)
		classify_success(command, response, body, outcome_out);
	else
		classify_failure(command, response, body, outcome_out);
	json_decref(body);
}

const struct weir_carrier_adapter weir_carrier_cisco = {
    .name = "cisco",
    .can_ask = true,
    .check = cisco_check,
    .build = cisco_build,
    .classify = cisco_classify,
};
