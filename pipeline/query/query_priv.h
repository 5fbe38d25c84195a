/*
 * Inside of the reader: questions to Redis in pipelines (redis_pipeline.c), what is known of each partition
 * (partition_meta.c), slots by number (slot_fetch.c), indexes of pools and pool locals (id_index.c), windows out of
 * baselines (baselines.c), and cursors (cursor.c).
 */
#ifndef WEIR_PIPELINE_READ_PRIV_H
#define WEIR_PIPELINE_READ_PRIV_H

#include "aggregators/tables/layout.h"
#include "config/base/clock.h"
#include "config/base/slice.h"
#include "config/base/timetext.h"
#include "pipeline/query/query.h"
#include "pipeline/redis/client.h"
#include "pipeline/redis/resp.h"

#define READ_PARTITIONS_MAX 65536u
#define READ_MAGIC 0x72656164u

/* ---- memory of one answer (arena.c): given out in pieces, taken back as a whole by the next question ---- */

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
};
struct arena {
	struct arena_block *first;
};
/* Zeroed, aligned for any type. */
void *arena_take(struct arena *arena, size_t count, size_t size);
const char *arena_text(struct arena *arena, const void *text, size_t len); /* copied and terminated; len 0 is "" */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

/* ---- pipelines (redis_pipeline.c) ---- */

#define QUERY_ANY_NODE UINT32_MAX /* for no partition: the key <prefix>:partitions */

