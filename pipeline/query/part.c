/*
 * What is known of each partition: its header (asked anew after a second), the names of its carriers and plans (after ten,
 * or when a slot has a number beyond them), and their definitions (plans after a second, since their limits count; carriers
 * after ten).
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/read_priv.h"

#define HEADER_KEPT_US 1000000
#define NAMES_KEPT_US 10000000
#define PLAN_KEPT_US 1000000
#define CARRIER_KEPT_US 10000000

static void
part_clear(struct part *part)
{
	free(part->abilities);
	free(part->positions);
	free(part->carriers);
	free(part->plans);
	places_free(&part->pools);
	places_free(&part->accounts);
}

void
parts_free(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->partitions; i++)
		part_clear(&reader->parts[i]);
	free(reader->parts);
	free(reader->node_of);
	reader->parts = NULL;
	reader->node_of = NULL;
	reader->partitions = 0;
	reader->want_count = 0;
}

/* ---- the header ---- */

static uint64_t
number_of(const redisReply *value)
{
	uint64_t number = 0;
	for (size_t i = 0; i < (size_t)value->len; i++) {
		unsigned digit = (unsigned)value->str[i] - '0';
		if (digit > 9 || __builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return 0;
	}
	return number;
}

static int64_t
signed_of(const redisReply *value)
{
	uint64_t number = number_of(value);
	return number > INT64_MAX ? 0 : (int64_t)number;
}

/* "k:<carrier>": two masks, then its current cycle, which the reader tells by its own clock. */
static void
take_ability(struct part *part, const char *carrier, const redisReply *value)
{
	unsigned single, pooled;
	if (strlen(carrier) >= WEIR_ID_MAX || sscanf(value->str, "%u %u", &single, &pooled) != 2)
		return;
	part->abilities = weir_realloc(part->abilities, (part->ability_count + 1) * sizeof(*part->abilities));
	struct part_ability *ability = &part->abilities[part->ability_count++];
	(void)snprintf(ability->carrier, sizeof(ability->carrier), "%s", carrier);
	ability->single = (uint16_t)single;
	ability->pooled = (uint16_t)pooled;
}

static void
take_position(struct part *part, const char *topic, const redisReply *value)
{
	part->positions = weir_realloc(part->positions, (part->position_count + 1) * sizeof(*part->positions));
	struct part_position *position = &part->positions[part->position_count++];
	(void)snprintf(position->topic, sizeof(position->topic), "%.249s", topic);
	position->offset = signed_of(value);
}

static void
take_field(struct part *part, const char *name, const redisReply *value)
{
	static const char *const slabs[WEIR_SLAB_COUNT] = {
	    "cards", "terms", "enforcements", "sessions", "lives", "accounts", "pools", "shares"};
	for (uint32_t i = 0; i < WEIR_SLAB_COUNT; i++) {
		if (strcmp(name, slabs[i]) == 0) {
			uint64_t slots = number_of(value);
			part->slots[i] = slots > UINT32_MAX ? 0 : (uint32_t)slots;
		}
	}
	if (strcmp(name, "epoch") == 0)
		part->epoch = number_of(value);
	else if (strcmp(name, "stream_time_us") == 0)
		part->stream_time_us = signed_of(value);
	else if (strcmp(name, "owner") == 0)
		(void)snprintf(part->owner, sizeof(part->owner), "%.95s", value->str);
	else if (strcmp(name, "o:#flush") == 0)
		part->flush = number_of(value);
	else if (strncmp(name, "o:", 2) == 0)
		take_position(part, name + 2, value);
	else if (strncmp(name, "k:", 2) == 0)
		take_ability(part, name + 2, value);
}

static const char *
field_text(const redisReply *reply, size_t i)
{
	return reply->element[i]->type == REDIS_REPLY_STRING ? reply->element[i]->str : NULL;
}

static enum weir_read
take_header(struct weir_reader *reader, uint32_t number, const redisReply *reply, struct weir_error *err)
{
	struct part *part = &reader->parts[number];
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
		return read_fail(err, WEIR_READ_BROKEN, "%s:{%u}:h in Redis is no hash", reader->prefix, number);
	part->ability_count = part->position_count = 0;
	part->exists = reply->elements > 0;
	memset(part->slots, 0, sizeof(part->slots));
	for (size_t i = 0; i < reply->elements; i += 2) {
		const char *name = field_text(reply, i), *value = field_text(reply, i + 1);
		if (name == NULL || value == NULL)
			continue;
		if (strcmp(name, "format") == 0 && number_of(reply->element[i + 1]) != WEIR_STORE_FORMAT)
			return read_fail(err, WEIR_READ_BROKEN,
			    "%s:{%u}:h in Redis is of format %.20s; this weir reads format %d", reader->prefix, number,
			    value, WEIR_STORE_FORMAT);
		take_field(part, name, reply->element[i + 1]);
	}
	part->header_at = weir_steady_now();
	return WEIR_READ_OK;
}

/* ---- names ---- */

static bool
grow_names(struct part *part, const char *name, uint32_t *carriers, uint32_t *plans)
{
	if (strlen(name) < 2 || name[1] != ':' || strlen(name + 2) >= WEIR_ID_MAX)
		return false;
	if (name[0] == 'c') {
		if (*carriers == part->carrier_count) {
			part->carriers = weir_realloc(part->carriers, (*carriers + 1) * sizeof(*part->carriers));
			part->carriers[part->carrier_count++] = (struct part_carrier){0};
		}
		struct part_carrier *carrier = &part->carriers[(*carriers)++];
		if (strcmp(carrier->id, name + 2) != 0)
			*carrier = (struct part_carrier){0};
		(void)snprintf(carrier->id, sizeof(carrier->id), "%.63s", name + 2);
	} else if (name[0] == 'p') {
		if (*plans == part->plan_count) {
			part->plans = weir_realloc(part->plans, (*plans + 1) * sizeof(*part->plans));
			part->plans[part->plan_count++] = (struct part_plan){0};
		}
		struct part_plan *plan = &part->plans[(*plans)++];
		if (strcmp(plan->id, name + 2) != 0)
			*plan = (struct part_plan){0};
		(void)snprintf(plan->id, sizeof(plan->id), "%.63s", name + 2);
	}
	return true;
}

static enum weir_read
take_names(struct weir_reader *reader, uint32_t number, const redisReply *reply, struct weir_error *err)
{
	struct part *part = &reader->parts[number];
	uint32_t carriers = 0, plans = 0;
	if (reply->type != REDIS_REPLY_ARRAY)
		return read_fail(err, WEIR_READ_BROKEN, "%s:{%u}:n in Redis is no list", reader->prefix, number);
	for (size_t i = 0; i < reply->elements; i++) {
		const char *name = field_text(reply, i);
		if (name == NULL || !grow_names(part, name, &carriers, &plans))
			return read_fail(
			    err, WEIR_READ_BROKEN, "%s:{%u}:n in Redis holds what is no name", reader->prefix, number);
	}
	part->carrier_count = carriers; /* Redis may have forgotten some */
	part->plan_count = plans;
	part->names_at = weir_steady_now();
	return WEIR_READ_OK;
}

static void
ask_part(struct weir_reader *reader, uint32_t number)
{
	struct weir_buf *out;
	(void)ask_begin(reader, number, 2, &out);
	weir_resp_text(out, "HGETALL");
	weir_resp_key(out, reader->prefix, number, "h");
	(void)ask_begin(reader, number, 4, &out);
	weir_resp_text(out, "LRANGE");
	weir_resp_key(out, reader->prefix, number, "n");
	weir_resp_text(out, "0");
	weir_resp_text(out, "-1");
}

void
part_forget(struct part *part)
{
	part->header_at = part->names_at = (struct weir_steady){0};
}

static bool
part_is_stale(const struct part *part)
{
	return weir_steady_is_past(part->header_at, HEADER_KEPT_US) || weir_steady_is_past(part->names_at, NAMES_KEPT_US);
}

/* Header and names come together in one round trip: the names are short, and asked for only when the header is. */
enum weir_read
parts_refresh(struct weir_reader *reader, const bool *want, struct weir_error *err)
{
	uint32_t *stale = weir_calloc(reader->partitions, sizeof(*stale)), count = 0;
	ask_clear(reader);
	for (uint32_t i = 0; i < reader->partitions; i++) {
		if ((want != NULL && !want[i]) || !part_is_stale(&reader->parts[i]))
			continue;
		ask_part(reader, i);
		stale[count++] = i;
	}
	enum weir_read answer = count > 0 ? ask_send(reader, err) : WEIR_READ_OK;
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		answer = take_header(reader, stale[i], ask_reply(reader, 2 * i), err);
		if (answer == WEIR_READ_OK)
			answer = take_names(reader, stale[i], ask_reply(reader, 2 * i + 1), err);
	}
	free(stale);
	return answer;
}

