/*
 * What a partition publishes: messages for Kafka, collected until the owner takes them at the end of a round; audit
 * entries, dead letters, and what is to be fetched.
 *
 * A message's key and value lie one after the other in one buffer, so that a round's thousand reports cost no allocation
 * after warm-up. Publishing is at least once: a replay publishes again what it decides again, so every message is absolute
 * and says which state of things it is of (epoch and version, or an alert's card or pool, cycle and level).
 */
#include "aggregators/state/effects.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregators/state/card_table.h"

static struct weir_outbox_message *
outbox_begin(struct weir_partition *p, enum weir_outbox_topic topic, uint32_t partition, const char *key)
{
	if (p->effects.outbox.n == p->effects.outbox.cap) {
		p->effects.outbox.cap = p->effects.outbox.cap == 0 ? 64 : p->effects.outbox.cap * 2;
		p->effects.outbox.v =
		    weir_realloc(p->effects.outbox.v, p->effects.outbox.cap * sizeof(*p->effects.outbox.v));
	}
	/* The owner empties both at once; the bytes start anew with the first message of a round. */
	if (p->effects.outbox.n == 0)
		p->effects.outbox.bytes.len = 0;
	struct weir_outbox_message *message = &p->effects.outbox.v[p->effects.outbox.n++];
	*message = (struct weir_outbox_message){.topic = (uint8_t)topic,
	    .partition = partition,
	    .at = (uint32_t)p->effects.outbox.bytes.len,
	    .key_len = (uint16_t)strlen(key)};
	weir_buf_append(&p->effects.outbox.bytes, key, message->key_len);
	return message;
}

void
weir_outbox_add(struct weir_partition *p, enum weir_outbox_topic topic, uint32_t partition, const char *key,
    const void *value, uint32_t len)
{
	struct weir_outbox_message *message = outbox_begin(p, topic, partition, key);
	weir_buf_append(&p->effects.outbox.bytes, value, len);
	message->value_len = len;
}

void
weir_partition_alert(struct weir_partition *p, const char *key, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	WEIR_CHECK(len > 0);
	struct weir_outbox_message *message = outbox_begin(p, WEIR_OUTBOX_ALERTS, WEIR_OUTBOX_BY_KEY, key);
	weir_buf_reserve(&p->effects.outbox.bytes, (size_t)len + 1);
	(void)vsnprintf((char *)p->effects.outbox.bytes.data + p->effects.outbox.bytes.len, (size_t)len + 1, fmt, again);
	va_end(again);
	p->effects.outbox.bytes.len += (size_t)len;
	message->value_len = (uint32_t)len;
	p->stats.alerts++;
}

void
weir_json_id(const char *id, char out[WEIR_JSON_ID_MAX])
{
	size_t n = 0;
	for (; *id != '\0' && n < WEIR_JSON_ID_MAX - 2; id++) {
		if (*id == '\\')
			out[n++] = '\\';
		out[n++] = *id;
	}
	out[n] = '\0';
}

bool
weir_is_text_of_id(const char id[WEIR_ID_MAX])
{
	size_t len = strnlen(id, WEIR_ID_MAX);
	for (size_t i = 0; i < WEIR_ID_MAX; i++)
		if (i < len ? id[i] <= 0x20 || id[i] >= 0x7f || strchr("{}\"'", id[i]) != NULL : id[i] != '\0')
			return false;
	return len > 0 && len < WEIR_ID_MAX;
}

void
weir_partition_reject(struct weir_partition *p, const struct weir_record *record, enum weir_reject reject)
{
	WEIR_CHECK(reject > WEIR_REJECT_NONE && reject < WEIR_REJECT_COUNT);
	struct weir_record *kept = weir_records_add(&p->effects.dead_letters);
	*kept = *record;
	kept->reject = (uint8_t)reject;
	p->stats.rejected[reject]++;
}

struct weir_audit *
weir_effects_add_audit(struct weir_effects *effects)
{
	if (effects->audits.n == effects->audits.cap) {
		effects->audits.cap = effects->audits.cap == 0 ? 64 : effects->audits.cap * 2;
		effects->audits.v = weir_realloc(effects->audits.v, effects->audits.cap * sizeof(*effects->audits.v));
	}
	return &effects->audits.v[effects->audits.n++];
}

struct weir_audit *
weir_partition_add_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	WEIR_CHECK(event <= WEIR_AUDIT_REFUSED);
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_audit *audit = weir_effects_add_audit(&p->effects);
	*audit = (struct weir_audit){.iccid = card->iccid,
	    .slot = slot,
	    .event = (uint8_t)event,
	    .reason = WEIR_REASON_NONE,
	    .carrier = card->carrier,
	    .reasons_before = card->reasons,
	    .reasons = card->reasons,
	    .input = cause->input,
	    .offset = cause->offset,
	    .record_us = cause->record_us,
	    .decided_us = p->clock.now_us,
	    .at_us = p->clock.now_us,
	    .usage_before = cause->usage_before,
	    .usage_after = weir_card_metered(p, card)};
	return audit;
}

void
weir_partition_remember(struct weir_partition *p, const char *kind, const char *id, struct weir_slice json)
{
	weir_buf_printf(&p->registry.new_references, "%s:%s", kind, id);
	weir_buf_append(&p->registry.new_references, "", 1);
	uint32_t len = (uint32_t)json.len;
	weir_buf_append(&p->registry.new_references, &len, sizeof(len));
	weir_buf_append(&p->registry.new_references, json.data, json.len);
	p->registry.new_reference_count++;
}

