/* Pages of windows: a table of them, entries to bytes and back; see windows.h. */
#include "aggregators/windows.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

const char *
weir_window_letters(unsigned kind)
{
	static const char *const LETTERS[WEIR_WINDOW_KINDS] = {"wh", "wd", "vh", "vd", "xh", "uh", "ud"};
	WEIR_CHECK(kind < WEIR_WINDOW_KINDS);
	return LETTERS[kind];
}

void
weir_windows_init(struct weir_windows *windows)
{
	*windows = (struct weir_windows){.known_after = WEIR_WINDOW_NONE};
}

static void
page_free(struct weir_window_page *page)
{
	free(page->entries);
	free(page);
}

void
weir_windows_free(struct weir_windows *windows)
{
	for (uint32_t i = 0; i < windows->cap; i++)
		if (windows->pages[i] != NULL)
			page_free(windows->pages[i]);
	for (uint32_t i = 0; i < windows->spare_count; i++)
		page_free(windows->spare[i]);
	free(windows->pages);
	free(windows->spare);
	free(windows->changed);
	*windows = (struct weir_windows){0};
}

uint64_t
weir_windows_bytes(const struct weir_windows *windows)
{
	uint64_t bytes = ((uint64_t)windows->cap + windows->spare_cap + windows->changed_cap) * sizeof(*windows->pages);
	for (uint32_t i = 0; i < windows->cap; i++)
		if (windows->pages[i] != NULL)
			bytes += sizeof(struct weir_window_page) + windows->pages[i]->cap * sizeof(struct weir_window_entry);
	for (uint32_t i = 0; i < windows->spare_count; i++)
		bytes += sizeof(struct weir_window_page) + windows->spare[i]->cap * sizeof(struct weir_window_entry);
	return bytes;
}

/* ---- the table ---- */

static uint32_t
place(const struct weir_windows *windows, int32_t window, uint32_t page)
{
	uint64_t key = ((uint64_t)(uint32_t)window << 32 | page) * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(key >> 32) & (windows->cap - 1);
	while (windows->pages[at] != NULL && (windows->pages[at]->window != window || windows->pages[at]->page != page))
		at = (at + 1) & (windows->cap - 1);
	return at;
}

struct weir_window_page *
weir_windows_page(const struct weir_windows *windows, int32_t window, uint32_t page)
{
	return windows->cap == 0 ? NULL : windows->pages[place(windows, window, page)];
}

/* Puts the pages into a table of cap places. */
static void
rebuild(struct weir_windows *windows, uint32_t cap)
{
	struct weir_window_page **old = windows->pages;
	uint32_t old_cap = windows->cap;
	windows->pages = weir_calloc(cap, sizeof(struct weir_window_page *));
	windows->cap = cap;
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i] != NULL)
			windows->pages[place(windows, old[i]->window, old[i]->page)] = old[i];
	free(old);
}

static void
push(struct weir_window_page ***list, uint32_t *count, uint32_t *cap, struct weir_window_page *page)
{
	if (*count == *cap) {
		*cap = *cap == 0 ? 64 : *cap * 2;
		*list = weir_realloc(*list, *cap * sizeof(**list));
	}
	(*list)[(*count)++] = page;
}

static struct weir_window_page *
new_page(struct weir_windows *windows)
{
	if (windows->spare_count == 0)
		return weir_calloc(1, sizeof(struct weir_window_page));
	struct weir_window_page *page = windows->spare[--windows->spare_count];
	struct weir_window_page kept = {.entries = page->entries, .cap = page->cap};
	*page = kept;
	return page;
}

struct weir_window_page *
weir_windows_get(struct weir_windows *windows, int32_t window, uint32_t page_number)
{
	struct weir_window_page *page = weir_windows_page(windows, window, page_number);
	if (page != NULL)
		return page;
	if (windows->used + 1 > windows->cap / 2)
		rebuild(windows, windows->cap == 0 ? 64 : windows->cap * 2);
	page = new_page(windows);
	page->window = window;
	page->page = page_number;
	page->complete = window > windows->known_after;
	windows->pages[place(windows, window, page_number)] = page;
	windows->used++;
	return page;
}

/* ---- entries ---- */

struct weir_window_entry *
weir_windows_find(const struct weir_windows *windows, int32_t window, uint32_t slot)
{
	struct weir_window_page *page = weir_windows_page(windows, window, slot / WEIR_WINDOW_SLOTS);
	uint8_t at = page == NULL ? 0 : page->place[slot % WEIR_WINDOW_SLOTS];
	return at == 0 ? NULL : &page->entries[at - 1];
}

static struct weir_window_entry *
add_entry(struct weir_windows *windows, struct weir_window_page *page, uint32_t in_page)
{
	if (page->used == page->cap) {
		page->cap = page->cap == 0 ? 8 : page->cap * 2;
		page->entries = weir_realloc(page->entries, page->cap * sizeof(*page->entries));
	}
	struct weir_window_entry *entry = &page->entries[page->used++];
	*entry = (struct weir_window_entry){.slot = (uint8_t)in_page};
	page->place[in_page] = (uint8_t)page->used;
	windows->entries++;
	return entry;
}

