/* Settings: each stage, every kind of mistake with its line, secrets that never show, and the shipped sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/slice.h"
#include "config/mapping/mapping.h"
#include "config/settings/settings.h"

static char path[64];

/* A file of this text; its name is in `path`. */
static void
file_write(const char *text, size_t len)
{
	(void)strcpy(path, "/tmp/weir_settings_test_XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	assert_int_equal(fwrite(text, 1, len, file), len);
	(void)fclose(file);
}

static struct weir_settings *
load_settings(const char *yaml, const char *const *sets, uint32_t set_count)
{
	struct weir_settings *settings = NULL;
	struct weir_error err = {0};
	struct weir_set rows[8];
	for (uint32_t i = 0; i < set_count; i++)
		rows[i].key_value = sets[i];
	file_write(yaml, strlen(yaml));
	enum weir_class class = weir_settings_load(path, rows, set_count, &settings, &err);
	(void)unlink(path);
	if (class != WEIR_OK)
		fail_msg("%s", err.text);
	return settings;
}

/* The file is refused, and the first mistake says this at this line (0 = any). */
static void
refused(const char *yaml, uint32_t line, const char *says)
{
	struct weir_settings *settings = NULL;
	struct weir_error err = {0};
	char place[96];
	file_write(yaml, strlen(yaml));
	enum weir_class class = weir_settings_load(path, NULL, 0, &settings, &err);
	(void)snprintf(place, sizeof(place), "%s:%u: ", path, line);
	(void)unlink(path);
	assert_int_equal(class, WEIR_POISON);
	assert_null(settings);
	if (strstr(err.text, says) == NULL || (line > 0 && strncmp(err.text, place, strlen(place)) != 0))
		fail_msg("'%s' does not say '%s%s'", err.text, place, says);
}

static char *
print_settings(const struct weir_settings *settings)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	weir_settings_print(settings, file);
	(void)fclose(file);
	return text;
}

static void
test_defaults(void **state)
{
	(void)state;
	struct weir_settings *settings = NULL;
	assert_int_equal(weir_settings_load(NULL, NULL, 0, &settings, NULL), WEIR_OK);
	assert_string_equal(settings->kafka_brokers, "localhost:9092");
	assert_string_equal(settings->topic_dead, "weir.dead");
	assert_int_equal(settings->flush_unflushed_max, 268435456);
	assert_int_equal(settings->dedupe_horizon_h, 48);
	assert_int_equal(settings->cycles_kept, 6);
	assert_false(settings->shadow);
	assert_string_equal(settings->topic_partials, "weir.partials");
	assert_string_equal(settings->topic_alerts, "weir.alerts");
	assert_int_equal(settings->pool_tick_ms, 1000);
	assert_int_equal(settings->pool_unreported_floor, 65536);
	assert_int_equal(settings->guard_percent, 0);
	assert_int_equal(settings->guard_cards_min, 1000);
	assert_int_equal(settings->guard_window_s, 600);
	assert_int_equal(settings->input_count, 1);
	assert_string_equal(settings->inputs[0].topic, "weir.records");
	assert_string_equal(settings->inputs[0].format, "canonical");
	assert_null(settings->inputs[0].mapping);
	assert_string_equal(settings->redis_password, "");
	const struct weir_carrier_settings *carrier = weir_settings_carrier(settings, "cm");
	assert_string_equal(carrier->adapter, "log");
	assert_int_equal(carrier->rate_per_s, 10);
	weir_settings_free(settings);
}

