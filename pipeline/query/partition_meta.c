/*
 * What is known of each partition: its header (asked anew after a second), the names of its carriers and plans (after ten,
 * or when a slot has a number beyond them), and their definitions (plans after a second, since their limits count; carriers
 * after ten).
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define HEADER_KEPT_US 1000000
#define NAMES_KEPT_US 10000000
#define PLAN_KEPT_US 1000000
#define CARRIER_KEPT_US 10000000

static void
partition_meta_clear(struct partition_meta *partition_meta)
{
	free(partition_meta->abilities);
	free(partition_meta->checkpoint_offsets);
	free(partition_meta->carriers);
	free(partition_meta->plans);
	id_index_free(&partition_meta->pools);
	id_index_free(&partition_meta->pool_locals);
}

void
partition_metas_free(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->partitions; i++)
		partition_meta_clear(&reader->partition_metas[i]);
	free(reader->partition_metas);
	free(reader->slot_of);
	reader->partition_metas = NULL;
	reader->slot_of = NULL;
	reader->partitions = 0;
	reader->want_count = 0;
}

/* ---- the header ---- */

static uint64_t
number_of(const struct weir_reply *value)
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
signed_of(const struct weir_reply *value)
{
	uint64_t number = number_of(value);
	return number > INT64_MAX ? 0 : (int64_t)number;
}

/* "k:<carrier>": two masks, then its current cycle, which the reader knows by its own clock. */
static void
take_ability(struct partition_meta *partition_meta, const char *carrier, const struct weir_reply *value)
{
	unsigned single, pooled;
	if (strlen(carrier) >= WEIR_ID_MAX || sscanf(value->str, "%u %u", &single, &pooled) != 2)
		return;
	partition_meta->abilities = weir_realloc(
	    partition_meta->abilities, (partition_meta->ability_count + 1) * sizeof(*partition_meta->abilities));
	struct partition_ability *ability = &partition_meta->abilities[partition_meta->ability_count++];
	(void)snprintf(ability->carrier, sizeof(ability->carrier), "%s", carrier);
	ability->single = (uint16_t)single;
	ability->pooled = (uint16_t)pooled;
}

static void
take_checkpoint_offset(struct partition_meta *partition_meta, const char *topic, const struct weir_reply *value)
{
	partition_meta->checkpoint_offsets = weir_realloc(partition_meta->checkpoint_offsets,
	    (partition_meta->checkpoint_offset_count + 1) * sizeof(*partition_meta->checkpoint_offsets));
	struct checkpoint_offset *checkpoint_offset =
	    &partition_meta->checkpoint_offsets[partition_meta->checkpoint_offset_count++];
	(void)snprintf(checkpoint_offset->topic, sizeof(checkpoint_offset->topic), "%.249s", topic);
	checkpoint_offset->offset = signed_of(value);
}

static void
take_field(struct partition_meta *partition_meta, const char *name, const struct weir_reply *value)
{
#define COUNT_FIELD(number, member, tag, type, field) field,
	static const char *const slabs[WEIR_SLABS] = {WEIR_SLAB_LIST(COUNT_FIELD)};
#undef COUNT_FIELD
	for (uint32_t i = 0; i < WEIR_SLABS; i++) {
		if (strcmp(name, slabs[i]) == 0) {
			uint64_t slots = number_of(value);
			partition_meta->slots[i] = slots > UINT32_MAX ? 0 : (uint32_t)slots;
		}
	}
	if (strcmp(name, "epoch") == 0)
		partition_meta->epoch = number_of(value);
	else if (strcmp(name, "stream_time_us") == 0)
		partition_meta->stream_time_us = signed_of(value);
	else if (strcmp(name, "owner") == 0)
		(void)snprintf(partition_meta->owner, sizeof(partition_meta->owner), "%.95s", value->str);
	else if (strcmp(name, "o:#flush") == 0)
		partition_meta->flush = number_of(value);
	else if (strncmp(name, "o:", 2) == 0)
		take_checkpoint_offset(partition_meta, name + 2, value);
	else if (strncmp(name, "k:", 2) == 0)
		take_ability(partition_meta, name + 2, value);
}

static const char *
field_text(const struct weir_reply *reply, size_t i)
{
	return reply->element[i]->type == WEIR_REPLY_STRING ? reply->element[i]->str : NULL;
}

