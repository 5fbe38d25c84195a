/*
 * Cards' slots, read together: where the card is (directory), then the card and its lifecycle, then its overrides and the
 * pool local, then its enforcement. Each step is one round trip for all the cards asked for.
 *
 * Steps see different flushes, and a terms or enforcement slot may have been given to another card in between: a slot says
 * whose it is, and the cards for which it says another are read again.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define DIRECTORY_BUCKETS 1024u
#define TRIES 4

/* ---- the directory ---- */

static struct weir_slice
key_of(struct weir_iccid iccid, char text[WEIR_ICCID_TEXT_MAX])
{
	size_t len = weir_iccid_format(iccid, text);
	return (struct weir_slice){(const uint8_t *)text, len};
}

struct candidate {
	uint32_t card; /* index of the card asked for */
	uint32_t partition, slot;
	struct weir_card_slot bytes;
	struct weir_lifecycle_slot lifecycle;
};
struct candidates {
	struct candidate *v;
	uint32_t n, cap;
};

static void
take_bucket(struct candidates *candidates, uint32_t card, uint32_t partition, uint32_t tag, struct weir_slice bucket)
{
	for (size_t at = 0; at + 8 <= bucket.len; at += 8) {
		uint32_t entry[2];
		memcpy(entry, bucket.data + at, sizeof(entry));
		if (entry[0] != tag)
			continue;
		if (candidates->n == candidates->cap) {
			candidates->cap = candidates->cap == 0 ? 16 : candidates->cap * 2;
			candidates->v = weir_realloc(candidates->v, candidates->cap * sizeof(*candidates->v));
		}
		candidates->v[candidates->n++] = (struct candidate){.card = card, .partition = partition, .slot = entry[1]};
	}
}

/*
 * Asks for the buckets of cards not found yet: in the partition of their key, or (rest) in all others, for records that
 * came by another partitioner.
 */
static enum weir_read
query_buckets(struct weir_reader *reader, const struct card_raw *cards, uint32_t count, bool rest,
    struct candidates *candidates, struct weir_error *err)
{
	char text[WEIR_ICCID_TEXT_MAX];
	query_clear(reader);
	for (int pass = 0; pass < 2; pass++) {
		uint32_t command = 0;
		for (uint32_t i = 0; i < count; i++) {
			if (cards[i].found)
				continue;
			uint32_t tag = weir_iccid_tag(cards[i].iccid);
			uint32_t home = weir_read_partition_of(key_of(cards[i].iccid, text), reader->partitions);
			for (uint32_t p = 0; p < reader->partitions; p++) {
				if ((p == home) == rest)
					continue;
				if (pass == 0)
					(void)query_get(reader, p, "d:%u", tag % DIRECTORY_BUCKETS);
				else
					take_bucket(candidates, i, p, tag, query_bytes(reader, command++));
			}
		}
		if (pass == 0) {
			enum weir_read answer = query_send(reader, err);
			if (answer != WEIR_READ_OK)
				return answer;
		}
	}
	return WEIR_READ_OK;
}

static enum weir_read
check_candidates(struct weir_reader *reader, struct card_raw *cards, struct candidates *candidates, struct weir_error *err)
{
	struct slot_want *wants = weir_calloc(candidates->n * 2 + 1, sizeof(*wants));
	for (uint32_t i = 0; i < candidates->n; i++) {
		struct candidate *c = &candidates->v[i];
		wants[2 * i] = (struct slot_want){c->partition, 'c', c->slot, sizeof(c->bytes), &c->bytes};
		wants[2 * i + 1] = (struct slot_want){c->partition, 'l', c->slot, sizeof(c->lifecycle), &c->lifecycle};
	}
	enum weir_read answer = slots_fetch(reader, wants, candidates->n * 2, err);
	free(wants);
	for (uint32_t i = 0; i < candidates->n && answer == WEIR_READ_OK; i++) {
		const struct candidate *c = &candidates->v[i];
		struct card_raw *card = &cards[c->card];
		if (card->found || !weir_iccid_equal(c->bytes.iccid, card->iccid))
			continue;
		card->found = true;
		card->partition = c->partition;
		card->slot = c->slot;
		card->card = c->bytes;
		card->lifecycle = c->lifecycle;
		card->is_fresh = true;
	}
	return answer;
}

static uint32_t
count_missing(const struct card_raw *cards, uint32_t count)
{
	uint32_t missing = 0;
	for (uint32_t i = 0; i < count; i++)
		missing += !cards[i].found;
	return missing;
}

