/* Pages of windows: a table of them, entries to bytes and back; see windows.h. */
#include "aggregators/tables/windows.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

const char *
weir_window_tags(unsigned kind)
{
	static const char *const TAGS[WEIR_WINDOW_KINDS] = {"wh", "wd", "vh", "vd", "xh", "uh", "ud"};
	WEIR_CHECK(kind < WEIR_WINDOW_KINDS);
	return TAGS[kind];
}

void
weir_windows_init(struct weir_windows *windows)
{
	*windows = (struct weir_windows){.known_after = WEIR_WINDOW_NONE, .newest_window = WEIR_WINDOW_NONE};
}

void
weir_windows_free(struct weir_windows *windows)
{
	for (uint32_t i = 0; i < windows->cap; i++)
		free(windows->places[i].page);
	for (uint32_t i = 0; i < windows->spare_count; i++)
		free(windows->spare[i]);
	free(windows->places);
	free(windows->newest);
	free(windows->spare);
	free(windows->changed);
	*windows = (struct weir_windows){0};
}

uint64_t
weir_windows_bytes(const struct weir_windows *windows)
{
	uint64_t pages = (uint64_t)windows->used + windows->spare_count;
	uint64_t lists = (uint64_t)windows->spare_cap + windows->changed_cap + windows->newest_cap;
	return windows->cap * sizeof(*windows->places) + lists * sizeof(*windows->spare) +
	       pages * sizeof(struct weir_window_page);
}

/* ---- the table ---- */

static uint32_t
home(const struct weir_windows *windows, int32_t window, uint32_t page)
{
	uint64_t key = ((uint64_t)(uint32_t)window << 32 | page) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(key >> 32) & (windows->cap - 1);
}

static struct weir_window_place *
place(const struct weir_windows *windows, int32_t window, uint32_t page)
{
	uint32_t at = home(windows, window, page);
	while (windows->places[at].page != NULL &&
	       (windows->places[at].window != window || windows->places[at].number != page))
		at = (at + 1) & (windows->cap - 1);
	return &windows->places[at];
}

struct weir_window_page *
weir_windows_page_slow(const struct weir_windows *windows, int32_t window, uint32_t page)
{
	return windows->cap == 0 ? NULL : place(windows, window, page)->page;
}

/* Puts the pages into a table of cap places. */
static void
rebuild(struct weir_windows *windows, uint32_t cap)
{
	WEIR_CHECK(cap > windows->used && (cap & (cap - 1)) == 0);
	struct weir_window_place *old = windows->places;
	uint32_t old_cap = windows->cap;
	windows->places = weir_calloc(cap, sizeof(*windows->places));
	windows->cap = cap;
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i].page != NULL)
			*place(windows, old[i].window, old[i].number) = old[i];
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

/* A page of the newest window, or of a newer one, is found by its number from now on. */
static void
note_newest(struct weir_windows *windows, struct weir_window_page *page)
{
	WEIR_CHECK(weir_windows_page_slow(windows, page->window, page->page) == page);
	if (page->window < windows->newest_window)
		return;
	if (page->window > windows->newest_window && windows->newest_cap > 0)
		memset(windows->newest, 0, windows->newest_cap * sizeof(struct weir_window_page *));
	windows->newest_window = page->window;
	if (page->page >= windows->newest_cap) {
		uint32_t cap = windows->newest_cap == 0 ? 64 : windows->newest_cap;
		while (cap <= page->page)
			cap *= 2;
		windows->newest = weir_realloc(windows->newest, cap * sizeof(struct weir_window_page *));
		memset(windows->newest + windows->newest_cap, 0,
		    (cap - windows->newest_cap) * sizeof(struct weir_window_page *));
		windows->newest_cap = cap;
	}
	windows->newest[page->page] = page;
}

struct weir_window_page *
weir_windows_get(struct weir_windows *windows, int32_t window, uint32_t number)
{
	struct weir_window_page *page = weir_windows_page(windows, window, number);
	if (page != NULL)
		return page;
	if (windows->used + 1 > windows->cap / 2)
		rebuild(windows, windows->cap == 0 ? 64 : windows->cap * 2);
	page = windows->spare_count > 0 ? windows->spare[--windows->spare_count] : weir_calloc(1, sizeof(*page));
	page->window = window;
	page->page = number;
	page->present[0] = page->present[1] = page->dirty[0] = page->dirty[1] = 0;
	page->complete = window > windows->known_after;
	page->asked = false;
	*place(windows, window, number) = (struct weir_window_place){page, window, number};
	note_newest(windows, page);
	windows->used++;
	return page;
}

/* ---- entries ---- */

static inline bool
bit_of(const uint64_t bits[2], uint32_t at)
{
	return (bits[at >> 6] >> (at & 63) & 1) != 0;
}

static inline void
bit_set(uint64_t bits[2], uint32_t at)
{
	bits[at >> 6] |= (uint64_t)1 << (at & 63);
}

struct weir_counts *
weir_windows_find(const struct weir_windows *windows, int32_t window, uint32_t slot)
{
	struct weir_window_page *page = weir_windows_page(windows, window, slot / WEIR_WINDOW_SLOTS);
	uint32_t at = slot % WEIR_WINDOW_SLOTS;
	return page != NULL && bit_of(page->present, at) ? &page->counts[at] : NULL;
}

