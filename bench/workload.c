/*
 * Workload files; see workload.h. One table of keys says how each is written, its bounds and its default; parsing, printing
 * and documentation go by it.
 */
#include "bench/workload.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/base/decimal.h"
#include "config/base/file.h"
#include "config/base/nearest.h"
#include "config/base/options.h"
#include "config/base/timetext.h"
#include "config/yaml/document.h"

enum { FILE_MAX = 65536, KEYS_MAX = 32 };
#define PPM 1000000u

enum kind { NUMBER, PERCENT, FACTOR, DURATION, TIME, FORMAT, IDENTITY, TEXT };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max;   /* in the member's unit */
	const char *initial; /* NULL: must be given */
	const char *help;
};

#define AT(member) offsetof(struct workload, member)
static const struct key keys[] = {
    {"version", NUMBER, AT(version), 1, 1, NULL, "of the meaning of these keys: 1"},
    {"title", TEXT, AT(title), 1, WORKLOAD_TITLE_MAX - 1, NULL, "a few words for people"},
    {"cards", NUMBER, AT(cards), 1, 1000000000, NULL, "cards of the fleet"},
    {"records", NUMBER, AT(records), 1, 1000000000000, NULL, "records of a whole run"},
    {"format", FORMAT, AT(format), 0, 0, "json", "json or packed"},
    {"batch", NUMBER, AT(batch), 1, 1000, "1", "records a Kafka message"},
    {"identity", IDENTITY, AT(identity), 0, 0, "id", "id, or sequence: session with sequence number"},
    {"skew", FACTOR, AT(skew_ppm), 0, 3000000, "0", "exponent s of a Zipf distribution over the cards, 0: all alike"},
    {"interval", DURATION, AT(interval_ms), 1, 86400000ull * 366, NULL, "between two records of a card, on average"},
    {"start", TIME, AT(start_us), 1, WEIR_TIME_LIMIT_US, NULL, "when the first record arrives, in virtual time"},
    {"surge", FACTOR, AT(surge_ppm), 0, 1000000000, "0", "records come so many times as often for a while, 0: never"},
    {"surge_at", TIME, AT(surge_at_us), 0, WEIR_TIME_LIMIT_US, "", "when that begins"},
    {"surge_for", DURATION, AT(surge_ms), 0, 86400000, "0s", "how long it lasts"},
    {"volume_max", NUMBER, AT(volume_max), 1, (uint64_t)1 << 50, "1048576", "bytes of one record, up to this"},
    {"allowance", NUMBER, AT(allowance), 0, (uint64_t)1 << 60, "0", "bytes a card and cycle, 0: without end"},
    {"pools", NUMBER, AT(pools), 0, 1000000, "0", "data pools"},
    {"pool_cards", PERCENT, AT(pool_cards_ppm), 0, PPM, "0%", "share of the cards that are in a pool"},
    {"pool_largest", PERCENT, AT(pool_largest_ppm), 0, PPM, "0%", "share of those in the first pool, 0%: all pools alike"},
    {"duplicates", PERCENT, AT(duplicates_ppm), 0, 900000, "0%", "share of records that are sent again"},
    {"late", PERCENT, AT(late_ppm), 0, PPM, "0%", "share of records that are late"},
    {"late_up_to", DURATION, AT(late_ms), 0, 86400000ull * 31, "0s", "how late they are at most"},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))
_Static_assert(KEY_COUNT <= KEYS_MAX, "lists of names");

static uint64_t *
number_at(struct workload *w, const struct key *key)
{
	return (uint64_t *)(void *)((char *)w + key->offset);
}

static bool
word_take(const char *text, const char *zero, const char *one, uint64_t *out)
{
	*out = strcmp(text, one) == 0;
	return *out == 1 || strcmp(text, zero) == 0;
}

/* "2.5%" or "1.1" to millionths, digits only. */
static bool
decimal_take(const char *text, bool percent, uint64_t *out)
{
	size_t len = strlen(text);
	if (percent && (len == 0 || text[--len] != '%'))
		return false;
	return strcspn(text, "eE") >= len &&
	       weir_decimal_to_bytes((const uint8_t *)text, len, percent ? PPM / 100 : PPM, out);
}

static bool
time_take(const char *text, uint64_t *out)
{
	int64_t us = 0;
	bool good = text[0] == '\0' || weir_time_parse((const uint8_t *)text, strlen(text), &us);
	*out = (uint64_t)us;
	return good;
}

