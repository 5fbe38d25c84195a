/* The API's parts that need no server: decoding, routes, rates, tokens, what became of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "pipeline/http/api/requests_priv.h"

/* ---- decoding ---- */

static void
decodes(const char *text, bool plus, const char *expected)
{
	char *out = NULL;
	bool right = weir_api_decode(weir_slice_of(text), plus, &out);
	if (expected == NULL) {
		assert_false(right);
		return;
	}
	assert_true(right);
	assert_string_equal(out, expected);
	free(out);
}

static void
decoding_is_strict(void **state)
{
	(void)state;
	decodes("", true, "");
	decodes("a%2Fb%20c", false, "a/b c");
	decodes("a+b", true, "a b");
	decodes("a+b", false, "a+b");
	decodes("%e9%97%a8", false, "\xe9\x97\xa8");
	decodes("%41", false, "A");
	decodes("%4", false, NULL);
	decodes("%", false, NULL);
	decodes("x%zz", false, NULL);
	decodes("%00", false, NULL);
	decodes("%2", true, NULL);
	decodes("%%41", true, NULL);
}

/* ---- routes ---- */

static const struct weir_api_route *
find_route(const char *method, const char *path, struct weir_slice *segments, char *methods)
{
	return weir_api_route_find(method, path, segments, methods);
}

static void
routes_match_whole_segments(void **state)
{
	struct weir_slice s[WEIR_API_SEGMENTS_MAX];
	char methods[64];
	(void)state;
	const struct weir_api_route *route = find_route("GET", "/v1/pools/a%2Fb/members", s, methods);
	assert_non_null(route);
	assert_string_equal(route->path, "/v1/pools/{}/members");
	assert_true(weir_slice_equals(s[0], "a%2Fb"));
	route = find_route("GET", "/v1/cards/1/requests/2", s, methods);
	assert_string_equal(route->path, "/v1/cards/{}/requests/{}");
	assert_true(weir_slice_equals(s[0], "1") && weir_slice_equals(s[1], "2"));
	assert_ptr_equal(find_route("HEAD", "/v1/cards", s, methods), find_route("GET", "/v1/cards", s, methods));
	static const char *const none[] = {"", "/", "v1/cards", "/v1/cards/", "/v1//cards", "/v1/cards/1/",
	    "/v1/cards/1/usage/x", "/v1/card", "/V1/cards"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_null(find_route("GET", none[i], s, methods));
		assert_string_equal(methods, "");
	}
	assert_null(find_route("DELETE", "/v1/cards/1/tags", s, methods));
	assert_string_equal(methods, "PUT");
}

/* What changes something needs the role for it, has a body, and its desk; what does not, has none of them. */
static void
routes_that_change_need_operate(void **state)
{
	uint32_t count;
	const struct weir_api_route *routes = weir_api_routes(&count);
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		bool changes = strcmp(routes[i].method, "GET") != 0;
		assert_int_equal(routes[i].role == WEIR_API_OPERATE, changes);
		assert_int_equal(routes[i].where == WEIR_API_COMMAND_QUEUE, changes);
	}
}

/* ---- rates ---- */

static uint32_t
admitted(struct weir_api_limits *limits, uint64_t key, int64_t at_us, uint32_t tries)
{
	uint32_t n = 0;
	while (tries-- > 0)
		n += weir_api_limits_admit(limits, key, (struct weir_steady){at_us});
	return n;
}

static void
rates_are_per_caller(void **state)
{
	struct weir_api_limits *limits = weir_api_limits_new(10);
	(void)state;
	assert_int_equal(admitted(limits, 1, 1000000, 50), 10);
	assert_int_equal(admitted(limits, 2, 1000000, 50), 10);
	assert_int_equal(admitted(limits, 1, 1000000, 50), 0);
	assert_int_equal(admitted(limits, 1, 1300000, 50), 3);
	assert_int_equal(admitted(limits, 1, 1200000, 50), 0); /* a clock that was read earlier gives nothing */
	assert_int_equal(admitted(limits, 1, 1400000, 50), 1);
	assert_int_equal(admitted(limits, 1, 99000000, 50), 10);
	assert_int_equal(admitted(limits, 0, 200000000, 50), 10); /* no key is a key as well */
	weir_api_limits_free(limits);
}

/* A flood of addresses fills the table; who comes later is still counted. */
static void
rates_survive_a_flood(void **state)
{
	struct weir_api_limits *limits = weir_api_limits_new(5);
	(void)state;
	for (uint64_t key = 1; key < 100000; key++)
		assert_true(weir_api_limits_admit(limits, key, (struct weir_steady){1000000 + (int64_t)key}));
	assert_int_equal(admitted(limits, 777777, 2000000, 20), 5);
	weir_api_limits_free(limits);
}

/* ---- tokens ---- */

static enum weir_class
tokens_of(const char *text, struct weir_api_tokens **tokens_out, struct weir_error *err)
{
	char path[] = "/tmp/weir-tokens-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	enum weir_class class = weir_api_tokens_read(path, tokens_out, err);
	(void)unlink(path);
	return class;
}

#define TOKEN "0123456789abcdef"
/* of "0123456789abcdef" */
#define TOKEN_SHA256 "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"

