/*
 * All that changed in a partition, as bytes for the store: pages or runs of slots, dedupe keys by bucket, closed cycles'
 * slots, directory entries, names. After it nothing counts as changed: the owner brings the bytes into the store or
 * reloads.
 */
#include "aggregators/snapshot/encode.h"

#include <stdlib.h>
#include <string.h>

#include "aggregators/rollups/feeds.h"

static void
encode_runs(
    const struct weir_slab *slab, char tag, uint32_t page, const struct weir_slab_dirt *dirt, const struct weir_writer *w)
{
	const uint8_t *bytes = weir_slab_page(slab, page);
	uint32_t slots = 1u << slab->page_shift;
	for (uint32_t at = 0; at < slots;) {
		if ((dirt->bits[at >> 6] >> (at & 63) & 1) == 0) {
			at++;
			continue;
		}
		uint32_t from = at;
		while (at < slots && (dirt->bits[at >> 6] >> (at & 63) & 1) != 0)
			at++;
		w->range(w->ctx, tag, page, from << slab->slot_shift, bytes + ((size_t)from << slab->slot_shift),
		    (at - from) << slab->slot_shift);
	}
}

static void
encode_slab(struct weir_slab *slab, char tag, const struct weir_writer *w, uint32_t sparse_slots)
{
	WEIR_CHECK(slab->dirty_count <= slab->page_cap);
	for (uint32_t i = 0; i < slab->dirty_count; i++) {
		uint32_t page = slab->dirty_pages[i];
		const struct weir_slab_dirt *dirt = &slab->dirt[page];
		uint32_t dirty = 0;
		for (uint32_t k = 0; k < sizeof(dirt->bits) / sizeof(dirt->bits[0]); k++)
			dirty += (uint32_t)__builtin_popcountll(dirt->bits[k]);
		if (dirty * slab->slot_bytes < sparse_slots * 64)
			encode_runs(slab, tag, page, dirt, w);
		else
			w->page(w->ctx, tag, page, weir_slab_page(slab, page), weir_slab_stored_bytes(slab));
	}
	weir_slab_clean(slab);
}

static void
write_dedupe_keys(uint8_t *out, const uint64_t *hashes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t high = hashes[i] >> 8;
		memcpy(out + (size_t)i * WEIR_DEDUPE_KEY_BYTES, &high, WEIR_DEDUPE_KEY_BYTES);
	}
}

/* Sorts hashes by bucket where they lie: each goes to where its bucket's next one belongs, until one comes back. */
static void
sort_by_bucket(uint64_t *hashes, uint32_t n, uint32_t start_out[WEIR_SHARDS + 1])
{
	uint32_t next[WEIR_SHARDS];
	memset(start_out, 0, (WEIR_SHARDS + 1) * sizeof(*start_out));
	for (uint32_t i = 0; i < n; i++)
		start_out[(hashes[i] & (WEIR_SHARDS - 1)) + 1]++;
	for (uint32_t b = 0; b < WEIR_SHARDS; b++) {
		next[b] = start_out[b];
		start_out[b + 1] += start_out[b];
	}
	for (uint32_t b = 0; b < WEIR_SHARDS; b++) {
		while (next[b] < start_out[b + 1]) {
			uint64_t hash = hashes[next[b]];
			for (uint32_t to = hash & (WEIR_SHARDS - 1); to != b; to = hash & (WEIR_SHARDS - 1)) {
				uint64_t *place = &hashes[next[to]++], displaced = *place;
				*place = hash;
				hash = displaced;
			}
			hashes[next[b]++] = hash;
		}
	}
}

/* The hour's pending dedupe keys, one append a bucket. */
static void
encode_hour(struct weir_dedupe_keys_hour *hour, const struct weir_writer *w)
{
	uint32_t start[WEIR_SHARDS + 1];
	struct weir_u64_list *pending = &hour->pending;
	sort_by_bucket(pending->v, pending->n, start);
	WEIR_CHECK(start[WEIR_SHARDS] == pending->n);
	for (uint32_t b = 0; b < WEIR_SHARDS; b++) {
		uint32_t n = start[b + 1] - start[b];
		if (n > 0)
			write_dedupe_keys(
			    w->dedupe_keys(w->ctx, hour->hour, b, n * WEIR_DEDUPE_KEY_BYTES), pending->v + start[b], n);
	}
	pending->n = 0;
}

