/* Cards as CSV; see csv.h. */
#include "pipeline/query/csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/base/decimal.h"
#include "config/base/nearest.h"
#include "config/base/timetext.h"

#define DAY_US INT64_C(86400000000)
#define EASTERNMOST_US (14 * INT64_C(3600000000)) /* that zones are ahead of UTC, at most */
#define WINDOWS_MAX 366u

/* ---- fields ---- */

enum field {
	F_ICCID,
	F_STATUS,
	F_CARRIER,
	F_PLAN,
	F_POOL,
	F_CYCLE,
	F_USED,
	F_UP,
	F_DOWN,
	F_RECORDS,
	F_SESSIONS,
	F_LAST_RECORD,
	F_LIMIT,
	F_TOTAL,
	F_REMAINING,
	F_ADDON,
	F_REASONS,
	F_NOT_ENFORCED,
	F_ACTIVATED,
	F_EXPIRES,
	F_IMEI,
	F_PARENT,
	F_TAGS,
	F_REMARK,
	F_STORED_STATUS,
	F_COMMAND,
	F_TICKET,
	F_PARTITION
};
static const char *const FIELDS[] = {"iccid", "status", "carrier", "plan", "pool", "cycle", "used_bytes", "up_bytes",
    "down_bytes", "records", "sessions", "last_record", "limit_bytes", "total_bytes", "remaining_bytes", "addon_bytes",
    "reasons", "not_enforced", "activated", "expires", "imei", "parent", "tags", "remark", "stored_status", "command",
    "ticket", "partition"};
#define FIELD_COUNT ((uint32_t)(sizeof(FIELDS) / sizeof(FIELDS[0])))
_Static_assert(sizeof(FIELDS) / sizeof(FIELDS[0]) == F_PARTITION + 1, "a name each");
_Static_assert(sizeof(FIELDS) / sizeof(FIELDS[0]) <= WEIR_CSV_FIELDS_MAX, "all of them at once");
#define USUAL "iccid,status,carrier,plan,pool,cycle,used_bytes,remaining_bytes,reasons,last_record,tags"

static const char *const USAGE_FIELDS[] = {"used_bytes", "up_bytes", "down_bytes", "records", "sessions"};
#define USAGE_FIELD_COUNT 5u

const char *
weir_csv_field_name(uint32_t number)
{
	return number < FIELD_COUNT ? FIELDS[number] : NULL;
}

static uint32_t
find_name(const char *word, size_t len, const char *const *names, uint32_t count)
{
	uint32_t i = 0;
	while (i < count && (strlen(names[i]) != len || memcmp(names[i], word, len) != 0))
		i++;
	return i;
}

static enum weir_read
refuse_column(struct weir_error *err, const char *fmt, const char *a, const char *b)
{
	(void)weir_error_set(err, WEIR_POISON, fmt, a, b);
	return WEIR_READ_REFUSED;
}

static enum weir_read
unknown(
    const char *parameter, const char *word, size_t len, const char *const *names, uint32_t count, struct weir_error *err)
{
	char text[64], said[200];
	(void)snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), word);
	const char *nearest = weir_nearest(text, names, count);
	if (nearest != NULL)
		(void)snprintf(said, sizeof(said), "no field '%s'; did you mean '%s'?", text, nearest);
	else
		(void)snprintf(said, sizeof(said), "no field '%s'", text);
	return refuse_column(err, "%s: %s", parameter, said);
}

/* Words with commas between, each at most once. */
static enum weir_read
take_words(const char *parameter, const char *words, const char *const *names, uint32_t count, uint8_t *numbers_out,
    uint32_t *count_out, struct weir_error *err)
{
	*count_out = 0;
	for (const char *at = words;; at++) {
		size_t len = strcspn(at, ",");
		uint32_t number = find_name(at, len, names, count);
		if (number == count)
			return unknown(parameter, at, len, names, count, err);
		for (uint32_t i = 0; i < *count_out; i++)
			if (numbers_out[i] == number)
				return refuse_column(err, "%s: '%s' is named twice", parameter, names[number]);
		numbers_out[(*count_out)++] = (uint8_t)number;
		at += len;
		if (*at == '\0')
			return WEIR_READ_OK;
	}
}