struct weir_window_entry *
weir_windows_change(struct weir_windows *windows, int32_t window, uint32_t slot)
{
	struct weir_window_page *page = weir_windows_get(windows, window, slot / WEIR_WINDOW_SLOTS);
	uint32_t in_page = slot % WEIR_WINDOW_SLOTS;
	uint8_t at = page->place[in_page];
	struct weir_window_entry *entry = at != 0 ? &page->entries[at - 1] : add_entry(windows, page, in_page);
	if (entry->dirty)
		return entry;
	entry->dirty = true;
	if (page->dirty++ == 0)
		push(&windows->changed, &windows->changed_count, &windows->changed_cap, page);
	windows->dirty++;
	return entry;
}

/* ---- bytes ---- */

static uint32_t
varint_len(uint64_t number)
{
	return number == 0 ? 1 : (70u - (uint32_t)__builtin_clzll(number)) / 7u;
}

static uint8_t *
varint_put(uint8_t *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*out++ = (uint8_t)(number | 0x80);
	*out++ = (uint8_t)number;
	return out;
}

static bool
varint_take(struct weir_slice *bytes, uint64_t max, uint64_t *number_out)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64 && bytes->len > 0; shift += 7) {
		uint8_t byte = *bytes->data++;
		bytes->len--;
		if (shift == 63 && byte > 1)
			return false;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			*number_out = number;
			return number <= max;
		}
	}
	return false;
}

static uint32_t
entry_len(const struct weir_window_entry *e)
{
	return 1 + varint_len(e->usage.up) + varint_len(e->usage.down) + varint_len(e->usage.records) +
	       varint_len(e->usage.sessions);
}

static uint8_t *
entry_put(uint8_t *out, const struct weir_window_entry *e)
{
	*out++ = e->slot; /* below 128: its own varint */
	out = varint_put(out, e->usage.up);
	out = varint_put(out, e->usage.down);
	out = varint_put(out, e->usage.records);
	return varint_put(out, e->usage.sessions);
}

static bool
entry_take(struct weir_slice *bytes, struct weir_window_entry *out)
{
	uint64_t slot, records, sessions;
	if (!varint_take(bytes, WEIR_WINDOW_SLOTS - 1, &slot) || !varint_take(bytes, UINT64_MAX, &out->usage.up) ||
	    !varint_take(bytes, UINT64_MAX, &out->usage.down) || !varint_take(bytes, UINT32_MAX, &records) ||
	    !varint_take(bytes, UINT32_MAX, &sessions))
		return false;
	out->slot = (uint8_t)slot;
	out->usage.records = (uint32_t)records;
	out->usage.sessions = (uint32_t)sessions;
	return true;
}

bool
weir_windows_answer(struct weir_windows *windows, int32_t window, uint32_t page_number, struct weir_slice value)
{
	struct weir_window_entry stored[WEIR_WINDOW_SLOTS];
	bool found[WEIR_WINDOW_SLOTS] = {false};
	struct weir_window_page *page = weir_windows_page(windows, window, page_number);
	if (page == NULL)
		return true;
	page->asked = false;
	if (page->complete)
		return true;
	while (value.len > 0) {
		struct weir_window_entry entry = {.dirty = false};
		if (!entry_take(&value, &entry))
			return false;
		stored[entry.slot] = entry;
		found[entry.slot] = true;
	}
	for (uint32_t i = 0; i < WEIR_WINDOW_SLOTS; i++)
		if (found[i] && page->place[i] == 0)
			add_entry(windows, page, i)->usage = stored[i].usage;
	page->complete = true;
	return true;
}

static void
encode_page(struct weir_window_page *page, unsigned kind, weir_windows_append_fn append, void *ctx)
{
	uint32_t len = 0;
	for (uint32_t i = 0; i < page->used; i++)
		len += page->entries[i].dirty ? entry_len(&page->entries[i]) : 0;
	uint8_t *out = append(ctx, kind, page->window, page->page, len);
	for (uint32_t i = 0; i < page->used; i++) {
		if (page->entries[i].dirty)
			out = entry_put(out, &page->entries[i]);
		page->entries[i].dirty = false;
	}
	page->dirty = 0;
}

void
weir_windows_encode(struct weir_windows *windows, unsigned kind, weir_windows_append_fn append, void *ctx)
{
	for (uint32_t i = 0; i < windows->changed_count; i++)
		encode_page(windows->changed[i], kind, append, ctx);
	windows->changed_count = 0;
	windows->dirty = 0;
}

/* ---- dropping ---- */

/* Pages of windows before `from`, but for those that a fetch will answer. */
static void
drop_before(struct weir_windows *windows, int64_t from)
{
	int32_t dropped = windows->known_after;
	for (uint32_t i = 0; i < windows->cap; i++) {
		struct weir_window_page *page = windows->pages[i];
		if (page == NULL || page->asked || page->window >= from)
			continue;
		WEIR_CHECK(page->dirty == 0);
		dropped = page->window > dropped ? page->window : dropped;
		windows->entries -= page->used;
		windows->pages[i] = NULL;
		windows->used--;
		push(&windows->spare, &windows->spare_count, &windows->spare_cap, page);
	}
	windows->known_after = dropped;
	rebuild(windows, windows->cap); /* so that no chain of places is broken */
}

void
weir_windows_trim(struct weir_windows *windows, uint64_t max)
{
	if (windows->entries <= max)
		return;
	int64_t newest = INT64_MIN;
	for (uint32_t i = 0; i < windows->cap; i++)
		if (windows->pages[i] != NULL && windows->pages[i]->window > newest)
			newest = windows->pages[i]->window;
	drop_before(windows, newest - 1);
	if (windows->entries > max)
		drop_before(windows, INT64_MAX);
}
