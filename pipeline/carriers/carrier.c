/* What adapters share: header look-up, transport failures, base64. See carrier.h. */
#include "pipeline/carriers/carrier.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

static struct weir_slice
slice_trim(struct weir_slice slice)
{
	while (slice.len > 0 && slice.data[0] <= ' ') {
		slice.data++;
		slice.len--;
	}
	while (slice.len > 0 && slice.data[slice.len - 1] <= ' ')
		slice.len--;
	return slice;
}

struct weir_slice
weir_carrier_header(const struct weir_carrier_response *response, const char *name)
{
	size_t name_len = strlen(name);
	const uint8_t *at = response->headers.data, *end = at + response->headers.len;
	while (at != NULL && at < end) {
		const uint8_t *eol = memchr(at, '\n', (size_t)(end - at));
		if (eol == NULL)
			eol = end;
		size_t len = (size_t)(eol - at);
		if (len > name_len && at[name_len] == ':' && strncasecmp((const char *)at, name, name_len) == 0)
			return slice_trim((struct weir_slice){at + name_len + 1, len - name_len - 1});
		at = eol + 1;
	}
	return (struct weir_slice){NULL, 0};
}

bool
weir_carrier_retry_after(const struct weir_carrier_response *response, uint32_t *after_ms_out)
{
	struct weir_slice value = weir_carrier_header(response, "Retry-After");
	if (value.data == NULL || value.len == 0)
		return false;
	uint64_t seconds = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9') {
			seconds = 1;
			break;
		}
		seconds = seconds * 10 + (value.data[i] - '0');
		if (seconds > WEIR_CARRIER_RETRY_AFTER_MAX_MS / 1000)
			seconds = WEIR_CARRIER_RETRY_AFTER_MAX_MS / 1000;
	}
	*after_ms_out = (uint32_t)(seconds * 1000);
	return true;
}

void
weir_outcome_set(struct weir_outcome *outcome, enum weir_outcome_kind kind, const char *fmt, ...)
{
	outcome->kind = kind;
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(outcome->text, sizeof(outcome->text), fmt, args);
	va_end(args);
	for (char *at = outcome->text; *at != '\0'; at++) {
		if (*at < ' ' || *at > '~') /* a cut could split a character of several bytes */
			*at = '?';
	}
}

bool
weir_carrier_classify_transport(const struct weir_carrier_response *response, struct weir_outcome *outcome_out)
{
	if (response->transport == WEIR_TRANSPORT_ANSWERED)
		return false;
	bool sent = response->transport != WEIR_TRANSPORT_NOT_SENT;
	/* An answer that broke off says as little as none at all: both are asked after before repeating (CMD-2). */
	outcome_out->maybe_done = sent;
	outcome_out->timed_out = sent;
	weir_outcome_set(outcome_out, WEIR_OUTCOME_RETRY, "%s", response->transport_text);
	return true;
}

void
weir_carrier_append_base64(struct weir_buf *buf, struct weir_slice data)
{
	static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < data.len; i += 3) {
		size_t left = data.len - i;
		uint32_t bits = (uint32_t)data.data[i] << 16;
		bits |= left > 1 ? (uint32_t)data.data[i + 1] << 8 : 0;
		bits |= left > 2 ? (uint32_t)data.data[i + 2] : 0;
		char out[4] = {DIGITS[bits >> 18], DIGITS[bits >> 12 & 63], left > 1 ? DIGITS[bits >> 6 & 63] : '=',
		    left > 2 ? DIGITS[bits & 63] : '='};
		weir_buf_append(buf, out, sizeof(out));
	}
}

void
weir_carrier_request_reset(struct weir_carrier_request *request)
{
	request->method = WEIR_METHOD_GET;
	request->url.len = request->headers.len = request->body.len = 0;
}

void
weir_carrier_request_free(struct weir_carrier_request *request)
{
	if (request->headers.cap > 0)
		explicit_bzero(request->headers.data, request->headers.cap);
	weir_buf_free(&request->url);
	weir_buf_free(&request->headers);
	weir_buf_free(&request->body);
}
