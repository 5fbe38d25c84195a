/*
 * Asks a cluster which logs it serves, a line a partition, and compares a place in each of them; for tests against real
 * brokers. weir_log_check CONFIG TIMEOUT_MS TOPIC:PARTITION[:ID:EPOCH:OFFSET]...   (ordered by topic, then partition)
 *
 * Prints "TOPIC PARTITION id=… partitions=… leader=… leader_epoch=… first=… end=… epoch_found=… epoch_end=… verdict=…
 * resume=…" and ends with 0; with 5 when not all were decided in time, 3 when the settings cannot be used.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumers/wire/log_identity.h"

#define PARTS_MAX 64u

struct place {
	struct log_name name;
	int64_t next_offset;
};

static char *
word(char **rest)
{
	char *at = strsep(rest, ":");
	return at == NULL ? "" : at;
}

static uint32_t
topic_number(const char **topics, uint32_t *count, const char *topic)
{
	for (uint32_t t = 0; t < *count; t++)
		if (strcmp(topics[t], topic) == 0)
			return t;
	topics[*count] = topic;
	return (*count)++;
}

/* "TOPIC:PARTITION" or "TOPIC:PARTITION:ID:EPOCH:OFFSET" */
static bool
read_place(char *text, const char **topics, uint32_t *topic_count, struct log_part *part, struct place *place)
{
	char *rest = text;
	*place = (struct place){LOG_UNKNOWN, LOG_OFFSET_UNKNOWN};
	part->topic = topic_number(topics, topic_count, word(&rest));
	part->partition = (uint32_t)atoi(word(&rest));
	part->epoch = LOG_EPOCH_UNKNOWN;
	if (rest == NULL)
		return true;
	if (!log_id_parse(weir_slice_of(word(&rest)), &place->name.id))
		return false;
	part->epoch = place->name.epoch = atoi(word(&rest));
	place->next_offset = atoll(word(&rest));
	return true;
}

static void
print_part(const struct log_identity *client, const char *topic, const struct log_part *part, const struct place *place)
{
	char id[LOG_ID_CHARS + 1];
	const struct log_evidence *e = &part->evidence;
	enum log_verdict verdict = log_verdict_of(&place->name, place->next_offset, e);
	log_id_text(&e->id, id);
	printf("%s %u id=%s partitions=%u leader=%d leader_epoch=%d first=%" PRId64 " end=%" PRId64
	       " epoch_found=%d epoch_end=%" PRId64 " verdict=%s resume=%" PRId64 " error=%d\n",
	    topic, part->partition, id, log_identity_topic(client, part->topic)->partition_count, part->leader,
	    part->leader_epoch, e->first_offset, e->end_offset, e->epoch_found, e->epoch_end, log_verdict_name(verdict),
	    log_resume_offset(verdict, place->next_offset, e), part->error);
}

int
main(int argc, char **argv)
{
	struct weir_settings *settings;
	struct log_identity *client;
	struct weir_error err;
	const char *topics[PARTS_MAX];
	struct log_part parts[PARTS_MAX];
	struct place places[PARTS_MAX];
	uint32_t topic_count = 0, count = argc > 3 ? (uint32_t)argc - 3 : 0;
	if (count == 0 || count > PARTS_MAX || weir_settings_load(argv[1], NULL, 0, &settings, &err) != WEIR_OK)
		return 2;
	for (uint32_t i = 0; i < count; i++)
		if (!read_place(argv[i + 3], topics, &topic_count, &parts[i], &places[i]))
			return 2;
	struct log_identity_opts opts = {settings, topics, topic_count};
	if (log_identity_open(&opts, &client, &err) != WEIR_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 3;
	}
	enum weir_class class = log_identity_ask(client, parts, count, (uint32_t)atoi(argv[2]), &err);
	for (uint32_t i = 0; i < count; i++)
		print_part(client, topics[parts[i].topic], &parts[i], &places[i]);
	if (class != WEIR_OK)
		fprintf(stderr, "%s\n", err.text);
	log_identity_close(client);
	weir_settings_free(settings);
	return class == WEIR_OK ? 0 : 5;
}
