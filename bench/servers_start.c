/* A Redis and a Kafka for the run alone, on loopback and free ports; see servers.h. */
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/servers.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { REDIS_UP_MS = 20000, KAFKA_UP_MS = 90000, KAFKA_HEAP_MB = 1024 };

/* ---- Redis ---- */

static enum weir_class
redis_wait(struct bench_site *site, struct weir_error *err)
{
	struct weir_steady until = weir_steady_in_ms(REDIS_UP_MS);
	while (!weir_steady_reached(until)) {
		if (bench_child_alive(&site->redis_child, err) != WEIR_OK)
			return WEIR_FATAL;
		if (bench_pid_of_port(site->redis_port) != 0)
			return WEIR_OK;
		bench_sleep_us(2000);
	}
	return weir_error_set(err, WEIR_FATAL, "redis-server does not answer");
}

static enum weir_class
redis_run(struct bench_site *site, struct weir_error *err)
{
	char port[16], folder[BENCH_PATH_MAX], log[BENCH_PATH_MAX];
	const char *aof = site->opts.redis_aof;
	bool on = strcmp(aof, "none") != 0;
	(void)snprintf(port, sizeof(port), "%u", site->redis_port);
	bench_site_path(site, "redis", folder);
	bench_site_path(site, "redis.log", log);
	(void)mkdir(folder, 0700);
	const char *const argv[] = {"redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "",
	    "--appendonly", on ? "yes" : "no", "--appendfsync", on ? aof : "no", "--auto-aof-rewrite-percentage", "0",
	    "--aof-load-truncated", "yes", NULL};
	if (bench_child_start(&site->redis_child, "redis-server", log, (char *const *)(uintptr_t)argv, err) != WEIR_OK)
		return WEIR_FATAL;
	return redis_wait(site, err);
}

enum weir_class
bench_redis_start(struct bench_site *site, const char *aof, struct weir_error *err)
{
	site->opts.redis_aof = aof;
	if (site->redis_port == 0)
		site->redis_port = bench_free_port();
	return redis_run(site, err);
}

enum weir_class
bench_redis_again(struct bench_site *site, struct weir_error *err)
{
	(void)bench_child_stop(&site->redis_child, SIGKILL, 5000);
	return redis_run(site, err);
}

/* ---- Kafka ---- */

static const char *const PROPERTIES = "process.roles=broker,controller\nnode.id=1\n"
				      "controller.quorum.voters=1@127.0.0.1:%u\n"
				      "listeners=PLAINTEXT://127.0.0.1:%u,CONTROLLER://127.0.0.1:%u\n"
				      "advertised.listeners=PLAINTEXT://127.0.0.1:%u\n"
				      "controller.listener.names=CONTROLLER\n"
				      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
				      "log.dirs=%s/kafka\n"
				      "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n"
				      "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
				      "group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=1000\n"
				      "auto.create.topics.enable=false\nlog.retention.ms=-1\n"
				      "num.network.threads=2\nnum.io.threads=4\nbackground.threads=2\n"
				      "log.cleaner.enable=false\n";
static const char *const LOG4J = "log4j.rootLogger=WARN, out\n"
				 "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
				 "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
				 "log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n\n";

static bool
has_jars(const char *folder)
{
	char pattern[BENCH_PATH_MAX];
	glob_t found = {0};
	(void)snprintf(pattern, sizeof(pattern), "%s/kafka_*.jar", folder);
	bool any = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
	globfree(&found);
	return any;
}

/* The folder of jars: an installation's libs/, or a folder that holds them itself. */
static enum weir_class
find_jars(const char *home, char out[BENCH_PATH_MAX], struct weir_error *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
	if (home == NULL)
		home = getenv("KAFKA_HOME");
	if (home != NULL) {
		(void)snprintf(out, BENCH_PATH_MAX, "%s/libs", home);
		if (has_jars(out))
			return WEIR_OK;
		(void)snprintf(out, BENCH_PATH_MAX, "%s", home);
		if (has_jars(out))
			return WEIR_OK;
		return weir_error_set(err, WEIR_FATAL, "%s holds no Kafka (no kafka_*.jar, nor in libs)", home);
	}
	if (cache != NULL)
		(void)snprintf(out, BENCH_PATH_MAX, "%s/weir-tests/kafka-3.9.1", cache);
	else
		(void)snprintf(out, BENCH_PATH_MAX, "%s/.cache/weir-tests/kafka-3.9.1", user != NULL ? user : "");
	if (has_jars(out))
		return WEIR_OK;
	return weir_error_set(err, WEIR_FATAL, "--start needs a Kafka: name its folder with --kafka-home or KAFKA_HOME");
}

