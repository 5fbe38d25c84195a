/*
 * Reading TZif files (RFC 8536) and looking up offsets. The version 1 block is skipped: its 32-bit times end in 2038. Zones
 * with leap seconds ("right/…") are refused, as record times have none.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/base/file.h"
#include "config/calendar/calendar.h"
#include "config/calendar/zone_priv.h"

#define HEADER_LEN 44
#define FILE_MAX (256 * 1024)
#define OFFSET_MAX_S (26 * 3600)
#define AT_MIN_US INT64_C(-62135596800000000) /* year 1 */
#define AT_MAX_US INT64_C(253402300799999999) /* year 9999 */

struct tzif_counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t
be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t
be64(const uint8_t *at)
{
	return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

static bool
header_parse(struct weir_slice tzif, struct tzif_counts *counts)
{
	if (tzif.len < HEADER_LEN || memcmp(tzif.data, "TZif", 4) != 0 || tzif.data[4] < '2')
		return false;
	const uint8_t *at = tzif.data + 20;
	*counts = (struct tzif_counts){be32(at), be32(at + 4), be32(at + 8), be32(at + 12), be32(at + 16), be32(at + 20)};
	return counts->isut <= 256 && counts->isstd <= 256 && counts->leap <= 4096 && counts->time <= 16384 &&
	       counts->type >= 1 && counts->type <= 256 && counts->chars <= 65536;
}

static size_t
body_len(const struct tzif_counts *counts, size_t time_size)
{
	return counts->time * time_size + counts->time + counts->type * (size_t)6 + counts->chars +
	       counts->leap * (time_size + 4) + counts->isstd + counts->isut;
}

/* Fills offsets of types; false when one is out of range. */
static bool
types_parse(const uint8_t *at, uint32_t count, int32_t *offsets)
{
	for (uint32_t i = 0; i < count; i++) {
		offsets[i] = (int32_t)be32(at + i * (size_t)6);
		if (offsets[i] < -OFFSET_MAX_S || offsets[i] > OFFSET_MAX_S)
			return false;
	}
	return true;
}

static bool
changes_parse(const uint8_t *body, const struct tzif_counts *counts, struct weir_zone *zone)
{
	int32_t offsets[256];
	const uint8_t *indexes = body + counts->time * (size_t)8;
	if (!types_parse(indexes + counts->time, counts->type, offsets))
		return false;
	zone->first_offset_s = offsets[0];
	zone->change_count = counts->time;
	zone->changes = weir_calloc(counts->time + (size_t)1, sizeof(*zone->changes));
	for (uint32_t i = 0; i < counts->time; i++) {
		if (indexes[i] >= counts->type)
			return false;
		zone->changes[i] = (struct weir_zone_change){be64(body + i * (size_t)8), offsets[indexes[i]]};
		if (i > 0 && zone->changes[i].at_s <= zone->changes[i - 1].at_s)
			return false;
	}
	return true;
}

/* The footer: a line between newlines, maybe empty. */
static bool
footer_parse(struct weir_slice rest, struct weir_zone_footer *footer)
{
	char text[128];
	if (rest.len < 2 || rest.data[0] != '\n')
		return false;
	const uint8_t *end = memchr(rest.data + 1, '\n', rest.len - 1);
	size_t len = end == NULL ? sizeof(text) : (size_t)(end - rest.data) - 1;
	if (len >= sizeof(text))
		return false;
	memcpy(text, rest.data + 1, len);
	text[len] = '\0';
	return len == 0 || (strlen(text) == len && weir_zone_footer_parse(text, footer));
}

static bool
zone_fill(struct weir_slice tzif, struct weir_zone *zone)
{
	struct tzif_counts counts;
	if (!header_parse(tzif, &counts))
		return false;
	size_t skip = HEADER_LEN + body_len(&counts, 4);
	if (skip > tzif.len)
		return false;
	struct weir_slice second = {tzif.data + skip, tzif.len - skip};
	if (!header_parse(second, &counts) || counts.leap != 0)
		return false;
	size_t body = body_len(&counts, 8);
	if (HEADER_LEN + body > second.len)
		return false;
	return changes_parse(second.data + HEADER_LEN, &counts, zone) &&
	       footer_parse(
		   (struct weir_slice){second.data + HEADER_LEN + body, second.len - HEADER_LEN - body}, &zone->footer);
}

enum weir_class
weir_zone_parse(struct weir_slice tzif, struct weir_zone **zone_out, struct weir_error *err)
{
	struct weir_zone *zone = weir_calloc(1, sizeof(*zone));
	if (!zone_fill(tzif, zone)) {
		weir_zone_free(zone);
		return weir_error_set(
		    err, WEIR_POISON, "not a usable TZif file (version 2 or later, without leap seconds)");
	}
	*zone_out = zone;
	return WEIR_OK;
}

/* Area/Place: components of letters, digits, + - _, each starting with a letter. */
static bool
name_is_clean(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len >= 64)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool alpha = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z');
		bool first = i == 0 || name[i - 1] == '/';
		bool other = (name[i] >= '0' && name[i] <= '9') || strchr("+-_/", name[i]) != NULL;
		if (!alpha && (first || !other))
			return false;
	}
	return name[len - 1] != '/';
}