enum weir_read
cards_locate(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	enum weir_read answer = WEIR_READ_OK;
	for (int rest = 0; rest < 2 && answer == WEIR_READ_OK; rest++) {
		struct candidates candidates = {0};
		if (count_missing(cards, count) == 0 || (rest == 1 && reader->partitions == 1))
			break;
		answer = query_buckets(reader, cards, count, rest == 1, &candidates, err);
		if (answer == WEIR_READ_OK && candidates.n > 0)
			answer = check_candidates(reader, cards, &candidates, err);
		free(candidates.v);
	}
	return answer;
}

/* ---- the rest of a card ---- */

/* Card and life, but for those that were read when they were located. */
static enum weir_read
load_cards(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	struct slot_want *wants = weir_calloc(count * 2 + 1, sizeof(*wants));
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct card_raw *card = &cards[i];
		if (!card->found || card->is_fresh)
			continue;
		wants[n++] =
		    (struct slot_want){card->partition, 'c', card->slot, sizeof(struct weir_card_slot), &card->card};
		wants[n++] = (struct slot_want){
		    card->partition, 'l', card->slot, sizeof(struct weir_lifecycle_slot), &card->lifecycle};
	}
	enum weir_read answer = slots_fetch(reader, wants, n, err);
	free(wants);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		cards[i].found = cards[i].found && weir_iccid_equal(cards[i].card.iccid, cards[i].iccid);
		cards[i].is_fresh = false;
	}
	return answer;
}

/* A text that an answer holds, in the arena; "" for none. */
static const char *
text_of(struct weir_reader *reader, const struct weir_reply *reply)
{
	return reply->type == WEIR_REPLY_STRING ? arena_text(&reader->arena, reply->str, (size_t)reply->len) : "";
}

static void
query_people(struct weir_reader *reader, const struct card_raw *card)
{
	static const char *const kinds[] = {"tags", "remark"};
	char text[WEIR_ICCID_TEXT_MAX], field[WEIR_ICCID_TEXT_MAX + 16];
	struct weir_buf *out;
	(void)weir_iccid_format(card->iccid, text);
	(void)query_begin(reader, card->partition, 4, &out);
	weir_resp_text(out, "HMGET");
	weir_resp_key(out, reader->prefix, card->partition, "x");
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(field, sizeof(field), "%s:%s", kinds[i], text);
		weir_resp_text(out, field);
	}
	if ((card->card.flags & WEIR_CARD_HAS_CHILDREN) != 0)
		(void)query_field(reader, card->partition, "r", "children:%s", text);
}

/* What people wrote of the cards, smart cards' children, and the definitions on the list. */
static enum weir_read
load_people(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	uint32_t n = 0;
	query_clear(reader);
	for (uint32_t i = 0; i < count; i++)
		if (cards[i].found)
			query_people(reader, &cards[i]);
	definitions_query(reader);
	enum weir_read answer = query_send(reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	definitions_take(reader);
	for (uint32_t i = 0; i < count; i++) {
		if (!cards[i].found)
			continue;
		const struct weir_reply *reply = query_reply(reader, n++);
		if (reply->type == WEIR_REPLY_ARRAY && reply->elements == 2) {
			cards[i].tags = text_of(reader, reply->element[0]);
			cards[i].remark = text_of(reader, reply->element[1]);
		}
		if ((cards[i].card.flags & WEIR_CARD_HAS_CHILDREN) != 0)
			cards[i].family = text_of(reader, query_reply(reader, n++));
	}
	return WEIR_READ_OK;
}

/* Overrides and pool local; an overrides slot that is another card's is for the next try. */
static enum weir_read
load_overrides(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	struct slot_want *wants = weir_calloc(count * 2 + 1, sizeof(*wants));
	struct weir_pool_local_slot *pool_locals = weir_calloc(count + 1, sizeof(*pool_locals));
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct card_raw *card = &cards[i];
		card->overrides = (struct weir_card_overrides_slot){0};
		if (!card->found)
			continue;
		if (card->card.overrides != 0)
			wants[n++] = (struct slot_want){
			    card->partition, 't', card->card.overrides - 1, sizeof(card->overrides), &card->overrides};
		if (card->lifecycle.pool_local != 0)
			wants[n++] = (struct slot_want){
			    card->partition, 'a', card->lifecycle.pool_local - 1, sizeof(*pool_locals), &pool_locals[i]};
	}
	enum weir_read answer = slots_fetch(reader, wants, n, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		const char *id = pool_locals[i].pool;
		if (strnlen(id, WEIR_ID_MAX) < WEIR_ID_MAX)
			memcpy(cards[i].pool, id, WEIR_ID_MAX);
		else
			answer = read_fail(err, WEIR_READ_BROKEN, "pool local %u of partition %u in Redis has no id",
			    cards[i].lifecycle.pool_local - 1, cards[i].partition);
	}
	free(wants);
	free(pool_locals);
	return answer;
}

