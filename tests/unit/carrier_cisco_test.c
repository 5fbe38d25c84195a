/*
 * Cisco Control Center's adapter against plain bytes: the requests it builds and its judgement of every kind of answer,
 * including bytes that are no answer at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/base/random.h"
#include "pipeline/carriers/carrier.h"

static struct weir_carrier_settings SETTINGS = {
    .id = "ov", .adapter = "cisco", .url = "https://rws.example.net/", .user = "me", .api_key = "k-1:2"};

static struct weir_carrier_command
command_of(enum weir_call_kind kind, uint8_t target)
{
	struct weir_carrier_command command = {.kind = kind, .target = target, .ticket = ""};
	assert_true(weir_iccid_parse((const uint8_t *)"8944500102198304826S", 20, &command.iccid));
	return command;
}

static void
assert_text(const struct weir_buf *buf, const char *expected)
{
	assert_int_equal(buf->len, strlen(expected));
	assert_memory_equal(buf->data, expected, buf->len);
}

static void
test_cisco_builds_requests(void **state)
{
	(void)state;
	struct weir_carrier_request request = {0};
	struct weir_carrier_command command = command_of(WEIR_CALL_SET, WEIR_DESIRED_SUSPENDED);
	weir_carrier_cisco.build(&SETTINGS, &command, &request);
	assert_int_equal(request.method, WEIR_METHOD_PUT);
	assert_text(&request.url, "https://rws.example.net/rws/api/v1/devices/8944500102198304826S");
	assert_text(&request.headers,
	    "Accept: application/json\nAuthorization: Basic bWU6ay0xOjI=\nContent-Type: application/json\n");
	assert_text(&request.body, "{\"status\":\"DEACTIVATED\"}");
	weir_carrier_request_reset(&request);
	command = command_of(WEIR_CALL_SET, WEIR_DESIRED_ACTIVE);
	weir_carrier_cisco.build(&SETTINGS, &command, &request);
	assert_text(&request.body, "{\"status\":\"ACTIVATED\"}");
	weir_carrier_request_reset(&request);
	command = command_of(WEIR_CALL_ASK, WEIR_DESIRED_ACTIVE);
	weir_carrier_cisco.build(&SETTINGS, &command, &request);
	assert_int_equal(request.method, WEIR_METHOD_GET);
	assert_int_equal(request.body.len, 0);
	weir_carrier_request_free(&request);
}

static void
test_cisco_checks_settings(void **state)
{
	(void)state;
	struct weir_error err;
	assert_int_equal(weir_carrier_cisco.check(&SETTINGS, &err), WEIR_OK);
	struct weir_carrier_settings bad = SETTINGS;
	bad.url = "ftp://x";
	assert_int_equal(weir_carrier_cisco.check(&bad, &err), WEIR_FATAL);
	bad.url = "https://me:secret@x";
	assert_int_equal(weir_carrier_cisco.check(&bad, &err), WEIR_FATAL);
	assert_null(strstr(err.text, "secret"));
	bad = SETTINGS;
	bad.api_key = NULL;
	assert_int_equal(weir_carrier_cisco.check(&bad, &err), WEIR_FATAL);
	bad = SETTINGS;
	bad.user = NULL;
	assert_int_equal(weir_carrier_cisco.check(&bad, &err), WEIR_FATAL);
}

static struct weir_outcome
outcome_of(enum weir_call_kind kind, uint32_t status, const char *headers, const char *body)
{
	struct weir_carrier_command command = command_of(kind, WEIR_DESIRED_SUSPENDED);
	struct weir_carrier_response response = {
	    .status = status, .headers = weir_slice_of(headers), .body = weir_slice_of(body), .transport_text = ""};
	struct weir_outcome outcome = {0};
	weir_carrier_cisco.classify(&command, &response, &outcome);
	return outcome;
}

#define ALREADY "{\"errorMessage\":\"same\",\"errorCode\":\"10030000\"}"

static void
test_cisco_reads_answers(void **state)
{
	(void)state;
	static const struct {
		enum weir_call_kind kind;
		uint32_t status;
		const char *headers, *body;
		enum weir_outcome_kind expected;
		bool maybe_done;
		uint32_t after_ms;
	} ROWS[] = {
	    {WEIR_CALL_SET, 200, "", "{\"iccid\":\"8944\"}", WEIR_OUTCOME_DONE, false, 0},
	    {WEIR_CALL_SET, 202, "", "{\"iccid\":\"8944\"}", WEIR_OUTCOME_ACCEPTED, false, 0},
	    {WEIR_CALL_SET, 200, "", "<html>proxy</html>", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_SET, 200, "", "", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_SET, 200, "", "[1]", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_SET, 400, "", ALREADY, WEIR_OUTCOME_ALREADY, false, 0},
	    {WEIR_CALL_SET, 400, "", "{\"errorCode\":10030000}", WEIR_OUTCOME_ALREADY, false, 0},
	    {WEIR_CALL_SET, 400, "", "{\"errorCode\":\"10000003\"}", WEIR_OUTCOME_REFUSED, false, 0},
	    {WEIR_CALL_SET, 404, "", "{\"errorMessage\":\"no such device\"}", WEIR_OUTCOME_REFUSED, false, 0},
	    {WEIR_CALL_ASK, 404, "", "", WEIR_OUTCOME_REFUSED, false, 0},
	    {WEIR_CALL_SET, 401, "", "{}", WEIR_OUTCOME_CARRIER_DOWN, false, 0},
	    {WEIR_CALL_ASK, 403, "", "", WEIR_OUTCOME_CARRIER_DOWN, false, 0},
	    {WEIR_CALL_SET, 429, "HTTP/1.1 429 No\r\nretry-after: 7\r\n", "{}", WEIR_OUTCOME_RATE_LIMITED, false, 7000},
	    {WEIR_CALL_SET, 429, "", "", WEIR_OUTCOME_RATE_LIMITED, false, 0},
	    {WEIR_CALL_SET, 503, "Retry-After: 99999999999999999999\n", "", WEIR_OUTCOME_RATE_LIMITED, false,
		WEIR_CARRIER_RETRY_AFTER_MAX_MS},
	    {WEIR_CALL_SET, 503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "", WEIR_OUTCOME_RATE_LIMITED, false,
		1000},
	    {WEIR_CALL_SET, 503, "X-Retry-After: 4\r\n", "", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_SET, 500, "", "{\"errorMessage\":\"oops\"}", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_SET, 408, "", "", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_SET, 302, "Location: http://elsewhere\r\n", "", WEIR_OUTCOME_RETRY, true, 0},
	    {WEIR_CALL_ASK, 200, "", "{\"state\":\"x\"}", WEIR_OUTCOME_RETRY, false, 0},
	};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct weir_outcome outcome = outcome_of(ROWS[i].kind, ROWS[i].status, ROWS[i].headers, ROWS[i].body);
		if (outcome.kind != ROWS[i].expected || outcome.after_ms != ROWS[i].after_ms)
			fail_msg("row %zu: kind %d after %u text %s", i, outcome.kind, outcome.after_ms, outcome.text);
		assert_int_equal(outcome.maybe_done, ROWS[i].maybe_done);
		assert_false(outcome.timed_out);
	}
}

static void
test_cisco_reads_states(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		uint8_t state;
	} ROWS[] = {
	    {"{\"iccid\":\"8944\",\"status\":\"ACTIVATED\",\"imei\":null}", WEIR_DESIRED_ACTIVE},
	    {"{\"status\":\"DEACTIVATED\"}", WEIR_DESIRED_SUSPENDED},
	    {"{\"status\":\"RETIRED\"}", WEIR_DESIRED_UNKNOWN},
	    {"{\"status\":\"\"}", WEIR_DESIRED_UNKNOWN},
	};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct weir_outcome outcome = outcome_of(WEIR_CALL_ASK, 200, "", ROWS[i].body);
		assert_int_equal(outcome.kind, WEIR_OUTCOME_STATE);
		assert_int_equal(outcome.state, ROWS[i].state);
	}
}

static void
test_cisco_reads_transport_failures(void **state) /* rule CMD-2 */
{
	(void)state;
	struct weir_carrier_command command = command_of(WEIR_CALL_SET, WEIR_DESIRED_SUSPENDED);
	static const struct {
		enum weir_transport transport;
		bool sent;
	} ROWS[] = {{WEIR_TRANSPORT_NOT_SENT, false}, {WEIR_TRANSPORT_TIMEOUT, true}, {WEIR_TRANSPORT_BROKEN, true}};
	for (size_t i = 0; i < 3; i++) {
		struct weir_carrier_response response = {.transport = ROWS[i].transport, .transport_text = "nothing came"};
		struct weir_outcome outcome = {0};
		weir_carrier_cisco.classify(&command, &response, &outcome);
		assert_int_equal(outcome.kind, WEIR_OUTCOME_RETRY);
		assert_int_equal(outcome.timed_out, ROWS[i].sent);
		assert_int_equal(outcome.maybe_done, ROWS[i].sent);
		assert_string_equal(outcome.text, "nothing came");
	}
}