static void
test_file(void **state)
{
	(void)state;
	struct weir_settings *settings =
	    load_settings("kafka:\n  brokers: a:1,b:2\n  queue_kb: 2048\n"
			  "  properties:\n    security.protocol: SSL\n    ssl:\n      ca.location: /ca\n"
			  "flush.unflushed_max: 2 GiB\nlane.message_max_bytes: 64KiB\nenforcement: {shadow: true}\n"
			  "redis:\nlog:\n  file:\n"
			  "carriers:\n  default: {rate_per_s: 7}\n  ct: {adapter: cisco, url: 'http://h:1'}\n"
			  "inputs: [{topic: t1}, {topic: t2, format: f}, {topic: t3, format: packed}]\n"
			  "feeds:\n  f: {id: i, up: u, end: e}\n",
		NULL, 0);
	assert_string_equal(settings->kafka_brokers, "a:1,b:2");
	assert_int_equal(settings->kafka_queue_kb, 2048);
	assert_int_equal(settings->flush_unflushed_max, UINT64_C(2147483648));
	assert_int_equal(settings->message_max_bytes, 65536);
	assert_true(settings->shadow);
	assert_int_equal(settings->kafka_property_count, 2);
	assert_string_equal(settings->kafka_properties[1].name, "ssl.ca.location");
	assert_string_equal(settings->kafka_properties[1].value, "/ca");
	assert_int_equal(settings->input_count, 3);
	assert_ptr_equal(settings->inputs[1].mapping, settings->mappings[0]);
	assert_null(settings->inputs[2].mapping);
	assert_int_equal(weir_settings_carrier(settings, "cm")->rate_per_s, 7);
	assert_int_equal(weir_settings_carrier(settings, "ct")->rate_per_s, 10);
	assert_string_equal(weir_settings_carrier(settings, "ct")->url, "http://h:1");
	weir_settings_free(settings);
}

static void
test_later_stage_wins(void **state)
{
	(void)state;
	static const char *const sets[] = {"lane.count=5", "inputs=[{topic: x, format: packed}]",
	    "carriers.ct.rate_per_s=9", "kafka.properties.client.id=c"};
	(void)setenv("WEIR_LANE_COUNT", "4", 1);
	(void)setenv("WEIR_LANE_BATCH_RECORDS", "100", 1);
	(void)setenv("WEIR_KAFKA_PROPERTIES_SASL_USERNAME", "me", 1);
	(void)setenv("WEIR_CARRIER_CT_API_KEY", "k3y", 1);
	struct weir_settings *settings = load_settings(
	    "lane: {count: 3, batch_records: 64, parked_max: 77}\ninputs: [{topic: y}]\ncarriers: {ct: {}}\n", sets, 4);
	(void)unsetenv("WEIR_LANE_COUNT");
	(void)unsetenv("WEIR_LANE_BATCH_RECORDS");
	(void)unsetenv("WEIR_KAFKA_PROPERTIES_SASL_USERNAME");
	(void)unsetenv("WEIR_CARRIER_CT_API_KEY");
	assert_int_equal(settings->lane_count, 5);
	assert_int_equal(settings->lane_batch_records, 100);
	assert_int_equal(settings->lane_parked_max, 77);
	assert_int_equal(settings->input_count, 1);
	assert_string_equal(settings->inputs[0].topic, "x");
	assert_int_equal(weir_settings_carrier(settings, "ct")->rate_per_s, 9);
	assert_string_equal(weir_settings_carrier(settings, "ct")->api_key, "k3y");
	assert_int_equal(settings->kafka_property_count, 2);
	assert_string_equal(settings->kafka_properties[0].name, "sasl.username");
	assert_string_equal(settings->kafka_properties[1].name, "client.id");
	weir_settings_free(settings);
}