enum weir_read
weir_csv_fields(struct weir_csv *csv, const char *words, struct weir_error *err)
{
	bool usual = words == NULL || words[0] == '\0';
	return take_words("fields", usual ? USUAL : words, FIELDS, FIELD_COUNT, csv->fields, &csv->field_count, err);
}

/* ---- windows of usage ---- */

static bool
day_parse(const char *text, int32_t *day_out)
{
	char instant[32];
	int64_t us;
	if (strlen(text) != 10)
		return false;
	(void)snprintf(instant, sizeof(instant), "%sT00:00:00Z", text);
	if (!weir_time_parse((const uint8_t *)instant, strlen(instant), &us))
		return false;
	*day_out = (int32_t)(us / DAY_US);
	return true;
}

static bool
month_parse(const char *text, int32_t *cycle_out)
{
	int year, month, len = 0;
	if (strlen(text) != 7 || sscanf(text, "%4d-%2d%n", &year, &month, &len) != 2 || len != 7 || year < 1970 ||
	    month < 1 || month > 12)
		return false;
	*cycle_out = (year - 1970) * 12 + month - 1;
	return true;
}

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/*
 * This month's days up to the one that has begun in the easternmost zone, or seven cycles. Cycles that are named after the
 * month in which they end carry the next month's name while they last.
 */
static void
default_range(const struct weir_csv *csv, int64_t now_us, int32_t *first, int32_t *last)
{
	char text[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(now_us, text);
	text[7] = '\0';
	if (csv->span == WEIR_SPAN_CYCLE) {
		(void)month_parse(text, last);
		*first = *last - 6;
		*last += 1;
		return;
	}
	*last = (int32_t)((now_us + EASTERNMOST_US) / DAY_US);
	(void)snprintf(text + 7, sizeof(text) - 7, "-01");
	(void)day_parse(text, first);
}

enum weir_read
weir_csv_usage(struct weir_csv *csv, const char *span, const char *from, const char *to, const char *words, int64_t now_us,
    struct weir_error *err)
{
	int32_t first, last;
	if (!weir_span_parse(span, &csv->span) || csv->span == WEIR_SPAN_HOUR)
		return refuse_column(err, "usage: '%s' is neither day nor cycle%s", span, "");
	bool by_day = csv->span == WEIR_SPAN_DAY;
	const char *right = by_day ? "must be a day as 2026-11-01" : "must be a month as 2026-11";
	default_range(csv, now_us, &first, &last);
	if (is_given(to) && !(by_day ? day_parse(to, &last) : month_parse(to, &last)))
		return refuse_column(err, "to: '%.40s': %s", to, right);
	if (is_given(from) && !(by_day ? day_parse(from, &first) : month_parse(from, &first)))
		return refuse_column(err, "from: '%.40s': %s", from, right);
	if (!is_given(from) && first > last)
		first = last;
	if (first > last)
		return refuse_column(err, "from: '%.40s' is after `to`%s", from, "");
	if (last - first >= (int32_t)WINDOWS_MAX)
		return refuse_column(err, "from: more than 366 windows until `to`%s%s", "", "");
	csv->has_usage = true;
	csv->first = first;
	csv->windows = (uint32_t)(last - first) + 1;
	return take_words("usage_fields", is_given(words) ? words : USAGE_FIELDS[0], USAGE_FIELDS, USAGE_FIELD_COUNT,
	    csv->usage_fields, &csv->usage_field_count, err);
}

/* ---- text ---- */

/*
 * Spreadsheets calculate what begins like this, and what is calculated may send the sheet away. An apostrophe before it
 * makes it a text to them. Names, tags and remarks come from many hands.
 */
static const char *
guard_of(const char *text)
{
	return text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL ? "'" : "";
}

void
weir_csv_text(struct weir_buf *out, const char *text)
{
	size_t len = strlen(text);
	const char *guard = guard_of(text);
	bool quoted = len > 0 && (strpbrk(text, ",\"\r\n\t") != NULL || text[0] == ' ' || text[len - 1] == ' ');
	if (!quoted) {
		weir_buf_append(out, guard, strlen(guard));
		weir_buf_append(out, text, len);
		return;
	}
	weir_buf_printf(out, "\"%s", guard);
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '"')
			weir_buf_append(out, "\"", 1);
		weir_buf_append(out, at, 1);
	}
	weir_buf_append(out, "\"", 1);
}