static void
encode_dedupe_keys(struct weir_dedupe_keys *dedupe_keys, const struct weir_writer *w)
{
	for (uint32_t i = 0; i < dedupe_keys->hour_count; i++)
		if (dedupe_keys->hours[i]->pending.n > 0)
			encode_hour(dedupe_keys->hours[i], w);
	for (uint32_t i = 0; i < dedupe_keys->warm_cap; i++) {
		struct weir_dedupe_keys_bucket *bucket = dedupe_keys->warm[i];
		if (bucket == NULL || bucket->pending.n == 0)
			continue;
		uint32_t len = bucket->pending.n * WEIR_DEDUPE_KEY_BYTES;
		write_dedupe_keys(
		    w->dedupe_keys(w->ctx, bucket->hour, bucket->bucket, len), bucket->pending.v, bucket->pending.n);
		bucket->pending.n = 0;
	}
	dedupe_keys->pending = 0;
}

static int
closed_cycle_order(const void *a, const void *b)
{
	const struct weir_closed_cycle_entry *x = a, *y = b;
	if (x->cycle != y->cycle)
		return x->cycle < y->cycle ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

#define CLOSED_CYCLE_SLOTS (WEIR_SLAB_PAGE_BYTES / (uint32_t)sizeof(struct weir_closed_cycle_slot))

/* Dirty past totals in order of place; neighbours in one page go as one range. */
static void
encode_closed_cycle(struct weir_closed_cycles *closed_cycles, char tag, const struct weir_writer *w)
{
	if (closed_cycles->dirty == 0)
		return;
	struct weir_closed_cycle_entry *sorted = weir_calloc(closed_cycles->dirty, sizeof(*sorted));
	struct weir_closed_cycle_slot *run = weir_calloc(CLOSED_CYCLE_SLOTS, sizeof(*run));
	uint32_t n = 0;
	for (uint32_t i = 0; i < closed_cycles->cap; i++)
		if (closed_cycles->entries[i].dirty)
			sorted[n++] = closed_cycles->entries[i];
	WEIR_CHECK(n == closed_cycles->dirty);
	qsort(sorted, n, sizeof(*sorted), closed_cycle_order);
	for (uint32_t i = 0; i < n;) {
		uint32_t first = sorted[i].slot - 1, len = 0;
		uint16_t cycle = sorted[i].cycle;
		uint32_t page = first / CLOSED_CYCLE_SLOTS;
		while (i < n && sorted[i].cycle == cycle && sorted[i].slot - 1 == first + len &&
		       (first + len) / CLOSED_CYCLE_SLOTS == page)
			run[len++] = sorted[i++].value;
		w->closed_cycles(w->ctx, tag, cycle, page, first % CLOSED_CYCLE_SLOTS * (uint32_t)sizeof(*run),
		    (const uint8_t *)run, len * (uint32_t)sizeof(*run));
	}
	free(run);
	free(sorted);
}

#define DIRECTORY_BUCKETS 1024u

static int
directory_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a >> 32, y = *(const uint64_t *)b >> 32;
	x %= DIRECTORY_BUCKETS;
	y %= DIRECTORY_BUCKETS;
	return x < y ? -1 : x > y;
}

static void
encode_directory(struct weir_u64_list *cards, const struct weir_writer *w)
{
	if (cards->n > 0)
		qsort(cards->v, cards->n, sizeof(uint64_t), directory_order);
	for (uint32_t i = 0; i < cards->n;) {
		uint32_t bucket = (uint32_t)((cards->v[i] >> 32) % DIRECTORY_BUCKETS), from = i;
		while (i < cards->n && (cards->v[i] >> 32) % DIRECTORY_BUCKETS == bucket)
			i++;
		uint8_t *out = w->directory(w->ctx, bucket, (i - from) * 8);
		for (uint32_t k = from; k < i; k++, out += 8) {
			uint32_t entry[2] = {(uint32_t)(cards->v[k] >> 32), (uint32_t)cards->v[k]};
			memcpy(out, entry, sizeof(entry));
		}
	}
	cards->n = 0;
}

static void
encode_names(struct weir_partition *p, const struct weir_writer *w)
{
	for (size_t at = 0; at < p->registry.new_names.len;) {
		const uint8_t *line = p->registry.new_names.data + at;
		size_t len = (size_t)((const uint8_t *)memchr(line, '\n', p->registry.new_names.len - at) - line);
		w->name(w->ctx, (struct weir_slice){line, len});
		at += len + 1;
	}
	p->registry.new_names.len = 0;
	p->registry.new_name_count = 0;
	for (size_t at = 0; at < p->registry.new_references.len;) {
		const uint8_t *field = p->registry.new_references.data + at;
		size_t field_len = strlen((const char *)field);
		uint32_t len;
		memcpy(&len, field + field_len + 1, sizeof(len));
		const uint8_t *json = field + field_len + 1 + sizeof(len);
		w->reference(w->ctx, (struct weir_slice){field, field_len}, (struct weir_slice){json, len});
		at = (size_t)(json - p->registry.new_references.data) + len;
	}
	p->registry.new_references.len = 0;
	p->registry.new_reference_count = 0;
}