void
weir_unconfirmed_push(struct weir_unconfirmed_list *list, const struct weir_unconfirmed_card *unconfirmed_card)
{
	if (list->n == list->cap) {
		list->cap = list->cap == 0 ? 16 : list->cap * 2;
		list->v = weir_realloc(list->v, list->cap * sizeof(*list->v));
	}
	list->v[list->n++] = *unconfirmed_card;
}

void
weir_unconfirmed_free(struct weir_unconfirmed_list *list)
{
	free(list->v);
	*list = (struct weir_unconfirmed_list){0};
}

/* ---- what is to be fetched ---- */

void
weir_partition_request_fetch(struct weir_partition *p, struct weir_fetch_request fetch)
{
	if (p->effects.fetch_requests.n == p->effects.fetch_requests.cap) {
		p->effects.fetch_requests.cap = p->effects.fetch_requests.cap == 0 ? 64 : p->effects.fetch_requests.cap * 2;
		p->effects.fetch_requests.v = weir_realloc(
		    p->effects.fetch_requests.v, p->effects.fetch_requests.cap * sizeof(*p->effects.fetch_requests.v));
	}
	p->effects.fetch_requests.v[p->effects.fetch_requests.n++] = fetch;
}

void
weir_fetch_key(
    const struct weir_fetch_request *fetch, char name_out[WEIR_FETCH_KEY_MAX], uint32_t *from_out, uint32_t *len_out)
{
	const uint32_t size = sizeof(struct weir_closed_cycle_slot), slots = WEIR_SLAB_PAGE_BYTES / size;
	const char *tags = fetch->kind == WEIR_FETCH_DEDUPE_KEYS    ? "m"
			   : fetch->kind == WEIR_FETCH_CLOSED_CYCLE ? "y"
								    : weir_window_tags(fetch->window);
	bool closed_cycles = fetch->kind == WEIR_FETCH_CLOSED_CYCLE;
	*from_out = closed_cycles ? fetch->place % slots * size : 0;
	*len_out = closed_cycles ? size : 0;
	(void)snprintf(name_out, WEIR_FETCH_KEY_MAX, "%s:%lld:%u", tags, (long long)fetch->number,
	    closed_cycles ? fetch->place / slots : fetch->place);
}

struct weir_closed_cycle_entry *
weir_partition_closed_cycle(struct weir_partition *p, uint16_t cycle, uint32_t slot)
{
	bool created;
	struct weir_closed_cycle_entry *entry = weir_closed_cycles_get(&p->tables.closed_cycles, cycle, slot, &created);
	if (created)
		weir_partition_request_fetch(
		    p, (struct weir_fetch_request){.kind = WEIR_FETCH_CLOSED_CYCLE, .number = cycle, .place = slot});
	return entry->loaded ? entry : NULL;
}

void
weir_partition_request_window(struct weir_partition *p, enum weir_window_kind kind, int32_t number, uint32_t slot)
{
	struct weir_window_page *page = weir_windows_get(&p->tables.windows[kind], number, slot / WEIR_WINDOW_SLOTS);
	if (page->complete || page->asked)
		return;
	page->asked = true;
	weir_partition_request_fetch(p, (struct weir_fetch_request){WEIR_FETCH_WINDOW, (uint8_t)kind, number, page->page});
}

/* ---- taking them ---- */

static void
drain_commands(struct weir_u64_list *pending, const struct weir_effects_handler *to)
{
	uint32_t taken = 0;
	while (taken < pending->n && (to->command == NULL || to->command(to->ctx, (uint32_t)pending->v[taken])))
		taken++;
	pending->n -= taken;
	if (taken > 0 && pending->n > 0)
		memmove(pending->v, pending->v + taken, pending->n * sizeof(*pending->v));
}

static void
drain_fetches(struct weir_effects *effects, const struct weir_effects_handler *to)
{
	uint32_t count = effects->fetch_requests.n;
	uint32_t taken = to->fetch == NULL || count == 0 ? count : to->fetch(to->ctx, effects->fetch_requests.v, count);
	WEIR_CHECK(taken <= count && effects->fetch_requests.n == count);
	effects->fetch_requests.n -= taken;
	if (taken > 0 && taken < count)
		memmove(effects->fetch_requests.v, effects->fetch_requests.v + taken,
		    (count - taken) * sizeof(*effects->fetch_requests.v));
}

void
weir_effects_drain(struct weir_effects *effects, const struct weir_effects_handler *to)
{
	for (uint32_t i = 0; to->dead_letter != NULL && i < effects->dead_letters.n; i++)
		to->dead_letter(to->ctx, &effects->dead_letters.v[i]);
	effects->dead_letters.n = 0;
	drain_commands(&effects->pending_commands, to);
	for (uint32_t i = 0; to->audit != NULL && i < effects->audits.n; i++)
		to->audit(to->ctx, &effects->audits.v[i]);
	effects->audits.n = 0;
	for (uint32_t i = 0; to->publish != NULL && i < effects->outbox.n; i++) {
		const struct weir_outbox_message *message = &effects->outbox.v[i];
		const uint8_t *key = effects->outbox.bytes.data + message->at;
		WEIR_CHECK((size_t)message->at + message->key_len + message->value_len <= effects->outbox.bytes.len);
		to->publish(to->ctx, message, (struct weir_slice){key, message->key_len},
		    (struct weir_slice){key + message->key_len, message->value_len});
	}
	effects->outbox.n = 0;
	effects->outbox.bytes.len = 0;
	drain_fetches(effects, to);
}