static void
test_mistakes(void **state)
{
	(void)state;
	refused("kafka:\n  broker: x\n", 2, "did you mean kafka.brokers?");
	refused("brokers: x\n", 1, "did you mean kafka.brokers?");
	refused("kafak:\n  brokers: x\n", 1, "kafak: unknown key");
	refused("feedz: {}\n", 1, "did you mean feeds?");
	refused("zzzzzzzz: 1\n", 1, "zzzzzzzz: unknown key");
	refused("lane:\n  count: two\n", 2, "lane.count: not a whole number: 'two'; must be 1 to 64");
	refused("lane.count: 0\n", 1, "out of range");
	refused("lane.count: 65\n", 1, "out of range");
	refused("lane.count: -1\n", 1, "not a whole number");
	refused("lane.count: 1e1\n", 1, "not a whole number");
	refused("lane.count: 0x2\n", 1, "not a whole number");
	refused("lane.count: 4294967298\n", 1, "out of range");
	refused("flush.unflushed_max: 18446744073709551616\n", 1, "not a whole number");
	refused("flush.unflushed_max: 17179869185GiB\n", 1, "not a whole number");
	refused("flush.unflushed_max: 5MB\n", 1, "not a whole number");
	refused("flush.interval_ms: 5KiB\n", 1, "not a whole number");
	refused("lane.count:\n", 1, "not a whole number");
	refused("lane.count: [1]\n", 1, "a list; must be one value");
	refused("enforcement:\n  shadow: yes\n", 2, "must be true or false");
	refused("redis.url: localhost:6379\n", 1, "redis://host");
	refused("redis.prefix: 'a{b'\n", 1, "without braces");
	refused("log.level: verbose\n", 1, "debug, info, warn or error");
	refused("topics.dead: 'a b'\n", 1, "letters, digits");
	refused("kafka.brokers: ''\n", 1, "empty");
	refused("redis:\n  password: hunter2\n", 2, "a secret must not be here");
	refused("carriers:\n  ct:\n    api_key: hunter2\n", 3, "a secret must not be here");
	refused("redis.password_file: /nonexistent/secret\n", 1, "cannot be opened");
	refused("redis.password_file: /dev/zero\n", 1, "not a regular file");
	refused("redis.password_file: /\n", 1, "not a regular file");
	refused("kafka: {brokers: a}\nkafka.brokers: b\n", 2, "given twice");
	refused("kafka:\n  brokers: a\n  brokers: b\n", 3, "given twice; first in line 2");
	refused("inputs: []\n", 1, "a list of 1 to 8");
	refused("inputs: [{topic: a, fromat: b}]\n", 1, "did you mean format?");
	refused(
	    "inputs:\n  - {topic: a, format: emnfy}\nfeeds: {emnify: {id: i, up: u, end: e}}\n", 2, "did you mean emnify?");
	refused("inputs:\n  - {topic: a}\n  - {topic: a}\n", 3, "given twice");
	refused("inputs: [{topic: weir.cards}]\n", 1, "also one of");
	refused("inputs: [{topic: a/b}]\n", 1, "letters, digits");
	refused("topics.cards: weir.dead\n", 0, "must differ");
	refused("topics: {partials: x, alerts: x}\n", 0, "must differ");
	refused("inputs: [{topic: weir.partials}]\n", 1, "also one of");
	refused("inputs: [{topic: weir.alerts}]\n", 1, "also one of");
	refused("dedupe.horizon_h: 601\n", 1, "out of range");
	refused("pool.tick_ms: 99\n", 1, "out of range");
	refused("pool: {slack_floor: -1}\n", 1, "slack_floor");
	refused("guard: {percent: 101}\n", 1, "out of range");
	refused("guard: {windows_s: 5}\n", 1, "did you mean guard.window_s?");
	refused("feeds: {canonical: {id: i, up: u, end: e}}\n", 1, "other than canonical");
	refused("feeds:\n  f:\n    id: i\n    upp: u\n    end: e\n", 4, "feeds.f.upp: unknown");
	refused("carriers: [{id: ct}]\n", 1, "a map from carrier id");
	refused("carriers:\n  ct:\n    rate: 5\n", 3, "carriers.ct.rate: unknown key");
	refused("carriers:\n  ct: {rate_per_s: 0}\n", 2, "out of range");
	refused("carriers: {ct: {adapter: cisco}}\n", 0, "adapter cisco needs it");
	refused("carriers: {ct: {retry_min_ms: 10, retry_max_ms: 5}}\n", 0, "retry_min_ms above");
	refused("dedupe: {horizon_h: 1, fresh_h: 2}\n", 0, "above dedupe.horizon_h");
	refused("kafka.properties: [a]\n", 1, "a map of names and values");
	refused("[1]\n", 1, "a map of settings");
}