static enum weir_read
take_header(struct weir_reader *reader, uint32_t number, const struct weir_reply *reply, struct weir_error *err)
{
	struct partition_meta *partition_meta = &reader->partition_metas[number];
	if (reply->type != WEIR_REPLY_ARRAY || reply->elements % 2 != 0)
		return read_fail(err, WEIR_READ_BROKEN, "%s:{%u}:h in Redis is no hash", reader->prefix, number);
	partition_meta->ability_count = partition_meta->checkpoint_offset_count = 0;
	partition_meta->exists = reply->elements > 0;
	memset(partition_meta->slots, 0, sizeof(partition_meta->slots));
	for (size_t i = 0; i < reply->elements; i += 2) {
		const char *name = field_text(reply, i), *value = field_text(reply, i + 1);
		if (name == NULL || value == NULL)
			continue;
		if (strcmp(name, "format") == 0 && number_of(reply->element[i + 1]) != WEIR_STORE_FORMAT)
			return read_fail(err, WEIR_READ_BROKEN,
			    "%s:{%u}:h in Redis is of format %.20s; this weir reads format %d", reader->prefix, number,
			    value, WEIR_STORE_FORMAT);
		take_field(partition_meta, name, reply->element[i + 1]);
	}
	partition_meta->header_at = weir_steady_now();
	return WEIR_READ_OK;
}

/* ---- names ---- */

static bool
grow_names(struct partition_meta *partition_meta, const char *name, uint32_t *carriers, uint32_t *plans)
{
	if (strlen(name) < 2 || name[1] != ':' || strlen(name + 2) >= WEIR_ID_MAX)
		return false;
	if (name[0] == 'c') {
		if (*carriers == partition_meta->carrier_count) {
			partition_meta->carriers =
			    weir_realloc(partition_meta->carriers, (*carriers + 1) * sizeof(*partition_meta->carriers));
			partition_meta->carriers[partition_meta->carrier_count++] = (struct partition_carrier){0};
		}
		struct partition_carrier *carrier = &partition_meta->carriers[(*carriers)++];
		if (strcmp(carrier->id, name + 2) != 0)
			*carrier = (struct partition_carrier){0};
		(void)snprintf(carrier->id, sizeof(carrier->id), "%.63s", name + 2);
	} else if (name[0] == 'p') {
		if (*plans == partition_meta->plan_count) {
			partition_meta->plans =
			    weir_realloc(partition_meta->plans, (*plans + 1) * sizeof(*partition_meta->plans));
			partition_meta->plans[partition_meta->plan_count++] = (struct partition_plan){0};
		}
		struct partition_plan *plan = &partition_meta->plans[(*plans)++];
		if (strcmp(plan->id, name + 2) != 0)
			*plan = (struct partition_plan){0};
		(void)snprintf(plan->id, sizeof(plan->id), "%.63s", name + 2);
	}
	return true;
}

static enum weir_read
take_names(struct weir_reader *reader, uint32_t number, const struct weir_reply *reply, struct weir_error *err)
{
	struct partition_meta *partition_meta = &reader->partition_metas[number];
	uint32_t carriers = 0, plans = 0;
	if (reply->type != WEIR_REPLY_ARRAY)
		return read_fail(err, WEIR_READ_BROKEN, "%s:{%u}:n in Redis is no list", reader->prefix, number);
	for (size_t i = 0; i < reply->elements; i++) {
		const char *name = field_text(reply, i);
		if (name == NULL || !grow_names(partition_meta, name, &carriers, &plans))
			return read_fail(
			    err, WEIR_READ_BROKEN, "%s:{%u}:n in Redis holds what is no name", reader->prefix, number);
	}
	partition_meta->carrier_count = carriers; /* Redis may have forgotten some */
	partition_meta->plan_count = plans;
	partition_meta->names_at = weir_steady_now();
	return WEIR_READ_OK;
}

static void
query_partition_meta(struct weir_reader *reader, uint32_t number)
{
	struct weir_buf *out;
	(void)query_begin(reader, number, 2, &out);
	weir_resp_text(out, "HGETALL");
	weir_resp_key(out, reader->prefix, number, "h");
	(void)query_begin(reader, number, 4, &out);
	weir_resp_text(out, "LRANGE");
	weir_resp_key(out, reader->prefix, number, "n");
	weir_resp_text(out, "0");
	weir_resp_text(out, "-1");
}

void
part_forget(struct partition_meta *partition_meta)
{
	partition_meta->header_at = partition_meta->names_at = (struct weir_steady){0};
}

static bool
partition_is_stale(const struct partition_meta *partition_meta)
{
	return weir_steady_is_past(partition_meta->header_at, HEADER_KEPT_US) ||
	       weir_steady_is_past(partition_meta->names_at, NAMES_KEPT_US);
}