static void
put_window_name(const struct weir_csv *csv, uint32_t window, struct weir_buf *out)
{
	int32_t number = csv->first + (int32_t)window;
	char text[WEIR_TIME_TEXT_MAX];
	if (csv->span == WEIR_SPAN_DAY) {
		(void)weir_time_format_ms((int64_t)number * DAY_US, text);
		text[10] = '\0';
	} else {
		weir_cycle_format(number, text);
	}
	weir_buf_append(out, text, strlen(text));
}

/* A window's column is its date; with several of them, "2026-11-01 up_bytes". */
void
weir_csv_header(const struct weir_csv *csv, struct weir_buf *out)
{
	for (uint32_t i = 0; i < csv->field_count; i++)
		weir_buf_printf(out, "%s%s", i > 0 ? "," : "", FIELDS[csv->fields[i]]);
	for (uint32_t w = 0; csv->has_usage && w < csv->windows; w++) {
		for (uint32_t i = 0; i < csv->usage_field_count; i++) {
			weir_buf_append(out, ",", 1);
			put_window_name(csv, w, out);
			if (csv->usage_field_count > 1 || csv->usage_fields[0] != 0)
				weir_buf_printf(out, " %s", USAGE_FIELDS[csv->usage_fields[i]]);
		}
	}
	weir_buf_append(out, "\r\n", 2);
}

/* ---- rows ---- */

static void
put_u64(struct weir_buf *out, uint64_t number)
{
	char text[20];
	weir_buf_append(out, text, weir_decimal_format_u64(number, text));
}

static void
put_limit(struct weir_buf *out, uint64_t bytes)
{
	if (bytes != WEIR_NO_LIMIT)
		put_u64(out, bytes);
}

static void
put_time(struct weir_buf *out, int64_t us)
{
	char text[WEIR_TIME_TEXT_MAX];
	if (us <= 0 || us >= WEIR_TIME_LIMIT_US)
		return;
	size_t len = weir_time_format_ms(us, text);
	weir_buf_append(out, text, len);
}

static void
put_reasons(struct weir_buf *out, uint16_t reasons)
{
	const char *between = "";
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++) {
		if ((reasons & WEIR_REASON_BIT(i)) == 0)
			continue;
		weir_buf_printf(out, "%s%s", between, weir_reason_name(i));
		between = ";";
	}
}

static void
put_tags(struct weir_buf *out, const struct weir_card_view *card)
{
	char text[1024];
	size_t len = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < card->tag_count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s", i > 0 ? ";" : "",
		    i > 0 ? guard_of(card->tags[i]) : "", card->tags[i]);
	weir_csv_text(out, text);
}

static void
put_amount(struct weir_buf *out, enum field field, const struct weir_card_view *card)
{
	switch (field) {
	case F_USED:
		put_u64(out, weir_volume_bytes(&card->used));
		break;
	case F_UP:
		put_u64(out, card->used.up);
		break;
	case F_DOWN:
		put_u64(out, card->used.down);
		break;
	case F_RECORDS:
		put_u64(out, card->used.records);
		break;
	case F_SESSIONS:
		put_u64(out, card->used.sessions);
		break;
	case F_LIMIT:
		put_limit(out, card->limit);
		break;
	case F_TOTAL:
		put_limit(out, card->total);
		break;
	case F_REMAINING:
		put_limit(out, card->remaining);
		break;
	case F_ADDON:
		put_u64(out, card->addons);
		break;
	default:
		put_u64(out, card->partition);
		break;
	}
}