static enum weir_read
load_enforcements(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	struct slot_want *wants = weir_calloc(count + 1, sizeof(*wants));
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct card_raw *card = &cards[i];
		card->e = (struct weir_enforcement_slot){0};
		if (card->found && card->overrides.card == card->slot + 1 && card->overrides.enforcement != 0)
			wants[n++] = (struct slot_want){
			    card->partition, 'e', card->overrides.enforcement - 1, sizeof(card->e), &card->e};
	}
	enum weir_read answer = slots_fetch(reader, wants, n, err);
	free(wants);
	return answer;
}

/* Do the card's slots belong together? */
static bool
is_whole(const struct card_raw *card)
{
	if (!card->found)
		return true;
	if (card->card.overrides != 0 && card->overrides.card != card->slot + 1)
		return false;
	if (card->overrides.enforcement != 0 && card->e.card != card->slot + 1)
		return false;
	return card->lifecycle.pool_local == 0 || card->pool[0] != '\0';
}

static enum weir_read
load_slots(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	enum weir_read answer = load_cards(reader, cards, count, err);
	if (answer == WEIR_READ_OK)
		answer = load_overrides(reader, cards, count, err);
	return answer == WEIR_READ_OK ? load_enforcements(reader, cards, count, err) : answer;
}

static enum weir_read
load_whole(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	enum weir_read answer = load_slots(reader, cards, count, err);
	for (int try = 1; try < TRIES && answer == WEIR_READ_OK; try++) {
		bool whole = true;
		for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
			if (is_whole(&cards[i]))
				continue;
			whole = false;
			answer = load_slots(reader, &cards[i], 1, err);
		}
		if (whole)
			return WEIR_READ_OK;
	}
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++)
		if (!is_whole(&cards[i]))
			answer = read_fail(err, WEIR_READ_BROKEN,
			    "card slot %u of partition %u in Redis refers to slots that are not its own", cards[i].slot,
			    cards[i].partition);
	return answer;
}

/* The partitions of these cards, fresh, and their carriers and plans on the list. */
static enum weir_read
refresh_partitions(struct weir_reader *reader, const struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	bool *want = weir_calloc(reader->partitions, sizeof(*want));
	for (uint32_t i = 0; i < count; i++)
		if (cards[i].found)
			want[cards[i].partition] = true;
	enum weir_read answer = partitions_refresh(reader, want, err);
	free(want);
	return answer;
}

static bool
names_miss(const struct weir_reader *reader, const struct card_raw *card)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[card->partition];
	return card->found &&
	       (card->card.carrier > partition_meta->carrier_count || card->card.plan > partition_meta->plan_count);
}

static enum weir_read
want_definitions(struct weir_reader *reader, const struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	for (int pass = 0; pass < 2; pass++) {
		bool miss = false;
		for (uint32_t i = 0; i < count; i++) {
			if (!names_miss(reader, &cards[i]))
				continue;
			/* A name that is newer than ours: all of that partition's are asked for again. */
			part_forget(&reader->partition_metas[cards[i].partition]);
			miss = true;
		}
		if (!miss)
			break;
		if (pass == 1)
			return read_fail(err, WEIR_READ_BROKEN, "a card in Redis has a carrier or plan without a name");
		enum weir_read answer = refresh_partitions(reader, cards, count, err);
		if (answer != WEIR_READ_OK)
			return answer;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!cards[i].found)
			continue;
		want_carrier(reader, cards[i].partition, cards[i].card.carrier);
		want_plan(reader, cards[i].partition, cards[i].card.plan);
	}
	return WEIR_READ_OK;
}

enum weir_read
cards_load(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err)
{
	for (uint32_t i = 0; i < count; i++)
		cards[i].tags = cards[i].remark = cards[i].family = "";
	enum weir_read answer = refresh_partitions(reader, cards, count, err);
	if (answer == WEIR_READ_OK)
		answer = load_whole(reader, cards, count, err);
	if (answer == WEIR_READ_OK)
		answer = want_definitions(reader, cards, count, err);
	return answer == WEIR_READ_OK ? load_people(reader, cards, count, err) : answer;
}
