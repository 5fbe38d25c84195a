/* Watched partitions; see log_watch.h. */
#include "consumers/source/log_watch.h"

#include <stdlib.h>

#include "config/base/clock.h"
#include "config/base/log.h"

#define PERIOD_US 5000000ll /* also when nobody asks: a topic at rest may be created again, or be given partitions */
#define RETRY_US 100000ll   /* from a round that left something undecided to the next */
#define ROUND_MS 2000u      /* a partition without a leader holds up the proofs of the others so long */

/* One topic of a watched partition. */
struct place {
	struct log_name log; /* that proven_offset is a place in */
	int64_t next_offset; /* delivered up to there */
	int64_t proven_offset;
	int64_t asked_offset; /* next_offset when the round began */
	int32_t leader_epoch; /* of the last round; LOG_EPOCH_UNKNOWN */
};

struct watched {
	enum watch_state state;
	bool asked;               /* in the round that is under way, as it is now */
	bool unproven;            /* the round left a place undecided */
	bool again;               /* what was delivered cannot be proven: to be started anew */
	uint64_t delivered;       /* batches */
	uint64_t asked_delivered; /* of them when the round began */
	uint64_t proven_delivered;
	uint32_t failed_topic;
	enum log_verdict verdict;
	struct log_evidence evidence;
	struct place places[WEIR_TOPICS_MAX];
};

struct log_watch {
	struct log_identity *client;
	struct log_identity_opts opts;
	uint32_t partitions;     /* that every topic must have */
	struct watched *watched; /* by partition */
	uint32_t watched_cap;
	struct log_part *parts; /* of the round, by topic, then partition */
	uint32_t part_count, part_cap;
	bool wanted, ready, under_way, repartitioned;
	int64_t now_us, due_us;
	struct weir_error error; /* of repartitioned */
};

enum weir_class
log_watch_open(
    const struct log_identity_opts *opts, uint32_t partitions, struct log_watch **watch_out, struct weir_error *err)
{
	struct log_watch *watch = weir_calloc(1, sizeof(*watch));
	WEIR_CHECK(opts->topic_count <= WEIR_TOPICS_MAX);
	watch->opts = *opts;
	watch->partitions = partitions;
	enum weir_class class = log_identity_open(opts, &watch->client, err);
	if (class != WEIR_OK) {
		free(watch);
		watch = NULL;
	}
	*watch_out = watch;
	return class;
}

void
log_watch_close(struct log_watch *watch)
{
	if (watch == NULL)
		return;
	log_identity_close(watch->client);
	free(watch->watched);
	free(watch->parts);
	free(watch);
}

static struct watched *
find(const struct log_watch *watch, uint32_t partition)
{
	return partition < watch->watched_cap ? &watch->watched[partition] : NULL;
}

static struct watched *
reserve(struct log_watch *watch, uint32_t partition)
{
	if (partition >= watch->watched_cap) {
		uint32_t cap = watch->watched_cap == 0 ? 16 : watch->watched_cap;
		while (cap <= partition)
			cap *= 2;
		watch->watched = weir_realloc(watch->watched, cap * sizeof(*watch->watched));
		memset(watch->watched + watch->watched_cap, 0, (cap - watch->watched_cap) * sizeof(*watch->watched));
		watch->watched_cap = cap;
	}
	return &watch->watched[partition];
}

void
log_watch_start(struct log_watch *watch, const struct weir_start *start)
{
	struct watched *w = reserve(watch, start->partition);
	*w = (struct watched){.state = WATCH_CHECKING};
	for (uint32_t t = 0; t < watch->opts.topic_count; t++) {
		int64_t offset = start->offsets[t];
		w->places[t] = (struct place){start->logs[t], offset, offset, offset, LOG_EPOCH_UNKNOWN};
	}
	watch->wanted = true;
}

void
log_watch_recheck(struct log_watch *watch, uint32_t partition, uint32_t topic, int64_t next_offset)
{
	struct watched *w = find(watch, partition);
	if (w == NULL || w->state != WATCH_READY)
		return;
	w->state = WATCH_CHECKING;
	w->asked = false;
	w->places[topic].next_offset = next_offset;
	if (watch->due_us > watch->now_us + RETRY_US) /* not at once: a replica that was behind catches up */
		watch->due_us = watch->now_us + RETRY_US;
}