/* Header and names come together in one round trip: the names are short, and asked for only when the header is. */
enum weir_read
partitions_refresh(struct weir_reader *reader, const bool *want, struct weir_error *err)
{
	uint32_t *stale = weir_calloc(reader->partitions, sizeof(*stale)), count = 0;
	query_clear(reader);
	for (uint32_t i = 0; i < reader->partitions; i++) {
		if ((want != NULL && !want[i]) || !partition_is_stale(&reader->partition_metas[i]))
			continue;
		query_partition_meta(reader, i);
		stale[count++] = i;
	}
	enum weir_read answer = count > 0 ? query_send(reader, err) : WEIR_READ_OK;
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		answer = take_header(reader, stale[i], query_reply(reader, 2 * i), err);
		if (answer == WEIR_READ_OK)
			answer = take_names(reader, stale[i], query_reply(reader, 2 * i + 1), err);
	}
	free(stale);
	return answer;
}

enum weir_read
partition_refresh(struct weir_reader *reader, uint32_t partition, struct weir_error *err)
{
	bool *want = weir_calloc(reader->partitions, sizeof(*want));
	want[partition] = true;
	enum weir_read answer = partitions_refresh(reader, want, err);
	free(want);
	return answer;
}

/* ---- definitions ---- */

static struct partition_carrier *
carrier_at(const struct weir_reader *reader, uint32_t partition, uint32_t carrier)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[partition];
	return carrier >= 1 && carrier <= partition_meta->carrier_count ? &partition_meta->carriers[carrier - 1] : NULL;
}

static struct partition_plan *
plan_at(const struct weir_reader *reader, uint32_t partition, uint32_t plan)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[partition];
	return plan >= 1 && plan <= partition_meta->plan_count ? &partition_meta->plans[plan - 1] : NULL;
}

const struct partition_carrier *
partition_carrier(const struct weir_reader *reader, uint32_t partition, uint32_t carrier)
{
	return carrier_at(reader, partition, carrier);
}

const struct partition_plan *
partition_plan(const struct weir_reader *reader, uint32_t partition, uint32_t plan)
{
	return plan_at(reader, partition, plan);
}

uint16_t
unsupported_reasons(const struct partition_meta *partition_meta, const char *carrier, bool pooled)
{
	for (uint32_t i = 0; i < partition_meta->ability_count; i++)
		if (strcmp(partition_meta->abilities[i].carrier, carrier) == 0)
			return pooled ? partition_meta->abilities[i].pooled : partition_meta->abilities[i].single;
	return 0;
}

/* A carrier that nobody defined anew is the shipped one. */
static void
ship_carrier(struct partition_carrier *carrier)
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
define_carrier(struct weir_reader *reader, struct partition_carrier *carrier, struct weir_slice json)
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
define_plan(struct partition_plan *plan, struct weir_slice json)
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
want_carrier(struct weir_reader *reader, uint32_t partition, uint32_t carrier)
{
	struct partition_carrier *c = carrier_at(reader, partition, carrier);
	if (c == NULL || c->wanted || !weir_steady_is_past(c->fetched_at, CARRIER_KEPT_US))
		return;
	c->wanted = true;
	want_push(reader, partition, carrier, false);
}

void
want_plan(struct weir_reader *reader, uint32_t partition, uint32_t plan)
{
	struct partition_plan *p = plan_at(reader, partition, plan);
	if (p == NULL || p->wanted || !weir_steady_is_past(p->fetched_at, PLAN_KEPT_US))
		return;
	p->wanted = true;
	want_push(reader, partition, plan, true);
}

void
definitions_query(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->want_count; i++) {
		struct definition_want *want = &reader->wants[i];
		want->command = want->plan ? query_field(reader, want->partition, "r", "plan:%s",
						 plan_at(reader, want->partition, want->number)->id)
					   : query_field(reader, want->partition, "r", "carrier:%s",
						 carrier_at(reader, want->partition, want->number)->id);
	}
}

void
definitions_take(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->want_count; i++) {
		const struct definition_want *want = &reader->wants[i];
		struct weir_slice json = query_bytes(reader, want->command);
		if (want->plan)
			define_plan(plan_at(reader, want->partition, want->number), json);
		else
			define_carrier(reader, carrier_at(reader, want->partition, want->number), json);
	}
	reader->want_count = 0;
}

void
definitions_drop(struct weir_reader *reader)
{
	for (uint32_t i = 0; i < reader->want_count; i++) {
		const struct definition_want *want = &reader->wants[i];
		struct partition_plan *plan = want->plan ? plan_at(reader, want->partition, want->number) : NULL;
		struct partition_carrier *carrier = want->plan ? NULL : carrier_at(reader, want->partition, want->number);
		if (plan != NULL)
			plan->wanted = false;
		if (carrier != NULL)
			carrier->wanted = false;
	}
	reader->want_count = 0;
}