static inline void
make_dirty(struct weir_windows *windows, struct weir_window_page *page, uint32_t at)
{
	if (bit_of(page->dirty, at))
		return;
	if ((page->dirty[0] | page->dirty[1]) == 0)
		push(&windows->changed, &windows->changed_count, &windows->changed_cap, page);
	bit_set(page->dirty, at);
	windows->dirty++;
}

struct weir_counts *
weir_windows_change(struct weir_windows *windows, int32_t window, uint32_t slot)
{
	struct weir_window_page *page = weir_windows_get(windows, window, slot / WEIR_WINDOW_SLOTS);
	uint32_t at = slot % WEIR_WINDOW_SLOTS;
	if (!bit_of(page->present, at))
		page->counts[at] = (struct weir_counts){0};
	bit_set(page->present, at);
	make_dirty(windows, page, at);
	return &page->counts[at];
}

void
weir_windows_make(struct weir_windows *windows, int32_t window, uint32_t slot, const struct weir_counts *counts)
{
	struct weir_window_page *page = weir_windows_get(windows, window, slot / WEIR_WINDOW_SLOTS);
	uint32_t at = slot % WEIR_WINDOW_SLOTS;
	if (bit_of(page->present, at))
		return;
	page->counts[at] = *counts;
	bit_set(page->present, at);
	make_dirty(windows, page, at);
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
entry_len(const struct weir_counts *c)
{
	return 1 + varint_len(c->up) + varint_len(c->down) + varint_len(c->records) + varint_len(c->sessions);
}

static uint8_t *
entry_put(uint8_t *out, uint32_t at, const struct weir_counts *c)
{
	*out++ = (uint8_t)at; /* below 128: its own varint */
	out = varint_put(out, c->up);
	out = varint_put(out, c->down);
	out = varint_put(out, c->records);
	return varint_put(out, c->sessions);
}

static bool
entry_take(struct weir_slice *bytes, uint32_t *at_out, struct weir_counts *out)
{
	uint64_t at, records, sessions;
	if (!varint_take(bytes, WEIR_WINDOW_SLOTS - 1, &at) || !varint_take(bytes, UINT64_MAX, &out->up) ||
	    !varint_take(bytes, UINT64_MAX, &out->down) || !varint_take(bytes, UINT32_MAX, &records) ||
	    !varint_take(bytes, UINT32_MAX, &sessions))
		return false;
	*at_out = (uint32_t)at;
	out->records = (uint32_t)records;
	out->sessions = (uint32_t)sessions;
	return true;
}

bool
weir_windows_answer(struct weir_windows *windows, int32_t window, uint32_t number, struct weir_slice value)
{
	struct weir_window_page *page = weir_windows_page(windows, window, number);
	if (page == NULL)
		return true;
	page->asked = false;
	if (page->complete)
		return true;
	uint64_t newer[2] = {page->present[0], page->present[1]};
	while (value.len > 0) {
		struct weir_counts counts;
		uint32_t at;
		if (!entry_take(&value, &at, &counts))
			return false;
		if (bit_of(newer, at))
			continue;
		page->counts[at] = counts;
		bit_set(page->present, at);
	}
	page->complete = true;
	return true;
}

/* The first set bit from `at` on; WEIR_WINDOW_SLOTS = none. */
static uint32_t
next_bit(const uint64_t bits[2], uint32_t at)
{
	for (; at < WEIR_WINDOW_SLOTS; at = (at | 63) + 1) {
		uint64_t left = bits[at >> 6] >> (at & 63);
		if (left != 0)
			return at + (uint32_t)__builtin_ctzll(left);
	}
	return WEIR_WINDOW_SLOTS;
}

static void
encode_page(struct weir_window_page *page, unsigned kind, weir_windows_append_fn append, void *ctx)
{
	WEIR_CHECK((page->dirty[0] & ~page->present[0]) == 0 && (page->dirty[1] & ~page->present[1]) == 0);
	uint32_t len = 0, at;
	for (at = next_bit(page->dirty, 0); at < WEIR_WINDOW_SLOTS; at = next_bit(page->dirty, at + 1))
		len += entry_len(&page->counts[at]);
	uint8_t *out = append(ctx, kind, page->window, page->page, len);
	WEIR_CHECK(len > 0 && out != NULL);
	for (at = next_bit(page->dirty, 0); at < WEIR_WINDOW_SLOTS; at = next_bit(page->dirty, at + 1))
		out = entry_put(out, at, &page->counts[at]);
	page->dirty[0] = page->dirty[1] = 0;
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
		struct weir_window_page *page = windows->places[i].page;
		if (page == NULL || page->asked || page->window >= from)
			continue;
		WEIR_CHECK((page->dirty[0] | page->dirty[1]) == 0);
		dropped = page->window > dropped ? page->window : dropped;
		windows->places[i].page = NULL;
		if (page->window == windows->newest_window)
			windows->newest[page->page] = NULL;
		windows->used--;
		push(&windows->spare, &windows->spare_count, &windows->spare_cap, page);
	}
	windows->known_after = dropped;
	rebuild(windows, windows->cap); /* so that no chain of places is broken */
}

void
weir_windows_trim(struct weir_windows *windows, uint32_t max)
{
	if (windows->used <= max)
		return;
	int64_t newest = INT64_MIN;
	for (uint32_t i = 0; i < windows->cap; i++)
		if (windows->places[i].page != NULL && windows->places[i].window > newest)
			newest = windows->places[i].window;
	drop_before(windows, newest - 1);
	if (windows->used > max)
		drop_before(windows, INT64_MAX);
}