void
log_watch_stop(struct log_watch *watch, uint32_t partition)
{
	struct watched *w = find(watch, partition);
	if (w != NULL)
		*w = (struct watched){.state = WATCH_NONE};
}

void
log_watch_delivered(struct log_watch *watch, uint32_t partition, uint32_t topic, int64_t next_offset)
{
	struct watched *w = find(watch, partition);
	if (w == NULL || w->state != WATCH_READY)
		return;
	w->places[topic].next_offset = next_offset;
	w->delivered++;
}

enum watch_state
log_watch_state(const struct log_watch *watch, uint32_t partition)
{
	const struct watched *w = find(watch, partition);
	if (w == NULL)
		return WATCH_NONE;
	return w->again ? WATCH_CHECKING : w->state;
}

enum weir_proof
log_watch_prove(struct log_watch *watch, uint32_t partition, struct log_name logs_out[WEIR_TOPICS_MAX])
{
	const struct watched *w = find(watch, partition);
	if (w == NULL || w->state == WATCH_NONE)
		return WEIR_PROOF_GOOD; /* nothing was delivered */
	if (w->again)
		return WEIR_PROOF_AGAIN;
	if (w->state == WATCH_FAILED)
		return WEIR_PROOF_NONE;
	if (w->state != WATCH_READY || w->delivered != w->proven_delivered) {
		watch->wanted = true;
		return WEIR_PROOF_PENDING;
	}
	for (uint32_t t = 0; t < watch->opts.topic_count; t++)
		logs_out[t] = w->places[t].log;
	return WEIR_PROOF_GOOD;
}

enum weir_class
log_watch_error(const struct log_watch *watch, uint32_t partition, struct weir_batch *batch, struct weir_error *err)
{
	const struct watched *w = find(watch, partition);
	WEIR_CHECK(w != NULL && w->state == WATCH_FAILED);
	const struct place *place = &w->places[w->failed_topic];
	batch->verdict = w->verdict;
	batch->topic = w->failed_topic;
	batch->log = (struct log_name){w->evidence.id, LOG_EPOCH_UNKNOWN};
	batch->next_offset = log_resume_offset(w->verdict, place->asked_offset, &w->evidence);
	return log_verdict_error(err, w->verdict, watch->opts.topics[w->failed_topic], partition, &place->log,
	    place->asked_offset, &w->evidence);
}

enum weir_class
log_watch_partitions(const struct log_watch *watch, struct weir_error *err)
{
	if (!watch->repartitioned)
		return WEIR_OK;
	*err = watch->error;
	return WEIR_FATAL;
}

int
log_watch_fd(const struct log_watch *watch)
{
	return log_identity_fd(watch->client);
}

bool
log_watch_took_ready(struct log_watch *watch)
{
	bool ready = watch->ready;
	watch->ready = false;
	return ready;
}

/* ---- rounds ---- */

static void
add_part(struct log_watch *watch, uint32_t topic, uint32_t partition, int32_t epoch)
{
	if (watch->part_count == watch->part_cap) {
		watch->part_cap = watch->part_cap == 0 ? 64 : watch->part_cap * 2;
		watch->parts = weir_realloc(watch->parts, watch->part_cap * sizeof(*watch->parts));
	}
	watch->parts[watch->part_count++] = (struct log_part){.topic = topic, .partition = partition, .epoch = epoch};
}

static bool
is_watched(const struct watched *w)
{
	return (w->state == WATCH_CHECKING || w->state == WATCH_READY) && !w->again;
}

static void
begin_round(struct log_watch *watch)
{
	watch->part_count = 0;
	watch->wanted = false;
	watch->under_way = true;
	for (uint32_t t = 0; t < watch->opts.topic_count; t++)
		for (uint32_t p = 0; p < watch->watched_cap; p++) {
			struct watched *w = &watch->watched[p];
			struct place *place = &w->places[t];
			if (!is_watched(w))
				continue;
			w->asked = true;
			w->unproven = false;
			w->asked_delivered = w->delivered;
			place->asked_offset = place->next_offset;
			bool named = log_id_is_known(&place->log.id);
			add_part(watch, t, p, named ? place->log.epoch : LOG_EPOCH_UNKNOWN);
		}
	log_identity_begin(watch->client, watch->parts, watch->part_count, ROUND_MS);
}