static void
tokens_plain_and_hashed(void **state)
{
	struct weir_api_tokens *tokens = NULL;
	struct weir_api_caller caller;
	struct weir_error err = {0};
	(void)state;
	assert_int_equal(tokens_of("# people\n\n  anna read   another-token-000000\r\nbo operate sha256:" TOKEN_SHA256 "\n",
			     &tokens, &err),
	    WEIR_OK);
	assert_int_equal(weir_api_tokens_count(tokens), 2);
	assert_true(weir_api_tokens_find(tokens, TOKEN, strlen(TOKEN), &caller));
	assert_string_equal(caller.name, "bo");
	assert_int_equal(caller.role, WEIR_API_OPERATE);
	assert_true(weir_api_tokens_find(tokens, "another-token-000000", 20, &caller));
	assert_int_equal(caller.role, WEIR_API_READ);
	assert_false(weir_api_tokens_find(tokens, TOKEN, strlen(TOKEN) - 1, &caller));
	assert_false(weir_api_tokens_find(tokens, TOKEN_SHA256, strlen(TOKEN_SHA256), &caller));
	assert_false(weir_api_tokens_find(tokens, "", 0, &caller));
	weir_api_tokens_free(tokens);
}

static void
tokens_wrong_lines_are_named(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"a read\n", ":1: must be three words"},
	    {"\na read " TOKEN " more\n", ":2: must be three words"},
	    {"a write " TOKEN "\n", "read or operate"},
	    {"a none " TOKEN "\n", "read or operate"},
	    {"a read short\n", "at least 16"},
	    {"a read sha256:12\n", "64 hexadecimal"},
	    {"a:b read " TOKEN "\n", "the name"},
	    {"abcdefghijklmnopqrstuvwxyz read " TOKEN "\n", "the name"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_api_tokens *tokens = NULL;
		struct weir_error err = {0};
		assert_int_equal(tokens_of(cases[i].text, &tokens, &err), WEIR_FATAL);
		assert_non_null(strstr(err.text, cases[i].words));
		assert_null(strstr(err.text, TOKEN)); /* a secret is not told */
	}
}

/* ---- requests ---- */

static void
request_entries_are_found(void **state)
{
	const struct weir_history_entry entries[] = {
	    {.event = "sent", .reply = "", .topic = "", .partition = -1, .offset = -1},
	    {.event = "request", .reply = "suspend 00ff: done", .topic = "c", .partition = 1, .offset = 7},
	    {.event = "request",
		.reply = "resume : other reasons remain: manual",
		.topic = "c",
		.partition = 1,
		.offset = 9},
	};
	const struct weir_history history = {.entries = entries, .count = 3};
	(void)state;
	assert_ptr_equal(weir_api_entry_find(&history, "00ff", "c", 0, 0), &entries[1]);
	assert_null(weir_api_entry_find(&history, "00f", "c", 0, 0));
	assert_null(weir_api_entry_find(&history, "00ff0", "c", 0, 0));
	assert_ptr_equal(weir_api_entry_find(&history, "nobody", "c", 1, 9), &entries[2]);
	assert_null(weir_api_entry_find(&history, "nobody", "other", 1, 9));
	assert_string_equal(weir_api_entry_reply(&entries[2]), "other reasons remain: manual");
}

static void
request_outcomes(void **state)
{
	const struct weir_history_entry entry = {.event = "request", .reply = ""};
	const struct weir_history few = {.count = 3}, full = {.count = 15, .unreadable = 1};
	(void)state;
	assert_int_equal(weir_api_outcome_of(&few, &entry, false, true, 16), WEIR_API_APPLIED);
	assert_int_equal(weir_api_outcome_of(&few, NULL, false, true, 16), WEIR_API_PENDING);
	assert_int_equal(weir_api_outcome_of(&few, NULL, true, true, 16), WEIR_API_NOT_APPLIED);
	assert_int_equal(weir_api_outcome_of(&full, NULL, true, true, 16), WEIR_API_UNKNOWN);
	assert_int_equal(weir_api_outcome_of(&full, NULL, true, false, 16), WEIR_API_APPLIED);
}

static void
request_ids(void **state)
{
	char a[WEIR_API_ID_TEXT], b[WEIR_API_ID_TEXT];
	(void)state;
	weir_api_id_new(a);
	weir_api_id_new(b);
	assert_true(weir_api_id_is_valid(a) && weir_api_id_is_valid(b));
	assert_string_not_equal(a, b);
	assert_false(weir_api_id_is_valid(""));
	assert_false(weir_api_id_is_valid("0123456789ABCDEF0123456789ABCDEF"));
	assert_false(weir_api_id_is_valid("0123456789abcdef0123456789abcdef0"));
}

static void
files_are_built_in(void **state)
{
	(void)state;
	const struct weir_api_file *page = weir_api_file_find("/index.html");
	assert_non_null(page);
	assert_true(page->len > 0 && page->gzip_len < page->len && strncmp(page->type, "text/html", 9) == 0);
	assert_memory_equal(weir_api_file_openapi()->data, "openapi: 3", 10);
	assert_null(weir_api_file_find("/index.htm"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decoding_is_strict),
	    cmocka_unit_test(routes_match_whole_segments),
	    cmocka_unit_test(routes_that_change_need_operate),
	    cmocka_unit_test(rates_are_per_caller),
	    cmocka_unit_test(rates_survive_a_flood),
	    cmocka_unit_test(tokens_plain_and_hashed),
	    cmocka_unit_test(tokens_wrong_lines_are_named),
	    cmocka_unit_test(request_entries_are_found),
	    cmocka_unit_test(request_outcomes),
	    cmocka_unit_test(request_ids),
	    cmocka_unit_test(files_are_built_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