enum weir_read
part_refresh(struct weir_reader *reader, uint32_t partition, struct weir_error *err)
{
	bool *want = weir_calloc(reader->partitions, sizeof(*want));
	want[partition] = true;
	enum weir_read answer = parts_refresh(reader, want, err);
	free(want);
	return answer;
}

/* ---- definitions ---- */

static struct part_carrier *
carrier_at(const struct weir_reader *reader, uint32_t partition, uint32_t carrier)
{
	const struct part *part = &reader->parts[partition];
	return carrier >= 1 && carrier <= part->carrier_count ? &part->carriers[carrier - 1] : NULL;
}

static struct part_plan *
plan_at(const struct weir_reader *reader, uint32_t partition, uint32_t plan)
{
	const struct part *part = &reader->parts[partition];
	return plan >= 1 && plan <= part->plan_count ? &part->plans[plan - 1] : NULL;
}

const struct part_carrier *
part_carrier(const struct weir_reader *reader, uint32_t partition, uint32_t carrier)
{
	return carrier_at(reader, partition, carrier);
}

const struct part_plan *
part_plan(const struct weir_reader *reader, uint32_t partition, uint32_t plan)
{
	return plan_at(reader, partition, plan);
}

uint16_t
part_unsupported(const struct part *part, const char *carrier, bool pooled)
{
	for (uint32_t i = 0; i < part->ability_count; i++)
		if (strcmp(part->abilities[i].carrier, carrier) == 0)
			return pooled ? part->abilities[i].pooled : part->abilities[i].single;
	return 0;
}