static void
fail(struct watched *w, const struct log_part *part, enum log_verdict verdict, int64_t offset)
{
	w->state = WATCH_FAILED;
	w->failed_topic = part->topic;
	w->verdict = verdict;
	w->evidence = part->evidence;
	w->places[part->topic].asked_offset = offset;
}

/*
 * One answer. True when the place is proven up to asked_offset. The proven place must be in the log in any case; what was
 * delivered behind it is known to come from that log unless leaders changed meanwhile.
 */
static bool
take_answer(struct watched *w, const struct log_part *part)
{
	struct place *place = &w->places[part->topic];
	bool checking = w->state == WATCH_CHECKING;
	int64_t offset = checking ? place->next_offset : place->proven_offset;
	enum log_verdict verdict = log_verdict_of(&place->log, offset, &part->evidence);
	if (verdict == LOG_EXPIRED && !checking)
		verdict = LOG_SAME; /* it was read before it expired */
	if (verdict != LOG_SAME) {
		fail(w, part, verdict, offset);
		return false;
	}
	bool same_leader = part->leader_epoch == place->leader_epoch;
	if (!log_id_is_known(&place->log.id))
		place->log = (struct log_name){part->evidence.id, part->leader_epoch};
	else if (same_leader && place->leader_epoch > place->log.epoch)
		place->log.epoch = place->leader_epoch; /* its log reaches that far */
	else if (!same_leader && place->asked_offset > place->proven_offset &&
		 part->evidence.epoch_end < place->asked_offset)
		w->again = true;
	place->leader_epoch = part->leader_epoch;
	return !w->again;
}

/* All its places were compared. */
static void
take_partition(struct log_watch *watch, struct watched *w)
{
	if (!w->asked)
		return;
	w->asked = false;
	if (w->unproven || !is_watched(w))
		return;
	for (uint32_t t = 0; t < watch->opts.topic_count; t++)
		w->places[t].proven_offset = w->places[t].asked_offset;
	w->proven_delivered = w->asked_delivered;
	watch->ready |= w->state == WATCH_CHECKING;
	w->state = WATCH_READY;
}

static void
check_counts(struct log_watch *watch)
{
	for (uint32_t t = 0; t < watch->opts.topic_count; t++) {
		const struct log_topic *topic = log_identity_topic(watch->client, t);
		if (!topic->known || topic->error != 0 || watch->partitions == 0 ||
		    topic->partition_count == watch->partitions)
			continue;
		watch->repartitioned = true;
		(void)log_partitions_error(&watch->error, watch->opts.topics[t], topic->partition_count, watch->partitions);
	}
}

static void
take_round(struct log_watch *watch)
{
	bool soon = false;
	check_counts(watch);
	for (uint32_t i = 0; i < watch->part_count; i++) {
		const struct log_part *part = &watch->parts[i];
		struct watched *w = &watch->watched[part->partition];
		if (w->asked && is_watched(w) && !(part->decided && take_answer(w, part)))
			w->unproven = true;
	}
	for (uint32_t p = 0; p < watch->watched_cap; p++) {
		take_partition(watch, &watch->watched[p]);
		soon |= watch->watched[p].state == WATCH_CHECKING && is_watched(&watch->watched[p]);
	}
	watch->due_us = watch->now_us + (soon ? RETRY_US : PERIOD_US);
}

int64_t
log_watch_serve(struct log_watch *watch)
{
	int64_t due_us = log_identity_serve(watch->client);
	watch->now_us = weir_steady_now().us;
	if (watch->under_way && !log_identity_is_busy(watch->client)) {
		watch->under_way = false;
		take_round(watch);
	}
	if (!watch->under_way && (watch->wanted || watch->now_us >= watch->due_us)) {
		begin_round(watch);
		due_us = log_identity_serve(watch->client);
	}
	if (watch->under_way)
		return due_us;
	return watch->due_us > watch->now_us ? watch->due_us - watch->now_us : 1000;
}
