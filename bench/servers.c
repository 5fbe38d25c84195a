/* A run's place: settings, names, connections, and cleaning up; see servers.h. */
#include "bench/servers.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/check.h"
#include "config/base/clock.h"
#include "consumers/source/source.h"
#include "pipeline/kafka/admin.h"
#include "pipeline/redis/client.h"

static void __attribute__((format(printf, 2, 3))) add_set(struct bench_site *site, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, format);
	WEIR_CHECK(vasprintf(&text, format, args) >= 0);
	va_end(args);
	WEIR_CHECK(site->set_count < BENCH_SITE_SETS_MAX);
	site->sets[site->set_count++] = text;
}

static enum weir_class
find_weir(struct bench_site *site, struct weir_error *err)
{
	const char *named = site->opts.weir != NULL ? site->opts.weir : getenv("WEIR_BIN");
	if (named != NULL) {
		(void)snprintf(site->weir, sizeof(site->weir), "%s", named);
	} else {
		ssize_t n = readlink("/proc/self/exe", site->weir, sizeof(site->weir) - 16);
		site->weir[n > 0 ? n : 0] = '\0';
		char *slash = strrchr(site->weir, '/');
		(void)snprintf(slash != NULL ? slash + 1 : site->weir, 8, "weir");
		if (access(site->weir, X_OK) != 0) /* a build folder has it one floor up */
			(void)snprintf(slash != NULL ? slash + 1 : site->weir, 16, "../weir");
	}
	if (access(site->weir, X_OK) == 0)
		return WEIR_OK;
	return weir_error_set(err, WEIR_FATAL, "%s: %s; name the program with --weir", site->weir, strerror(errno));
}

/* The run's own names, over what was given. */
static void
name_things(struct bench_site *site)
{
	static const char *const topics[] = {
	    "cards", "dead", "audit", "partials", "alerts", "pool_hourly", "pool_daily", "card_daily"};
	while (site->set_count > site->given)
		free(site->sets[--site->set_count]);
	(void)snprintf(site->name, sizeof(site->name), "weir-bench-%d-%lx-%u", (int)getpid(),
	    (unsigned long)(weir_wall_now().us / 1000000), site->renewals++);
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		add_set(site, "topics.%s=%s.%s", topics[i], site->name, topics[i]);
	add_set(site, "redis.prefix=%s", site->name);
	add_set(site, "kafka.group=%s", site->name);
	add_set(site, "kafka.instance=");
	add_set(site, "metrics.listen=");
	add_set(site, "log.file=");
	add_set(site, "log.level=info");
	if (site->redis_port != 0)
		add_set(site, "redis.url=redis://127.0.0.1:%u", site->redis_port);
	if (site->kafka_port != 0)
		add_set(site, "kafka.brokers=127.0.0.1:%u", site->kafka_port);
}

static enum weir_class
load_settings(struct bench_site *site, struct weir_error *err)
{
	struct weir_set sets[BENCH_SITE_SETS_MAX];
	for (uint32_t i = 0; i < site->set_count; i++)
		sets[i].key_value = site->sets[i];
	weir_settings_free(site->settings);
	site->settings = NULL;
	return weir_settings_load(
	    weir_settings_options_path(site->opts.common), sets, site->set_count, &site->settings, err);
}

/* Warnings of a client that only asks are the business of those who carry records. */
static void
say_nothing(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
	(void)kafka;
	if (level <= 2)
		(void)fprintf(stderr, "weir bench: kafka: %s: %s\n", facility, text);
}

static enum weir_class
open_kafka(struct bench_site *site, struct weir_error *err)
{
	char text[256];
	rd_kafka_conf_t *conf = weir_kafka_conf(site->settings, err);
	if (conf == NULL)
		return WEIR_FATAL;
	rd_kafka_conf_set_log_cb(conf, say_nothing);
	site->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (site->kafka != NULL)
		return WEIR_OK;
	rd_kafka_conf_destroy(conf);
	return weir_error_set(err, WEIR_FATAL, "kafka: %s", text);
}

/* The broker's process, where it is on this machine and ours to see. */
static void
find_kafka(struct bench_site *site)
{
	const char *first = site->settings->kafka_brokers, *colon = strchr(first, ':');
	if (site->kafka_child.pid != 0)
		site->kafka_pid = site->kafka_child.pid;
	else if (colon != NULL && (strncmp(first, "127.", 4) == 0 || strncmp(first, "localhost", 9) == 0))
		site->kafka_pid = bench_pid_of_port((uint16_t)strtoul(colon + 1, NULL, 10));
}