#define WARM_BUCKETS_KEPT 2048u
#define CLOSED_CYCLE_ENTRIES_KEPT 65536u
#define WINDOW_PAGES_CARDS 2048u  /* 6 MiB: a late record fetches what was dropped */
#define WINDOW_PAGES_SHARED 8192u /* of pool locals, source totals and pools: every turn of an hour needs them */

static void
encode_windows(struct weir_partition *p, const struct weir_writer *w)
{
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++) {
		if (p->tables.windows[kind].dirty > 0)
			weir_windows_encode(&p->tables.windows[kind], kind, w->window, w->ctx);
		weir_windows_trim(
		    &p->tables.windows[kind], kind <= WEIR_WINDOW_CARD_DAY ? WINDOW_PAGES_CARDS : WINDOW_PAGES_SHARED);
	}
}

#define COMMAND_BYTES 96u      /* of a command beside what it stores: verb, key, lengths */
#define WINDOW_ENTRY_USUAL 12u /* of the WEIR_WINDOW_ENTRY_MAX that an entry may take */

uint64_t
weir_partition_encode_bytes(const struct weir_partition *p)
{
	uint64_t bytes = p->registry.new_names.len + p->registry.new_references.len + p->feeds->sealed_bytes.len +
			 p->tables.new_cards.n * 8u;
	uint64_t commands =
	    1024 + p->registry.new_name_count + p->registry.new_reference_count + p->unconfirmed.intents_done.n;
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		bytes += weir_partition_slab((struct weir_partition *)p, i)->dirty_count *
			 (uint64_t)(WEIR_SLAB_PAGE_BYTES + COMMAND_BYTES);
	bytes += p->tables.dedupe_keys.pending * WEIR_DEDUPE_KEY_BYTES;
	commands += p->tables.dedupe_keys.hour_count * (uint64_t)WEIR_SHARDS;
	bytes += (p->tables.closed_cycles.dirty + p->tables.pool_closed_cycles.dirty) *
		 (COMMAND_BYTES + sizeof(struct weir_closed_cycle_slot));
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++) {
		bytes += p->tables.windows[kind].dirty * WINDOW_ENTRY_USUAL;
		commands += p->tables.windows[kind].changed_count;
	}
	return bytes + commands * COMMAND_BYTES;
}

void
weir_partition_encode(struct weir_partition *p, const struct weir_writer *w, uint32_t sparse_slots)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	WEIR_CHECK(p->parked.records.n == 0 && p->feeds->waiting_count == 0);
	weir_feeds_encode(p);
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		encode_slab(weir_partition_slab(p, i), WEIR_SLAB_TAGS[i], w, sparse_slots);
	encode_dedupe_keys(&p->tables.dedupe_keys, w);
	weir_dedupe_keys_trim(&p->tables.dedupe_keys, WARM_BUCKETS_KEPT);
	encode_closed_cycle(&p->tables.closed_cycles, 'y', w);
	weir_closed_cycles_trim(&p->tables.closed_cycles, CLOSED_CYCLE_ENTRIES_KEPT);
	encode_closed_cycle(&p->tables.pool_closed_cycles, 'z', w);
	weir_closed_cycles_trim(&p->tables.pool_closed_cycles, CLOSED_CYCLE_ENTRIES_KEPT);
	encode_windows(p, w);
	encode_directory(&p->tables.new_cards, w);
	encode_names(p, w);
	for (uint32_t i = 0; i < p->unconfirmed.intents_done.n; i++)
		w->intent_done(w->ctx, &p->unconfirmed.intents_done.v[i]);
	p->unconfirmed.intents_done.n = 0;
}

bool
weir_partition_has_changed(const struct weir_partition *p)
{
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		if (weir_partition_slab((struct weir_partition *)p, i)->dirty_count > 0)
			return true;
	for (unsigned i = 0; i < WEIR_WINDOW_KINDS; i++)
		if (p->tables.windows[i].dirty > 0)
			return true;
	return p->tables.closed_cycles.dirty > 0 || p->tables.pool_closed_cycles.dirty > 0 ||
	       p->registry.new_name_count > 0 || p->registry.new_reference_count > 0 || weir_partition_feeds_due(p);
}
