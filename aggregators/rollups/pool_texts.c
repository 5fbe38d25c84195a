/*
 * Pools' texts for people: members `"name":...,"batches":...` of their definitions, which rows repeat. Before the pools are
 * loaded they are kept by id.
 */
#include "aggregators/rollups/pool_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregators/state/pool_table.h"

static void
set_text(struct weir_feeds *f, uint32_t slot, char *text)
{
	WEIR_CHECK(text != NULL);
	if (slot >= f->text_cap) {
		uint32_t cap = f->text_cap == 0 ? 64 : f->text_cap;
		while (cap <= slot)
			cap *= 2;
		f->texts = weir_realloc(f->texts, cap * sizeof(*f->texts));
		memset(f->texts + f->text_cap, 0, (cap - f->text_cap) * sizeof(*f->texts));
		f->text_cap = cap;
	}
	free(f->texts[slot]);
	f->texts[slot] = text;
}

void
weir_feeds_pool_text(struct weir_partition *p, const char *pool, struct weir_slice json)
{
	struct weir_feeds *f = p->feeds;
	struct weir_buf text = {0};
	uint32_t slot;
	weir_reference_pool_texts(json, &text);
	weir_buf_append(&text, "", 1);
	if (weir_partition_find_pool(p, pool, &slot) != NULL) {
		set_text(f, slot, (char *)text.data);
		return;
	}
	if (f->early_count == f->early_cap) {
		f->early_cap = f->early_cap == 0 ? 64 : f->early_cap * 2;
		f->early = weir_realloc(f->early, f->early_cap * sizeof(*f->early));
	}
	struct weir_feed_text *early = &f->early[f->early_count++];
	(void)snprintf(early->pool, sizeof(early->pool), "%s", pool);
	early->text = (char *)text.data;
}

void
weir_feeds_place_texts(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	for (uint32_t i = 0; i < f->early_count; i++) {
		uint32_t slot;
		if (weir_partition_find_pool(p, f->early[i].pool, &slot) != NULL)
			set_text(f, slot, f->early[i].text);
		else
			free(f->early[i].text);
	}
	f->early_count = 0;
}