/* False: *right_out says what it must be. */
static bool
value_take(struct workload *w, const struct key *key, const char *text, const char **right_out)
{
	static const char *const right[] = {[NUMBER] = "a whole number",
	    [PERCENT] = "a share such as 2.5%",
	    [FACTOR] = "a number such as 1.1",
	    [DURATION] = "a duration such as 500ms, 20s, 5m or 12h",
	    [TIME] = "a time such as 2026-03-30T05:00:00Z",
	    [FORMAT] = "json or packed",
	    [IDENTITY] = "id or sequence",
	    [TEXT] = "a text"};
	uint64_t *to = number_at(w, key);
	*right_out = right[key->kind];
	switch (key->kind) {
	case NUMBER:
		return weir_decimal_parse_u64((const uint8_t *)text, strlen(text), to);
	case PERCENT:
	case FACTOR:
		return decimal_take(text, key->kind == PERCENT, to);
	case DURATION:
		return weir_duration_parse(text, to);
	case TIME:
		return time_take(text, to);
	case FORMAT:
		return word_take(text, "json", "packed", to);
	case IDENTITY:
		return word_take(text, "id", "sequence", to);
	case TEXT:
		(void)snprintf((char *)to, WORKLOAD_TITLE_MAX, "%s", text);
		return strlen(text) >= key->min && strlen(text) <= key->max;
	}
	return false;
}

static void
value_print(const struct workload *w, const struct key *key, char *out, size_t cap)
{
	uint64_t value = *number_at((struct workload *)(uintptr_t)w, key);
	char time[WEIR_TIME_TEXT_MAX];
	switch (key->kind) {
	case NUMBER:
		(void)snprintf(out, cap, "%" PRIu64, value);
		return;
	case PERCENT:
		(void)snprintf(out, cap, "%g%%", (double)value / 1e4);
		return;
	case FACTOR:
		(void)snprintf(out, cap, "%g", (double)value / 1e6);
		return;
	case DURATION:
		(void)snprintf(out, cap, value % 1000 == 0 ? "%" PRIu64 "s" : "%" PRIu64 "ms",
		    value % 1000 == 0 ? value / 1000 : value);
		return;
	case TIME:
		(void)weir_time_format_ms((int64_t)value, time);
		(void)snprintf(out, cap, "%s", value == 0 ? "" : time);
		return;
	case FORMAT:
		(void)snprintf(out, cap, "%s", value == WORKLOAD_PACKED ? "packed" : "json");
		return;
	case IDENTITY:
		(void)snprintf(out, cap, "%s", value == WORKLOAD_BY_SEQUENCE ? "sequence" : "id");
		return;
	case TEXT:
		(void)snprintf(out, cap, "%s", w->title);
	}
}

void
workload_each(
    const struct workload *w, void (*each)(void *ctx, const char *key, const char *value, const char *help), void *ctx)
{
	char text[WORKLOAD_TITLE_MAX];
	for (size_t i = 0; i < KEY_COUNT; i++) {
		value_print(w, &keys[i], text, sizeof(text));
		each(ctx, keys[i].name, text, keys[i].help);
	}
}

static enum weir_class
mistake(struct weir_error *err, const char *source, uint32_t line, const char *key, const char *what)
{
	if (line == 0)
		return weir_error_set(err, WEIR_POISON, "%s: %s: %s", source, key, what);
	return weir_error_set(err, WEIR_POISON, "%s:%u: %s: %s", source, line, key, what);
}

static enum weir_class
unknown_key(struct weir_error *err, const char *source, const struct weir_yaml *node)
{
	const char *names[KEYS_MAX];
	char what[128];
	for (size_t i = 0; i < KEY_COUNT; i++)
		names[i] = keys[i].name;
	const char *near = weir_nearest(node->name, names, KEY_COUNT);
	(void)snprintf(
	    what, sizeof(what), near != NULL ? "no such key; did you mean %s?" : "no such key%s", near != NULL ? near : "");
	return mistake(err, source, node->line, node->name, what);
}

static enum weir_class
key_read(
    struct workload *w, const struct key *key, const struct weir_yaml *node, const char *source, struct weir_error *err)
{
	char what[256];
	const char *right;
	if (node->kind != WEIR_YAML_SCALAR)
		return mistake(err, source, node->line, key->name, "must be one value");
	if (!value_take(w, key, node->text, &right)) {
		(void)snprintf(what, sizeof(what), "'%.64s' is none; must be %s", node->text, right);
		return mistake(err, source, node->line, key->name, what);
	}
	uint64_t value = *number_at(w, key);
	if (key->kind == TEXT || key->max == 0 || (value >= key->min && value <= key->max))
		return WEIR_OK;
	struct workload bound = *w;
	char least[WORKLOAD_TITLE_MAX], most[WORKLOAD_TITLE_MAX];
	*number_at(&bound, key) = key->min;
	value_print(&bound, key, least, sizeof(least));
	*number_at(&bound, key) = key->max;
	value_print(&bound, key, most, sizeof(most));
	(void)snprintf(what, sizeof(what), "'%.64s' is out of bounds; must be %.48s to %.48s", node->text, least, most);
	return mistake(err, source, node->line, key->name, what);
}

static uint32_t
line_of(const struct weir_yaml *root, const char *key)
{
	const struct weir_yaml *node = weir_yaml_member(root, key);
	return node != NULL ? node->line : 0;
}