/* A carrier that nobody defined anew is the shipped one. */
static void
ship_carrier(struct part_carrier *carrier)
{
	uint32_t count;
	const struct weir_ref_carrier *shipped = weir_reference_shipped_carriers(&count);
	carrier->defined = false;
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(shipped[i].id, carrier->id) == 0) {
			carrier->ref = shipped[i];
			carrier->defined = true;
		}
	}
}

static void
define_carrier(struct weir_reader *reader, struct part_carrier *carrier, struct weir_slice json)
{
	struct weir_reference reference;
	ship_carrier(carrier);
	if (json.len > 0 && weir_reference_parse(json, &reference, NULL) == WEIR_OK && reference.type == WEIR_REF_CARRIER) {
		carrier->ref = reference.carrier;
		carrier->defined = true;
	}
	carrier->zone = carrier->defined ? read_zone(reader, carrier->ref.zone) : NULL;
	carrier->fetched_at = weir_steady_now();
	carrier->wanted = false;
}

static void
define_plan(struct part_plan *plan, struct weir_slice json)
{
	struct weir_reference reference;
	plan->defined =
	    json.len > 0 && weir_reference_parse(json, &reference, NULL) == WEIR_OK && reference.type == WEIR_REF_PLAN;
	if (plan->defined)
		plan->ref = reference.plan;
	plan->fetched_at = weir_steady_now();
	plan->wanted = false;
}

/* ---- what is to be fetched with the next questions ---- */

static void
want_push(struct weir_reader *reader, uint32_t partition, uint32_t number, bool plan)
{
	if (reader->want_count == reader->want_cap) {
		reader->want_cap = reader->want_cap == 0 ? 32 : reader->want_cap * 2;
		reader->wants = weir_realloc(reader->wants, reader->want_cap * sizeof(*reader->wants));
	}
	reader->wants[reader->want_count++] = (struct definition_want){partition, number, plan, 0};
}

void
part_want_carrier(struct weir_reader *reader, uint32_t partition, uint32_t carrier)
{
	struct part_carrier *c = carrier_at(reader, partition, carrier);
	if (c == NULL || c->wanted || !weir_steady_is_past(c->fetched_at, CARRIER_KEPT_US))
		return;
	c->wanted = true;
	want_push(reader, partition, carrier, false);
}

void
part_want_plan(struct weir_reader *reader, uint32_t partition, uint32_t plan)
{
	struct part_plan *p = plan_at(reader, partition, plan);
	if (p == NULL || p->wanted || !weir_steady_is_past(p->fetched_at, PLAN_KEPT_US))
		return;
	p->wanted = true;
	want_push(reader, partition, plan, true);
}

void
part_definitions_ask(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->want_count; i++) {
		struct definition_want *want = &reader->wants[i];
		want->ask = want->plan ? ask_field(reader, want->partition, "r", "plan:%s",
					     plan_at(reader, want->partition, want->number)->id)
				       : ask_field(reader, want->partition, "r", "carrier:%s",
					     carrier_at(reader, want->partition, want->number)->id);
	}
}

void
part_definitions_take(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->want_count; i++) {
		const struct definition_want *want = &reader->wants[i];
		struct weir_slice json = ask_bytes(reader, want->ask);
		if (want->plan)
			define_plan(plan_at(reader, want->partition, want->number), json);
		else
			define_carrier(reader, carrier_at(reader, want->partition, want->number), json);
	}
	reader->want_count = 0;
}

void
part_definitions_drop(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->want_count; i++) {
		const struct definition_want *want = &reader->wants[i];
		struct part_plan *plan = want->plan ? plan_at(reader, want->partition, want->number) : NULL;
		struct part_carrier *carrier = want->plan ? NULL : carrier_at(reader, want->partition, want->number);
		if (plan != NULL)
			plan->wanted = false;
		if (carrier != NULL)
			carrier->wanted = false;
	}
	reader->want_count = 0;
}