static void
test_hostile_yaml(void **state)
{
	(void)state;
	refused("a: &x [1]\nb: *x\n", 1, "not supported");
	refused("a: *x\n", 1, "aliases are not supported");
	refused("a: !!str 5\n", 1, "not supported");
	refused("a: [\n", 0, "not valid YAML");
	refused("\tkafka: x\n", 0, "not valid YAML");
	refused("a: 1\n---\nb: 2\n", 0, "second document");
	refused("? [a]\n: b\n", 1, "a key must be a plain word");
	refused("log.file: \"a\\0b\"\n", 1, "zero byte");
	refused("kafka.brokers: \xff\xfe\n", 0, "not valid YAML");
	char deep[20001];
	memset(deep, '[', 10000);
	memset(deep + 10000, ']', 10000);
	deep[20000] = '\0';
	refused(deep, 1, "nested too deeply");
	char *wide = malloc(200000);
	size_t len = 0;
	for (int i = 0; i < 10000; i++)
		len += (size_t)sprintf(wide + len, "k%d: 1\n", i);
	refused(wide, 0, "too many members");
	free(wide);
	struct weir_settings *settings = NULL;
	assert_int_equal(weir_settings_load("/nonexistent.yaml", NULL, 0, &settings, NULL), WEIR_POISON);
	assert_int_equal(weir_settings_load("/dev/zero", NULL, 0, &settings, NULL), WEIR_POISON);
}

static void
test_bad_sets_and_variables(void **state)
{
	(void)state;
	static const char *const sets[] = {"", "lane.count", "=5", "lane.count=x", "lane.cuont=5", "redis.password=hunter2",
	    "inputs=[", "inputs=5", "carriers.ct=5", "carriers.ct.api_key=hunter2"};
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct weir_settings *settings = NULL;
		struct weir_error err = {0};
		struct weir_set set = {sets[i]};
		assert_int_equal(weir_settings_load(NULL, &set, 1, &settings, &err), WEIR_POISON);
		assert_non_null(strstr(err.text, "--set"));
		assert_null(strstr(err.text, "hunter2"));
	}
	struct weir_settings *settings = NULL;
	struct weir_error err = {0};
	(void)setenv("WEIR_LANE_COUNT", "x", 1);
	assert_int_equal(weir_settings_load(NULL, NULL, 0, &settings, &err), WEIR_POISON);
	(void)unsetenv("WEIR_LANE_COUNT");
	assert_non_null(strstr(err.text, "WEIR_LANE_COUNT"));
}

static void
test_check_lists_all(void **state)
{
	(void)state;
	static const char yaml[] = "lane.count: 0\nlane.cuont: 1\nfeeds:\n  f: {upp: x}\nredis.url: x\n";
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	file_write(yaml, strlen(yaml));
	struct weir_set set = {"nonsense"};
	uint32_t count = weir_settings_check(path, &set, 1, out);
	(void)unlink(path);
	(void)fclose(out);
	uint32_t lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	assert_int_equal(count, 5);
	assert_int_equal(lines, 5);
	free(text);
}

