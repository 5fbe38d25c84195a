/*
 * The dispatcher's containers: card entries and where they are. Inside pipeline/dispatch only.
 *
 * Entries lie in chunks that never move and are reused through a free list. A card is found by (partition, slot) in an
 * open-addressing table (linear probing, backward-shift deletion: no tombstones to clean); growing it by doubling is the
 * one pause, some 20 ms at a million cards, on a thread that waits for the network anyhow. Lists run through the entries by
 * number. The heap keeps (time, entry) side by side, so that sifting touches no entry but to note its position.
 * Rejected: a timer wheel (retry delays span 1 ms to hours; O(log n) is enough here).
 */
#ifndef WEIR_PIPELINE_CARDS_PRIV_H
#define WEIR_PIPELINE_CARDS_PRIV_H

#include "pipeline/dispatch/dispatch_core.h"

#define WEIR_NONE UINT32_MAX

/* Where an entry is. */
enum weir_place {
	WEIR_PLACE_FREE = 0,
	WEIR_PLACE_SUSPENDS, /* ready, in its carrier's queue of suspends */
	WEIR_PLACE_RESUMES,  /* ready, in its carrier's queue of resumes */
	WEIR_PLACE_HEAP,     /* waits for due_us: cooldown, poll, linger */
	WEIR_PLACE_RETRY,    /* waits for due_us after a failure; also in its carrier's list of retries */
	WEIR_PLACE_FLIGHT,   /* a call is open */
	WEIR_PLACE_MOVING,   /* being decided about */
};

struct weir_card_link {
	uint32_t prev, next;
};

struct weir_card_list {
	uint32_t first, last, count;
};

struct weir_card_entry {
	struct weir_iccid iccid;
	int64_t due_us;      /* heap key while in the heap */
	int64_t command_us;  /* when the last SET began; valid if commanded */
	int64_t accepted_us; /* since when it is known to be accepted; valid if accepted */
	uint64_t token;      /* of the newest intent, 0 = none */
	char *ticket;        /* owned; NULL = none */
	uint32_t partition, slot, lane;
	uint32_t self; /* own number */
	uint32_t heap_at;
	struct weir_card_link queue; /* of its place's list */
	struct weir_card_link peers; /* entries of the same partition */
	uint16_t carrier;            /* index; of the open call while in flight */
	uint16_t carrier_next;       /* differs while a card changed carriers under an open call */
	uint16_t attempts;           /* SETs begun for target */
	uint16_t fails;              /* failures since the last success: the delay's exponent */
	uint16_t polls;
	uint8_t place;          /* enum weir_place */
	uint8_t desired;        /* enum weir_desired, the next three too */
	uint8_t confirmed;      /* see dispatch_core.h */
	uint8_t target;         /* what the command in motion (or the last one) is for */
	uint8_t intent;         /* state for which an intent was asked */
	uint8_t refused;        /* desired state the carrier refused; 0 = none */
	uint8_t pending;        /* set of enum weir_desired, whose values are bits; see dispatch_core.h */
	uint8_t pending_before; /* the open SET */
	bool commanded;         /* a SET has begun at some time */
	bool touched;           /* a call has begun: `confirmed` is ours, not the owner's */
	bool accepted, ask_first;
	bool asking;    /* the open call is an ASK */
	bool forgotten; /* its owner let go while a call was open */
};

struct weir_map { /* u64 -> u32, no tombstones */
	uint64_t *keys;
	uint32_t *values; /* WEIR_NONE = empty */
	uint32_t capacity, count;
};

uint32_t weir_map_get(const struct weir_map *map, uint64_t key); /* WEIR_NONE if absent */
void weir_map_put(struct weir_map *map, uint64_t key, uint32_t value);
void weir_map_remove(struct weir_map *map, uint64_t key);
void weir_map_free(struct weir_map *map);

struct weir_heap_item {
	int64_t due_us;
	uint32_t card;
};

struct weir_cards {
	struct weir_card_entry **chunks;
	uint32_t chunk_count, free_first, count;
	struct weir_map by_card;      /* partition << 32 | slot -> entry */
	struct weir_map by_partition; /* partition -> index into partitions */
	struct weir_card_list *partitions;
	uint32_t partition_count;
	struct weir_heap_item *heap;
	uint32_t heap_count, heap_cap;
};

struct weir_card_entry *weir_cards_at(const struct weir_cards *cards, uint32_t self);
struct weir_card_entry *weir_cards_find(const struct weir_cards *cards, uint32_t partition, uint32_t slot);
/* A zeroed entry for a card that has none, linked to its partition, in place MOVING. */
struct weir_card_entry *weir_cards_add(struct weir_cards *cards, uint32_t partition, uint32_t slot);
/* Frees an entry in place MOVING. */
void weir_cards_drop(struct weir_cards *cards, struct weir_card_entry *card);
/* First entry of a partition, WEIR_NONE if none; go on by peers.next. */
uint32_t weir_cards_first_of(const struct weir_cards *cards, uint32_t partition);
void weir_cards_init(struct weir_cards *cards);
void weir_cards_free(struct weir_cards *cards);

void weir_heap_push(struct weir_cards *cards, struct weir_card_entry *card, int64_t due_us);
void weir_heap_remove(struct weir_cards *cards, struct weir_card_entry *card);
/* The earliest, NULL when empty. */
struct weir_card_entry *weir_heap_first(const struct weir_cards *cards);

void weir_list_init(struct weir_card_list *list);
void weir_list_push(struct weir_cards *cards, struct weir_card_list *list, struct weir_card_entry *card, bool at_front);
void weir_list_remove(struct weir_cards *cards, struct weir_card_list *list, struct weir_card_entry *card);

#endif