/* Forgets the commands and answers before. */
void query_clear(struct weir_reader *reader);
/* Begins a command of argc arguments for a partition's node; the caller appends them. Returns its number. */
uint32_t query_begin(struct weir_reader *reader, uint32_t partition, uint32_t argc, struct weir_buf **out);
/* The commonest ones. */
uint32_t query_get(struct weir_reader *reader, uint32_t partition, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
uint32_t query_range(struct weir_reader *reader, uint32_t partition, uint32_t from, uint32_t len, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
uint32_t query_field(struct weir_reader *reader, uint32_t partition, const char *hash, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Sends all since query_clear and reads every answer; error answers end it. */
enum weir_read query_send(struct weir_reader *reader, struct weir_error *err);
/*
 * The same, each partition's commands in one transaction: they see one flush or the next, never parts of both. Commands of
 * a partition must lie side by side.
 */
enum weir_read query_send_together(struct weir_reader *reader, struct weir_error *err);
/* Commands since query_clear. */
uint32_t query_count(const struct weir_reader *reader);
const struct weir_reply *query_reply(const struct weir_reader *reader, uint32_t number);
/* A string's bytes; empty when there is none. */
struct weir_slice query_bytes(const struct weir_reader *reader, uint32_t number);

/* ---- partitions (partition_meta.c) ---- */

struct partition_carrier {
	char id[WEIR_ID_MAX];
	bool defined; /* ref holds */
	struct weir_ref_carrier ref;
	const struct weir_zone *zone; /* the reader's; NULL = not known */
	struct weir_steady fetched_at;
	bool wanted; /* is on the list of what is asked for next */
};
struct partition_plan {
	char id[WEIR_ID_MAX];
	bool defined;
	struct weir_ref_plan ref;
	struct weir_steady fetched_at;
	bool wanted; /* is on the list of what is asked for next */
};
struct checkpoint_offset {
	char topic[250];
	int64_t offset;
};
struct partition_ability { /* of the header's k:<carrier> (SUS-4) */
	char carrier[WEIR_ID_MAX];
	uint16_t single, pooled;
};
/* id -> slot of pools or pool locals, by hash; each use checks the slot. */
struct id_index {
	uint64_t *hashes; /* 0 = empty place */
	uint32_t *slots;
	uint32_t cap, used;
	uint32_t scanned; /* slots looked at */
};
struct partition_meta {
	struct weir_steady header_at; /* fetched */
	bool exists;
	uint64_t epoch, flush;
	int64_t stream_time_us;
	uint32_t slots[WEIR_SLABS];
	char owner[96];
	struct partition_ability *abilities;
	uint32_t ability_count;
	struct checkpoint_offset *checkpoint_offsets;
	uint32_t checkpoint_offset_count;
	struct weir_steady names_at; /* fetched */
	struct partition_carrier *carriers;
	uint32_t carrier_count;
	struct partition_plan *plans;
	uint32_t plan_count;
	struct id_index pools, pool_locals;
};
/* Headers and names no older than they may be; `want` NULL = every partition, else those with a true. */
/* What is kept of it counts for nothing: the next refresh fetches it. */
void part_forget(struct partition_meta *partition_meta);
enum weir_read partitions_refresh(struct weir_reader *reader, const bool *want, struct weir_error *err);
enum weir_read partition_refresh(struct weir_reader *reader, uint32_t partition, struct weir_error *err);
/*
 * Puts the definition of a carrier or plan (by number + 1; 0 = none) on the list when it is stale; the list is asked for
 * with the commands of the next query_send, and taken after it. Drop it when that failed.
 */
struct definition_want {
	uint32_t partition, number;
	bool plan;
	uint32_t command;
};
void want_carrier(struct weir_reader *reader, uint32_t partition, uint32_t carrier);
void want_plan(struct weir_reader *reader, uint32_t partition, uint32_t plan);
void definitions_query(struct weir_reader *reader);
void definitions_take(struct weir_reader *reader);
void definitions_drop(struct weir_reader *reader);
/* NULL for 0 and numbers that are not known. */
const struct partition_carrier *partition_carrier(const struct weir_reader *reader, uint32_t partition, uint32_t carrier);
const struct partition_plan *partition_plan(const struct weir_reader *reader, uint32_t partition, uint32_t plan);
/* Reasons that the carrier does not enforce on cards outside or inside pools. */
uint16_t unsupported_reasons(const struct partition_meta *partition_meta, const char *carrier, bool pooled);
void partition_metas_free(struct weir_reader *reader);

/* ---- slots (slot_fetch.c) ---- */

static inline uint32_t
slots_a_page(uint32_t slot_bytes)
{
	return WEIR_SLAB_PAGE_BYTES / slot_bytes;
}
/* Slots of a slab that were given out: a page's last slot never is. */
static inline uint64_t
slots_given(const struct partition_meta *partition_meta, uint32_t slab, uint32_t slot_bytes)
{
	uint32_t slots = partition_meta->slots[slab];
	return slots - slots / slots_a_page(slot_bytes);
}
/* A slot that is wanted: its bytes go to `out`; what is not stored reads as zeros. */
struct slot_want {
	uint32_t partition;
	char tag;
	uint32_t slot;
	uint32_t size;
	void *out;
};
enum weir_read slots_fetch(struct weir_reader *reader, struct slot_want *wants, uint32_t count, struct weir_error *err);
/* A slot out of a stored page; false and zeros when the page is too short. */
bool slot_of_page(struct weir_slice page, uint32_t slot, uint32_t size, void *out);

/* ---- places (id_index.c) ---- */

/*
 * Finds `id` among the pools (tag q) or pool locals (a) of a partition; *found_out false: there is none. The slot is
 * read and checked. 256 bytes into out.
 */
struct id_lookup {
	uint32_t partition;
	char tag;
	const char *id;
	bool found;
	uint32_t slot;
	void *out;
};
enum weir_read id_index_find(struct weir_reader *reader, struct id_lookup *wants, uint32_t count, struct weir_error *err);
void id_index_free(struct id_index *id_index);

/* ---- cards (card_query.c, card_view.c) ---- */

/* A card's slots as they were read together. */
struct card_raw {
	bool found;
	bool is_fresh; /* card and life were read just now */
	struct weir_iccid iccid;
	uint32_t partition, slot;
	struct weir_card_slot card;
	struct weir_lifecycle_slot lifecycle;
	struct weir_card_overrides_slot overrides; /* zeros: none */
	struct weir_enforcement_slot e;            /* zeros: none */
	char pool[WEIR_ID_MAX];                    /* "" = none */
	const char *tags, *remark, *family;        /* stored JSON; "" = none */
};
/* Finds where the cards lie: sets found, partition, slot, and the card's and its life's slot. */
enum weir_read cards_locate(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err);
/* Reads the rest of cards whose partition, slot and iccid are set; found becomes false where another card lies now. */
enum weir_read cards_load(struct weir_reader *reader, struct card_raw *cards, uint32_t count, struct weir_error *err);
/* Begins a question about one card, whose ICCID is set: locates and loads it. MISSING when there is none. */
enum weir_read card_find(struct weir_reader *reader, struct card_raw *card, struct weir_error *err);
void card_view_make(struct weir_reader *reader, const struct card_raw *raw, struct weir_card_view *view);
/* The cycle that is the card's current one: by the clock, or ahead of it when the card is. */
struct weir_window card_cycle_now(
    const struct weir_reader *reader, const struct partition_carrier *carrier, uint16_t slot_cycle);
/* Status as shown (LIFE-1, SUS-4). */
const char *card_status_shown(unsigned stored, uint16_t reasons, uint16_t not_enforced);
uint32_t card_status_bit(unsigned stored, uint16_t reasons, uint16_t not_enforced);
enum weir_read children_load(
    struct weir_reader *reader, const struct card_raw *parent, struct weir_card_view *view, struct weir_error *err);

/* ---- pools (pool_query.c) ---- */

struct pool_local_raw {
	uint32_t partition, index; /* slot's number */
	struct weir_pool_local_slot slot;
};
/* The carrier whose calendar a pool counts by: its own zone when it has one. */
static inline uint32_t
pool_local_carrier(const struct weir_pool_local_slot *pool_local)
{
	return pool_local->zone != 0 ? pool_local->zone : pool_local->carrier;
}
struct pool_raw {
	bool found; /* has a slot; false: cards name it, its partition does not know it yet */
	char id[WEIR_ID_MAX];
	uint32_t partition, slot;
	struct weir_pool_slot pool;
	struct pool_local_raw *pool_locals;
	uint32_t pool_local_count;
	const char *json; /* its definition; "" = none */
};
/* Begins a question about one pool. MISSING when there is none. */
enum weir_read pool_find(struct weir_reader *reader, const char *id, struct pool_raw *raw, struct weir_error *err);
/* Pool locals and definitions of pools whose id, partition and slot are read. */
enum weir_read pools_load(struct weir_reader *reader, struct pool_raw *pools, uint32_t count, struct weir_error *err);
void pool_view_make(struct weir_reader *reader, const struct pool_raw *raw, struct weir_pool_view *view);
const struct partition_carrier *pool_carrier(const struct weir_reader *reader, const struct pool_raw *raw);
/* What the pool local has of a cycle: its current one, the one before, or nothing. */
struct weir_volume pool_local_volume(const struct weir_pool_local_slot *pool_local, int32_t cycle);

/* ---- baselines (baselines.c): pure ---- */

/* Last entry of each slot of a page of baselines; false when the bytes are no such list. found: a bit a slot. */
#define BASELINES_A_PAGE 128u /* slots whose entries lie in one string */
struct baselines_page {
	struct weir_volume at[BASELINES_A_PAGE];
	bool found[BASELINES_A_PAGE];
};
bool baselines_read(struct weir_slice bytes, struct baselines_page *page_out);
/* slot: of the whole slab. */
bool baselines_find(struct weir_slice bytes, uint32_t slot, bool *found_out, struct weir_volume *volume_out);
/*
 * A row of points in time, oldest first: where counters stood when the window began. Volumes of found points: up to the
 * next found point of the same cycle, else up to the cycle's total (total_of(ctx, cycle)).
 */
struct baseline_point {
	int32_t cycle;
	bool found;
	struct weir_volume at;
	struct weir_volume volume; /* out */
};
typedef struct weir_volume (*cycle_total_fn)(void *ctx, int32_t cycle);
void baselines_to_volumes(struct baseline_point *points, uint32_t count, cycle_total_fn total_of, void *ctx);
void volume_add(struct weir_volume *sum, const struct weir_volume *more);

/* ---- windows (window_plan.c) ---- */

#define READ_TAIL_MAX 96u /* the rest of a day, and of a cycle */

/* Windows to be shown, and further ones whose baselines end the last of them. */
struct span_plan {
	enum weir_span span;
	struct weir_usage_row *rows;
	uint32_t count;
	struct tail_window { /* after the rows, oldest first */
		bool day;
		int32_t number, cycle;
	} * tail;
	uint32_t tail_count;
};
enum weir_read windows_plan(struct weir_reader *reader, const struct partition_carrier *carrier, enum weir_span span,
    int64_t from_us, int64_t to_us, bool of_pool, struct span_plan *plan_out, struct weir_error *err);

/* The cycle to which a local day belongs; the carrier's zone is known. */
int32_t windows_cycle_of_day(const struct partition_carrier *carrier, int32_t day);
/* The oldest cycle of which days, or cycles, are kept now. */
int32_t windows_oldest_cycle(
    const struct weir_reader *reader, const struct partition_carrier *carrier, enum weir_span span);

/* ---- cursors (cursor.c) ---- */

struct cursor {
	uint32_t partition;
	uint64_t a, b, c; /* the list's own */
};
void cursor_write(const struct cursor *cursor, uint64_t query, char out[WEIR_CURSOR_MAX]);
/* "" is the beginning: zeros. */
enum weir_read cursor_read(const char *text, uint64_t query, struct cursor *cursor_out, struct weir_error *err);
/* Of bytes that say what is asked for. */
uint64_t cursor_query(struct weir_slice bytes);

/* ---- lists (search.c, member_scan.c, tagged.c, on search_page.c) ---- */

/* A text of a query that is not asked for. */
static inline bool
search_any(const char *text)
{
	return text == NULL || text[0] == '\0';
}
/* A page in the making: matching cards' places, then their slots. */
struct search {
	struct weir_reader *reader;
	const struct weir_card_query *query;
	struct cursor at;
	uint32_t max;
	struct card_raw *cards; /* in the arena, max of them */
	uint32_t count;
	uint64_t examined;
	bool done;
};
/* Does the card match by its slots (all but tag and pool)? */
bool search_matches(const struct search *search, uint32_t partition, const struct weir_card_slot *card,
    const struct weir_lifecycle_slot *lifecycle);
void search_push(struct search *search, uint32_t partition, uint32_t slot, struct weir_iccid iccid);
/* Names that a slot's numbers need are fetched when they are newer than ours. Forgets answers. */
enum weir_read search_names(
    struct weir_reader *reader, uint32_t partition, uint32_t carrier, uint32_t plan, struct weir_error *err);
enum weir_read search_members(struct search *search, const struct pool_raw *pool, struct weir_error *err);
enum weir_read search_tagged(struct search *search, struct weir_error *err);

/* ---- the reader ---- */

struct zone_entry {
	char name[64];
	struct weir_zone *zone; /* NULL: no such zone */
};

struct fleet; /* fleet_query.c */

struct weir_reader {
	uint32_t magic;
	struct weir_reader_opts opts;
	const char *prefix;
	struct weir_redis *redis; /* its batch is the question's (redis_pipeline.c) */
	struct arena arena;
	uint32_t partitions;
	struct weir_steady partitions_at; /* fetched */
	uint16_t *slot_of;                /* partition -> hash slot of its keys */
	struct partition_meta *partition_metas;
	struct definition_want *wants;
	uint32_t want_count, want_cap;
	struct zone_entry *zones;
	uint32_t zone_count;
	struct fleet *fleet;
};

int64_t read_now_us(const struct weir_reader *reader);
/* Begins a question: forgets the last answer, knows the number of partitions. */
enum weir_read read_begin(struct weir_reader *reader, struct weir_error *err);
enum weir_read read_fail(struct weir_error *err, enum weir_read how, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const struct weir_zone *read_zone(struct weir_reader *reader, const char *name);
void zones_free(struct weir_reader *reader);
void fleet_free(struct fleet *fleet);
void partition_view_make(struct weir_reader *reader, uint32_t number, struct weir_partition_view *view);

#endif
