/*
 * Windows of usage (ROL-1): what is in Redis per hour or day and slot, and the part of it that is in memory.
 *
 * A table holds one kind: entries of 128 neighbouring slots of one window make a page, which is one string in Redis. A
 * flush appends a page's changed entries to its string, so the last entry of a slot counts. In memory a page is held while
 * it is used; nothing says that all of it is there. Two things answer "is there an entry in Redis that is not here?": a
 * page that was fetched is complete, and windows after `known_after` were never dropped since they began, so what is not in
 * memory does not exist. Everything else is fetched first (never asked for here: not ready is an answer, not a wait). What
 * is in memory wins over what is fetched, because it is newer.
 *
 * Kinds of cards and pool locals hold baselines (baselines.h); those of source totals and pools hold the usage itself
 * (feed_pools.c).
 *
 * One owner (the partition's lane). A page is 3 KiB whatever it holds, and is used again when it was dropped: an hour like
 * the one before allocates nothing.
 */
#ifndef WEIR_AGGREGATORS_TABLES_WINDOWS_H
#define WEIR_AGGREGATORS_TABLES_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/slice.h"

#define WEIR_WINDOW_SLOTS 128u    /* of a page: its number is slot / 128 */
#define WEIR_WINDOW_ENTRY_MAX 31u /* bytes of an entry as stored: five varints */
#define WEIR_WINDOW_NONE INT32_MIN

enum weir_window_kind {
	WEIR_WINDOW_CARD_HOUR,
	WEIR_WINDOW_CARD_DAY,
	WEIR_WINDOW_POOL_LOCAL_HOUR,
	WEIR_WINDOW_POOL_LOCAL_DAY,
	WEIR_WINDOW_POOL_SOURCE_HOUR,
	WEIR_WINDOW_POOL_HOUR,
	WEIR_WINDOW_POOL_DAY,
	WEIR_WINDOW_KINDS
};
/* First part of the key: "wh", "wd", "vh", "vd", "xh", "uh", "ud". Then the window's number, then the page's. */
const char *weir_window_tags(unsigned kind);

/* Up and down in bytes; records and sessions wrap at 2^32 as the slots' do. */
struct weir_counts {
	uint64_t up, down;
	uint32_t records, sessions;
};

static inline void
weir_counts_add(struct weir_counts *to, const struct weir_counts *more)
{
	to->up += more->up;
	to->down += more->down;
	to->records += more->records;
	to->sessions += more->sessions;
}

static inline struct weir_counts
weir_counts_less(const struct weir_counts *a, const struct weir_counts *b)
{
	return (struct weir_counts){a->up - b->up, a->down - b->down, a->records - b->records, a->sessions - b->sessions};
}

static inline bool
weir_counts_is_zero(const struct weir_counts *u)
{
	return (u->up | u->down | u->records | u->sessions) == 0;
}

struct weir_window_page {
	int32_t window;
	uint32_t page;
	uint64_t present[2]; /* bits by slot within the page */
	uint64_t dirty[2];   /* not yet in a flush */
	bool complete;       /* nothing of it is in Redis only */
	bool asked;          /* a fetch is under way */
	struct weir_counts counts[WEIR_WINDOW_SLOTS];
};

/* A place of the table: the key beside the pointer, so that looking for a page touches no other. */
struct weir_window_place {
	struct weir_window_page *page; /* NULL = empty */
	int32_t window;
	uint32_t number;
};

struct weir_windows {
	struct weir_window_place *places; /* open addressing */
	uint32_t cap;                     /* power of two, or 0 */
	uint32_t used;
	struct weir_window_page **newest; /* pages of newest_window by their number: where most are looked for */
	uint32_t newest_cap;
	int32_t newest_window;
	struct weir_window_page **spare; /* memory of pages that were dropped */
	uint32_t spare_count, spare_cap;
	struct weir_window_page **changed; /* pages with dirty entries, in order of first change */
	uint32_t changed_count, changed_cap;
	uint64_t dirty;      /* entries not yet in a flush */
	int32_t known_after; /* windows after this one are wholly in memory */
};

void weir_windows_init(struct weir_windows *windows);
void weir_windows_free(struct weir_windows *windows);
uint64_t weir_windows_bytes(const struct weir_windows *windows);

struct weir_window_page *weir_windows_page_slow(const struct weir_windows *windows, int32_t window, uint32_t page);
/* The page, or NULL when it is not in memory. */
static inline struct weir_window_page *
weir_windows_page(const struct weir_windows *windows, int32_t window, uint32_t page)
{
	if (window == windows->newest_window)
		return page < windows->newest_cap ? windows->newest[page] : NULL;
	return weir_windows_page_slow(windows, window, page);
}
/* The page, made empty when it is not in memory. */
struct weir_window_page *weir_windows_get(struct weir_windows *windows, int32_t window, uint32_t page);

/* Is all that exists of the slot's page in memory? */
static inline bool
weir_windows_ready(const struct weir_windows *windows, int32_t window, uint32_t slot)
{
	if (window > windows->known_after)
		return true;
	const struct weir_window_page *page = weir_windows_page(windows, window, slot / WEIR_WINDOW_SLOTS);
	return page != NULL && page->complete;
}

/* The slot's entry in memory or NULL; valid until the next trim. */
struct weir_counts *weir_windows_find(const struct weir_windows *windows, int32_t window, uint32_t slot);
/* The slot's entry, made of zeros when it is not in memory; marks it dirty. The caller changes it after the call. */
struct weir_counts *weir_windows_change(struct weir_windows *windows, int32_t window, uint32_t slot);
/* Makes the slot's entry; one that is in memory stays as it is. */
void weir_windows_make(struct weir_windows *windows, int32_t window, uint32_t slot, const struct weir_counts *counts);
/* A fetched string (empty = there is none): entries that are not in memory come in. False when it is no list of entries. */
bool weir_windows_answer(struct weir_windows *windows, int32_t window, uint32_t page, struct weir_slice value);

/* Each page with dirty entries, once: append returns where to write len bytes. Afterwards nothing is dirty. */
typedef uint8_t *(*weir_windows_append_fn)(void *ctx, unsigned kind, int32_t window, uint32_t page, uint32_t len);
void weir_windows_encode(struct weir_windows *windows, unsigned kind, weir_windows_append_fn append, void *ctx);
/* After an encode: drops pages of older windows, then all, when more than max are held. */
void weir_windows_trim(struct weir_windows *windows, uint32_t max);

#endif