/* What concerns several keys. */
static enum weir_class
check_whole(const struct workload *w, const struct weir_yaml *root, const char *source, struct weir_error *err)
{
	if ((w->pools == 0) != (w->pool_cards_ppm == 0))
		return mistake(err, source, line_of(root, w->pools == 0 ? "pool_cards" : "pools"),
		    w->pools == 0 ? "pool_cards" : "pools", "pools and pool_cards go together");
	if (w->pools > 0 && w->allowance == 0)
		return mistake(err, source, line_of(root, "pools"), "pools", "pools need an allowance of their cards");
	if (w->pools > 0 && w->cards / PPM * w->pool_cards_ppm + w->cards % PPM * w->pool_cards_ppm / PPM < w->pools)
		return mistake(err, source, line_of(root, "pools"), "pools", "fewer cards in pools than pools");
	if ((w->late_ppm == 0) != (w->late_ms == 0))
		return mistake(err, source, line_of(root, w->late_ppm == 0 ? "late_up_to" : "late"),
		    w->late_ppm == 0 ? "late_up_to" : "late", "late and late_up_to go together");
	if ((w->surge_ppm == 0) != (w->surge_ms == 0) || (w->surge_ppm == 0) != (w->surge_at_us == 0))
		return mistake(err, source, line_of(root, "surge"), "surge", "surge, surge_at and surge_for go together");
	return WEIR_OK;
}

static enum weir_class
tree_read(struct workload *w, const struct weir_yaml *root, const char *source, struct weir_error *err)
{
	bool given[KEY_COUNT] = {false};
	const char *right;
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (keys[i].initial != NULL)
			WEIR_CHECK(value_take(w, &keys[i], keys[i].initial, &right));
	for (uint32_t i = 0; i < root->child_count; i++) {
		const struct weir_yaml *node = &root->children[i];
		size_t k = 0;
		while (k < KEY_COUNT && (node->name == NULL || strcmp(keys[k].name, node->name) != 0))
			k++;
		if (k == KEY_COUNT)
			return unknown_key(err, source, node);
		if (key_read(w, &keys[k], node, source, err) != WEIR_OK)
			return WEIR_POISON;
		given[k] = true;
	}
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (keys[i].initial == NULL && !given[i])
			return mistake(err, source, 0, keys[i].name, "is missing");
	return check_whole(w, root, source, err);
}

enum weir_class
workload_parse(struct weir_slice text, const char *source, struct workload *out, struct weir_error *err)
{
	struct weir_yaml root;
	const char *base = strrchr(source, '/');
	base = base == NULL ? source : base + 1;
	*out = (struct workload){0};
	(void)snprintf(out->name, sizeof(out->name), "%.*s", (int)strcspn(base, "."), base);
	if (weir_yaml_parse(text, source, &root, err) != WEIR_OK)
		return WEIR_POISON;
	enum weir_class class = root.kind == WEIR_YAML_MAP
				    ? tree_read(out, &root, source, err)
				    : weir_error_set(err, WEIR_POISON, "%s:1: must be lines of `key: value`", source);
	weir_yaml_free(&root);
	return class;
}

/* The file of a workload's name; the last place that was searched when there is none. */
static void
path_of(const char *name, char *path, size_t cap)
{
	char self[PATH_MAX] = "";
	const char *folder = getenv("WEIR_BENCH_WORKLOADS");
	size_t len = strlen(name);
	if (strchr(name, '/') != NULL || (len > 5 && strcmp(name + len - 5, ".conf") == 0)) {
		(void)snprintf(path, cap, "%s", name);
		return;
	}
	if (folder != NULL && folder[0] != '\0') {
		(void)snprintf(path, cap, "%s/%s.conf", folder, name);
		return;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0)
		*strrchr(self, '/') = '\0';
	(void)snprintf(path, cap, "%s/../../share/weir/workloads/%s.conf", self, name);
	if (access(path, R_OK) != 0)
		(void)snprintf(path, cap, "%s/workloads/%s.conf", self, name);
}

enum weir_class
workload_load(const char *name, struct workload *workload_out, struct weir_error *err)
{
	char path[PATH_MAX + 256];
	struct weir_buf text = {0};
	path_of(name, path, sizeof(path));
	enum weir_class class = weir_file_read(path, FILE_MAX, &text, err);
	if (class == WEIR_OK)
		class = workload_parse((struct weir_slice){text.data, text.len}, path, workload_out, err);
	weir_buf_free(&text);
	return class;
}

void
workload_scale(struct workload *w, uint64_t cards, uint64_t records)
{
	if (cards != 0 && w->pools > 0) {
		uint64_t pools = (uint64_t)((double)w->pools * (double)cards / (double)w->cards);
		w->pools = pools < 1 ? 1 : pools < w->pools ? pools : w->pools;
	}
	w->cards = cards != 0 ? cards : w->cards;
	w->records = records != 0 ? records : w->records;
}
