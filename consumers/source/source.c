/*
 * Which source a lane gets, and the calls to it; see source.h.
 *
 * `auto` takes the first kind of the caller's table that does what the settings ask for: the direct source, unless only
 * librdkafka can. That is said once, by the first lane.
 */
#include "consumers/source/source.h"

#include <string.h>

#include "config/base/log.h"
#include "consumers/source/source_kind.h"

#define SOURCE_MAGIC 0x57535243u

static struct weir_source *
check_magic(struct weir_source *source)
{
	WEIR_CHECK_MAGIC(source, SOURCE_MAGIC);
	return source;
}

enum weir_class
source_gone(struct weir_error *err, const char *topic, uint32_t partition, int64_t offset)
{
	return weir_error_set(err, WEIR_FATAL,
	    "%s [%u]: Kafka no longer holds offset %lld, where the stored state ends: counting on would not be exact",
	    topic, partition, (long long)offset);
}

/* The first kind that kafka.source allows and that does what the settings ask for. NULL with err when there is none. */
static const struct weir_source_kind *
choose(const struct weir_source_opts *opts, struct weir_error *err)
{
	WEIR_CHECK(opts->kinds != NULL);
	const char *wanted = opts->settings->kafka_source;
	bool any = strcmp(wanted, "auto") == 0;
	char text[128];
	for (const struct weir_source_kind *const *at = opts->kinds; *at != NULL; at++) {
		const struct weir_source_kind *kind = *at, *next = at[1];
		if (!any && strcmp(wanted, kind->name) != 0)
			continue;
		const char *unable = kind->unable == NULL ? NULL : kind->unable(opts->settings, text, sizeof(text));
		if (unable == NULL)
			return kind;
		if (!any || next == NULL) {
			(void)weir_error_set(
			    err, WEIR_FATAL, "kafka.source %s does not do %s: auto or librdkafka does", kind->name, unable);
			return NULL;
		}
		if (opts->lane == 0)
			weir_log(WEIR_LOG_INFO, "kafka_source", "%s reads: the %s source does not do %s", next->name,
			    kind->name, unable);
	}
	(void)weir_error_set(err, WEIR_FATAL, "kafka.source %s is not known here", wanted);
	return NULL;
}

enum weir_class
weir_source_open(const struct weir_source_opts *opts, struct weir_source **source_out, struct weir_error *err)
{
	*source_out = NULL;
	const struct weir_source_kind *kind = choose(opts, err);
	if (kind == NULL)
		return WEIR_FATAL;
	enum weir_class class = kind->open(opts, source_out, err);
	if (*source_out != NULL)
		(*source_out)->magic = SOURCE_MAGIC;
	return class;
}

void
weir_source_close(struct weir_source *source)
{
	if (source != NULL)
		check_magic(source)->ops->close(source);
}

enum weir_class
weir_source_poll(struct weir_source *source, struct weir_error *err)
{
	return check_magic(source)->ops->poll(source, err);
}

int64_t
weir_source_serve(struct weir_source *source)
{
	return check_magic(source)->ops->serve == NULL ? INT64_MAX : source->ops->serve(source);
}

int
weir_source_fd(struct weir_source *source)
{
	return check_magic(source)->ops->fd == NULL ? -1 : source->ops->fd(source);
}

enum weir_class
weir_source_next(struct weir_source *source, uint32_t topic, uint32_t partition, uint32_t max, struct weir_batch *batch_out,
    struct weir_error *err)
{
	*batch_out = (struct weir_batch){0};
	return check_magic(source)->ops->next(source, topic, partition, max, batch_out, err);
}

void
weir_source_release(struct weir_source *source, struct weir_batch *batch)
{
	check_magic(source)->ops->release(source, batch);
}

enum weir_proof
weir_source_prove(struct weir_source *source, uint32_t partition, struct log_name logs_out[WEIR_TOPICS_MAX])
{
	for (uint32_t t = 0; t < WEIR_TOPICS_MAX; t++)
		logs_out[t] = LOG_UNKNOWN;
	return check_magic(source)->ops->prove(source, partition, logs_out);
}

enum weir_class
weir_source_rewind(struct weir_source *source, const struct weir_start *start, struct weir_error *err)
{
	return check_magic(source)->ops->rewind(source, start, err);
}

void
weir_source_drop(struct weir_source *source, uint32_t partition)
{
	check_magic(source)->ops->drop(source, partition);
}

void
weir_source_commit(struct weir_source *source, const struct weir_start *start)
{
	check_magic(source)->ops->commit(source, start);
}

int64_t
weir_source_lag(struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset)
{
	return check_magic(source)->ops->lag(source, topic, partition, offset);
}