static enum weir_class
write_file(const struct bench_site *site, const char *name, const char *text, struct weir_error *err)
{
	char path[BENCH_PATH_MAX];
	bench_site_path(site, name, path);
	FILE *file = fopen(path, "w");
	bool good = file != NULL && fputs(text, file) >= 0;
	if (file != NULL && fclose(file) != 0)
		good = false;
	return good ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "cannot write %s", path);
}

static enum weir_class
start_java(
    struct bench_site *site, const char *jars, const char *const *words, struct bench_child *child, struct weir_error *err)
{
	char heap[24], log4j[BENCH_PATH_MAX + 32], all[BENCH_PATH_MAX + 4], log[BENCH_PATH_MAX];
	(void)snprintf(heap, sizeof(heap), "-Xmx%dm", KAFKA_HEAP_MB);
	(void)snprintf(log4j, sizeof(log4j), "-Dlog4j.configuration=file:%s/log4j.properties", site->folder);
	(void)snprintf(all, sizeof(all), "%s/*", jars);
	bench_site_path(site, "kafka.log", log);
	const char *argv[24] = {"java", "-Xms256m", heap, "-XX:+UseSerialGC", "-XX:-UsePerfData",
	    "-Djava.awt.headless=true", log4j, "-cp", all};
	for (uint32_t n = 9; *words != NULL; words++)
		argv[n++] = *words;
	return bench_child_start(child, "kafka", log, (char *const *)(uintptr_t)argv, err);
}

static enum weir_class
kafka_format(struct bench_site *site, const char *jars, const char *properties, struct weir_error *err)
{
	struct bench_child format;
	char last[300];
	const char *const words[] = {
	    "kafka.tools.StorageTool", "format", "-t", "d2Vpci1iZW5jaC1jbHVzdA", "-c", properties, NULL};
	if (start_java(site, jars, words, &format, err) != WEIR_OK)
		return WEIR_FATAL;
	if (bench_child_wait(&format, KAFKA_UP_MS) == 0)
		return WEIR_OK;
	bench_last_line(format.log, last, sizeof(last));
	(void)bench_child_stop(&format, SIGKILL, 1000);
	return weir_error_set(err, WEIR_FATAL, "Kafka's storage cannot be made: %s", last);
}

static enum weir_class
kafka_wait(struct bench_site *site, uint16_t port, struct weir_error *err)
{
	struct weir_steady until = weir_steady_in_ms(KAFKA_UP_MS);
	while (!weir_steady_reached(until)) {
		if (bench_child_alive(&site->kafka_child, err) != WEIR_OK)
			return WEIR_FATAL;
		if (bench_pid_of_port(port) != 0)
			return WEIR_OK;
		bench_sleep_us(100000);
	}
	return weir_error_set(err, WEIR_FATAL, "Kafka does not come up; see %s", site->kafka_child.log);
}

enum weir_class
bench_kafka_start(struct bench_site *site, const char *home, struct weir_error *err)
{
	char jars[BENCH_PATH_MAX], properties[BENCH_PATH_MAX], text[2048];
	uint16_t port = bench_free_port(), controller = bench_free_port();
	if (find_jars(home, jars, err) != WEIR_OK)
		return WEIR_FATAL;
	(void)snprintf(text, sizeof(text), PROPERTIES, controller, port, controller, port, site->folder);
	bench_site_path(site, "server.properties", properties);
	if (write_file(site, "server.properties", text, err) != WEIR_OK ||
	    write_file(site, "log4j.properties", LOG4J, err) != WEIR_OK ||
	    kafka_format(site, jars, properties, err) != WEIR_OK)
		return WEIR_FATAL;
	const char *const words[] = {"kafka.Kafka", properties, NULL};
	if (start_java(site, jars, words, &site->kafka_child, err) != WEIR_OK || kafka_wait(site, port, err) != WEIR_OK)
		return WEIR_FATAL;
	site->kafka_port = port;
	return WEIR_OK;
}
