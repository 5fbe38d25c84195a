/*
 * Smart cards (POOL-8): a card whose sub-cards belong to several carriers, and so to several partitions.
 *
 * A sub-card knows its parent (card overrides) and sends it to the parent's partition when it changes; the parent's
 * partition keeps the list of children, in memory and as one line of the reference data a parent (`children:<ICCID>`),
 * where readers find it. Sums over children are made by readers: they are wanted rarely, and kept up to date they would
 * cost a message a record. One level: who has a parent has no children.
 *
 * A list may be there before its parent is: the two come by different ways. Children are some two to four; more than
 * WEIR_CHILDREN_MAX are a mistake in somebody's data.
 */
#include "aggregators/apply/smart_cards.h"

#include <string.h>

#include "aggregators/state/card_table.h"
#include "aggregators/state/families.h"

/* ---- the sub-card's side ---- */

static void
publish_to_parent(struct weir_partition *p, struct weir_iccid parent, struct weir_iccid child, bool removed)
{
	char key[WEIR_ICCID_TEXT_MAX];
	struct weir_buf json = {0};
	struct weir_ref_child message = {parent, child, removed};
	if (weir_iccid_is_zero(parent))
		return;
	(void)weir_iccid_format(parent, key);
	weir_reference_print_child(&message, &json);
	weir_outbox_add(p, WEIR_OUTBOX_CARDS, WEIR_OUTBOX_BY_KEY, key, json.data, (uint32_t)json.len);
	weir_buf_free(&json);
}

enum weir_class
weir_smart_parent(struct weir_partition *p, uint32_t slot, struct weir_iccid parent, struct weir_error *err)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	struct weir_iccid had = overrides != NULL ? overrides->parent : (struct weir_iccid){0};
	if (weir_iccid_equal(had, parent))
		return WEIR_OK;
	if (!weir_iccid_is_zero(parent) && (card->flags & WEIR_CARD_HAS_CHILDREN) != 0)
		return weir_error_set(
		    err, WEIR_POISON, "a card with sub-cards cannot be a sub-card itself: one level (POOL-8)");
	weir_partition_card_overrides(p, slot)->parent = parent;
	card->flags &= (uint8_t)~WEIR_CARD_HAS_PARENT;
	card->flags |= weir_iccid_is_zero(parent) ? 0 : WEIR_CARD_HAS_PARENT;
	weir_slab_dirty(&p->tables.cards, slot);
	publish_to_parent(p, had, card->iccid, true);
	publish_to_parent(p, parent, card->iccid, false);
	return WEIR_OK;
}

/* ---- the parent's side ---- */

static void
remember(struct weir_partition *p, const struct weir_family *family)
{
	WEIR_CHECK(family->count <= WEIR_CHILDREN_MAX);
	char text[WEIR_ICCID_TEXT_MAX];
	struct weir_buf json = {0};
	(void)weir_iccid_format(family->parent, text);
	weir_buf_printf(&json, "{\"type\":\"children\",\"parent\":\"%s\",\"children\":[", text);
	for (uint32_t i = 0; i < family->count; i++) {
		char child[WEIR_ICCID_TEXT_MAX];
		(void)weir_iccid_format(family->child[i], child);
		weir_buf_printf(&json, "%s\"%s\"", i > 0 ? "," : "", child);
	}
	weir_buf_printf(&json, "]}");
	weir_partition_remember(p, "children", text, (struct weir_slice){json.data, json.len});
	weir_buf_free(&json);
}

static uint32_t
place_of(const struct weir_family *family, struct weir_iccid child)
{
	uint32_t i = 0;
	while (i < family->count && !weir_iccid_equal(family->child[i], child))
		i++;
	return i;
}

static enum weir_class
add_child(struct weir_partition *p, const struct weir_ref_child *child, struct weir_error *err)
{
	uint32_t slot;
	const struct weir_card_slot *parent = weir_partition_find(p, child->parent, &slot);
	if (parent != NULL && (parent->flags & WEIR_CARD_HAS_PARENT) != 0)
		return weir_error_set(err, WEIR_POISON, "a sub-card's parent is a sub-card itself: one level (POOL-8)");
	struct weir_family *family = weir_family_get(p, child->parent);
	if (place_of(family, child->child) < family->count)
		return WEIR_OK;
	if (family->count == WEIR_CHILDREN_MAX)
		return weir_error_set(
		    err, WEIR_POISON, "more than %d sub-cards of one smart card (POOL-8)", WEIR_CHILDREN_MAX);
	family->child[family->count++] = child->child;
	remember(p, family);
	weir_family_flag_parent(p, family);
	return WEIR_OK;
}

enum weir_class
weir_smart_child(struct weir_partition *p, const struct weir_ref_child *child, struct weir_error *err)
{
	if (!child->removed)
		return add_child(p, child, err);
	struct weir_family *family = weir_family_find(p, child->parent);
	uint32_t at = family == NULL ? 0 : place_of(family, child->child);
	if (family == NULL || at == family->count)
		return WEIR_OK;
	family->child[at] = family->child[--family->count];
	remember(p, family);
	weir_family_flag_parent(p, family);
	return WEIR_OK;
}

/* ---- loading ---- */

static bool
take_text(struct weir_slice *json, const char *text)
{
	size_t len = strlen(text);
	if (json->len < len || memcmp(json->data, text, len) != 0)
		return false;
	*json = (struct weir_slice){json->data + len, json->len - len};
	return true;
}

static bool
take_iccid(struct weir_slice *json, struct weir_iccid *iccid_out)
{
	const uint8_t *end;
	if (!take_text(json, "\"") || (end = memchr(json->data, '"', json->len)) == NULL)
		return false;
	size_t len = (size_t)(end - json->data);
	if (!weir_iccid_parse(json->data, len, iccid_out))
		return false;
	*json = (struct weir_slice){end + 1, json->len - len - 1};
	return true;
}

bool
weir_smart_load(struct weir_partition *p, struct weir_slice json)
{
	struct weir_family family = {0};
	if (!take_text(&json, "{\"type\":\"children\",\"parent\":") || !take_iccid(&json, &family.parent) ||
	    !take_text(&json, ",\"children\":["))
		return false;
	while (!take_text(&json, "]}")) {
		if (family.count == WEIR_CHILDREN_MAX || (family.count > 0 && !take_text(&json, ",")) ||
		    !take_iccid(&json, &family.child[family.count]))
			return false;
		family.count++;
	}
	if (json.len != 0 || weir_family_find(p, family.parent) != NULL)
		return false;
	*weir_family_get(p, family.parent) = family;
	return true;
}