static void
put_cycle(struct weir_buf *out, int32_t cycle)
{
	char text[16];
	if (cycle <= 0)
		return;
	weir_cycle_format(cycle, text);
	weir_buf_append(out, text, strlen(text));
}

static void
put_field(struct weir_buf *out, enum field field, const struct weir_card_view *card)
{
	switch (field) {
	case F_ICCID:
		weir_csv_text(out, card->text);
		break;
	case F_STATUS:
		weir_csv_text(out, card->status);
		break;
	case F_STORED_STATUS:
		if (card->stored_status <= WEIR_STATUS_CANCELLED)
			weir_csv_text(out, weir_status_name(card->stored_status));
		break;
	case F_CARRIER:
		weir_csv_text(out, card->carrier);
		break;
	case F_PLAN:
		weir_csv_text(out, card->plan);
		break;
	case F_POOL:
		weir_csv_text(out, card->pool);
		break;
	case F_CYCLE:
		put_cycle(out, card->cycle.number);
		break;
	case F_LAST_RECORD:
		put_time(out, card->last_record_us);
		break;
	case F_ACTIVATED:
		put_time(out, card->activated_us);
		break;
	case F_EXPIRES:
		put_time(out, card->expires_us);
		break;
	case F_REASONS:
		put_reasons(out, card->reasons);
		break;
	case F_NOT_ENFORCED:
		put_reasons(out, card->not_enforced);
		break;
	case F_IMEI:
		if (card->imei14 != 0)
			weir_buf_printf(out, "%014" PRIu64, card->imei14);
		break;
	case F_PARENT:
		weir_csv_text(out, card->parent);
		break;
	case F_TAGS:
		put_tags(out, card);
		break;
	case F_REMARK:
		weir_csv_text(out, card->remark);
		break;
	case F_COMMAND:
		weir_csv_text(out, card->command.exists ? card->command.state : "");
		break;
	case F_TICKET:
		weir_csv_text(out, card->command.ticket);
		break;
	default:
		put_amount(out, field, card);
		break;
	}
}

static uint64_t
usage_value(const struct weir_volume *volume, uint8_t field)
{
	switch (field) {
	case 0:
		return weir_volume_bytes(volume);
	case 1:
		return volume->up;
	case 2:
		return volume->down;
	case 3:
		return volume->records;
	default:
		return volume->sessions;
	}
}

/* Empty when it is not kept: nobody knows what it was. */
static void
put_window(struct weir_buf *out, const struct weir_csv *csv, const struct weir_volume *volume)
{
	for (uint32_t i = 0; i < csv->usage_field_count; i++) {
		weir_buf_append(out, ",", 1);
		if (weir_volume_is_kept(volume))
			put_u64(out, usage_value(volume, csv->usage_fields[i]));
	}
}

enum weir_read
weir_csv_rows(struct weir_reader *reader, const struct weir_csv *csv, const struct weir_card_page *page,
    struct weir_buf *out, struct weir_error *err)
{
	const struct weir_volume *volumes = NULL;
	if (csv->has_usage && page->count > 0) {
		enum weir_read answer =
		    weir_read_page_usage(reader, page, csv->span, csv->first, csv->windows, &volumes, err);
		if (answer != WEIR_READ_OK)
			return answer;
	}
	for (uint32_t c = 0; c < page->count; c++) {
		for (uint32_t i = 0; i < csv->field_count; i++) {
			if (i > 0)
				weir_buf_append(out, ",", 1);
			put_field(out, (enum field)csv->fields[i], &page->cards[c]);
		}
		for (uint32_t w = 0; volumes != NULL && w < csv->windows; w++)
			put_window(out, csv, &volumes[(size_t)c * csv->windows + w]);
		weir_buf_append(out, "\r\n", 2);
	}
	return WEIR_READ_OK;
}