enum weir_class
weir_zone_open(const char *name, struct weir_zone **zone_out, struct weir_error *err)
{
	if (!name_is_clean(name))
		return weir_error_set(err, WEIR_POISON, "zone: must be an IANA zone name, such as Asia/Shanghai");
	if (strcmp(name, "UTC") == 0) { /* works without zone files */
		*zone_out = weir_calloc(1, sizeof(**zone_out));
		return WEIR_OK;
	}
	char path[128];
	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	struct weir_buf buf = {0};
	struct weir_error inner;
	enum weir_class class = weir_file_read(path, FILE_MAX, &buf, &inner);
	if (class == WEIR_OK)
		class = weir_zone_parse((struct weir_slice){buf.data, buf.len}, zone_out, &inner);
	weir_buf_free(&buf);
	if (class != WEIR_OK)
		return weir_error_set(err, class, "zone %s: unknown or unreadable: %.300s", name, inner.text);
	return WEIR_OK;
}

void
weir_zone_free(struct weir_zone *zone)
{
	if (zone == NULL)
		return;
	free(zone->changes);
	free(zone);
}

/* How many changes of the table are at or before at_s. */
static uint32_t
changes_until(const struct weir_zone *zone, int64_t at_s)
{
	uint32_t low = 0, high = zone->change_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (zone->changes[middle].at_s <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int64_t
clamp_to_seconds(int64_t at_us)
{
	at_us = at_us < AT_MIN_US ? AT_MIN_US : at_us > AT_MAX_US ? AT_MAX_US : at_us;
	return weir_floor_div(at_us, 1000000);
}

/* These two lie apart from their callers: a zone without summer time then has no array, and no guard of one. */
static __attribute__((noinline)) int32_t
footer_offset(const struct weir_zone_footer *footer, int64_t at_s)
{
	struct weir_zone_change changes[6];
	uint32_t count = weir_zone_footer_changes(footer, at_s, changes);
	int32_t offset_s = footer->std_offset_s;
	for (uint32_t i = 0; i < count && changes[i].at_s <= at_s; i++)
		offset_s = changes[i].offset_s;
	return offset_s;
}

static __attribute__((noinline)) int64_t
footer_next_change(const struct weir_zone_footer *footer, int64_t at_s)
{
	struct weir_zone_change changes[6];
	uint32_t count = weir_zone_footer_changes(footer, at_s, changes);
	for (uint32_t i = 0; i < count; i++)
		if (changes[i].at_s > at_s)
			return changes[i].at_s * 1000000;
	return INT64_MAX;
}

int32_t
weir_zone_offset(const struct weir_zone *zone, int64_t at_us)
{
	int64_t at_s = clamp_to_seconds(at_us);
	uint32_t until = changes_until(zone, at_s);
	if (until == zone->change_count && zone->footer.present)
		return zone->footer.has_dst ? footer_offset(&zone->footer, at_s) : zone->footer.std_offset_s;
	return until == 0 ? zone->first_offset_s : zone->changes[until - 1].offset_s;
}

int64_t
weir_zone_next_change(const struct weir_zone *zone, int64_t at_us)
{
	int64_t at_s = clamp_to_seconds(at_us);
	uint32_t until = changes_until(zone, at_s);
	if (until < zone->change_count)
		return zone->changes[until].at_s > AT_MAX_US / 1000000 ? INT64_MAX : zone->changes[until].at_s * 1000000;
	return zone->footer.has_dst ? footer_next_change(&zone->footer, at_s) : INT64_MAX;
}