/* The carrier's words reach audit entries and logs: one line of plain characters, cut to fit. */
static void
test_cisco_words_are_tamed(void **state)
{
	(void)state;
	struct weir_outcome outcome = outcome_of(WEIR_CALL_SET, 404, "", "{\"errorMessage\":\"a\\nb\\u0001\\u00e9\"}");
	assert_string_equal(outcome.text, "HTTP 404: a?b???");
	char body[1000];
	(void)snprintf(body, sizeof(body), "{\"errorMessage\":\"%0500d\"}", 7);
	outcome = outcome_of(WEIR_CALL_SET, 404, "", body);
	assert_int_equal(strlen(outcome.text), sizeof(outcome.text) - 1);
}

/* Whatever comes, an outcome comes out; sanitizers watch. */
static void
test_cisco_survives_noise(void **state)
{
	(void)state;
	static const char WORDS[][16] = {"{", "}", "\"status\"", ":", "\"ACTIVATED\"", "null", "[", "\"errorCode\"", ",",
	    "1e9", "\xff", "\"", "\\u0000", "10030000", "Retry-After:", "\r\n"};
	struct weir_random random = {42};
	for (uint32_t round = 0; round < 20000; round++) {
		char body[256] = "", headers[256] = "";
		for (uint32_t i = 0; i < 12; i++) {
			(void)strcat(i % 3 ? body : headers, WORDS[weir_random_below(&random, 16)]);
		}
		uint32_t status = (uint32_t)weir_random_below(&random, 600);
		struct weir_outcome outcome = outcome_of(round % 2 ? WEIR_CALL_SET : WEIR_CALL_ASK, status, headers, body);
		assert_true(outcome.kind <= WEIR_OUTCOME_CARRIER_DOWN);
		assert_true(outcome.state <= WEIR_DESIRED_SUSPENDED);
		assert_non_null(memchr(outcome.text, '\0', sizeof(outcome.text)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cisco_builds_requests),
	    cmocka_unit_test(test_cisco_checks_settings),
	    cmocka_unit_test(test_cisco_reads_answers),
	    cmocka_unit_test(test_cisco_reads_states),
	    cmocka_unit_test(test_cisco_reads_transport_failures),
	    cmocka_unit_test(test_cisco_words_are_tamed),
	    cmocka_unit_test(test_cisco_survives_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
