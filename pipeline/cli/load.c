/*
 * `weir load`: reference files into the topic of cards.
 *
 * All files are read and checked before the first message is sent, so that a mistake in the last line sends nothing. Cards
 * are keyed by ICCID and land in the partition where the records of that key are, as long as their producers use the same
 * partitioner: murmur2_random, the default of Java's client, unless `kafka.properties` names another. Pools are keyed by
 * their ids; carriers, alerts and plans go to every partition, each before what names it. Messages are absolute: loading a
 * file twice changes nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/base/exit.h"
#include "config/reference/reference.h"
#include "config/settings/settings_options.h"
#include "pipeline/cli/cli.h"
#include "pipeline/kafka/admin.h"
#include "pipeline/kafka/producer.h"

#define METADATA_MS 10000
#define POLL_MS 100

struct load {
	struct weir_producer *kafka; /* NULL while files are only checked */
	const char *topic;
	uint32_t partitions;
	uint64_t keyed, broadcasts; /* messages of the files, before they were multiplied */
	uint64_t sent, delivered, failed;
	struct weir_error err; /* the first failure */
};

static const struct weir_usage usage = {
    .command = "load",
    .arguments = "FILE...",
    .text = "Sends carriers, alerts, plans, pools and cards from YAML or CSV files to the topic of cards "
	    "(topics.cards).\n"
	    "Nothing is sent unless no file has a mistake. Cards are partitioned by ICCID with murmur2_random, Java's "
	    "default;\n"
	    "producers of records must use the same, or set kafka.properties: {partitioner: ...} to theirs.\n",
};

static void
on_delivery(void *ctx, const struct weir_delivery *delivery)
{
	struct load *load = ctx;
	if (delivery->error == NULL)
		load->delivered++;
	else if (load->failed++ == 0)
		(void)weir_error_set(&load->err, WEIR_RETRY, "not delivered: %s", delivery->error);
}

static bool
produce(struct load *load, int32_t partition, const char *key, const char *json, size_t json_len)
{
	struct weir_error why = {0};
	const struct weir_producer_message message = {.topic = load->topic,
	    .partition = partition,
	    .key = key[0] != '\0' ? weir_slice_of(key) : (struct weir_slice){0},
	    .value = {(const uint8_t *)json, json_len}};
	enum weir_sent sent;
	while ((sent = weir_producer_send(load->kafka, &message, &why)) == WEIR_SENT_FULL) {
		weir_producer_poll(load->kafka, POLL_MS);
		if (load->failed > 0)
			return false;
	}
	if (sent == WEIR_SENT_REFUSED) {
		(void)weir_error_set(&load->err, WEIR_RETRY, "not sent: %s", why.text);
		return false;
	}
	load->sent++;
	weir_producer_poll(load->kafka, 0);
	return load->failed == 0;
}

static bool
load_emit(void *ctx, const char *key, const char *json, size_t json_len)
{
	struct load *load = ctx;
	bool broadcast = key[0] == '\0';
	*(broadcast ? &load->broadcasts : &load->keyed) += 1;
	if (load->kafka == NULL)
		return true;
	if (!broadcast)
		return produce(load, WEIR_PARTITION_BY_KEY, key, json, json_len);
	for (uint32_t p = 0; p < load->partitions; p++)
		if (!produce(load, (int32_t)p, key, json, json_len))
			return false;
	return true;
}

/* Reads all files through load_emit. */
static int
files_read(struct load *load, const struct weir_words *files)
{
	load->keyed = load->broadcasts = 0;
	for (uint32_t i = 0; i < files->n; i++) {
		struct weir_error err = {0};
		uint64_t count;
		enum weir_class class = weir_reference_read(files->v[i], load_emit, load, &count, &err);
		if (class == WEIR_RETRY)
			return weir_exit_fail("load", WEIR_EXIT_UNREACHABLE, &load->err);
		if (class != WEIR_OK)
			return weir_exit_fail("load", WEIR_EXIT_SETTINGS, &err);
	}
	return WEIR_EXIT_OK;
}

static int
load_flush(struct load *load)
{
	/* A message is given up after librdkafka's own message.timeout.ms, so this ends. */
	while (weir_producer_queued(load->kafka) > 0 && load->failed == 0)
		weir_producer_poll(load->kafka, POLL_MS);
	if (load->failed > 0)
		return weir_exit_fail("load", WEIR_EXIT_UNREACHABLE, &load->err);
	return WEIR_EXIT_OK;
}

static int
load_send(struct load *load, const struct weir_settings *settings, const struct weir_words *files)
{
	struct weir_error err = {0};
	load->topic = settings->topic_cards;
	const struct weir_producer_opts opts = {
	    .settings = settings, .on_delivery = on_delivery, .ctx = load, .is_command = true};
	if (weir_producer_open(&opts, &load->kafka, &err) != WEIR_OK)
		return weir_exit_fail("load", WEIR_EXIT_SETTINGS, &err);
	int code = WEIR_EXIT_OK;
	if (weir_topic_partitions(weir_producer_handle(load->kafka), load->topic, METADATA_MS, &load->partitions, &err) !=
	    WEIR_OK)
		code = weir_exit_fail("load", WEIR_EXIT_UNREACHABLE, &err);
	if (code == WEIR_EXIT_OK)
		code = files_read(load, files);
	if (code == WEIR_EXIT_OK)
		code = load_flush(load);
	weir_producer_close(load->kafka, 0);
	return code;
}

int
weir_cli_load(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	bool dry_run = false;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "dry-run", .help = "check the files, send nothing", .flag = &dry_run}, {0}};
	struct weir_words files;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 1, WEIR_WORDS_MAX, &files, &code))
		return code;
	struct load load = {0};
	code = files_read(&load, &files);
	if (code != WEIR_EXIT_OK)
		return code;
	if (dry_run) {
		(void)printf("%" PRIu64 " cards and pools, %" PRIu64 " carriers, alerts and plans; nothing sent\n",
		    load.keyed, load.broadcasts);
		return WEIR_EXIT_OK;
	}
	struct weir_settings *settings = NULL;
	code = weir_settings_options_load(&common, "load", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	code = load_send(&load, settings, &files);
	if (code == WEIR_EXIT_OK)
		(void)printf("%" PRIu64 " cards and pools, %" PRIu64 " carriers, alerts and plans to each of %" PRIu32
			     " partitions of %s\n",
		    load.keyed, load.broadcasts, load.partitions, load.topic);
	weir_settings_free(settings);
	return code;
}