static void
test_secrets_are_masked(void **state)
{
	(void)state;
	char secret[64];
	file_write("s3cret-file\nrest\n", 17);
	(void)strcpy(secret, path);
	char yaml[512];
	(void)snprintf(yaml, sizeof(yaml),
	    "redis: {password_file: %s, url: 'redis://u:s3cret-url@h:1/0'}\ncarriers: {ct: {api_key_file: %s}}\n"
	    "kafka.properties: {sasl.password_file: %s, ssl.key.pem: s3cret, sasl.oauthbearer.client.secret: s3cret, a: "
	    "b}\n",
	    secret, secret, secret);
	struct weir_settings *settings = load_settings(yaml, NULL, 0);
	(void)unlink(secret);
	assert_string_equal(settings->redis_password, "s3cret-file");
	assert_string_equal(weir_settings_carrier(settings, "ct")->api_key, "s3cret-file");
	assert_string_equal(settings->kafka_properties[0].name, "sasl.password");
	assert_string_equal(settings->kafka_properties[0].value, "s3cret-file");
	char *text = print_settings(settings);
	assert_null(strstr(text, "s3cret"));
	assert_non_null(strstr(text, "redis.password: \"***\""));
	assert_non_null(strstr(text, "redis://u:***@h:1/0"));
	assert_non_null(strstr(text, "\"a\": \"b\""));
	free(text);
	weir_settings_free(settings);
	(void)setenv("WEIR_REDIS_PASSWORD", "s3cret-env", 1);
	settings = load_settings("", NULL, 0);
	(void)unsetenv("WEIR_REDIS_PASSWORD");
	assert_string_equal(settings->redis_password, "s3cret-env");
	weir_settings_free(settings);
}

static void
test_print_reads_back(void **state)
{
	(void)state;
	struct weir_settings *settings = NULL;
	struct weir_error err = {0};
	if (weir_settings_load("config/samples/weir.yaml", NULL, 0, &settings, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	char *first = print_settings(settings);
	weir_settings_free(settings);
	settings = load_settings(first, NULL, 0);
	char *second = print_settings(settings);
	assert_string_equal(first, second);
	free(first);
	free(second);
	weir_settings_free(settings);
}

static void
test_sample(void **state)
{
	(void)state;
	struct weir_settings *settings = NULL;
	assert_int_equal(weir_settings_load("config/samples/weir.yaml", NULL, 0, &settings, NULL), WEIR_OK);
	assert_int_equal(settings->mapping_count, 2);
	assert_int_equal(settings->input_count, 3);
	assert_string_equal(settings->inputs[1].mapping->name, "kore");
	assert_int_equal(settings->inputs[1].mapping->filters[0].value_count, 2);
	assert_string_equal(settings->inputs[2].mapping->fields[WEIR_FIELD_UP].path, "volume.tx");
	weir_settings_free(settings);
}

/* docs/configuration.md holds the table as it is now. */
static void
test_documented(void **state)
{
	(void)state;
	char *table = NULL, *text = calloc(1, 1 << 20);
	size_t len = 0;
	FILE *out = open_memstream(&table, &len);
	weir_settings_print_table(out);
	(void)fclose(out);
	FILE *file = fopen("docs/configuration.md", "r");
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	(void)fclose(file);
	assert_non_null(strstr(text, table));
	free(table);
	free(text);
}

static void
test_nearest(void **state)
{
	(void)state;
	static const char *const words[] = {"run", "check", "load", "status"};
	assert_string_equal(weir_nearest("chekc", words, 4), "check");
	assert_string_equal(weir_nearest("rnu", words, 4), "run");
	assert_string_equal(weir_nearest("statsu", words, 4), "status");
	assert_null(weir_nearest("", words, 4));
	assert_null(weir_nearest("completely", words, 4));
	assert_null(weir_nearest("ru", words, 0));
	char longest[4096];
	memset(longest, 'r', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(weir_nearest(longest, words, 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_later_stage_wins),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_hostile_yaml),
	    cmocka_unit_test(test_bad_sets_and_variables),
	    cmocka_unit_test(test_check_lists_all),
	    cmocka_unit_test(test_secrets_are_masked),
	    cmocka_unit_test(test_print_reads_back),
	    cmocka_unit_test(test_sample),
	    cmocka_unit_test(test_documented),
	    cmocka_unit_test(test_nearest),
	};
	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