static enum weir_class
make_topics(struct bench_site *site, struct weir_error *err)
{
	const struct weir_settings *s = site->settings;
	uint32_t n = site->opts.partitions;
	const struct bench_topic topics[] = {{s->topic_cards, n}, {s->topic_partials, n}, {s->topic_dead, 1},
	    {s->topic_audit, 1}, {s->topic_alerts, 1}, {s->topic_pool_hourly, 1}, {s->topic_pool_daily, 1},
	    {s->topic_card_daily, 1}};
	site->topics_made = true; /* some of them, whatever comes */
	return bench_topics_create(site, topics, sizeof(topics) / sizeof(topics[0]), err);
}

static enum weir_class
make_folder(struct bench_site *site, struct weir_error *err)
{
	(void)snprintf(site->folder, sizeof(site->folder), "/tmp/weir-bench-%d-XXXXXX", (int)getpid());
	if (mkdtemp(site->folder) != NULL)
		return WEIR_OK;
	site->folder[0] = '\0';
	return weir_error_set(err, WEIR_FATAL, "cannot make a folder in /tmp: %s", strerror(errno));
}

static enum weir_class
start_servers(struct bench_site *site, struct weir_error *err)
{
	if (!site->opts.start)
		return WEIR_OK;
	if (bench_redis_start(site, site->opts.redis_aof, err) != WEIR_OK)
		return WEIR_FATAL;
	return bench_kafka_start(site, site->opts.kafka_home, err);
}

enum weir_class
bench_site_open(const struct bench_site_opts *opts, struct bench_site *site, struct weir_error *err)
{
	*site = (struct bench_site){.opts = *opts};
	(void)signal(SIGPIPE, SIG_IGN);
	bench_catch_signals();
	for (uint32_t i = 0; i < opts->common->sets.n; i++)
		add_set(site, "%s", opts->common->sets.v[i]);
	site->given = site->set_count;
	if (find_weir(site, err) != WEIR_OK || make_folder(site, err) != WEIR_OK || start_servers(site, err) != WEIR_OK)
		return WEIR_FATAL;
	name_things(site);
	if (load_settings(site, err) != WEIR_OK || open_kafka(site, err) != WEIR_OK ||
	    bench_redis_connect(site, err) != WEIR_OK || bench_redis_functions_keep(site, err) != WEIR_OK)
		return WEIR_FATAL;
	find_kafka(site);
	return make_topics(site, err);
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path) != 0 && errno != ENOENT;
}

static void
delete_keys(struct bench_site *site)
{
	static const char *const ends[] = {"", BENCH_BASE, BENCH_RUN};
	char prefix[BENCH_NAME_MAX];
	struct weir_error err;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(prefix, sizeof(prefix), "%s%s", site->name, ends[i]);
		if (bench_redis_delete(site, prefix, &err) != WEIR_OK)
			(void)fprintf(stderr, "weir bench: keys of %s are left: %s\n", prefix, err.text);
	}
}

static void
delete_topics(struct bench_site *site)
{
	const struct weir_settings *s = site->settings;
	const char *const topics[] = {s->topic_cards, s->topic_partials, s->topic_dead, s->topic_audit, s->topic_alerts,
	    s->topic_pool_hourly, s->topic_pool_daily, s->topic_card_daily};
	if (site->topics_made)
		bench_topics_delete(site, topics, sizeof(topics) / sizeof(topics[0]));
	site->topics_made = false;
}

enum weir_class
bench_site_renew(struct bench_site *site, struct weir_error *err)
{
	delete_keys(site);
	delete_topics(site);
	name_things(site);
	return load_settings(site, err) == WEIR_OK ? make_topics(site, err) : WEIR_FATAL;
}

/* What lies in servers that go away with the run need not be deleted first. */
static void
clean_servers(struct bench_site *site)
{
	if (site->settings == NULL || site->opts.start)
		return;
	if (site->kafka != NULL)
		delete_topics(site);
	if (site->redis == NULL)
		return;
	delete_keys(site);
	bench_redis_functions_back(site);
}

void
bench_site_close(struct bench_site *site)
{
	clean_servers(site);
	weir_redis_free(site->redis);
	if (site->kafka != NULL)
		rd_kafka_destroy(site->kafka);
	(void)bench_child_stop(&site->redis_child, SIGKILL, 5000);
	(void)bench_child_stop(&site->kafka_child, SIGKILL, 5000);
	if (site->folder[0] != '\0')
		(void)nftw(site->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	weir_settings_free(site->settings);
	for (uint32_t i = 0; i < site->set_count; i++)
		free(site->sets[i]);
	free(site->functions);
	*site = (struct bench_site){0};
}
