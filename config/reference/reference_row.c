/* One row of a reference file, whichever format it came in: checked in the first reading, sent in the second. */
#include <inttypes.h>
#include <stdlib.h>

#include "config/calendar/calendar.h"
#include "config/reference/reference_file.h"
#include "config/reference/reference_priv.h"

#define STEP_DIGITS_MAX 18 /* trailing digits that count: as many as an integer holds */

bool
weir_iccid_text_add(const char *text, uint64_t step, char out[WEIR_ICCID_TEXT_MAX])
{
	size_t len = strlen(text);
	if (len >= WEIR_ICCID_TEXT_MAX)
		return false;
	memcpy(out, text, len + 1);
	for (size_t i = len, digits = 0; step > 0; digits++) {
		if (i == 0 || digits == STEP_DIGITS_MAX || out[i - 1] < '0' || out[i - 1] > '9')
			return false;
		i--;
		uint64_t sum = (uint64_t)(out[i] - '0') + step % 10;
		step = step / 10 + sum / 10;
		out[i] = (char)('0' + sum % 10);
	}
	return true;
}

static bool
message_emit(struct weir_reference_reader *reader, const char *key)
{
	reader->stopped = !reader->emit(reader->ctx, key, (const char *)reader->message.data, reader->message.len);
	reader->count += !reader->stopped;
	return !reader->stopped;
}

/* {"type":"card","iccid":"…"} and the other members, for each card of the row. */
static bool
cards_emit(struct weir_reference_reader *reader, json_t *object, uint64_t card_count)
{
	char first[WEIR_ICCID_TEXT_MAX], iccid[WEIR_ICCID_TEXT_MAX];
	struct weir_iccid packed;
	const char *given = json_string_value(json_object_get(object, "iccid"));
	WEIR_CHECK(weir_iccid_parse((const uint8_t *)given, strlen(given), &packed)); /* checked in the first reading */
	(void)weir_iccid_format(packed, first);                                       /* one spelling, so one key */
	(void)json_object_del(object, "iccid");
	char *rest = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
	WEIR_CHECK(rest != NULL);
	bool going = true;
	for (uint64_t i = 0; going && i < card_count; i++) {
		if (!weir_iccid_text_add(first, i, iccid))
			break; /* checked in the first reading */
		reader->message.len = 0;
		weir_buf_printf(&reader->message, "{\"type\":\"card\",\"iccid\":\"%s\"%s%s", iccid,
		    rest[1] == '}' ? "" : ",", rest + 1);
		going = message_emit(reader, iccid);
	}
	free(rest);
	return going;
}

/* What is no card: a pool under its id, all else to everybody. */
static bool
definition_emit(struct weir_reference_reader *reader, enum weir_reference_type type, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
	WEIR_CHECK(text != NULL);
	reader->message.len = 0;
	weir_buf_printf(&reader->message, "{\"type\":\"%s\",%s", weir_reference_type_name(type), text + 1);
	free(text);
	return message_emit(reader, type == WEIR_REF_POOL ? json_string_value(json_object_get(object, "id")) : "");
}

static void
cards_check(struct weir_reference_reader *reader, uint32_t line, struct weir_reference *reference, uint64_t card_count)
{
	char first[WEIR_ICCID_TEXT_MAX], iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(reference->card.iccid, first);
	uint32_t before = reader->mistakes.count;
	for (uint64_t i = 0; i < card_count && reader->mistakes.count == before; i++) {
		if (!weir_iccid_text_add(first, i, iccid)) {
			weir_mistake_add(&reader->mistakes, line,
			    "iccid_from: its trailing digits end before %" PRIu64 " cards", card_count);
			return;
		}
		WEIR_CHECK(weir_iccid_parse((const uint8_t *)iccid, strlen(iccid), &reference->card.iccid));
		weir_reference_index_add(reader->index, &reader->mistakes, line, reference);
	}
}

static void
carrier_check(struct weir_reference_reader *reader, uint32_t line, const struct weir_reference *reference)
{
	struct weir_zone *zone;
	struct weir_error err;
	if (weir_zone_open(reference->carrier.zone, &zone, &err) != WEIR_OK)
		weir_mistake_add(&reader->mistakes, line, "carrier %s: %s", reference->carrier.id, err.text);
	else
		weir_zone_free(zone);
	weir_reference_index_add(reader->index, &reader->mistakes, line, reference);
}

static void
row_check(
    struct weir_reference_reader *reader, uint32_t line, enum weir_reference_type type, json_t *object, uint64_t card_count)
{
	struct weir_reference reference;
	struct weir_error err;
	(void)json_object_set_new(object, "type", json_string(weir_reference_type_name(type)));
	enum weir_class class = weir_reference_from_json(object, &reference, &err);
	if (class != WEIR_OK)
		weir_mistake_add(&reader->mistakes, line, "%s", err.text);
	else if (type == WEIR_REF_CARD)
		cards_check(reader, line, &reference, card_count);
	else if (type == WEIR_REF_CARRIER)
		carrier_check(reader, line, &reference);
	else
		weir_reference_index_add(reader->index, &reader->mistakes, line, &reference);
}

bool
weir_reference_row(
    struct weir_reference_reader *reader, uint32_t line, enum weir_reference_type type, json_t *object, uint64_t card_count)
{
	if (reader->emit == NULL) {
		row_check(reader, line, type, object, card_count);
		return reader->mistakes.count < 100;
	}
	return type == WEIR_REF_CARD ? cards_emit(reader, object, card_count) : definition_emit(reader, type, object);
}
